/* SPDX-License-Identifier: Apache-2.0 */
/* rmsprop_cpu.c - the RMSprop step, bound by memory: three to five reads, two to four writes. */
#include "kernels/rmsprop/rmsprop.h"

#include "kernels/cpu/span_cpu.h"

struct step {
    float *p, *v, *mean, *m;
    const float *g;
    float grad_scale, weight_decay, alpha, one_minus_alpha, momentum, eps, lr;
};

AXL_INLINE void step_lanes(const struct step *s, int64_t i, int64_t n)
{
    vf p = axl_load(s->p, AXL_F32, i, n);
    vf g = vf_mul(axl_load(s->g, AXL_F32, i, n), vf_set1(s->grad_scale));

    g = vf_fma(vf_set1(s->weight_decay), p, g);
    vf v = vf_mul(axl_load(s->v, AXL_F32, i, n), vf_set1(s->alpha));
    v = vf_fma(vf_mul(vf_set1(s->one_minus_alpha), g), g, v);
    vf spread = v;
    if (s->mean) {
        vf mean = axl_load(s->mean, AXL_F32, i, n);
        mean = vf_fma(vf_set1(s->one_minus_alpha), vf_sub(g, mean), mean);
        spread = vf_max(vf_sub(v, vf_mul(mean, mean)), vf_zero());
        axl_store(s->mean, AXL_F32, i, mean, n);
    }
    vf d = vf_div(g, vf_add(vf_sqrt(spread), vf_set1(s->eps)));
    if (s->m) {
        d = vf_fma(axl_load(s->m, AXL_F32, i, n), vf_set1(s->momentum), d);
        axl_store(s->m, AXL_F32, i, d, n);
    }
    axl_store(s->v, AXL_F32, i, v, n);
    axl_store(s->p, AXL_F32, i, vf_fma(d, vf_set1(-s->lr), p), n);
}

AXL_SPAN_FN(step_span, struct step, step_lanes)

axl_status AXL_ISA_NAME(rmsprop)(axl_device *dev, const axl_rmsprop_args *a)
{
    struct step s = {
        .p = a->p,
        .v = a->v,
        .mean = a->mean,
        .m = a->m,
        .g = a->g,
        .grad_scale = (float)a->grad_scale,
        .weight_decay = (float)a->weight_decay,
        .alpha = (float)a->alpha,
        .one_minus_alpha = (float)(1.0 - a->alpha),
        .momentum = (float)a->momentum,
        .eps = (float)a->eps,
        .lr = (float)a->lr,
    };

    axl_tiles_run(dev, 1, a->n, false, step_span, &s);
    return AXL_OK;
}
