/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sgd_ref.c - what an SGD step means.  Slow on purpose; every backend is tested against this file,
 * so change it only to fix the maths.  m and p are rounded to f32 once.
 */
#include "sgd.h"

void axl__ref_sgd(const axl_sgd_args *a)
{
    for (int64_t i = 0; i < a->n; i++) {
        double g = a->g[i] * a->grad_scale + a->weight_decay * a->p[i], step = g;

        if (a->momentum > 0.0) {
            double m = a->step == 1 ? g : a->momentum * a->m[i] + (1.0 - a->dampening) * g;
            step = a->nesterov ? g + a->momentum * m : m;
            a->m[i] = (float)m;
        }
        a->p[i] = (float)(a->p[i] - a->lr * step);
    }
}
