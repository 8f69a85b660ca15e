/* SPDX-License-Identifier: Apache-2.0 */
/* noise.cu - see noise.h. */
#include "kernels/cuda/elementwise_cuda.h"

#include "noise.h"

template <class T> struct noise_op {
    matrix<T> x;
    int64_t cols;
    const uint64_t *seed;
    uint64_t stream, offset;
    float scale;

    template <int N> __device__ void run(int64_t row, int64_t col) const
    {
        chunk<N> v = x.template load<N>(row, col);
        drawn_words<N> drawn(*seed, stream, offset + (uint64_t)(row * cols + col));

        for (int i = 0; i < N; i++)
            v.v[i] += scale * ((float)drawn.word[i] * 0x1p-31f - 1.0f);
        x.store(row, col, v);
    }
};

axl_status axl__cuda_noise(axl_device *dev, const axl_noise_args *a)
{
    return axl__cuda_with_type(a->x.dtype, [&](auto t) {
        typedef decltype(t) T;
        noise_op<T> op = { matrix_of<T>(a->x), a->x.cols, a->seed, a->stream, a->offset, a->scale };
        return axl__cuda_elementwise(dev, op, a->x.rows, a->x.cols, whole_chunks(a->x));
    });
}
