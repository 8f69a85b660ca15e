/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adopt_ref.c - what an ADOPT step means.  Slow on purpose; every backend is tested against this
 * file, so change it only to fix the maths.  Each output is rounded to f32 once.
 */
#include "adopt.h"

#include <math.h>

void axl__ref_adopt(const axl_adopt_args *a)
{
    double limit = pow((double)a->step - 1.0, 0.25);

    for (int64_t i = 0; i < a->n; i++) {
        double g = a->g[i] * a->grad_scale, v = a->v[i];

        if (a->step == 1) {
            a->v[i] = (float)(g * g);
            continue;
        }
        double d = fmin(fmax(g / fmax(sqrt(v), a->eps), -limit), limit);
        double m = a->beta1 * a->m[i] + (1.0 - a->beta1) * d;
        a->p[i] = (float)(a->p[i] * (1.0 - a->lr * a->weight_decay) - a->lr * m);
        a->m[i] = (float)m;
        a->v[i] = (float)(a->beta2 * v + (1.0 - a->beta2) * g * g);
    }
}
