/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_json.c - an object a line, or one array of objects.  A broken line costs that record; in an
 * array nothing behind a break can be found.
 */
#include "data/read/reader.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

/* The reading's state.  Lines are counted on from the last place asked for, so that a file is gone
 * through once. */
typedef struct {
    const char *text;
    size_t len, at;
    uint64_t line;  /* 1-based, of counted */
    size_t counted; /* newlines before it are in line */
    bool first;     /* no record was read yet */
    bool done;      /* an array's end or an error was met */
} json_text;

static void skip_space(json_text *t)
{
    while (t->at < t->len && memchr(" \t\r\n", t->text[t->at], 4))
        t->at++;
}

/* Behind a byte order mark and white space. */
static json_text json_start(const char *text, size_t len)
{
    json_text t = { .text = text, .len = len, .line = 1, .first = true };

    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        t.at = 3;
    skip_space(&t);
    return t;
}

static axl_status json_open(axl__source *s)
{
    json_text *t = s->state = axl__alloc(s->ctx, sizeof *t);

    if (!t)
        return axl__fail_nomem();
    *t = json_start(s->text, s->len);
    return AXL_OK;
}

static void json_close(axl__source *s)
{
    axl__free(s->ctx, s->state);
}

static size_t json_progress(const axl__source *s)
{
    const json_text *t = s->state;

    return t->at;
}

/* ---- errors ---- */

static uint64_t line_at(json_text *t, size_t at)
{
    const char *p = t->text + t->counted, *end = t->text + at;

    while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
        t->line++;
        p++;
    }
    if (at > t->counted)
        t->counted = at;
    return t->line;
}

static axl_status bad_record(axl__record_error *e, uint64_t line, size_t column, const char *why)
{
    e->at = line;
    e->column = column;
    snprintf(e->why.text, sizeof e->why.text, "%s", why);
    return AXL_ERR_DATA;
}

/* Of the byte at `at`, which is not before the last place asked for. */
static axl_status bad_byte(json_text *t, axl__record_error *e, size_t at, const char *why)
{
    size_t start = at, column = 1;

    while (start > 0 && t->text[start - 1] != '\n')
        start--;
    for (size_t i = start; i < at; i++)
        column += ((unsigned char)t->text[i] & 0xC0) != 0x80;
    return bad_record(e, line_at(t, at), column, why);
}

/* A record of another encoding would be trained as U+FFFD. */
static axl_status check_utf8(json_text *t, axl__record_error *e, size_t from, size_t to)
{
    bool ill = false;
    size_t at = from;

    if (axl__utf8_valid(t->text + from, to - from))
        return AXL_OK;
    for (size_t next = from; !ill && next < to;) {
        at = next;
        axl__utf8_next_checked(t->text, to, &next, &ill);
    }
    return bad_byte(t, e, at, "not UTF-8");
}

static axl_status check_object(const axl__json *value, axl__record_error *e)
{
    if (value->type == AXL__JSON_OBJECT)
        return AXL_OK;
    snprintf(e->why.text, sizeof e->why.text, "a record must be an object, not %s",
             axl__json_type_name(value));
    return AXL_ERR_DATA;
}

/* ---- an object a line ---- */

/* A lone '{' in the first line that has anything. */
static bool opens_an_object(const char *text, size_t len)
{
    return len > 0 && text[0] == '{' && strspn(text + 1, " \t\r") == len - 1;
}

static axl_status next_line(axl__source *s, axl__arena *arena, const axl__json **record,
                            axl__record_error *e)
{
    json_text *t = s->state;
    axl__json_error error;
    axl__json *value;

    skip_space(t);
    if (t->at >= t->len)
        return AXL_END;
    const char *text = t->text + t->at, *end = memchr(text, '\n', t->len - t->at);
    size_t len = end ? (size_t)(end - text) : t->len - t->at;
    bool first = t->first;
    e->at = line_at(t, t->at);
    t->at += len;
    t->first = false;
    AXL_TRY(check_utf8(t, e, t->at - len, t->at));
    axl_status status = axl__json_read(&value, arena, text, len, &error);
    if (status == AXL_ERR_FORMAT && first && opens_an_object(text, len)) {
        t->at = t->len;
        return bad_record(e, e->at, 1,
                          "one object over several lines, where a list of records or a record a "
                          "line is needed");
    }
    if (status == AXL_ERR_FORMAT)
        return bad_record(e, e->at, error.column, error.text);
    AXL_TRY(status);
    *record = value;
    return check_object(value, e);
}

/* ---- one array ---- */

static bool is_array(const char *text, size_t len)
{
    json_text t = json_start(text, len);

    return t.at < len && text[t.at] == '[';
}

static axl_status open_array(axl__source *s)
{
    AXL_TRY(json_open(s));
    json_text *t = s->state;
    t->at++; /* the bracket */
    return AXL_OK;
}

/* Fails at t->at; nothing behind it can be read. */
static axl_status broken_array(json_text *t, axl__record_error *e, const char *why)
{
    t->done = true;
    return bad_byte(t, e, t->at, why);
}

/* To the next value; AXL_END at the array's end. */
static axl_status find_item(json_text *t, axl__record_error *e)
{
    skip_space(t);
    if (t->at < t->len && t->text[t->at] == ']') {
        t->at++;
        t->done = true;
        skip_space(t);
        return t->at < t->len ? broken_array(t, e, "something follows the list of records")
                              : AXL_END;
    }
    if (!t->first) {
        if (t->at >= t->len || t->text[t->at] != ',')
            return broken_array(t, e, "',' or ']' is missing");
        t->at++;
        skip_space(t);
    }
    t->first = false;
    return AXL_OK;
}

static axl_status next_item(axl__source *s, axl__arena *arena, const axl__json **record,
                            axl__record_error *e)
{
    json_text *t = s->state;
    axl__json_error error;
    axl__json *value;

    if (t->done)
        return AXL_END;
    axl_status status = find_item(t, e);
    if (status != AXL_OK)
        return status;
    e->at = line_at(t, t->at);
    size_t start = t->at;
    status = axl__json_read_at(&value, arena, t->text, t->len, &t->at, &error);
    if (status == AXL_ERR_FORMAT) {
        t->done = true;
        return bad_record(e, error.line, error.column, error.text);
    }
    AXL_TRY(status);
    AXL_TRY(check_utf8(t, e, start, t->at));
    *record = value;
    return check_object(value, e);
}

const axl__reader axl__read_json_array = {
    .format = "json, jsonl",
    .suffix = ".json",
    .place = "line",
    .knows = is_array,
    .open = open_array,
    .next = next_item,
    .close = json_close,
    .progress = json_progress,
};
const axl__reader axl__read_json_lines = {
    .format = "json, jsonl",
    .suffix = ".json",
    .place = "line",
    .open = json_open,
    .next = next_line,
    .close = json_close,
    .progress = json_progress,
};
