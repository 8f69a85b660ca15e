/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode.h - elements of a quantised weight (ops.h), with the bits of axl__dequantise.
 *
 * A block of 4-bit codes has only sixteen values: they are computed and rounded once a block, and
 * looked up by permutations of a vector.  With AVX-512 that is two instructions and a store for 16
 * f32 or 32 bf16, and some 15 for each block of 64; a row of int8 has a conversion and a product
 * for each vector.  What is read is 0.53 bytes an element (1.0 of int8).
 */
#ifndef AXL_CPU_DECODE_H
#define AXL_CPU_DECODE_H

#include "simd.h"
#include "tensor/quantise.h"

/* Rounded to the weight's dtype. */
AXL_INLINE vf axl_decode_round(vf v, axl_dtype dtype)
{
    if (dtype == AXL_F32)
        return v;
    if (dtype == AXL_BF16)
        return vf_to_bf16_value(v);
    float lanes[VF_N];
    vf_store(lanes, v);
    for (int i = 0; i < VF_N; i++)
        lanes[i] = axl__f16_to_f32(axl__f32_to_f16(lanes[i]));
    return vf_load(lanes);
}

/* As that, of what is stored as t: storing rounds to bf16 too. */
AXL_INLINE vf axl_decode_round_for(vf v, axl_dtype t, axl_dtype dtype)
{
    return t == AXL_BF16 && dtype == AXL_BF16 ? v : axl_decode_round(v, dtype);
}

/* Blocks one after another and which of the scales' own blocks they are in. */
typedef struct axl_decode_place {
    int64_t block, scale, scale_end;
} axl_decode_place;

AXL_INLINE axl_decode_place axl_decode_at(const axl_quantised *q, int64_t block)
{
    int64_t scale = q->scale_codes ? block / q->scale_block : 0;

    return (axl_decode_place){ block, scale, (scale + 1) * q->scale_block };
}

AXL_INLINE void axl_decode_next(const axl_quantised *q, axl_decode_place *p)
{
    if (++p->block == p->scale_end) {
        p->scale++;
        p->scale_end += q->scale_block;
    }
}

/* The values of a block by code, to be stored as t. */
AXL_INLINE void axl_decode_values(float values[16], axl_dtype t, const axl_weight *w,
                                  const axl_decode_place *p)
{
    const axl_quantised *q = &w->quant;
    const float *table = axl__quant_table(w->kind);
    float absmax = q->scale_codes ? q->scale_map[q->scale_codes[p->block]] * q->scales[p->scale]
                                  : q->scales[p->block];

    absmax = q->scale_codes ? absmax + q->offset : absmax;
    for (int i = 0; i < 16; i += VF_N)
        vf_store(values + i, axl_decode_round_for(vf_mul(vf_load(table + i), vf_set1(absmax)), t,
                                                  w->mat.dtype));
}

AXL_INLINE void axl_decode_put(void *out, axl_dtype t, int64_t i, float v)
{
    if (t == AXL_F32)
        ((float *)out)[i] = v;
    else
        ((uint16_t *)out)[i] = axl__f32_to_bf16(v);
}

/* Any element by itself: what is no whole vector, and codes that begin in the middle of a byte. */
static void axl_decode_each(void *out, axl_dtype t, const axl_weight *w, int64_t first, int64_t n)
{
    float values[64];

    for (int64_t i = 0; i < n; i += 64) {
        int64_t size = n - i < 64 ? n - i : 64;
        axl__dequantise(values, w, first + i, size);
        for (int64_t l = 0; l < size; l++)
            axl_decode_put(out, t, i + l, values[l]);
    }
}

/* n elements of one block, from an even one on. */
AXL_INLINE void axl_decode_block(void *out, axl_dtype t, const uint8_t *codes,
                                 const float values[16], int64_t n)
{
    int64_t i = 0;

    if (VF_HAS_DOT_BF16 && t == AXL_BF16) {
        vp pairs = vp_load(values);
        for (; i + 2 * VF_N <= n; i += 2 * VF_N)
            vf_store(axl_at_mut(out, t, i), vp_look_up(pairs, codes + i / 2));
    }
    vt table = vt_load(values);
    for (; i + VF_N <= n; i += VF_N)
        vf_store_t(out, t, i, vt_look_up(table, codes + i / 2));
    for (; i < n; i++)
        axl_decode_put(out, t, i, values[codes[i / 2] >> (i % 2 ? 0 : 4) & 15]);
}

AXL_INLINE void axl_decode_4bit(void *out, axl_dtype t, const axl_weight *w, int64_t first,
                                int64_t n)
{
    int64_t size = w->quant.block, end = first + n, stop;
    axl_decode_place place = axl_decode_at(&w->quant, first / size);
    const uint8_t *codes = w->quant.codes;
    float values[16];

    for (int64_t e = first; e < end; e = stop) {
        stop = (place.block + 1) * size < end ? (place.block + 1) * size : end;
        axl_decode_values(values, t, w, &place);
        axl_decode_block(axl_at_mut(out, t, e - first), t, codes + e / 2, values, stop - e);
        axl_decode_next(&w->quant, &place);
    }
}

AXL_INLINE void axl_decode_row(void *out, axl_dtype t, const axl_weight *w, int64_t first,
                               int64_t n)
{
    const int8_t *codes = (const int8_t *)w->quant.codes + first;
    vf factor = vf_set1(w->quant.scales[first / w->mat.cols] * (1.0f / 127.0f));
    int64_t i = 0;

    for (; i + VF_N <= n; i += VF_N)
        vf_store_t(out, t, i,
                   axl_decode_round_for(vf_mul(vf_load_i8(codes + i), factor), t, w->mat.dtype));
    if (i < n)
        axl_decode_each(axl_at_mut(out, t, i), t, w, first + i, n - i);
}

AXL_INLINE void axl_decode_as(axl_dtype t, void *out, const axl_weight *w, int64_t first, int64_t n)
{
    if (w->kind == AXL_WEIGHT_INT8)
        axl_decode_row(out, t, w, first, n);
    else if (first % 2 == 0 && w->quant.block % 2 == 0)
        axl_decode_4bit(out, t, w, first, n);
    else
        axl_decode_each(out, t, w, first, n);
}

/* Elements [first, first + n) of a row to out, f32 or bf16. */
static void axl_decode(void *out, axl_dtype t, const axl_weight *w, int64_t first, int64_t n)
{
    if (t == AXL_F32)
        axl_decode_as(AXL_F32, out, w, first, n);
    else
        axl_decode_as(AXL_BF16, out, w, first, n);
}

#endif
