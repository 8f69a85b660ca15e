/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simd_amx.h - AVX-512 with bf16, and tiles of AMX for products of bf16: a tile is 16 rows of 64
 * bytes, and one instruction adds the product of (16, 32) by (32, 16) to 16 x 16 sums.  Where there
 * is no such machine, the tests put another file in the place of the five primitives.
 */
#ifndef AXL_CPU_SIMD_AMX_H
#define AXL_CPU_SIMD_AMX_H

/* Panels of two vectors: two by two tiles of sums, and two of each operand, fill the eight. */
#define VF_TILE_VECS 2

#include "simd_avx512_bf16.h"

#define VF_HAS_AMX 1

#ifdef AXL_AMX_FILE
#include AXL_AMX_FILE
#else
/* The tile numbers are constants. */
#define amx_zero(t) _tile_zero(t)
#define amx_load(t, p, stride) _tile_loadd(t, p, (size_t)(stride))
#define amx_store(t, p, stride) _tile_stored(t, p, (size_t)(stride))
#define amx_dot(c, a, b) _tile_dpbf16ps(c, a, b)

/* Palette 1, all eight tiles whole. */
AXL_INLINE void amx_begin(void)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } __attribute__((aligned(64))) config = { .palette = 1 };

    for (int i = 0; i < 8; i++) {
        config.row_bytes[i] = 64;
        config.rows[i] = 16;
    }
    _tile_loadconfig(&config);
}

AXL_INLINE void amx_end(void)
{
    _tile_release();
}
#endif

#endif
