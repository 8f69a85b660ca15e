/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pyyaml.c - a value as PyYAML 6 writes it: yaml.dump(value, default_flow_style=False), keys
 * sorted, lines folded behind column 80, anything outside ASCII escaped.  What it writes depends
 * on where the last line ended, which the emitter keeps as PyYAML's does (yaml/emitter.py).
 */
#include "data/prompt/prompt.h"

#include "base/num.h"
#include "base/str.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 80, INDENT = 2, KEY_MAX = 122 };

typedef struct {
    axl__str *out;
    int indent; /* -1: before the first collection */
    int column;
    bool whitespace; /* a space or a line break was put last */
    bool indention;  /* only indentation and indicators stand in this line */
    bool open_ended; /* a document of one plain text */
} emitter;

/* Where a node stands. */
typedef enum { AT_ROOT, IN_LIST, IN_MAP, AS_KEY } place;

/* ---- lines ---- */

static void put(emitter *e, const char *text, size_t len)
{
    axl__str_put(e->out, text, len);
    e->column += (int)len;
}

static void put_line_break(emitter *e)
{
    axl__str_putc(e->out, '\n');
    e->whitespace = e->indention = true;
    e->column = 0;
}

static void put_indent(emitter *e)
{
    int indent = e->indent > 0 ? e->indent : 0;

    if (!e->indention || e->column > indent || (e->column == indent && !e->whitespace))
        put_line_break(e);
    if (e->column < indent)
        e->whitespace = true;
    while (e->column < indent)
        put(e, " ", 1);
}

static void put_indicator(emitter *e, const char *text, bool apart)
{
    if (apart && !e->whitespace)
        put(e, " ", 1);
    put(e, text, strlen(text));
    e->whitespace = e->indention = e->open_ended = false;
}

/* A dash, a question mark or its colon, behind which a collection may begin in the same line. */
static void put_mark(emitter *e, const char *text)
{
    bool indention = e->indention;

    put_indicator(e, text, true);
    e->indention = indention;
}

/* ---- which style ---- */

typedef struct {
    bool plain, single;
} styles;

static bool is_printable(unsigned char c)
{
    return c >= 0x20 && c <= 0x7E;
}

static bool is_blank(const char *text, size_t len, size_t at)
{
    return at >= len || text[at] == ' ' || text[at] == '\n';
}

/* Whether a text of printable ASCII could not be read back as a plain one because of its marks. */
static bool has_indicator(const char *text, size_t len)
{
    if (len >= 3 && (memcmp(text, "---", 3) == 0 || memcmp(text, "...", 3) == 0))
        return true;
    if (strchr("#,[]{}&*!|>'\"%@`", text[0]))
        return true;
    if (strchr("?:-", text[0]) && is_blank(text, len, 1))
        return true;
    for (size_t i = 1; i < len; i++)
        if ((text[i] == ':' && is_blank(text, len, i + 1)) ||
            (text[i] == '#' && is_blank(text, len, i - 1)))
            return true;
    return false;
}

static bool has_digits(const char *text, const char *form)
{
    for (; *form; form++, text++)
        if (*form == '0' ? *text < '0' || *text > '9' : *text != *form)
            return false;
    return true;
}

