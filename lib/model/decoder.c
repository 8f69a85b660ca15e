/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder.c - see decoder.h.  The norms' outputs are computed again in the backward: they cost a
 * read of memory each and would be a large part of what a layer keeps.
 */
#include "decoder.h"
#include "block_norm.h"

void axl__layer_acts_take(axl__step_arena *a, axl__layer_acts *o, const axl__pass *p, int64_t T)
{
    axl__attention_acts_take(a, &o->attn, p, T);
    o->h2 = axl__step_arena_mat(a, p->model->compute, T, p->model->arch.hidden_size);
    o->rstd1 = axl__step_arena_take(a, (size_t)T * sizeof(float));
    o->rstd2 = axl__step_arena_take(a, (size_t)T * sizeof(float));
    axl__mlp_acts_take(a, &o->mlp, p, T);
    if (!p->model->arch.post_norms)
        return;
    o->attn_out = axl__step_arena_mat(a, p->model->compute, T, p->model->arch.hidden_size);
    o->mlp_out = axl__step_arena_mat(a, p->model->compute, T, p->model->arch.hidden_size);
    o->attn_rstd = axl__step_arena_take(a, (size_t)T * sizeof(float));
    o->mlp_rstd = axl__step_arena_take(a, (size_t)T * sizeof(float));
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void axl__layer_scratch_take(axl__step_arena *a, axl__layer_scratch *o, const axl__pass *p,
                             int64_t T, int64_t longest)
{
    const axl__arch *m = &p->model->arch;
    axl_dtype t = p->model->compute;
    int64_t widest = max64(max64(m->hidden_size, m->intermediate_size), m->n_heads * m->head_dim);
    int64_t rank = 0;

    for (int slot = AXL__SLOT_QKV; slot <= AXL__SLOT_DOWN; slot++)
        rank = max64(rank, axl__slot_rank(p, (axl__slot)slot));
    o->norm = axl__step_arena_mat(a, t, T, m->hidden_size);
    axl__mlp_work_take(a, &o->mlp, p, T);
    axl__linear_scratch_take(a, &o->linear, p, T, widest, rank);
    if (!p->wish.grads)
        return;
    o->dnorm = axl__step_arena_mat(a, t, T, m->hidden_size);
    if (m->post_norms)
        o->dout = axl__step_arena_mat(a, t, T, m->hidden_size);
    axl__attention_work_take(a, &o->attn, p, T, longest);
}

/* y = plus + norm(out): a block's output joins the residual stream. */
static axl_status join(const axl__pass *p, const axl__module *norm, axl_mat out, float *rstd,
                       axl_mat plus, axl_mat y)
{
    AXL_TRY(axl__norm_forward(p, norm, out, y, rstd));
    return p->ops->add(p->dev, &(axl_unary_args){ plus, y });
}

/* From dh, the gradient of the sum, to that of the block's output, which is written. */
static axl_status join_backward(const axl__pass *p, const axl__module *norm, axl_mat out,
                                const float *rstd, axl_mat dh, axl_mat dout)
{
    size_t bytes = (size_t)(dout.rows * dout.cols) * axl__dtype_size(dout.dtype);

    AXL_TRY(p->ops->zero(p->dev, dout.data, bytes));
    return axl__norm_backward(p, norm, out, rstd, dh, dout);
}

/* A layer with post_norms.  Its backward needs the last product, too, and the norm's rstd. */
static axl_status post_norm_forward(const axl__pass *p, int64_t layer, const axl__layout *at,
                                    const axl__layer_acts *x, axl_mat next,
                                    const axl__layer_scratch *s)
{
    const axl__modules *t = &p->model->modules;
    const axl__module *attn_post = axl__modules_one(t, layer, AXL__SLOT_ATTN_POST_NORM);
    const axl__module *mlp_norm = axl__modules_one(t, layer, AXL__SLOT_MLP_NORM);
    const axl__module *mlp_post = axl__modules_one(t, layer, AXL__SLOT_MLP_POST_NORM);
    const axl_mat none = { 0 };

    AXL_TRY(axl__attention_block_forward(p, layer, at, &x->attn, s->norm, none, x->attn_out,
                                         &s->linear));
    AXL_TRY(join(p, attn_post, x->attn_out, x->attn_rstd, x->h, x->h2));
    AXL_TRY(axl__norm_forward(p, mlp_norm, x->h2, s->norm, x->rstd2));
    AXL_TRY(
        axl__mlp_block_forward(p, layer, &x->mlp, s->norm, none, x->mlp_out, &s->mlp, &s->linear));
    return next.data ? join(p, mlp_post, x->mlp_out, x->mlp_rstd, x->h2, next)
                     : axl__norm_forward(p, mlp_post, x->mlp_out, s->norm, x->mlp_rstd);
}

axl_status axl__layer_forward(const axl__pass *p, int64_t layer, const axl__layout *at,
                              const axl__layer_acts *x, axl_mat next, const axl__layer_scratch *s)
{
    const axl__modules *t = &p->model->modules;
    const axl__module *attn_norm = axl__modules_one(t, layer, AXL__SLOT_ATTN_NORM);
    const axl__module *mlp_norm = axl__modules_one(t, layer, AXL__SLOT_MLP_NORM);

    AXL_TRY(axl__norm_forward(p, attn_norm, x->h, s->norm, x->rstd1));
    if (p->model->arch.post_norms)
        return post_norm_forward(p, layer, at, x, next, s);
    AXL_TRY(axl__attention_block_forward(p, layer, at, &x->attn, s->norm, x->h, x->h2, &s->linear));
    AXL_TRY(axl__norm_forward(p, mlp_norm, x->h2, s->norm, x->rstd2));
    return axl__mlp_block_forward(p, layer, &x->mlp, s->norm, x->h2, next, &s->mlp, &s->linear);
}

/* The gradient of what a block put out: dh itself, or through the norm behind the block. */
static axl_status block_gradient(const axl__pass *p, int64_t layer, axl__slot post,
                                 const axl__layer_acts *x, axl_mat dh, const axl__layer_scratch *s,
                                 axl_mat *dy)
{
    bool mlp = post == AXL__SLOT_MLP_POST_NORM, normed = p->model->arch.post_norms;

    *dy = normed ? s->dout : dh;
    if (!normed)
        return AXL_OK;
    return join_backward(p, axl__modules_one(&p->model->modules, layer, post),
                         mlp ? x->mlp_out : x->attn_out, mlp ? x->mlp_rstd : x->attn_rstd, dh,
                         s->dout);
}

axl_status axl__layer_backward(const axl__pass *p, int64_t layer, const axl__layout *at,
                               const axl__layer_acts *x, axl_mat dh, bool need_input,
                               const axl__layer_scratch *s)
{
    const axl__modules *t = &p->model->modules;
    const axl__module *attn_norm = axl__modules_one(t, layer, AXL__SLOT_ATTN_NORM);
    const axl__module *mlp_norm = axl__modules_one(t, layer, AXL__SLOT_MLP_NORM);
    axl_mat dx = s->dnorm, dy;

    AXL_TRY(block_gradient(p, layer, AXL__SLOT_MLP_POST_NORM, x, dh, s, &dy));
    AXL_TRY(axl__norm_forward(p, mlp_norm, x->h2, s->norm, x->rstd2));
    AXL_TRY(axl__mlp_block_backward(p, layer, &x->mlp, s->norm, dy, s->dnorm, &s->mlp, &s->linear));
    AXL_TRY(axl__norm_backward(p, mlp_norm, x->h2, x->rstd2, s->dnorm, dh));
    AXL_TRY(block_gradient(p, layer, AXL__SLOT_ATTN_POST_NORM, x, dh, s, &dy));
    AXL_TRY(axl__norm_forward(p, attn_norm, x->h, s->norm, x->rstd1));
    if (!need_input)
        dx.data = NULL;
    AXL_TRY(axl__attention_block_backward(p, layer, at, &x->attn, s->norm, dy, dx, &s->attn,
                                          &s->linear));
    return need_input ? axl__norm_backward(p, attn_norm, x->h, x->rstd1, dx, dh) : AXL_OK;
}
