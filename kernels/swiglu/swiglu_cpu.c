/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swiglu_cpu.c - the gated unit: one pass, a vector read whole before its place is written, so
 * that the gradients may lie over gate and up.  exp is vf_exp (2 units in the last place).
 */
#include "kernels/swiglu/swiglu.h"

#include "kernels/cpu/span_cpu.h"

AXL_INLINE vf sigmoid(vf x)
{
    vf one = vf_set1(1.0f);

    return vf_div(one, vf_add(one, vf_exp(vf_sub(vf_zero(), x))));
}

/* ---- forward ---- */

AXL_INLINE void forward_lanes(const axl_swiglu_args *a, int64_t r, int64_t i, int64_t n)
{
    vf gate = axl_load(a->gate.data, a->gate.dtype, r * a->gate.stride + i, n);
    vf up = axl_load(a->up.data, a->up.dtype, r * a->up.stride + i, n);

    axl_store(a->y.data, a->y.dtype, r * a->y.stride + i,
              vf_mul(vf_mul(gate, sigmoid(gate)), up), n);
}

static void forward_tile(const void *args, axl_tile t)
{
    const axl_swiglu_args a = *(const axl_swiglu_args *)args;

    for (int64_t r = t.row; r < t.row_end; r++) {
        int64_t i = t.col;

        for (; i + VF_N <= t.col_end; i += VF_N)
            forward_lanes(&a, r, i, VF_N);
        if (i < t.col_end)
            forward_lanes(&a, r, i, t.col_end - i);
    }
}

axl_status AXL_ISA_NAME(swiglu_forward)(axl_device *dev, const axl_swiglu_args *a)
{
    axl_tiles_run(dev, a->y.rows, a->y.cols, false, forward_tile, a);
    return AXL_OK;
}

/* ---- backward ---- */

AXL_INLINE void backward_lanes(const axl_swiglu_backward_args *a, int64_t r, int64_t i, int64_t n)
{
    vf gate = axl_load(a->gate.data, a->gate.dtype, r * a->gate.stride + i, n);
    vf up = axl_load(a->up.data, a->up.dtype, r * a->up.stride + i, n);
    vf dy = axl_load(a->dy.data, a->dy.dtype, r * a->dy.stride + i, n);
    vf one = vf_set1(1.0f), s = sigmoid(gate);
    vf slope = vf_mul(s, vf_fma(gate, vf_sub(one, s), one));

    axl_store(a->dup.data, a->dup.dtype, r * a->dup.stride + i, vf_mul(dy, vf_mul(gate, s)), n);
    axl_store(a->dgate.data, a->dgate.dtype, r * a->dgate.stride + i,
              vf_mul(vf_mul(dy, up), slope), n);
}

static void backward_tile(const void *args, axl_tile t)
{
    const axl_swiglu_backward_args a = *(const axl_swiglu_backward_args *)args;

    for (int64_t r = t.row; r < t.row_end; r++) {
        int64_t i = t.col;

        for (; i + VF_N <= t.col_end; i += VF_N)
            backward_lanes(&a, r, i, VF_N);
        if (i < t.col_end)
            backward_lanes(&a, r, i, t.col_end - i);
    }
}

axl_status AXL_ISA_NAME(swiglu_backward)(axl_device *dev, const axl_swiglu_backward_args *a)
{
    axl_tiles_run(dev, a->dy.rows, a->dy.cols, false, backward_tile, a);
    return AXL_OK;
}
