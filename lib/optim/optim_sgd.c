/* SPDX-License-Identifier: Apache-2.0 */
/* optim_sgd.c - SGD; the momentum has memory only where there is one. */
#include "optim_method.h"

/* torch.optim.SGD refuses the same. */
static axl_status sgd_lay_out(axl__optimizer *o)
{
    if (o->set.nesterov && (o->set.momentum <= 0.0 || o->set.dampening != 0.0))
        return axl__fail(AXL_ERR_INVALID, "optim_args: nesterov needs a momentum and no dampening");
    return o->set.momentum > 0.0 ? axl__optim_flat(o, "momentum_buffer", 0) : AXL_OK;
}

static axl_status sgd_step_span(axl__optimizer *o, const axl__optim_step *t,
                                const axl__optim_span *s, const axl__param_group *g)
{
    axl_sgd_args a = {
        .p = o->target.params + s->at,
        .m = o->set.momentum > 0.0 ? axl__optim_floats(o, 0, s) : NULL,
        .g = t->grads + s->at,
        .n = s->n,
        .lr = t->rate * g->rate,
        .momentum = o->set.momentum,
        .dampening = o->set.dampening,
        .weight_decay = g->weight_decay,
        .grad_scale = t->grad_scale,
        .nesterov = o->set.nesterov,
        .step = t->step,
    };

    return o->target.ops->sgd(o->target.dev, &a);
}

static axl_status sgd_step(axl__optimizer *o, const axl__optim_step *t)
{
    return axl__optim_each_span(o, t, 0, sgd_step_span);
}

const axl__optim_method axl__optim_sgd = {
    .name = "sgd",
    .lay_out = sgd_lay_out,
    .step = sgd_step,
};
