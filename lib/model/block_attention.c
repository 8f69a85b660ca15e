/* SPDX-License-Identifier: Apache-2.0 */
/* block_attention.c - see block_attention.h. */
#include "block_attention.h"
#include "block_norm.h"

#include <assert.h>

/* Matrices of the shapes of q, k and v: each its own, or the columns of one, which is returned. */
static axl_mat take_qkv(axl__step_arena *a, const axl__pass *p, int64_t T, axl_mat out[3])
{
    const axl__arch *m = &p->model->arch;
    axl_dtype t = p->model->compute;
    int64_t q = m->n_heads * m->head_dim, kv = m->n_kv_heads * m->head_dim;

    if (!m->fused) {
        for (int i = 0; i < 3; i++)
            out[i] = axl__step_arena_mat(a, t, T, i == 0 ? q : kv);
        return (axl_mat){ 0 };
    }
    axl_mat all = axl__step_arena_mat(a, t, T, q + 2 * kv);
    for (int i = 0; i < 3; i++)
        out[i] = axl__columns(all, i == 0 ? 0 : q + (i - 1) * kv, i == 0 ? q : kv);
    return all;
}

void axl__attention_acts_take(axl__step_arena *a, axl__attention_acts *o, const axl__pass *p,
                              int64_t T)
{
    const axl__arch *m = &p->model->arch;
    axl_dtype t = p->model->compute;
    int64_t q = m->n_heads * m->head_dim, kv = m->n_kv_heads * m->head_dim;

    axl_mat qkv[3];
    o->qkv = take_qkv(a, p, T, qkv);
    o->q = qkv[0];
    o->k = o->all_k = qkv[1];
    o->v = o->all_v = qkv[2];
    o->cached_k = o->cached_v = (axl_mat){ 0 };
    o->out = axl__step_arena_mat(a, t, T, q);
    if (m->qk_norm) {
        o->raw_q = axl__step_arena_mat(a, t, T, q);
        o->raw_k = axl__step_arena_mat(a, t, T, kv);
        o->rstd_q = axl__step_arena_take(a, (size_t)(T * m->n_heads) * sizeof(float));
        o->rstd_k = axl__step_arena_take(a, (size_t)(T * m->n_kv_heads) * sizeof(float));
    }
    o->lse = axl__step_arena_take(a, (size_t)(T * m->n_heads) * sizeof(float));
    o->xa_qkv = axl__step_arena_mat(a, t, T, axl__slot_rank(p, AXL__SLOT_QKV));
    o->xa_o = axl__step_arena_mat(a, t, T, axl__slot_rank(p, AXL__SLOT_O));
}

void axl__attention_work_take(axl__step_arena *a, axl__attention_work *o, const axl__pass *p,
                              int64_t T, int64_t longest)
{
    const axl__arch *m = &p->model->arch;
    axl_dtype t = p->model->compute;
    int64_t q = m->n_heads * m->head_dim, kv = m->n_kv_heads * m->head_dim;

    o->dout = axl__step_arena_mat(a, t, T, q);
    o->fused = take_qkv(a, p, T, o->dqkv);
    for (int i = 0; i < 2 && m->qk_norm; i++)
        o->draw[i] = axl__step_arena_mat(a, t, T, i == 0 ? q : kv);
    axl_attention_backward_args back = { .forward = { .q = { NULL, t, T, q, q },
                                                      .longest = longest,
                                                      .n_heads = m->n_heads,
                                                      .n_kv_heads = m->n_kv_heads,
                                                      .head_dim = m->head_dim } };
    o->kernel = axl__step_arena_take(a, p->ops->scratch(p->dev, AXL_OP_attention_backward, &back));
}

/* Turns the heads of q and k in place.  The gradient of a rotation is the rotation back. */
static axl_status rotate(const axl__pass *p, int64_t layer, const axl__layout *at, axl_mat q,
                         axl_mat k, bool inverse)
{
    const axl__arch *m = &p->model->arch;
    int set = m->layers[layer].rope;
    const axl__rope_angles *r = &at->ropes[set];
    axl_rope_args a = { q,
                        at->positions,
                        r->query_cos,
                        r->query_sin,
                        m->n_heads,
                        m->head_dim,
                        m->ropes[set].rotary_dim,
                        inverse };

    AXL_TRY(p->ops->rope(p->dev, &a));
    a.x = k;
    a.n_heads = m->n_kv_heads;
    a.cos = r->cos;
    a.sin = r->sin;
    return p->ops->rope(p->dev, &a);
}

/* The heads of all tokens as rows, one behind another.  No family has both a fused layer, whose
 * columns are no rows, and norms of heads: arch.c sees to it. */
static axl_mat as_heads(axl_mat x, int64_t head_dim)
{
    assert(x.stride == x.cols);
    x.rows *= x.cols / head_dim;
    x.cols = x.stride = head_dim;
    return x;
}

static axl_status norm_heads(const axl__pass *p, int64_t layer, axl__slot slot, axl_mat raw,
                             axl_mat x, float *rstd)
{
    const axl__module *m = axl__modules_one(&p->model->modules, layer, slot);
    int64_t D = p->model->arch.head_dim;

    return axl__norm_forward(p, m, as_heads(raw, D), as_heads(x, D), rstd);
}

