/* SPDX-License-Identifier: Apache-2.0 */
/* simd_avx2.h - vf as eight lanes of AVX2 with FMA. */
#ifndef AXL_CPU_SIMD_AVX2_H
#define AXL_CPU_SIMD_AVX2_H

#include <immintrin.h>

#define VF_N 8
#define VF_TILE_ROWS 6
#define VF_TILE_VECS 2

typedef __m256 vf;
AXL_VW_OF(32);

AXL_INLINE vf vf_zero(void)
{
    return _mm256_setzero_ps();
}

AXL_INLINE vf vf_set1(float x)
{
    return _mm256_set1_ps(x);
}

AXL_INLINE vf vf_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

AXL_INLINE void vf_store(float *p, vf v)
{
    _mm256_storeu_ps(p, v);
}

AXL_INLINE __m256i vf_lanes(int64_t n)
{
    __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);

    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane);
}

AXL_INLINE vf vf_load_n(const float *p, int64_t n)
{
    return _mm256_maskload_ps(p, vf_lanes(n));
}

AXL_INLINE void vf_store_n(float *p, vf v, int64_t n)
{
    _mm256_maskstore_ps(p, vf_lanes(n), v);
}

AXL_INLINE vf vf_load_bf16(const uint16_t *p)
{
    __m256i u = _mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)p));

    return _mm256_castsi256_ps(_mm256_slli_epi32(u, 16));
}

/* The rounded bits in the upper halves, the lower ones undefined. */
AXL_INLINE __m256i vf_bf16_bits(vf v)
{
    __m256i u = _mm256_castps_si256(v);
    __m256i even = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
    __m256i near = _mm256_add_epi32(_mm256_add_epi32(u, _mm256_set1_epi32(0x7FFF)), even);
    __m256i quiet = _mm256_or_si256(u, _mm256_set1_epi32(0x400000));
    __m256 nan = _mm256_cmp_ps(v, v, _CMP_UNORD_Q);

    return _mm256_blendv_epi8(near, quiet, _mm256_castps_si256(nan));
}

AXL_INLINE __m128i vf_bf16_half(vf v)
{
    __m256i u = _mm256_srli_epi32(vf_bf16_bits(v), 16);

    return _mm_packus_epi32(_mm256_castsi256_si128(u), _mm256_extracti128_si256(u, 1));
}

AXL_INLINE void vf_store_bf16(uint16_t *p, vf v)
{
    _mm_storeu_si128((void *)p, vf_bf16_half(v));
}

AXL_INLINE vf vf_load_bf16_n(const uint16_t *p, int64_t n)
{
    uint16_t t[VF_N] = { 0 };

    memcpy(t, p, (size_t)n * sizeof *t);
    return vf_load_bf16(t);
}

AXL_INLINE void vf_store_bf16_n(uint16_t *p, vf v, int64_t n)
{
    uint16_t t[VF_N];

    vf_store_bf16(t, v);
    memcpy(p, t, (size_t)n * sizeof *t);
}

AXL_INLINE vf vf_to_bf16_value(vf v)
{
    __m256i u = _mm256_and_si256(vf_bf16_bits(v), _mm256_set1_epi32((int)0xFFFF0000));

    return _mm256_castsi256_ps(u);
}

AXL_INLINE vf vf_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}

AXL_INLINE vf vf_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}

AXL_INLINE vf vf_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}

AXL_INLINE vf vf_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}

AXL_INLINE vf vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

AXL_INLINE vf vf_fused(vf a, vf b, vf c)
{
    return vf_fma(a, b, c);
}

AXL_INLINE vf vf_sqrt(vf a)
{
    return _mm256_sqrt_ps(a);
}

AXL_INLINE vf vf_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}

AXL_INLINE vf vf_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}

AXL_INLINE vf vf_blend_lt(vf a, vf b, vf x, vf y)
{
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}

AXL_INLINE vf vf_round(vf v)
{
    return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* In two factors, since 2^n itself may be out of range. */
AXL_INLINE vf vf_scale2(vf v, vf n)
{
    __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1);
    __m256i rest = _mm256_sub_epi32(whole, half), bias = _mm256_set1_epi32(127);
    __m256i p = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    __m256i q = _mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23);

    return _mm256_mul_ps(_mm256_mul_ps(v, _mm256_castsi256_ps(p)), _mm256_castsi256_ps(q));
}

/* In the exponent's bits. */
AXL_INLINE vf vf_scale2_near(vf v, vf n)
{
    __m256i whole = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);

    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(v), whole));
}

AXL_INLINE vf vf_within(vf v, float limit)
{
    return vf_min(vf_set1(limit), vf_max(vf_set1(-limit), v)); /* a NaN is the second operand */
}

AXL_INLINE bool vf_all_within(vf v, float limit)
{
    return _mm256_movemask_ps(_mm256_cmp_ps(v, _mm256_set1_ps(limit), _CMP_NLE_UQ)) == 0;
}

AXL_INLINE vw vw_mul_low(vw a, vw b)
{
    return (vw)_mm256_mul_epu32((__m256i)a, (__m256i)b);
}

AXL_INLINE void vw_zip_store(void *p, vw a, vw b)
{
    __m256i lo = _mm256_unpacklo_epi64((__m256i)a, (__m256i)b);
    __m256i hi = _mm256_unpackhi_epi64((__m256i)a, (__m256i)b);

    _mm256_storeu_si256(p, _mm256_permute2x128_si256(lo, hi, 0x20));
    _mm256_storeu_si256((__m256i *)p + 1, _mm256_permute2x128_si256(lo, hi, 0x31));
}

typedef struct vt {
    __m256 low, high;
} vt;

AXL_INLINE vt vt_load(const float *p)
{
    return (vt){ vf_load(p), vf_load(p + VF_N) };
}

/* The permutation reads three bits of a lane, the blend the fourth, moved to the sign. */
AXL_INLINE vf vt_look_up(vt t, const uint8_t *codes)
{
    int32_t bytes;

    memcpy(&bytes, codes, sizeof bytes);
    __m256i both = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(bytes));
    __m256i lane = _mm256_or_si256(_mm256_srli_epi64(both, 4), _mm256_slli_epi64(both, 32));
    __m256 high = _mm256_castsi256_ps(_mm256_slli_epi32(lane, 28));

    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(t.low, lane),
                            _mm256_permutevar8x32_ps(t.high, lane), high);
}

AXL_INLINE vf vf_load_i8(const int8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)p)));
}

AXL_INLINE float vf_sum(vf v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}

AXL_INLINE float vf_hmax(vf v)
{
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
}

AXL_INLINE void vf_transpose(vf *v)
{
    vf t[8], u[8];

    AXL_UNROLL
    for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_ps(v[2 * i], v[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_ps(v[2 * i], v[2 * i + 1]);
    }
    AXL_UNROLL
    for (int i = 0; i < 2; i++) {
        u[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
        u[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xEE);
        u[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
        u[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xEE);
    }
    AXL_UNROLL
    for (int i = 0; i < 4; i++) {
        v[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
        v[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
    }
}

#endif
