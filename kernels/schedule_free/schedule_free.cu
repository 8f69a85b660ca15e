/* SPDX-License-Identifier: Apache-2.0 */
/* schedule_free.cu - see schedule_free.h.  Bound by memory: four reads of f32, four writes. */
#include "kernels/cuda/optimizer_cuda.h"

struct schedule_free_step {
    float *x, *y, *z, *v;
    const float *g;
    float grad_scale, weight_decay, beta2, one_minus_beta2, correction, eps;
    float share, rest_share, to_x, y_step, lr; /* rest_share = 1 - share */

    template <int N>
    __device__ __forceinline__ void divide_by_root(chunk<N> &grad, int64_t at) const
    {
        chunk<N> c = scaled_chunk<N>(v + at, beta2);

        for (int i = 0; i < N; i++) {
            c.v[i] = fmaf(one_minus_beta2 * grad.v[i], grad.v[i], c.v[i]);
            grad.v[i] /= sqrtf(c.v[i] / correction) + eps;
        }
        store_chunk(v + at, c);
    }
    /* From whichever end is nearer, as torch.lerp. */
    __device__ __forceinline__ float on_the_way(float from, float to) const
    {
        float way = to - from;

        return share < 0.5f ? fmaf(share, way, from) : fmaf(-rest_share, way, to);
    }
    template <int N> __device__ void run(int64_t, int64_t at) const
    {
        chunk<N> cg = scaled_chunk<N>(g + at, grad_scale), cx;
        chunk<N> cy = load_chunk<N>(y + at), cz = load_chunk<N>(z + at);

        if (v)
            divide_by_root(cg, at);
        for (int i = 0; i < N; i++) {
            float d = fmaf(weight_decay, cy.v[i], cg.v[i]);
            cy.v[i] = fmaf(d, y_step, on_the_way(cy.v[i], cz.v[i]));
            cz.v[i] = fmaf(d, -lr, cz.v[i]);
            cx.v[i] = fmaf(to_x, cz.v[i] - cy.v[i], cy.v[i]);
        }
        store_chunk(y + at, cy);
        store_chunk(z + at, cz);
        store_chunk(x + at, cx);
    }
};

axl_status axl__cuda_schedule_free(axl_device *dev, const axl_schedule_free_args *a)
{
    schedule_free_step s = { a->x, a->y, a->z, a->v, a->g };

    s.grad_scale = (float)a->grad_scale;
    s.weight_decay = (float)a->weight_decay;
    s.beta2 = (float)a->beta2;
    s.one_minus_beta2 = (float)(1.0 - a->beta2);
    s.correction = (float)(1.0 - pow(a->beta2, (double)a->step));
    s.eps = (float)a->eps;
    s.share = (float)a->share;
    s.rest_share = (float)(1.0 - a->share);
    s.to_x = (float)(1.0 - 1.0 / a->beta1);
    s.y_step = (float)(a->lr * (a->beta1 * (1.0 - a->share) - 1.0));
    s.lr = (float)a->lr;
    return axl__cuda_step(dev, s, a->n, a->x, a->y, a->z, a->v, a->g);
}
