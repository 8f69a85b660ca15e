/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elementwise_ref.c - what convert, add and scale mean.  Slow on purpose; every backend is tested
 * against this file, so change it only to fix the maths.
 */
#include "elementwise.h"

#include "kernels/mat.h"

void axl__ref_convert(const axl_unary_args *a)
{
    for (int64_t r = 0; r < a->x.rows; r++)
        for (int64_t c = 0; c < a->x.cols; c++)
            axl__mat_put(&a->y, r, c, axl__mat_get(&a->x, r, c));
}

void axl__ref_add(const axl_unary_args *a)
{
    for (int64_t r = 0; r < a->x.rows; r++)
        for (int64_t c = 0; c < a->x.cols; c++)
            axl__mat_put(&a->y, r, c, axl__mat_get(&a->y, r, c) + axl__mat_get(&a->x, r, c));
}

void axl__ref_scale(const axl_scale_args *a)
{
    for (int64_t r = 0; r < a->x.rows; r++)
        for (int64_t c = 0; c < a->x.cols; c++)
            axl__mat_put(&a->y, r, c, a->factor * axl__mat_get(&a->x, r, c));
}
