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

/* What the adapter has of a layer: a pair, a bias or nothing. */
static const axl__lora *own_of(const axl__pass *p, int64_t index)
{
    return p->adapter ? &p->adapter->loras[index] : NULL;
}

static bool has_part(const axl__lora *l, axl__part part)
{
    return l && l->at[part] >= 0;
}

int64_t axl__frozen_rank(const axl__pass *p)
{
    const axl_adapter *f = p->adapter ? p->adapter->frozen : NULL;
    int64_t most = 0;

    for (int64_t i = 0; f && i < p->model->modules.n; i++)
        if (f->loras[i].on && f->loras[i].rank > most)
            most = f->loras[i].rank;
    return most;
}

int64_t axl__linears_gained(const axl__pass *p, axl__linears g)
{
    int64_t outputs = 0;

    for (int64_t i = 0; i < g.n; i++)
        if (has_part(own_of(p, g.first + i), AXL__PART_MAGNITUDE))
            outputs += p->adapter->loras[g.first + i].out;
    return outputs;
}

int64_t axl__linears_rank(const axl__pass *p, axl__linears g)
{
    int64_t rank = 0;

    for (int64_t i = 0; i < g.n; i++)
        if (lora_of(p, g.first + i))
            rank += lora_of(p, g.first + i)->rank;
    return rank;
}

/* The most that a group in the slot of any decoder layer has of something. */
static int64_t most_in(const axl__pass *p, axl__slot slot,
                       int64_t (*of)(const axl__pass *p, axl__linears g))
{
    const axl__modules *t = &p->model->modules;
    int64_t most = 0;

    for (int64_t l = 0; l < t->n_layers; l++) {
        int64_t n = of(p, axl__modules_in(t, l, slot));
        most = n > most ? n : most;
    }
    return most;
}

int64_t axl__slot_gained(const axl__pass *p, axl__slot slot)
{
    return most_in(p, slot, axl__linears_gained);
}

int64_t axl__slot_rank(const axl__pass *p, axl__slot slot)
{
    return most_in(p, slot, axl__linears_rank);
}

bool axl__linears_read_input(const axl__pass *p, axl__linears g)
{
    bool any = axl__linears_rank(p, g) > 0;

    for (int64_t i = 0; i < g.n; i++)
        any = any || axl__weight_gradient(p, &p->model->modules.list[g.first + i]);
    return any;
}

void axl__linear_scratch_take(axl__step_arena *a, axl__linear_scratch *out, const axl__pass *p,
                              int64_t T, axl__linear_size most)
{
    axl_dtype t = p->model->compute;

    if (p->wish.dropout > 0.0f)
        out->drop = axl__step_arena_mat(a, t, T, most.widest);
    out->frozen = axl__step_arena_mat(a, t, T, axl__frozen_rank(p));
    out->wide = axl__step_arena_mat(a, t, T, most.gained);
    if (p->wish.grads)
        out->dxa = axl__step_arena_mat(a, t, T, most.rank);
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
    return f32_mat(base + l->at[AXL__PART_A], l->rank, l->in);
}

static axl_mat mat_b(const axl__lora *l, float *base)
{
    return f32_mat(base + l->at[AXL__PART_B], l->out, l->rank);
}

/* All A of the group as one matrix (R, in), and the scale that they share; false when there are
 * gaps between them or the scales differ. */
