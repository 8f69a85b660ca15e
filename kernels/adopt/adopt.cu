/* SPDX-License-Identifier: Apache-2.0 */
/* adopt.cu - see adopt.h.  Bound by memory: four reads and three writes of f32. */
#include "kernels/cuda/optimizer_cuda.h"

struct adopt_first {
    float *v;
    const float *g;
    float grad_scale;

    template <int N> __device__ void run(int64_t, int64_t at) const
    {
        chunk<N> c = scaled_chunk<N>(g + at, grad_scale);

        for (int i = 0; i < N; i++)
            c.v[i] *= c.v[i];
        store_chunk(v + at, c);
    }
};

struct adopt_step {
    float *p, *m, *v;
    const float *g;
    float grad_scale, keep, one_minus_beta1, beta2, one_minus_beta2, eps, limit, lr;

    /* In comparisons, which a NaN passes: fmaxf and fminf would drop it. */
    __device__ __forceinline__ float direction(float grad, float square) const
    {
        float root = sqrtf(square), d = grad / (root < eps ? eps : root);

        d = d < -limit ? -limit : d;
        return d > limit ? limit : d;
    }
    template <int N> __device__ void run(int64_t, int64_t at) const
    {
        chunk<N> cp = load_chunk<N>(p + at), cm = load_chunk<N>(m + at);
        chunk<N> cv = load_chunk<N>(v + at), cg = scaled_chunk<N>(g + at, grad_scale);

        for (int i = 0; i < N; i++) {
            float d = direction(cg.v[i], cv.v[i]);
            cm.v[i] = fmaf(one_minus_beta1, d - cm.v[i], cm.v[i]);
            cp.v[i] = fmaf(cm.v[i], -lr, cp.v[i] * keep);
            cv.v[i] = fmaf(one_minus_beta2 * cg.v[i], cg.v[i], cv.v[i] * beta2);
        }
        store_chunk(p + at, cp);
        store_chunk(m + at, cm);
        store_chunk(v + at, cv);
    }
};

axl_status axl__cuda_adopt(axl_device *dev, const axl_adopt_args *a)
{
    adopt_step s = { a->p, a->m, a->v, a->g };

    if (a->step == 1)
        return axl__cuda_step(dev, adopt_first{ a->v, a->g, (float)a->grad_scale }, a->n, a->v,
                              a->g);
    s.grad_scale = (float)a->grad_scale;
    s.keep = (float)(1.0 - a->lr * a->weight_decay);
    s.one_minus_beta1 = (float)(1.0 - a->beta1);
    s.beta2 = (float)a->beta2;
    s.one_minus_beta2 = (float)(1.0 - a->beta2);
    s.eps = (float)a->eps;
    s.limit = (float)pow((double)a->step - 1.0, 0.25);
    s.lr = (float)a->lr;
    return axl__cuda_step(dev, s, a->n, a->p, a->m, a->v, a->g);
}
