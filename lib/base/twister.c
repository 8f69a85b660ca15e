/* SPDX-License-Identifier: Apache-2.0 */
/* twister.c - see twister.h. */
#include "twister.h"

/* MT19937 (Matsumoto and Nishimura, 1998), whose constants these are. */
enum { WORDS = AXL__TWISTER_WORDS, SHIFT = 397 };

void axl__twister_seed(axl__twister *t, uint32_t seed)
{
    uint32_t *w = t->words;

    w[0] = seed;
    for (uint32_t i = 1; i < WORDS; i++)
        w[i] = 1812433253u * (w[i - 1] ^ w[i - 1] >> 30) + i;
    t->at = WORDS;
}

/* By a list of one number, as Python's random.seed does with any integer of 32 bits. */
void axl__twister_seed_python(axl__twister *t, uint32_t seed)
{
    uint32_t *w = t->words;

    axl__twister_seed(t, 19650218u);
    for (uint32_t k = 0, j = 1; k < WORDS; k++) {
        w[j] = (w[j] ^ (w[j - 1] ^ w[j - 1] >> 30) * 1664525u) + seed;
        if (++j == WORDS) {
            w[0] = w[WORDS - 1];
            j = 1;
        }
    }
    for (uint32_t k = 0, j = 2; k < WORDS - 1; k++) {
        w[j] = (w[j] ^ (w[j - 1] ^ w[j - 1] >> 30) * 1566083941u) - j;
        if (++j == WORDS) {
            w[0] = w[WORDS - 1];
            j = 1;
        }
    }
    w[0] = 0x80000000u;
}

static void refill(axl__twister *t)
{
    uint32_t *w = t->words;

    for (uint32_t i = 0; i < WORDS; i++) {
        uint32_t y = (w[i] & 0x80000000u) | (w[(i + 1) % WORDS] & 0x7FFFFFFFu);
        w[i] = w[(i + SHIFT) % WORDS] ^ y >> 1 ^ (y & 1 ? 0x9908B0DFu : 0);
    }
    t->at = 0;
}

uint32_t axl__twister_draw(axl__twister *t)
{
    if (t->at == WORDS)
        refill(t);
    uint32_t y = t->words[t->at++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9D2C5680u;
    y ^= y << 15 & 0xEFC60000u;
    return y ^ y >> 18;
}
