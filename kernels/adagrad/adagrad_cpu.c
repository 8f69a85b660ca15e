/* SPDX-License-Identifier: Apache-2.0 */
/* adagrad_cpu.c - the Adagrad step, bound by memory: three reads and two writes of f32. */
#include "kernels/adagrad/adagrad.h"

#include "kernels/cpu/span_cpu.h"

struct step {
    float *p, *v;
    const float *g;
    float grad_scale, weight_decay, eps, lr;
};

AXL_INLINE void step_lanes(const struct step *s, int64_t i, int64_t n)
{
    vf p = axl_load(s->p, AXL_F32, i, n);
    vf g = vf_mul(axl_load(s->g, AXL_F32, i, n), vf_set1(s->grad_scale));

    g = vf_fma(vf_set1(s->weight_decay), p, g);
    vf v = vf_fma(g, g, axl_load(s->v, AXL_F32, i, n));
    vf root = vf_add(vf_sqrt(v), vf_set1(s->eps));
    axl_store(s->v, AXL_F32, i, v, n);
    axl_store(s->p, AXL_F32, i, vf_sub(p, vf_div(vf_mul(vf_set1(s->lr), g), root)), n);
}

AXL_SPAN_FN(step_span, struct step, step_lanes)

axl_status AXL_ISA_NAME(adagrad)(axl_device *dev, const axl_adagrad_args *a)
{
    struct step s = {
        .p = a->p,
        .v = a->v,
        .g = a->g,
        .grad_scale = (float)a->grad_scale,
        .weight_decay = (float)a->weight_decay,
        .eps = (float)a->eps,
        .lr = (float)a->lr,
    };

    axl_tiles_run(dev, 1, a->n, false, step_span, &s);
    return AXL_OK;
}
