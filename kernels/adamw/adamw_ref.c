/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adamw_ref.c - what an AdamW step means.  Slow on purpose; every backend is tested against this
 * file, so change it only to fix the maths.  Each of m, v and p is rounded to f32 once.
 */
#include "adamw.h"

#include <math.h>

void axl__ref_adamw(const axl_adamw_args *a)
{
    double step_size = a->lr / (1.0 - pow(a->beta1, (double)a->step));
    double correction = sqrt(1.0 - pow(a->beta2, (double)a->step));

    for (int64_t i = 0; i < a->n; i++) {
        double g = a->g[i] * a->grad_scale;
        double m = a->beta1 * a->m[i] + (1.0 - a->beta1) * g;
        double v = a->beta2 * a->v[i] + (1.0 - a->beta2) * g * g;
        double p = a->p[i] - a->lr * a->weight_decay * a->p[i];

        a->m[i] = (float)m;
        a->v[i] = (float)v;
        a->p[i] = (float)(p - step_size * m / (sqrt(v) / correction + a->eps));
    }
}
