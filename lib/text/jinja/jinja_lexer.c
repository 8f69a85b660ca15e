/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jinja_lexer.c - a template's text to tokens, with white space around tags already dropped as
 * trim_blocks, lstrip_blocks and the signs - and + ask.  Lines end with \n: the parser's caller
 * has replaced the others.
 */
#include "jinja_priv.h"

#include "base/num.h"
#include "base/utf8.h"

#include <string.h>

typedef struct {
    jtokens *out;
    axl__arena *arena;
    const char *s;
    size_t len, at;
    uint32_t line;
    bool line_starting; /* the last match ended with a line's end, or there was none */
    int depth;          /* open brackets of the tag */
    char closing[200];  /* what ends each */
} lexer;

static const struct {
    const char *text;
    jtoken_type type;
} operators[] = {
    { "//", T_FLOORDIV }, { "**", T_POW },   { "==", T_EQ },       { "!=", T_NE },
    { "<=", T_LE },       { ">=", T_GE },    { "+", T_ADD },       { "-", T_SUB },
    { "*", T_MUL },       { "/", T_DIV },    { "%", T_MOD },       { "~", T_TILDE },
    { "<", T_LT },        { ">", T_GT },     { "=", T_ASSIGN },    { ".", T_DOT },
    { ",", T_COMMA },     { ":", T_COLON },  { ";", T_SEMICOLON }, { "|", T_PIPE },
    { "(", T_LPAREN },    { ")", T_RPAREN }, { "[", T_LBRACKET },  { "]", T_RBRACKET },
    { "{", T_LBRACE },    { "}", T_RBRACE },
};

const char *axl__j_token_name(jtoken_type type)
{
    static const char *const names[] = { "the end of the template",
                                         "text",
                                         "'{{'",
                                         "'}}'",
                                         "'{%'",
                                         "'%}'",
                                         "a name",
                                         "a string",
                                         "an integer",
                                         "a float" };

    if (type < sizeof names / sizeof names[0])
        return names[type];
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        if (operators[i].type == type)
            return operators[i].text;
    return "an operator";
}

static axl_status push_token(lexer *x, jtoken token)
{
    jtokens *out = x->out;

    if (out->n == out->cap) {
        size_t cap = out->cap ? 2 * out->cap : 64;
        jtoken *items = axl__realloc(out->ctx, out->items, cap * sizeof *items);
        if (!items)
            return axl__fail_nomem();
        out->items = items;
        out->cap = cap;
    }
    token.line = x->line;
    out->items[out->n++] = token;
    return AXL_OK;
}

static bool looking_at(const lexer *x, size_t at, const char *text)
{
    size_t n = strlen(text);

    return x->len - at >= n && memcmp(x->s + at, text, n) == 0;
}

static size_t skip_space(const lexer *x, size_t at)
{
    while (at < x->len) {
        size_t next = at;
        if (!axl__j_space(axl__utf8_next(x->s, x->len, &next)))
            break;
        at = next;
    }
    return at;
}

static void move_to(lexer *x, size_t to)
{
    for (; x->at < to; x->at++)
        x->line += x->s[x->at] == '\n';
    x->line_starting = to > 0 && x->s[to - 1] == '\n';
}

/* The end of "-%}\s*", "+%}", "%}\n?" at `at`, or 0. */
static size_t tag_end(const lexer *x, size_t at, const char *end, bool trim)
{
    bool minus = at < x->len && x->s[at] == '-', plus = at < x->len && x->s[at] == '+';
    size_t behind = at + (minus || (plus && trim) ? 1 : 0);

    if (behind > x->len || !looking_at(x, behind, end))
        return 0;
    behind += strlen(end);
    if (minus)
        return skip_space(x, behind);
    return trim && !plus && behind < x->len && x->s[behind] == '\n' ? behind + 1 : behind;
}

