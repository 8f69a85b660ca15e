/* SPDX-License-Identifier: Apache-2.0 */
/* dropout.cu - see dropout.h.  Bound by its bytes: a draw of four words costs some forty
 * instructions, which four elements share. */
#include "kernels/cuda/elementwise_cuda.h"

#include "dropout.h"

template <class T> struct dropout_op {
    matrix<T> x, y;
    int64_t cols;
    const uint64_t *seed;
    uint64_t threshold, stream, offset;
    float factor;
    bool add;

    template <int N> __device__ void run(int64_t row, int64_t col) const
    {
        chunk<N> v = x.template load<N>(row, col);
        drawn_words<N> drawn(*seed, stream, offset + (uint64_t)(row * cols + col));

        for (int i = 0; i < N; i++)
            v.v[i] = drawn.word[i] >= threshold ? v.v[i] * factor : 0.0f;
        if (add) {
            chunk<N> sum = y.template load<N>(row, col);
            for (int i = 0; i < N; i++)
                v.v[i] += sum.v[i];
        }
        y.store(row, col, v);
    }
};

axl_status axl__cuda_dropout(axl_device *dev, const axl_dropout_args *a)
{
    return axl__cuda_with_type(a->x.dtype, [&](auto t) {
        typedef decltype(t) T;
        dropout_op<T> op = { matrix_of<T>(a->x),
                             matrix_of<T>(a->y),
                             a->x.cols,
                             a->seed,
                             (uint64_t)llrint((double)a->p * 0x1p32),
                             a->stream,
                             a->offset,
                             (float)(1.0 / (1.0 - (double)a->p)),
                             a->add };
        return axl__cuda_elementwise(dev, op, a->x.rows, a->x.cols,
                                     whole_chunks(a->x) && whole_chunks(a->y));
    });
}
