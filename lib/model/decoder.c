/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder.c - see decoder.h.  The norms' and the MLP's elementwise outputs are computed again in
 * the backward: they cost a read of memory each and would be a third of what a layer keeps.
 */
#include "decoder.h"

#include <math.h>

void axl__layer_acts_take(axl__step_arena *a, axl__layer_acts *o, const axl__pass *p, int64_t T)
{
    const axl__arch *m = &p->model->arch;
    axl_dtype t = p->model->compute;
    int64_t q = m->n_heads * m->head_dim, kv = m->n_kv_heads * m->head_dim;

    o->q = axl__step_arena_mat(a, t, T, q);
    o->k = o->all_k = axl__step_arena_mat(a, t, T, kv);
    o->v = o->all_v = axl__step_arena_mat(a, t, T, kv);
    o->attn = axl__step_arena_mat(a, t, T, q);
    o->h2 = axl__step_arena_mat(a, t, T, m->hidden_size);
    o->gate = axl__step_arena_mat(a, t, T, m->intermediate_size);
    o->up = axl__step_arena_mat(a, t, T, m->intermediate_size);
    o->rstd1 = axl__step_arena_take(a, (size_t)T * sizeof(float));
    o->rstd2 = axl__step_arena_take(a, (size_t)T * sizeof(float));
    o->lse = axl__step_arena_take(a, (size_t)(T * m->n_heads) * sizeof(float));
    for (int k = 0; k < AXL__LINEAR_KINDS; k++)
        o->xa[k] = axl__step_arena_mat(a, t, T, p->adapter ? p->adapter->rank : 0);
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void axl__layer_scratch_take(axl__step_arena *a, axl__layer_scratch *o, const axl__pass *p,
                             int64_t T, bool backward)
{
    const axl__arch *m = &p->model->arch;
    axl_dtype t = p->model->compute;
    int64_t q = m->n_heads * m->head_dim, kv = m->n_kv_heads * m->head_dim;
    int64_t widest = max64(max64(m->hidden_size, m->intermediate_size), q);

    o->norm = axl__step_arena_mat(a, t, T, m->hidden_size);
    o->act = axl__step_arena_mat(a, t, T, m->intermediate_size);
    if (p->dropout > 0.0f)
        o->linear.drop = axl__step_arena_mat(a, t, T, widest);
    if (!backward)
        return;
    o->linear.dxa = axl__step_arena_mat(a, t, T, p->adapter ? p->adapter->rank : 0);
    o->dnorm = axl__step_arena_mat(a, t, T, m->hidden_size);
    o->dact = axl__step_arena_mat(a, t, T, m->intermediate_size);
    o->dattn = axl__step_arena_mat(a, t, T, q);
    o->dq = axl__step_arena_mat(a, t, T, q);
    o->dk = axl__step_arena_mat(a, t, T, kv);
    o->dv = axl__step_arena_mat(a, t, T, kv);
    o->attn = axl__step_arena_take(
        a, (size_t)axl__attention_scratch(T, m->n_heads, m->head_dim) * sizeof(float));
}

/* ---- the parts ---- */

static axl_status norm(const axl__pass *p, axl_mat x, axl_mat w, axl_mat y, float *rstd)
{
    axl_rms_norm_args a = { x, y, w.data, w.dtype, rstd, (float)p->model->arch.rms_norm_eps };

    return p->ops->rms_norm_forward(p->dev, &a);
}

static axl_status norm_backward(const axl__pass *p, axl_mat x, axl_mat w, const float *rstd,
                                axl_mat dy, axl_mat dx)
{
    axl_rms_norm_backward_args a = { x, dy, dx, w.data, w.dtype, rstd };

    return p->ops->rms_norm_backward(p->dev, &a);
}

static axl_status rotate(const axl__pass *p, const axl__layout *at, axl_mat x, int64_t n_heads,
                         bool inverse)
{
    axl_rope_args a = { x,       at->positions,           at->cos, at->sin,
                        n_heads, p->model->arch.head_dim, inverse };

    return p->ops->rope(p->dev, &a);
}

static axl_attention_args attention_args(const axl__pass *p, const axl__layout *at,
                                         const axl__layer_acts *x)
{
    const axl__arch *m = &p->model->arch;
    float scale = (float)(1.0 / sqrt((double)m->head_dim));

    return (axl_attention_args){ x->q,       x->all_k,      x->all_v,    x->attn,
                                 x->lse,     at->cu_q,      at->cu_k,    at->n_seqs,
                                 m->n_heads, m->n_kv_heads, m->head_dim, scale };
}

static axl_status add(const axl__pass *p, axl_mat x, axl_mat y)
{
    axl_unary_args a = { x, y };

    return p->ops->add(p->dev, &a);
}

/* ---- forward ---- */

static axl_status attention_half(const axl__pass *p, int64_t layer, const axl__layout *at,
                                 const axl__layer_acts *x, const axl__layer_scratch *s)
{
    const axl__layer *w = &p->model->layers[layer];
    const axl__arch *m = &p->model->arch;
    int64_t first = layer * AXL__LINEAR_KINDS;

    AXL_TRY(norm(p, x->h, w->attn_norm, s->norm, x->rstd1));
    AXL_TRY(axl__linear_forward(p, first + AXL__Q, s->norm, x->q, x->xa[AXL__Q], &s->linear));
    AXL_TRY(axl__linear_forward(p, first + AXL__K, s->norm, x->k, x->xa[AXL__K], &s->linear));
    AXL_TRY(axl__linear_forward(p, first + AXL__V, s->norm, x->v, x->xa[AXL__V], &s->linear));
    AXL_TRY(rotate(p, at, x->q, m->n_heads, false));
    AXL_TRY(rotate(p, at, x->k, m->n_kv_heads, false));
    axl_attention_args a = attention_args(p, at, x);
    AXL_TRY(p->ops->attention_forward(p->dev, &a));
    AXL_TRY(axl__linear_forward(p, first + AXL__O, x->attn, x->h2, x->xa[AXL__O], &s->linear));
    return add(p, x->h, x->h2);
}

axl_status axl__layer_forward(const axl__pass *p, int64_t layer, const axl__layout *at,
                              const axl__layer_acts *x, axl_mat next, const axl__layer_scratch *s)
{
    const axl__layer *w = &p->model->layers[layer];
    int64_t first = layer * AXL__LINEAR_KINDS;

    AXL_TRY(attention_half(p, layer, at, x, s));
    AXL_TRY(norm(p, x->h2, w->mlp_norm, s->norm, x->rstd2));
    AXL_TRY(
        axl__linear_forward(p, first + AXL__GATE, s->norm, x->gate, x->xa[AXL__GATE], &s->linear));
    AXL_TRY(axl__linear_forward(p, first + AXL__UP, s->norm, x->up, x->xa[AXL__UP], &s->linear));
    if (!next.data && !axl__pass_lora(p, first + AXL__DOWN))
        return AXL_OK;
    axl_swiglu_args g = { x->gate, x->up, s->act };
    AXL_TRY(p->ops->swiglu_forward(p->dev, &g));
    if (!next.data)
        return axl__linear_xa(p, first + AXL__DOWN, s->act, x->xa[AXL__DOWN], &s->linear);
    AXL_TRY(axl__linear_forward(p, first + AXL__DOWN, s->act, next, x->xa[AXL__DOWN], &s->linear));
    return add(p, x->h2, next);
}

/* ---- backward ---- */

static axl_status mlp_backward(const axl__pass *p, int64_t layer, const axl__layer_acts *x,
                               axl_mat dh, const axl__layer_scratch *s)
{
    const axl__layer *w = &p->model->layers[layer];
    int64_t first = layer * AXL__LINEAR_KINDS;

    if (axl__pass_lora(p, first + AXL__DOWN)) {
        axl_swiglu_args g = { x->gate, x->up, s->act };
        AXL_TRY(p->ops->swiglu_forward(p->dev, &g));
    }
    AXL_TRY(axl__linear_backward(p, first + AXL__DOWN, s->act, dh, x->xa[AXL__DOWN], s->dact, 0.0f,
                                 &s->linear));
    axl_swiglu_backward_args b = { x->gate, x->up, s->dact, x->gate, x->up };
    AXL_TRY(p->ops->swiglu_backward(p->dev, &b));
    AXL_TRY(norm(p, x->h2, w->mlp_norm, s->norm, x->rstd2));
    AXL_TRY(axl__linear_backward(p, first + AXL__GATE, s->norm, x->gate, x->xa[AXL__GATE], s->dnorm,
                                 0.0f, &s->linear));
    AXL_TRY(axl__linear_backward(p, first + AXL__UP, s->norm, x->up, x->xa[AXL__UP], s->dnorm, 1.0f,
                                 &s->linear));
    return norm_backward(p, x->h2, w->mlp_norm, x->rstd2, s->dnorm, dh);
}

static axl_status attention_backward(const axl__pass *p, int64_t layer, const axl__layout *at,
                                     const axl__layer_acts *x, axl_mat dh,
                                     const axl__layer_scratch *s)
{
    const axl__arch *m = &p->model->arch;
    int64_t first = layer * AXL__LINEAR_KINDS;

    AXL_TRY(axl__linear_backward(p, first + AXL__O, x->attn, dh, x->xa[AXL__O], s->dattn, 0.0f,
                                 &s->linear));
    axl_attention_backward_args a = { attention_args(p, at, x), s->dattn, s->dq, s->dk, s->dv,
                                      s->attn };
    AXL_TRY(p->ops->attention_backward(p->dev, &a));
    AXL_TRY(rotate(p, at, s->dq, m->n_heads, true));
    return rotate(p, at, s->dk, m->n_kv_heads, true);
}

axl_status axl__layer_backward(const axl__pass *p, int64_t layer, const axl__layout *at,
                               const axl__layer_acts *x, axl_mat dh, bool need_input,
                               const axl__layer_scratch *s)
{
    const axl__layer *w = &p->model->layers[layer];
    int64_t first = layer * AXL__LINEAR_KINDS;
    axl_mat dn = s->dnorm;

    AXL_TRY(mlp_backward(p, layer, x, dh, s));
    AXL_TRY(attention_backward(p, layer, at, x, dh, s));
    AXL_TRY(norm(p, x->h, w->attn_norm, s->norm, x->rstd1));
    if (!need_input)
        dn.data = NULL;
    AXL_TRY(axl__linear_backward(p, first + AXL__Q, s->norm, s->dq, x->xa[AXL__Q], dn, 0.0f,
                                 &s->linear));
    AXL_TRY(axl__linear_backward(p, first + AXL__K, s->norm, s->dk, x->xa[AXL__K], dn, 1.0f,
                                 &s->linear));
    AXL_TRY(axl__linear_backward(p, first + AXL__V, s->norm, s->dv, x->xa[AXL__V], dn, 1.0f,
                                 &s->linear));
    return need_input ? norm_backward(p, x->h, w->attn_norm, x->rstd1, dn, dh) : AXL_OK;
}
