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
    axl__linear_size most = { .widest = max64(max64(m->hidden_size, m->intermediate_size),
                                              m->n_heads * m->head_dim) };

    for (int slot = AXL__SLOT_QKV; slot <= AXL__SLOT_DOWN; slot++) {
        most.rank = max64(most.rank, axl__slot_rank(p, (axl__slot)slot));
        most.gained = max64(most.gained, axl__slot_gained(p, (axl__slot)slot));
    }
    o->norm = axl__step_arena_mat(a, t, T, m->hidden_size);
    axl__mlp_work_take(a, &o->mlp, p, T);
    axl__linear_scratch_take(a, &o->linear, p, T, most);
    if (!p->wish.grads)
        return;
    o->dnorm = axl__step_arena_mat(a, t, T, m->hidden_size);
    axl__attention_work_take(a, &o->attn, p, T, longest);
}

axl_status axl__layer_forward(const axl__pass *p, int64_t layer, const axl__layout *at,
                              const axl__layer_acts *x, axl_mat next, const axl__layer_scratch *s)
{
    const axl__modules *t = &p->model->modules;
    const axl__module *attn_norm = axl__modules_one(t, layer, AXL__SLOT_ATTN_NORM);
    const axl__module *mlp_norm = axl__modules_one(t, layer, AXL__SLOT_MLP_NORM);

    AXL_TRY(axl__norm_forward(p, attn_norm, x->h, s->norm, x->rstd1));
    AXL_TRY(axl__attention_block_forward(p, layer, at, &x->attn, s->norm, x->h, x->h2, &s->linear));
    AXL_TRY(axl__norm_forward(p, mlp_norm, x->h2, s->norm, x->rstd2));
    return axl__mlp_block_forward(p, layer, &x->mlp, s->norm, x->h2, next, &s->mlp, &s->linear);
}

axl_status axl__layer_backward(const axl__pass *p, int64_t layer, const axl__layout *at,
                               const axl__layer_acts *x, axl_mat dh, bool need_input,
                               const axl__layer_scratch *s)
{
    const axl__modules *t = &p->model->modules;
    const axl__module *attn_norm = axl__modules_one(t, layer, AXL__SLOT_ATTN_NORM);
    const axl__module *mlp_norm = axl__modules_one(t, layer, AXL__SLOT_MLP_NORM);
    axl_mat dx = s->dnorm;

    AXL_TRY(axl__norm_forward(p, mlp_norm, x->h2, s->norm, x->rstd2));
    AXL_TRY(axl__mlp_block_backward(p, layer, &x->mlp, s->norm, dh, s->dnorm, &s->mlp, &s->linear));
    AXL_TRY(axl__norm_backward(p, mlp_norm, x->h2, x->rstd2, s->dnorm, dh));
    AXL_TRY(axl__norm_forward(p, attn_norm, x->h, s->norm, x->rstd1));
    if (!need_input)
        dx.data = NULL;
    AXL_TRY(axl__attention_block_backward(p, layer, at, &x->attn, s->norm, dh, dx, &s->attn,
                                          &s->linear));
    return need_input ? axl__norm_backward(p, attn_norm, x->h, x->rstd1, dx, dh) : AXL_OK;
}
