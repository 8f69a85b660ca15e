/* SPDX-License-Identifier: Apache-2.0 */
/* lion_cpu.c - the Lion step, bound by memory: three reads and two writes of f32. */
#include "kernels/lion/lion.h"

#include "kernels/cpu/span_cpu.h"

struct step {
    float *p, *m;
    const float *g;
    float grad_scale, keep, beta1, rest1, beta2, rest2, lr; /* rest = 1 - beta */
};

AXL_INLINE void step_lanes(const struct step *s, int64_t i, int64_t n)
{
    vf p = axl_load(s->p, AXL_F32, i, n), m = axl_load(s->m, AXL_F32, i, n);
    vf g = vf_mul(axl_load(s->g, AXL_F32, i, n), vf_set1(s->grad_scale));
    vf c = vf_add(vf_mul(m, vf_set1(s->beta1)), vf_mul(g, vf_set1(s->rest1)));

    p = vf_fma(vf_sign(c), vf_set1(-s->lr), vf_mul(p, vf_set1(s->keep)));
    m = vf_fma(vf_set1(s->rest2), g, vf_mul(m, vf_set1(s->beta2)));
    axl_store(s->p, AXL_F32, i, p, n);
    axl_store(s->m, AXL_F32, i, m, n);
}

AXL_SPAN_FN(step_span, struct step, step_lanes)

axl_status AXL_ISA_NAME(lion)(axl_device *dev, const axl_lion_args *a)
{
    struct step s = {
        .p = a->p,
        .m = a->m,
        .g = a->g,
        .grad_scale = (float)a->grad_scale,
        .keep = (float)(1.0 - a->lr * a->weight_decay),
        .beta1 = (float)a->beta1,
        .rest1 = (float)(1.0 - a->beta1),
        .beta2 = (float)a->beta2,
        .rest2 = (float)(1.0 - a->beta2),
        .lr = (float)a->lr,
    };

    axl_tiles_run(dev, 1, a->n, false, step_span, &s);
    return AXL_OK;
}
