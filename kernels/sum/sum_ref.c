/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sum_ref.c - what the weighted sum means.  Every backend is tested against this file, so change
 * it only to fix the maths.
 */
#include "sum.h"

void axl__ref_sum(const axl_sum_args *a)
{
    double total = *a->out;

    for (int64_t i = 0; i < a->n; i++)
        total += a->weights ? (double)a->weights[i] * a->x[i] : (double)a->x[i];
    *a->out = total;
}
