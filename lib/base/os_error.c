/* SPDX-License-Identifier: Apache-2.0 */
/* os_error.c - what the system said of a path, as axl tells it. */
#define _GNU_SOURCE
#include "os_error.h"

#include "fail.h"

#include <errno.h>
#include <string.h>

axl_status axl__fail_errno(const char *what, const char *path)
{
    int e = errno;
    char text[128];
    /* GNU strerror_r returns the text, which may be a static string. */
    const char *reason = strerror_r(e, text, sizeof text);

    if (e == ENOENT || e == ENOTDIR)
        return axl__fail(AXL_ERR_NOT_FOUND, "%s %s: %s", what, path, reason);
    return axl__fail(e == ENOMEM ? AXL_ERR_NOMEM : AXL_ERR_IO, "%s %s: %s", what, path, reason);
}
