/* SPDX-License-Identifier: Apache-2.0 */
/* optim_lion.c - Lion with f32 state; beta2 is transformers' 0.999, not Lion's own 0.99. */
#include "optim_method.h"

static axl_status lion_lay_out(axl__optimizer *o)
{
    return axl__optim_flat(o, "exp_avg", 0);
}

axl_status axl__optim_lion_span(axl__optimizer *o, const axl__optim_step *t,
                                const axl__optim_span *s, const axl__param_group *g)
{
    axl_lion_args a = {
        .p = o->target.params + s->at,
        .m = axl__optim_floats(o, 0, s),
        .g = t->grads + s->at,
        .n = s->n,
        .lr = t->rate * g->rate,
        .beta1 = t->beta1,
        .beta2 = o->set.beta2,
        .weight_decay = g->weight_decay,
        .grad_scale = t->grad_scale,
    };

    return o->target.ops->lion(o->target.dev, &a);
}

static axl_status lion_step(axl__optimizer *o, const axl__optim_step *t)
{
    return axl__optim_each_span(o, t, 0, axl__optim_lion_span);
}

const axl__optim_method axl__optim_lion = {
    .name = "lion",
    .defaults = { .beta1 = 0.9, .beta2 = 0.999 },
    .lay_out = lion_lay_out,
    .step = lion_step,
};
