/* SPDX-License-Identifier: Apache-2.0 */
/* onednn_v3.c - oneDNN 3.x: descriptors are handles, primitives are described in one call. */
#include "onednn_api.h"

dnnl_status_t onednn_desc_new(dnnl_memory_desc_t *out, const dnnl_dims_t dims,
                              dnnl_data_type_t type, const dnnl_dims_t strides)
{
    return dnnl_memory_desc_create_with_strides(out, 2, dims, type, strides);
}

dnnl_status_t onednn_desc_copy(dnnl_memory_desc_t *out, const void *from)
{
    return dnnl_memory_desc_clone(out, (const_dnnl_memory_desc_t)from);
}

void onednn_desc_free(dnnl_memory_desc_t *desc)
{
    if (*desc)
        dnnl_memory_desc_destroy(*desc);
    *desc = NULL;
}

size_t onednn_desc_size(const dnnl_memory_desc_t *desc)
{
    return dnnl_memory_desc_get_size(*desc);
}

dnnl_status_t onednn_memory_new(dnnl_memory_t *out, const dnnl_memory_desc_t *desc,
                                dnnl_engine_t engine, void *data)
{
    return dnnl_memory_create(out, *desc, engine, data);
}

dnnl_status_t onednn_append_sum(dnnl_post_ops_t ops, dnnl_data_type_t type)
{
    return dnnl_post_ops_append_sum(ops, 1.0f, 0, type);
}

dnnl_status_t onednn_primitive_desc_new(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                        const dnnl_memory_desc_t *x, const dnnl_memory_desc_t *w,
                                        const dnnl_memory_desc_t *y, dnnl_primitive_attr_t attr)
{
    return dnnl_matmul_primitive_desc_create(out, engine, *x, *w, NULL, *y, attr);
}
