/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sgd_cpu.c - the SGD step, bound by memory: two reads and a write of f32, with momentum three and
 * two.
 */
#include "kernels/sgd/sgd.h"

#include "kernels/cpu/span_cpu.h"

struct step {
    float *p, *m;
    const float *g;
    bool has_momentum, first, nesterov;
    float grad_scale, weight_decay, momentum, one_minus_dampening, lr;
};

AXL_INLINE void step_lanes(const struct step *s, int64_t i, int64_t n)
{
    vf p = axl_load(s->p, AXL_F32, i, n);
    vf g = vf_mul(axl_load(s->g, AXL_F32, i, n), vf_set1(s->grad_scale));

    g = vf_fma(vf_set1(s->weight_decay), p, g);
    vf d = g;
    if (s->has_momentum) {
        vf m = vf_mul(axl_load(s->m, AXL_F32, i, n), vf_set1(s->momentum));
        m = s->first ? g : vf_fma(vf_set1(s->one_minus_dampening), g, m);
        d = s->nesterov ? vf_fma(vf_set1(s->momentum), m, g) : m;
        axl_store(s->m, AXL_F32, i, m, n);
    }
    axl_store(s->p, AXL_F32, i, vf_fma(d, vf_set1(-s->lr), p), n);
}

AXL_SPAN_FN(step_span, struct step, step_lanes)

axl_status AXL_ISA_NAME(sgd)(axl_device *dev, const axl_sgd_args *a)
{
    struct step s = {
        .p = a->p,
        .m = a->m,
        .g = a->g,
        .has_momentum = a->momentum > 0.0,
        .first = a->step == 1,
        .nesterov = a->nesterov,
        .grad_scale = (float)a->grad_scale,
        .weight_decay = (float)a->weight_decay,
        .momentum = (float)a->momentum,
        .one_minus_dampening = (float)(1.0 - a->dampening),
        .lr = (float)a->lr,
    };

    axl_tiles_run(dev, 1, a->n, false, step_span, &s);
    return AXL_OK;
}