/* Text before a tag, without what the tag's sign or lstrip_blocks takes of its end. */
static axl_status push_text(lexer *x, size_t to, char sign, bool lstrip)
{
    jvalue text = axl__j_text(x->s + x->at, to - x->at);
    size_t from = 0, keep = text.len, line_at = text.len;

    if (sign == '-') {
        axl__j_strip(text, NULL, false, true, &from, &keep);
    } else if (sign != '+' && lstrip) {
        while (line_at > 0 && text.as.text[line_at - 1] != '\n')
            line_at--;
        if ((line_at > 0 || x->line_starting) && skip_space(x, x->at + line_at) >= to)
            keep = line_at;
    }
    if (keep > 0)
        AXL_TRY(push_token(x, (jtoken){ .type = T_DATA, .text = text.as.text, .len = keep }));
    move_to(x, to);
    return AXL_OK;
}

/* ---- between tags ---- */

/* "{%- raw -%}" at `at`: where its text begins, else 0. */
static size_t raw_begin(const lexer *x, size_t at)
{
    at += 2;
    if (at < x->len && (x->s[at] == '-' || x->s[at] == '+'))
        at++;
    at = skip_space(x, at);
    if (!looking_at(x, at, "raw"))
        return 0;
    at = skip_space(x, at + 3);
    return tag_end(x, at, "%}", false);
}

static axl_status lex_raw(lexer *x)
{
    for (size_t at = x->at; at + 2 <= x->len; at++) {
        if (!looking_at(x, at, "{%"))
            continue;
        size_t p = at + 2;
        char sign = p < x->len ? x->s[p] : '\0';
        p = skip_space(x, p + (sign == '-' || sign == '+' ? 1 : 0));
        if (!looking_at(x, p, "endraw"))
            continue;
        size_t end = tag_end(x, skip_space(x, p + 6), "%}", true);
        if (end == 0)
            continue;
        AXL_TRY(push_text(x, at, sign, true));
        move_to(x, end);
        return AXL_OK;
    }
    return x->at == x->len ? AXL_OK : axl__fail(AXL_ERR_FORMAT, "a raw block has no end");
}

static axl_status lex_comment(lexer *x)
{
    for (size_t at = x->at; at + 2 <= x->len; at++) {
        size_t end = tag_end(x, at, "#}", true);
        if (end > 0) {
            move_to(x, end);
            return AXL_OK;
        }
    }
    return x->at == x->len ? AXL_OK : axl__fail(AXL_ERR_FORMAT, "a comment has no end");
}

/* ---- in a tag ---- */

static bool is_digit(char c, int base)
{
    if (base == 16)
        return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
    return c >= '0' && c < '0' + base;
}

/* Digits with single '_' between them; the end, or from where there are none. */
static size_t digits_end(const lexer *x, size_t from, int base)
{
    size_t at = from;

    while (at < x->len && is_digit(x->s[at], base)) {
        at++;
        if (at + 1 < x->len && x->s[at] == '_' && is_digit(x->s[at + 1], base))
            at++;
    }
    return at;
}

static axl_status push_integer(lexer *x, size_t from, size_t to, int base)
{
    uint64_t value = 0;

    for (size_t i = from; i < to; i++) {
        if (x->s[i] == '_')
            continue;
        unsigned digit = (unsigned)(x->s[i] <= '9' ? x->s[i] - '0' : (x->s[i] | 32) - 'a' + 10);
        if (value > ((uint64_t)INT64_MAX - digit) / (unsigned)base)
            return axl__fail(AXL_ERR_FORMAT, "an integer past 64 bits");
        value = value * (unsigned)base + digit;
    }
    AXL_TRY(push_token(x, (jtoken){ .type = T_INTEGER, .integer = (int64_t)value }));
    move_to(x, to);
    return AXL_OK;
}

static axl_status push_float(lexer *x, size_t to)
{
    char text[64];
    size_t n = 0;
    jtoken token = { .type = T_FLOAT };

    for (size_t i = x->at; i < to; i++)
        if (x->s[i] != '_' && n < sizeof text)
            text[n++] = x->s[i];
    if (n == sizeof text || !axl__parse_double(text, n, &token.number))
        return axl__fail(AXL_ERR_FORMAT, "a number that cannot be read");
    AXL_TRY(push_token(x, token));
    move_to(x, to);
    return AXL_OK;
}

