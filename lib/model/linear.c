/* SPDX-License-Identifier: Apache-2.0 */
/* linear.c - see linear.h.  The same dropout mask is drawn again in the backward instead of kept.
 */
#include "linear.h"

#include "base/rng.h"

#include <assert.h>

/* The pair of a layer, or NULL. */
static const axl__lora *lora_of(const axl__pass *p, int64_t index)
{
    if (!p->adapter || !p->adapter->loras[index].on)
        return NULL;
    return &p->adapter->loras[index];
}

static const axl__lora *frozen_of(const axl__pass *p, int64_t index)
{
    if (!p->adapter || !p->adapter->frozen || !p->adapter->frozen->loras[index].on)
        return NULL;
    return &p->adapter->frozen->loras[index];
}

int64_t axl__frozen_rank(const axl__pass *p)
{
    return p->adapter && p->adapter->frozen ? p->adapter->frozen->rank : 0;
}

int64_t axl__linears_rank(const axl__pass *p, axl__linears g)
{
    int64_t rank = 0;

    for (int64_t i = 0; i < g.n; i++)
        if (lora_of(p, g.first + i))
            rank += lora_of(p, g.first + i)->rank;
    return rank;
}

int64_t axl__slot_rank(const axl__pass *p, axl__slot slot)
{
    const axl__modules *t = &p->model->modules;
    int64_t most = 0;

    for (int64_t l = 0; l < t->n_layers; l++) {
        int64_t rank = axl__linears_rank(p, axl__modules_in(t, l, slot));
        most = rank > most ? rank : most;
    }
    return most;
}

void axl__linear_scratch_take(axl__step_arena *a, axl__linear_scratch *out, const axl__pass *p,
                              int64_t T, int64_t widest, int64_t rank)
{
    axl_dtype t = p->model->compute;

    if (p->wish.dropout > 0.0f)
        out->drop = axl__step_arena_mat(a, t, T, widest);
    out->frozen = axl__step_arena_mat(a, t, T, axl__frozen_rank(p));
    if (p->wish.grads)
        out->dxa = axl__step_arena_mat(a, t, T, rank);
}

static const axl__module *module_of(const axl__pass *p, int64_t index)
{
    return &p->model->modules.list[index];
}

/* The group's xa, as wide as its pairs are. */
static axl_mat fit_xa(const axl__pass *p, axl__linears g, axl_mat xa)
{
    xa.cols = xa.stride = axl__linears_rank(p, g);
    return xa;
}

static axl_mat f32_mat(float *data, int64_t rows, int64_t cols)
{
    return (axl_mat){ data, AXL_F32, rows, cols, cols };
}

static axl_mat first_rows(axl_mat m, int64_t rows, int64_t cols)
{
    m.rows = rows;
    m.cols = m.stride = cols;
    return m;
}

static axl_mat mat_a(const axl__lora *l, float *base)
{
    return f32_mat(base + l->a_at, l->rank, l->in);
}

static axl_mat mat_b(const axl__lora *l, float *base)
{
    return f32_mat(base + l->b_at, l->out, l->rank);
}

/* All A of the group as one matrix (R, in); false when there are gaps between them. */
static bool mat_all_a(const axl__pass *p, axl__linears g, float *base, axl_mat *out)
{
    int64_t next = -1;

    for (int64_t i = 0; i < g.n; i++) {
        const axl__lora *l = lora_of(p, g.first + i);
        if (!l)
            continue;
        if (next < 0)
            *out = mat_a(l, base);
        else if (l->a_at == next)
            out->rows += l->rank;
        else
            return false;
        next = l->a_at + l->rank * l->in;
    }
    return next >= 0;
}

static axl_status multiply(const axl__pass *p, axl_mat x, bool trans_x, axl_mat w, bool trans_w,
                           axl_mat y, float alpha, float beta)
{
    axl_matmul_args a = { .x = x,
                          .w = axl__dense(w),
                          .y = y,
                          .trans_x = trans_x,
                          .trans_w = trans_w,
                          .alpha = alpha,
                          .beta = beta,
                          .compute = p->model->compute };

    return p->ops->matmul(p->dev, &a);
}

static axl_status drop(const axl__pass *p, int64_t index, axl_mat x, axl_mat y)
{
    axl_dropout_args a = {
        x, y, p->wish.dropout, p->wish.seed, (uint64_t)AXL__STREAM_DROPOUT | (uint64_t)index << 8, 0
    };

    return p->ops->dropout(p->dev, &a);
}

