/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adamw_cpu.c - the AdamW step, bound by memory: four reads and three writes of f32.  The scalars
 * are folded in double and rounded once, where and as torch.optim.AdamW does.
 */
#include "kernels/adamw/adamw.h"

#include "kernels/cpu/span_cpu.h"

#include <math.h>

struct step {
    float *p, *m, *v;
    const float *g;
    float grad_scale, keep, one_minus_beta1, beta2, one_minus_beta2, correction, eps, step_size;
};

AXL_INLINE void step_lanes(const struct step *s, int64_t i, int64_t n)
{
    vf p = axl_load(s->p, AXL_F32, i, n), m = axl_load(s->m, AXL_F32, i, n);
    vf g = vf_mul(axl_load(s->g, AXL_F32, i, n), vf_set1(s->grad_scale));
    vf v = vf_mul(axl_load(s->v, AXL_F32, i, n), vf_set1(s->beta2));

    m = vf_fma(vf_set1(s->one_minus_beta1), vf_sub(g, m), m);
    v = vf_fma(vf_mul(g, g), vf_set1(s->one_minus_beta2), v);
    vf root = vf_add(vf_div(vf_sqrt(v), vf_set1(s->correction)), vf_set1(s->eps));
    p = vf_fma(vf_div(m, root), vf_set1(-s->step_size), vf_mul(p, vf_set1(s->keep)));
    axl_store(s->p, AXL_F32, i, p, n);
    axl_store(s->m, AXL_F32, i, m, n);
    axl_store(s->v, AXL_F32, i, v, n);
}

AXL_SPAN_FN(step_span, struct step, step_lanes)

axl_status AXL_ISA_NAME(adamw)(axl_device *dev, const axl_adamw_args *a)
{
    struct step s = {
        .p = a->p,
        .m = a->m,
        .v = a->v,
        .g = a->g,
        .grad_scale = (float)a->grad_scale,
        .keep = (float)(1.0 - a->lr * a->weight_decay),
        .one_minus_beta1 = (float)(1.0 - a->beta1),
        .beta2 = (float)a->beta2,
        .one_minus_beta2 = (float)(1.0 - a->beta2),
        .correction = (float)sqrt(1.0 - pow(a->beta2, (double)a->step)),
        .eps = (float)a->eps,
        .step_size = (float)(a->lr / (1.0 - pow(a->beta1, (double)a->step))),
    };

    axl_tiles_run(dev, 1, a->n, false, step_span, &s);
    return AXL_OK;
}