/* d is the gradient of what came out; draw is written. */
static axl_status norm_heads_backward(const axl__pass *p, int64_t layer, axl__slot slot,
                                      axl_mat raw, const float *rstd, axl_mat d, axl_mat draw)
{
    const axl__module *m = axl__modules_one(&p->model->modules, layer, slot);
    int64_t D = p->model->arch.head_dim;
    size_t bytes = (size_t)(draw.rows * draw.cols) * axl__dtype_size(draw.dtype);

    AXL_TRY(p->ops->zero(p->dev, draw.data, bytes));
    return axl__norm_backward(p, m, as_heads(raw, D), rstd, as_heads(d, D), as_heads(draw, D));
}

static axl_attention_args attention_args(const axl__pass *p, int64_t layer, const axl__layout *at,
                                         const axl__attention_acts *x)
{
    const axl__arch *m = &p->model->arch;

    return (axl_attention_args){
        .q = x->q,
        .k = x->all_k,
        .v = x->all_v,
        .out = x->out,
        .lse = x->lse,
        .cu_q = at->cu_q,
        .cu_k = at->cu_k,
        .device_cu_q = at->device_cu_q,
        .device_cu_k = at->device_cu_k,
        .n_seqs = at->n_seqs,
        .longest = at->longest,
        .n_heads = m->n_heads,
        .n_kv_heads = m->n_kv_heads,
        .head_dim = m->head_dim,
        .window = m->layers[layer].window,
        .scale = (float)m->attn_scale,
        .soft_cap = (float)m->attn_soft_cap,
    };
}

/* Columns of a fused output, which a cache has side by side. */
static axl_status fill_cache(const axl__pass *p, const axl__attention_acts *x)
{
    axl_unary_args k = { x->k, x->cached_k }, v = { x->v, x->cached_v };

    AXL_TRY(p->ops->convert(p->dev, &k));
    return p->ops->convert(p->dev, &v);
}

axl_status axl__attention_block_forward(const axl__pass *p, int64_t layer, const axl__layout *at,
                                        const axl__attention_acts *acts, axl_mat x, axl_mat plus,
                                        axl_mat y, const axl__linear_scratch *s)
{
    const axl__modules *t = &p->model->modules;
    const axl__arch *m = &p->model->arch;
    const axl_mat none = { 0 }, qkv[3] = { m->qk_norm ? acts->raw_q : acts->q,
                                           m->qk_norm ? acts->raw_k : acts->k, acts->v };

    AXL_TRY(axl__linears_forward(p, axl__modules_in(t, layer, AXL__SLOT_QKV), x, none,
                                 m->fused ? &acts->qkv : qkv, acts->xa_qkv, s));
    if (m->qk_norm) {
        AXL_TRY(norm_heads(p, layer, AXL__SLOT_Q_NORM, acts->raw_q, acts->q, acts->rstd_q));
        AXL_TRY(norm_heads(p, layer, AXL__SLOT_K_NORM, acts->raw_k, acts->k, acts->rstd_k));
    }
    AXL_TRY(rotate(p, layer, at, acts->q, acts->k, false));
    if (acts->cached_k.data)
        AXL_TRY(fill_cache(p, acts));
    axl_attention_args a = attention_args(p, layer, at, acts);
    AXL_TRY(p->ops->attention_forward(p->dev, &a));
    return axl__linears_forward(p, axl__modules_in(t, layer, AXL__SLOT_O), acts->out, plus, &y,
                                acts->xa_o, s);
}

axl_status axl__attention_block_backward(const axl__pass *p, int64_t layer, const axl__layout *at,
                                         const axl__attention_acts *acts, axl_mat x, axl_mat dy,
                                         axl_mat dx, const axl__attention_work *w,
                                         const axl__linear_scratch *s)
{
    const axl__modules *t = &p->model->modules;
    const axl__arch *m = &p->model->arch;

    AXL_TRY(axl__linears_backward(p, axl__modules_in(t, layer, AXL__SLOT_O), acts->out, &dy,
                                  acts->xa_o, w->dout, s));
    axl_attention_backward_args a = {
        .forward = attention_args(p, layer, at, acts),
        .dout = w->dout,
        .dq = w->dqkv[0],
        .dk = w->dqkv[1],
        .dv = w->dqkv[2],
        .scratch = w->kernel,
    };
    AXL_TRY(p->ops->attention_backward(p->dev, &a));
    AXL_TRY(rotate(p, layer, at, w->dqkv[0], w->dqkv[1], true));
    const axl_mat dqkv[3] = { m->qk_norm ? w->draw[0] : w->dqkv[0],
                              m->qk_norm ? w->draw[1] : w->dqkv[1], w->dqkv[2] };
    if (m->qk_norm) {
        AXL_TRY(norm_heads_backward(p, layer, AXL__SLOT_Q_NORM, acts->raw_q, acts->rstd_q,
                                    w->dqkv[0], w->draw[0]));
        AXL_TRY(norm_heads_backward(p, layer, AXL__SLOT_K_NORM, acts->raw_k, acts->rstd_k,
                                    w->dqkv[1], w->draw[1]));
    }
    return axl__linears_backward(p, axl__modules_in(t, layer, AXL__SLOT_QKV), x,
                                 m->fused ? &w->fused : dqkv, acts->xa_qkv, dx, s);
}
