/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glu_ref.c - what SwiGLU means.  Slow on purpose; every backend is tested against this file, so
 * change it only to fix the maths.
 */
#include "glu.h"

#include "kernels/mat.h"

#include <math.h>

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

void axl__ref_glu_forward(const axl_glu_args *a)
{
    for (int64_t t = 0; t < a->y.rows; t++) {
        for (int64_t f = 0; f < a->y.cols; f++) {
            double gate = axl__mat_get(&a->gate, t, f);
            axl__mat_put(&a->y, t, f, gate * sigmoid(gate) * axl__mat_get(&a->up, t, f));
        }
    }
}

void axl__ref_glu_backward(const axl_glu_backward_args *a)
{
    for (int64_t t = 0; t < a->dy.rows; t++) {
        for (int64_t f = 0; f < a->dy.cols; f++) {
            double gate = axl__mat_get(&a->gate, t, f), up = axl__mat_get(&a->up, t, f);
            double dy = axl__mat_get(&a->dy, t, f), s = sigmoid(gate);

            axl__mat_put(&a->dup, t, f, dy * gate * s);
            axl__mat_put(&a->dgate, t, f, dy * up * s * (1.0 + gate * (1.0 - s)));
        }
    }
}
