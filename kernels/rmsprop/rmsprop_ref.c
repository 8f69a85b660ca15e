/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rmsprop_ref.c - what an RMSprop step means.  Slow on purpose; every backend is tested against
 * this file, so change it only to fix the maths.  Each output is rounded to f32 once.
 */
#include "rmsprop.h"

#include <math.h>

void axl__ref_rmsprop(const axl_rmsprop_args *a)
{
    for (int64_t i = 0; i < a->n; i++) {
        double g = a->g[i] * a->grad_scale + a->weight_decay * a->p[i];
        double v = a->alpha * a->v[i] + (1.0 - a->alpha) * g * g, spread = v;

        if (a->mean) {
            double mean = a->alpha * a->mean[i] + (1.0 - a->alpha) * g;
            a->mean[i] = (float)mean;
            spread = fmax(v - mean * mean, 0.0);
        }
        double d = g / (sqrt(spread) + a->eps);
        if (a->m) {
            d += a->momentum * a->m[i];
            a->m[i] = (float)d;
        }
        a->v[i] = (float)v;
        a->p[i] = (float)(a->p[i] - a->lr * d);
    }
}
