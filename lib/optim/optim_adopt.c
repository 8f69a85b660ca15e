/* SPDX-License-Identifier: Apache-2.0 */
/* optim_adopt.c - ADOPT with decoupled weight decay, as Axolotl asks for it: another rule for
 * AdamW's state. */
#include "optim_method.h"

static axl_status adopt_step_span(axl__optimizer *o, const axl__optim_step *t,
                                  const axl__optim_span *s, const axl__param_group *g)
{
    axl_adopt_args a = axl__optim_adamw_args(o, t, s, g);

    return o->target.ops->adopt(o->target.dev, &a);
}

static axl_status adopt_step(axl__optimizer *o, const axl__optim_step *t)
{
    return axl__optim_each_span(o, t, 0, adopt_step_span);
}

const axl__optim_method axl__optim_adopt = {
    .name = "adopt_adamw",
    .defaults = { .beta1 = 0.9, .beta2 = 0.9999, .eps = 1e-6 },
    .lay_out = axl__optim_two_moments,
    .step = adopt_step,
};
