/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adapter_restart.c - what ReLoRA (Lialin et al., 2023) does to an adapter: its pairs are added to
 * the layers for good and new ones begin.  They are not added into the weights, which may be
 * quantised or mapped from their file: earlier pairs stay pairs, frozen, side by side in one
 * adapter of their ranks' sum, so that nothing is rounded and the result is an ordinary adapter.
 */
#include "adapter_priv.h"

#include <math.h>
#include <string.h>

axl_status axl__adapter_values_read(axl__adapter_values *v, const axl_adapter *a)
{
    size_t bytes = (size_t)a->n_params * sizeof(float);

    v->a = a;
    v->host = axl__alloc_aligned(a->ctx, bytes);
    return v->host ? a->model->ops->download(a->model->dev, v->host, a->params, bytes)
                   : axl__fail_nomem();
}

axl_status axl__adapter_values_write(const axl__adapter_values *v)
{
    return v->a->model->ops->upload(v->a->model->dev, v->a->params, v->host,
                                    (size_t)v->a->n_params * sizeof(float));
}

/* Between whole (r, in), (out, r) and part, which holds its ranks from `times` of its own on. */
static void copy_ranks(const axl__adapter_values *whole, const axl__adapter_values *part,
                       int64_t times, bool to_whole)
{
    for (int64_t i = 0; i < whole->a->model->modules.n; i++) {
        const axl__lora *w = &whole->a->loras[i], *p = &part->a->loras[i];
        if (!w->on)
            continue;
        int64_t first = times * p->rank;
        float *wa = whole->host + w->at[AXL__PART_A] + first * w->in;
        float *pa = part->host + p->at[AXL__PART_A];
        memcpy(to_whole ? wa : pa, to_whole ? pa : wa, (size_t)(p->rank * p->in) * sizeof *wa);
        for (int64_t o = 0; o < w->out; o++) {
            float *wb = whole->host + w->at[AXL__PART_B] + o * w->rank + first;
            float *pb = part->host + p->at[AXL__PART_B] + o * p->rank;
            memcpy(to_whole ? wb : pb, to_whole ? pb : wb, (size_t)p->rank * sizeof *wb);
        }
    }
}

/* Between two adapters of the same layers: what is there beside pairs is the same of any rank. */
static void copy_rest(const axl__adapter_values *to, const axl__adapter_values *from)
{
    for (int64_t i = 0; i < to->a->model->modules.n; i++) {
        const axl__lora *t = &to->a->loras[i], *f = &from->a->loras[i];
        for (int part = AXL__PART_B_BIAS; part < AXL__PARTS; part++)
            if (t->at[part] >= 0 && f->at[part] >= 0)
                memcpy(to->host + t->at[part], from->host + f->at[part],
                       (size_t)axl__part_size(t, (axl__part)part) * sizeof *to->host);
    }
}

/* The options of an adapter like a, each layer's rank so many times.  alpha grows with the rank, so
 * that whoever reads the folder computes the same scale from the two. */
static axl_status options_like(axl_adapter_options *out, axl__arena *arena, const axl_adapter *a,
                               int64_t times)
{
    double grown = a->opts.rslora ? sqrt((double)times) : (double)times;

    AXL_TRY(axl__targets_copy(out, arena, &a->opts));
    uint32_t *ranks = (uint32_t *)(uintptr_t)out->rank_pattern_ranks; /* the arena's */
    double *alphas = (double *)(uintptr_t)out->alpha_pattern_alphas;
    for (size_t i = 0; i < out->n_rank_pattern; i++)
        ranks[i] *= (uint32_t)times;
    for (size_t i = 0; i < out->n_alpha_pattern; i++)
        alphas[i] *= grown;
    out->rank *= (uint32_t)times;
    out->alpha *= grown;
    out->init_lora_weights = "true";
    return AXL_OK;
}

/* bare: the pairs alone, without what else a has. */
static axl_status make_like(axl_adapter **out, const axl_adapter *a, int64_t times, bool bare)
{
    int64_t n = a->model->modules.n;
    axl_adapter_options o;
    axl__arena arena;
    bool *on = axl__calloc(a->ctx, (size_t)n, sizeof *on);

    *out = NULL;
    if (!on)
        return axl__fail_nomem();
    for (int64_t i = 0; i < n; i++)
        on[i] = a->loras[i].on;
    axl__arena_init(&arena, a->ctx);
    axl_status status = options_like(&o, &arena, a, times);
    if (status == AXL_OK && bare) {
        o.bias = "none";
        o.lora_bias = o.use_dora = 0;
        o.n_modules_to_save = o.n_trainable_tokens = o.n_trainable_head_tokens = 0;
    }
    if (status == AXL_OK)
        status = axl__adapter_make(out, a->model, on, &o);
    axl__arena_free(&arena);
    axl__free(a->ctx, on);
    for (int64_t i = 0; i < n && status == AXL_OK; i++)
        (*out)->loras[i].scale = a->loras[i].scale;
    return status;
}

