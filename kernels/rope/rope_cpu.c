/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rope_cpu.c - the rotation of positions, bound by memory: x is read and written once, the tables'
 * row of a token stays in the first-level cache for all of its heads.
 */
#include "kernels/rope/rope.h"

#include "kernels/cpu/span_cpu.h"

/* Pairs [i, i + n) of a head at x. */
AXL_INLINE void rotate_lanes(void *x, axl_dtype type, int64_t half, const float *cos,
                             const float *sin, vf sign, int64_t i, int64_t n)
{
    vf c = axl_load(cos, AXL_F32, i, n), s = vf_mul(axl_load(sin, AXL_F32, i, n), sign);
    vf x1 = axl_load(x, type, i, n), x2 = axl_load(x, type, half + i, n);

    axl_store(x, type, i, vf_fma(x1, c, vf_mul(x2, vf_sub(vf_zero(), s))), n);
    axl_store(x, type, half + i, vf_fma(x2, c, vf_mul(x1, s)), n);
}

static void rotate_tile(const void *args, axl_tile t)
{
    const axl_rope_args *a = args;
    int64_t half = a->rotary_dim / 2;
    vf sign = vf_set1(a->inverse ? -1.0f : 1.0f);

    for (int64_t r = t.row; r < t.row_end; r++) {
        const float *cos = a->cos + a->positions[r] * half, *sin = a->sin + a->positions[r] * half;

        for (int64_t h = 0; h < a->n_heads; h++) {
            void *x = axl_at_mut(a->x.data, a->x.dtype, r * a->x.stride + h * a->head_dim);
            int64_t i = 0;

            for (; i + VF_N <= half; i += VF_N)
                rotate_lanes(x, a->x.dtype, half, cos, sin, sign, i, VF_N);
            if (i < half)
                rotate_lanes(x, a->x.dtype, half, cos, sin, sign, i, half - i);
        }
    }
}

axl_status AXL_ISA_NAME(rope)(axl_device *dev, const axl_rope_args *a)
{
    axl_tiles_run(dev, a->x.rows, a->n_heads * a->head_dim, true, rotate_tile, a);
    return AXL_OK;
}
