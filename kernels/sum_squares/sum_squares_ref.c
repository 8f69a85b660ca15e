/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sum_squares_ref.c - what the sum of squares means.  Slow on purpose; every backend is tested
 * against this file, so change it only to fix the maths.
 */
#include "sum_squares.h"

void axl__ref_sum_squares(const axl_sum_squares_args *a)
{
    double sum = 0.0;

    for (int64_t i = 0; i < a->n; i++)
        sum += (double)a->x[i] * a->x[i];
    *a->out += sum;
}
