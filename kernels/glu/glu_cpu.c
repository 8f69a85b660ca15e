/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glu_cpu.c - the gated unit: one pass, a vector read whole before its place is written, so
 * that the gradients may lie over gate and up.  Bound by exp in the caches, by memory outside.
 */
#include "kernels/glu/glu.h"

#include "kernels/cpu/span_cpu.h"

#include <assert.h>

/* rough: for what becomes bf16. */
AXL_INLINE vf sigmoid(vf x, bool rough)
{
    vf one = vf_set1(1.0f);
    vf e = rough ? vf_exp2(vf_min(vf_set1(128.0f), vf_mul(x, vf_set1(-1.44269504f))), true)
                 : vf_exp(vf_sub(vf_zero(), x));

    return vf_div(one, vf_add(one, e));
}

/* Rows of a tile, compiled for each type: all matrices of a call have the same one. */
#define ROWS_FN(name, type, lanes)                                                                 \
    AXL_INLINE void name##_as(const type *args, axl_tile t, axl_dtype dtype)                       \
    {                                                                                              \
        const type a = *args;                                                                      \
                                                                                                   \
        for (int64_t r = t.row; r < t.row_end; r++) {                                              \
            int64_t i = t.col;                                                                     \
                                                                                                   \
            for (; i + VF_N <= t.col_end; i += VF_N)                                               \
                lanes(&a, dtype, r, i, VF_N);                                                      \
            if (i < t.col_end)                                                                     \
                lanes(&a, dtype, r, i, t.col_end - i);                                             \
        }                                                                                          \
    }                                                                                              \
    static void name(const void *args, axl_tile t)                                                 \
    {                                                                                              \
        const type *a = args;                                                                      \
                                                                                                   \
        if (a->gate.dtype == AXL_BF16)                                                             \
            name##_as(a, t, AXL_BF16);                                                             \
        else                                                                                       \
            name##_as(a, t, AXL_F32);                                                              \
    }

/* ---- forward ---- */

AXL_INLINE void forward_lanes(const axl_glu_args *a, axl_dtype t, int64_t r, int64_t i, int64_t n)
{
    vf gate = axl_load(a->gate.data, t, r * a->gate.stride + i, n);
    vf up = axl_load(a->up.data, t, r * a->up.stride + i, n);

    axl_store(a->y.data, t, r * a->y.stride + i,
              vf_mul(vf_mul(gate, sigmoid(gate, t == AXL_BF16)), up), n);
}

ROWS_FN(forward_tile, axl_glu_args, forward_lanes)

axl_status AXL_ISA_NAME(glu_forward)(axl_device *dev, const axl_glu_args *a)
{
    assert(a->up.dtype == a->gate.dtype && a->y.dtype == a->gate.dtype);
    axl_tiles_run(dev, a->y.rows, a->y.cols, false, forward_tile, a);
    return AXL_OK;
}

/* ---- backward ---- */

AXL_INLINE void backward_lanes(const axl_glu_backward_args *a, axl_dtype t, int64_t r, int64_t i,
                               int64_t n)
{
    vf gate = axl_load(a->gate.data, t, r * a->gate.stride + i, n);
    vf up = axl_load(a->up.data, t, r * a->up.stride + i, n);
    vf dy = axl_load(a->dy.data, t, r * a->dy.stride + i, n);
    vf one = vf_set1(1.0f), s = sigmoid(gate, t == AXL_BF16);
    vf slope = vf_mul(s, vf_fma(gate, vf_sub(one, s), one));

    axl_store(a->dup.data, t, r * a->dup.stride + i, vf_mul(dy, vf_mul(gate, s)), n);
    axl_store(a->dgate.data, t, r * a->dgate.stride + i, vf_mul(vf_mul(dy, up), slope), n);
}

ROWS_FN(backward_tile, axl_glu_backward_args, backward_lanes)

axl_status AXL_ISA_NAME(glu_backward)(axl_device *dev, const axl_glu_backward_args *a)
{
    assert(a->up.dtype == a->gate.dtype && a->dy.dtype == a->gate.dtype);
    assert(a->dgate.dtype == a->gate.dtype && a->dup.dtype == a->gate.dtype);
    axl_tiles_run(dev, a->dy.rows, a->dy.cols, false, backward_tile, a);
    return AXL_OK;
}
