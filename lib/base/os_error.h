/* SPDX-License-Identifier: Apache-2.0 */
/* os_error.h - an error number of the system as a failed call of axl. */
#ifndef AXL_BASE_OS_ERROR_H
#define AXL_BASE_OS_ERROR_H

#include <axl/status.h>

/* "what path: reason" for errno: AXL_ERR_NOT_FOUND, AXL_ERR_NOMEM or AXL_ERR_IO. */
axl_status axl__fail_errno(const char *what, const char *path);

#endif
