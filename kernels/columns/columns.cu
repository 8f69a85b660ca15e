/* SPDX-License-Identifier: Apache-2.0 */
/* columns.cu - see columns.h.  Bound by the bytes of x and y. */
#include "kernels/cuda/columns_cuda.h"
#include "kernels/cuda/elementwise_cuda.h"

#include "columns.h"

enum { NORM_THREADS = 128 };

/* N divides cols. */
template <int N, class T>
__global__ void __launch_bounds__(NORM_THREADS)
    row_norms(matrix<T> x, int64_t cols, float *norms, const float *magnitudes, float *gains)
{
    int64_t row = blockIdx.x;
    double sum = 0.0;

    for (int64_t c = threadIdx.x * N; c < cols; c += NORM_THREADS * N) {
        chunk<N> v = x.template load<N>(row, c);
        for (int i = 0; i < N; i++)
            sum += (double)v.v[i] * v.v[i];
    }
    sum = block_sum(sum, shared_memory<double>());
    if (threadIdx.x == 0) {
        float norm = (float)sqrt(sum);
        norms[row] = norm;
        if (magnitudes)
            gains[row] = magnitudes[row] / norm;
    }
}

axl_status axl__cuda_row_norms(axl_device *dev, const axl_row_norms_args *a)
{
    bool chunks = whole_chunks(a->x) && a->x.cols % CHUNK == 0;

    if (a->x.rows == 0)
        return AXL_OK;
    return axl__cuda_with_type(a->x.dtype, [&](auto t) {
        typedef decltype(t) T;
        return axl__cuda_launch(dev, chunks ? row_norms<CHUNK, T> : row_norms<1, T>,
                                dim3((unsigned)a->x.rows), dim3(NORM_THREADS),
                                NORM_THREADS / WARP_SIZE * sizeof(double), matrix_of<T>(a->x),
                                a->x.cols, a->norms, a->magnitudes, a->gains);
    });
}

template <class X, class Y> struct scale_columns {
    matrix<X> x;
    matrix<Y> y;
    const float *gains;
    float shift, scale;
    bool add;

    template <int N> __device__ void run(int64_t row, int64_t col) const
    {
        chunk<N> v = x.template load<N>(row, col), before = {};

        if (add)
            before = y.template load<N>(row, col);
        for (int i = 0; i < N; i++) {
            float factor = gains ? scale * (gains[col + i] + shift) : scale;
            v.v[i] = before.v[i] + factor * v.v[i];
        }
        y.store(row, col, v);
    }
};

axl_status axl__cuda_scale_columns(axl_device *dev, const axl_scale_columns_args *a)
{
    return axl__cuda_with_types(a->x.dtype, a->y.dtype, [&](auto x, auto y) {
        typedef scale_columns<decltype(x), decltype(y)> op;
        return axl__cuda_elementwise(dev,
                                     op{ matrix_of<decltype(x)>(a->x), matrix_of<decltype(y)>(a->y),
                                         a->gains, a->shift, a->scale, a->add },
                                     a->y.rows, a->y.cols,
                                     whole_chunks(a->x) && whole_chunks(a->y));
    });
}

template <class X, class Y> struct dot_columns {
    matrix<X> x;
    matrix<Y> y;
    const float *divisors;
    float scale;
    float *out;

    __device__ double term(int64_t row, int64_t col) const
    {
        double v = to_f32(*x.at(row, col));

        return y.data ? v * to_f32(*y.at(row, col)) : v;
    }
    __device__ void finish(int64_t col, double sum) const
    {
        out[col] += (float)(scale * sum / (divisors ? (double)divisors[col] : 1.0));
    }
};

axl_status axl__cuda_dot_columns(axl_device *dev, const axl_dot_columns_args *a)
{
    return axl__cuda_with_types(a->x.dtype, a->y.dtype, [&](auto x, auto y) {
        typedef dot_columns<decltype(x), decltype(y)> op;
        return axl__cuda_sum_columns(dev,
                                     op{ matrix_of<decltype(x)>(a->x), matrix_of<decltype(y)>(a->y),
                                         a->divisors, a->scale, a->out },
                                     a->x.rows, a->x.cols);
    });
}
