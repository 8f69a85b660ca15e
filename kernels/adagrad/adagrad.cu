/* SPDX-License-Identifier: Apache-2.0 */
/* adagrad.cu - see adagrad.h.  Bound by memory: three reads and two writes of f32. */
#include "kernels/cuda/optimizer_cuda.h"

struct adagrad_step {
    float *p, *v;
    const float *g;
    float grad_scale, weight_decay, eps, lr;

    template <int N> __device__ void run(int64_t, int64_t at) const
    {
        chunk<N> cp = load_chunk<N>(p + at), cv = load_chunk<N>(v + at);
        chunk<N> cg = scaled_chunk<N>(g + at, grad_scale);

        for (int i = 0; i < N; i++) {
            float d = fmaf(weight_decay, cp.v[i], cg.v[i]);
            cv.v[i] = fmaf(d, d, cv.v[i]);
            cp.v[i] -= lr * d / (sqrtf(cv.v[i]) + eps);
        }
        store_chunk(v + at, cv);
        store_chunk(p + at, cp);
    }
};

axl_status axl__cuda_adagrad(axl_device *dev, const axl_adagrad_args *a)
{
    adagrad_step s = {
        a->p, a->v, a->g, (float)a->grad_scale, (float)a->weight_decay, (float)a->eps, (float)a->lr
    };

    return axl__cuda_step(dev, s, a->n, a->p, a->v, a->g);
}
