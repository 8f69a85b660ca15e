/* SPDX-License-Identifier: Apache-2.0 */
/* muon_cpu.c - the element-wise pieces of a Muon step, each one pass and bound by memory. */
#include "kernels/muon/muon.h"

#include "kernels/cpu/span_cpu.h"

#include <math.h>

struct momentum {
    float *m, *x;
    const float *g;
    bool nesterov;
    float momentum, grad_scale;
};

AXL_INLINE void momentum_lanes(const struct momentum *s, int64_t i, int64_t n)
{
    vf g = vf_mul(axl_load(s->g, AXL_F32, i, n), vf_set1(s->grad_scale));
    vf m = vf_fma(axl_load(s->m, AXL_F32, i, n), vf_set1(s->momentum), g);

    axl_store(s->m, AXL_F32, i, m, n);
    axl_store(s->x, AXL_F32, i, s->nesterov ? vf_fma(vf_set1(s->momentum), m, g) : m, n);
}

AXL_SPAN_FN(momentum_span, struct momentum, momentum_lanes)

axl_status AXL_ISA_NAME(muon_momentum)(axl_device *dev, const axl_muon_momentum_args *a)
{
    struct momentum s = { a->m, a->x, a->g, a->nesterov, (float)a->momentum, (float)a->grad_scale };

    axl_tiles_run(dev, 1, a->n, false, momentum_span, &s);
    return AXL_OK;
}

struct scale {
    float *y;
    const float *x;
    float factor;
};

AXL_INLINE void scale_lanes(const struct scale *s, int64_t i, int64_t n)
{
    axl_store(s->y, AXL_F32, i, vf_mul(axl_load(s->x, AXL_F32, i, n), vf_set1(s->factor)), n);
}

AXL_SPAN_FN(scale_span, struct scale, scale_lanes)

axl_status AXL_ISA_NAME(muon_normalize)(axl_device *dev, const axl_muon_normalize_args *a)
{
    struct scale s = { a->x, a->x, (float)(1.0 / (sqrt(*a->sum_squares) + a->eps)) };

    axl_tiles_run(dev, 1, a->n, false, scale_span, &s);
    return AXL_OK;
}

axl_status AXL_ISA_NAME(muon_scale)(axl_device *dev, const axl_muon_scale_args *a)
{
    struct scale s = { a->y, a->x, (float)a->factor };

    axl_tiles_run(dev, 1, a->n, false, scale_span, &s);
    return AXL_OK;
}
