/* SPDX-License-Identifier: Apache-2.0 */
/* ademamix.cu - see ademamix.h.  Bound by memory: five reads and four writes of f32. */
#include "kernels/cuda/optimizer_cuda.h"

struct ademamix_step {
    float *p, *m, *slow, *v;
    const float *g;
    float grad_scale, keep, beta1, beta2, beta3, rest1, rest2, rest3; /* rest = 1 - beta */
    float correction1, correction2, alpha, eps, lr;

    template <int N> __device__ void run(int64_t, int64_t at) const
    {
        chunk<N> cg = scaled_chunk<N>(g + at, grad_scale), cp = scaled_chunk<N>(p + at, keep);
        chunk<N> cm = scaled_chunk<N>(m + at, beta1), cs = scaled_chunk<N>(slow + at, beta3);
        chunk<N> cv = scaled_chunk<N>(v + at, beta2);

        for (int i = 0; i < N; i++) {
            cm.v[i] = fmaf(rest1, cg.v[i], cm.v[i]);
            cs.v[i] = fmaf(rest3, cg.v[i], cs.v[i]);
            cv.v[i] = fmaf(rest2 * cg.v[i], cg.v[i], cv.v[i]);
            float root = sqrtf(cv.v[i]) / correction2 + eps;
            float d = fmaf(alpha, cs.v[i], cm.v[i] / correction1);
            cp.v[i] = fmaf(d / root, -lr, cp.v[i]);
        }
        store_chunk(p + at, cp);
        store_chunk(m + at, cm);
        store_chunk(slow + at, cs);
        store_chunk(v + at, cv);
    }
};

axl_status axl__cuda_ademamix(axl_device *dev, const axl_ademamix_args *a)
{
    ademamix_step s = { a->p, a->m, a->slow, a->v, a->g };

    s.grad_scale = (float)a->grad_scale;
    s.keep = (float)(1.0 - a->lr * a->weight_decay);
    s.beta1 = (float)a->beta1;
    s.beta2 = (float)a->beta2;
    s.beta3 = (float)a->beta3;
    s.rest1 = (float)(1.0 - a->beta1);
    s.rest2 = (float)(1.0 - a->beta2);
    s.rest3 = (float)(1.0 - a->beta3);
    s.correction1 = (float)(1.0 - pow(a->beta1, (double)a->step));
    s.correction2 = (float)sqrt(1.0 - pow(a->beta2, (double)a->step));
    s.alpha = (float)a->alpha;
    s.eps = (float)a->eps;
    s.lr = (float)a->lr;
    return axl__cuda_step(dev, s, a->n, a->p, a->m, a->slow, a->v, a->g);
}
