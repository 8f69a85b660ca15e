/* SPDX-License-Identifier: Apache-2.0 */
/* optim_ademamix.c - AdEMAMix with f32 state; alpha and beta3 grow over t_alpha, t_beta3 steps. */
#include "optim_method.h"

#include <math.h>

static axl_status ademamix_lay_out(axl__optimizer *o)
{
    AXL_TRY(axl__optim_flat(o, "exp_avg", 0));
    AXL_TRY(axl__optim_flat(o, "exp_avg_sq", 0));
    return axl__optim_flat(o, "exp_avg_slow", 0);
}

double axl__optim_ademamix_alpha(const axl__optim_settings *s, int64_t step)
{
    return s->t_alpha > 0.0 ? fmin((double)step * s->alpha / s->t_alpha, s->alpha) : s->alpha;
}

/* From beta1 to beta3 so that the half-life of the slow mean grows evenly (Pagliardini et al.,
 * 2024). */
double axl__optim_ademamix_beta3(const axl__optim_settings *s, int64_t step)
{
    double log1 = log(s->beta1), log3 = log(s->beta3), part = (double)step / s->t_beta3;

    if (s->t_beta3 <= 0.0)
        return s->beta3;
    return fmin(exp(log1 * log3 / ((1.0 - part) * log3 + part * log1)), s->beta3);
}

axl_status axl__optim_ademamix_span(axl__optimizer *o, const axl__optim_step *t,
                                    const axl__optim_span *s, const axl__param_group *g)
{
    axl_ademamix_args a = {
        .p = o->target.params + s->at,
        .m = axl__optim_floats(o, 0, s),
        .v = axl__optim_floats(o, 1, s),
        .slow = axl__optim_floats(o, 2, s),
        .g = t->grads + s->at,
        .n = s->n,
        .lr = t->rate * g->rate,
        .beta1 = t->beta1,
        .beta2 = o->set.beta2,
        .beta3 = axl__optim_ademamix_beta3(&o->set, t->step),
        .alpha = axl__optim_ademamix_alpha(&o->set, t->step),
        .eps = o->set.eps,
        .weight_decay = g->weight_decay,
        .grad_scale = t->grad_scale,
        .step = t->step,
    };

    return o->target.ops->ademamix(o->target.dev, &a);
}

static axl_status ademamix_step(axl__optimizer *o, const axl__optim_step *t)
{
    return axl__optim_each_span(o, t, 0, axl__optim_ademamix_span);
}

const axl__optim_method axl__optim_ademamix = {
    .name = "ademamix",
    .defaults = AXL__ADEMAMIX_DEFAULTS,
    .lay_out = ademamix_lay_out,
    .step = ademamix_step,
};
