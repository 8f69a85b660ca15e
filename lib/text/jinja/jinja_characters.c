/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jinja_characters.c - Python's view of characters: white space in full, cases of the Latin, Greek,
 * Cyrillic and Armenian letters, and which letters there are by blocks.  Letters of other scripts
 * with cases (Georgian, Cherokee, Deseret, …) keep theirs.
 */
#include "jinja_priv.h"

#include "base/utf8.h"

#include <string.h>

bool axl__j_space(uint32_t c)
{
    if (c < 0x80)
        return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F);
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
           c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool axl__j_printable(uint32_t c)
{
    static const uint32_t hidden[][2] = {
        { 0, 0x1F },        { 0x7F, 0xA0 },       { 0xAD, 0xAD },       { 0x600, 0x605 },
        { 0x61C, 0x61C },   { 0x6DD, 0x6DD },     { 0x70F, 0x70F },     { 0x1680, 0x1680 },
        { 0x180E, 0x180E }, { 0x2000, 0x200F },   { 0x2028, 0x202F },   { 0x205F, 0x206F },
        { 0x3000, 0x3000 }, { 0xD800, 0xF8FF },   { 0xFEFF, 0xFEFF },   { 0xFFF0, 0xFFFB },
        { 0xFFFE, 0xFFFF }, { 0x1D173, 0x1D17A }, { 0xE0000, 0xE00FF }, { 0xE01F0, 0x10FFFF },
    };

    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (c >= hidden[i][0] && c <= hidden[i][1])
            return false;
    return true;
}

bool axl__j_letter(uint32_t c)
{
    if (c < 0x80)
        return (c | 32) >= 'a' && (c | 32) <= 'z';
    return c == 0xAA || c == 0xB5 || c == 0xBA ||
           (c >= 0xC0 && c < 0x2000 && c != 0xD7 && c != 0xF7) ||
           (c >= 0x3041 && c <= 0xA48C && c != 0x30FB) || (c >= 0xAC00 && c <= 0xD7A3) ||
           (c >= 0xF900 && c <= 0xFAD9) || (c >= 0x20000 && c <= 0x3FFFF);
}

/* Blocks where upper and lower letters alternate, the upper one even or odd. */
static int alternates(uint32_t c)
{
    if ((c >= 0x100 && c <= 0x12F) || (c >= 0x132 && c <= 0x137) || (c >= 0x14A && c <= 0x177) ||
        (c >= 0x1E00 && c <= 0x1E95) || (c >= 0x1EA0 && c <= 0x1EFF) ||
        (c >= 0x460 && c <= 0x481) || (c >= 0x48A && c <= 0x4BF) || (c >= 0x4D0 && c <= 0x52F))
        return 0;
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E) || (c >= 0x4C1 && c <= 0x4CE))
        return 1;
    return -1;
}

uint32_t axl__j_upper(uint32_t c)
{
    int odd = alternates(c);

    if (c < 0x80)
        return c >= 'a' && c <= 'z' ? c - 32 : c;
    if (odd >= 0)
        return (int)(c & 1) != odd ? c - 1 : c;
    if (c == 0xFF)
        return 0x178;
    if (c == 0xB5)
        return 0x39C;
    if ((c >= 0xE0 && c <= 0xFE && c != 0xF7) || (c >= 0x3B1 && c <= 0x3CB && c != 0x3C2) ||
        (c >= 0x430 && c <= 0x44F))
        return c - 32;
    if (c == 0x3C2)
        return 0x3A3;
    if (c == 0x3AC)
        return 0x386;
    if (c >= 0x3AD && c <= 0x3AF)
        return c - 37;
    if (c == 0x3CC)
        return 0x38C;
    if (c == 0x3CD || c == 0x3CE)
        return c - 63;
    if (c >= 0x450 && c <= 0x45F)
        return c - 80;
    return c >= 0x561 && c <= 0x586 ? c - 48 : c;
}

uint32_t axl__j_lower(uint32_t c)
{
    int odd = alternates(c);

    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    if (odd >= 0)
        return (int)(c & 1) == odd ? c + 1 : c;
    if (c == 0x178)
        return 0xFF;
    if ((c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3AB && c != 0x3A2) ||
        (c >= 0x410 && c <= 0x42F))
        return c + 32;
    if (c == 0x386)
        return 0x3AC;
    if (c >= 0x388 && c <= 0x38A)
        return c + 37;
    if (c == 0x38C)
        return 0x3CC;
    if (c == 0x38E || c == 0x38F)
        return c + 63;
    if (c >= 0x400 && c <= 0x40F)
        return c + 80;
    return c >= 0x531 && c <= 0x556 ? c + 48 : c;
}

