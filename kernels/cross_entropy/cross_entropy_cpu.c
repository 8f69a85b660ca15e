/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cross_entropy_cpu.c - the loss of the next token, a task for each row or few.  A row is read for
 * its maximum, for its sum and for its gradient; of these the first comes from memory (V = 256k of
 * f32 is 1 MiB, which a second-level cache holds) and the others are bound by vf_exp.  Sums in f32
 * over SUM_SPAN logits and in double beyond.
 */
#include "kernels/cross_entropy/cross_entropy.h"

#include "kernels/cpu/span_cpu.h"

#include <math.h>

enum { N_LANES = 4, SUM_SPAN = 1024 }; /* SUM_SPAN a multiple of N_LANES vectors */

/* A NaN may be lost here: the sum has it. */
static float row_max(const float *x, int64_t n)
{
    vf max[N_LANES];
    int64_t i = 0;
    float m;

    for (int k = 0; k < N_LANES; k++)
        max[k] = vf_set1(-INFINITY);
    for (; i + N_LANES * VF_N <= n; i += N_LANES * VF_N) {
        AXL_UNROLL
        for (int k = 0; k < N_LANES; k++)
            max[k] = vf_max(max[k], vf_load(x + i + k * VF_N));
    }
    m = vf_hmax(vf_max(vf_max(max[0], max[1]), vf_max(max[2], max[3])));
    for (; i < n; i++)
        m = x[i] > m ? x[i] : m;
    return m;
}

/* sum_v exp(x[v] - max) */
static double row_sum(const float *x, int64_t n, float max)
{
    vf m = vf_set1(max);
    double total = 0.0;

    for (int64_t begin = 0; begin < n; begin += SUM_SPAN) {
        int64_t i = begin, end = axl_min(begin + SUM_SPAN, n);
        vf sum[N_LANES] = { vf_zero(), vf_zero(), vf_zero(), vf_zero() };

        for (; i + N_LANES * VF_N <= end; i += N_LANES * VF_N) {
            AXL_UNROLL
            for (int k = 0; k < N_LANES; k++)
                sum[k] = vf_add(sum[k], vf_exp(vf_sub(vf_load(x + i + k * VF_N), m)));
        }
        total += vf_sum(vf_add(vf_add(sum[0], sum[1]), vf_add(sum[2], sum[3])));
        for (; i < end; i += VF_N) {
            float p[VF_N];
            int64_t left = axl_min(end - i, VF_N);

            vf_store(p, vf_exp(vf_sub(vf_load_n(x + i, left), m)));
            for (int64_t k = 0; k < left; k++)
                total += p[k];
        }
    }
    return total;
}

/* mean_v(x[v]) */
static double row_mean(const float *x, int64_t n)
{
    double total = 0.0;

    for (int64_t begin = 0; begin < n; begin += SUM_SPAN) {
        int64_t i = begin, end = axl_min(begin + SUM_SPAN, n);
        vf sum = vf_zero();

        for (; i + VF_N <= end; i += VF_N)
            sum = vf_add(sum, vf_load(x + i));
        total += vf_sum(sum);
        for (; i < end; i++)
            total += x[i];
    }
    return total / (double)n;
}

/* dx[v] = factor exp(x[v] - max) - less, upwards, for dx may lie over x. */
AXL_INLINE void row_gradient(void *dx, axl_dtype type, const float *x, int64_t n, float max,
                             float factor, float less)
{
    vf m = vf_set1(max), f = vf_set1(factor), l = vf_set1(less);
    int64_t i = 0;

    for (; i + VF_N <= n; i += VF_N)
        vf_store_t(dx, type, i, vf_sub(vf_mul(f, vf_exp(vf_sub(vf_load(x + i), m))), l));
    if (i < n)
        vf_store_t_n(dx, type, i, vf_sub(vf_mul(f, vf_exp(vf_sub(vf_load_n(x + i, n - i), m))), l),
                     n - i);
}

static void loss_tile(const void *args, axl_tile t)
{
    const axl_cross_entropy_args *a = args;
    int64_t n = a->logits.cols;
    double e = a->smoothing;

    for (int64_t i = t.row; i < t.row_end; i++) {
        const float *x = (const float *)a->logits.data + i * a->logits.stride;
        float max = row_max(x, n);
        double sum = row_sum(x, n, max), target = x[a->targets[i]];

        double smoothed = e > 0.0 ? e * (target - row_mean(x, n)) : 0.0;
        a->losses[i] = (float)(max - target + log(sum) + smoothed);
        if (!a->dlogits.data)
            continue;
        axl_dtype type = a->dlogits.dtype;
        void *dx = axl_at_mut(a->dlogits.data, type, i * a->dlogits.stride);
        double scale = a->scales ? (double)a->scale * a->scales[i] : a->scale;
        double less = scale * e / (double)n;
        double at_target = scale * (exp(target - max) / sum - (1.0 - e)) - less;

        if (type == AXL_F32)
            row_gradient(dx, AXL_F32, x, n, max, (float)(scale / sum), (float)less);
        else
            row_gradient(dx, AXL_BF16, x, n, max, (float)(scale / sum), (float)less);
        vf_store_t_n(dx, type, a->targets[i], vf_set1((float)at_target), 1);
    }
}

axl_status AXL_ISA_NAME(cross_entropy)(axl_device *dev, const axl_cross_entropy_args *a)
{
    axl_tiles_run(dev, a->logits.rows, a->logits.cols, true, loss_tile, a);
    return AXL_OK;
}
