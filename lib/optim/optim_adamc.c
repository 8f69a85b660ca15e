/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optim_adamc.c - AdamC (Defazio, "Why gradients rapidly increase near the end of training", 2025):
 * AdamW whose decay falls with the square of the rate, as Axolotl has it for all that decays.  The
 * peak is the rate that the groups begin with.
 */
#include "optim_method.h"

static axl_status adamc_step_span(axl__optimizer *o, const axl__optim_step *t,
                                  const axl__optim_span *s, const axl__param_group *g)
{
    axl_adamw_args a = axl__optim_adamw_args(o, t, s, g);

    a.weight_decay *= t->rate / o->target.learning_rate;
    return o->target.ops->adamw(o->target.dev, &a);
}

static axl_status adamc_step(axl__optimizer *o, const axl__optim_step *t)
{
    return axl__optim_each_span(o, t, 0, adamc_step_span);
}

const axl__optim_method axl__optim_adamc = {
    .name = "adamc",
    .defaults = { .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8 },
    .lay_out = axl__optim_two_moments,
    .step = adamc_step,
};
