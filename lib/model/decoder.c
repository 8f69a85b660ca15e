/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder.c - see decoder.h.  The norms' and the MLP's elementwise outputs are computed again in
 * the backward: they cost a read of memory each and would be a third of what a layer keeps.
 */
#include "decoder.h"

#include <math.h>

/* The most that any layer has: layers_to_transform may leave some out. */
static int64_t group_rank(const axl__pass *p, int64_t k)
{
    int64_t most = 0;

    for (int64_t l = 0; l < p->model->arch.n_layers; l++) {
        int64_t rank = axl__linears_rank(p, axl__layer_linears(l, k));
        most = rank > most ? rank : most;
    }
    return most;
}

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
    for (int k = 0; k < AXL__LINEAR_GROUPS; k++)
        o->xa[k] = axl__step_arena_mat(a, t, T, group_rank(p, k));
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void axl__layer_scratch_take(axl__step_arena *a, axl__layer_scratch *o, const axl__pass *p,
                             int64_t T, int64_t longest, bool backward)
{
    const axl__arch *m = &p->model->arch;
    axl_dtype t = p->model->compute;
    int64_t q = m->n_heads * m->head_dim, kv = m->n_kv_heads * m->head_dim;
    int64_t widest = max64(max64(m->hidden_size, m->intermediate_size), q);

    o->norm = axl__step_arena_mat(a, t, T, m->hidden_size);
    o->act = axl__step_arena_mat(a, t, T, m->intermediate_size);
    if (p->dropout > 0.0f)
        o->linear.drop = axl__step_arena_mat(a, t, T, widest);
    o->linear.frozen = axl__step_arena_mat(a, t, T, axl__frozen_rank(p));
    if (!backward)
        return;
    o->linear.dxa = axl__step_arena_mat(a, t, T,
                                        max64(max64(group_rank(p, 0), group_rank(p, 1)),
                                              max64(group_rank(p, 2), group_rank(p, 3))));
    o->dnorm = axl__step_arena_mat(a, t, T, m->hidden_size);
    o->dact = axl__step_arena_mat(a, t, T, m->intermediate_size);
    o->dattn = axl__step_arena_mat(a, t, T, q);
    for (int i = 0; i < 3; i++)
        o->dqkv[i] = axl__step_arena_mat(a, t, T, i == 0 ? q : kv);
    axl_attention_backward_args back = { .forward = { .q = { NULL, t, T, q, q },
                                                      .n_heads = m->n_heads,
                                                      .n_kv_heads = m->n_kv_heads,
                                                      .head_dim = m->head_dim,
                                                      .longest = longest } };
    o->attn = axl__step_arena_take(a, p->ops->scratch(p->dev, AXL_OP_attention_backward, &back));
}

/* ---- the parts ---- */

static axl_status norm(const axl__pass *p, axl_mat x, axl_mat w, axl_mat y, float *rstd)
{
    axl_rms_norm_args a = { x, y, w.data, w.dtype, rstd, (float)p->model->arch.rms_norm_eps };

    return p->ops->rms_norm_forward(p->dev, &a);
}

static axl_status norm_backward(const axl__pass *p, int64_t layer, axl_mat x, axl_mat w,
                                const float *rstd, axl_mat dy, axl_mat dx)
{
    axl_rms_norm_backward_args a = { x, dy, dx, w.data, w.dtype, rstd };

    AXL_TRY(p->ops->rms_norm_backward(p->dev, &a));
    return axl__norm_weight_gradient(p, layer, x, w, rstd, dy);
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

    return (axl_attention_args){ .q = x->q,
                                 .k = x->all_k,
                                 .v = x->all_v,
                                 .out = x->attn,
                                 .lse = x->lse,
                                 .cu_q = at->cu_q,
                                 .cu_k = at->cu_k,
                                 .n_seqs = at->n_seqs,
                                 .longest = at->longest,
                                 .n_heads = m->n_heads,
                                 .n_kv_heads = m->n_kv_heads,
                                 .head_dim = m->head_dim,
                                 .scale = scale };
}

/* The group's xa, as wide as this layer's pairs are. */
static axl_mat xa_of(const axl__pass *p, axl__linears g, axl_mat xa)
{
    xa.cols = xa.stride = axl__linears_rank(p, g);
    return xa;
}

/* ---- forward ---- */

enum { QKV, O, GATE_UP, DOWN };

static axl_status linears(const axl__pass *p, int64_t layer, int64_t k, axl_mat x, axl_mat plus,
                          const axl_mat *y, const axl__layer_acts *acts,
                          const axl__layer_scratch *s)
{
    axl__linears g = axl__layer_linears(layer, k);

    return axl__linears_forward(p, g, x, plus, y, xa_of(p, g, acts->xa[k]), &s->linear);
}

