/* SPDX-License-Identifier: Apache-2.0 */
/* optim_rmsprop.c - RMSprop; mean and momentum have memory only where they are asked for. */
#include "optim_method.h"

static axl_status rmsprop_lay_out(axl__optimizer *o)
{
    AXL_TRY(axl__optim_flat(o, "square_avg", 0));
    if (o->set.centered)
        AXL_TRY(axl__optim_flat(o, "grad_avg", 0));
    return o->set.momentum > 0.0 ? axl__optim_flat(o, "momentum_buffer", 0) : AXL_OK;
}

/* Which region a buffer is depends on which of them there are, in the order above. */
axl_status axl__optim_rmsprop_span(axl__optimizer *o, const axl__optim_step *t,
                                   const axl__optim_span *s, const axl__param_group *g)
{
    axl_rmsprop_args a = {
        .p = o->target.params + s->at,
        .v = axl__optim_floats(o, 0, s),
        .mean = o->set.centered ? axl__optim_floats(o, 1, s) : NULL,
        .m = o->set.momentum > 0.0 ? axl__optim_floats(o, o->set.centered ? 2 : 1, s) : NULL,
        .g = t->grads + s->at,
        .n = s->n,
        .lr = t->rate * g->rate,
        .alpha = o->set.alpha,
        .momentum = o->set.momentum,
        .eps = o->set.eps,
        .weight_decay = g->weight_decay,
        .grad_scale = t->grad_scale,
    };

    return o->target.ops->rmsprop(o->target.dev, &a);
}

static axl_status rmsprop_step(axl__optimizer *o, const axl__optim_step *t)
{
    return axl__optim_each_span(o, t, 0, axl__optim_rmsprop_span);
}

const axl__optim_method axl__optim_rmsprop = {
    .name = "rmsprop",
    .defaults = { .eps = 1e-8, .alpha = 0.99 },
    .lay_out = rmsprop_lay_out,
    .step = rmsprop_step,
};
