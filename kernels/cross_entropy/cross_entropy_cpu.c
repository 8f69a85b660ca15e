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

/* What the gradients of a row are made with; over_cap 1 / soft_cap, or 0 for none. */
struct factors {
    float max, factor, less, over_cap;
};

/* The slope of the cap where it gave y. */
AXL_INLINE vf slope_at(vf y, float over_cap)
{
    vf t = vf_mul(y, vf_set1(over_cap));

    return vf_sub(vf_set1(1.0f), vf_mul(t, t));
}

/* (factor exp(x - max) - less) times the slope */
AXL_INLINE vf gradient(vf x, const struct factors *f, bool capped)
{
    vf d = vf_sub(vf_mul(vf_set1(f->factor), vf_exp(vf_sub(x, vf_set1(f->max)))), vf_set1(f->less));

    return capped ? vf_mul(d, slope_at(x, f->over_cap)) : d;
}

/* Upwards, for dx may lie over x. */
AXL_INLINE void row_gradient_as(void *dx, axl_dtype type, bool capped, const float *x, int64_t n,
                                const struct factors *factors)
{
    const struct factors f = *factors; /* where stores cannot reach it */
    int64_t i = 0;

    for (; i + VF_N <= n; i += VF_N)
        vf_store_t(dx, type, i, gradient(vf_load(x + i), &f, capped));
    if (i < n)
        vf_store_t_n(dx, type, i, gradient(vf_load_n(x + i, n - i), &f, capped), n - i);
}

static void row_gradient(void *dx, axl_dtype type, const float *x, int64_t n,
                         const struct factors *f)
{
    if (f->over_cap > 0.0f && type == AXL_F32)
        row_gradient_as(dx, AXL_F32, true, x, n, f);
    else if (f->over_cap > 0.0f)
        row_gradient_as(dx, AXL_BF16, true, x, n, f);
    else if (type == AXL_F32)
        row_gradient_as(dx, AXL_F32, false, x, n, f);
    else
        row_gradient_as(dx, AXL_BF16, false, x, n, f);
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
        struct factors f = { max, (float)(scale / sum), (float)less, 0.0f };

        if (a->soft_cap > 0.0f) {
            f.over_cap = 1.0f / a->soft_cap;
            at_target *= 1.0 - target / a->soft_cap * (target / a->soft_cap);
        }
        row_gradient(dx, type, x, n, &f);
        vf_store_t_n(dx, type, a->targets[i], vf_set1((float)at_target), 1);
    }
}

axl_status AXL_ISA_NAME(cross_entropy)(axl_device *dev, const axl_cross_entropy_args *a)
{
    axl_tiles_run(dev, a->logits.rows, a->logits.cols, true, loss_tile, a);
    return AXL_OK;
}
