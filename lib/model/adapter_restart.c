/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adapter_restart.c - what ReLoRA (Lialin et al., 2023) does to an adapter: its pairs are added to
 * the layers for good and new ones begin.  They are not added into the weights, which may be
 * quantised or mapped from their file: earlier pairs stay pairs, frozen, side by side in one
 * adapter of their ranks' sum, so that nothing is rounded and the result is an ordinary adapter.
 */
#include "adapter.h"

#include <math.h>
#include <string.h>

/* Values of a flat buffer on the host, and which linear layer's pair they are of. */
typedef struct {
    const axl_adapter *a;
    float *host;
} values;

static axl_status values_read(values *v, const axl_adapter *a)
{
    size_t bytes = (size_t)a->n_params * sizeof(float);

    v->a = a;
    v->host = axl__alloc_aligned(a->ctx, bytes);
    return v->host ? a->model->ops->download(a->model->dev, v->host, a->params, bytes)
                   : axl__fail_nomem();
}

static axl_status values_write(const values *v)
{
    return v->a->model->ops->upload(v->a->model->dev, v->a->params, v->host,
                                    (size_t)v->a->n_params * sizeof(float));
}

/* Between whole (r, in), (out, r) and part, which holds its ranks from `first` on. */
static void copy_ranks(const values *whole, const values *part, int64_t first, bool to_whole)
{
    for (int64_t i = 0; i < whole->a->model->modules.n; i++) {
        const axl__lora *w = &whole->a->loras[i], *p = &part->a->loras[i];
        if (!w->on)
            continue;
        float *wa = whole->host + w->a_at + first * w->in, *pa = part->host + p->a_at;
        memcpy(to_whole ? wa : pa, to_whole ? pa : wa, (size_t)(p->rank * p->in) * sizeof *wa);
        for (int64_t o = 0; o < w->out; o++) {
            float *wb = whole->host + w->b_at + o * w->rank + first;
            float *pb = part->host + p->b_at + o * p->rank;
            memcpy(to_whole ? wb : pb, to_whole ? pb : wb, (size_t)p->rank * sizeof *wb);
        }
    }
}

/* An adapter like a of another rank and the same scale.  alpha grows with the rank, so that whoever
 * reads the folder computes that scale from the two. */
static axl_status make_like(axl_adapter **out, const axl_adapter *a, int64_t rank)
{
    int64_t n = a->model->modules.n;
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    bool *on = axl__calloc(a->ctx, (size_t)n, sizeof *on);

    if (!on)
        return axl__fail_nomem();
    for (int64_t i = 0; i < n; i++)
        on[i] = a->loras[i].on;
    o.rank = (uint32_t)rank;
    o.alpha = a->rslora ? a->alpha * sqrt((double)rank / (double)a->rank)
                        : a->alpha * (double)rank / (double)a->rank;
    o.dropout = a->dropout;
    o.rslora = a->rslora;
    o.target_modules = (const char *const *)a->targets;
    o.n_target_modules = a->n_targets;
    axl_status status = axl__adapter_make(out, a->model, on, &o);
    axl__free(a->ctx, on);
    if (status == AXL_OK)
        (*out)->scale = a->scale;
    return status;
}

axl_status axl__adapter_joined(axl_adapter **out, const axl_adapter *a)
{
    int64_t before = a->frozen ? a->frozen->rank : 0;
    values whole = { 0 }, frozen = { 0 }, now = { 0 };

    AXL_TRY(make_like(out, a, before + a->rank));
    axl_status status = values_read(&whole, *out);
    if (status == AXL_OK)
        status = values_read(&now, a);
    if (status == AXL_OK && a->frozen)
        status = values_read(&frozen, a->frozen);
    if (status == AXL_OK) {
        if (a->frozen)
            copy_ranks(&whole, &frozen, 0, true);
        copy_ranks(&whole, &now, before, true);
        status = values_write(&whole);
    }
    axl__free_aligned(a->ctx, whole.host);
    axl__free_aligned(a->ctx, frozen.host);
    axl__free_aligned(a->ctx, now.host);
    if (status < 0) {
        axl_adapter_free(*out);
        *out = NULL;
    }
    return status;
}

axl_status axl__adapter_restart(axl_adapter *a, uint64_t seed)
{
    axl_adapter *joined;

    AXL_TRY(axl__adapter_joined(&joined, a));
    axl_status status = axl__adapter_init(a, seed);
    if (status < 0) {
        axl_adapter_free(joined);
        return status;
    }
    axl_adapter_free(a->frozen);
    a->frozen = joined;
    return AXL_OK;
}

axl_status axl__adapter_take(axl_adapter *a, const axl_adapter *joined)
{
    values whole = { 0 }, frozen = { 0 }, now = { 0 };
    int64_t before = joined->rank - a->rank;
    axl_adapter *made = NULL;
    axl_status status = AXL_OK;

    for (int64_t i = 0; i < a->model->modules.n && status == AXL_OK; i++)
        if (a->loras[i].on != joined->loras[i].on)
            status = axl__fail(AXL_ERR_FORMAT, "the checkpoint adapts other layers");
    if (status == AXL_OK && before > 0)
        status = make_like(&made, a, before);
    if (status == AXL_OK)
        status = values_read(&whole, joined);
    if (status == AXL_OK)
        status = values_read(&now, a);
    if (status == AXL_OK && made)
        status = values_read(&frozen, made);
    if (status == AXL_OK) {
        if (made)
            copy_ranks(&whole, &frozen, 0, false);
        copy_ranks(&whole, &now, before, false);
        status = made ? values_write(&frozen) : AXL_OK;
    }
    if (status == AXL_OK)
        status = values_write(&now);
    axl__free_aligned(a->ctx, whole.host);
    axl__free_aligned(a->ctx, frozen.host);
    axl__free_aligned(a->ctx, now.host);
    if (status < 0) {
        axl_adapter_free(made);
        return status;
    }
    axl_adapter_free(a->frozen);
    a->frozen = made;
    return AXL_OK;
}
