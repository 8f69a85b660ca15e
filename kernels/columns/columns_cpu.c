/* SPDX-License-Identifier: Apache-2.0 */
/*
 * columns_cpu.c - norms of rows, scaled columns and dot products of columns, each bound by one read
 * of its operands.  A task has whole rows, a tile, or a stripe of columns whose sums it keeps.
 */
#include "kernels/columns/columns.h"

#include "kernels/cpu/span_cpu.h"

#include <math.h>

enum { LANES = 64 }; /* sums side by side, of which the compiler makes vectors; columns of a task */

static void widen(float out[LANES], const axl_mat *m, int64_t row, int64_t col, int64_t n)
{
    axl_convert_span(out, AXL_F32, axl_at(m->data, m->dtype, row * m->stride + col), m->dtype, n);
}

/* ---- norms ---- */

static float norm_of_row(const axl_mat *x, int64_t row)
{
    double sums[LANES] = { 0 }, total = 0.0;
    float piece[LANES];

    for (int64_t c = 0; c < x->cols; c += LANES) {
        int64_t n = axl_min(LANES, x->cols - c);
        widen(piece, x, row, c, n);
        for (int64_t i = 0; i < n; i++)
            sums[i] += (double)piece[i] * piece[i];
    }
    for (int i = 0; i < LANES; i++)
        total += sums[i];
    return (float)sqrt(total);
}

static void norms_tile(const void *args, axl_tile t)
{
    const axl_row_norms_args *a = args;

    for (int64_t r = t.row; r < t.row_end; r++) {
        a->norms[r] = norm_of_row(&a->x, r);
        if (a->magnitudes)
            a->gains[r] = a->magnitudes[r] / a->norms[r];
    }
}

axl_status AXL_ISA_NAME(row_norms)(axl_device *dev, const axl_row_norms_args *a)
{
    axl_tiles_run(dev, a->x.rows, a->x.cols, true, norms_tile, a);
    return AXL_OK;
}

/* ---- columns ---- */

AXL_INLINE void scale_lanes(const axl_scale_columns_args *a, int64_t row, int64_t col, int64_t n)
{
    int64_t at = row * a->y.stride + col;
    vf factor = vf_set1(a->scale);
    vf x = axl_load(a->x.data, a->x.dtype, row * a->x.stride + col, n);

    if (a->gains)
        factor = vf_mul(factor, vf_add(axl_load(a->gains, AXL_F32, col, n), vf_set1(a->shift)));
    vf y = vf_mul(factor, x);
    if (a->add)
        y = vf_add(axl_load(a->y.data, a->y.dtype, at, n), y);
    axl_store(a->y.data, a->y.dtype, at, y, n);
}

static void scale_tile(const void *args, axl_tile t)
{
    const axl_scale_columns_args *a = args;

    for (int64_t r = t.row; r < t.row_end; r++) {
        int64_t c = t.col;

        for (; c + VF_N <= t.col_end; c += VF_N)
            scale_lanes(a, r, c, VF_N);
        if (c < t.col_end)
            scale_lanes(a, r, c, t.col_end - c);
    }
}

axl_status AXL_ISA_NAME(scale_columns)(axl_device *dev, const axl_scale_columns_args *a)
{
    axl_tiles_run(dev, a->y.rows, a->y.cols, false, scale_tile, a);
    return AXL_OK;
}

/* ---- dot products ---- */

static void dot_stripe(void *args, uint64_t index)
{
    const axl_dot_columns_args *a = args;
    int64_t begin = (int64_t)index * LANES, n = axl_min(LANES, a->x.cols - begin);
    double sums[LANES] = { 0 };
    float x[LANES], y[LANES];

    for (int i = 0; i < LANES; i++)
        y[i] = 1.0f;
    for (int64_t t = 0; t < a->x.rows; t++) {
        widen(x, &a->x, t, begin, n);
        if (a->y.data)
            widen(y, &a->y, t, begin, n);
        for (int64_t i = 0; i < n; i++)
            sums[i] += (double)x[i] * y[i];
    }
    for (int64_t i = 0; i < n; i++)
        a->out[begin + i] += (float)((double)a->scale * sums[i] /
                                     (a->divisors ? (double)a->divisors[begin + i] : 1.0));
}

axl_status AXL_ISA_NAME(dot_columns)(axl_device *dev, const axl_dot_columns_args *a)
{
    axl_dot_columns_args copy = *a;

    axl_loop(dev, axl_div_up(a->x.cols, LANES), 8 * a->x.rows * a->x.cols, dot_stripe, &copy);
    return AXL_OK;
}
