/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.c - see utf8.h. */
#include "utf8.h"

#include <string.h>

static bool continues(const char *text, size_t len, size_t at, unsigned lo, unsigned hi)
{
    return at < len && (unsigned char)text[at] >= lo && (unsigned char)text[at] <= hi;
}

/* One U+FFFD for each longest beginning of a character that is cut short, as Unicode recommends and
 * Python does. */
uint32_t axl__utf8_next_checked(const char *text, size_t len, size_t *at, bool *ill)
{
    unsigned c = (unsigned char)text[(*at)++];
    unsigned lo = 0x80, hi = 0xBF;
    int more;
    uint32_t value;

    *ill = false;
    if (c < 0x80)
        return c;
    if (c >= 0xC2 && c <= 0xDF)
        more = 1, value = c & 0x1F;
    else if (c >= 0xE0 && c <= 0xEF)
        more = 2, value = c & 0x0F;
    else if (c >= 0xF0 && c <= 0xF4)
        more = 3, value = c & 0x07;
    else
        return *ill = true, AXL__REPLACEMENT;
    /* The second byte's range excludes overlong forms, surrogates and what lies past U+10FFFF. */
    if (c == 0xE0)
        lo = 0xA0;
    else if (c == 0xED)
        hi = 0x9F;
    else if (c == 0xF0)
        lo = 0x90;
    else if (c == 0xF4)
        hi = 0x8F;
    for (; more > 0; more--, lo = 0x80, hi = 0xBF) {
        if (!continues(text, len, *at, lo, hi))
            return *ill = true, AXL__REPLACEMENT;
        value = value << 6 | ((unsigned char)text[(*at)++] & 0x3F);
    }
    return value;
}

uint32_t axl__utf8_next(const char *text, size_t len, size_t *at)
{
    bool ill;

    return axl__utf8_next_checked(text, len, at, &ill);
}

size_t axl__utf8_encode(char *out, uint32_t c)
{
    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        c = AXL__REPLACEMENT;
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

bool axl__utf8_valid(const char *text, size_t len)
{
    size_t at = 0;
    bool ill = false;

    while (at < len && !ill) {
        uint64_t eight = 0;
        if (len - at >= sizeof eight)
            memcpy(&eight, text + at, sizeof eight);
        if (len - at >= sizeof eight && !(eight & 0x8080808080808080u))
            at += sizeof eight; /* all ASCII */
        else
            axl__utf8_next_checked(text, len, &at, &ill);
    }
    return !ill;
}
