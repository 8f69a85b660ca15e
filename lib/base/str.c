/* SPDX-License-Identifier: Apache-2.0 */
/* str.c - see str.h. */
#include "str.h"

#include "num.h"
#include "utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void axl__str_init(axl__str *s, axl_context *ctx)
{
    memset(s, 0, sizeof *s);
    s->ctx = ctx;
}

void axl__str_free(axl__str *s)
{
    if (s->ctx)
        axl__free(s->ctx, s->data);
    s->data = NULL;
    s->len = s->cap = 0;
}

void axl__str_clear(axl__str *s)
{
    s->len = 0;
    s->failed = false;
    if (s->data)
        s->data[0] = '\0';
}

/* One byte more than asked for, for the NUL.  After a failure nothing is appended any more: a text
 * with a hole in it would look like a whole one. */
bool axl__str_reserve(axl__str *s, size_t extra)
{
    if (s->failed || extra > SIZE_MAX / 4 || s->len > SIZE_MAX / 4) {
        s->failed = true;
        return false;
    }
    size_t need = s->len + extra + 1;
    if (need <= s->cap)
        return true;
    size_t cap = s->cap ? s->cap * 2 : 64;
    if (cap < need)
        cap = need;
    char *data = axl__realloc(s->ctx, s->data, cap);
    if (!data) {
        s->failed = true;
        return false;
    }
    s->data = data;
    s->cap = cap;
    return true;
}

void axl__str_put(axl__str *s, const void *bytes, size_t len)
{
    if (!axl__str_reserve(s, len))
        return;
    if (len > 0)
        memcpy(s->data + s->len, bytes, len);
    s->len += len;
    s->data[s->len] = '\0';
}

void axl__str_puts(axl__str *s, const char *text)
{
    axl__str_put(s, text, strlen(text));
}

void axl__str_putc(axl__str *s, char c)
{
    axl__str_put(s, &c, 1);
}

/* Most texts fit the array on the stack and are formatted once. */
void axl__str_putf(axl__str *s, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    if ((size_t)n < sizeof text) {
        axl__str_put(s, text, (size_t)n);
    } else if (axl__str_reserve(s, (size_t)n)) {
        va_start(ap, fmt);
        vsnprintf(s->data + s->len, (size_t)n + 1, fmt, ap);
        va_end(ap);
        s->len += (size_t)n;
    }
}

void axl__str_put_double(axl__str *s, double value)
{
    char text[AXL__NUM_MAX];

    axl__format_double(text, value);
    axl__str_puts(s, text);
}

void axl__str_put_utf8(axl__str *s, uint32_t code_point)
{
    char bytes[4];

    axl__str_put(s, bytes, axl__utf8_encode(bytes, code_point));
}

static void put_json_char(axl__str *s, uint32_t c)
{
    static const char short_names[] = "btn\0fr"; /* U+0008 .. U+000D */

    if (c == '"' || c == '\\') {
        axl__str_putc(s, '\\');
        axl__str_putc(s, (char)c);
    } else if (c >= 8 && c <= 13 && c != 11) {
        axl__str_putc(s, '\\');
        axl__str_putc(s, short_names[c - 8]);
    } else if (c < 0x20 || c == 0x7F) {
        axl__str_putf(s, "\\u%04x", (unsigned)c);
    } else {
        axl__str_put_utf8(s, c);
    }
}

/* DEL is escaped too: YAML, which shares these strings, takes it in no other way. */
void axl__str_put_json(axl__str *s, const char *text, size_t len)
{
    size_t at = 0;

    axl__str_putc(s, '"');
    while (at < len)
        put_json_char(s, axl__utf8_next(text, len, &at));
    axl__str_putc(s, '"');
}

axl_status axl__str_status(const axl__str *s)
{
    return s->failed ? axl__fail_nomem() : AXL_OK;
}

axl_status axl__str_to_buffer(axl__str *s, axl_buffer *out)
{
    AXL_TRY(axl__str_status(s));
    return axl__buffer_set(s->ctx, out, axl__str_text(s), s->len);
}

const char *axl__str_text(const axl__str *s)
{
    return s->data ? s->data : "";
}

char *axl__format(axl_context *ctx, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *text = n < 0 ? NULL : axl__alloc(ctx, (size_t)n + 1);
    if (!text)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return text;
}

bool axl__starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool axl__ends_with(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);

    return n >= m && memcmp(text + n - m, suffix, m) == 0;
}

static int ascii_lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

int axl__ascii_casecmp(const char *a, const char *b)
{
    while (*a && ascii_lower((unsigned char)*a) == ascii_lower((unsigned char)*b))
        a++, b++;
    return ascii_lower((unsigned char)*a) - ascii_lower((unsigned char)*b);
}

static int min3(int a, int b, int c)
{
    int m = a < b ? a : b;

    return m < c ? m : c;
}

/* Three rows of the table are enough: a swap looks two back (optimal string alignment). */
int axl__edit_distance(const char *a, const char *b)
{
    enum { MAX = 128 };
    int row[3][MAX + 1];
    int n = (int)strlen(a), m = (int)strlen(b);

    if (n > MAX || m > MAX)
        return MAX;
    for (int j = 0; j <= m; j++)
        row[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < now[j])
                now[j] = before[j - 2] + 1;
        }
    }
    return row[n % 3][m];
}
