/* SPDX-License-Identifier: Apache-2.0 */
/* rows.cu - see rows.h.  Bound by the bytes of the rows. */
#include "kernels/cuda/elementwise_cuda.h"

#include "rows.h"

template <class X, class Y, bool scatters> struct move_rows {
    matrix<X> x;
    matrix<Y> y;
    const int32_t *rows;

    template <int N> __device__ void run(int64_t row, int64_t col) const
    {
        int64_t other = rows[row];

        if (scatters)
            y.store(other, col, x.template load<N>(row, col));
        else
            y.store(row, col, x.template load<N>(other, col));
    }
};

template <bool scatters> static axl_status run_move(axl_device *dev, const axl_rows_args *a)
{
    return axl__cuda_with_types(a->x.dtype, a->y.dtype, [&](auto x, auto y) {
        typedef move_rows<decltype(x), decltype(y), scatters> op;
        return axl__cuda_elementwise(
            dev, op{ matrix_of<decltype(x)>(a->x), matrix_of<decltype(y)>(a->y), a->rows }, a->n,
            a->y.cols, whole_chunks(a->x) && whole_chunks(a->y));
    });
}

axl_status axl__cuda_gather_rows(axl_device *dev, const axl_rows_args *a)
{
    return run_move<false>(dev, a);
}

axl_status axl__cuda_scatter_rows(axl_device *dev, const axl_rows_args *a)
{
    return run_move<true>(dev, a);
}

/* ---- sums: a thread has a column and adds all rows in their order ---- */

/* Rows that are under way at once, and the threads of a block: few, since columns are.  As many
 * blocks of a multiprocessor leave registers enough for a batch. */
enum { ADD_BATCH = 16, ADD_THREADS = 32, ADD_BLOCKS = 8 };

/* A row may come again, also within a batch: what was added goes on to those behind. */
template <class X>
__global__ void __launch_bounds__(ADD_THREADS, ADD_BLOCKS)
    add_to_rows(matrix<X> x, matrix<float> y, const int32_t *rows, int64_t n, int64_t cols)
{
    int64_t col = (int64_t)blockIdx.x * ADD_THREADS + threadIdx.x;

    for (int64_t first = 0; first < n && col < cols; first += ADD_BATCH) {
        int32_t to[ADD_BATCH];
        float term[ADD_BATCH], sum[ADD_BATCH];
        for (int i = 0; i < ADD_BATCH; i++) {
            bool there = first + i < n;
            to[i] = there ? rows[first + i] : -1;
            term[i] = there ? to_f32(*x.at(first + i, col)) : 0.0f;
            sum[i] = there ? *y.at(to[i], col) : 0.0f;
        }
        for (int i = 0; i < ADD_BATCH; i++) {
            sum[i] += term[i];
            for (int k = 0; k < ADD_BATCH; k++) /* from 0, so that the compiler unrolls it */
                sum[k] = k > i && to[k] == to[i] ? sum[i] : sum[k];
        }
        for (int i = 0; i < ADD_BATCH; i++)
            if (first + i < n)
                *y.at(to[i], col) = sum[i];
    }
}

template <class X>
__global__ void __launch_bounds__(ADD_THREADS, ADD_BLOCKS)
    add_to_one_row(matrix<X> x, float *y, int64_t n, int64_t cols)
{
    int64_t col = (int64_t)blockIdx.x * ADD_THREADS + threadIdx.x;
    float sum = col < cols ? y[col] : 0.0f;

    for (int64_t first = 0; first < n && col < cols; first += ADD_BATCH) {
        float term[ADD_BATCH];
        for (int i = 0; i < ADD_BATCH; i++)
            term[i] = first + i < n ? to_f32(*x.at(first + i, col)) : 0.0f;
        for (int i = 0; i < ADD_BATCH; i++)
            sum = first + i < n ? sum + term[i] : sum;
    }
    if (col < cols)
        y[col] = sum;
}

axl_status axl__cuda_add_rows(axl_device *dev, const axl_rows_args *a)
{
    dim3 grid((unsigned)axl_div_up(a->x.cols, ADD_THREADS));

    if (a->n == 0 || a->x.cols == 0)
        return AXL_OK;
    return axl__cuda_with_type(a->x.dtype, [&](auto t) {
        typedef decltype(t) X;
        if (!a->rows)
            return axl__cuda_launch(dev, add_to_one_row<X>, grid, dim3(ADD_THREADS), 0,
                                    matrix_of<X>(a->x), (float *)a->y.data, a->n, a->x.cols);
        return axl__cuda_launch(dev, add_to_rows<X>, grid, dim3(ADD_THREADS), 0, matrix_of<X>(a->x),
                                matrix_of<float>(a->y), a->rows, a->n, a->x.cols);
    });
}
