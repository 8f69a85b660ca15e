/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optim_factored.c - Adafactor as transformers' trainer uses it (no relative step, no scaling by
 * the parameters) and CAME: for a matrix the means of its rows and of its columns are kept.
 */
#include "optim_method.h"

#include <math.h>

/* Regions: scratch, then rows, columns and vectors of the squares, then CAME's.  Scratch is for the
 * largest tensor: a double and a float a row, two floats a column. */
enum { SCRATCH, ROW, COL, VECTOR, MEAN, RES_ROW, RES_COL };
enum { ROWS = 1, COLS = 2, VECTORS = 4 };

/* Elements of a tensor in a region of some parts. */
static int64_t factored_part_size(const axl__optim_tensor *t, int parts)
{
    if (t->vector)
        return parts & VECTORS ? t->cols : 0;
    return parts & ROWS ? t->rows : parts & COLS ? t->cols : 0;
}

/* A region of one part of every tensor; places are found again by adding up. */
static axl_status factored_lay_out_part(axl__optimizer *o, const char *name, int parts)
{
    int64_t at = 0;

    for (size_t i = 0; i < o->target.n_tensors; i++)
        at += factored_part_size(&o->target.tensors[i], parts);
    AXL_TRY(axl__optim_region(o, (size_t)at * sizeof(float)));
    at = 0;
    for (size_t i = 0; i < o->target.n_tensors; i++) {
        const axl__optim_tensor *t = &o->target.tensors[i];
        uint64_t n = (uint64_t)factored_part_size(t, parts);
        if (n > 0)
            AXL_TRY(
                axl__optim_entry_add(o, name, t->name, "F32", &n, 1, (size_t)at * sizeof(float)));
        at += (int64_t)n;
    }
    return AXL_OK;
}

static axl_status adafactor_lay_out(axl__optimizer *o)
{
    size_t scratch = 0;

    for (size_t i = 0; i < o->target.n_tensors; i++) {
        const axl__optim_tensor *t = &o->target.tensors[i];
        size_t bytes = (size_t)t->rows * (sizeof(double) + sizeof(float)) +
                       2 * (size_t)t->cols * sizeof(float);
        scratch = bytes > scratch ? bytes : scratch;
    }
    AXL_TRY(axl__optim_region(o, scratch));
    AXL_TRY(factored_lay_out_part(o, "exp_avg_sq_row", ROWS));
    AXL_TRY(factored_lay_out_part(o, "exp_avg_sq_col", COLS));
    return factored_lay_out_part(o, "exp_avg_sq", VECTORS);
}

static axl_status came_lay_out(axl__optimizer *o)
{
    AXL_TRY(adafactor_lay_out(o));
    AXL_TRY(axl__optim_flat(o, "exp_avg", 0));
    AXL_TRY(factored_lay_out_part(o, "exp_avg_res_row", ROWS));
    return factored_lay_out_part(o, "exp_avg_res_col", COLS);
}

typedef struct {
    int64_t row, col, vector; /* where the next tensor's parts are */
} places;

/* beta2 of Adafactor grows with the step, with its paper's decay of -0.8; the first step's is 0. */
static axl_status factored_step_tensor(axl__optimizer *o, const axl__optim_step *t,
                                       const axl__optim_span *s, const axl__optim_tensor *x,
                                       const places *at)
{
    const axl__param_group *g = &o->groups.groups[s->group];
    bool came = o->method == &axl__optim_came;
    axl_factored_args a = {
        .p = o->target.params + x->at,
        .g = t->grads + x->at,
        .rows = x->rows,
        .cols = x->cols,
        .scratch = axl__optim_at(o, SCRATCH),
        .lr = t->rate * g->rate,
        .beta1 = t->beta1,
        .beta2 = came ? o->set.beta2 : 1.0 - pow((double)t->step, -0.8),
        .beta3 = o->set.beta3,
        .eps = o->set.eps,
        .eps2 = o->set.eps2,
        .clip_threshold = o->set.clip_threshold,
        .weight_decay = g->weight_decay,
        .grad_scale = t->grad_scale,
    };

    if (came)
        a.m = axl__optim_floats(o, MEAN, s) + (x->at - s->at);
    if (x->vector) {
        a.v = (float *)axl__optim_at(o, VECTOR) + at->vector;
    } else {
        a.row = (float *)axl__optim_at(o, ROW) + at->row;
        a.col = (float *)axl__optim_at(o, COL) + at->col;
        a.res_row = came ? (float *)axl__optim_at(o, RES_ROW) + at->row : NULL;
        a.res_col = came ? (float *)axl__optim_at(o, RES_COL) + at->col : NULL;
    }
    return o->target.ops->factored(o->target.dev, &a);
}

/* Tensor by tensor, in the order in which the parts were laid out, since places are sums of what
 * came before.  It does not ask which parts of the model rest, hence in_common. */
static axl_status factored_step(axl__optimizer *o, const axl__optim_step *t)
{
    places at = { 0, 0, 0 };

    for (size_t k = 0; k < o->n_spans; k++)
        for (size_t i = o->spans[k].first; i < o->spans[k].end; i++) {
            const axl__optim_tensor *x = &o->target.tensors[i];
            AXL_TRY(factored_step_tensor(o, t, &o->spans[k], x, &at));
            at.row += factored_part_size(x, ROWS);
            at.col += factored_part_size(x, COLS);
            at.vector += factored_part_size(x, VECTORS);
        }
    return AXL_OK;
}

const axl__optim_method axl__optim_adafactor = {
    .name = "adafactor",
    .defaults = { .eps = 1e-30, .clip_threshold = 1.0 },
    .lay_out = adafactor_lay_out,
    .step = factored_step,
    .in_common = true,
};

const axl__optim_method axl__optim_came = {
    .name = "came_pytorch",
    .defaults = { .beta1 = 0.9,
                  .beta2 = 0.999,
                  .beta3 = 0.9999,
                  .eps = 1e-30,
                  .eps2 = 1e-16,
                  .clip_threshold = 1.0 },
    .lay_out = came_lay_out,
    .step = factored_step,
    .in_common = true,
};
