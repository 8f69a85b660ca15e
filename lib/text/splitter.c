/* SPDX-License-Identifier: Apache-2.0 */
/* splitter.c - see splitter.h.  The branches are tried in their order, and a greedy part gives
 * back what the next one needs, as a backtracking matcher does. */
#include "splitter.h"

#include "base/utf8.h"
#include "unicode_letter.h"
#include "unicode_word.h"

#include <string.h>

#define CONTRACTIONS "'s|'t|'re|'ve|'m|'ll|'d"
#define SPACES "|\\s+(?!\\S)|\\s+"
#define MODERN(numbers)                                                                            \
    "(?i:" CONTRACTIONS ")|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" numbers                                 \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+" SPACES

axl__splitter axl__splitter_of(const char *pattern, size_t len)
{
    static const struct {
        const char *pattern;
        axl__splitter kind;
    } known[] = {
        { CONTRACTIONS "| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+" SPACES, AXL__SPLIT_GPT2 },
        { MODERN("\\p{N}{1,3}"), AXL__SPLIT_LLAMA3 },
        { MODERN("\\p{N}"), AXL__SPLIT_QWEN2 },
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i].pattern) == len && memcmp(known[i].pattern, pattern, len) == 0)
            return known[i].kind;
    return AXL__SPLIT_NONE;
}

/* ---- characters ---- */

typedef enum { LETTER, NUMBER, SPACE, NEWLINE, OTHER, END } char_class;

/* A text and the character at hand: its class, and where it ends. */
typedef struct {
    const char *text;
    size_t len, at, end;
    char_class is;
} cursor;

/* Of ASCII, which most texts are made of. */
#define L LETTER
#define D NUMBER
#define S SPACE
#define N NEWLINE
#define O OTHER
static const unsigned char ascii_classes[128] = {
    O, O, O, O, O, O, O, O, O, S, N, S, S, N, O, O, /* control characters */
    O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, /**/
    S, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, /* from the space on */
    D, D, D, D, D, D, D, D, D, D, O, O, O, O, O, O, /* from '0' on */
    O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, /* from '@' on */
    L, L, L, L, L, L, L, L, L, L, L, O, O, O, O, O, /**/
    O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, /* from '`' on */
    L, L, L, L, L, L, L, L, L, L, L, O, O, O, O, O,
};
#undef L
#undef D
#undef S
#undef N
#undef O

/* Of what is not ASCII. */
static char_class class_of(uint32_t c)
{
    if (axl__unicode_letter(c))
        return LETTER;
    if (axl__unicode_number(c))
        return NUMBER;
    return axl__unicode_space(c) ? SPACE : OTHER;
}

static inline void look(cursor *c, size_t at)
{
    c->at = c->end = at;
    c->is = END;
    if (at >= c->len)
        return;
    unsigned char byte = (unsigned char)c->text[at];
    if (byte < 128) {
        c->end = at + 1;
        c->is = (char_class)ascii_classes[byte];
    } else {
        c->is = class_of(axl__utf8_next(c->text, c->len, &c->end));
    }
}

static inline void advance(cursor *c)
{
    look(c, c->end);
}

static bool is_space(char_class c)
{
    return c == SPACE || c == NEWLINE;
}

/* Behind a run of one class that begins at the cursor. */
static size_t run_end(cursor c, char_class of)
{
    while (c.is == of)
        advance(&c);
    return c.at;
}

/* ---- branches: where the match ends, or `from` where there is none ---- */

/* In any case the long s is an s, too (U+017F: C5 BF). */
static size_t contraction(const char *text, size_t len, size_t from, bool any_case)
{
    static const char *const endings[] = { "s", "t", "re", "ve", "m", "ll", "d" };

    if (text[from] != '\'')
        return from;
    if (any_case && len - from >= 3 && memcmp(text + from + 1, "\xC5\xBF", 2) == 0)
        return from + 3;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t n = strlen(endings[i]), same = 0;
        while (same < n && from + 1 + same < len &&
               (text[from + 1 + same] | (any_case ? 0x20 : 0)) == endings[i][same])
            same++;
        if (same == n)
            return from + 1 + n;
    }
    return from;
}

/* \s+(?!\S)|\s+ : a run of spaces but its last, unless there is only one, or the text ends. */
static size_t spaces(cursor c)
{
    size_t from = c.at, last = from;

    while (is_space(c.is)) {
        last = c.at;
        advance(&c);
    }
    return c.is == END || last == from ? c.at : last;
}

/* \s*[\r\n]+ : up to the last line break of a run of spaces. */
static size_t line_breaks(cursor c)
{
    size_t end = c.at;

    for (; is_space(c.is); advance(&c))
        if (c.is == NEWLINE)
            end = c.end;
    return end;
}

static size_t gpt2_word(cursor c)
{
    size_t from = c.at, end = contraction(c.text, c.len, from, false);
    cursor first = c;

    if (end > from)
        return end;
    if (c.text[from] == ' ')
        advance(&c);
    if (c.is == LETTER || c.is == NUMBER || c.is == OTHER)
        return run_end(c, c.is);
    return spaces(first);
}

static size_t modern_word(cursor c, unsigned digits)
{
    size_t from = c.at, end = contraction(c.text, c.len, from, true);
    cursor first = c, second = c;

    if (end > from)
        return end;
    advance(&second);
    if (c.is == LETTER)
        return run_end(c, LETTER);
    if (second.is == LETTER && (c.is == OTHER || c.is == SPACE))
        return run_end(second, LETTER);
    if (c.is == NUMBER) {
        for (unsigned i = 0; i < digits && c.is == NUMBER; i++)
            advance(&c);
        return c.at;
    }
    if (c.text[from] == ' ' && second.is == OTHER)
        c = second;
    if (c.is == OTHER) {
        look(&c, run_end(c, OTHER));
        return run_end(c, NEWLINE);
    }
    end = line_breaks(first);
    return end > from ? end : spaces(first);
}

/* ---- digits ---- */

static bool digit_at(const char *text, size_t len, size_t *at)
{
    return axl__unicode_digit(axl__utf8_next(text, len, at));
}

static size_t digits_word(const char *text, size_t len, size_t from, bool runs)
{
    size_t at = from, next;
    bool digit = digit_at(text, len, &at);

    while (at < len && (runs || !digit)) {
        next = at;
        if (digit_at(text, len, &next) != digit)
            break;
        at = next;
    }
    return at;
}

size_t axl__split_word(axl__splitter kind, const char *text, size_t len, size_t from)
{
    cursor c = { .text = text, .len = len };

    if (kind == AXL__SPLIT_NONE)
        return len;
    if (kind == AXL__SPLIT_DIGITS || kind == AXL__SPLIT_DIGIT_RUNS)
        return digits_word(text, len, from, kind == AXL__SPLIT_DIGIT_RUNS);
    look(&c, from);
    return kind == AXL__SPLIT_GPT2 ? gpt2_word(c)
                                   : modern_word(c, kind == AXL__SPLIT_QWEN2 ? 1 : 3);
}
