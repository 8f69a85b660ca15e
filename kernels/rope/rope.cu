/* SPDX-License-Identifier: Apache-2.0 */
/* rope.cu - see rope.h.  Bound by the bytes of x: a thread has the same pairs of all heads of a
 * token, so that it reads their angles once. */
#include "kernels/cuda/elementwise_cuda.h"

#include "rope.h"

/* A row's columns are the pairs of one head. */
template <class T> struct rope_op {
    matrix<T> x;
    const int32_t *positions;
    const float *cosines, *sines;
    int64_t n_heads, half, head_dim;
    float sign;

    template <int N> __device__ void run(int64_t row, int64_t i) const
    {
        int64_t angle = positions[row] * half + i;
        chunk<N> c = load_chunk<N>(cosines + angle), s = load_chunk<N>(sines + angle);

        for (int64_t h = 0; h < n_heads; h++) {
            int64_t first = h * head_dim + i;
            chunk<N> a = x.template load<N>(row, first), b = x.template load<N>(row, first + half);
            for (int k = 0; k < N; k++) {
                float a0 = a.v[k], b0 = b.v[k], sine = sign * s.v[k];
                a.v[k] = a0 * c.v[k] - b0 * sine;
                b.v[k] = b0 * c.v[k] + a0 * sine;
            }
            x.store(row, first, a);
            x.store(row, first + half, b);
        }
    }
};

axl_status axl__cuda_rope(axl_device *dev, const axl_rope_args *a)
{
    int64_t half = a->rotary_dim / 2;
    bool chunks = whole_chunks(a->x) && half % CHUNK == 0 && a->head_dim % CHUNK == 0 &&
                  whole_chunks(a->cos, sizeof *a->cos) && whole_chunks(a->sin, sizeof *a->sin);

    return axl__cuda_with_type(a->x.dtype, [&](auto t) {
        typedef decltype(t) T;
        rope_op<T> op = {
            matrix_of<T>(a->x), a->positions, a->cos,      a->sin,
            a->n_heads,         half,         a->head_dim, a->inverse ? -1.0f : 1.0f
        };
        return axl__cuda_elementwise(dev, op, a->x.rows, half, chunks);
    });
}
