/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head_own.c - the head with a host's own loss: logits go to the host, which leaves their gradient
 * in their place, and from there it goes on as from any loss.  Some rows at a time need no memory
 * but theirs; with memory of the host's for all rows the logits are computed twice, once for the
 * host and once, a part at a time, for the backward pass.
 */
#include "head.h"

/* What the ranges share. */
typedef struct {
    const axl__pass *p;
    axl__head_work *w;
    const axl__batch_index *x;
    const axl_batch *batch;
    int64_t V;
    float *room;     /* (HEAD_ROWS, V) host, for logits that lie elsewhere; NULL: they do not */
    uint16_t *stage; /* (V), for gradients that the products take as bf16; NULL: f32 */
    double value;
} own_pass;

static axl_status tell_host(own_pass *o, float *logits, int64_t first, int64_t count)
{
    const axl__own_loss *own = o->p->wish.own;
    axl_logits range = { sizeof range,  o->batch,        o->x->host_rows + first, logits,
                         0.0,           (uint64_t)first, (uint64_t)o->x->n_rows,  (uint32_t)count,
                         (uint32_t)o->V };

    if (own->fn(own->user, &range) != 0)
        return axl__fail(AXL_ERR_CANCELLED, "stopped by the loss callback");
    o->value += range.loss;
    return AXL_OK;
}

static int64_t range_at(const own_pass *o, int64_t first)
{
    return o->x->n_rows - first < AXL__HEAD_ROWS ? o->x->n_rows - first : AXL__HEAD_ROWS;
}

/* Gradients of count rows of logits onto the device, as the type that the products take. */
static axl_status put_gradients(own_pass *o, float *from, int64_t count)
{
    axl_mat to = axl__head_over_logits(o->p, o->w);
    size_t size = axl__dtype_size(to.dtype);
    float scale = (float)o->p->wish.scale;

    for (int64_t i = 0; i < count; i++) {
        float *row = from + i * o->V;
        char *at = (char *)to.data + (size_t)(i * to.stride) * size;
        if (scale != 1.0f)
            for (int64_t v = 0; v < o->V; v++)
                row[v] *= scale;
        if (o->stage)
            axl__convert(o->stage, to.dtype, row, AXL_F32, o->V);
        if (o->stage || (char *)row != at)
            AXL_TRY(o->p->ops->upload(o->p->dev, at, o->stage ? (void *)o->stage : row,
                                      (size_t)o->V * size));
    }
    return AXL_OK;
}

static axl_status get_logits(own_pass *o, float *to, int64_t count)
{
    return o->p->ops->download(o->p->dev, to, o->w->logits.data,
                               (size_t)(count * o->V) * sizeof *to);
}

/* Logits of each range to the host's memory, where it looks at all of them. */
static axl_status own_all(own_pass *o, axl_mat h, float *all)
{
    for (int64_t i = 0; i < o->x->n_rows; i += AXL__HEAD_ROWS) {
        int64_t k = range_at(o, i);
        AXL_TRY(axl__cancelled(o->p->model->ctx));
        AXL_TRY(axl__head_logits(o->p, o->w, h, o->x->rows + i, k));
        AXL_TRY(get_logits(o, all + i * o->V, k));
    }
    return tell_host(o, all, 0, o->x->n_rows);
}

/* One range through the host, in the device's own memory or in room. */
static axl_status own_range(own_pass *o, int64_t first, int64_t count)
{
    float *logits = o->room ? o->room : o->w->logits.data;

    AXL_TRY(o->room ? get_logits(o, logits, count) : o->p->ops->synchronize(o->p->dev));
    AXL_TRY(tell_host(o, logits, first, count));
    return put_gradients(o, logits, count);
}

/* A soft cap's slope is taken of the logits, which a host's gradients come to lie over. */
static axl_status keep_capped(own_pass *o, int64_t count)
{
    o->w->capped.rows = count;
    if (!o->w->capped.data)
        return AXL_OK;
    return o->p->ops->copy(o->p->dev, o->w->capped.data, o->w->logits.data,
                           (size_t)(count * o->V) * sizeof(float));
}

static axl_status through_cap(own_pass *o)
{
    axl_soft_cap_backward_args a = { o->w->capped, axl__head_over_logits(o->p, o->w),
                                     (float)o->p->model->arch.logit_soft_cap };

    return a.y.data ? o->p->ops->soft_cap_backward(o->p->dev, &a) : AXL_OK;
}

static axl_status own_run(own_pass *o, axl_mat h, axl_mat dh)
{
    float *all = o->p->wish.own->logits;

    if (all)
        AXL_TRY(own_all(o, h, all));
    for (int64_t i = 0; i < o->x->n_rows; i += AXL__HEAD_ROWS) {
        int64_t k = range_at(o, i);
        AXL_TRY(axl__cancelled(o->p->model->ctx));
        AXL_TRY(axl__head_logits(o->p, o->w, h, o->x->rows + i, k));
        AXL_TRY(keep_capped(o, k));
        AXL_TRY(all ? put_gradients(o, all + i * o->V, k) : own_range(o, i, k));
        AXL_TRY(through_cap(o));
        AXL_TRY(axl__head_rows_backward(o->p, o->w, o->x->rows + i,
                                        axl__head_over_logits(o->p, o->w), dh));
    }
    return AXL_OK;
}

axl_status axl__head_own_gradients(const axl__pass *p, axl__head_work *w, axl_mat h,
                                   const axl__batch_index *x, const axl_batch *batch, axl_mat dh,
                                   double *value)
{
    axl_context *ctx = p->model->ctx;
    int64_t V = p->model->arch.vocab_size;
    own_pass o = { .p = p, .w = w, .x = x, .batch = batch, .V = V };
    bool room = !p->model->device.host_memory && !p->wish.own->logits;
    bool stage = p->model->compute != AXL_F32;
    axl_status status = AXL_OK;

    if (room)
        o.room = axl__alloc_aligned(ctx, (size_t)(range_at(&o, 0) * V) * sizeof *o.room);
    if (stage)
        o.stage = axl__alloc_aligned(ctx, (size_t)V * sizeof *o.stage);
    if ((room && !o.room) || (stage && !o.stage))
        status = axl__fail_nomem();
    if (status == AXL_OK)
        status =
            p->ops->zero(p->dev, dh.data, (size_t)(dh.rows * dh.cols) * axl__dtype_size(dh.dtype));
    if (status == AXL_OK)
        status = own_run(&o, h, dh);
    axl__free_aligned(ctx, o.room);
    axl__free_aligned(ctx, o.stage);
    *value = o.value;
    return status;
}
