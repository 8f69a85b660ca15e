/* SPDX-License-Identifier: Apache-2.0 */
/* pcg64.c - see pcg64.h. */
#include "pcg64.h"

/* The constants are those of NumPy's SeedSequence and of PCG64, the XSL RR 128/64 generator. */
enum { POOL = 4 };

static uint32_t hash_mix(uint32_t value, uint32_t *constant, uint32_t factor)
{
    value ^= *constant;
    *constant *= factor;
    value *= *constant;
    return value ^ value >> 16;
}

/* The eight words that default_rng seeds PCG64 with. */
static void seed_sequence(uint32_t out[2 * POOL], uint64_t seed)
{
    uint32_t pool[POOL], constant = 0x43b0d7e5;

    for (int i = 0; i < POOL; i++)
        pool[i] = hash_mix(i < 2 ? (uint32_t)(seed >> 32 * i) : 0, &constant, 0x931e8875);
    for (int from = 0; from < POOL; from++) {
        for (int to = 0; to < POOL; to++) {
            if (from == to)
                continue;
            uint32_t h = hash_mix(pool[from], &constant, 0x931e8875);
            uint32_t mixed = 0xca01f9ddu * pool[to] - 0x4973f715u * h;
            pool[to] = mixed ^ mixed >> 16;
        }
    }
    constant = 0x8b51f9dd;
    for (int i = 0; i < 2 * POOL; i++)
        out[i] = hash_mix(pool[i % POOL], &constant, 0x58f38ded);
}

static uint64_t pcg_next(axl__pcg64 *r)
{
    static const axl__u128 factor = (axl__u128)0x2360ED051FC65DA4u << 64 | 0x4385DF649FCCF645u;

    r->state = r->state * factor + r->inc;
    uint64_t folded = (uint64_t)(r->state >> 64) ^ (uint64_t)r->state;
    unsigned turn = (unsigned)(r->state >> 122);
    return folded >> turn | folded << (-turn & 63);
}

void axl__pcg64_seed(axl__pcg64 *r, uint64_t seed)
{
    uint32_t words[2 * POOL];
    uint64_t w[POOL];

    seed_sequence(words, seed);
    for (int i = 0; i < POOL; i++)
        w[i] = (uint64_t)words[2 * i + 1] << 32 | words[2 * i];
    r->state = 0;
    r->inc = ((axl__u128)w[2] << 64 | w[3]) << 1 | 1;
    pcg_next(r);
    r->state += (axl__u128)w[0] << 64 | w[1];
    pcg_next(r);
    r->has_spare = false;
}

/* NumPy draws 32 bits as halves of 64, the low one first. */
uint32_t axl__pcg64_draw(axl__pcg64 *r)
{
    if (r->has_spare) {
        r->has_spare = false;
        return r->spare;
    }
    uint64_t x = pcg_next(r);
    r->spare = (uint32_t)(x >> 32);
    r->has_spare = true;
    return (uint32_t)x;
}