static axl_status attention_half(const axl__pass *p, int64_t layer, const axl__layout *at,
                                 const axl__layer_acts *x, const axl__layer_scratch *s)
{
    const axl__layer *w = &p->model->layers[layer];
    const axl__arch *m = &p->model->arch;
    const axl_mat qkv[3] = { x->q, x->k, x->v }, none = { 0 };

    AXL_TRY(norm(p, x->h, w->attn_norm, s->norm, x->rstd1));
    AXL_TRY(linears(p, layer, QKV, s->norm, none, qkv, x, s));
    AXL_TRY(rotate(p, at, x->q, m->n_heads, false));
    AXL_TRY(rotate(p, at, x->k, m->n_kv_heads, false));
    axl_attention_args a = attention_args(p, at, x);
    AXL_TRY(p->ops->attention_forward(p->dev, &a));
    return linears(p, layer, O, x->attn, x->h, &x->h2, x, s);
}

axl_status axl__layer_forward(const axl__pass *p, int64_t layer, const axl__layout *at,
                              const axl__layer_acts *x, axl_mat next, const axl__layer_scratch *s)
{
    const axl__layer *w = &p->model->layers[layer];
    axl__linears down = axl__layer_linears(layer, DOWN);
    const axl_mat gate_up[2] = { x->gate, x->up }, none = { 0 };

    AXL_TRY(attention_half(p, layer, at, x, s));
    AXL_TRY(norm(p, x->h2, w->mlp_norm, s->norm, x->rstd2));
    AXL_TRY(linears(p, layer, GATE_UP, s->norm, none, gate_up, x, s));
    if (!next.data && axl__linears_rank(p, down) == 0)
        return AXL_OK;
    axl_swiglu_args g = { x->gate, x->up, s->act };
    AXL_TRY(p->ops->swiglu_forward(p->dev, &g));
    if (!next.data)
        return axl__linears_xa(p, down, s->act, xa_of(p, down, x->xa[DOWN]), &s->linear);
    return linears(p, layer, DOWN, s->act, x->h2, &next, x, s);
}

/* ---- backward ---- */

static axl_status linears_backward(const axl__pass *p, int64_t layer, int64_t k, axl_mat x,
                                   const axl_mat *dy, axl_mat dx, const axl__layer_acts *acts,
                                   const axl__layer_scratch *s)
{
    axl__linears g = axl__layer_linears(layer, k);

    return axl__linears_backward(p, g, x, dy, xa_of(p, g, acts->xa[k]), dx, &s->linear);
}

static axl_status mlp_backward(const axl__pass *p, int64_t layer, const axl__layer_acts *x,
                               axl_mat dh, const axl__layer_scratch *s)
{
    const axl__layer *w = &p->model->layers[layer];
    const axl_mat dgate_up[2] = { x->gate, x->up };

    if (axl__trains_layer(p, layer) || axl__linears_rank(p, axl__layer_linears(layer, DOWN)) > 0) {
        axl_swiglu_args g = { x->gate, x->up, s->act };
        AXL_TRY(p->ops->swiglu_forward(p->dev, &g));
    }
    AXL_TRY(linears_backward(p, layer, DOWN, s->act, &dh, s->dact, x, s));
    axl_swiglu_backward_args b = { x->gate, x->up, s->dact, x->gate, x->up };
    AXL_TRY(p->ops->swiglu_backward(p->dev, &b));
    AXL_TRY(norm(p, x->h2, w->mlp_norm, s->norm, x->rstd2));
    AXL_TRY(linears_backward(p, layer, GATE_UP, s->norm, dgate_up, s->dnorm, x, s));
    return norm_backward(p, layer, x->h2, w->mlp_norm, x->rstd2, s->dnorm, dh);
}

static axl_status attention_backward(const axl__pass *p, int64_t layer, const axl__layout *at,
                                     const axl__layer_acts *x, axl_mat dh,
                                     const axl__layer_scratch *s)
{
    const axl__arch *m = &p->model->arch;

    AXL_TRY(linears_backward(p, layer, O, x->attn, &dh, s->dattn, x, s));
    axl_attention_backward_args a = {
        attention_args(p, at, x), s->dattn, s->dqkv[0], s->dqkv[1], s->dqkv[2], s->attn
    };
    AXL_TRY(p->ops->attention_backward(p->dev, &a));
    AXL_TRY(rotate(p, at, s->dqkv[0], m->n_heads, true));
    return rotate(p, at, s->dqkv[1], m->n_kv_heads, true);
}

axl_status axl__layer_backward(const axl__pass *p, int64_t layer, const axl__layout *at,
                               const axl__layer_acts *x, axl_mat dh, bool need_input,
                               const axl__layer_scratch *s)
{
    const axl__layer *w = &p->model->layers[layer];
    axl_mat dn = s->dnorm;

    AXL_TRY(mlp_backward(p, layer, x, dh, s));
    AXL_TRY(attention_backward(p, layer, at, x, dh, s));
    AXL_TRY(norm(p, x->h, w->attn_norm, s->norm, x->rstd1));
    if (!need_input)
        dn.data = NULL;
    AXL_TRY(linears_backward(p, layer, QKV, s->norm, s->dqkv, dn, x, s));
    return need_input ? norm_backward(p, layer, x->h, w->attn_norm, x->rstd1, dn, dh) : AXL_OK;
}