/* The end of a float's fraction and exponent behind its first digits, or `at` if it is none. */
static size_t float_end(const lexer *x, size_t at)
{
    size_t end = at;

    if (at + 1 < x->len && x->s[at] == '.' && is_digit(x->s[at + 1], 10))
        end = digits_end(x, at + 1, 10);
    if (end < x->len && (x->s[end] | 32) == 'e') {
        size_t p = end + 1;
        if (p < x->len && (x->s[p] == '+' || x->s[p] == '-'))
            p++;
        if (p < x->len && is_digit(x->s[p], 10))
            end = digits_end(x, p, 10);
    }
    return end;
}

static axl_status lex_number(lexer *x)
{
    char second = x->at + 1 < x->len ? (char)(x->s[x->at + 1] | 32) : '\0';
    int base = second == 'x' ? 16 : second == 'o' ? 8 : second == 'b' ? 2 : 10;
    bool behind_dot = x->at > 0 && x->s[x->at - 1] == '.';
    size_t to = digits_end(x, x->at, 10);

    if (base != 10 && x->s[x->at] == '0') {
        size_t end = digits_end(x, x->at + 2, base);
        if (end > x->at + 2)
            return push_integer(x, x->at + 2, end, base);
    }
    if (!behind_dot && float_end(x, to) > to)
        return push_float(x, float_end(x, to));
    return push_integer(x, x->at, to, 10);
}

static size_t read_hex(const char *s, size_t len, size_t at, int digits, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < digits; i++, at++) {
        if (at >= len || !is_digit(s[at], 16))
            return 0;
        *out = *out << 4 | (uint32_t)(s[at] <= '9' ? s[at] - '0' : (s[at] | 32) - 'a' + 10);
    }
    return at;
}

/* The escape whose letter is s[at]; Python's.  0 for a broken one. */
static size_t read_escape(const char *s, size_t len, size_t at, char *out, size_t *n)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    char c = s[at];
    const char *known = c ? strchr(from, c) : NULL;
    uint32_t code = 0;

    if (c == '\n')
        return at + 1;
    if (known) {
        out[(*n)++] = to[known - from];
        return at + 1;
    }
    if (c == 'x' || c == 'u' || c == 'U') {
        at = read_hex(s, len, at + 1, c == 'x' ? 2 : c == 'u' ? 4 : 8, &code);
        if (at == 0 || code > 0x10FFFF)
            return 0;
    } else if (is_digit(c, 8)) {
        for (int i = 0; i < 3 && at < len && is_digit(s[at], 8); i++)
            code = code * 8 + (uint32_t)(s[at++] - '0');
    } else {
        out[(*n)++] = '\\'; /* what is no escape stays as it is */
        return c == 'N' ? 0 : at;
    }
    *n += axl__utf8_encode(out + *n, code);
    return at;
}

static axl_status lex_string(lexer *x)
{
    char quote = x->s[x->at];
    size_t from = x->at + 1, end = from, n = 0;

    while (end < x->len && x->s[end] != quote)
        end += x->s[end] == '\\' ? 2 : 1;
    if (end >= x->len)
        return axl__fail(AXL_ERR_FORMAT, "a string has no end");
    char *text = axl__arena_alloc(x->arena, end - from + 4);
    if (!text)
        return axl__fail_nomem();
    for (size_t i = from; i < end;) {
        if (x->s[i] != '\\') {
            text[n++] = x->s[i++];
            continue;
        }
        i = read_escape(x->s, end, i + 1, text, &n);
        if (i == 0)
            return axl__fail(AXL_ERR_FORMAT, "a string has a broken escape");
    }
    AXL_TRY(push_token(x, (jtoken){ .type = T_STRING, .text = text, .len = n }));
    move_to(x, end + 1);
    return AXL_OK;
}

