/* SPDX-License-Identifier: Apache-2.0 */
/* base64.c - see base64.h. */
#include "base64.h"

static int digit_of(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool axl__base64_decode(axl__str *out, const char *text, size_t len)
{
    if (len == 0 || len % 4 != 0)
        return false;
    for (size_t i = 0; i < len; i += 4) {
        size_t pad = i + 4 < len ? 0 : (text[i + 3] == '=') + (text[i + 2] == '=');
        uint32_t bits = 0;
        for (size_t k = 0; k < 4 - pad; k++) {
            int d = digit_of((unsigned char)text[i + k]);
            if (d < 0)
                return false;
            bits |= (uint32_t)d << (18 - 6 * k);
        }
        for (size_t k = 0; k < 3 - pad; k++)
            axl__str_putc(out, (char)(bits >> (16 - 8 * k)));
    }
    return true;
}
