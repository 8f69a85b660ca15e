/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule_free_ref.c - what a schedule-free step means.  Slow on purpose; every backend is tested
 * against this file, so change it only to fix the maths.  Each output is rounded to f32 once.
 */
#include "schedule_free.h"

#include <math.h>

void axl__ref_schedule_free(const axl_schedule_free_args *a)
{
    double correction = 1.0 - pow(a->beta2, (double)a->step);

    for (int64_t i = 0; i < a->n; i++) {
        double g = a->g[i] * a->grad_scale, y = a->y[i], z = a->z[i];

        if (a->v) {
            double v = a->beta2 * a->v[i] + (1.0 - a->beta2) * g * g;
            a->v[i] = (float)v;
            g /= sqrt(v / correction) + a->eps;
        }
        double d = g + a->weight_decay * y;
        y = y + a->share * (z - y) - a->lr * (1.0 - a->beta1 * (1.0 - a->share)) * d;
        z -= a->lr * d;
        a->y[i] = (float)y;
        a->z[i] = (float)z;
        a->x[i] = (float)(y + (1.0 - 1.0 / a->beta1) * (z - y));
    }
}
