/* SPDX-License-Identifier: Apache-2.0 */
/* ademamix_cpu.c - the AdEMAMix step, bound by memory: five reads and four writes of f32. */
#include "kernels/ademamix/ademamix.h"

#include "kernels/cpu/span_cpu.h"

#include <math.h>

struct step {
    float *p, *m, *slow, *v;
    const float *g;
    float grad_scale, keep, beta1, beta2, beta3, rest1, rest2, rest3; /* rest = 1 - beta */
    float correction1, correction2, alpha, eps, lr;
};

AXL_INLINE void step_lanes(const struct step *s, int64_t i, int64_t n)
{
    vf g = vf_mul(axl_load(s->g, AXL_F32, i, n), vf_set1(s->grad_scale));
    vf p = vf_mul(axl_load(s->p, AXL_F32, i, n), vf_set1(s->keep));
    vf m = vf_mul(axl_load(s->m, AXL_F32, i, n), vf_set1(s->beta1));
    vf slow = vf_mul(axl_load(s->slow, AXL_F32, i, n), vf_set1(s->beta3));
    vf v = vf_mul(axl_load(s->v, AXL_F32, i, n), vf_set1(s->beta2));

    m = vf_fma(vf_set1(s->rest1), g, m);
    slow = vf_fma(vf_set1(s->rest3), g, slow);
    v = vf_fma(vf_mul(vf_set1(s->rest2), g), g, v);
    vf root = vf_add(vf_div(vf_sqrt(v), vf_set1(s->correction2)), vf_set1(s->eps));
    vf d = vf_fma(vf_set1(s->alpha), slow, vf_div(m, vf_set1(s->correction1)));
    axl_store(s->p, AXL_F32, i, vf_fma(vf_div(d, root), vf_set1(-s->lr), p), n);
    axl_store(s->m, AXL_F32, i, m, n);
    axl_store(s->slow, AXL_F32, i, slow, n);
    axl_store(s->v, AXL_F32, i, v, n);
}

AXL_SPAN_FN(step_span, struct step, step_lanes)

axl_status AXL_ISA_NAME(ademamix)(axl_device *dev, const axl_ademamix_args *a)
{
    struct step s = {
        .p = a->p,
        .m = a->m,
        .slow = a->slow,
        .v = a->v,
        .g = a->g,
        .grad_scale = (float)a->grad_scale,
        .keep = (float)(1.0 - a->lr * a->weight_decay),
        .beta1 = (float)a->beta1,
        .beta2 = (float)a->beta2,
        .beta3 = (float)a->beta3,
        .rest1 = (float)(1.0 - a->beta1),
        .rest2 = (float)(1.0 - a->beta2),
        .rest3 = (float)(1.0 - a->beta3),
        .correction1 = (float)(1.0 - pow(a->beta1, (double)a->step)),
        .correction2 = (float)sqrt(1.0 - pow(a->beta2, (double)a->step)),
        .alpha = (float)a->alpha,
        .eps = (float)a->eps,
        .lr = (float)a->lr,
    };

    axl_tiles_run(dev, 1, a->n, false, step_span, &s);
    return AXL_OK;
}