static int64_t times_of(const axl_adapter *whole, const axl_adapter *part)
{
    return whole ? (int64_t)(whole->opts.rank / part->opts.rank) : 0;
}

axl_status axl__adapter_joined(axl_adapter **out, const axl_adapter *a)
{
    int64_t before = times_of(a->frozen, a);
    axl__adapter_values whole = { 0 }, frozen = { 0 }, now = { 0 };

    AXL_TRY(make_like(out, a, before + 1, false));
    axl_status status = axl__adapter_values_read(&whole, *out);
    if (status == AXL_OK)
        status = axl__adapter_values_read(&now, a);
    if (status == AXL_OK && a->frozen)
        status = axl__adapter_values_read(&frozen, a->frozen);
    if (status == AXL_OK) {
        if (a->frozen)
            copy_ranks(&whole, &frozen, 0, true);
        copy_ranks(&whole, &now, before, true);
        copy_rest(&whole, &now);
        status = axl__adapter_values_write(&whole);
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

static bool adapts_embedding(const axl_adapter *a)
{
    return a->loras[axl__modules_in(&a->model->modules, -1, AXL__SLOT_EMBED).first].on;
}

/* Restarting magnitudes, biases and whole modules, which are one for all pairs, is defined nowhere.
 */
axl_status axl__adapter_can_restart(const axl_adapter *a)
{
    const char *init = a->opts.init_lora_weights;
    const char *what = a->opts.use_dora                    ? "peft_use_dora"
                       : a->opts.lora_bias                 ? "lora_bias"
                       : strcmp(a->opts.bias, "none") != 0 ? "bias"
                       : a->opts.n_modules_to_save > 0     ? "lora_modules_to_save"
                       : a->n_rows > 0                     ? "peft_trainable_token_indices"
                       : adapts_embedding(a)               ? "the embedding in lora_target_modules"
                       : axl__init_is_residual(init) || strcmp(init, "orthogonal") == 0 ||
                               strcmp(init, "false") == 0
                           ? "peft_init_lora_weights"
                           : NULL;

    if (!what)
        return AXL_OK;
    return axl__fail(AXL_ERR_UNSUPPORTED,
                     "relora restarts pairs that begin with B = 0: leave out relora or %s", what);
}

axl_status axl__adapter_restart(axl_adapter *a, uint64_t seed)
{
    axl_adapter *joined;

    AXL_TRY(axl__adapter_can_restart(a));
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

axl_status axl__adapter_subtract(axl_adapter *a)
{
    axl__adapter_values frozen = { 0 }, now = { 0 };
    axl_adapter *made;

    AXL_TRY(make_like(&made, a, 1, true));
    axl_status status = axl__adapter_values_read(&frozen, made);
    if (status == AXL_OK)
        status = axl__adapter_values_read(&now, a);
    if (status == AXL_OK) {
        copy_ranks(&frozen, &now, 0, true);
        for (size_t i = 0; i < made->n_tensors; i++) {
            const axl__param *t = &made->tensors[i];
            for (int64_t k = 0; made->entries[i].part == AXL__PART_B && k < t->rows * t->cols; k++)
                frozen.host[t->at + k] = -frozen.host[t->at + k];
        }
        status = axl__adapter_values_write(&frozen);
    }
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

axl_status axl__adapter_take(axl_adapter *a, const axl_adapter *joined)
{
    axl__adapter_values whole = { 0 }, frozen = { 0 }, now = { 0 };
    int64_t before = times_of(joined, a) - 1;
    axl_adapter *made = NULL;
    axl_status status = AXL_OK;

    for (int64_t i = 0; i < a->model->modules.n && status == AXL_OK; i++)
        if (a->loras[i].on != joined->loras[i].on)
            status = axl__fail(AXL_ERR_FORMAT, "the checkpoint adapts other layers");
    if (status == AXL_OK && before > 0)
        status = make_like(&made, a, before, true);
    if (status == AXL_OK)
        status = axl__adapter_values_read(&whole, joined);
    if (status == AXL_OK)
        status = axl__adapter_values_read(&now, a);
    if (status == AXL_OK && made)
        status = axl__adapter_values_read(&frozen, made);
    if (status == AXL_OK) {
        if (made)
            copy_ranks(&whole, &frozen, 0, false);
        copy_ranks(&whole, &now, before, false);
        copy_rest(&now, &whole);
        status = made ? axl__adapter_values_write(&frozen) : AXL_OK;
    }
    if (status == AXL_OK)
        status = axl__adapter_values_write(&now);
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
