/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glu_cpu.c - the gated unit: one pass, a vector read whole before its place is written, so
 * that the gradients may lie over gate and up.  Bound by exp in the caches, by memory outside.
 */
#include "kernels/glu/glu.h"

#include "kernels/cpu/span_cpu.h"

#include <assert.h>

#define LOG2_E 1.44269504f

/* rough: for what becomes bf16. */
AXL_INLINE vf sigmoid(vf x, bool rough)
{
    vf one = vf_set1(1.0f);
    vf e = rough ? vf_exp2(vf_min(vf_set1(128.0f), vf_mul(x, vf_set1(-LOG2_E))), true)
                 : vf_exp(vf_sub(vf_zero(), x));

    return vf_div(one, vf_add(one, e));
}

/* What each activation multiplies its x with, and its derivative through slope.  A NaN is sure to
 * reach the product alone. */

AXL_INLINE vf silu(vf x, bool rough, vf *slope)
{
    vf one = vf_set1(1.0f), s = sigmoid(x, rough);

    *slope = vf_mul(s, vf_fma(x, vf_sub(one, s), one));
    return s;
}

/* exp(z^2) erfc(z) for z >= 0 within 1e-7: a least squares fit of a rational function, good
 * to 10.5, from where on exp(-z^2) is 0. */
AXL_INLINE vf scaled_erfc(vf z)
{
    vf p = vf_fma(vf_set1(3.3138379168e-2f), z, vf_set1(2.3084407278e-1f));
    vf q = vf_fma(vf_set1(5.8735602908e-2f), z, vf_set1(4.091853156e-1f));

    p = vf_fma(p, z, vf_set1(7.3500956685e-1f));
    p = vf_fma(p, z, vf_set1(1.2416565735f));
    p = vf_fma(p, z, vf_set1(1.0f));
    q = vf_fma(q, z, vf_set1(1.3317262805f));
    q = vf_fma(q, z, vf_set1(2.4092992699f));
    q = vf_fma(q, z, vf_set1(2.37003636f));
    q = vf_fma(q, z, vf_set1(1.0f));
    return vf_div(p, q);
}

/* The tail beyond |x| by its own, so that a small one is exact.  Beyond 13 it is nothing. */
AXL_INLINE vf gelu(vf x, bool rough, vf *slope)
{
    const float density_at_0 = 0.39894228f; /* 1 / sqrt(2 pi) */
    vf zero = vf_zero(), one = vf_set1(1.0f), y = vf_within(x, 13.0f);
    vf density = vf_exp2_near(vf_mul(vf_mul(y, y), vf_set1(-0.5f * LOG2_E)), rough);
    vf z = vf_mul(vf_max(y, vf_sub(zero, y)), vf_set1(0.70710678f));
    vf tail = vf_mul(vf_mul(vf_set1(0.5f), density), scaled_erfc(z));
    vf s = vf_blend_lt(y, zero, tail, vf_sub(one, tail));

    *slope = vf_fma(vf_mul(y, vf_set1(density_at_0)), density, s);
    return s;
}

/* Beyond 9.98 s is 2^-125 or 1: nothing, or all. */
AXL_INLINE vf gelu_tanh(vf x, bool rough, vf *slope)
{
    const float two_u = 1.59576912f, cubed = 0.0713548163f; /* of y and of y^3 in 2 u */
    vf one = vf_set1(1.0f), y = vf_within(x, 9.98f), square = vf_mul(y, y);
    vf rate = vf_fma(square, vf_set1(-LOG2_E * cubed), vf_set1(-LOG2_E * two_u));
    vf s = vf_div(one, vf_add(one, vf_exp2_near(vf_mul(y, rate), rough)));
    vf inner = vf_fma(square, vf_set1(3.0f * cubed), vf_set1(two_u));

    *slope = vf_fma(vf_mul(y, s), vf_mul(inner, vf_sub(one, s)), s);
    return s;
}

AXL_INLINE vf activate(axl_activation act, vf x, bool rough, vf *slope)
{
    return act == AXL_GELU_TANH ? gelu_tanh(x, rough, slope)
           : act == AXL_GELU    ? gelu(x, rough, slope)
                                : silu(x, rough, slope);
}

