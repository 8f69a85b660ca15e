/* SPDX-License-Identifier: Apache-2.0 */
/* soft_cap.cu - see soft_cap.h.  Bound by its bytes. */
#include "kernels/cuda/elementwise_cuda.h"

#include "soft_cap.h"

template <class T> struct soft_cap_forward {
    matrix<T> x, y;
    float cap;

    template <int N> __device__ void run(int64_t row, int64_t col) const
    {
        chunk<N> v = x.template load<N>(row, col);

        for (int i = 0; i < N; i++)
            v.v[i] = cap * tanhf(v.v[i] / cap);
        y.store(row, col, v);
    }
};

template <class Y, class D> struct soft_cap_backward {
    matrix<Y> y;
    matrix<D> d;
    float cap;

    template <int N> __device__ void run(int64_t row, int64_t col) const
    {
        chunk<N> v = y.template load<N>(row, col), g = d.template load<N>(row, col);

        for (int i = 0; i < N; i++) {
            float t = v.v[i] / cap;
            g.v[i] *= 1.0f - t * t;
        }
        d.store(row, col, g);
    }
};

axl_status axl__cuda_soft_cap_forward(axl_device *dev, const axl_soft_cap_args *a)
{
    return axl__cuda_with_type(a->x.dtype, [&](auto t) {
        typedef decltype(t) T;
        return axl__cuda_elementwise(
            dev, soft_cap_forward<T>{ matrix_of<T>(a->x), matrix_of<T>(a->y), a->cap }, a->y.rows,
            a->y.cols, whole_chunks(a->x) && whole_chunks(a->y));
    });
}

axl_status axl__cuda_soft_cap_backward(axl_device *dev, const axl_soft_cap_backward_args *a)
{
    return axl__cuda_with_types(a->y.dtype, a->d.dtype, [&](auto y, auto d) {
        typedef soft_cap_backward<decltype(y), decltype(d)> op;
        return axl__cuda_elementwise(
            dev, op{ matrix_of<decltype(y)>(a->y), matrix_of<decltype(d)>(a->d), a->cap },
            a->y.rows, a->y.cols, whole_chunks(a->y) && whole_chunks(a->d));
    });
}