static size_t count_digits(const char *text, size_t max)
{
    size_t n = 0;

    while (n < max && text[n] >= '0' && text[n] <= '9')
        n++;
    return n;
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

/* Behind the seconds of a time: a fraction and a zone. */
static bool is_time_end(const char *at)
{
    if (*at == '.')
        at += 1 + count_digits(at + 1, SIZE_MAX);
    const char *zone = skip_blanks(at);
    if (*at == '\0')
        return true;
    if (*zone == 'Z')
        return zone[1] == '\0';
    if (*zone != '-' && *zone != '+')
        return false;
    size_t n = count_digits(++zone, 2);
    zone += n;
    return n > 0 && (*zone == '\0' || (has_digits(zone, ":00") && zone[3] == '\0'));
}

/* The resolver's pattern of a timestamp: a date of ten characters, or a date with a time. */
static bool is_timestamp(const char *text)
{
    size_t n;

    if (has_digits(text, "0000-00-00") && text[10] == '\0')
        return true;
    if (!has_digits(text, "0000-"))
        return false;
    for (int part = 0; part < 2; part++) { /* the month and the day, of one or two digits */
        text += part ? 1 : 5;
        text += n = count_digits(text, 2);
        if (n == 0 || (part == 0 && *text != '-'))
            return false;
    }
    const char *hour = *text == 'T' || *text == 't' ? text + 1 : skip_blanks(text);
    if (hour == text || (n = count_digits(hour, 2)) == 0)
        return false;
    return has_digits(hour + n, ":00:00") && is_time_end(hour + n + 6);
}

/* Whether a plain text would be read back as something else. */
static bool means_another(const char *text, size_t len)
{
    axl__yaml probe = { .text = text, .len = len };

    axl__yaml_resolve(&probe);
    if (probe.type != AXL__YAML_STRING && !probe.text_in_yaml11)
        return true;
    return axl__prompt_is(text, len, "=") || axl__prompt_is(text, len, "<<") || is_timestamp(text);
}

static styles analyze(const char *text, size_t len)
{
    styles s = { .plain = true, .single = true };

    if (len == 0)
        return (styles){ .single = true };
    for (size_t i = 0; i < len; i++) {
        bool space = text[i] == ' ', newline = text[i] == '\n';
        if (!newline && !is_printable((unsigned char)text[i]))
            s.plain = s.single = false;
        if (newline || (space && (i == 0 || i + 1 == len)))
            s.plain = false;
        if (i > 0 && ((space && text[i - 1] == '\n') || (newline && text[i - 1] == ' ')))
            s.plain = s.single = false;
    }
    if (s.plain)
        s.plain = !has_indicator(text, len) && !means_another(text, len);
    return s;
}

/* What PyYAML calls multiline counts other breaks too, which are escaped. */
static bool has_line_break(const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        uint32_t c = axl__utf8_next(text, len, &at);
        if (c == '\n' || c == 0x85 || c == 0x2028 || c == 0x2029)
            return true;
    }
    return false;
}

/* ---- texts ---- */

/* A single space behind column 80 becomes a line break. */
static void put_plain(emitter *e, const char *text, size_t len, place where)
{
    e->open_ended = where == AT_ROOT;
    if (!e->whitespace)
        put(e, " ", 1);
    for (size_t at = 0; at < len;) {
        size_t n = 0;
        e->whitespace = e->indention = false;
        while (at + n < len && (text[at + n] == ' ') == (text[at] == ' '))
            n++;
        if (n == 1 && text[at] == ' ' && e->column > WIDTH && where != AS_KEY) {
            put_indent(e);
            e->whitespace = e->indention = false;
        } else {
            put(e, text + at, n);
        }
        at += n;
    }
}

/* Line breaks are doubled, the first of a run by an empty line. */
static void put_breaks(emitter *e, size_t n)
{
    put_line_break(e);
    while (n-- > 0)
        put_line_break(e);
    put_indent(e);
}

static void put_single_quoted(emitter *e, const char *text, size_t len, place where)
{
    put_indicator(e, "'", true);
    for (size_t at = 0, n; at < len; at += n) {
        const char *from = text + at;
        n = 1;
        if (*from == '\'') {
            put(e, "''", 2);
            continue;
        }
        bool run = *from == ' ' || *from == '\n';
        while (at + n < len && (run ? from[n] == *from : !strchr(" \n'", from[n])))
            n++;
        if (*from == '\n')
            put_breaks(e, n);
        else if (*from == ' ' && n == 1 && e->column > WIDTH && where != AS_KEY && at > 0 &&
                 at + 1 < len)
            put_indent(e);
        else
            put(e, from, n);
    }
    put_indicator(e, "'", false);
}

