/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fail.c - the calling thread's last error.  The text lives in thread-local storage of fixed
 * size, so that running out of memory can be reported without allocating.
 */
#include "fail.h"

#include "utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last_message[AXL__ERROR_MAX];

static void one_line(char *text)
{
    size_t len = strlen(text);

    if (len == AXL__ERROR_MAX - 1) { /* cut: do not leave half a UTF-8 sequence */
        while (len > 0 && ((unsigned char)text[len - 1] & 0xC0) == 0x80)
            len--;
        if (len > 0)
            text[--len] = '\0';
    }
    for (size_t at = 0; at < len;) {
        size_t from = at;
        bool ill;
        uint32_t c = axl__utf8_next_checked(text, len, &at, &ill);
        if (ill || c < 0x20 || c == 0x7F)
            memset(text + from, '?', at - from); /* "%.64s" may have cut a character */
    }
}

axl_status axl__fail(axl_status status, const char *fmt, ...)
{
    char text[AXL__ERROR_MAX]; /* an argument may be the last message itself */
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    one_line(text);
    memcpy(last_message, text, sizeof text);
    return status;
}

axl_status axl__fail_prefix(axl_status status, const char *fmt, ...)
{
    char prefix[AXL__ERROR_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(prefix, sizeof prefix, fmt, ap);
    va_end(ap);
    return axl__fail(status, "%s: %s", prefix, last_message);
}

axl_status axl__fail_nomem(void)
{
    return axl__fail(AXL_ERR_NOMEM, "out of memory");
}

void axl__error_clear(void)
{
    last_message[0] = '\0';
}

void axl__error_hold(axl__error *saved)
{
    memcpy(saved->text, last_message, sizeof saved->text);
}

void axl__error_restore(const axl__error *saved)
{
    memcpy(last_message, saved->text, sizeof last_message);
}

const char *axl_last_error(void)
{
    return last_message;
}

const char *axl_status_name(axl_status status)
{
    switch (status) {
    case AXL_OK: return "AXL_OK";
    case AXL_END: return "AXL_END";
    case AXL_ERR_INTERNAL: return "AXL_ERR_INTERNAL";
    case AXL_ERR_NOMEM: return "AXL_ERR_NOMEM";
    case AXL_ERR_INVALID: return "AXL_ERR_INVALID";
    case AXL_ERR_ABI: return "AXL_ERR_ABI";
    case AXL_ERR_BUSY: return "AXL_ERR_BUSY";
    case AXL_ERR_CANCELLED: return "AXL_ERR_CANCELLED";
    case AXL_ERR_CONFIG: return "AXL_ERR_CONFIG";
    case AXL_ERR_NOT_FOUND: return "AXL_ERR_NOT_FOUND";
    case AXL_ERR_IO: return "AXL_ERR_IO";
    case AXL_ERR_FORMAT: return "AXL_ERR_FORMAT";
    case AXL_ERR_DATA: return "AXL_ERR_DATA";
    case AXL_ERR_UNSUPPORTED: return "AXL_ERR_UNSUPPORTED";
    case AXL_ERR_NUMERIC: return "AXL_ERR_NUMERIC";
    case AXL_ERR_DEVICE: return "AXL_ERR_DEVICE";
    case AXL_ERR_FORKED: return "AXL_ERR_FORKED";
    case AXL_STATUS_FORCE_INT32: break;
    }
    return "AXL_ERR_UNKNOWN";
}
