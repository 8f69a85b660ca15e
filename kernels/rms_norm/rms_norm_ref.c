/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rms_norm_ref.c - what RMSNorm means.  Slow on purpose; every backend is tested against this file,
 * so change it only to fix the maths.
 */
#include "rms_norm.h"

#include "kernels/mat.h"

#include <math.h>

static double weight(const void *w, axl_dtype dtype, int64_t c, bool unit_offset)
{
    return axl__load_element(w, dtype, c) + (unit_offset ? 1.0 : 0.0);
}

void axl__ref_rms_norm_forward(const axl_rms_norm_args *a)
{
    for (int64_t t = 0; t < a->x.rows; t++) {
        double sum = 0.0, rstd;

        for (int64_t c = 0; c < a->x.cols; c++)
            sum += axl__mat_get(&a->x, t, c) * axl__mat_get(&a->x, t, c);
        rstd = 1.0 / sqrt(sum / (double)a->x.cols + a->eps);
        a->rstd[t] = (float)rstd;
        for (int64_t c = 0; c < a->x.cols; c++)
            axl__mat_put(&a->y, t, c,
                         axl__mat_get(&a->x, t, c) * rstd *
                             weight(a->w, a->w_dtype, c, a->unit_offset));
    }
}

void axl__ref_rms_norm_backward(const axl_rms_norm_backward_args *a)
{
    for (int64_t t = 0; t < a->x.rows; t++) {
        double sum = 0.0, rstd = a->rstd[t], mean;

        for (int64_t c = 0; c < a->x.cols; c++)
            sum += axl__mat_get(&a->x, t, c) * weight(a->w, a->w_dtype, c, a->unit_offset) *
                   axl__mat_get(&a->dy, t, c);
        mean = sum / (double)a->x.cols;
        for (int64_t c = 0; c < a->x.cols; c++) {
            double w = weight(a->w, a->w_dtype, c, a->unit_offset);
            double wdy = w * axl__mat_get(&a->dy, t, c);
            double dx = rstd * (wdy - axl__mat_get(&a->x, t, c) * rstd * rstd * mean);
            axl__mat_put(&a->dx, t, c, axl__mat_get(&a->dx, t, c) + dx);
        }
    }
}

void axl__ref_rms_norm_weight_backward(const axl_rms_norm_weight_backward_args *a)
{
    for (int64_t c = 0; c < a->x.cols; c++) {
        double sum = 0.0;

        for (int64_t t = 0; t < a->x.rows; t++)
            sum += axl__mat_get(&a->dy, t, c) * axl__mat_get(&a->x, t, c) * a->rstd[t];
        a->dw[c] = (float)(a->dw[c] + sum);
    }
}
