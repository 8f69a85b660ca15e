/* SPDX-License-Identifier: Apache-2.0 */
/* simd_avx512.h - vf as sixteen lanes of AVX-512 (F, BW, DQ, VL). */
#ifndef AXL_CPU_SIMD_AVX512_H
#define AXL_CPU_SIMD_AVX512_H

#include <immintrin.h>

#define VF_N 16
#define VF_TILE_ROWS 8
#ifndef VF_TILE_VECS
#define VF_TILE_VECS 3
#endif

typedef __m512 vf;
AXL_VW_OF(64);

AXL_INLINE vf vf_zero(void)
{
    return _mm512_setzero_ps();
}

AXL_INLINE vf vf_set1(float x)
{
    return _mm512_set1_ps(x);
}

AXL_INLINE vf vf_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

AXL_INLINE void vf_store(float *p, vf v)
{
    _mm512_storeu_ps(p, v);
}

AXL_INLINE __mmask16 vf_lanes(int64_t n)
{
    return (__mmask16)((1u << n) - 1);
}

AXL_INLINE vf vf_load_n(const float *p, int64_t n)
{
    return _mm512_maskz_loadu_ps(vf_lanes(n), p);
}

AXL_INLINE void vf_store_n(float *p, vf v, int64_t n)
{
    _mm512_mask_storeu_ps(p, vf_lanes(n), v);
}

AXL_INLINE vf vf_widen_bf16(__m256i h)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

AXL_INLINE vf vf_load_bf16(const uint16_t *p)
{
    return vf_widen_bf16(_mm256_loadu_si256((const void *)p));
}

AXL_INLINE vf vf_load_bf16_n(const uint16_t *p, int64_t n)
{
    return vf_widen_bf16(_mm256_maskz_loadu_epi16(vf_lanes(n), p));
}

/* The rounded bits in the upper halves, the lower ones undefined. */
AXL_INLINE __m512i vf_bf16_bits(vf v)
{
    __m512i u = _mm512_castps_si512(v);
    __m512i even = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
    __m512i near = _mm512_add_epi32(_mm512_add_epi32(u, _mm512_set1_epi32(0x7FFF)), even);
    __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);

    return _mm512_mask_or_epi32(near, nan, u, _mm512_set1_epi32(0x400000));
}

AXL_INLINE __m256i vf_bf16_by_bits(vf v)
{
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(vf_bf16_bits(v), 16));
}

/* Lanes rounded, as the stores do it. */
#ifndef VF_OWN_BF16_HALF
AXL_INLINE __m256i vf_bf16_half(vf v)
{
    return vf_bf16_by_bits(v);
}
#else
AXL_INLINE __m256i vf_bf16_half(vf v);
#endif

AXL_INLINE void vf_store_bf16(uint16_t *p, vf v)
{
    _mm256_storeu_si256((void *)p, vf_bf16_half(v));
}

AXL_INLINE void vf_store_bf16_n(uint16_t *p, vf v, int64_t n)
{
    _mm256_mask_storeu_epi16(p, vf_lanes(n), vf_bf16_half(v));
}

AXL_INLINE vf vf_to_bf16_value(vf v)
{
    __m512i u = _mm512_and_si512(vf_bf16_bits(v), _mm512_set1_epi32((int)0xFFFF0000));

    return _mm512_castsi512_ps(u);
}

AXL_INLINE vf vf_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}

AXL_INLINE vf vf_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}

AXL_INLINE vf vf_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}

AXL_INLINE vf vf_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}

AXL_INLINE vf vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

AXL_INLINE vf vf_fused(vf a, vf b, vf c)
{
    return vf_fma(a, b, c);
}

AXL_INLINE vf vf_sqrt(vf a)
{
    return _mm512_sqrt_ps(a);
}

AXL_INLINE vf vf_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}

AXL_INLINE vf vf_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}

AXL_INLINE vf vf_blend_lt(vf a, vf b, vf x, vf y)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}

AXL_INLINE vf vf_round(vf v)
{
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

AXL_INLINE vf vf_scale2(vf v, vf n)
{
    return _mm512_scalef_ps(v, n);
}

AXL_INLINE vf vf_scale2_near(vf v, vf n)
{
    return vf_scale2(v, n);
}

/* The smaller magnitude with the sign of v: of a NaN the limit. */
AXL_INLINE vf vf_within(vf v, float limit)
{
    return _mm512_range_ps(v, _mm512_set1_ps(limit), 2);
}

AXL_INLINE bool vf_all_within(vf v, float limit)
{
    return _mm512_cmp_ps_mask(v, _mm512_set1_ps(limit), _CMP_NLE_UQ) == 0;
}

AXL_INLINE vw vw_mul_low(vw a, vw b)
{
    return (vw)_mm512_mul_epu32((__m512i)a, (__m512i)b);
}

AXL_INLINE void vw_zip_store(void *p, vw a, vw b)
{
    __m512i first = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    __m512i second = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);

    _mm512_storeu_si512(p, _mm512_permutex2var_epi64((__m512i)a, first, (__m512i)b));
    _mm512_storeu_si512((__m512i *)p + 1,
                        _mm512_permutex2var_epi64((__m512i)a, second, (__m512i)b));
}

typedef __m512 vt;

AXL_INLINE vt vt_load(const float *p)
{
    return vf_load(p);
}

/* The permutation reads four bits of a lane. */
AXL_INLINE vf vt_look_up(vt t, const uint8_t *codes)
{
    __m512i both = _mm512_cvtepu8_epi64(_mm_loadl_epi64((const void *)codes));
    __m512i lane = _mm512_or_si512(_mm512_srli_epi64(both, 4), _mm512_slli_epi64(both, 32));

    return _mm512_permutexvar_ps(lane, t);
}

AXL_INLINE vf vf_load_i8(const int8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)p)));
}

AXL_INLINE float vf_sum(vf v)
{
    __m256 h = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));

    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}

AXL_INLINE float vf_hmax(vf v)
{
    __m256 h = _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));

    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
}

AXL_INLINE void vf_transpose(vf *v)
{
    vf t[16], u[16];

    AXL_UNROLL
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_ps(v[2 * i], v[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_ps(v[2 * i], v[2 * i + 1]);
    }
    AXL_UNROLL
    for (int i = 0; i < 4; i++) {
        u[4 * i] = _mm512_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
        u[4 * i + 1] = _mm512_shuffle_ps(t[4 * i], t[4 * i + 2], 0xEE);
        u[4 * i + 2] = _mm512_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
        u[4 * i + 3] = _mm512_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xEE);
    }
    AXL_UNROLL
    for (int i = 0; i < 4; i++) { /* 128-bit quarters: rows i, i+4, i+8, i+12 */
        t[i] = _mm512_shuffle_f32x4(u[i], u[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(u[i], u[i + 4], 0xDD);
        t[i + 8] = _mm512_shuffle_f32x4(u[i + 8], u[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(u[i + 8], u[i + 12], 0xDD);
    }
    AXL_UNROLL
    for (int i = 0; i < 4; i++) {
        v[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        v[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xDD);
        v[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
        v[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xDD);
    }
}

#endif
