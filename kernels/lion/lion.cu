/* SPDX-License-Identifier: Apache-2.0 */
/* lion.cu - see lion.h.  Bound by memory: three reads and two writes of f32. */
#include "kernels/cuda/optimizer_cuda.h"

struct lion_step {
    float *p, *m;
    const float *g;
    float grad_scale, keep, beta1, rest1, beta2, rest2, lr; /* rest = 1 - beta */

    template <int N> __device__ void run(int64_t, int64_t at) const
    {
        chunk<N> cp = load_chunk<N>(p + at), cm = load_chunk<N>(m + at);
        chunk<N> cg = scaled_chunk<N>(g + at, grad_scale);

        for (int i = 0; i < N; i++) {
            float c = cm.v[i] * beta1 + cg.v[i] * rest1;
            cp.v[i] = fmaf((float)((c > 0.0f) - (c < 0.0f)), -lr, cp.v[i] * keep);
            cm.v[i] = fmaf(rest2, cg.v[i], cm.v[i] * beta2);
        }
        store_chunk(p + at, cp);
        store_chunk(m + at, cm);
    }
};

axl_status axl__cuda_lion(axl_device *dev, const axl_lion_args *a)
{
    lion_step s = { a->p, a->m, a->g };

    s.grad_scale = (float)a->grad_scale;
    s.keep = (float)(1.0 - a->lr * a->weight_decay);
    s.beta1 = (float)a->beta1;
    s.rest1 = (float)(1.0 - a->beta1);
    s.beta2 = (float)a->beta2;
    s.rest2 = (float)(1.0 - a->beta2);
    s.lr = (float)a->lr;
    return axl__cuda_step(dev, s, a->n, a->p, a->m, a->g);
}
