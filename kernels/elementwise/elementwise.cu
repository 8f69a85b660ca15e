/* SPDX-License-Identifier: Apache-2.0 */
/* elementwise.cu - see elementwise.h.  Bound by its bytes. */
#include "kernels/cuda/elementwise_cuda.h"

#include "elementwise.h"

/* y = factor x, or y += factor x. */
template <class X, class Y, bool adds> struct scaled {
    matrix<X> x;
    matrix<Y> y;
    float factor;

    template <int N> __device__ void run(int64_t row, int64_t col) const
    {
        chunk<N> v = x.template load<N>(row, col);

        for (int i = 0; i < N; i++)
            v.v[i] *= factor;
        if (adds) {
            chunk<N> before = y.template load<N>(row, col);
            for (int i = 0; i < N; i++)
                v.v[i] += before.v[i];
        }
        y.store(row, col, v);
    }
};

template <bool adds>
static axl_status run_scaled(axl_device *dev, const axl_mat &x, const axl_mat &y, float factor)
{
    return axl__cuda_with_types(x.dtype, y.dtype, [&](auto of_x, auto of_y) {
        typedef scaled<decltype(of_x), decltype(of_y), adds> op;
        return axl__cuda_elementwise(
            dev, op{ matrix_of<decltype(of_x)>(x), matrix_of<decltype(of_y)>(y), factor }, y.rows,
            y.cols, whole_chunks(x) && whole_chunks(y));
    });
}

axl_status axl__cuda_convert(axl_device *dev, const axl_unary_args *a)
{
    return run_scaled<false>(dev, a->x, a->y, 1.0f);
}

axl_status axl__cuda_add(axl_device *dev, const axl_unary_args *a)
{
    return run_scaled<true>(dev, a->x, a->y, 1.0f);
}

axl_status axl__cuda_scale(axl_device *dev, const axl_scale_args *a)
{
    return run_scaled<false>(dev, a->x, a->y, a->factor);
}
