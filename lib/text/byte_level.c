/* SPDX-License-Identifier: Apache-2.0 */
/* byte_level.c - see byte_level.h.  Visible characters of Latin-1 stand for themselves; the other
 * bytes follow from U+0100 on, in their order. */
#include "byte_level.h"

#include "base/utf8.h"

static bool is_visible(unsigned c)
{
    return (c >= '!' && c <= '~') || (c >= 0xA1 && c <= 0xAC) || c >= 0xAE;
}

/* How many bytes below c are not visible: 0..32, 127..160, 173. */
static unsigned hidden_below(unsigned c)
{
    return c <= 33 ? c : c < 127 ? 33 : c <= 161 ? c - 94 : c <= 173 ? 67 : 68;
}

size_t axl__byte_letter(char byte, char letter[4])
{
    unsigned c = (unsigned char)byte;

    return axl__utf8_encode(letter, is_visible(c) ? c : 256 + hidden_below(c));
}

void axl__byte_level_put(axl__str *out, const char *bytes, size_t len)
{
    char letter[4];

    for (size_t i = 0; i < len; i++)
        axl__str_put(out, letter, axl__byte_letter(bytes[i], letter));
}

void axl__byte_level_aligned(const axl__aligned *in, size_t from, size_t to, axl__aligned *out)
{
    char letter[4];

    for (size_t i = from; i < to; i++) {
        size_t n = axl__byte_letter(in->text.data[i], letter);
        axl__aligned_put(out, letter, n, axl__aligned_span(in, i, i + 1));
    }
}

/* The byte of a character, or -1. */
static int byte_of(uint32_t c)
{
    if (c < 256)
        return is_visible(c) ? (int)c : -1;
    c -= 256;
    return c <= 32 ? (int)c : c < 67 ? (int)c + 94 : c == 67 ? 173 : -1;
}

bool axl__byte_level_exact(axl__str *out, const char *token, size_t len)
{
    size_t before = out->len;

    for (size_t at = 0; at < len;) {
        int byte = byte_of(axl__utf8_next(token, len, &at));
        if (byte < 0) {
            out->len = before;
            return false;
        }
        axl__str_putc(out, (char)byte);
    }
    return true;
}

void axl__byte_level_decode(axl__str *out, const char *token, size_t len)
{
    if (!axl__byte_level_exact(out, token, len))
        axl__str_put(out, token, len);
}
