/* SPDX-License-Identifier: Apache-2.0 */
/* optim_adopt.c - ADOPT with decoupled weight decay, as Axolotl asks for it. */
#include "optim_method.h"

static axl_status adopt_lay_out(axl__optimizer *o)
{
    AXL_TRY(axl__optim_flat(o, "exp_avg", 0));
    return axl__optim_flat(o, "exp_avg_sq", 0);
}

static axl_status adopt_step_span(axl__optimizer *o, const axl__optim_step *t,
                                  const axl__optim_span *s, const axl__param_group *g)
{
    axl_adopt_args a = {
        .p = o->target.params + s->at,
        .m = axl__optim_floats(o, 0, s),
        .v = axl__optim_floats(o, 1, s),
        .g = t->grads + s->at,
        .n = s->n,
        .lr = t->rate * g->rate,
        .beta1 = t->beta1,
        .beta2 = o->set.beta2,
        .eps = o->set.eps,
        .weight_decay = g->weight_decay,
        .grad_scale = t->grad_scale,
        .step = t->step,
    };

    return o->target.ops->adopt(o->target.dev, &a);
}

static axl_status adopt_step(axl__optimizer *o, const axl__optim_step *t)
{
    return axl__optim_each_span(o, t, 0, adopt_step_span);
}

const axl__optim_method axl__optim_adopt = {
    .name = "adopt_adamw",
    .defaults = { .beta1 = 0.9, .beta2 = 0.9999, .eps = 1e-6 },
    .lay_out = adopt_lay_out,
    .step = adopt_step,
};