static bool mat_all_a(const axl__pass *p, axl__linears g, float *base, axl_mat *out, float *scale)
{
    int64_t next = -1;

    for (int64_t i = 0; i < g.n; i++) {
        const axl__lora *l = lora_of(p, g.first + i);
        if (!l)
            continue;
        if (next < 0) {
            *out = mat_a(l, base);
            *scale = l->scale;
        } else if (l->at[AXL__PART_A] == next && l->scale == *scale) {
            out->rows += l->rank;
        } else {
            return false;
        }
        next = l->at[AXL__PART_A] + l->rank * l->in;
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

/* The mask of a layer's pair over x, into y or added to it. */
static axl_status drop(const axl__pass *p, int64_t index, axl_mat x, axl_mat y, bool add)
{
    axl_dropout_args a = {
        .x = x,
        .y = y,
        .p = p->wish.dropout,
        .seed = p->seed,
        .stream = (uint64_t)AXL__STREAM_DROPOUT | (uint64_t)index << 8,
        .add = add,
    };

    return p->ops->dropout(p->dev, &a);
}

axl_status axl__linears_xa(const axl__pass *p, axl__linears g, axl_mat x, axl_mat xa,
                           const axl__linear_scratch *s)
{
    int64_t at = 0;
    axl_mat all;
    float scale;

    xa = fit_xa(p, g, xa);
    if (xa.cols == 0)
        return AXL_OK;
    if (p->wish.dropout <= 0.0f && mat_all_a(p, g, p->adapter->params, &all, &scale))
        return multiply(p, x, false, all, true, xa, scale, 0.0f);
    for (int64_t i = 0; i < g.n; i++) {
        const axl__lora *l = lora_of(p, g.first + i);
        axl_mat input = x;
        if (!l)
            continue;
        if (p->wish.dropout > 0.0f) {
            input = first_rows(s->drop, x.rows, x.cols);
            AXL_TRY(drop(p, g.first + i, x, input, false));
        }
        AXL_TRY(multiply(p, input, false, mat_a(l, p->adapter->params), true,
                         axl__columns(xa, at, l->rank), l->scale, 0.0f));
        at += l->rank;
    }
    return AXL_OK;
}

/* The frozen pair of a layer as a further product of a sum, whose first half is computed here. */
static axl_status frozen_term(const axl__pass *p, int64_t index, axl_mat x, axl_matmul_term *terms,
                              int64_t *n, const axl__linear_scratch *s)
{
    const axl__lora *f = frozen_of(p, index);

    if (!f)
        return AXL_OK;
    axl_mat fa = first_rows(s->frozen, x.rows, f->rank);
    AXL_TRY(multiply(p, x, false, mat_a(f, p->adapter->frozen->params), true, fa, f->scale, 0.0f));
    terms[(*n)++] = (axl_matmul_term){ fa, axl__dense(mat_b(f, p->adapter->frozen->params)), true };
    return AXL_OK;
}

/* y = x W^T with the frozen pair, and with the pair where xa is there; plus: see axl_matmul_args.
 */
static axl_status products(const axl__pass *p, int64_t index, axl_mat x, axl_mat plus, axl_mat y,
                           const axl_mat *xa, const axl__linear_scratch *s)
{
    const axl__lora *l = lora_of(p, index);
    axl_matmul_term pairs[2];
    axl_matmul_args a = { .x = x,
                          .w = axl__used_weight(p, module_of(p, index)),
                          .y = y,
                          .plus = plus,
                          .trans_w = true,
                          .alpha = 1.0f,
                          .compute = p->model->compute,
                          .more = pairs };

    if (l && xa)
        pairs[a.n_more++] =
            (axl_matmul_term){ *xa, axl__dense(mat_b(l, p->adapter->params)), true };
    AXL_TRY(frozen_term(p, index, x, pairs, &a.n_more, s));
    return p->ops->matmul(p->dev, &a);
}

/* y += scale * a vector of the adapter's, to every row. */
static axl_status add_vector(const axl__pass *p, const axl__lora *l, axl__part part, float scale,
                             axl_mat y)
{
    axl_scale_columns_args a = { .x = f32_mat(p->adapter->params + l->at[part], y.rows, l->out),
                                 .y = y,
                                 .scale = scale,
                                 .add = true };

    a.x.stride = 0;
    return p->ops->scale_columns(p->dev, &a);
}

/* y (+)= (g + shift) x */
static axl_status apply_gains(const axl__pass *p, const axl__lora *l, axl_mat x, axl_mat y,
                              float shift, bool add)
{
    axl_scale_columns_args a = { x, y, p->dora->gains + l->gain_at, shift, 1.0f, add };

    return p->ops->scale_columns(p->dev, &a);
}

/* y = g u, or with dropout that of dora.h, without the bias. */
static axl_status dora_forward(const axl__pass *p, int64_t index, axl_mat x, axl_mat y, axl_mat xa,
                               const axl__linear_scratch *s)
{
    const axl__lora *l = lora_of(p, index);
    const axl_mat none = { 0 };

    if (p->wish.dropout <= 0.0f) {
        AXL_TRY(products(p, index, x, none, y, &xa, s));
        return apply_gains(p, l, y, y, 0.0f, false);
    }
    axl_mat dropped = first_rows(s->drop, x.rows, x.cols);
    axl_mat u = first_rows(s->wide, y.rows, y.cols);
    AXL_TRY(products(p, index, x, none, y, NULL, s));
    AXL_TRY(drop(p, index, x, dropped, false));
    AXL_TRY(products(p, index, dropped, none, u, NULL, s));
    AXL_TRY(apply_gains(p, l, u, y, -1.0f, true));
    AXL_TRY(multiply(p, xa, false, mat_b(l, p->adapter->params), true, u, 1.0f, 0.0f));
    return apply_gains(p, l, u, y, 0.0f, true);
}

/* The model's bias as an addend of y, to every row. */
static axl_mat bias_rows(const axl__module *m, axl_mat y)
{
    axl_mat bias = m->bias;

    bias.rows = y.rows;
    bias.stride = 0;
    return bias;
}

static axl_status add(const axl__pass *p, axl_mat x, axl_mat y)
{
    return x.data ? p->ops->add(p->dev, &(axl_unary_args){ x, y }) : AXL_OK;
}

/* A layer of which the adapter trains more than a pair. */
static axl_status own_forward(const axl__pass *p, int64_t index, axl_mat x, axl_mat plus, axl_mat y,
                              axl_mat xa, const axl__linear_scratch *s)
{
    const axl__module *m = module_of(p, index);
    const axl__lora *l = own_of(p, index);

    if (has_part(l, AXL__PART_MAGNITUDE))
        AXL_TRY(dora_forward(p, index, x, y, xa, s));
    else
        AXL_TRY(products(p, index, x, (axl_mat){ 0 }, y, &xa, s));
    if (has_part(l, AXL__PART_B_BIAS))
        AXL_TRY(add_vector(p, l, AXL__PART_B_BIAS, l->scale, y));
    if (has_part(l, AXL__PART_BIAS))
        AXL_TRY(add_vector(p, l, AXL__PART_BIAS, 1.0f, y));
    else if (m->has_bias)
        AXL_TRY(add(p, bias_rows(m, y), y));
    return add(p, plus, y);
}

/* One layer.  A product takes one addend: with a bias, plus is added after it. */
static axl_status linear_forward(const axl__pass *p, int64_t index, axl_mat x, axl_mat plus,
                                 axl_mat y, axl_mat xa, const axl__linear_scratch *s)
{
    const axl__module *m = module_of(p, index);
    const axl__lora *l = own_of(p, index);

    if (has_part(l, AXL__PART_MAGNITUDE) || has_part(l, AXL__PART_B_BIAS) ||
        has_part(l, AXL__PART_BIAS))
        return own_forward(p, index, x, plus, y, xa, s);
    if (!m->has_bias)
        return products(p, index, x, plus, y, &xa, s);
    AXL_TRY(products(p, index, x, bias_rows(m, y), y, &xa, s));
    return add(p, plus, y);
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
    float scale;
    int64_t n = 0, at = 0;

    for (int64_t i = 0; i < g.n; i++)
        terms[n++] =
            (axl_matmul_term){ dy[i], axl__used_weight(p, module_of(p, g.first + i)), false };
    if (dxa.cols > 0 && p->wish.dropout <= 0.0f &&
        mat_all_a(p, g, p->adapter->params, &all, &scale)) {
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

/* dx += d of the frozen pair of a layer whose output's gradient is dy. */
static axl_status add_frozen_gradient(const axl__pass *p, int64_t index, axl_mat dy, axl_mat dx,
                                      const axl__linear_scratch *s)
{
    const axl__lora *f = frozen_of(p, index);

    if (!f)
        return AXL_OK;
    axl_mat d = first_rows(s->frozen, dx.rows, f->rank);
    float *params = p->adapter->frozen->params;
    AXL_TRY(multiply(p, dy, false, mat_b(f, params), false, d, f->scale, 0.0f));
    return multiply(p, d, false, mat_a(f, params), false, dx, 1.0f, 1.0f);
}

/* d += ((g - 1) dy) W of a DoRA layer: what its dropped input has of the weight. */
static axl_status add_dropped_weight(const axl__pass *p, int64_t index, axl_mat dy, axl_mat d,
                                     const axl__linear_scratch *s)
{
    const axl__lora *l = lora_of(p, index);
    axl_mat rest = first_rows(s->wide, dy.rows, dy.cols);
    axl_matmul_args a = { .x = rest,
                          .w = module_of(p, index)->weight,
                          .y = d,
                          .alpha = 1.0f,
                          .beta = 1.0f,
                          .compute = p->model->compute };

    AXL_TRY(apply_gains(p, l, dy, rest, -1.0f, false));
    AXL_TRY(p->ops->matmul(p->dev, &a));
    return add_frozen_gradient(p, index, rest, d, s);
}

/* One pair with dropout: dA, and its part of dx. */
static axl_status dropped_gradient(const axl__pass *p, int64_t index, axl_mat x, axl_mat dy,
                                   axl_mat dxa, axl_mat dx, const axl__linear_scratch *s)
{
    const axl__lora *l = lora_of(p, index);
    axl_mat d = first_rows(s->drop, x.rows, l->in);

    AXL_TRY(drop(p, index, x, d, false));
    AXL_TRY(multiply(p, dxa, true, d, false, mat_a(l, p->wish.grads), 1.0f, 1.0f));
    if (!dx.data)
        return AXL_OK;
    AXL_TRY(multiply(p, dxa, false, mat_a(l, p->adapter->params), false, d, 1.0f, 0.0f));
    if (has_part(l, AXL__PART_MAGNITUDE))
        AXL_TRY(add_dropped_weight(p, index, dy, d, s));
    return drop(p, index, d, dx, true);
}

/* dA of the group, and with dropout the pairs' part of dx. */
static axl_status a_gradients(const axl__pass *p, axl__linears g, axl_mat x, const axl_mat *dy,
                              axl_mat dxa, axl_mat dx, const axl__linear_scratch *s)
{
    int64_t at = 0;
    axl_mat all;
    float scale;

    if (p->wish.dropout <= 0.0f && mat_all_a(p, g, p->wish.grads, &all, &scale))
        return multiply(p, dxa, true, x, false, all, 1.0f, 1.0f);
    for (int64_t i = 0; i < g.n; i++) {
        const axl__lora *l = lora_of(p, g.first + i);
        if (!l)
            continue;
        axl_mat d = axl__columns(dxa, at, l->rank);
        if (p->wish.dropout > 0.0f)
            AXL_TRY(dropped_gradient(p, g.first + i, x, dy[i], d, dx, s));
        else
            AXL_TRY(multiply(p, d, true, x, false, mat_a(l, p->wish.grads), 1.0f, 1.0f));
        at += l->rank;
    }
    return AXL_OK;
}

/* Columns of dy whose tokens are neighbours are neighbours, and give neighbouring rows at once. */
static axl_status row_gradients(const axl__pass *p, const axl__lora *l, axl_mat x, axl_mat dy)
{
    float *grads = p->wish.grads + l->at[AXL__PART_ROWS];

    for (int64_t i = 0, n; i < l->n_rows; i += n) {
        for (n = 1; i + n < l->n_rows && l->rows[i + n] == l->rows[i] + n; n++)
            continue;
        AXL_TRY(multiply(p, axl__columns(dy, l->rows[i], n), true, x, false,
                         f32_mat(grads + i * l->in, n, l->in), 1.0f, 1.0f));
    }
    return AXL_OK;
}

static axl_status weight_gradients(const axl__pass *p, axl__linears g, axl_mat x, const axl_mat *dy)
{
    for (int64_t i = 0; i < g.n; i++) {
        const axl__module *m = module_of(p, g.first + i);
        const axl__lora *rows = axl__trained_rows(p, m);
        float *grad = axl__weight_gradient(p, m);
        if (rows)
            AXL_TRY(row_gradients(p, rows, x, dy[i]));
        if (grad)
            AXL_TRY(
                multiply(p, dy[i], true, x, false, f32_mat(grad, m->rows, m->cols), 1.0f, 1.0f));
        if (m->bias_at >= 0 && axl__trains_layer(p, m->layer)) {
            axl_rows_args sum = { dy[i], f32_mat(p->wish.grads + m->bias_at, 1, m->rows), NULL,
                                  dy[i].rows };
            AXL_TRY(p->ops->add_rows(p->dev, &sum));
        }
    }
    return AXL_OK;
}

/* out += scale * the sum of dy's rows, each times that of y where there is one. */
static axl_status vector_gradient(const axl__pass *p, const axl__lora *l, axl__part part,
                                  axl_mat dy, axl_mat y, const float *divisors, float scale)
{
    axl_dot_columns_args a = { dy, y, divisors, scale, p->wish.grads + l->at[part] };

    return p->ops->dot_columns(p->dev, &a);
}

/* Gradients of what an adapter trains of a layer beside its pair.  u of dora.h is computed again;
 * then *dy becomes g dy, in its place in the scratch. */
static axl_status own_gradients(const axl__pass *p, int64_t index, axl_mat x, axl_mat *dy,
                                axl_mat xa, axl_mat wide, const axl__linear_scratch *s)
{
    const axl__lora *l = own_of(p, index);
    const axl_mat none = { 0 };

    if (has_part(l, AXL__PART_B_BIAS))
        AXL_TRY(vector_gradient(p, l, AXL__PART_B_BIAS, *dy, none, NULL, l->scale));
    if (has_part(l, AXL__PART_BIAS))
        AXL_TRY(vector_gradient(p, l, AXL__PART_BIAS, *dy, none, NULL, 1.0f));
    if (!has_part(l, AXL__PART_MAGNITUDE))
        return AXL_OK;
    if (p->wish.dropout > 0.0f) {
        axl_mat dropped = first_rows(s->drop, x.rows, x.cols);
        AXL_TRY(drop(p, index, x, dropped, false));
        x = dropped;
    }
    AXL_TRY(products(p, index, x, none, wide, &xa, s));
    AXL_TRY(
        vector_gradient(p, l, AXL__PART_MAGNITUDE, *dy, wide, p->dora->norms + l->gain_at, 1.0f));
    AXL_TRY(apply_gains(p, l, *dy, wide, 0.0f, false));
    *dy = wide;
    return AXL_OK;
}

/* dxa and dB of the group, and what its layers have beside their pairs.  gained (g.n) gets dy,
 * times the gains where there are some; all of it fits the scratch only without dropout, for what
 * follows asks no more of it with. */
static axl_status b_gradients(const axl__pass *p, axl__linears g, axl_mat x, const axl_mat *dy,
                              axl_mat *gained, axl_mat xa, axl_mat dxa,
                              const axl__linear_scratch *s)
{
    axl_mat wide = first_rows(s->wide, dy[0].rows, s->wide.cols);
    int64_t at = 0, wide_at = 0;

    for (int64_t i = 0; i < g.n; i++) {
        const axl__lora *l = lora_of(p, g.first + i);
        int64_t rank = l ? l->rank : 0;
        gained[i] = dy[i];
        AXL_TRY(own_gradients(p, g.first + i, x, &gained[i], axl__columns(xa, at, rank),
                              axl__columns(wide, wide_at, dy[i].cols), s));
        wide_at += gained[i].data == dy[i].data ? 0 : dy[i].cols;
        if (!l)
            continue;
        AXL_TRY(multiply(p, gained[i], false, mat_b(l, p->adapter->params), false,
                         axl__columns(dxa, at, rank), l->scale, 0.0f));
        AXL_TRY(multiply(p, gained[i], true, axl__columns(xa, at, rank), false,
                         mat_b(l, p->wish.grads), 1.0f, 1.0f));
        at += rank;
    }
    return AXL_OK;
}

/* With dropout the weight sees dy, and a DoRA layer's dropped input the rest of g dy. */
axl_status axl__linears_backward(const axl__pass *p, axl__linears g, axl_mat x, const axl_mat *dy,
                                 axl_mat xa, axl_mat dx, const axl__linear_scratch *s)
{
    axl_mat gained[AXL_MATMUL_TERMS];

    assert(g.n <= AXL_MATMUL_TERMS);
    xa = fit_xa(p, g, xa);
    axl_mat dxa = first_rows(s->dxa, dy[0].rows, xa.cols);
    AXL_TRY(weight_gradients(p, g, x, dy));
    AXL_TRY(b_gradients(p, g, x, dy, gained, xa, dxa, s));
    if (dx.data) {
        const axl_mat *to = p->wish.dropout > 0.0f ? dy : gained;
        AXL_TRY(input_gradient(p, g, to, dxa, dx, s));
        for (int64_t i = 0; i < g.n; i++)
            AXL_TRY(add_frozen_gradient(p, g.first + i, to[i], dx, s));
    }
    return xa.cols > 0 ? a_gradients(p, g, x, dy, dxa, dx, s) : AXL_OK;
}
