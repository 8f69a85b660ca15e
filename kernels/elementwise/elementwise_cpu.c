/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elementwise_cpu.c - convert, add and scale, bound by memory: one pass, one read of x and one
 * write (and read) of y.  The bits are the reference's: a sum or a product of two f32 rounds the
 * same once or twice.
 */
#include "kernels/elementwise/elementwise.h"

#include "kernels/cpu/span_cpu.h"

static axl_unary_args flattened(const axl_unary_args *a)
{
    axl_unary_args b = *a;

    if (axl_is_flat(&b.x) && axl_is_flat(&b.y)) {
        axl_flatten(&b.x);
        axl_flatten(&b.y);
    }
    return b;
}

static void convert_tile(const void *args, axl_tile t)
{
    const axl_unary_args *a = args;

    for (int64_t r = t.row; r < t.row_end; r++)
        axl_convert_span(axl_at_mut(a->y.data, a->y.dtype, r * a->y.stride + t.col), a->y.dtype,
                         axl_at(a->x.data, a->x.dtype, r * a->x.stride + t.col), a->x.dtype,
                         t.col_end - t.col);
}

axl_status AXL_ISA_NAME(convert)(axl_device *dev, const axl_unary_args *a)
{
    axl_unary_args b = flattened(a);

    axl_tiles_run(dev, b.x.rows, b.x.cols, false, convert_tile, &b);
    return AXL_OK;
}

AXL_INLINE void add_lanes(void *y, axl_dtype y_type, const void *x, axl_dtype x_type, int64_t i,
                          int64_t n)
{
    vf sum = vf_add(axl_load(y, y_type, i, n), axl_load(x, x_type, i, n));

    axl_store(y, y_type, i, sum, n);
}

static void add_tile(const void *args, axl_tile t)
{
    const axl_unary_args *a = args;
    axl_dtype y_type = a->y.dtype, x_type = a->x.dtype;
    int64_t n = t.col_end - t.col;

    for (int64_t r = t.row; r < t.row_end; r++) {
        void *y = axl_at_mut(a->y.data, y_type, r * a->y.stride + t.col);
        const void *x = axl_at(a->x.data, x_type, r * a->x.stride + t.col);
        int64_t i = 0;

        for (; i + VF_N <= n; i += VF_N)
            add_lanes(y, y_type, x, x_type, i, VF_N);
        if (i < n)
            add_lanes(y, y_type, x, x_type, i, n - i);
    }
}

axl_status AXL_ISA_NAME(add)(axl_device *dev, const axl_unary_args *a)
{
    axl_unary_args b = flattened(a);

    axl_tiles_run(dev, b.x.rows, b.x.cols, false, add_tile, &b);
    return AXL_OK;
}

AXL_INLINE void scale_lanes(void *y, axl_dtype y_type, const void *x, axl_dtype x_type, vf factor,
                            int64_t i, int64_t n)
{
    axl_store(y, y_type, i, vf_mul(factor, axl_load(x, x_type, i, n)), n);
}

static void scale_tile(const void *args, axl_tile t)
{
    const axl_scale_args *a = args;
    axl_dtype y_type = a->y.dtype, x_type = a->x.dtype;
    int64_t n = t.col_end - t.col;

    for (int64_t r = t.row; r < t.row_end; r++) {
        void *y = axl_at_mut(a->y.data, y_type, r * a->y.stride + t.col);
        const void *x = axl_at(a->x.data, x_type, r * a->x.stride + t.col);
        int64_t i = 0;

        for (; i + VF_N <= n; i += VF_N)
            scale_lanes(y, y_type, x, x_type, vf_set1(a->factor), i, VF_N);
        if (i < n)
            scale_lanes(y, y_type, x, x_type, vf_set1(a->factor), i, n - i);
    }
}

axl_status AXL_ISA_NAME(scale)(axl_device *dev, const axl_scale_args *a)
{
    axl_tiles_run(dev, a->x.rows, a->x.cols, false, scale_tile, a);
    return AXL_OK;
}
