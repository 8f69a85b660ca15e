/* SPDX-License-Identifier: Apache-2.0 */
/* onednn_matmul.c - a matmul primitive for a shape, as both versions of oneDNN's API have it. */
#include "onednn_api.h"

#include <stdlib.h>

struct onednn_matmul {
    dnnl_primitive_t primitive;
    dnnl_memory_desc_t x, w, y, scratch;
};

static dnnl_data_type_t type_of(uint32_t dtype)
{
    return dtype == AXL_BF16 ? dnnl_bf16 : dnnl_f32;
}

/* A (rows, cols) operand whose memory is row-major, or the transpose of that. */
static dnnl_status_t describe_operand(dnnl_memory_desc_t *out, int64_t rows, int64_t cols,
                                      uint32_t dtype, int64_t stride, bool trans)
{
    const dnnl_dims_t dims = { rows, cols };
    const dnnl_dims_t strides = { trans ? 1 : stride, trans ? stride : 1 };

    return onednn_desc_new(out, dims, type_of(dtype), strides);
}

static dnnl_status_t describe(onednn_matmul *mm, const axl_matmul_shape *s)
{
    dnnl_status_t status =
        describe_operand(&mm->x, s->m, s->k, s->dtype, s->x_stride, s->trans_x != 0);

    if (status == dnnl_success)
        status = describe_operand(&mm->w, s->k, s->n, s->dtype, s->w_stride, s->trans_w != 0);
    if (status == dnnl_success)
        status = describe_operand(&mm->y, s->m, s->n, s->y_dtype, s->y_stride, false);
    return status;
}

static dnnl_status_t set_attributes(dnnl_primitive_attr_t attr, const axl_matmul_shape *s)
{
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t status = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);

    if (status == dnnl_success) /* whatever the environment says: f32 is f32 */
        status = dnnl_primitive_attr_set_fpmath_mode(attr, dnnl_fpmath_mode_strict);
    if (status != dnnl_success || !s->add)
        return status;
    status = dnnl_post_ops_create(&ops);
    if (status == dnnl_success)
        status = onednn_append_sum(ops, type_of(s->y_dtype));
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(attr, ops);
    if (ops)
        dnnl_post_ops_destroy(ops);
    return status;
}

static dnnl_status_t create(onednn_matmul *mm, dnnl_engine_t engine, dnnl_primitive_attr_t attr)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status = onednn_primitive_desc_new(&pd, engine, &mm->x, &mm->w, &mm->y, attr);

    if (status != dnnl_success)
        return status;
    status = onednn_desc_copy(&mm->scratch,
                              dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0));
    if (status == dnnl_success)
        status = dnnl_primitive_create(&mm->primitive, pd);
    dnnl_primitive_desc_destroy(pd);
    return status;
}

dnnl_status_t onednn_matmul_new(onednn_matmul **out, dnnl_engine_t engine,
                                const axl_matmul_shape *shape)
{
    onednn_matmul *mm = calloc(1, sizeof *mm);
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status;

    *out = NULL;
    if (!mm)
        return dnnl_out_of_memory;
    status = describe(mm, shape);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_create(&attr);
    if (status == dnnl_success)
        status = set_attributes(attr, shape);
    if (status == dnnl_success)
        status = create(mm, engine, attr);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    if (status != dnnl_success) {
        onednn_matmul_free(mm);
        return status;
    }
    *out = mm;
    return dnnl_success;
}

void onednn_matmul_free(onednn_matmul *mm)
{
    if (!mm)
        return;
    if (mm->primitive)
        dnnl_primitive_destroy(mm->primitive);
    onednn_desc_free(&mm->x);
    onednn_desc_free(&mm->w);
    onednn_desc_free(&mm->y);
    onednn_desc_free(&mm->scratch);
    free(mm);
}

size_t onednn_matmul_scratch(const onednn_matmul *mm)
{
    return onednn_desc_size(&mm->scratch);
}

dnnl_status_t onednn_matmul_run(const onednn_matmul *mm, dnnl_engine_t engine, const void *x,
                                const void *w, void *y, void *scratch)
{
    const dnnl_memory_desc_t *const descs[4] = { &mm->x, &mm->w, &mm->y, &mm->scratch };
    void *const data[4] = { (void *)(uintptr_t)x, (void *)(uintptr_t)w, y, scratch };
    dnnl_exec_arg_t args[4] = {
        { DNNL_ARG_SRC, NULL },
        { DNNL_ARG_WEIGHTS, NULL },
        { DNNL_ARG_DST, NULL },
        { DNNL_ARG_SCRATCHPAD, NULL },
    };
    dnnl_stream_t stream = NULL;
    dnnl_status_t status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);

    for (int i = 0; i < 4 && status == dnnl_success; i++)
        status = onednn_memory_new(&args[i].memory, descs[i], engine, data[i]);
    if (status == dnnl_success)
        status = dnnl_primitive_execute(mm->primitive, stream, 4, args);
    if (status == dnnl_success)
        status = dnnl_stream_wait(stream);
    for (int i = 0; i < 4; i++)
        if (args[i].memory)
            dnnl_memory_destroy(args[i].memory);
    if (stream)
        dnnl_stream_destroy(stream);
    return status;
}
