/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optim_muon.c - Muon as Axolotl has it (Moonlight's): matrices move by their momentum made nearly
 * orthogonal, scaled to AdamW's size; embeddings and the output head, kind 1, by AdamW.  So do
 * vectors here, which Axolotl leaves untrained.  Products are in the model's compute type.
 */
#include "optim_method.h"

#include <math.h>

/* Regions: two of AdamW, the momentum, and scratch for the largest matrix: X and Y (rows, cols),
 * GRAM and POLY (side, side) with side the smaller of the two, and one double. */
enum { MOMENTUM = 2, X, Y, GRAM, POLY, NORM };

static uint32_t muon_kind(const axl__optim_tensor *t)
{
    return t->vector || t->embedding;
}

static axl_status muon_lay_out(axl__optimizer *o)
{
    int64_t size = 0, side = 0;

    for (size_t i = 0; i < o->target.n_tensors; i++) {
        const axl__optim_tensor *t = &o->target.tensors[i];
        int64_t least = t->rows < t->cols ? t->rows : t->cols;
        if (muon_kind(t) != 0)
            continue;
        size = t->rows * t->cols > size ? t->rows * t->cols : size;
        side = least > side ? least : side;
    }
    AXL_TRY(axl__optim_flat(o, "moment1", 1));
    AXL_TRY(axl__optim_flat(o, "moment2", 1));
    AXL_TRY(axl__optim_flat(o, "momentum_buffer", 0));
    AXL_TRY(axl__optim_region(o, (size_t)size * sizeof(float)));
    AXL_TRY(axl__optim_region(o, (size_t)size * sizeof(float)));
    AXL_TRY(axl__optim_region(o, (size_t)(side * side) * sizeof(float)));
    AXL_TRY(axl__optim_region(o, (size_t)(side * side) * sizeof(float)));
    return axl__optim_region(o, sizeof(double));
}

static axl_mat muon_mat(void *data, int64_t rows, int64_t cols)
{
    return (axl_mat){ data, AXL_F32, rows, cols, cols };
}

static axl_status muon_scale_matrix(axl__optimizer *o, axl_mat x, axl_mat y, double factor)
{
    axl_muon_scale_args a = { x.data, y.data, x.rows * x.cols, factor };

    return o->target.ops->muon_scale(o->target.dev, &a);
}

/* One step of the quintic Newton-Schulz iteration, from x to y: y = a x + (b g + c g g) x, g = x
 * x^T; x is wider than high, or else all is transposed.  The coefficients are Keller Jordan's:
 * singular values come near 1 in few steps, and do not converge to it. */
static axl_status muon_iterate(axl__optimizer *o, axl_mat x, axl_mat y)
{
    static const double a = 3.4445, b = -4.7750, c = 2.0315;
    bool tall = x.rows > x.cols;
    int64_t side = tall ? x.cols : x.rows;
    axl_mat g = muon_mat(axl__optim_at(o, GRAM), side, side);
    axl_mat p = muon_mat(axl__optim_at(o, POLY), side, side);
    axl_dtype compute = o->target.compute;
    axl_matmul_args gram = { .x = x,
                             .w = axl__dense(x),
                             .y = g,
                             .trans_x = tall,
                             .trans_w = !tall,
                             .alpha = 1.0f,
                             .compute = compute };
    axl_matmul_args square = {
        .x = g, .w = axl__dense(g), .y = p, .alpha = (float)c, .beta = 1.0f, .compute = compute
    };
    axl_matmul_args step = { .x = tall ? x : p,
                             .w = axl__dense(tall ? p : x),
                             .y = y,
                             .trans_w = tall,
                             .alpha = 1.0f,
                             .beta = 1.0f,
                             .compute = compute };
    const axl_backend_ops *ops = o->target.ops;

    AXL_TRY(ops->matmul(o->target.dev, &gram));
    AXL_TRY(muon_scale_matrix(o, g, p, b));
    AXL_TRY(ops->matmul(o->target.dev, &square));
    AXL_TRY(muon_scale_matrix(o, x, y, a));
    return ops->matmul(o->target.dev, &step);
}

/* By the Frobenius norm, which is at least the largest singular value: the iteration needs those to
 * be at most 1.  The norm stays on the device. */
static axl_status muon_normalize_matrix(axl__optimizer *o, float *x, int64_t n)
{
    const axl__optim_target *t = &o->target;
    double *norm = axl__optim_at(o, NORM);
    axl_sum_squares_args sum = { x, n, norm };
    axl_muon_normalize_args a = { x, n, norm, 1e-7 };

    AXL_TRY(t->ops->zero(t->dev, norm, sizeof *norm));
    AXL_TRY(t->ops->sum_squares(t->dev, &sum));
    return t->ops->muon_normalize(t->dev, &a);
}

/* The last step is SGD's, p -= lr (g + decay p), with Moonlight's factor 0.2 sqrt(max(rows, cols))
 * in the rate; the decay is divided by it because it is meant for the plain rate. */
static axl_status muon_step_tensor(axl__optimizer *o, const axl__optim_step *t,
                                   const axl__optim_tensor *x, float *momentum,
                                   const axl__param_group *g)
{
    const axl_backend_ops *ops = o->target.ops;
    int64_t n = x->rows * x->cols;
    float *from = axl__optim_at(o, X), *to = axl__optim_at(o, Y);
    axl_muon_momentum_args m = { momentum,        from,          t->grads + x->at, n,
                                 o->set.momentum, t->grad_scale, o->set.nesterov };

    AXL_TRY(ops->muon_momentum(o->target.dev, &m));
    AXL_TRY(muon_normalize_matrix(o, from, n));
    for (int i = 0; i < (int)o->set.ns_steps; i++) {
        AXL_TRY(muon_iterate(o, muon_mat(from, x->rows, x->cols), muon_mat(to, x->rows, x->cols)));
        float *swap = from;
        from = to;
        to = swap;
    }
    double lr = t->rate * g->rate;
    double size = 0.2 * sqrt((double)(x->rows > x->cols ? x->rows : x->cols));
    axl_sgd_args a = { .p = o->target.params + x->at,
                       .g = from,
                       .n = n,
                       .lr = lr * size,
                       .weight_decay = g->weight_decay / size,
                       .grad_scale = 1.0,
                       .step = t->step };
    return ops->sgd(o->target.dev, &a);
}

static axl_status muon_step_matrices(axl__optimizer *o, const axl__optim_step *t,
                                     const axl__optim_span *s, const axl__param_group *g)
{
    float *momentum = axl__optim_floats(o, MOMENTUM, s);

    for (size_t i = s->first; i < s->end; i++) {
        const axl__optim_tensor *x = &o->target.tensors[i];
        AXL_TRY(muon_step_tensor(o, t, x, momentum + (x->at - s->at), g));
    }
    return AXL_OK;
}

/* Muon's own AdamW adds epsilon before it corrects the root. */
static axl_status muon_step_others(axl__optimizer *o, const axl__optim_step *t,
                                   const axl__optim_span *s, const axl__param_group *g)
{
    double eps = o->set.eps;

    o->set.eps = eps / sqrt(1.0 - pow(o->set.beta2, (double)t->step));
    axl_status status = axl__optim_adamw_span(o, t, s, g);
    o->set.eps = eps;
    return status;
}

static axl_status muon_step(axl__optimizer *o, const axl__optim_step *t)
{
    AXL_TRY(axl__optim_each_span(o, t, 0, muon_step_matrices));
    return axl__optim_each_span(o, t, 1, muon_step_others);
}

const axl__optim_method axl__optim_muon = {
    .name = "muon",
    .defaults = { .beta1 = 0.95,
                  .beta2 = 0.95,
                  .eps = 1e-8,
                  .momentum = 0.95,
                  .nesterov = true,
                  .ns_steps = 5.0 },
    .kind_of = muon_kind,
    .lay_out = muon_lay_out,
    .step = muon_step,
    .in_common = true,
};
