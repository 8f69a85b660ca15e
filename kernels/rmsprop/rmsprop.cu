/* SPDX-License-Identifier: Apache-2.0 */
/* rmsprop.cu - see rmsprop.h.  Bound by memory: three to five reads and two to four writes. */
#include "kernels/cuda/optimizer_cuda.h"

struct rmsprop_step {
    float *p, *v, *mean, *m;
    const float *g;
    float grad_scale, weight_decay, alpha, one_minus_alpha, momentum, eps, lr;

    /* From v to v - mean^2, where a NaN stays one. */
    template <int N>
    __device__ __forceinline__ void centre(chunk<N> &spread, const chunk<N> &grad, int64_t at) const
    {
        chunk<N> c = load_chunk<N>(mean + at);

        for (int i = 0; i < N; i++) {
            c.v[i] = fmaf(one_minus_alpha, grad.v[i] - c.v[i], c.v[i]);
            float d = spread.v[i] - c.v[i] * c.v[i];
            spread.v[i] = d < 0.0f ? 0.0f : d;
        }
        store_chunk(mean + at, c);
    }
    template <int N> __device__ void run(int64_t, int64_t at) const
    {
        chunk<N> cp = load_chunk<N>(p + at), cg = scaled_chunk<N>(g + at, grad_scale);
        chunk<N> cv = scaled_chunk<N>(v + at, alpha);

        for (int i = 0; i < N; i++) {
            cg.v[i] = fmaf(weight_decay, cp.v[i], cg.v[i]);
            cv.v[i] = fmaf(one_minus_alpha * cg.v[i], cg.v[i], cv.v[i]);
        }
        store_chunk(v + at, cv);
        if (mean)
            centre(cv, cg, at);
        for (int i = 0; i < N; i++)
            cg.v[i] /= sqrtf(cv.v[i]) + eps;
        if (m) {
            chunk<N> before = load_chunk<N>(m + at);
            for (int i = 0; i < N; i++)
                cg.v[i] = fmaf(before.v[i], momentum, cg.v[i]);
            store_chunk(m + at, cg);
        }
        for (int i = 0; i < N; i++)
            cp.v[i] = fmaf(cg.v[i], -lr, cp.v[i]);
        store_chunk(p + at, cp);
    }
};

axl_status axl__cuda_rmsprop(axl_device *dev, const axl_rmsprop_args *a)
{
    rmsprop_step s = { a->p, a->v, a->mean, a->m, a->g };

    s.grad_scale = (float)a->grad_scale;
    s.weight_decay = (float)a->weight_decay;
    s.alpha = (float)a->alpha;
    s.one_minus_alpha = (float)(1.0 - a->alpha);
    s.momentum = (float)a->momentum;
    s.eps = (float)a->eps;
    s.lr = (float)a->lr;
    return axl__cuda_step(dev, s, a->n, a->p, a->v, a->mean, a->m, a->g);
}
