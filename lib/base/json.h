/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - reading JSON (RFC 8259) into a tree: keeps integers apart from floats, key order,
 * duplicate keys and U+0000.  Strings are UTF-8; lone surrogates become U+FFFD, ill-formed bytes
 * pass through unchanged.  Shaped for rows: one record at a time from a mapped file.
 */
#ifndef AXL_BASE_JSON_H
#define AXL_BASE_JSON_H

#include "arena.h"
#include "os_file.h"
#include "str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    AXL__JSON_NULL,
    AXL__JSON_BOOL,
    AXL__JSON_INT,   /* fits int64 */
    AXL__JSON_FLOAT, /* has a '.', an exponent, or does not fit */
    AXL__JSON_STRING,
    AXL__JSON_ARRAY,
    AXL__JSON_OBJECT
} axl__json_type;

typedef struct axl__json {
    axl__json_type type;
    bool boolean;
    uint32_t count; /* children */
    int64_t integer;
    double number;    /* of INT and FLOAT */
    const char *text; /* string with a NUL behind it, or a number as written (no NUL) */
    size_t len;
    const char *key; /* in an object */
    size_t key_len;
    struct axl__json *child, *next;
} axl__json;

/* Where a text stops being JSON, and why. */
typedef struct axl__json_error {
    size_t line, column; /* 1-based in the text; columns are code points */
    const char *text;    /* static; without the place */
} axl__json_error;

/* For rows, in which NaN, Infinity and -Infinity are numbers, as Python writes them.  Parses the
 * value at text[*at], leaving *at behind it (white space before it is skipped, behind
 * it not).  AXL_ERR_FORMAT fills *error and leaves no last error: the caller knows better what the
 * text is. */
axl_status axl__json_read_at(axl__json **out, axl__arena *arena, const char *text, size_t len,
                             size_t *at, axl__json_error *error);
/* As that, where the whole text must be one value. */
axl_status axl__json_read(axl__json **out, axl__arena *arena, const char *text, size_t len,
                          axl__json_error *error);
/* As axl__json_read(), but RFC 8259 alone, with the last error "NAME:LINE:COLUMN: …"; name may be
 * NULL. */
axl_status axl__json_parse(axl__json **out, axl__arena *arena, const char *text, size_t len,
                           const char *name);
/* What a file of settings may take: a tree takes up to some forty times the text. */
enum { AXL__JSON_FILE_MAX = 16 << 20 };
/* AXL_ERR_FORMAT for a file of more bytes. */
axl_status axl__json_check_size(const char *path, size_t size, size_t limit);
/* The whole file must be one value, of no more than AXL__JSON_FILE_MAX bytes; messages name it. Its
 * text goes into the arena too, so that the tree needs nothing else. */
axl_status axl__json_read_file(axl__json **out, axl__arena *arena, const char *path);
/* As that, of an open file, which is closed. */
axl_status axl__json_take_file(axl__json **out, axl__arena *arena, axl__file *file);

/* The last member of that name, as Python reads duplicates; NULL when there is none or obj is NULL
 * or no object. */
const axl__json *axl__json_get(const axl__json *obj, const char *key);
/* The member if it is there and of the type, else NULL / the default. */
const char *axl__json_string(const axl__json *obj, const char *key, const char *otherwise);
int64_t axl__json_int(const axl__json *obj, const char *key, int64_t otherwise);
double axl__json_double(const axl__json *obj, const char *key, double otherwise);
bool axl__json_bool(const axl__json *obj, const char *key, bool otherwise);
/* As Python's bool(); NULL: otherwise. */
bool axl__json_truthy(const axl__json *v, bool otherwise);
/* "null", "a boolean", "a string", … for messages. */
const char *axl__json_type_name(const axl__json *value);

/* Appends the value as text; indent 0 puts it on one line.  Check out with axl__str_status. */
void axl__json_write(axl__str *out, const axl__json *value, int indent);

/* 1-based line and column (in code points) of an offset. */
void axl__text_position(const char *text, size_t len, size_t at, size_t *line, size_t *column);

#endif
