/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ademamix_ref.c - what an AdEMAMix step means.  Slow on purpose; every backend is tested against
 * this file, so change it only to fix the maths.  Each output is rounded to f32 once.
 */
#include "ademamix.h"

#include <math.h>

void axl__ref_ademamix(const axl_ademamix_args *a)
{
    double correction1 = 1.0 - pow(a->beta1, (double)a->step);
    double correction2 = sqrt(1.0 - pow(a->beta2, (double)a->step));

    for (int64_t i = 0; i < a->n; i++) {
        double g = a->g[i] * a->grad_scale;
        double m = a->beta1 * a->m[i] + (1.0 - a->beta1) * g;
        double slow = a->beta3 * a->slow[i] + (1.0 - a->beta3) * g;
        double v = a->beta2 * a->v[i] + (1.0 - a->beta2) * g * g;
        double d = (m / correction1 + a->alpha * slow) / (sqrt(v) / correction2 + a->eps);

        a->m[i] = (float)m;
        a->slow[i] = (float)slow;
        a->v[i] = (float)v;
        a->p[i] = (float)(a->p[i] * (1.0 - a->lr * a->weight_decay) - a->lr * d);
    }
}
