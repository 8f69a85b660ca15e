/* SPDX-License-Identifier: Apache-2.0 */
/*
 * philox_cpu.h - many words of axl__philox at once, bit for bit: VW_N counters go through the ten
 * rounds side by side.
 */
#ifndef AXL_CPU_PHILOX_CPU_H
#define AXL_CPU_PHILOX_CPU_H

#include "op_cpu.h"

enum { AXL_PHILOX_COUNTERS = 64, AXL_PHILOX_WORDS = 4 * AXL_PHILOX_COUNTERS };

/* VW_N counters, a word of each in the lower half of a lane; the upper halves hold what the
 * multiplications left, which the next ones do not read. */
struct axl_counters {
    vw c0, c1, c2, c3;
};

AXL_INLINE vw axl_vw_set1(uint64_t x)
{
    return (vw){ 0 } + x;
}

/* out[4 j + k] = word k of counter j. */
AXL_INLINE void axl_store_words(uint32_t *out, const struct axl_counters *c)
{
    vw low = axl_vw_set1(0xFFFFFFFF);

    vw_zip_store(out, (c->c0 & low) | c->c1 << 32, (c->c2 & low) | c->c3 << 32);
}

/* The words of the counters (index, stream) to (index + AXL_PHILOX_COUNTERS - 1, stream); see
 * lib/base/rng.c. */
AXL_INLINE void axl_philox_words(uint32_t out[AXL_PHILOX_WORDS], uint64_t seed, uint64_t stream,
                                 uint64_t index)
{
    vw m0 = axl_vw_set1(0xD2511F53), m1 = axl_vw_set1(0xCD9E8D57), lane = axl_vw_set1(0);

    for (int j = 0; j < VW_N; j++)
        lane[j] = (uint64_t)j;
    for (int j = 0; j < AXL_PHILOX_COUNTERS; j += VW_N) {
        vw at = lane + (index + (uint64_t)j);
        struct axl_counters c = { at, at >> 32, axl_vw_set1(stream), axl_vw_set1(stream >> 32) };
        uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);

        for (int i = 0; i < 10; i++) {
            vw p0 = vw_mul_low(c.c0, m0), p1 = vw_mul_low(c.c2, m1);
            c = (struct axl_counters){ p1 >> 32 ^ c.c1 ^ axl_vw_set1(k0), p1,
                                       p0 >> 32 ^ c.c3 ^ axl_vw_set1(k1), p0 };
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        axl_store_words(out + 4 * j, &c);
    }
}

#endif
