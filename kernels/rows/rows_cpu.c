/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows_cpu.c - gathering and scattering rows, bound by memory: a row is one copy or conversion.
 * Tasks write different rows, as the rows of a scatter all differ.
 */
#include "kernels/rows/rows.h"

#include "kernels/cpu/span_cpu.h"

static void copy_row(const axl_mat *y, int64_t y_row, const axl_mat *x, int64_t x_row, axl_tile t)
{
    axl_convert_span(axl_at_mut(y->data, y->dtype, y_row * y->stride + t.col), y->dtype,
                     axl_at(x->data, x->dtype, x_row * x->stride + t.col), x->dtype,
                     t.col_end - t.col);
}

static void gather_tile(const void *args, axl_tile t)
{
    const axl_rows_args *a = args;

    for (int64_t i = t.row; i < t.row_end; i++)
        copy_row(&a->y, i, &a->x, a->rows[i], t);
}

axl_status AXL_ISA_NAME(gather_rows)(axl_device *dev, const axl_rows_args *a)
{
    axl_tiles_run(dev, a->n, a->y.cols, false, gather_tile, a);
    return AXL_OK;
}

static void scatter_tile(const void *args, axl_tile t)
{
    const axl_rows_args *a = args;

    for (int64_t i = t.row; i < t.row_end; i++)
        copy_row(&a->y, a->rows[i], &a->x, i, t);
}

axl_status AXL_ISA_NAME(scatter_rows)(axl_device *dev, const axl_rows_args *a)
{
    axl_tiles_run(dev, a->n, a->x.cols, false, scatter_tile, a);
    return AXL_OK;
}