static void put_escape(emitter *e, uint32_t c)
{
    static const struct {
        uint32_t c;
        char letter;
    } short_ones[] = { { 0, '0' },    { 7, 'a' },      { 8, 'b' },     { 9, 't' },
                       { 10, 'n' },   { 11, 'v' },     { 12, 'f' },    { 13, 'r' },
                       { 0x1B, 'e' }, { '"', '"' },    { '\\', '\\' }, { 0x85, 'N' },
                       { 0xA0, '_' }, { 0x2028, 'L' }, { 0x2029, 'P' } };
    size_t before = e->out->len;

    for (size_t i = 0; i < sizeof short_ones / sizeof short_ones[0]; i++)
        if (short_ones[i].c == c) {
            const char text[] = { '\\', short_ones[i].letter };
            put(e, text, 2);
            return;
        }
    axl__str_putf(e->out, c <= 0xFF ? "\\x%02X" : c <= 0xFFFF ? "\\u%04X" : "\\U%08X", c);
    e->column += (int)(e->out->len - before);
}

/* text[start..end) is printable and not put yet.  A line ends behind column 80 at a space or behind
 * an escape; a space that the next one begins with is escaped. */
static void put_double_quoted(emitter *e, const char *text, size_t len, place where)
{
    size_t start = 0;

    put_indicator(e, "\"", true);
    for (size_t end = 0, next; end < len; end = next) {
        next = end;
        uint32_t c = axl__utf8_next(text, len, &next);
        if (c > 0x7E || !is_printable((unsigned char)c) || c == '"' || c == '\\') {
            put(e, text + start, end - start);
            put_escape(e, c);
            start = next;
        }
        bool may = end > 0 && next < len && where != AS_KEY && (c == ' ' || start >= end);
        int more = start > end ? -1 : (int)(end - start);
        if (!may || e->column + more <= WIDTH)
            continue;
        if (start < end) {
            put(e, text + start, end - start);
            start = end;
        }
        put(e, "\\", 1);
        put_indent(e);
        e->whitespace = e->indention = false;
        if (text[start] == ' ')
            put(e, "\\", 1);
    }
    put(e, text + start, len - start);
    put_indicator(e, "\"", false);
}

static void put_text(emitter *e, const char *text, size_t len, place where)
{
    styles s = analyze(text, len);

    if (s.plain)
        put_plain(e, text, len, where);
    else if (s.single)
        put_single_quoted(e, text, len, where);
    else
        put_double_quoted(e, text, len, where);
}

/* ---- nodes ---- */

/* Python's repr, with a fraction before an exponent; an integer is written as it was. */
static void put_number(emitter *e, const axl__json *value, place where)
{
    char text[AXL__NUM_MAX + 2];
    bool whole = !memchr(value->text, '.', value->len) && !memchr(value->text, 'e', value->len) &&
                 !memchr(value->text, 'E', value->len);

    if (isnan(value->number) || (isinf(value->number) && !whole)) {
        const char *word = isnan(value->number) ? ".nan" : value->number < 0 ? "-.inf" : ".inf";
        put_plain(e, word, strlen(word), where);
        return;
    }
    if (whole && isfinite(value->number)) {
        put_plain(e, value->text, value->len, where);
        return;
    }
    axl__format_double(text, value->number);
    char *exponent = strchr(text, 'e');
    if (exponent && !strchr(text, '.')) {
        memmove(exponent + 2, exponent, strlen(exponent) + 1);
        memcpy(exponent, ".0", 2);
    }
    put_plain(e, text, strlen(text), where);
}

static void put_scalar(emitter *e, const axl__json *value, place where)
{
    const char *word = value->type == AXL__JSON_NULL ? "null" : value->boolean ? "true" : "false";
    int indent = e->indent;
    char text[24];

    e->indent = indent < 0 ? INDENT : indent + INDENT;
    if (value->type == AXL__JSON_STRING) {
        put_text(e, value->text, value->len, where);
    } else if (value->type == AXL__JSON_INT) {
        int n = snprintf(text, sizeof text, "%lld", (long long)value->integer);
        put_plain(e, text, (size_t)n, where);
    } else if (value->type == AXL__JSON_FLOAT) {
        put_number(e, value, where);
    } else {
        put_plain(e, word, strlen(word), where);
    }
    e->indent = indent;
}

