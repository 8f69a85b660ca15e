/* SPDX-License-Identifier: Apache-2.0 */
/* block_mlp.c - see block_mlp.h. */
#include "block_mlp.h"

void axl__mlp_acts_take(axl__step_arena *a, axl__mlp_acts *o, const axl__pass *p, int64_t T)
{
    axl_dtype t = p->model->compute;
    int64_t F = p->model->arch.intermediate_size;

    if (p->model->arch.fused) {
        o->gate_up = axl__step_arena_mat(a, t, T, 2 * F);
        o->gate = axl__columns(o->gate_up, 0, F);
        o->up = axl__columns(o->gate_up, F, F);
    } else {
        o->gate = axl__step_arena_mat(a, t, T, F);
        o->up = axl__step_arena_mat(a, t, T, F);
    }
    o->xa_gate_up = axl__step_arena_mat(a, t, T, axl__slot_rank(p, AXL__SLOT_GATE_UP));
    o->xa_down = axl__step_arena_mat(a, t, T, axl__slot_rank(p, AXL__SLOT_DOWN));
}

void axl__mlp_work_take(axl__step_arena *a, axl__mlp_work *o, const axl__pass *p, int64_t T)
{
    axl_dtype t = p->model->compute;

    o->act = axl__step_arena_mat(a, t, T, p->model->arch.intermediate_size);
    if (p->wish.grads)
        o->dact = axl__step_arena_mat(a, t, T, p->model->arch.intermediate_size);
}

static axl_status mlp_activate(const axl__pass *p, const axl__mlp_acts *acts,
                               const axl__mlp_work *w)
{
    axl_glu_args g = { acts->gate, acts->up, w->act, p->model->arch.activation };

    return p->ops->glu_forward(p->dev, &g);
}

axl_status axl__mlp_block_forward(const axl__pass *p, int64_t layer, const axl__mlp_acts *acts,
                                  axl_mat x, axl_mat plus, axl_mat y, const axl__mlp_work *w,
                                  const axl__linear_scratch *s)
{
    axl__linears gate_up = axl__modules_in(&p->model->modules, layer, AXL__SLOT_GATE_UP);
    axl__linears down = axl__modules_in(&p->model->modules, layer, AXL__SLOT_DOWN);
    const axl_mat outs[2] = { acts->gate, acts->up }, none = { 0 };

    AXL_TRY(axl__linears_forward(p, gate_up, x, none, p->model->arch.fused ? &acts->gate_up : outs,
                                 acts->xa_gate_up, s));
    if (!y.data && axl__linears_rank(p, down) == 0)
        return AXL_OK;
    AXL_TRY(mlp_activate(p, acts, w));
    if (!y.data)
        return axl__linears_xa(p, down, w->act, acts->xa_down, s);
    return axl__linears_forward(p, down, w->act, plus, &y, acts->xa_down, s);
}

axl_status axl__mlp_block_backward(const axl__pass *p, int64_t layer, const axl__mlp_acts *acts,
                                   axl_mat x, axl_mat dy, axl_mat dx, const axl__mlp_work *w,
                                   const axl__linear_scratch *s)
{
    axl__linears gate_up = axl__modules_in(&p->model->modules, layer, AXL__SLOT_GATE_UP);
    axl__linears down = axl__modules_in(&p->model->modules, layer, AXL__SLOT_DOWN);
    const axl_mat dgate_up[2] = { acts->gate, acts->up }; /* written over what was kept */

    if (axl__linears_read_input(p, down))
        AXL_TRY(mlp_activate(p, acts, w));
    AXL_TRY(axl__linears_backward(p, down, w->act, &dy, acts->xa_down, w->dact, s));
    axl_glu_backward_args b = { acts->gate, acts->up, w->dact,
                                acts->gate, acts->up, p->model->arch.activation };
    AXL_TRY(p->ops->glu_backward(p->dev, &b));
    return axl__linears_backward(p, gate_up, x, p->model->arch.fused ? &acts->gate_up : dgate_up,
                                 acts->xa_gate_up, dx, s);
}
