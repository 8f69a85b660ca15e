/* SPDX-License-Identifier: Apache-2.0 */
/* rng.c - see rng.h; constants from the paper's reference implementation, Random123. */
#include "rng.h"

enum { ROUNDS = 10 };

/* The seed is the key; index and stream are the counter, of which each value is a draw of its
 * own. */
void axl__philox(uint32_t out[4], uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32);
    uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint64_t axl__random_u64(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t w[4];

    axl__philox(w, seed, stream, index);
    return (uint64_t)w[1] << 32 | w[0];
}

double axl__random_double(uint64_t seed, uint64_t stream, uint64_t index)
{
    return (double)(axl__random_u64(seed, stream, index) >> 11) * 0x1p-53;
}

uint64_t axl__random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n)
{
    uint64_t x = axl__random_u64(seed, stream, index);
    uint64_t x0 = (uint32_t)x, x1 = x >> 32, n0 = (uint32_t)n, n1 = n >> 32;
    uint64_t mid = x1 * n0 + (x0 * n0 >> 32), low = (uint32_t)mid + x0 * n1;

    return x1 * n1 + (mid >> 32) + (low >> 32); /* the high half of x * n */
}

void axl__shuffle(uint32_t *order, uint32_t n, uint64_t seed, uint64_t stream)
{
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = (uint32_t)axl__random_below(seed, stream, i - 1, i), t = order[i - 1];
        order[i - 1] = order[j];
        order[j] = t;
    }
}
