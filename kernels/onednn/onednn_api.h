/* SPDX-License-Identifier: Apache-2.0 */
/* onednn_api.h - a matmul primitive, and the calls of oneDNN's C API that differ between 2.x, where
 * dnnl_memory_desc_t is a struct, and 3.x, where it is a handle. */
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

/* ---- onednn_v2.c or onednn_v3.c ---- */

/* Of two dimensions. */
dnnl_status_t onednn_desc_new(dnnl_memory_desc_t *out, const dnnl_dims_t dims,
                              dnnl_data_type_t type, const dnnl_dims_t strides);
/* from: what dnnl_primitive_desc_query_md gives, which ends with the primitive's descriptor. */
dnnl_status_t onednn_desc_copy(dnnl_memory_desc_t *out, const void *from);
void onednn_desc_free(dnnl_memory_desc_t *desc); /* all bytes 0 is fine */
size_t onednn_desc_size(const dnnl_memory_desc_t *desc);
dnnl_status_t onednn_memory_new(dnnl_memory_t *out, const dnnl_memory_desc_t *desc,
                                dnnl_engine_t engine, void *data);
dnnl_status_t onednn_append_sum(dnnl_post_ops_t ops, dnnl_data_type_t type);
dnnl_status_t onednn_primitive_desc_new(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                        const dnnl_memory_desc_t *x, const dnnl_memory_desc_t *w,
                                        const dnnl_memory_desc_t *y, dnnl_primitive_attr_t attr);

#endif
