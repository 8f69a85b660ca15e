/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rms_norm_cpu.c - RMSNorm, bound by memory: a row is read twice, the second time from a cache
 * (C = 8192 of f32 is 32 KiB).  Sums are taken in f32 over SUM_SPAN elements and in double beyond.
 */
#include "kernels/rms_norm/rms_norm.h"

#include "kernels/cpu/span_cpu.h"

#include <math.h>

enum { N_SUMS = 4, SUM_SPAN = 1024 }; /* SUM_SPAN a multiple of N_SUMS vectors */

/* One row and what it is multiplied with: x . (w dy), or x . x where w is NULL. */
struct row {
    const void *x, *w, *dy;
    axl_dtype x_type, w_type, dy_type;
    bool unit_offset;
    int64_t n;
};

AXL_INLINE vf weight(const struct row *r, int64_t i, int64_t n)
{
    vf w = axl_load(r->w, r->w_type, i, n);

    return r->unit_offset ? vf_add(w, vf_set1(1.0f)) : w;
}

AXL_INLINE vf product(const struct row *r, int64_t i, int64_t n, vf sum)
{
    vf x = axl_load(r->x, r->x_type, i, n), y = x;

    if (r->w)
        y = vf_mul(weight(r, i, n), axl_load(r->dy, r->dy_type, i, n));
    return vf_fma(x, y, sum);
}

AXL_INLINE double sum_of_products(const struct row *r)
{
    double total = 0.0;

    for (int64_t begin = 0; begin < r->n; begin += SUM_SPAN) {
        int64_t i = begin, end = axl_min(begin + SUM_SPAN, r->n);
        vf sum[N_SUMS] = { vf_zero(), vf_zero(), vf_zero(), vf_zero() };

        for (; i + N_SUMS * VF_N <= end; i += N_SUMS * VF_N) {
            AXL_UNROLL
            for (int k = 0; k < N_SUMS; k++)
                sum[k] = product(r, i + k * VF_N, VF_N, sum[k]);
        }
        for (; i + VF_N <= end; i += VF_N)
            sum[0] = product(r, i, VF_N, sum[0]);
        if (i < end)
            sum[1] = product(r, i, end - i, sum[1]);
        total += vf_sum(vf_add(vf_add(sum[0], sum[1]), vf_add(sum[2], sum[3])));
    }
    return total;
}

/* ---- forward ---- */

AXL_INLINE void forward_lanes(const struct row *r, void *y, vf rstd, int64_t i, int64_t n)
{
    vf x = vf_mul(axl_load(r->x, r->x_type, i, n), rstd);

    axl_store(y, r->x_type, i, vf_mul(x, weight(r, i, n)), n);
}

static void forward_tile(const void *args, axl_tile t)
{
    const axl_rms_norm_args *a = args;
    struct row square = { .x_type = a->x.dtype, .n = a->x.cols };

    for (int64_t k = t.row; k < t.row_end; k++) {
        void *y = axl_at_mut(a->y.data, a->y.dtype, k * a->y.stride);
        int64_t i = 0;

        square.x = axl_at(a->x.data, a->x.dtype, k * a->x.stride);
        a->rstd[k] = (float)(1.0 / sqrt(sum_of_products(&square) / (double)square.n + a->eps));
        struct row r = square;
        r.w = a->w;
        r.w_type = a->w_dtype;
        r.unit_offset = a->unit_offset;
        for (; i + VF_N <= r.n; i += VF_N)
            forward_lanes(&r, y, vf_set1(a->rstd[k]), i, VF_N);
        if (i < r.n)
            forward_lanes(&r, y, vf_set1(a->rstd[k]), i, r.n - i);
    }
}

axl_status AXL_ISA_NAME(rms_norm_forward)(axl_device *dev, const axl_rms_norm_args *a)
{
    axl_tiles_run(dev, a->x.rows, a->x.cols, true, forward_tile, a);
    return AXL_OK;
}

/* ---- backward ---- */

/* dx += rstd w dy - x factor */
AXL_INLINE void backward_lanes(const struct row *r, void *dx, axl_dtype dx_type, vf rstd, vf factor,
                               int64_t i, int64_t n)
{
    vf wdy = vf_mul(weight(r, i, n), axl_load(r->dy, r->dy_type, i, n));
    vf grad = vf_sub(vf_mul(rstd, wdy), vf_mul(axl_load(r->x, r->x_type, i, n), factor));

    axl_store(dx, dx_type, i, vf_add(axl_load(dx, dx_type, i, n), grad), n);
}

