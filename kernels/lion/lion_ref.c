/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lion_ref.c - what a Lion step means.  Slow on purpose; every backend is tested against this file,
 * so change it only to fix the maths.  m and p are rounded to f32 once.
 */
#include "lion.h"

void axl__ref_lion(const axl_lion_args *a)
{
    for (int64_t i = 0; i < a->n; i++) {
        double g = a->g[i] * a->grad_scale, m = a->m[i];
        double c = a->beta1 * m + (1.0 - a->beta1) * g, sign = (c > 0.0) - (c < 0.0);

        a->p[i] = (float)(a->p[i] * (1.0 - a->lr * a->weight_decay) - a->lr * sign);
        a->m[i] = (float)(a->beta2 * m + (1.0 - a->beta2) * g);
    }
}
