/* SPDX-License-Identifier: Apache-2.0 */
/* cross_entropy.cu - see cross_entropy.h.  Bound by the bytes of the logits, which are read twice:
 * a block has a row, takes maximum and sum in one pass, and makes the gradient in a second. */
#include "kernels/cuda/cuda_kernel.h"

#include "cross_entropy.h"

#include <float.h>

enum { LOSS_THREADS = 512 };

/* max_v x_v and sum_v exp(x_v - max) of what was seen.  The maximum begins at the least number, so
 * that a -inf adds 0 where nothing else was seen yet, as later on. */
struct softmax_part {
    float max, sum;
};

__device__ __forceinline__ softmax_part joined(softmax_part a, softmax_part b)
{
    float max = fmaxf(a.max, b.max);

    return { max, a.sum * expf(a.max - max) + b.sum * expf(b.max - max) };
}

/* One exponential an element while the maximum stays.  A NaN gets into the sum alone. */
template <int N> __device__ __forceinline__ void see(softmax_part &p, const chunk<N> &x)
{
    float top = x.v[0], sum = 0.0f;

    for (int i = 1; i < N; i++)
        top = fmaxf(top, x.v[i]);
    if (top > p.max) {
        p.sum *= expf(p.max - top);
        p.max = top;
    }
    for (int i = 0; i < N; i++)
        sum += expf(x.v[i] - p.max);
    p.sum += sum;
}

__device__ __forceinline__ softmax_part block_joined(softmax_part p, softmax_part *room)
{
    unsigned warp = threadIdx.x / WARP_SIZE;

    for (int step = WARP_SIZE / 2; step > 0; step /= 2) {
        softmax_part other = { __shfl_xor_sync(0xFFFFFFFFu, p.max, step),
                               __shfl_xor_sync(0xFFFFFFFFu, p.sum, step) };
        p = joined(p, other);
    }
    if (threadIdx.x % WARP_SIZE == 0)
        room[warp] = p;
    __syncthreads();
    p = room[0];
    for (unsigned i = 1; i < LOSS_THREADS / WARP_SIZE; i++)
        p = joined(p, room[i]);
    return p;
}

struct loss_args {
    matrix<float> logits;
    int64_t cols;
    const int32_t *targets;
    float *losses;
    const float *scales;
    float scale, smoothing, soft_cap;
    bool gradient;
};

/* The gradient of a row, in stretches that all threads have read before one is written: it may lie
 * over these logits, and be narrower. */
template <int N, class D>
__device__ __forceinline__ void loss_gradient(const loss_args &a, const matrix<D> &dlogits,
                                              int64_t row, softmax_part p)
{
    int64_t target = a.targets[row];
    float scale = a.scales ? a.scale * a.scales[row] : a.scale;
    float spread = a.smoothing / (float)a.cols, inverse = 1.0f / p.sum;

    for (int64_t first = 0; first < a.cols; first += LOSS_THREADS * N) {
        int64_t v = first + threadIdx.x * N;
        chunk<N> x = {};
        if (v < a.cols)
            x = a.logits.template load<N>(row, v);
        for (int i = 0; i < N; i++) {
            float wanted = (v + i == target ? 1.0f - a.smoothing : 0.0f) + spread;
            float slope =
                a.soft_cap > 0.0f ? 1.0f - x.v[i] / a.soft_cap * (x.v[i] / a.soft_cap) : 1.0f;
            x.v[i] = scale * (expf(x.v[i] - p.max) * inverse - wanted) * slope;
        }
        __syncthreads();
        if (v < a.cols)
            dlogits.store(row, v, x);
    }
}

/* N divides cols. */
template <int N, class D>
__global__ void __launch_bounds__(LOSS_THREADS) cross_entropy(const loss_args a, matrix<D> dlogits)
{
    struct room {
        softmax_part parts[LOSS_THREADS / WARP_SIZE];
        double sums[LOSS_THREADS / WARP_SIZE];
    } *shared = shared_memory<room>();
    int64_t row = blockIdx.x;
    softmax_part p = { -FLT_MAX, 0.0f };
    float at_target = *a.logits.at(row, a.targets[row]);
    double all = 0.0;

    for (int64_t v = threadIdx.x * N; v < a.cols; v += LOSS_THREADS * N) {
        chunk<N> x = a.logits.template load<N>(row, v);
        see(p, x);
        for (int i = 0; a.smoothing > 0.0f && i < N; i++)
            all += x.v[i];
    }
    p = block_joined(p, shared->parts);
    double mean = a.smoothing > 0.0f ? block_sum(all, shared->sums) / (double)a.cols : 0.0;
    if (threadIdx.x == 0)
        a.losses[row] = (float)((double)p.max + log((double)p.sum) - at_target +
                                (a.smoothing > 0.0f ? a.smoothing * (at_target - mean) : 0.0));
    if (a.gradient)
        loss_gradient<N>(a, dlogits, row, p);
}

axl_status axl__cuda_cross_entropy(axl_device *dev, const axl_cross_entropy_args *a)
{
    size_t shared = LOSS_THREADS / WARP_SIZE * (sizeof(softmax_part) + sizeof(double));
    bool chunks = whole_chunks(a->logits) && a->logits.cols % CHUNK == 0 &&
                  (!a->dlogits.data || whole_chunks(a->dlogits));
    loss_args l = { matrix_of<float>(a->logits), a->logits.cols, a->targets, a->losses };

    if (a->logits.rows == 0)
        return AXL_OK;
    l.scales = a->scales;
    l.scale = a->scale;
    l.smoothing = a->smoothing;
    l.soft_cap = a->soft_cap;
    l.gradient = a->dlogits.data != NULL;
    return axl__cuda_with_type(a->dlogits.dtype, [&](auto t) {
        typedef decltype(t) D;
        return axl__cuda_launch(dev, chunks ? cross_entropy<CHUNK, D> : cross_entropy<1, D>,
                                dim3((unsigned)a->logits.rows), dim3(LOSS_THREADS), shared, l,
                                matrix_of<D>(a->dlogits));
    });
}
