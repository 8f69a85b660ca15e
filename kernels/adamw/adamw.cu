/* SPDX-License-Identifier: Apache-2.0 */
/* adamw.cu - see adamw.h.  Bound by memory: four reads and three writes of f32. */
#include "kernels/cuda/optimizer_cuda.h"

struct adamw_step {
    float *p, *m, *v;
    const float *g;
    float grad_scale, keep, one_minus_beta1, beta2, one_minus_beta2, correction, eps, step_size;

    template <int N> __device__ void run(int64_t, int64_t at) const
    {
        chunk<N> cp = load_chunk<N>(p + at), cm = load_chunk<N>(m + at);
        chunk<N> cv = scaled_chunk<N>(v + at, beta2), cg = scaled_chunk<N>(g + at, grad_scale);

        for (int i = 0; i < N; i++) {
            cm.v[i] = fmaf(one_minus_beta1, cg.v[i] - cm.v[i], cm.v[i]);
            cv.v[i] = fmaf(cg.v[i] * cg.v[i], one_minus_beta2, cv.v[i]);
            float root = sqrtf(cv.v[i]) / correction + eps;
            cp.v[i] = fmaf(cm.v[i] / root, -step_size, cp.v[i] * keep);
        }
        store_chunk(p + at, cp);
        store_chunk(m + at, cm);
        store_chunk(v + at, cv);
    }
};

axl_status axl__cuda_adamw(axl_device *dev, const axl_adamw_args *a)
{
    double correction1 = 1.0 - pow(a->beta1, (double)a->step);
    double correction2 = sqrt(1.0 - pow(a->beta2, (double)a->step));
    adamw_step s = { a->p, a->m, a->v, a->g };

    s.grad_scale = (float)a->grad_scale;
    s.keep = (float)(1.0 - a->lr * a->weight_decay);
    s.one_minus_beta1 = (float)(1.0 - a->beta1);
    s.beta2 = (float)a->beta2;
    s.one_minus_beta2 = (float)(1.0 - a->beta2);
    s.correction = (float)correction2;
    s.eps = (float)a->eps;
    s.step_size = (float)(a->lr / correction1);
    return axl__cuda_step(dev, s, a->n, a->p, a->m, a->v, a->g);
}
