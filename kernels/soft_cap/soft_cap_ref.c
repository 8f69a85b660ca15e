/* SPDX-License-Identifier: Apache-2.0 */
/*
 * soft_cap_ref.c - what a soft cap means.  Slow on purpose; every backend is tested against this
 * file, so change it only to fix the maths.
 */
#include "soft_cap.h"

#include "kernels/mat.h"

#include <math.h>

void axl__ref_soft_cap_forward(const axl_soft_cap_args *a)
{
    double cap = a->cap;

    for (int64_t r = 0; r < a->x.rows; r++)
        for (int64_t c = 0; c < a->x.cols; c++)
            axl__mat_put(&a->y, r, c, cap * tanh(axl__mat_get(&a->x, r, c) / cap));
}

void axl__ref_soft_cap_backward(const axl_soft_cap_backward_args *a)
{
    for (int64_t r = 0; r < a->y.rows; r++) {
        for (int64_t c = 0; c < a->y.cols; c++) {
            double t = axl__mat_get(&a->y, r, c) / a->cap;
            axl__mat_put(&a->d, r, c, axl__mat_get(&a->d, r, c) * (1.0 - t * t));
        }
    }
}
