/* SPDX-License-Identifier: Apache-2.0 */
/*
 * python_shuffle.c - the Mersenne twister (Matsumoto, Nishimura, "Mersenne Twister", 1998) seeded
 * by a list of one number, and Python's way from its numbers to a shuffle: an index below n is the
 * top bits of a draw, as many as n has, drawn again while it is too large.
 */
#include "python_shuffle.h"

enum { WORDS = 624, SHIFT = 397 };

typedef struct {
    uint32_t words[WORDS];
    uint32_t at;
} twister;

static void seed_twister(twister *t, uint32_t seed)
{
    uint32_t *w = t->words, i;

    w[0] = 19650218u;
    for (i = 1; i < WORDS; i++)
        w[i] = 1812433253u * (w[i - 1] ^ w[i - 1] >> 30) + i;
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
    t->at = WORDS;
}

static void refill(twister *t)
{
    uint32_t *w = t->words;

    for (uint32_t i = 0; i < WORDS; i++) {
        uint32_t y = (w[i] & 0x80000000u) | (w[(i + 1) % WORDS] & 0x7FFFFFFFu);
        w[i] = w[(i + SHIFT) % WORDS] ^ y >> 1 ^ (y & 1 ? 0x9908B0DFu : 0);
    }
    t->at = 0;
}

static uint32_t draw(twister *t)
{
    if (t->at == WORDS)
        refill(t);
    uint32_t y = t->words[t->at++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9D2C5680u;
    y ^= y << 15 & 0xEFC60000u;
    return y ^ y >> 18;
}

static uint32_t draw_below(twister *t, uint32_t n)
{
    uint32_t bits = 0, r;

    while (bits < 32 && n >> bits)
        bits++;
    do
        r = draw(t) >> (32 - bits);
    while (r >= n);
    return r;
}

void axl__python_shuffle(uint32_t *order, uint32_t n, uint32_t seed)
{
    twister t;

    seed_twister(&t, seed);
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n - 1; i > 0; i--) {
        uint32_t j = draw_below(&t, i + 1), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}
