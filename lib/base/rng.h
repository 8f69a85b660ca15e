/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rng.h - counter-based random numbers: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as
 * easy as 1, 2, 3", SC 2011).  A value depends on (seed, stream, index) alone, so that any thread
 * may draw any number and a resumed run draws the same ones.
 */
#ifndef AXL_BASE_RNG_H
#define AXL_BASE_RNG_H

#include <stdint.h>

/* Streams that must never meet: the first argument of a draw after the seed. */
typedef enum axl__stream {
    AXL__STREAM_SHUFFLE = 1,
    AXL__STREAM_SPLIT = 2,
    AXL__STREAM_INIT = 3,
    AXL__STREAM_DROPOUT = 4,
    AXL__STREAM_SAMPLE = 5,
    AXL__STREAM_NOISE = 6,
    AXL__STREAM_PRUNE = 7,
    AXL__STREAM_WEIGHTS = 8,
    AXL__STREAM_GROW = 9
} axl__stream;

/* Four 32-bit words for counter (index, stream). */
void axl__philox(uint32_t out[4], uint64_t seed, uint64_t stream, uint64_t index);
/* 64 bits; index counts draws. */
uint64_t axl__random_u64(uint64_t seed, uint64_t stream, uint64_t index);
/* In [0, 1) with 53 bits. */
double axl__random_double(uint64_t seed, uint64_t stream, uint64_t index);
/* In [0, n) without bias worth naming (multiply-shift on 64 bits); n > 0. */
uint64_t axl__random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n);
/* order[i] = i, then Fisher-Yates; n - 1 draws. */
void axl__shuffle(uint32_t *order, uint32_t n, uint64_t seed, uint64_t stream);

#endif
