/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows_ref.c - what gathering, scattering and adding rows means.  Slow on purpose; every backend is
 * tested against this file, so change it only to fix the maths.
 */
#include "rows.h"

#include "kernels/mat.h"

void axl__ref_gather_rows(const axl_rows_args *a)
{
    for (int64_t i = 0; i < a->n; i++)
        for (int64_t c = 0; c < a->y.cols; c++)
            axl__mat_put(&a->y, i, c, axl__mat_get(&a->x, a->rows[i], c));
}

void axl__ref_scatter_rows(const axl_rows_args *a)
{
    for (int64_t i = 0; i < a->n; i++)
        for (int64_t c = 0; c < a->x.cols; c++)
            axl__mat_put(&a->y, a->rows[i], c, axl__mat_get(&a->x, i, c));
}

void axl__ref_add_rows(const axl_rows_args *a)
{
    for (int64_t i = 0; i < a->n; i++) {
        int64_t to = a->rows ? a->rows[i] : 0;
        for (int64_t c = 0; c < a->x.cols; c++)
            axl__mat_put(&a->y, to, c, axl__mat_get(&a->y, to, c) + axl__mat_get(&a->x, i, c));
    }
}
