/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simd.h - one vector of f32, `vf`, so that each kernel is written once and compiled for every
 * instruction set.  The build names the file with the implementation (AXL_SIMD_FILE) and the suffix
 * of the functions (AXL_ISA_SUFFIX); nothing here has external linkage, so no variant's code can
 * be picked in place of another's.
 *
 * A simd_*.h gives VF_N lanes and:
 *   vf_zero, vf_set1, vf_load, vf_store, vf_load_n, vf_store_n (the first n < VF_N lanes; others
 *   load as 0), the same for bf16: vf_load_bf16, vf_store_bf16, vf_load_bf16_n, vf_store_bf16_n;
 *   vf_add, vf_sub, vf_mul, vf_div, vf_sqrt; vf_max(a, b) = a > b ? a : b, vf_min likewise;
 *   vf_fma(a, b, c) = a b + c, fused where the machine can; vf_fused rounds once on any machine;
 *   vf_blend_lt(a, b, x, y) = a < b ? x : y;
 *   vf_round (to nearest even), vf_scale2(v, n) = v 2^n for an integral n in [-150, 129];
 *   vf_scale2_near: the same of v in [0.7, 1.5] where the result is normal, or of NaNs;
 *   vf_within(v, limit): v between -limit and limit, of a NaN a NaN or the limit;
 *   vf_all_within(v, limit): whether every lane is at most the limit, and none a NaN;
 *   vf_sum, vf_hmax: over the lanes, by halves, always in the same order;
 *   vf_to_bf16_value(v): v rounded to bf16 and widened again; vf_transpose(v[VF_N]) in place;
 *   vw_mul_low(a, b) of vw, VF_N / 2 lanes of 64 bits: the products of their lower halves;
 *   vw_zip_store(p, a, b): a[0], b[0], a[1], b[1], … to memory;
 *   vt, sixteen floats: vt_load(p), and vt_look_up(t, codes): t[code] of VF_N codes of four bits,
 * the upper half of each of VF_N / 2 bytes before the lower; vf_load_i8(p) widens VF_N int8;
 *   VF_TILE_ROWS, VF_TILE_VECS: rows and vectors of a matmul tile that fits the registers.
 * Rounding to bf16 is axl__f32_to_bf16 bit for bit.
 */
#ifndef AXL_CPU_SIMD_H
#define AXL_CPU_SIMD_H

#include "tensor/dtype.h"

#include <stdbool.h>
#include <stdint.h>

#define AXL_ISA_CAT2(a, b) a##_##b
#define AXL_ISA_CAT(a, b) AXL_ISA_CAT2(a, b)
/* The name of an external function of this variant: axl__rope_avx2. */
#define AXL_ISA_NAME(name) AXL_ISA_CAT(axl__##name, AXL_ISA_SUFFIX)

#define AXL_INLINE static inline __attribute__((always_inline, unused))

#if defined(__clang__)
#define AXL_UNROLL _Pragma("clang loop unroll(full)")
#else
#define AXL_UNROLL _Pragma("GCC unroll 16")
#endif

/* Unsigned 64-bit lanes, for + ^ & << >>. */
#define VW_N (VF_N / 2)
#define AXL_VW_OF(size) typedef uint64_t vw __attribute__((vector_size(size)))

#include AXL_SIMD_FILE

#ifndef VF_HAS_AMX
/* Tiles of 16 x 16 sums: only where the machine has them; these stand in so that code for both
 * compiles. */
#define VF_HAS_AMX 0
#define amx_zero(t) ((void)0)
#define amx_load(t, p, stride) ((void)0)
#define amx_store(t, p, stride) ((void)0)
#define amx_dot(c, a, b) ((void)0)
#define amx_begin() ((void)0)
#define amx_end() ((void)0)
#endif

/* Element i of f32 or bf16 memory, as vectors; n lanes with the _n forms. */
AXL_INLINE vf vf_load_t(const void *p, axl_dtype t, int64_t i)
{
    return t == AXL_F32 ? vf_load((const float *)p + i) : vf_load_bf16((const uint16_t *)p + i);
}

