/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pyrandom.c - see pyrandom.h.  All three shuffle from the end down, each item with one that is not
 * behind it; they differ in where the bits come from and how an index is made of them.
 */
#include "pyrandom.h"

#include "pcg64.h"

/* A number in [0, max]. */
typedef uint32_t (*draw_fn)(void *generator, uint32_t max);

static void shuffle(uint32_t *order, uint32_t n, draw_fn draw, void *generator)
{
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = draw(generator, i - 1), kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}

/* Python's: the top bits of a draw, as many as the number of choices has, drawn again while they
 * are too large. */
static uint32_t draw_by_top_bits(void *twister, uint32_t max)
{
    uint64_t n = (uint64_t)max + 1;
    uint32_t bits = 0, value;

    while (n >> bits)
        bits++;
    do
        value = (uint32_t)((uint64_t)axl__twister_draw(twister) << bits >> 32);
    while (value > max);
    return value;
}

/* All bits up to max's highest. */
static uint32_t mask_of(uint32_t max)
{
    for (int shift = 1; shift < 32; shift *= 2)
        max |= max >> shift;
    return max;
}

/* NumPy's shuffles: the low bits of a draw, drawn again while they are too large (its integers()
 * differ). */
static uint32_t draw_by_mask(void *twister, uint32_t max)
{
    uint32_t value, mask = mask_of(max);

    do
        value = axl__twister_draw(twister) & mask;
    while (value > max);
    return value;
}

static uint32_t draw_by_mask_pcg64(void *pcg64, uint32_t max)
{
    uint32_t value, mask = mask_of(max);

    do
        value = axl__pcg64_draw(pcg64) & mask;
    while (value > max);
    return value;
}

void axl__python_shuffle(uint32_t *order, uint32_t n, uint32_t seed)
{
    axl__twister t;

    axl__twister_seed_python(&t, seed);
    shuffle(order, n, draw_by_top_bits, &t);
}

void axl__numpy_permutation(uint32_t *order, uint32_t n, uint64_t seed)
{
    axl__pcg64 r;

    axl__pcg64_seed(&r, seed);
    shuffle(order, n, draw_by_mask_pcg64, &r);
}

void axl__numpy_permutation_next(uint32_t *order, uint32_t n, axl__twister *t)
{
    shuffle(order, n, draw_by_mask, t);
}
