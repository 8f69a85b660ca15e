/* SPDX-License-Identifier: Apache-2.0 */
/* adopt_cpu.c - the ADOPT step, bound by memory: four reads and three writes of f32. */
#include "kernels/adopt/adopt.h"

#include "kernels/cpu/span_cpu.h"

#include <math.h>

struct step {
    float *p, *m, *v;
    const float *g;
    bool first;
    float grad_scale, keep, one_minus_beta1, beta2, one_minus_beta2, eps, limit, lr;
};

AXL_INLINE void step_lanes(const struct step *s, int64_t i, int64_t n)
{
    vf g = vf_mul(axl_load(s->g, AXL_F32, i, n), vf_set1(s->grad_scale));

    if (s->first) {
        axl_store(s->v, AXL_F32, i, vf_mul(g, g), n);
        return;
    }
    vf p = axl_load(s->p, AXL_F32, i, n), m = axl_load(s->m, AXL_F32, i, n);
    vf v = axl_load(s->v, AXL_F32, i, n), limit = vf_set1(s->limit);
    vf d = vf_div(g, vf_max(vf_sqrt(v), vf_set1(s->eps)));
    d = vf_min(vf_max(vf_sub(vf_zero(), limit), d), limit);
    m = vf_fma(vf_set1(s->one_minus_beta1), vf_sub(d, m), m);
    p = vf_fma(m, vf_set1(-s->lr), vf_mul(p, vf_set1(s->keep)));
    v = vf_fma(vf_mul(vf_set1(s->one_minus_beta2), g), g, vf_mul(v, vf_set1(s->beta2)));
    axl_store(s->p, AXL_F32, i, p, n);
    axl_store(s->m, AXL_F32, i, m, n);
    axl_store(s->v, AXL_F32, i, v, n);
}

AXL_SPAN_FN(step_span, struct step, step_lanes)

axl_status AXL_ISA_NAME(adopt)(axl_device *dev, const axl_adopt_args *a)
{
    struct step s = {
        .p = a->p,
        .m = a->m,
        .v = a->v,
        .g = a->g,
        .first = a->step == 1,
        .grad_scale = (float)a->grad_scale,
        .keep = (float)(1.0 - a->lr * a->weight_decay),
        .one_minus_beta1 = (float)(1.0 - a->beta1),
        .beta2 = (float)a->beta2,
        .one_minus_beta2 = (float)(1.0 - a->beta2),
        .eps = (float)a->eps,
        .limit = (float)pow((double)a->step - 1.0, 0.25),
        .lr = (float)a->lr,
    };

    axl_tiles_run(dev, 1, a->n, false, step_span, &s);
    return AXL_OK;
}
