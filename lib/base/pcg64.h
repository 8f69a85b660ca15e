/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pcg64.h - PCG64 XSL-RR (M. E. O'Neill, "PCG: A family of simple fast space-efficient
 * statistically good algorithms for random number generation", 2014), seeded through O'Neill's
 * seed_seq_fe as NumPy's default_rng does.
 */
#ifndef AXL_BASE_PCG64_H
#define AXL_BASE_PCG64_H

#include <stdbool.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 axl__u128;

typedef struct axl__pcg64 {
    axl__u128 state, inc;
    uint32_t spare; /* the high half of the last draw */
    bool has_spare;
} axl__pcg64;

void axl__pcg64_seed(axl__pcg64 *r, uint64_t seed);
uint32_t axl__pcg64_draw(axl__pcg64 *r);

#endif
