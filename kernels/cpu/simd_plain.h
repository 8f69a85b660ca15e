/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simd_plain.h - vf for any machine: four lanes of the compiler's generic vectors, which become
 * SSE2 on x86-64 and NEON on arm64.  The fma is two roundings.
 */
#ifndef AXL_CPU_SIMD_PLAIN_H
#define AXL_CPU_SIMD_PLAIN_H

#include <math.h>

#define VF_N 4
#define VF_TILE_ROWS 4
#define VF_TILE_VECS 2

typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));
typedef uint32_t vu __attribute__((vector_size(16)));
typedef uint16_t vh __attribute__((vector_size(8)));
AXL_VW_OF(16);

AXL_INLINE vf vf_set1(float x)
{
    return (vf){ x, x, x, x };
}

AXL_INLINE vf vf_zero(void)
{
    return vf_set1(0.0f);
}

AXL_INLINE vf vf_load(const float *p)
{
    vf v;

    memcpy(&v, p, sizeof v);
    return v;
}

AXL_INLINE void vf_store(float *p, vf v)
{
    memcpy(p, &v, sizeof v);
}

AXL_INLINE vf vf_load_n(const float *p, int64_t n)
{
    float t[VF_N] = { 0 };

    memcpy(t, p, (size_t)n * sizeof *t);
    return vf_load(t);
}

AXL_INLINE void vf_store_n(float *p, vf v, int64_t n)
{
    memcpy(p, &v, (size_t)n * sizeof *p);
}

AXL_INLINE vf vf_load_bf16(const uint16_t *p)
{
    vh h;

    memcpy(&h, p, sizeof h);
    return (vf)(__builtin_convertvector(h, vu) << 16);
}

/* The rounded bits in the upper halves, the lower ones undefined. */
AXL_INLINE vu vf_bf16_bits(vf v)
{
    vu u = (vu)v, even = u >> 16 & 1, nan = (vu)((u & 0x7FFFFFFF) > 0x7F800000);

    return (nan & (u | 0x400000)) | (~nan & (u + 0x7FFF + even));
}

AXL_INLINE void vf_store_bf16(uint16_t *p, vf v)
{
    vh h = __builtin_convertvector(vf_bf16_bits(v) >> 16, vh);

    memcpy(p, &h, sizeof h);
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
    return (vf)(vf_bf16_bits(v) & 0xFFFF0000);
}

AXL_INLINE vf vf_add(vf a, vf b)
{
    return a + b;
}

AXL_INLINE vf vf_sub(vf a, vf b)
{
    return a - b;
}

AXL_INLINE vf vf_mul(vf a, vf b)
{
    return a * b;
}

AXL_INLINE vf vf_div(vf a, vf b)
{
    return a / b;
}

AXL_INLINE vf vf_fma(vf a, vf b, vf c)
{
    return a * b + c;
}

AXL_INLINE vf vf_fused(vf a, vf b, vf c)
{
    return (vf){ fmaf(a[0], b[0], c[0]), fmaf(a[1], b[1], c[1]), fmaf(a[2], b[2], c[2]),
                 fmaf(a[3], b[3], c[3]) };
}

AXL_INLINE vf vf_sqrt(vf a)
{
    return (vf){ sqrtf(a[0]), sqrtf(a[1]), sqrtf(a[2]), sqrtf(a[3]) };
}

AXL_INLINE vf vf_blend_lt(vf a, vf b, vf x, vf y)
{
    vi m = a < b;

    return (vf)((m & (vi)x) | (~m & (vi)y));
}

AXL_INLINE vf vf_max(vf a, vf b)
{
    return vf_blend_lt(b, a, a, b);
}

AXL_INLINE vf vf_min(vf a, vf b)
{
    return vf_blend_lt(a, b, a, b);
}

/* |v| < 2^22 */
AXL_INLINE vf vf_round(vf v)
{
    vf magic = vf_set1(12582912.0f);

    return (v + magic) - magic;
}

/* In two factors, since 2^n itself may be out of range. */
AXL_INLINE vf vf_scale2(vf v, vf n)
{
    vi whole = __builtin_convertvector(n, vi), half = whole >> 1;

    return v * (vf)((half + 127) << 23) * (vf)((whole - half + 127) << 23);
}

/* In the exponent's bits. */
AXL_INLINE vf vf_scale2_near(vf v, vf n)
{
    return (vf)((vi)v + (__builtin_convertvector(n, vi) << 23));
}

AXL_INLINE vf vf_within(vf v, float limit)
{
    return vf_min(vf_set1(limit), vf_max(vf_set1(-limit), v)); /* a NaN is the second operand */
}

AXL_INLINE bool vf_all_within(vf v, float limit)
{
    for (int i = 0; i < VF_N; i++)
        if (!(v[i] <= limit))
            return false;
    return true;
}

AXL_INLINE vw vw_mul_low(vw a, vw b)
{
    return (a & 0xFFFFFFFF) * (b & 0xFFFFFFFF);
}

AXL_INLINE void vw_zip_store(void *p, vw a, vw b)
{
    vw zipped[2] = { { a[0], b[0] }, { a[1], b[1] } };

    memcpy(p, zipped, sizeof zipped);
}

typedef struct vt {
    float of[16];
} vt;

AXL_INLINE vt vt_load(const float *p)
{
    vt t;

    memcpy(&t, p, sizeof t);
    return t;
}

AXL_INLINE vf vt_look_up(vt t, const uint8_t *codes)
{
    return (vf){ t.of[codes[0] >> 4], t.of[codes[0] & 15], t.of[codes[1] >> 4],
                 t.of[codes[1] & 15] };
}

AXL_INLINE vf vf_load_i8(const int8_t *p)
{
    return (vf){ p[0], p[1], p[2], p[3] };
}

AXL_INLINE float vf_sum(vf v)
{
    return (v[0] + v[2]) + (v[1] + v[3]);
}

AXL_INLINE float vf_hmax(vf v)
{
    float a = v[0] > v[2] ? v[0] : v[2], b = v[1] > v[3] ? v[1] : v[3];

    return a > b ? a : b;
}

AXL_INLINE void vf_transpose(vf *v)
{
    vf a = v[0], b = v[1], c = v[2], d = v[3];

    v[0] = (vf){ a[0], b[0], c[0], d[0] };
    v[1] = (vf){ a[1], b[1], c[1], d[1] };
    v[2] = (vf){ a[2], b[2], c[2], d[2] };
    v[3] = (vf){ a[3], b[3], c[3], d[3] };
}

#endif
