/* SPDX-License-Identifier: Apache-2.0 */
/* str.h - a growing byte string.  Running out of memory is remembered, so that a sequence of
 * appends needs one check at its end. */
#ifndef AXL_BASE_STR_H
#define AXL_BASE_STR_H

#include "ctx.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct axl__str {
    axl_context *ctx;
    char *data; /* NUL-terminated once anything was appended; may be NULL before */
    size_t len, cap;
    bool failed;
} axl__str;

void axl__str_init(axl__str *s, axl_context *ctx);
void axl__str_free(axl__str *s);
void axl__str_clear(axl__str *s); /* keeps the memory and clears failed */
bool axl__str_reserve(axl__str *s, size_t extra);
void axl__str_put(axl__str *s, const void *bytes, size_t len);
void axl__str_puts(axl__str *s, const char *text);
void axl__str_putc(axl__str *s, char c);
void axl__str_putf(axl__str *s, const char *fmt, ...) AXL_PRINTF(2, 3); /* no %f, %g: num.h */
void axl__str_put_double(axl__str *s, double value);                    /* reads back exactly */
void axl__str_put_utf8(axl__str *s, uint32_t code_point);
/* A JSON string with its quotes; ill-formed UTF-8 becomes U+FFFD. */
void axl__str_put_json(axl__str *s, const char *text, size_t len);
/* AXL_ERR_NOMEM if an append failed. */
axl_status axl__str_status(const axl__str *s);
/* Hands the text over to a public buffer and empties s. */
axl_status axl__str_to_buffer(axl__str *s, axl_buffer *out);
/* "" instead of NULL. */
const char *axl__str_text(const axl__str *s);
/* printf into a new string from axl__alloc; NULL when memory is out. */
char *axl__format(axl_context *ctx, const char *fmt, ...) AXL_PRINTF(2, 3);
/* ASCII only, whatever the locale. */
bool axl__starts_with(const char *text, const char *prefix);
bool axl__ends_with(const char *text, const char *suffix);
int axl__ascii_casecmp(const char *a, const char *b);
/* Edits (insert, delete, replace, swap neighbours) that turn a into b; for "did you mean". */
int axl__edit_distance(const char *a, const char *b);

#endif
