/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optim_adamw.c - AdamW with f32 moments, named as torch.optim.AdamW names them; and AdamW of
 * optimi, which is the same with other defaults: it keeps the moments without their bias, which
 * moves parameters of f32 alike, and adds Kahan's compensation for those of 16 bits alone.
 */
#include "optim_method.h"

axl_status axl__optim_two_moments(axl__optimizer *o)
{
    AXL_TRY(axl__optim_flat(o, "exp_avg", 0));
    return axl__optim_flat(o, "exp_avg_sq", 0);
}

axl_adamw_args axl__optim_adamw_args(const axl__optimizer *o, const axl__optim_step *t,
                                     const axl__optim_span *s, const axl__param_group *g)
{
    return (axl_adamw_args){
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
}

axl_status axl__optim_adamw_span(axl__optimizer *o, const axl__optim_step *t,
                                 const axl__optim_span *s, const axl__param_group *g)
{
    axl_adamw_args a = axl__optim_adamw_args(o, t, s, g);

    return o->target.ops->adamw(o->target.dev, &a);
}

static axl_status adamw_step(axl__optimizer *o, const axl__optim_step *t)
{
    return axl__optim_each_span(o, t, 0, axl__optim_adamw_span);
}

/* ---- what prunes them ---- */

/* Of a tensor, device. */
static float *moment_of(const axl__optimizer *o, const axl__optim_place *p, size_t region)
{
    int64_t inside = o->target.tensors[p->tensor].at - p->span->at;

    return axl__optim_floats(o, region, p->span) + inside;
}

static size_t moment_bytes(const axl__optim_place *p)
{
    return (size_t)p->n * sizeof(float);
}

static axl_status read_moments(axl__optimizer *o, const axl__optim_place *p, float *m, float *v)
{
    const axl__optim_target *t = &o->target;

    AXL_TRY(t->ops->download(t->dev, m, moment_of(o, p, 0), moment_bytes(p)));
    return t->ops->download(t->dev, v, moment_of(o, p, 1), moment_bytes(p));
}

static axl_status prune_moments(axl__optimizer *o, const axl__optim_place *p, const float *m,
                                const float *v, void *work)
{
    const axl__optim_target *t = &o->target;

    (void)work;
    AXL_TRY(t->ops->upload(t->dev, moment_of(o, p, 0), m, moment_bytes(p)));
    return t->ops->upload(t->dev, moment_of(o, p, 1), v, moment_bytes(p));
}

const axl__optim_moments axl__optim_f32_moments = { read_moments, prune_moments };

/* ---- the methods ---- */

const axl__optim_method axl__optim_adamw = {
    .name = "adamw",
    .defaults = { .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8 },
    .lay_out = axl__optim_two_moments,
    .step = adamw_step,
    .moments = &axl__optim_f32_moments,
};

const axl__optim_method axl__optim_optimi_adamw = {
    .name = "optimi_adamw",
    .defaults = { .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-6 },
    .lay_out = axl__optim_two_moments,
    .step = adamw_step,
    .moments = &axl__optim_f32_moments,
};
