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

/* The last error of a thread, set aside: while cleaning up makes errors of its own, or on its way
 * from the thread that failed to the one that reports it.  The text is for people: what a program
 * asks of an error (its place, its kind) travels in a struct beside it and is never looked for in
 * the text. */
enum { AXL__ERROR_MAX = 1024 };
typedef struct axl__error {
    char text[AXL__ERROR_MAX];
} axl__error;
void axl__error_hold(axl__error *saved);
void axl__error_restore(const axl__error *saved);

#define AXL_TRY(expr)                                                                              \
    do {                                                                                           \
        axl_status axl_try_ = (expr);                                                              \
        if (axl_try_ < 0)                                                                          \
            return axl_try_;                                                                       \
    } while (0)

#endif