axl_status axl__linears_xa(const axl__pass *p, axl__linears g, axl_mat x, axl_mat xa,
                           const axl__linear_scratch *s)
{
    int64_t at = 0;
    axl_mat all;

    xa = fit_xa(p, g, xa);
    if (xa.cols == 0)
        return AXL_OK;
    if (p->wish.dropout <= 0.0f && mat_all_a(p, g, p->adapter->params, &all))
        return multiply(p, x, false, all, true, xa, p->adapter->scale, 0.0f);
    for (int64_t i = 0; i < g.n; i++) {
        const axl__lora *l = lora_of(p, g.first + i);
        axl_mat input = x;
        if (!l)
            continue;
        if (p->wish.dropout > 0.0f) {
            input = first_rows(s->drop, x.rows, x.cols);
            AXL_TRY(drop(p, g.first + i, x, input));
        }
        AXL_TRY(multiply(p, input, false, mat_a(l, p->adapter->params), true,
                         axl__columns(xa, at, l->rank), p->adapter->scale, 0.0f));
        at += l->rank;
    }
    return AXL_OK;
}

/* The pairs of a layer as further products of a sum; returns how many.  The frozen one's first half
 * is computed here. */
static axl_status pair_terms(const axl__pass *p, int64_t index, axl_mat x, axl_mat xa,
                             axl_matmul_term *terms, int64_t *n, const axl__linear_scratch *s)
{
    const axl__lora *l = lora_of(p, index);
    const axl__lora *f = frozen_of(p, index);

    *n = 0;
    if (l)
        terms[(*n)++] = (axl_matmul_term){ xa, axl__dense(mat_b(l, p->adapter->params)), true };
    if (f) {
        axl_mat fa = first_rows(s->frozen, x.rows, f->rank);
        AXL_TRY(multiply(p, x, false, mat_a(f, p->adapter->frozen->params), true, fa,
                         p->adapter->scale, 0.0f));
        terms[(*n)++] =
            (axl_matmul_term){ fa, axl__dense(mat_b(f, p->adapter->frozen->params)), true };
    }
    return AXL_OK;
}

/* One layer.  A product takes one addend: with a bias, plus is added after it. */
static axl_status linear_forward(const axl__pass *p, int64_t index, axl_mat x, axl_mat plus,
                                 axl_mat y, axl_mat xa, const axl__linear_scratch *s)
{
    const axl__module *m = module_of(p, index);
    axl_matmul_term pairs[2];
    axl_matmul_args a = { .x = x,
                          .w = m->weight,
                          .y = y,
                          .plus = plus,
                          .trans_w = true,
                          .alpha = 1.0f,
                          .compute = p->model->compute,
                          .more = pairs };

    AXL_TRY(pair_terms(p, index, x, xa, pairs, &a.n_more, s));
    if (!m->has_bias)
        return p->ops->matmul(p->dev, &a);
    a.plus = m->bias;
    a.plus.rows = y.rows;
    a.plus.stride = 0;
    AXL_TRY(p->ops->matmul(p->dev, &a));
    return plus.data ? p->ops->add(p->dev, &(axl_unary_args){ plus, y }) : AXL_OK;
}

axl_status axl__linears_forward(const axl__pass *p, axl__linears g, axl_mat x, axl_mat plus,
                                const axl_mat *y, axl_mat xa, const axl__linear_scratch *s)
{
    int64_t at = 0;

    xa = fit_xa(p, g, xa);
    AXL_TRY(axl__linears_xa(p, g, x, xa, s));
    for (int64_t i = 0; i < g.n; i++) {
        const axl__lora *l = lora_of(p, g.first + i);
        int64_t rank = l ? l->rank : 0;
        AXL_TRY(linear_forward(p, g.first + i, x, plus, y[i], axl__columns(xa, at, rank), s));
        at += rank;
    }
    return AXL_OK;
}

/* ---- backward ---- */

/* The input's gradient, that of the pairs only without dropout. */
static axl_status input_gradient(const axl__pass *p, axl__linears g, const axl_mat *dy, axl_mat dxa,
                                 axl_mat dx, const axl__linear_scratch *s)
{
    axl_matmul_term terms[AXL_MATMUL_TERMS];
    axl_mat all;
    int64_t n = 0, at = 0;

    for (int64_t i = 0; i < g.n; i++)
        terms[n++] = (axl_matmul_term){ dy[i], module_of(p, g.first + i)->weight, false };
    if (dxa.cols > 0 && p->wish.dropout <= 0.0f && mat_all_a(p, g, p->adapter->params, &all)) {
        terms[n++] = (axl_matmul_term){ dxa, axl__dense(all), false };
    } else if (dxa.cols > 0 && p->wish.dropout <= 0.0f) {
        for (int64_t i = 0; i < g.n; i++) {
            const axl__lora *l = lora_of(p, g.first + i);
            if (!l)
                continue;
            terms[n++] = (axl_matmul_term){ axl__columns(dxa, at, l->rank),
                                            axl__dense(mat_a(l, p->adapter->params)), false };
            at += l->rank;
        }
    }
    assert(n <= AXL_MATMUL_TERMS);
    axl_matmul_args a = { .x = terms[0].x,
                          .w = terms[0].w,
                          .y = dx,
                          .alpha = 1.0f,
                          .compute = p->model->compute,
                          .more = terms + 1,
                          .n_more = n - 1,
                          .scratch = s->parts,
                          .scratch_size = s->parts_size };
    return p->ops->matmul(p->dev, &a);
}

