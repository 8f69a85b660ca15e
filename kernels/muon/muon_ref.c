/* SPDX-License-Identifier: Apache-2.0 */
/*
 * muon_ref.c - what the pieces of a Muon step mean.  Slow on purpose; every backend is tested
 * against this file, so change it only to fix the maths.  m, x and y are rounded to f32 once.
 */
#include "muon.h"

#include <math.h>

void axl__ref_muon_momentum(const axl_muon_momentum_args *a)
{
    for (int64_t i = 0; i < a->n; i++) {
        double g = a->g[i] * a->grad_scale, m = a->momentum * a->m[i] + g;

        a->m[i] = (float)m;
        a->x[i] = (float)(a->nesterov ? g + a->momentum * m : m);
    }
}

void axl__ref_muon_normalize(const axl_muon_normalize_args *a)
{
    double norm = sqrt(*a->sum_squares) + a->eps;

    for (int64_t i = 0; i < a->n; i++)
        a->x[i] = (float)(a->x[i] / norm);
}

void axl__ref_muon_scale(const axl_muon_scale_args *a)
{
    for (int64_t i = 0; i < a->n; i++)
        a->y[i] = (float)(a->factor * a->x[i]);
}
