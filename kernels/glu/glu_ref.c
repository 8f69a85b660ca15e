/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glu_ref.c - what the gated unit means.  Slow on purpose; every backend is tested against this
 * file, so change it only to fix the maths.
 */
#include "glu.h"

#include "kernels/mat.h"

#include <math.h>

static const double SQRT_2_PI = 0.79788456080286535588, CUBE = 0.044715; /* sqrt(2 / pi) */

/* s(x), and s'(x) through slope. */
static double silu(double x, double *slope)
{
    double s = 1.0 / (1.0 + exp(-x));

    *slope = s * (1.0 - s);
    return s;
}

static double gelu(double x, double *slope)
{
    *slope = 0.5 * SQRT_2_PI * exp(-0.5 * x * x);
    return 0.5 * erfc(-x * sqrt(0.5));
}

static double gelu_tanh(double x, double *slope)
{
    double s = silu(2.0 * SQRT_2_PI * (x + CUBE * x * x * x), slope);

    *slope = *slope > 0.0 ? *slope * 2.0 * SQRT_2_PI * (1.0 + 3.0 * CUBE * x * x) : *slope;
    return s;
}

static double (*const gates[AXL_ACTIVATIONS])(double x, double *slope) = {
    [AXL_SILU] = silu,
    [AXL_GELU] = gelu,
    [AXL_GELU_TANH] = gelu_tanh,
};

void axl__ref_glu_forward(const axl_glu_args *a)
{
    double unused;

    for (int64_t t = 0; t < a->y.rows; t++) {
        for (int64_t f = 0; f < a->y.cols; f++) {
            double gate = axl__mat_get(&a->gate, t, f), s = gates[a->act](gate, &unused);
            axl__mat_put(&a->y, t, f, gate * s * axl__mat_get(&a->up, t, f));
        }
    }
}

void axl__ref_glu_backward(const axl_glu_backward_args *a)
{
    for (int64_t t = 0; t < a->dy.rows; t++) {
        for (int64_t f = 0; f < a->dy.cols; f++) {
            double gate = axl__mat_get(&a->gate, t, f), up = axl__mat_get(&a->up, t, f), slope;
            double dy = axl__mat_get(&a->dy, t, f), s = gates[a->act](gate, &slope);

            axl__mat_put(&a->dup, t, f, dy * gate * s);
            axl__mat_put(&a->dgate, t, f, dy * up * (s + gate * slope));
        }
    }
}
