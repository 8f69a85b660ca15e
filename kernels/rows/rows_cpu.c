/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows_cpu.c - gathering, scattering and adding rows, bound by memory: a row is one copy or
 * conversion.  Tasks write different rows, as the rows of a scatter all differ; those of a sum may
 * not, and its tasks write different columns.
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

/* ---- sums ---- */

enum { STRIPE = 64 }; /* columns of a task */

AXL_INLINE void add_lanes(float *y, const void *x, axl_dtype x_type, int64_t i, int64_t n)
{
    axl_store(y, AXL_F32, i, vf_add(axl_load(y, AXL_F32, i, n), axl_load(x, x_type, i, n)), n);
}

static void add_stripe(void *args, uint64_t index)
{
    const axl_rows_args *a = args;
    int64_t begin = (int64_t)index * STRIPE, n = axl_min(STRIPE, a->x.cols - begin);

    for (int64_t k = 0; k < a->n; k++) {
        const void *x = axl_at(a->x.data, a->x.dtype, k * a->x.stride + begin);
        float *y = (float *)a->y.data + (a->rows ? a->rows[k] * a->y.stride : 0) + begin;
        int64_t i = 0;

        for (; i + VF_N <= n; i += VF_N)
            add_lanes(y, x, a->x.dtype, i, VF_N);
        if (i < n)
            add_lanes(y, x, a->x.dtype, i, n - i);
    }
}

axl_status AXL_ISA_NAME(add_rows)(axl_device *dev, const axl_rows_args *a)
{
    axl_rows_args copy = *a;

    axl_loop(dev, axl_div_up(a->x.cols, STRIPE), 8 * a->n * a->x.cols, add_stripe, &copy);
    return AXL_OK;
}
