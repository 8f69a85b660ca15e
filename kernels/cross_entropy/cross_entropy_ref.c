/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cross_entropy_ref.c - what the loss means.  Slow on purpose; every backend is tested against this
 * file, so change it only to fix the maths.
 */
#include "cross_entropy.h"

#include "kernels/mat.h"

#include <math.h>

void axl__ref_cross_entropy(const axl_cross_entropy_args *a)
{
    for (int64_t i = 0; i < a->logits.rows; i++) {
        double max = -INFINITY, sum = 0.0;

        for (int64_t v = 0; v < a->logits.cols; v++)
            max = fmax(max, axl__mat_get(&a->logits, i, v));
        for (int64_t v = 0; v < a->logits.cols; v++)
            sum += exp(axl__mat_get(&a->logits, i, v) - max);
        a->losses[i] = (float)(max + log(sum) - axl__mat_get(&a->logits, i, a->targets[i]));
        if (!a->dlogits.data)
            continue;
        for (int64_t v = 0; v < a->logits.cols; v++) {
            double p = exp(axl__mat_get(&a->logits, i, v) - max) / sum;
            axl__mat_put(&a->dlogits, i, v, a->scale * (p - (v == a->targets[i])));
        }
    }
}
