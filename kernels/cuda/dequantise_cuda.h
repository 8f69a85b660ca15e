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

#endif