AXL_INLINE vf vf_load_t_n(const void *p, axl_dtype t, int64_t i, int64_t n)
{
    return t == AXL_F32 ? vf_load_n((const float *)p + i, n)
                        : vf_load_bf16_n((const uint16_t *)p + i, n);
}

AXL_INLINE void vf_store_t(void *p, axl_dtype t, int64_t i, vf v)
{
    if (t == AXL_F32)
        vf_store((float *)p + i, v);
    else
        vf_store_bf16((uint16_t *)p + i, v);
}

AXL_INLINE void vf_store_t_n(void *p, axl_dtype t, int64_t i, vf v, int64_t n)
{
    if (t == AXL_F32)
        vf_store_n((float *)p + i, v, n);
    else
        vf_store_bf16_n((uint16_t *)p + i, v, n);
}

#ifndef VF_HAS_DOT_BF16
/* Pairs of bf16 in a 32-bit lane, the first in the lower half: only where the machine multiplies
 * them; these stand in so that code for both compiles. */
#define VF_HAS_DOT_BF16 0

AXL_INLINE vf vf_dot_bf16(vf acc, vf a, vf b)
{
    (void)a;
    (void)b;
    return acc;
}

AXL_INLINE vf vf_join_pairs(vf first, vf second)
{
    (void)second;
    return first;
}

AXL_INLINE vf vf_round_pairs(vf first, vf second)
{
    (void)second;
    return first;
}

AXL_INLINE void vf_store_rounded(uint16_t *p, vf v)
{
    vf_store_bf16(p, v);
}

/* Sixteen values rounded to bf16, and those of 2 VF_N codes as pairs. */
typedef vt vp;

AXL_INLINE vp vp_load(const float *p)
{
    return vt_load(p);
}

AXL_INLINE vf vp_look_up(vp t, const uint8_t *codes)
{
    return vt_look_up(t, codes);
}

AXL_INLINE vf vf_load_pairs(const void *p, axl_dtype t, int64_t i)
{
    return vf_load_t(p, t, i);
}

AXL_INLINE vf vf_load_pairs_n(const void *p, axl_dtype t, int64_t i, int64_t n)
{
    return vf_load_t_n(p, t, i, n);
}
#endif

/* -1, 0 or 1; 0 for a NaN. */
AXL_INLINE vf vf_sign(vf x)
{
    vf zero = vf_zero(), one = vf_set1(1.0f);

    return vf_sub(vf_blend_lt(zero, x, one, zero), vf_blend_lt(x, zero, one, zero));
}

/* e^x within 2 units in the last place; 0 below -104, infinity above 89, NaN for NaN. */
AXL_INLINE vf vf_exp(vf x)
{
    x = vf_min(vf_set1(89.0f), vf_max(vf_set1(-104.0f), x)); /* a NaN is the second operand */
    vf n = vf_round(vf_mul(x, vf_set1(1.44269504f)));
    vf r = vf_fma(n, vf_set1(-0.693359375f), x);
    r = vf_fma(n, vf_set1(2.12194440e-4f), r);
    vf p = vf_set1(1.9875691500e-4f); /* Cephes expf */
    p = vf_fma(p, r, vf_set1(1.3981999507e-3f));
    p = vf_fma(p, r, vf_set1(8.3334519073e-3f));
    p = vf_fma(p, r, vf_set1(4.1665795894e-2f));
    p = vf_fma(p, r, vf_set1(1.6666665459e-1f));
    p = vf_fma(p, r, vf_set1(5.0000001201e-1f));
    p = vf_fma(p, vf_mul(r, r), vf_add(r, vf_set1(1.0f)));
    return vf_scale2(p, n);
}