static bool names_byte(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static axl_status lex_name(lexer *x)
{
    size_t to = x->at;

    while (to < x->len && names_byte(x->s[to]))
        to++;
    AXL_TRY(push_token(x, (jtoken){ .type = T_NAME, .text = x->s + x->at, .len = to - x->at }));
    move_to(x, to);
    return AXL_OK;
}

static axl_status balance(lexer *x, jtoken_type type)
{
    char close = type == T_LPAREN ? ')' : type == T_LBRACKET ? ']' : type == T_LBRACE ? '}' : '\0';
    char c = x->s[x->at];

    if (close) {
        if (x->depth == (int)sizeof x->closing)
            return axl__fail(AXL_ERR_FORMAT, "too many brackets in one another");
        x->closing[x->depth++] = close;
    } else if (type == T_RPAREN || type == T_RBRACKET || type == T_RBRACE) {
        if (x->depth == 0)
            return axl__fail(AXL_ERR_FORMAT, "'%c' without its opening bracket", c);
        if (x->closing[--x->depth] != c)
            return axl__fail(AXL_ERR_FORMAT, "'%c' where '%c' must be", c, x->closing[x->depth]);
    }
    return AXL_OK;
}

static axl_status lex_operator(lexer *x)
{
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (!looking_at(x, x->at, operators[i].text))
            continue;
        AXL_TRY(balance(x, operators[i].type));
        AXL_TRY(push_token(x, (jtoken){ .type = operators[i].type }));
        move_to(x, x->at + strlen(operators[i].text));
        return AXL_OK;
    }
    return axl__fail(AXL_ERR_FORMAT, "a character that no tag has: byte 0x%02x",
                     (unsigned char)x->s[x->at]);
}

static axl_status lex_one(lexer *x)
{
    char c = x->s[x->at];

    if (c >= '0' && c <= '9')
        return lex_number(x);
    if (c == '"' || c == '\'')
        return lex_string(x);
    if (names_byte(c))
        return lex_name(x);
    return lex_operator(x);
}

/* What a tag holds, up to its end. */
static axl_status lex_tag(lexer *x, bool block)
{
    const char *end = block ? "%}" : "}}";

    x->depth = 0;
    while (x->at < x->len) {
        size_t behind = x->depth > 0 ? 0 : tag_end(x, x->at, end, block);
        size_t space = skip_space(x, x->at);
        if (behind > 0) {
            AXL_TRY(push_token(x, (jtoken){ .type = block ? T_BLOCK_END : T_VARIABLE_END }));
            move_to(x, behind);
            return AXL_OK;
        }
        if (space > x->at)
            move_to(x, space);
        else
            AXL_TRY(lex_one(x));
    }
    return axl__fail(AXL_ERR_FORMAT, "'%s' is missing", end);
}

/* ---- the whole ---- */

static axl_status lex_opening(lexer *x, size_t at)
{
    char kind = x->s[at + 1], sign = at + 2 < x->len ? x->s[at + 2] : '\0';
    size_t raw = kind == '%' ? raw_begin(x, at) : 0;

    if (sign != '-' && sign != '+')
        sign = '\0';
    AXL_TRY(push_text(x, at, sign, kind != '{'));
    if (raw > 0) {
        move_to(x, raw);
        return lex_raw(x);
    }
    if (kind != '#')
        AXL_TRY(push_token(x, (jtoken){ .type = kind == '%' ? T_BLOCK_BEGIN : T_VARIABLE_BEGIN }));
    move_to(x, at + 2 + (sign ? 1 : 0));
    return kind == '#' ? lex_comment(x) : lex_tag(x, kind == '%');
}

static axl_status lex_all(lexer *x)
{
    size_t at = 0;

    while (at + 2 <= x->len) {
        const char *brace = memchr(x->s + at, '{', x->len - at);
        if (!brace)
            break;
        at = (size_t)(brace - x->s);
        if (at + 1 < x->len && strchr("{%#", x->s[at + 1]) && x->s[at + 1]) {
            AXL_TRY(lex_opening(x, at));
            at = x->at;
        } else {
            at++;
        }
    }
    AXL_TRY(push_text(x, x->len, '+', false));
    return push_token(x, (jtoken){ .type = T_END });
}

axl_status axl__j_lex(jtokens *out, axl__arena *arena, const char *source, size_t len,
                      uint32_t *line)
{
    lexer x = {
        .out = out, .arena = arena, .s = source, .len = len, .line = 1, .line_starting = true
    };
    axl_status status = lex_all(&x);

    *line = x.line;
    return status;
}
