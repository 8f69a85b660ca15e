/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.c - a recursive descent over bytes; depth is limited, so that no file exhausts the stack.
 *
 * A function that takes a value stands at its first byte and leaves the reader behind its last; a
 * failure leaves r->at where the text stopped being JSON, which becomes the place in the message.
 * Strings are copied into the arena, numbers point into the text.
 */
#include "json.h"

#include "num.h"
#include "utf8.h"

#include <math.h>
#include <string.h>

enum { DEPTH_MAX = 256 };

typedef struct {
    axl__arena *arena;
    const char *text;
    size_t len, at;
    axl__json_error *error;
    int depth;
    bool words; /* Python's NaN and Infinity are numbers */
} reader;

void axl__text_position(const char *text, size_t len, size_t at, size_t *line, size_t *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < at && i < len; i++) {
        if (text[i] == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char)text[i] & 0xC0) != 0x80) {
            ++*column;
        }
    }
}

static axl_status fail(const reader *r, const char *what)
{
    axl__text_position(r->text, r->len, r->at, &r->error->line, &r->error->column);
    r->error->text = what;
    return AXL_ERR_FORMAT;
}

static int peek(const reader *r)
{
    return r->at < r->len ? (unsigned char)r->text[r->at] : -1;
}

static void skip_space(reader *r)
{
    while (r->at < r->len && memchr(" \t\r\n", r->text[r->at], 4))
        r->at++;
}

static bool take_word(reader *r, const char *word)
{
    size_t n = strlen(word);

    if (r->len - r->at < n || memcmp(r->text + r->at, word, n) != 0)
        return false;
    r->at += n;
    return true;
}

/* ---- strings ---- */

