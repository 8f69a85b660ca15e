/* SPDX-License-Identifier: Apache-2.0 */
/* onednn_api.h - the part of oneDNN's C API that differs between 2.x and 3.x. */
#ifndef AXL_ONEDNN_API_H
#define AXL_ONEDNN_API_H

#include "kernels/cpu/matmul_plugin.h"

#include <oneapi/dnnl/dnnl.h>

typedef struct onednn_matmul onednn_matmul;

/* A primitive for the shape with a scratchpad of the caller's. */
dnnl_status_t onednn_matmul_new(onednn_matmul **out, dnnl_engine_t engine,
                                const axl_matmul_shape *shape);
void onednn_matmul_free(onednn_matmul *mm);
size_t onednn_matmul_scratch(const onednn_matmul *mm);
dnnl_status_t onednn_matmul_run(const onednn_matmul *mm, dnnl_engine_t engine, const void *x,
                                const void *w, void *y, void *scratch);

/* ---- shared by both files ---- */

static inline dnnl_data_type_t onednn_type(uint32_t dtype)
{
    return dtype == AXL_BF16 ? dnnl_bf16 : dnnl_f32;
}

/* Strides of a (rows, cols) operand whose memory is row-major, or the transpose of that. */
static inline void onednn_strides(dnnl_dims_t strides, int64_t stride, bool trans)
{
    strides[0] = trans ? 1 : stride;
    strides[1] = trans ? stride : 1;
}

#endif
