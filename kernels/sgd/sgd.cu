/* SPDX-License-Identifier: Apache-2.0 */
/* sgd.cu - see sgd.h.  Bound by memory: two reads and a write of f32, with momentum three and
 * two. */
#include "kernels/cuda/optimizer_cuda.h"

struct sgd_step {
    float *p, *m;
    const float *g;
    bool has_momentum, first, nesterov;
    float grad_scale, weight_decay, momentum, one_minus_dampening, lr;

    /* From the gradient to the direction. */
    template <int N> __device__ __forceinline__ void smooth(chunk<N> &grad, int64_t at) const
    {
        chunk<N> c = grad;

        if (!first) {
            c = scaled_chunk<N>(m + at, momentum);
            for (int i = 0; i < N; i++)
                c.v[i] = fmaf(one_minus_dampening, grad.v[i], c.v[i]);
        }
        store_chunk(m + at, c);
        for (int i = 0; i < N; i++)
            grad.v[i] = nesterov ? fmaf(momentum, c.v[i], grad.v[i]) : c.v[i];
    }
    template <int N> __device__ void run(int64_t, int64_t at) const
    {
        chunk<N> cp = load_chunk<N>(p + at), cg = scaled_chunk<N>(g + at, grad_scale);

        for (int i = 0; i < N; i++)
            cg.v[i] = fmaf(weight_decay, cp.v[i], cg.v[i]);
        if (has_momentum)
            smooth(cg, at);
        for (int i = 0; i < N; i++)
            cp.v[i] = fmaf(cg.v[i], -lr, cp.v[i]);
        store_chunk(p + at, cp);
    }
};

axl_status axl__cuda_sgd(axl_device *dev, const axl_sgd_args *a)
{
    sgd_step s = { a->p, a->m, a->g, a->momentum > 0.0, a->step == 1, a->nesterov };

    s.grad_scale = (float)a->grad_scale;
    s.weight_decay = (float)a->weight_decay;
    s.momentum = (float)a->momentum;
    s.one_minus_dampening = (float)(1.0 - a->dampening);
    s.lr = (float)a->lr;
    return axl__cuda_step(dev, s, a->n, a->p, s.has_momentum ? a->m : NULL, a->g);
}
