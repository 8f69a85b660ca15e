/* SPDX-License-Identifier: Apache-2.0 */
/* schedule_free_cpu.c - the schedule-free step, bound by memory: four reads of f32, four writes. */
#include "kernels/schedule_free/schedule_free.h"

#include "kernels/cpu/span_cpu.h"

#include <math.h>

struct step {
    float *x, *y, *z, *v;
    const float *g;
    float grad_scale, weight_decay, beta2, one_minus_beta2, correction, eps;
    float share, rest_share, to_x, y_step, lr; /* rest_share = 1 - share */
};

AXL_INLINE void step_lanes(const struct step *s, int64_t i, int64_t n)
{
    vf g = vf_mul(axl_load(s->g, AXL_F32, i, n), vf_set1(s->grad_scale));
    vf y = axl_load(s->y, AXL_F32, i, n), z = axl_load(s->z, AXL_F32, i, n);

    if (s->v) {
        vf v = vf_mul(axl_load(s->v, AXL_F32, i, n), vf_set1(s->beta2));
        v = vf_fma(vf_mul(vf_set1(s->one_minus_beta2), g), g, v);
        axl_store(s->v, AXL_F32, i, v, n);
        g = vf_div(g, vf_add(vf_sqrt(vf_div(v, vf_set1(s->correction))), vf_set1(s->eps)));
    }
    vf d = vf_fma(vf_set1(s->weight_decay), y, g), way = vf_sub(z, y);
    if (s->share < 0.5f) /* from whichever end is nearer, as torch.lerp */
        y = vf_fma(vf_set1(s->share), way, y);
    else
        y = vf_fma(vf_set1(-s->rest_share), way, z);
    y = vf_fma(d, vf_set1(s->y_step), y);
    z = vf_fma(d, vf_set1(-s->lr), z);
    axl_store(s->y, AXL_F32, i, y, n);
    axl_store(s->z, AXL_F32, i, z, n);
    axl_store(s->x, AXL_F32, i, vf_fma(vf_set1(s->to_x), vf_sub(z, y), y), n);
}

AXL_SPAN_FN(step_span, struct step, step_lanes)

axl_status AXL_ISA_NAME(schedule_free)(axl_device *dev, const axl_schedule_free_args *a)
{
    struct step s = {
        .x = a->x,
        .y = a->y,
        .z = a->z,
        .v = a->v,
        .g = a->g,
        .grad_scale = (float)a->grad_scale,
        .weight_decay = (float)a->weight_decay,
        .beta2 = (float)a->beta2,
        .one_minus_beta2 = (float)(1.0 - a->beta2),
        .correction = (float)(1.0 - pow(a->beta2, (double)a->step)),
        .eps = (float)a->eps,
        .share = (float)a->share,
        .rest_share = (float)(1.0 - a->share),
        .to_x = (float)(1.0 - 1.0 / a->beta1),
        .y_step = (float)(a->lr * (a->beta1 * (1.0 - a->share) - 1.0)),
        .lr = (float)a->lr,
    };

    axl_tiles_run(dev, 1, a->n, false, step_span, &s);
    return AXL_OK;
}
