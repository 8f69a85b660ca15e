/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cross_entropy_ref.c - what the loss means.  Slow on purpose; every backend is tested against this
 * file, so change it only to fix the maths.
 */
#include "cross_entropy.h"

#include "kernels/mat.h"

#include <math.h>

/* The slope of the cap where it gave y; 1 without one. */
static double slope_at(double y, double cap)
{
    return cap > 0.0 ? 1.0 - y / cap * (y / cap) : 1.0;
}

void axl__ref_cross_entropy(const axl_cross_entropy_args *a)
{
    for (int64_t i = 0; i < a->logits.rows; i++) {
        double max = -INFINITY, sum = 0.0, mean = 0.0, e = a->smoothing;
        double target = axl__mat_get(&a->logits, i, a->targets[i]);

        for (int64_t v = 0; v < a->logits.cols; v++)
            max = fmax(max, axl__mat_get(&a->logits, i, v));
        for (int64_t v = 0; v < a->logits.cols; v++)
            sum += exp(axl__mat_get(&a->logits, i, v) - max);
        for (int64_t v = 0; v < a->logits.cols && e > 0.0; v++)
            mean += axl__mat_get(&a->logits, i, v) / (double)a->logits.cols;
        a->losses[i] = (float)(max + log(sum) - target + (e > 0.0 ? e * (target - mean) : 0.0));
        if (!a->dlogits.data)
            continue;
        double scale = a->scales ? (double)a->scale * a->scales[i] : a->scale;
        for (int64_t v = 0; v < a->logits.cols; v++) {
            double y = axl__mat_get(&a->logits, i, v), p = exp(y - max) / sum;
            double wanted = (v == a->targets[i] ? 1.0 - e : 0.0) + e / (double)a->logits.cols;
            axl__mat_put(&a->dlogits, i, v, scale * (p - wanted) * slope_at(y, a->soft_cap));
        }
    }
}