size_t axl__j_count(const char *text, size_t len)
{
    size_t n = 0;

    for (size_t at = 0; at < len; n++)
        axl__utf8_next(text, len, &at);
    return n;
}

size_t axl__j_offset(const char *text, size_t len, size_t n)
{
    size_t at = 0;

    for (; n > 0 && at < len; n--)
        axl__utf8_next(text, len, &at);
    return at;
}

static bool is_stripped(uint32_t c, const jvalue *chars)
{
    if (!chars)
        return axl__j_space(c);
    for (size_t at = 0; at < chars->len;)
        if (axl__utf8_next(chars->as.text, chars->len, &at) == c)
            return true;
    return false;
}

/* The start of the character that ends at `to`. */
static size_t step_back(const char *text, size_t to)
{
    size_t at = to - 1;

    while (at > 0 && to - at < 4 && ((unsigned char)text[at] & 0xC0) == 0x80)
        at--;
    return at;
}

void axl__j_strip(jvalue v, const jvalue *chars, bool left, bool right, size_t *from, size_t *to)
{
    *from = 0;
    *to = v.len;
    while (left && *from < *to) {
        size_t next = *from;
        if (!is_stripped(axl__utf8_next(v.as.text, v.len, &next), chars))
            break;
        *from = next;
    }
    while (right && *to > *from) {
        size_t at = step_back(v.as.text, *to), next = at;
        if (!is_stripped(axl__utf8_next(v.as.text, *to, &next), chars))
            break;
        *to = at;
    }
}

/* Parts up to so long are compared at each place; longer ones where a rolling sum agrees, so that
 * no text makes the search slow. */
enum { COMPARE_MAX = 32 };

static const uint64_t rolling_base = 0x9E3779B97F4A7C15u;

static const char *find_long(const char *text, size_t len, const char *part, size_t n)
{
    uint64_t want = 0, sum = 0, leaving = 1;

    for (size_t i = 0; i < n; i++) {
        want = want * rolling_base + (unsigned char)part[i];
        sum = sum * rolling_base + (unsigned char)text[i];
        leaving = i > 0 ? leaving * rolling_base : leaving;
    }
    for (size_t at = 0;; at++) {
        if (sum == want && memcmp(text + at, part, n) == 0)
            return text + at;
        if (at + n >= len)
            return NULL;
        sum =
            (sum - leaving * (unsigned char)text[at]) * rolling_base + (unsigned char)text[at + n];
    }
}

const char *axl__j_find(const char *text, size_t len, const char *part, size_t n)
{
    if (n == 0)
        return text;
    if (n > COMPARE_MAX)
        return n <= len ? find_long(text, len, part, n) : NULL;
    for (const char *at = text; n <= len - (size_t)(at - text); at++) {
        at = memchr(at, part[0], len - (size_t)(at - text) - n + 1);
        if (!at)
            return NULL;
        if (memcmp(at, part, n) == 0)
            return at;
    }
    return NULL;
}

/* The same from the end: the window moves to the left. */
static const char *find_last_long(const char *text, size_t len, const char *part, size_t n)
{
    uint64_t want = 0, sum = 0, leaving = 1;

    for (size_t i = 1; i <= n; i++) {
        want = want * rolling_base + (unsigned char)part[n - i];
        sum = sum * rolling_base + (unsigned char)text[len - i];
        leaving = i > 1 ? leaving * rolling_base : leaving;
    }
    for (size_t at = len - n;; at--) {
        if (sum == want && memcmp(text + at, part, n) == 0)
            return text + at;
        if (at == 0)
            return NULL;
        sum = (sum - leaving * (unsigned char)text[at + n - 1]) * rolling_base +
              (unsigned char)text[at - 1];
    }
}

const char *axl__j_find_last(const char *text, size_t len, const char *part, size_t n)
{
    if (n > len)
        return NULL;
    if (n > COMPARE_MAX)
        return find_last_long(text, len, part, n);
    for (size_t at = len - n;; at--) {
        if (n == 0 || memcmp(text + at, part, n) == 0)
            return text + at;
        if (at == 0)
            return NULL;
    }
}
