/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simd_avx512_bf16.h - AVX-512 with dot products of pairs of bf16: a 32-bit lane holds two, the
 * first in the lower half.  The instruction takes subnormal operands for 0, so that rounding with
 * vcvtne2ps2bf16, which does so too, loses nothing here.
 */
#ifndef AXL_CPU_SIMD_AVX512_BF16_H
#define AXL_CPU_SIMD_AVX512_BF16_H

#define VF_OWN_BF16_HALF
#include "simd_avx512.h"

#define VF_HAS_DOT_BF16 1

/* The instruction takes subnormal values for 0, so that a vector with one goes the long way. */
AXL_INLINE __m256i vf_bf16_half(vf v)
{
    enum { SUBNORMAL = 0x20 };

    if (__builtin_expect(_mm512_fpclass_ps_mask(v, SUBNORMAL) != 0, 0))
        return vf_bf16_by_bits(v);
    return (__m256i)_mm512_cvtneps_pbh(v);
}

/* acc + a.first b.first + a.second b.second in each lane. */
AXL_INLINE vf vf_dot_bf16(vf acc, vf a, vf b)
{
    return _mm512_dpbf16_ps(acc, (__m512bh)_mm512_castps_si512(a),
                            (__m512bh)_mm512_castps_si512(b));
}

/* Pairs of the lanes of two vectors whose values are bf16. */
AXL_INLINE vf vf_join_pairs(vf first, vf second)
{
    __m512i lo = _mm512_srli_epi32(_mm512_castps_si512(first), 16);
    __m512i hi = _mm512_castps_si512(second);

    return _mm512_castsi512_ps(_mm512_mask_blend_epi16(0xAAAAAAAA, lo, hi));
}

/* Rounded by the machine, which takes subnormal values for 0. */
AXL_INLINE void vf_store_rounded(uint16_t *p, vf v)
{
    _mm256_storeu_si256((void *)p, (__m256i)_mm512_cvtneps_pbh(v));
}

/* As vf_join_pairs, rounded here. */
AXL_INLINE vf vf_round_pairs(vf first, vf second)
{
    static const uint16_t turn[32] = {
        0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
        8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
    };
    __m512i both = (__m512i)_mm512_cvtne2ps_pbh(second, first);

    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(_mm512_loadu_si512(turn), both));
}

/* Sixteen values rounded to bf16, twice: the permutation reads five bits of a lane. */
typedef __m512i vp;

AXL_INLINE vp vp_load(const float *p)
{
    return _mm512_broadcast_i64x4(vf_bf16_half(vf_load(p)));
}

/* Those of 2 VF_N codes as pairs: a byte holds the two of a lane. */
AXL_INLINE vf vp_look_up(vp t, const uint8_t *codes)
{
    __m512i byte = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)codes));
    __m512i half = _mm512_or_si512(_mm512_srli_epi32(byte, 4), _mm512_slli_epi32(byte, 16));

    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(half, t));
}

/* 2 VF_N elements of memory from element i, or n < 2 VF_N of them and zeros, as VF_N pairs. */
AXL_INLINE vf vf_load_pairs(const void *p, axl_dtype t, int64_t i)
{
    if (t == AXL_BF16)
        return _mm512_castsi512_ps(_mm512_loadu_si512((const uint16_t *)p + i));
    const float *x = (const float *)p + i;
    __m512bh pairs = _mm512_cvtne2ps_pbh(vf_load(x + VF_N), vf_load(x));
    return _mm512_castsi512_ps((__m512i)pairs);
}

AXL_INLINE vf vf_load_pairs_n(const void *p, axl_dtype t, int64_t i, int64_t n)
{
    if (t == AXL_BF16) {
        __mmask32 lanes = (__mmask32)(((uint64_t)1 << n) - 1);
        return _mm512_castsi512_ps(_mm512_maskz_loadu_epi16(lanes, (const uint16_t *)p + i));
    }
    const float *x = (const float *)p + i;
    vf lo = n < VF_N ? vf_load_n(x, n) : vf_load(x);
    vf hi = n > VF_N ? vf_load_n(x + VF_N, n - VF_N) : vf_zero();
    return _mm512_castsi512_ps((__m512i)_mm512_cvtne2ps_pbh(hi, lo));
}

#endif