/* One pair with dropout: dA, and its part of dx. */
static axl_status dropped_gradient(const axl__pass *p, const axl__lora *l, int64_t index, axl_mat x,
                                   axl_mat dxa, axl_mat dx, const axl__linear_scratch *s)
{
    axl_mat d = first_rows(s->drop, x.rows, l->in);

    AXL_TRY(drop(p, index, x, d));
    AXL_TRY(multiply(p, dxa, true, d, false, mat_a(l, p->wish.grads), 1.0f, 1.0f));
    if (!dx.data)
        return AXL_OK;
    AXL_TRY(multiply(p, dxa, false, mat_a(l, p->adapter->params), false, d, 1.0f, 0.0f));
    AXL_TRY(drop(p, index, d, d));
    axl_unary_args add = { d, dx };
    return p->ops->add(p->dev, &add);
}

/* dA of the group, and with dropout the pairs' part of dx. */
static axl_status a_gradients(const axl__pass *p, axl__linears g, axl_mat x, axl_mat dxa,
                              axl_mat dx, const axl__linear_scratch *s)
{
    int64_t at = 0;
    axl_mat all;

    if (p->wish.dropout <= 0.0f && mat_all_a(p, g, p->wish.grads, &all))
        return multiply(p, dxa, true, x, false, all, 1.0f, 1.0f);
    for (int64_t i = 0; i < g.n; i++) {
        const axl__lora *l = lora_of(p, g.first + i);
        if (!l)
            continue;
        axl_mat d = axl__columns(dxa, at, l->rank);
        if (p->wish.dropout > 0.0f)
            AXL_TRY(dropped_gradient(p, l, g.first + i, x, d, dx, s));
        else
            AXL_TRY(multiply(p, d, true, x, false, mat_a(l, p->wish.grads), 1.0f, 1.0f));
        at += l->rank;
    }
    return AXL_OK;
}

/* The frozen pairs' part of dx. */
static axl_status frozen_gradient(const axl__pass *p, axl__linears g, const axl_mat *dy, axl_mat dx,
                                  const axl__linear_scratch *s)
{
    for (int64_t i = 0; i < g.n; i++) {
        const axl__lora *f = frozen_of(p, g.first + i);
        if (!f)
            continue;
        axl_mat d = first_rows(s->frozen, dx.rows, f->rank);
        float *params = p->adapter->frozen->params;
        AXL_TRY(multiply(p, dy[i], false, mat_b(f, params), false, d, p->adapter->scale, 0.0f));
        AXL_TRY(multiply(p, d, false, mat_a(f, params), false, dx, 1.0f, 1.0f));
    }
    return AXL_OK;
}

static axl_status weight_gradients(const axl__pass *p, axl__linears g, axl_mat x, const axl_mat *dy)
{
    for (int64_t i = 0; i < g.n; i++) {
        const axl__module *m = module_of(p, g.first + i);
        if (!axl__trains_layer(p, m->layer))
            return AXL_OK;
        AXL_TRY(multiply(p, dy[i], true, x, false,
                         f32_mat(p->wish.grads + m->weight_at, m->rows, m->cols), 1.0f, 1.0f));
        if (m->has_bias) {
            axl_rows_args sum = { dy[i], f32_mat(p->wish.grads + m->bias_at, 1, m->rows), NULL,
                                  dy[i].rows };
            AXL_TRY(p->ops->add_rows(p->dev, &sum));
        }
    }
    return AXL_OK;
}

axl_status axl__linears_backward(const axl__pass *p, axl__linears g, axl_mat x, const axl_mat *dy,
                                 axl_mat xa, axl_mat dx, const axl__linear_scratch *s)
{
    int64_t at = 0;

    xa = fit_xa(p, g, xa);
    axl_mat dxa = first_rows(s->dxa, dy[0].rows, xa.cols);
    AXL_TRY(weight_gradients(p, g, x, dy));
    for (int64_t i = 0; i < g.n; i++) {
        const axl__lora *l = lora_of(p, g.first + i);
        if (!l)
            continue;
        AXL_TRY(multiply(p, dy[i], false, mat_b(l, p->adapter->params), false,
                         axl__columns(dxa, at, l->rank), p->adapter->scale, 0.0f));
        AXL_TRY(multiply(p, dy[i], true, axl__columns(xa, at, l->rank), false,
                         mat_b(l, p->wish.grads), 1.0f, 1.0f));
        at += l->rank;
    }
    if (dx.data) {
        AXL_TRY(input_gradient(p, g, dy, dxa, dx, s));
        AXL_TRY(frozen_gradient(p, g, dy, dx, s));
    }
    return at > 0 ? a_gradients(p, g, x, dxa, dx, s) : AXL_OK;
}