static axl_status put_node(emitter *e, const axl__json *value, place where);

static axl_status put_list(emitter *e, const axl__json *list)
{
    for (const axl__json *item = list->child; item; item = item->next) {
        put_indent(e);
        put_mark(e, "-");
        AXL_TRY(put_node(e, item, IN_LIST));
    }
    return AXL_OK;
}

/* ---- mappings ---- */

/* A member, and its number in the text: of equal names the last counts. */
typedef struct {
    const axl__json *value;
    uint32_t at;
} member;

static int compare_names(const axl__json *a, const axl__json *b)
{
    size_t n = a->key_len < b->key_len ? a->key_len : b->key_len;
    int order = n > 0 ? memcmp(a->key, b->key, n) : 0;

    return order ? order : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static int compare_members(const void *a, const void *b)
{
    const member *x = a, *y = b;
    int order = compare_names(x->value, y->value);

    return order ? order : (x->at > y->at) - (x->at < y->at);
}

static axl_status put_member(emitter *e, const axl__json *value)
{
    const axl__json key = { .type = AXL__JSON_STRING, .text = value->key, .len = value->key_len };
    size_t n = 0;

    for (size_t at = 0; at < key.len; n++)
        axl__utf8_next(key.text, key.len, &at);
    put_indent(e);
    if (n > 0 && n <= KEY_MAX && !has_line_break(key.text, key.len)) {
        put_scalar(e, &key, AS_KEY);
        put_indicator(e, ":", false);
    } else {
        put_mark(e, "?");
        put_scalar(e, &key, IN_MAP);
        put_indent(e);
        put_mark(e, ":");
    }
    return put_node(e, value, IN_MAP);
}

static axl_status put_map(emitter *e, const axl__json *map)
{
    axl_context *ctx = e->out->ctx;
    member *members = axl__alloc(ctx, map->count * sizeof *members);
    uint32_t n = 0;
    axl_status status = AXL_OK;

    if (!members)
        return axl__fail_nomem();
    for (const axl__json *m = map->child; m; m = m->next, n++)
        members[n] = (member){ m, n };
    qsort(members, n, sizeof *members, compare_members);
    for (uint32_t i = 0; i < n && status == AXL_OK; i++)
        if (i + 1 == n || compare_names(members[i].value, members[i + 1].value) != 0)
            status = put_member(e, members[i].value);
    axl__free(ctx, members);
    return status;
}

/* As deep as JSON may be, which its reader limits.  A list in a mapping is not indented further. */
static axl_status put_node(emitter *e, const axl__json *value, place where)
{
    bool list = value->type == AXL__JSON_ARRAY, map = value->type == AXL__JSON_OBJECT;
    int indent = e->indent;

    if (!list && !map) {
        put_scalar(e, value, where);
        return AXL_OK;
    }
    if (!value->child) {
        put_indicator(e, list ? "[" : "{", true);
        put_indicator(e, list ? "]" : "}", false);
        return AXL_OK;
    }
    if (indent < 0)
        e->indent = 0;
    else if (!(list && where == IN_MAP && !e->indention))
        e->indent += INDENT;
    axl_status status = list ? put_list(e, value) : put_map(e, value);
    e->indent = indent;
    return status;
}

axl_status axl__prompt_put_pyyaml(axl__str *out, const axl__json *value)
{
    emitter e = { .out = out, .indent = -1, .whitespace = true, .indention = true };

    AXL_TRY(put_node(&e, value, AT_ROOT));
    put_indent(&e);
    if (e.open_ended) {
        put_indicator(&e, "...", true);
        put_indent(&e);
    }
    return axl__str_status(out);
}
