/* SPDX-License-Identifier: Apache-2.0 */
/* fail.h - recording a failure for axl_last_error(), and passing it on. */
#ifndef AXL_BASE_FAIL_H
#define AXL_BASE_FAIL_H

#include <axl/status.h>

#include <stdbool.h>
#include <stddef.h>

#if defined(__GNUC__)
#define AXL_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define AXL_PRINTF(f, a)
#endif

/* Records one line for the calling thread and returns status.  Control bytes become '?'. */
axl_status axl__fail(axl_status status, const char *fmt, ...) AXL_PRINTF(2, 3);

/* Puts text (which may use the current message's %s-free wording) before the current message:
 * "prefix: message".  Returns status. */
axl_status axl__fail_prefix(axl_status status, const char *fmt, ...) AXL_PRINTF(2, 3);

axl_status axl__fail_nomem(void);

/* At the entry of every public call. */
void axl__error_clear(void);

#define AXL_TRY(expr)                                                                              \
    do {                                                                                           \
        axl_status axl_try_ = (expr);                                                              \
        if (axl_try_ < 0)                                                                          \
            return axl_try_;                                                                       \
    } while (0)

#endif
