/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optim_schedule_free.c - schedule-free AdamW and SGD.  Batches are trained with y, which is state
 * here; the parameters are always x, the average that is evaluated and saved.  Both and z begin as
 * the parameters are at the first step.
 */
#include "optim_method.h"

#include <math.h>

/* Region 0 is y, 1 is z, 2 the second moment.  lr_max and weight_sum are state and in checkpoints;
 * share and rate are of the step in work. */
typedef struct {
    bool begun;                                 /* y and z are there */
    double *lr_max, *weight_sum, *share, *rate; /* (n_groups) each, behind this struct */
} averages;

static axl_status schedule_free_make_averages(axl__optimizer *o)
{
    size_t n = o->groups.n_groups;
    averages *a = axl__calloc(o->target.ctx, 1, sizeof *a + 4 * n * sizeof(double));

    o->own = a;
    if (!a)
        return axl__fail_nomem();
    a->lr_max = (double *)(void *)(a + 1);
    a->weight_sum = a->lr_max + n;
    a->share = a->weight_sum + n;
    a->rate = a->share + n;
    return AXL_OK;
}

/* The model computes with y in the parameters' place, so that y must be laid out as they are.
 * beta1 is what y is mixed by: x is found from it by dividing by beta1. */
static axl_status schedule_free_lay_out(axl__optimizer *o)
{
    uint64_t n = o->groups.n_groups;

    if (!(o->set.beta1 > 0.0))
        return axl__fail(AXL_ERR_INVALID, "beta1 must be > 0 for a schedule-free optimizer");
    for (size_t i = 0; i < o->n_spans; i++) /* batches are trained with y as parameters */
        if (o->spans[i].state_at != o->spans[i].at)
            return axl__fail(AXL_ERR_INTERNAL, "parameters with gaps between them");
    AXL_TRY(schedule_free_make_averages(o));
    averages *a = o->own;
    AXL_TRY(axl__optim_host(o, "lr_max", a->lr_max, n));
    return axl__optim_host(o, "weight_sum", a->weight_sum, n);
}

static axl_status schedule_free_sgd_lay_out(axl__optimizer *o)
{
    AXL_TRY(axl__optim_flat(o, "y", 0));
    AXL_TRY(axl__optim_flat(o, "z", 0));
    return schedule_free_lay_out(o);
}

static axl_status schedule_free_adamw_lay_out(axl__optimizer *o)
{
    AXL_TRY(axl__optim_flat(o, "y", 0));
    AXL_TRY(axl__optim_flat(o, "z", 0));
    AXL_TRY(axl__optim_flat(o, "exp_avg_sq", 0));
    return schedule_free_lay_out(o);
}

/* Not when the optimizer is made, because a host may write the parameters until the first step. */
static axl_status schedule_free_copy_span(axl__optimizer *o, const axl__optim_step *t,
                                          const axl__optim_span *s, const axl__param_group *g)
{
    (void)t;
    (void)g;
    for (size_t region = 0; region < 2; region++)
        AXL_TRY(o->target.ops->copy(o->target.dev, axl__optim_floats(o, region, s),
                                    o->target.params + s->at, (size_t)s->n * sizeof(float)));
    return AXL_OK;
}

/* The weight of this step's z in the average, group by group: step^r * lr_max^weight_lr_power over
 * the sum of all so far (Defazio et al., 2024).  The warm-up is the method's own, on top of
 * whatever the schedule does. */
static void schedule_free_advance(axl__optimizer *o, const axl__optim_step *t)
{
    averages *a = o->own;
    double warmup = (double)o->set.warmup_steps, k = (double)t->step;

    for (size_t i = 0; i < o->groups.n_groups; i++) {
        double lr = t->rate * o->groups.groups[i].rate * (k <= warmup ? k / warmup : 1.0);
        a->rate[i] = lr;
        a->lr_max[i] = fmax(a->lr_max[i], lr);
        double weight = pow(k, o->set.r) * pow(a->lr_max[i], o->set.weight_lr_power);
        a->weight_sum[i] += weight;
        a->share[i] = a->weight_sum[i] > 0.0 ? weight / a->weight_sum[i] : 0.0;
    }
}

static axl_status schedule_free_step_span(axl__optimizer *o, const axl__optim_step *t,
                                          const axl__optim_span *s, const axl__param_group *g)
{
    const averages *w = o->own;
    bool adam = o->method == &axl__optim_schedule_free_adamw;
    axl_schedule_free_args a = {
        .x = o->target.params + s->at,
        .y = axl__optim_floats(o, 0, s),
        .z = axl__optim_floats(o, 1, s),
        .v = adam ? axl__optim_floats(o, 2, s) : NULL,
        .g = t->grads + s->at,
        .n = s->n,
        .lr = w->rate[s->group],
        .share = w->share[s->group],
        .beta1 = o->set.beta1,
        .beta2 = o->set.beta2,
        .eps = o->set.eps,
        .weight_decay = g->weight_decay,
        .grad_scale = t->grad_scale,
        .step = t->step,
    };

    return o->target.ops->schedule_free(o->target.dev, &a);
}

static axl_status schedule_free_step(axl__optimizer *o, const axl__optim_step *t)
{
    averages *a = o->own;

    if (!a->begun)
        AXL_TRY(axl__optim_each_span(o, t, 0, schedule_free_copy_span));
    a->begun = true;
    schedule_free_advance(o, t);
    return axl__optim_each_span(o, t, 0, schedule_free_step_span);
}

static float *schedule_free_train_params(const axl__optimizer *o)
{
    return ((const averages *)o->own)->begun ? axl__optim_at(o, 0) : NULL;
}

static void schedule_free_loaded(axl__optimizer *o, int64_t step)
{
    ((averages *)o->own)->begun = step > 0;
}

const axl__optim_method axl__optim_schedule_free_adamw = {
    .name = "schedule_free_adamw",
    .defaults = { .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_lr_power = 2.0 },
    .lay_out = schedule_free_adamw_lay_out,
    .step = schedule_free_step,
    .in_common = true,
    .train_params = schedule_free_train_params,
    .loaded = schedule_free_loaded,
};

const axl__optim_method axl__optim_schedule_free_sgd = {
    .name = "schedule_free_sgd",
    .defaults = { .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_lr_power = 2.0 },
    .lay_out = schedule_free_sgd_lay_out,
    .step = schedule_free_step,
    .in_common = true,
    .train_params = schedule_free_train_params,
    .loaded = schedule_free_loaded,
};
