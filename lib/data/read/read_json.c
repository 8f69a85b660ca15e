/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_json.c - an object a line, or one array of objects.  A broken line costs that record; in an
 * array nothing behind a break can be found.  The text may come in pieces (reader.h): a record is
 * whole before it is parsed, and copied then, for what it is read from moves on.
 */
#include "data/read/reader.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

/* The reading's state.  Lines are counted on from the last place asked for, so that a file is gone
 * through once. */
typedef struct {
    axl__source *source; /* NULL: text is all there is */
    const char *text;    /* the source's */
    size_t len, at;
    uint64_t line;  /* 1-based, of counted */
    size_t counted; /* newlines before it are in line */
    size_t columns; /* characters of text's first line that were dropped */
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
    t->source = s;
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

/* 1-based, of the byte at `at`. */
static size_t column_at(const json_text *t, size_t at)
{
    size_t start = at, column = 1;

    while (start > 0 && t->text[start - 1] != '\n')
        start--;
    for (size_t i = start; i < at; i++)
        column += ((unsigned char)t->text[i] & 0xC0) != 0x80;
    return column + (start == 0 ? t->columns : 0);
}

/* Of the byte at `at`, which is not before the last place asked for. */
static axl_status bad_byte(json_text *t, axl__record_error *e, size_t at, const char *why)
{
    return bad_record(e, line_at(t, at), column_at(t, at), why);
}

/* ---- a text in pieces ---- */

static axl_status json_more(json_text *t)
{
    axl_status status = t->source ? axl__source_more(t->source) : AXL_END;

    if (t->source) {
        t->text = t->source->text;
        t->len = t->source->len;
    }
    return status;
}

/* What was read goes; lines and columns are counted on. */
static void json_drop(json_text *t)
{
    if (!axl__source_may_drop(t->source, t->at))
        return;
    t->line = line_at(t, t->at);
    t->columns = column_at(t, t->at) - 1;
    axl__source_drop(t->source, t->at);
    t->at = t->counted = 0;
    t->len = t->source->len;
}

/* To the next byte that is none, if there is one. */
static axl_status json_skip(json_text *t)
{
    axl_status status = AXL_OK;

    for (skip_space(t); status == AXL_OK && t->at >= t->len; skip_space(t)) {
        json_drop(t);
        status = json_more(t);
    }
    return status < 0 ? status : AXL_OK;
}

/* The text of a record, which must hold until its tree is done with. */
static axl_status json_hold(const json_text *t, axl__arena *arena, const char **text, size_t len)
{
    *text = t->text + t->at;
    if (!t->source->packing)
        return AXL_OK;
    *text = axl__arena_strndup(arena, *text, len);
    return *text ? AXL_OK : axl__fail_nomem();
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

/* How long the line at hand is. */
static axl_status line_length(json_text *t, size_t *len)
{
    axl_status status = AXL_OK;
    const char *end = NULL;

    for (size_t seen = 0; status == AXL_OK; seen = *len) {
        *len = t->len - t->at;
        end = memchr(t->text + t->at + seen, '\n', *len - seen);
        if (end)
            break;
        status = json_more(t);
    }
    if (end)
        *len = (size_t)(end - t->text) - t->at;
    return status < 0 ? status : AXL_OK;
}

static axl_status next_line(axl__source *s, axl__arena *arena, const axl__json **record,
                            axl__record_error *e)
{
    json_text *t = s->state;
    axl__json_error error;
    axl__json *value;
    const char *text;
    size_t len = 0;

    AXL_TRY(json_skip(t));
    if (t->done || t->at >= t->len)
        return AXL_END;
    json_drop(t);
    AXL_TRY(line_length(t, &len));
    AXL_TRY(json_hold(t, arena, &text, len));
    bool first = t->first;
    e->at = line_at(t, t->at);
    t->at += len;
    t->first = false;
    AXL_TRY(check_utf8(t, e, t->at - len, t->at));
    axl_status status = axl__json_read(&value, arena, text, len, &error);
    if (status == AXL_ERR_FORMAT && first && opens_an_object(text, len)) {
        t->done = true;
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
    AXL_TRY(json_skip(t));
    if (t->at < t->len && t->text[t->at] == ']') {
        t->at++;
        t->done = true;
        AXL_TRY(json_skip(t));
        return t->at < t->len ? broken_array(t, e, "something follows the list of records")
                              : AXL_END;
    }
    if (!t->first) {
        if (t->at >= t->len || t->text[t->at] != ',')
            return broken_array(t, e, "',' or ']' is missing");
        t->at++;
        AXL_TRY(json_skip(t));
    }
    t->first = false;
    return AXL_OK;
}

/* Where a value ends, as far as quotes and brackets tell; of a broken one a place behind the break.
 * open, quoted and escaped are what the bytes before i left. */
static bool item_ends(const json_text *t, size_t *i, uint64_t *open, bool *quoted)
{
    for (; *i < t->len; ++*i) {
        char c = t->text[*i];
        bool inner = *quoted || *open > 0;
        if (*quoted && c == '\\') {
            if (*i + 1 >= t->len)
                return false; /* what is escaped is still to come */
            ++*i;
        } else if (c == '"') {
            *quoted = !*quoted;
        } else if (!*quoted && (c == '{' || c == '[')) {
            ++*open;
        } else if (!*quoted && *open > 0 && (c == '}' || c == ']')) {
            --*open;
        } else if (!inner && memchr(",]} \t\r\n", c, 7)) {
            return true;
        }
        if (inner && !*quoted && *open == 0) {
            ++*i;
            return true;
        }
    }
    return false;
}

/* How long the value at hand is; of a text that is all there, all that is left. */
static axl_status item_length(json_text *t, size_t *len)
{
    size_t end = t->at;
    uint64_t open = 0;
    bool quoted = false;
    axl_status status = t->source->packing ? AXL_OK : AXL_END;

    while (status == AXL_OK && !item_ends(t, &end, &open, &quoted))
        status = json_more(t);
    *len = (status == AXL_OK ? end : t->len) - t->at;
    return status < 0 ? status : AXL_OK;
}

static axl_status next_item(axl__source *s, axl__arena *arena, const axl__json **record,
                            axl__record_error *e)
{
    json_text *t = s->state;
    axl__json_error error;
    axl__json *value;
    const char *text;
    size_t len = 0, used = 0;

    if (t->done)
        return AXL_END;
    axl_status status = find_item(t, e);
    if (status != AXL_OK)
        return status;
    json_drop(t);
    AXL_TRY(item_length(t, &len));
    AXL_TRY(json_hold(t, arena, &text, len));
    e->at = line_at(t, t->at);
    size_t start = t->at;
    status = axl__json_read_at(&value, arena, text, len, &used, &error);
    if (status == AXL_ERR_FORMAT) {
        t->done = true;
        size_t before = error.line == 1 ? column_at(t, start) - 1 : 0;
        return bad_record(e, e->at + error.line - 1, before + error.column, error.text);
    }
    AXL_TRY(status);
    t->at += used;
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
