/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention_ref.c - what attention means.  Slow on purpose; every backend is tested against this
 * file, so change it only to fix the maths.  The backward walks the scores twice, once for each
 * query (dq) and once for each key (dk, dv), so that every sum is taken in double.
 */
#include "attention.h"

#include "kernels/mat.h"

#include <assert.h>
#include <math.h>

/* x[row, head, :] . y[row2, head2, :] */
static double dot(const axl_mat *x, int64_t row, int64_t head, const axl_mat *y, int64_t row2,
                  int64_t head2, int64_t head_dim)
{
    double sum = 0.0;

    for (int64_t d = 0; d < head_dim; d++)
        sum +=
            axl__mat_get(x, row, head * head_dim + d) * axl__mat_get(y, row2, head2 * head_dim + d);
    return sum;
}

/* acc += factor * x[row, head, :] */
static void add_row(double *acc, double factor, const axl_mat *x, int64_t row, int64_t head,
                    int64_t head_dim)
{
    for (int64_t d = 0; d < head_dim; d++)
        acc[d] += factor * axl__mat_get(x, row, head * head_dim + d);
}

static void put_row(const axl_mat *y, int64_t row, int64_t head, const double *acc, double factor,
                    int64_t head_dim)
{
    for (int64_t d = 0; d < head_dim; d++)
        axl__mat_put(y, row, head * head_dim + d, acc[d] * factor);
}

/* The scaled and capped score of query i and key j, both counted in the batch. */
static double score(const axl_attention_args *a, int64_t h, int64_t i, int64_t j)
{
    int64_t g = h / (a->n_heads / a->n_kv_heads);
    double s = a->scale * dot(&a->q, i, h, &a->k, j, g, a->head_dim), cap = a->soft_cap;

    return cap > 0.0 ? cap * tanh(s / cap) : s;
}

/* The first key that query i of sequence s does not see. */
static int64_t end_of_keys(const axl_attention_args *a, int64_t s, int64_t i)
{
    return a->cu_k[s + 1] - (a->cu_q[s + 1] - i) + 1;
}

/* The first that it sees, of those before `end`. */
static int64_t begin_of_keys(const axl_attention_args *a, int64_t s, int64_t end)
{
    return a->window > 0 && end - a->window > a->cu_k[s] ? end - a->window : a->cu_k[s];
}

static void forward_query(const axl_attention_args *a, int64_t s, int64_t h, int64_t i)
{
    int64_t end = end_of_keys(a, s, i), begin = begin_of_keys(a, s, end);
    int64_t g = h / (a->n_heads / a->n_kv_heads);
    double acc[AXL__MAX_HEAD_DIM] = { 0 }, sink = a->sinks ? a->sinks[h] : -INFINITY, max = sink;

    for (int64_t j = begin; j < end; j++)
        max = fmax(max, score(a, h, i, j));
    double sum = exp(sink - max);
    for (int64_t j = begin; j < end; j++) {
        double p = exp(score(a, h, i, j) - max);
        sum += p;
        add_row(acc, p, &a->v, j, g, a->head_dim);
    }
    put_row(&a->out, i, h, acc, 1.0 / sum, a->head_dim);
    if (a->lse)
        a->lse[h * a->q.rows + i] = (float)(max + log(sum));
}

void axl__ref_attention_forward(const axl_attention_args *a)
{
    assert(a->head_dim <= AXL__MAX_HEAD_DIM);
    for (int64_t s = 0; s < a->n_seqs; s++) {
        assert(a->cu_q[s + 1] - a->cu_q[s] <= a->longest);
        for (int64_t h = 0; h < a->n_heads; h++)
            for (int64_t i = a->cu_q[s]; i < a->cu_q[s + 1]; i++)
                forward_query(a, s, h, i);
    }
}

/* P[h,i,j], and dS[h,i,j] through ds. */
static double probability(const axl_attention_backward_args *a, int64_t h, int64_t i, int64_t j,
                          double *ds)
{
    const axl_attention_args *f = &a->forward;
    int64_t g = h / (f->n_heads / f->n_kv_heads);
    double s = score(f, h, i, j), p = exp(s - f->lse[h * f->q.rows + i]);
    double dp = dot(&a->dout, i, h, &f->v, j, g, f->head_dim);

    *ds = p * (dp - ((const float *)a->scratch)[h * f->q.rows + i]) * f->scale;
    if (f->soft_cap > 0.0f)
        *ds *= 1.0 - s / f->soft_cap * (s / f->soft_cap);
    return p;
}

static void backward_query(const axl_attention_backward_args *a, int64_t s, int64_t h, int64_t i)
{
    const axl_attention_args *f = &a->forward;
    int64_t g = h / (f->n_heads / f->n_kv_heads);
    int64_t end = end_of_keys(f, s, i);
    double acc[AXL__MAX_HEAD_DIM] = { 0 }, ds;

    for (int64_t j = begin_of_keys(f, s, end); j < end; j++) {
        probability(a, h, i, j, &ds);
        add_row(acc, ds, &f->k, j, g, f->head_dim);
    }
    put_row(&a->dq, i, h, acc, 1.0, f->head_dim);
}

static void backward_key(const axl_attention_backward_args *a, int64_t s, int64_t g, int64_t j)
{
    const axl_attention_args *f = &a->forward;
    int64_t group = f->n_heads / f->n_kv_heads;
    double dk[AXL__MAX_HEAD_DIM] = { 0 }, dv[AXL__MAX_HEAD_DIM] = { 0 }, ds;

    for (int64_t h = g * group; h < (g + 1) * group; h++) {
        for (int64_t i = f->cu_q[s]; i < f->cu_q[s + 1]; i++) {
            int64_t end = end_of_keys(f, s, i);
            if (j >= end || j < begin_of_keys(f, s, end))
                continue;
            double p = probability(a, h, i, j, &ds);
            add_row(dk, ds, &f->q, i, h, f->head_dim);
            add_row(dv, p, &a->dout, i, h, f->head_dim);
        }
    }
    put_row(&a->dk, j, g, dk, 1.0, f->head_dim);
    put_row(&a->dv, j, g, dv, 1.0, f->head_dim);
}

static void backward_sink(const axl_attention_backward_args *a, int64_t h)
{
    const axl_attention_args *f = &a->forward;
    double sum = 0.0;

    for (int64_t i = h * f->q.rows; i < (h + 1) * f->q.rows; i++)
        sum += exp((double)f->sinks[h] - f->lse[i]) * ((const float *)a->scratch)[i];
    a->dsinks[h] = (float)(a->dsinks[h] - sum);
}

void axl__ref_attention_backward(const axl_attention_backward_args *a)
{
    const axl_attention_args *f = &a->forward;
    float *delta = a->scratch;

    assert(f->head_dim <= AXL__MAX_HEAD_DIM);
    for (int64_t h = 0; h < f->n_heads; h++)
        for (int64_t i = 0; i < f->q.rows; i++)
            delta[h * f->q.rows + i] = (float)dot(&a->dout, i, h, &f->out, i, h, f->head_dim);
    for (int64_t s = 0; s < f->n_seqs; s++) {
        for (int64_t h = 0; h < f->n_heads; h++)
            for (int64_t i = f->cu_q[s]; i < f->cu_q[s + 1]; i++)
                backward_query(a, s, h, i);
        for (int64_t g = 0; g < f->n_kv_heads; g++)
            for (int64_t j = f->cu_k[s]; j < f->cu_k[s + 1]; j++)
                backward_key(a, s, g, j);
    }
    for (int64_t h = 0; a->dsinks && h < f->n_heads; h++)
        backward_sink(a, h);
}
