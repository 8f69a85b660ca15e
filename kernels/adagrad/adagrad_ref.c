/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adagrad_ref.c - what an Adagrad step means.  Slow on purpose; every backend is tested against
 * this file, so change it only to fix the maths.  Each output is rounded to f32 once.
 */
#include "adagrad.h"

#include <math.h>

void axl__ref_adagrad(const axl_adagrad_args *a)
{
    for (int64_t i = 0; i < a->n; i++) {
        double g = a->g[i] * a->grad_scale + a->weight_decay * a->p[i];
        double v = a->v[i] + g * g;

        a->v[i] = (float)v;
        a->p[i] = (float)(a->p[i] - a->lr * g / (sqrt(v) + a->eps));
    }
}
