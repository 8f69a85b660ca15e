/* SPDX-License-Identifier: Apache-2.0 */
/*
 * columns_ref.c - what the norms of rows, scaled columns and their dot products mean.  Slow on
 * purpose; every backend is tested against this file, so change it only to fix the maths.
 */
#include "columns.h"

#include "kernels/mat.h"

#include <math.h>

void axl__ref_row_norms(const axl_row_norms_args *a)
{
    for (int64_t r = 0; r < a->x.rows; r++) {
        double sum = 0.0;
        for (int64_t c = 0; c < a->x.cols; c++)
            sum += axl__mat_get(&a->x, r, c) * axl__mat_get(&a->x, r, c);
        a->norms[r] = (float)sqrt(sum);
        if (a->magnitudes)
            a->gains[r] = a->magnitudes[r] / a->norms[r];
    }
}

void axl__ref_scale_columns(const axl_scale_columns_args *a)
{
    for (int64_t t = 0; t < a->y.rows; t++)
        for (int64_t c = 0; c < a->y.cols; c++) {
            float factor = a->gains ? a->scale * (a->gains[c] + a->shift) : a->scale;
            double before = a->add ? axl__mat_get(&a->y, t, c) : 0.0;
            axl__mat_put(&a->y, t, c, before + (double)factor * axl__mat_get(&a->x, t, c));
        }
}

void axl__ref_dot_columns(const axl_dot_columns_args *a)
{
    for (int64_t c = 0; c < a->x.cols; c++) {
        double sum = 0.0;
        for (int64_t t = 0; t < a->x.rows; t++)
            sum += axl__mat_get(&a->x, t, c) * (a->y.data ? axl__mat_get(&a->y, t, c) : 1.0);
        a->out[c] += (float)(a->scale * sum / (a->divisors ? (double)a->divisors[c] : 1.0));
    }
}