/* 2^r on [-1/2, 1/2] for the two below: minimax fits. */
AXL_INLINE vf vf_exp2_fraction(vf r, bool rough)
{
    vf p;

    if (rough) {
        p = vf_fma(vf_set1(9.5701019112e-3f), r, vf_set1(5.5917860319e-2f));
        p = vf_fma(p, r, vf_set1(2.4024744828e-1f));
        p = vf_fma(p, r, vf_set1(6.9312181474e-1f));
        return vf_fma(p, r, vf_set1(9.9999926145e-1f));
    }
    p = vf_fma(vf_set1(1.5345812004e-4f), r, vf_set1(1.3399931219e-3f));
    p = vf_fma(p, r, vf_set1(9.6184889571e-3f));
    p = vf_fma(p, r, vf_set1(5.5503287770e-2f));
    p = vf_fma(p, r, vf_set1(2.4022646891e-1f));
    p = vf_fma(p, r, vf_set1(6.9314720574e-1f));
    return vf_fma(p, r, vf_set1(1.0f));
}

/* 2^x for x <= 128, 0 below -150: within 2 units in the last place, or 3e-6 when `rough`, which is
 * near enough for what becomes bf16. */
AXL_INLINE vf vf_exp2(vf x, bool rough)
{
    x = vf_max(vf_set1(-150.0f), x); /* a NaN is the second operand */
    vf n = vf_round(x);

    return vf_scale2(vf_exp2_fraction(vf_sub(x, n), rough), n);
}

/* The same of |x| <= 125.5, or a NaN, for less. */
AXL_INLINE vf vf_exp2_near(vf x, bool rough)
{
    vf n = vf_round(x);

    return vf_scale2_near(vf_exp2_fraction(vf_sub(x, n), rough), n);
}

/* tanh(x) within 6 units in the last place; at 9 and beyond it is 1, NaN for NaN.  x P(x^2) /
 * Q(x^2), a least squares fit. */
AXL_INLINE vf vf_tanh(vf x)
{
    x = vf_min(vf_set1(9.0f), vf_max(vf_set1(-9.0f), x)); /* a NaN is the second operand */
    vf t = vf_mul(x, x);
    vf p = vf_fma(vf_set1(1.33532710836e-8f), t, vf_set1(2.06080811044e-5f));
    vf q = vf_fma(vf_set1(7.77598868413e-7f), t, vf_set1(3.28553597249e-4f));

    p = vf_fma(p, t, vf_set1(3.49552818618e-3f));
    p = vf_fma(p, t, vf_set1(1.33809757907e-1f));
    p = vf_fma(p, t, vf_set1(1.0f));
    q = vf_fma(q, t, vf_set1(2.58767558833e-2f));
    q = vf_fma(q, t, vf_set1(4.67142914481e-1f));
    q = vf_fma(q, t, vf_set1(1.0f));
    return vf_div(vf_mul(x, p), q);
}

/* The same of |x| <= 1, twice as fast for want of a division: a polynomial through Chebyshev's
 * points.  When `rough` within 8e-6: for what becomes bf16, a minimax fit. */
AXL_INLINE vf vf_tanh_small(vf x, bool rough)
{
    vf t = vf_mul(x, x), p;

    if (rough) {
        p = vf_fma(vf_set1(9.0364227071e-3f), t, vf_set1(-4.481755197e-2f));
        p = vf_fma(p, t, vf_set1(1.3036811352e-1f));
        p = vf_fma(p, t, vf_set1(-3.3298066258e-1f));
        return vf_mul(x, vf_fma(p, t, vf_set1(9.9999308586e-1f)));
    }
    p = vf_fma(vf_set1(1.0380250967e-3f), t, vf_set1(-6.1943248336e-3f));
    p = vf_fma(p, t, vf_set1(2.0279708286e-2f));
    p = vf_fma(p, t, vf_set1(-5.345164637e-2f));
    p = vf_fma(p, t, vf_set1(1.3325076146e-1f));
    p = vf_fma(p, t, vf_set1(-3.3332827979e-1f));
    return vf_mul(x, vf_fma(p, t, vf_set1(9.9999994865e-1f)));
}

/* The address of element i. */
AXL_INLINE const void *axl_at(const void *p, axl_dtype t, int64_t i)
{
    return (const char *)p + (size_t)i * axl__dtype_size(t);
}

AXL_INLINE void *axl_at_mut(void *p, axl_dtype t, int64_t i)
{
    return (char *)p + (size_t)i * axl__dtype_size(t);
}

#endif
