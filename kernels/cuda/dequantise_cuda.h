/* SPDX-License-Identifier: Apache-2.0 */
/* dequantise_cuda.h - elements of quantised weights on the device, as ops.h defines them. */
#ifndef AXL_KERNELS_CUDA_DEQUANTISE_H
#define AXL_KERNELS_CUDA_DEQUANTISE_H

#include "cuda_kernel.h"

/* With the table of its kind, and every rounding that ops.h asks for. */
struct quantised_weight {
    axl_quantised q;
    axl_weight_kind kind;
    axl_dtype dtype; /* that an element is rounded to */
    int64_t cols;
    float table[16];

    __device__ __forceinline__ float absmax(int64_t block) const
    {
        if (!q.scale_codes)
            return q.scales[block];
        float scaled =
            __fmul_rn(q.scale_map[q.scale_codes[block]], q.scales[block / q.scale_block]);
        return __fadd_rn(scaled, q.offset);
    }
    __device__ __forceinline__ float exact(int64_t row, int64_t col) const
    {
        int64_t e = row * cols + col;

        if (kind == AXL_WEIGHT_INT8)
            return __fmul_rn((float)((const int8_t *)q.codes)[e],
                             __fmul_rn(q.scales[row], 1.0f / 127.0f));
        uint8_t pair = ((const uint8_t *)q.codes)[e / 2];
        return __fmul_rn(table[e % 2 ? pair & 15 : pair >> 4], absmax(e / q.block));
    }
    __device__ __forceinline__ float element(int64_t row, int64_t col) const
    {
        float v = exact(row, col);

        if (dtype == AXL_BF16)
            return to_f32(from_f32<bf16>(v));
        return dtype == AXL_F16 ? ptx_rounded_to_f16(v) : v;
    }
};

static inline quantised_weight quantised_of(const axl_weight &w)
{
    quantised_weight q = { w.quant, w.kind, w.mat.dtype, w.mat.cols, {} };

    if (w.kind != AXL_WEIGHT_INT8)
        memcpy(q.table, axl__quant_table(w.kind), sizeof q.table);
    return q;
}

/* ---- eight at a time ---- */

enum { OCTET = 8 };

struct octet {
    float v[OCTET];
};

/* A weight whose rows are whole octets, from row `first` on; of 4 bits in blocks of 2^block_bits
 * and scales of 2^scale_bits blocks. */
struct octet_weight {
    quantised_weight w;
    int64_t first;
    int block_bits, scale_bits;

    __device__ __forceinline__ float absmax(int64_t block) const
    {
        if (!w.q.scale_codes)
            return w.q.scales[block];
        float scaled =
            __fmul_rn(w.q.scale_map[w.q.scale_codes[block]], w.q.scales[block >> scale_bits]);
        return __fadd_rn(scaled, w.q.offset);
    }
    /* A byte's upper half comes first. */
    __device__ __forceinline__ octet of_4_bits(int64_t row, int64_t col, const float *table) const
    {
        int64_t e = (first + row) * w.cols + col;
        uint32_t codes = ((const uint32_t *)w.q.codes)[e / OCTET];
        float scale = absmax(e >> block_bits);
        octet o;

        for (int i = 0; i < OCTET; i++)
            o.v[i] = __fmul_rn(table[codes >> (4 * (i ^ 1)) & 15], scale);
        return o;
    }
    __device__ __forceinline__ octet of_8_bits(int64_t row, int64_t col) const
    {
        int64_t e = (first + row) * w.cols + col;
        uint2 codes = ptx_load8((const int8_t *)w.q.codes + e);
        float scale = __fmul_rn(w.q.scales[first + row], 1.0f / 127.0f);
        octet o;

        for (int i = 0; i < OCTET; i++) {
            uint32_t four = i < 4 ? codes.x : codes.y;
            o.v[i] = __fmul_rn((float)(int8_t)(four >> (8 * (i % 4))), scale);
        }
        return o;
    }
    /* To the weight's dtype; what follows rounds to Y. */
    template <class Y> __device__ __forceinline__ void round(octet &o) const
    {
        if (w.dtype == AXL_F16)
            for (int i = 0; i < OCTET; i++)
                o.v[i] = ptx_rounded_to_f16(o.v[i]);
        if (w.dtype == AXL_BF16 && sizeof(Y) == sizeof(float))
            for (int i = 0; i < OCTET; i++)
                o.v[i] = to_f32(from_f32<bf16>(o.v[i]));
    }
    /* Whether rows are whole octets, and codes aligned for them. */
    bool whole(void) const
    {
        bool of_8_bits = w.kind == AXL_WEIGHT_INT8;

        return w.cols % OCTET == 0 && (uintptr_t)w.q.codes % (of_8_bits ? 8 : 4) == 0 &&
               (of_8_bits || (block_bits >= 3 && scale_bits >= 0));
    }
};

/* The exponent of a power of two, or -1. */
static inline int bits_of(int64_t x)
{
    return x > 0 && (x & (x - 1)) == 0 ? __builtin_ctzll((uint64_t)x) : -1;
}

static inline octet_weight octets_of(const axl_weight &weight, int64_t first)
{
    octet_weight w = { quantised_of(weight), first, 0, 0 };

    if (weight.kind != AXL_WEIGHT_INT8) {
        w.block_bits = bits_of(weight.quant.block);
        w.scale_bits = weight.quant.scale_codes ? bits_of(weight.quant.scale_block) : 0;
    }
    return w;
}

#endif
