/* SPDX-License-Identifier: Apache-2.0 */
/* muon.cu - see muon.h.  Each piece is one pass and bound by memory. */
#include "kernels/cuda/optimizer_cuda.h"

struct muon_momentum_step {
    float *m, *x;
    const float *g;
    bool nesterov;
    float momentum, grad_scale;

    template <int N> __device__ void run(int64_t, int64_t at) const
    {
        chunk<N> cm = load_chunk<N>(m + at), cx = scaled_chunk<N>(g + at, grad_scale);

        for (int i = 0; i < N; i++) {
            cm.v[i] = fmaf(cm.v[i], momentum, cx.v[i]);
            cx.v[i] = nesterov ? fmaf(momentum, cm.v[i], cx.v[i]) : cm.v[i];
        }
        store_chunk(m + at, cm);
        store_chunk(x + at, cx);
    }
};

/* Each thread takes the root by itself: the sum is known to the device alone. */
struct muon_normalize_step {
    float *x;
    const double *sum_squares;
    double eps;

    template <int N> __device__ void run(int64_t, int64_t at) const
    {
        float factor = (float)(1.0 / (sqrt(*sum_squares) + eps));

        store_chunk(x + at, scaled_chunk<N>(x + at, factor));
    }
};

struct muon_scale_step {
    const float *x;
    float *y, factor;

    template <int N> __device__ void run(int64_t, int64_t at) const
    {
        store_chunk(y + at, scaled_chunk<N>(x + at, factor));
    }
};

axl_status axl__cuda_muon_momentum(axl_device *dev, const axl_muon_momentum_args *a)
{
    muon_momentum_step s = {
        a->m, a->x, a->g, a->nesterov, (float)a->momentum, (float)a->grad_scale
    };

    return axl__cuda_step(dev, s, a->n, a->m, a->x, a->g);
}

axl_status axl__cuda_muon_normalize(axl_device *dev, const axl_muon_normalize_args *a)
{
    muon_normalize_step s = { a->x, a->sum_squares, a->eps };

    return axl__cuda_step(dev, s, a->n, a->x);
}

axl_status axl__cuda_muon_scale(axl_device *dev, const axl_muon_scale_args *a)
{
    muon_scale_step s = { a->x, a->y, (float)a->factor };

    return axl__cuda_step(dev, s, a->n, a->x, a->y);
}
