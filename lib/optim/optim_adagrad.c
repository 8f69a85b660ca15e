/* SPDX-License-Identifier: Apache-2.0 */
/* optim_adagrad.c - Adagrad, its sums named as torch.optim.Adagrad names them. */
#include "optim_method.h"

static axl_status adagrad_lay_out(axl__optimizer *o)
{
    return axl__optim_flat(o, "sum", 0);
}

/* The rate falls with the step by lr_decay, as in torch, on top of the schedule. */
static axl_status adagrad_step_span(axl__optimizer *o, const axl__optim_step *t,
                                    const axl__optim_span *s, const axl__param_group *g)
{
    double lr = t->rate * g->rate / (1.0 + (double)(t->step - 1) * o->set.lr_decay);
    axl_adagrad_args a = {
        .p = o->target.params + s->at,
        .v = axl__optim_floats(o, 0, s),
        .g = t->grads + s->at,
        .n = s->n,
        .lr = lr,
        .eps = o->set.eps,
        .weight_decay = g->weight_decay,
        .grad_scale = t->grad_scale,
    };

    return o->target.ops->adagrad(o->target.dev, &a);
}

static axl_status adagrad_step(axl__optimizer *o, const axl__optim_step *t)
{
    return axl__optim_each_span(o, t, 0, adagrad_step_span);
}

const axl__optim_method axl__optim_adagrad = {
    .name = "adagrad",
    .defaults = { .eps = 1e-10 },
    .lay_out = adagrad_lay_out,
    .step = adagrad_step,
};