/* Rows of a tile, compiled for each activation and type: all matrices of a call have the same. */
#define ROWS_FN(name, type, lanes)                                                                 \
    AXL_INLINE void name##_as(const type *args, axl_tile t, axl_activation act, axl_dtype dtype)   \
    {                                                                                              \
        const type a = *args;                                                                      \
                                                                                                   \
        for (int64_t r = t.row; r < t.row_end; r++) {                                              \
            int64_t i = t.col;                                                                     \
                                                                                                   \
            for (; i + VF_N <= t.col_end; i += VF_N)                                               \
                lanes(&a, act, dtype, r, i, VF_N);                                                 \
            if (i < t.col_end)                                                                     \
                lanes(&a, act, dtype, r, i, t.col_end - i);                                        \
        }                                                                                          \
    }                                                                                              \
    AXL_INLINE void name##_with(const type *a, axl_tile t, axl_activation act)                     \
    {                                                                                              \
        if (a->gate.dtype == AXL_BF16)                                                             \
            name##_as(a, t, act, AXL_BF16);                                                        \
        else                                                                                       \
            name##_as(a, t, act, AXL_F32);                                                         \
    }                                                                                              \
    static void name(const void *args, axl_tile t)                                                 \
    {                                                                                              \
        const type *a = args;                                                                      \
                                                                                                   \
        if (a->act == AXL_GELU_TANH)                                                               \
            name##_with(a, t, AXL_GELU_TANH);                                                      \
        else if (a->act == AXL_GELU)                                                               \
            name##_with(a, t, AXL_GELU);                                                           \
        else                                                                                       \
            name##_with(a, t, AXL_SILU);                                                           \
    }

/* ---- forward ---- */

AXL_INLINE void forward_lanes(const axl_glu_args *a, axl_activation act, axl_dtype t, int64_t r,
                              int64_t i, int64_t n)
{
    vf gate = axl_load(a->gate.data, t, r * a->gate.stride + i, n);
    vf up = axl_load(a->up.data, t, r * a->up.stride + i, n), unused;
    vf s = activate(act, gate, t == AXL_BF16, &unused);

    axl_store(a->y.data, t, r * a->y.stride + i, vf_mul(vf_mul(gate, s), up), n);
}

ROWS_FN(forward_tile, axl_glu_args, forward_lanes)

axl_status AXL_ISA_NAME(glu_forward)(axl_device *dev, const axl_glu_args *a)
{
    assert(a->up.dtype == a->gate.dtype && a->y.dtype == a->gate.dtype);
    assert(a->act < AXL_ACTIVATIONS);
    axl_tiles_run(dev, a->y.rows, a->y.cols, false, forward_tile, a);
    return AXL_OK;
}

/* ---- backward ---- */

AXL_INLINE void backward_lanes(const axl_glu_backward_args *a, axl_activation act, axl_dtype t,
                               int64_t r, int64_t i, int64_t n)
{
    vf gate = axl_load(a->gate.data, t, r * a->gate.stride + i, n);
    vf up = axl_load(a->up.data, t, r * a->up.stride + i, n);
    vf dy = axl_load(a->dy.data, t, r * a->dy.stride + i, n), slope;
    vf s = activate(act, gate, t == AXL_BF16, &slope);

    axl_store(a->dup.data, t, r * a->dup.stride + i, vf_mul(dy, vf_mul(gate, s)), n);
    axl_store(a->dgate.data, t, r * a->dgate.stride + i, vf_mul(vf_mul(dy, up), slope), n);
}

ROWS_FN(backward_tile, axl_glu_backward_args, backward_lanes)

axl_status AXL_ISA_NAME(glu_backward)(axl_device *dev, const axl_glu_backward_args *a)
{
    assert(a->up.dtype == a->gate.dtype && a->dy.dtype == a->gate.dtype);
    assert(a->dgate.dtype == a->gate.dtype && a->dup.dtype == a->gate.dtype);
    assert(a->act < AXL_ACTIVATIONS);
    axl_tiles_run(dev, a->dy.rows, a->dy.cols, false, backward_tile, a);
    return AXL_OK;
}