static int hex4(const reader *r, size_t at)
{
    int v = 0;

    if (at + 4 > r->len)
        return -1;
    for (size_t i = at; i < at + 4; i++) {
        char c = r->text[i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

/* Two escapes of a surrogate pair are one character; a half without its other becomes U+FFFD. */
static axl_status take_unicode(reader *r, char **out)
{
    int hi = hex4(r, r->at);

    if (hi < 0)
        return fail(r, "\\u needs four hexadecimal digits");
    r->at += 4;
    uint32_t c = (uint32_t)hi;
    if (hi >= 0xD800 && hi <= 0xDBFF && r->at + 6 <= r->len && r->text[r->at] == '\\' &&
        r->text[r->at + 1] == 'u') {
        int lo = hex4(r, r->at + 2);
        if (lo >= 0xDC00 && lo <= 0xDFFF) {
            c = 0x10000 + ((uint32_t)(hi - 0xD800) << 10) + (uint32_t)(lo - 0xDC00);
            r->at += 6;
        }
    }
    *out += axl__utf8_encode(*out, c);
    return AXL_OK;
}

static axl_status take_escape(reader *r, char **out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    int c = peek(r);
    const char *p = c > 0 ? strchr(from, c) : NULL;

    if (c == 'u') {
        r->at++;
        return take_unicode(r, out);
    }
    if (!p)
        return fail(r, "unknown escape in a string");
    r->at++;
    *(*out)++ = to[p - from];
    return AXL_OK;
}

/* The end of a string whose text starts at r->at; escapes never make it longer. */
static axl_status string_end(reader *r, size_t *end)
{
    size_t i = r->at;

    while (i < r->len && r->text[i] != '"') {
        if ((unsigned char)r->text[i] < 0x20) {
            r->at = i;
            return fail(r, "a control character in a string must be escaped");
        }
        i += r->text[i] == '\\' ? 2 : 1;
    }
    if (i >= r->len) {
        r->at = r->len;
        return fail(r, "a string is not closed");
    }
    *end = i;
    return AXL_OK;
}

/* The room is that of the written text, which no unescaping exceeds. */
static axl_status take_string(reader *r, const char **text, size_t *len)
{
    size_t end = r->at;
    char *copy, *out;

    r->at++; /* the quote */
    AXL_TRY(string_end(r, &end));
    copy = out = axl__arena_alloc(r->arena, end - r->at + 1);
    if (!copy)
        return axl__fail_nomem();
    while (r->at < end) {
        const char *slash = memchr(r->text + r->at, '\\', end - r->at);
        size_t plain = (slash ? (size_t)(slash - r->text) : end) - r->at;
        memcpy(out, r->text + r->at, plain);
        out += plain;
        r->at += plain;
        if (slash) {
            r->at++;
            AXL_TRY(take_escape(r, &out));
        }
    }
    r->at = end + 1;
    *out = '\0';
    *text = copy;
    *len = (size_t)(out - copy);
    return AXL_OK;
}

/* ---- numbers ---- */

static size_t digits_from(const reader *r, size_t at)
{
    size_t i = at;

    while (i < r->len && r->text[i] >= '0' && r->text[i] <= '9')
        i++;
    return i - at;
}

/* An integer past int64 is a FLOAT of its nearest double; its digits stay in text. */
static axl_status take_number(reader *r, axl__json *v)
{
    size_t i = r->at, n;
    bool is_float = false;

    if (r->text[i] == '-')
        i++;
    n = digits_from(r, i);
    if (n == 0 || (n > 1 && r->text[i] == '0'))
        return fail(r, "not a number");
    i += n;
    if (i < r->len && r->text[i] == '.') {
        is_float = true;
        n = digits_from(r, ++i);
        if (n == 0)
            return fail(r, "digits are missing after the decimal point");
        i += n;
    }
    if (i < r->len && (r->text[i] == 'e' || r->text[i] == 'E')) {
        is_float = true;
        i++;
        if (i < r->len && (r->text[i] == '+' || r->text[i] == '-'))
            i++;
        n = digits_from(r, i);
        if (n == 0)
            return fail(r, "digits are missing in the exponent");
        i += n;
    }
    v->text = r->text + r->at;
    v->len = i - r->at;
    v->type = AXL__JSON_FLOAT;
    if (!is_float && axl__parse_int(v->text, v->len, &v->integer))
        v->type = AXL__JSON_INT;
    if (!axl__parse_double(v->text, v->len, &v->number))
        return fail(r, "not a number");
    r->at = i;
    return AXL_OK;
}

/* What Python's json writes of numbers that are none. */
static bool take_number_word(reader *r, axl__json *v)
{
    static const struct {
        const char *text;
        double number;
    } words[] = { { "NaN", NAN }, { "Infinity", INFINITY }, { "-Infinity", -INFINITY } };

    for (size_t i = 0; i < sizeof words / sizeof words[0] && r->words; i++) {
        size_t at = r->at;
        if (!take_word(r, words[i].text))
            continue;
        v->type = AXL__JSON_FLOAT;
        v->number = words[i].number;
        v->text = r->text + at;
        v->len = r->at - at;
        return true;
    }
    return false;
}

/* ---- values ---- */

static axl_status take_value(reader *r, axl__json **out);

/* On failure the members so far hang below parent, in an arena that is thrown away or used
 * again. */
static axl_status take_members(reader *r, axl__json *parent, bool object)
{
    axl__json **link = &parent->child;
    int close = object ? '}' : ']';

    r->at++;
    skip_space(r);
    if (peek(r) == close) {
        r->at++;
        return AXL_OK;
    }
    for (;;) {
        const char *key = NULL;
        size_t key_len = 0;
        skip_space(r);
        if (object) {
            if (peek(r) != '"')
                return fail(r, "a key in quotes is missing");
            AXL_TRY(take_string(r, &key, &key_len));
            skip_space(r);
            if (peek(r) != ':')
                return fail(r, "':' is missing after a key");
            r->at++;
        }
        AXL_TRY(take_value(r, link));
        (*link)->key = key;
        (*link)->key_len = key_len;
        link = &(*link)->next;
        parent->count++;
        skip_space(r);
        if (peek(r) == close)
            break;
        if (peek(r) != ',')
            return fail(r, object ? "',' or '}' is missing" : "',' or ']' is missing");
        r->at++;
    }
    r->at++;
    return AXL_OK;
}

static axl_status take_nested(reader *r, axl__json *v)
{
    bool object = peek(r) == '{';

    v->type = object ? AXL__JSON_OBJECT : AXL__JSON_ARRAY;
    if (++r->depth > DEPTH_MAX)
        return fail(r, "nested too deeply");
    AXL_TRY(take_members(r, v, object));
    r->depth--;
    return AXL_OK;
}

static axl_status take_value(reader *r, axl__json **out)
{
    axl__json *v = axl__arena_alloc(r->arena, sizeof *v);

    if (!v)
        return axl__fail_nomem();
    *out = v;
    skip_space(r);
    switch (peek(r)) {
    case '{':
    case '[': return take_nested(r, v);
    case '"': v->type = AXL__JSON_STRING; return take_string(r, &v->text, &v->len);
    case -1: return fail(r, r->depth ? "the text ends where a value must be" : "the text is empty");
    }
    if (take_word(r, "true")) {
        v->type = AXL__JSON_BOOL;
        v->boolean = true;
    } else if (take_word(r, "false")) {
        v->type = AXL__JSON_BOOL;
    } else if (take_word(r, "null")) {
        v->type = AXL__JSON_NULL;
    } else if (take_number_word(r, v)) {
        return AXL_OK;
    } else if (peek(r) == '-' || (peek(r) >= '0' && peek(r) <= '9')) {
        return take_number(r, v);
    } else {
        return fail(r, "not a JSON value");
    }
    return AXL_OK;
}

axl_status axl__json_read_at(axl__json **out, axl__arena *arena, const char *text, size_t len,
                             size_t *at, axl__json_error *error)
{
    reader r = { arena, text, len, *at, error, 0, true };

    *out = NULL;
    axl_status status = take_value(&r, out);
    *at = r.at;
    return status;
}

static axl_status read_whole(axl__json **out, axl__arena *arena, const char *text, size_t len,
                             axl__json_error *error, bool words)
{
    reader r = { arena, text, len, 0, error, 0, words };

    *out = NULL;
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        r.at = 3;
    AXL_TRY(take_value(&r, out));
    skip_space(&r);
    return r.at == len ? AXL_OK : fail(&r, "something follows the JSON value");
}

axl_status axl__json_read(axl__json **out, axl__arena *arena, const char *text, size_t len,
                          axl__json_error *error)
{
    return read_whole(out, arena, text, len, error, true);
}

axl_status axl__json_parse(axl__json **out, axl__arena *arena, const char *text, size_t len,
                           const char *name)
{
    axl__json_error error;
    axl_status status = read_whole(out, arena, text, len, &error, false);

    if (status == AXL_ERR_FORMAT)
        return axl__fail(status, "%s%s%zu:%zu: %s", name ? name : "", name ? ":" : "", error.line,
                         error.column, error.text);
    return status;
}

/* ---- access ---- */

const axl__json *axl__json_get(const axl__json *obj, const char *key)
{
    const axl__json *found = NULL;
    size_t len = strlen(key);

    if (!obj || obj->type != AXL__JSON_OBJECT)
        return NULL;
    for (const axl__json *m = obj->child; m; m = m->next)
        if (m->key_len == len && memcmp(m->key, key, len) == 0)
            found = m;
    return found;
}

const char *axl__json_string(const axl__json *obj, const char *key, const char *otherwise)
{
    const axl__json *v = axl__json_get(obj, key);

    return v && v->type == AXL__JSON_STRING ? v->text : otherwise;
}

int64_t axl__json_int(const axl__json *obj, const char *key, int64_t otherwise)
{
    const axl__json *v = axl__json_get(obj, key);

    return v && v->type == AXL__JSON_INT ? v->integer : otherwise;
}

double axl__json_double(const axl__json *obj, const char *key, double otherwise)
{
    const axl__json *v = axl__json_get(obj, key);

    return v && (v->type == AXL__JSON_INT || v->type == AXL__JSON_FLOAT) ? v->number : otherwise;
}

bool axl__json_bool(const axl__json *obj, const char *key, bool otherwise)
{
    const axl__json *v = axl__json_get(obj, key);

    return v && v->type == AXL__JSON_BOOL ? v->boolean : otherwise;
}

bool axl__json_truthy(const axl__json *v, bool otherwise)
{
    if (!v)
        return otherwise;
    switch (v->type) {
    case AXL__JSON_NULL: return false;
    case AXL__JSON_BOOL: return v->boolean;
    case AXL__JSON_INT:
    case AXL__JSON_FLOAT: return v->number != 0;
    case AXL__JSON_STRING: return v->len > 0;
    case AXL__JSON_ARRAY:
    case AXL__JSON_OBJECT: return v->count > 0;
    }
    return otherwise;
}

const char *axl__json_type_name(const axl__json *v)
{
    static const char *const names[] = { "null",     "a boolean", "an integer", "a number",
                                         "a string", "an array",  "an object" };

    return v ? names[v->type] : "nothing";
}