static void backward_tile(const void *args, axl_tile t)
{
    const axl_rms_norm_backward_args *a = args;
    struct row r = { .w = a->w,
                     .x_type = a->x.dtype,
                     .w_type = a->w_dtype,
                     .dy_type = a->dy.dtype,
                     .unit_offset = a->unit_offset,
                     .n = a->x.cols };

    for (int64_t k = t.row; k < t.row_end; k++) {
        void *dx = axl_at_mut(a->dx.data, a->dx.dtype, k * a->dx.stride);
        double rstd = a->rstd[k];
        int64_t i = 0;

        r.x = axl_at(a->x.data, a->x.dtype, k * a->x.stride);
        r.dy = axl_at(a->dy.data, a->dy.dtype, k * a->dy.stride);
        vf factor = vf_set1((float)(rstd * rstd * rstd * sum_of_products(&r) / (double)r.n));
        for (; i + VF_N <= r.n; i += VF_N)
            backward_lanes(&r, dx, a->dx.dtype, vf_set1(a->rstd[k]), factor, i, VF_N);
        if (i < r.n)
            backward_lanes(&r, dx, a->dx.dtype, vf_set1(a->rstd[k]), factor, i, r.n - i);
    }
}

axl_status AXL_ISA_NAME(rms_norm_backward)(axl_device *dev, const axl_rms_norm_backward_args *a)
{
    axl_tiles_run(dev, a->x.rows, a->x.cols, true, backward_tile, a);
    return AXL_OK;
}

/* ---- the weight's gradient ---- */

enum { STRIPE = 64 }; /* columns of a task: a multiple of N_SUMS vectors of any width */

/* sums[k] of the rows [begin, end) at n columns from c on, n at most N_SUMS vectors. */
AXL_INLINE void weight_sums(const axl_rms_norm_weight_backward_args *a, int64_t begin, int64_t end,
                            int64_t c, int64_t n, vf sums[N_SUMS])
{
    for (int64_t t = begin; t < end; t++) {
        const void *x = axl_at(a->x.data, a->x.dtype, t * a->x.stride + c);
        const void *dy = axl_at(a->dy.data, a->dy.dtype, t * a->dy.stride + c);
        vf rstd = vf_set1(a->rstd[t]);

        AXL_UNROLL
        for (int k = 0; k < N_SUMS; k++) {
            int64_t i = k * VF_N, left = n - i;
            if (left > 0)
                sums[k] = vf_fma(vf_mul(axl_load(x, a->x.dtype, i, left), rstd),
                                 axl_load(dy, a->dy.dtype, i, left), sums[k]);
        }
    }
}

static void weight_columns(const axl_rms_norm_weight_backward_args *a, int64_t c, int64_t n)
{
    double total[N_SUMS * VF_N] = { 0 };
    float part[VF_N];

    for (int64_t t = 0; t < a->x.rows; t += SUM_SPAN) {
        int64_t end = axl_min(t + SUM_SPAN, a->x.rows);
        vf sums[N_SUMS] = { vf_zero(), vf_zero(), vf_zero(), vf_zero() };

        if (n == N_SUMS * VF_N)
            weight_sums(a, t, end, c, N_SUMS * VF_N, sums);
        else
            weight_sums(a, t, end, c, n, sums);
        for (int k = 0; k < N_SUMS; k++) {
            vf_store(part, sums[k]);
            for (int i = 0; i < VF_N; i++)
                total[k * VF_N + i] += part[i];
        }
    }
    for (int64_t i = 0; i < n; i++)
        a->dw[c + i] = (float)(a->dw[c + i] + total[i]);
}

static void weight_stripe(void *args, uint64_t index)
{
    const axl_rms_norm_weight_backward_args *a = args;
    int64_t begin = (int64_t)index * STRIPE, end = axl_min(begin + STRIPE, a->x.cols);

    for (int64_t c = begin; c < end; c += N_SUMS * VF_N)
        weight_columns(a, c, axl_min(N_SUMS * VF_N, end - c));
}

axl_status AXL_ISA_NAME(rms_norm_weight_backward)(axl_device *dev,
                                                  const axl_rms_norm_weight_backward_args *a)
{
    axl_rms_norm_weight_backward_args copy = *a;

    axl_loop(dev, axl_div_up(a->x.cols, STRIPE), 4 * a->x.rows * a->x.cols, weight_stripe, &copy);
    return AXL_OK;
}
