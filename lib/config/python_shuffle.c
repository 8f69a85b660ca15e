/* SPDX-License-Identifier: Apache-2.0 */
/*
 * python_shuffle.c - Python's way from the twister's numbers to a shuffle: an index below n is the
 * top bits of a draw, as many as n has, drawn again while it is too large.
 */
#include "python_shuffle.h"

#include "base/twister.h"

static uint32_t draw_below(axl__twister *t, uint32_t n)
{
    uint32_t bits = 0, r;

    while (bits < 32 && n >> bits)
        bits++;
    do
        r = axl__twister_draw(t) >> (32 - bits);
    while (r >= n);
    return r;
}

void axl__python_shuffle(uint32_t *order, uint32_t n, uint32_t seed)
{
    axl__twister t;

    axl__twister_seed_python(&t, seed);
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n - 1; i > 0; i--) {
        uint32_t j = draw_below(&t, i + 1), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}
