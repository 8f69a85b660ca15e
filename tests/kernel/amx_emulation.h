/* SPDX-License-Identifier: Apache-2.0 */
/*
 * amx_emulation.h - the primitives of simd_amx.h in plain C, so that the kernels made of them are
 * tested where the processor has no AMX.  As there, loads and stores move 16 rows of 64 bytes, and
 * nothing works between amx_end and amx_begin: tiles are then full of NaNs.
 */
#ifndef AXL_AMX_EMULATION_H
#define AXL_AMX_EMULATION_H

#include <string.h>

static _Thread_local union amx_tile {
    float f[16][16];
    uint16_t h[16][32];
} amx_tiles[8];
static _Thread_local int amx_on;

AXL_INLINE void amx_begin(void)
{
    memset(amx_tiles, 0, sizeof amx_tiles);
    amx_on = 1;
}

AXL_INLINE void amx_end(void)
{
    memset(amx_tiles, 0xFF, sizeof amx_tiles);
    amx_on = 0;
}

AXL_INLINE void amx_zero(int t)
{
    memset(&amx_tiles[t], amx_on ? 0 : 0xFF, sizeof amx_tiles[t]);
}

AXL_INLINE void amx_load(int t, const void *p, int64_t stride)
{
    for (int r = 0; r < 16 && amx_on; r++)
        memcpy(amx_tiles[t].f[r], (const char *)p + r * stride, 64);
}

AXL_INLINE void amx_store(int t, void *p, int64_t stride)
{
    for (int r = 0; r < 16; r++)
        memcpy((char *)p + r * stride, amx_tiles[t].f[r], 64);
}

AXL_INLINE void amx_dot(int c, int a, int b)
{
    for (int m = 0; m < 16; m++)
        for (int k = 0; k < 16; k++)
            for (int i = 0; i < 2; i++)
                for (int n = 0; n < 16; n++)
                    amx_tiles[c].f[m][n] += axl__bf16_to_f32(amx_tiles[a].h[m][2 * k + i]) *
                                            axl__bf16_to_f32(amx_tiles[b].h[k][2 * n + i]);
}

#endif
