/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adapter_init.c - the values that an adapter begins with, in PEFT's distributions: which numbers
 * come follows from the seed, the tensor and the element's place.  PiSSA (Meng et al., 2024) and
 * OLoRA (Büyükakyüz, 2024) begin with a part of the weight, which PEFT takes out of the weight;
 * here the weight stays, and a frozen pair takes it away again.
 */
#include "adapter.h"
#include "decompose.h"
#include "dora.h"

#include "base/rng.h"
#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A pair on the host: a (r, in), b (out, r), and where its random numbers come from. */
typedef struct {
    const axl_adapter *adapter;
    const axl__lora *l;
    int64_t module;
    float *a, *b, *b_bias;
    uint64_t seed, stream;
} init_pair;

typedef axl_status init_fn(init_pair *p);

/* ---- random numbers ---- */

/* half: 0 of A, 1 of B, which has the next stream. */
static double init_uniform(const init_pair *p, int half, int64_t i)
{
    uint64_t stream = (uint64_t)AXL__STREAM_INIT | (p->stream + (uint64_t)half) << 8;

    return 2.0 * axl__random_double(p->seed, stream, (uint64_t)i) - 1.0;
}

/* By Box and Muller, a pair of draws for each. */
static double init_normal(const init_pair *p, int half, int64_t i)
{
    uint64_t stream = (uint64_t)AXL__STREAM_INIT | (p->stream + (uint64_t)half) << 8;
    double u = 1.0 - axl__random_double(p->seed, stream, 2 * (uint64_t)i);
    double v = axl__random_double(p->seed, stream, 2 * (uint64_t)i + 1);

    return sqrt(-2.0 * log(u)) * cos(2.0 * 3.14159265358979323846 * v);
}

/* Kaiming with a = sqrt(5), as torch begins a linear layer. */
static void fill_uniform(const init_pair *p, int half, float *out, int64_t n, int64_t inputs)
{
    double bound = 1.0 / sqrt((double)inputs);

    for (int64_t i = 0; i < n; i++)
        out[i] = (float)(init_uniform(p, half, i) * bound);
}

/* ---- the ways to begin ---- */

static axl_status init_default(init_pair *p)
{
    fill_uniform(p, 0, p->a, p->l->rank * p->l->in, p->l->in);
    return AXL_OK;
}

static axl_status init_random(init_pair *p)
{
    const axl__lora *l = p->l;

    fill_uniform(p, 0, p->a, l->rank * l->in, l->in);
    fill_uniform(p, 1, p->b, l->out * l->rank, l->rank);
    for (int64_t i = 0; i < l->out && l->at[AXL__PART_B_BIAS] >= 0; i++)
        p->b_bias[i] = (float)(init_uniform(p, 1, l->out * l->rank + i) / sqrt((double)l->rank));
    return AXL_OK;
}

static axl_status init_gaussian(init_pair *p)
{
    for (int64_t i = 0; i < p->l->rank * p->l->in; i++)
        p->a[i] = (float)(init_normal(p, 0, i) / (double)p->l->rank);
    return AXL_OK;
}

/* A = (X Q_even)^T / 10, B = Y Q_odd / 10 with the alternate rows of one orthogonal matrix, so that
 * B A = 0.  The numbers of Q come before those of X. */
static axl_status init_orthogonal(init_pair *p)
{
    int64_t r = p->l->rank, half = r / 2;
    double *q = axl__calloc(p->adapter->ctx, (size_t)((2 * r + 1) * r), sizeof *q);

    if (!q)
        return axl__fail_nomem();
    for (int64_t i = 0; i < r * r; i++)
        q[i] = init_normal(p, 0, i);
    axl__orthogonalise(q, q + r * r, r);
    for (int64_t c = 0; c < p->l->in; c++)
        for (int64_t k = 0; k < half; k++) {
            double x = init_normal(p, 0, r * r + c * half + k) / 10.0;
            for (int64_t j = 0; j < r; j++)
                p->a[j * p->l->in + c] += (float)(x * q[2 * k * r + j]);
        }
    for (int64_t o = 0; o < p->l->out; o++)
        for (int64_t k = 0; k < half; k++) {
            double y = init_normal(p, 1, o * half + k) / 10.0;
            for (int64_t j = 0; j < r; j++)
                p->b[o * r + j] += (float)(y * q[(2 * k + 1) * r + j]);
        }
    axl__free(p->adapter->ctx, q);
    return AXL_OK;
}

static axl__weight_of weight_of(const init_pair *p)
{
    const axl__module *of = &p->adapter->model->modules.list[p->module];

    return (axl__weight_of){ p->adapter->model, of, of->weight };
}

/* W = sum_i s_i u_i v_i^T: A has the rows sqrt(s_i / scale) v_i, B the columns sqrt(s_i / scale)
 * u_i. */
static axl_status init_singular(init_pair *p, axl__weight_of of, double scale,
                                const axl__svd_options *how)
{
    const axl__lora *l = p->l;
    axl__svd svd;

    AXL_TRY(axl__svd_make(&svd, of, l->rank, how));
    for (int64_t i = 0; i < l->rank; i++) {
        double root = sqrt(svd.values[i] / scale);
        for (int64_t c = 0; c < l->in; c++)
            p->a[i * l->in + c] = (float)(root * svd.right[i * l->in + c]);
        for (int64_t o = 0; o < l->out; o++)
            p->b[o * l->rank + i] = (float)(root * svd.left[i * l->out + o]);
    }
    axl__svd_free(&svd, p->adapter->ctx);
    return AXL_OK;
}

static axl_status init_pissa(init_pair *p)
{
    const axl__svd_options exact = {
        .what = "pissa", .seed = p->seed, .stream = p->stream, .iterations = -1
    };

    return init_singular(p, weight_of(p), (double)p->l->scale, &exact);
}

static axl_status init_pissa_niter(init_pair *p)
{
    const char *n = strrchr(p->adapter->opts.init_lora_weights, '_') + 1;
    const axl__svd_options rough = {
        .what = "pissa", .seed = p->seed, .stream = p->stream, .iterations = strtol(n, NULL, 10)
    };

    return init_singular(p, weight_of(p), (double)p->l->scale, &rough);
}

/* w (out, in) device: the weight as the files have it, without what its codes stand for.  codes has
 * room for as much. */
static axl_status take_lost(const init_pair *p, axl_mat w, axl_mat codes)
{
    axl_model *m = p->adapter->model;
    const axl__module *of = &m->modules.list[p->module];
    char *name = axl__format(m->ctx, "%s.weight", axl__module_file_name(of));
    axl_scale_columns_args less = { .x = codes, .y = w, .scale = -1.0f, .add = true };

    if (!name)
        return axl__fail_nomem();
    axl_status status = axl__model_read_stored(m, name, w.data);
    axl__free(m->ctx, name);
    AXL_TRY(status);
    AXL_TRY(m->ops->dequantise(m->dev, &(axl_dequantise_args){ .w = of->weight, .y = codes }));
    return m->ops->scale_columns(m->dev, &less);
}

/* LoftQ (Li et al., 2023) of one iteration: the pair begins with what quantising took from the
 * weight.  As in PEFT its scale does not count. */
static axl_status init_loftq(init_pair *p)
{
    const axl__svd_options exact = {
        .what = "loftq", .seed = p->seed, .stream = p->stream, .iterations = -1
    };
    axl_model *m = p->adapter->model;
    int64_t in = p->l->in, n = p->l->out * in;
    axl__weight_of of = weight_of(p);
    void *room = NULL;

    if (of.weight.kind == AXL_WEIGHT_DENSE || m->quant.stored)
        return axl__fail(AXL_ERR_INVALID,
                         "peft_init_lora_weights: loftq wants %s to be quantised while it is "
                         "loaded: load_in_4bit, or peft.loftq_config",
                         of.module->name);
    AXL_TRY(m->ops->buffer_new(m->dev, &room, 2 * (size_t)n * sizeof(float)));
    axl_mat w = { room, AXL_F32, p->l->out, in, in }, codes = w;
    codes.data = (float *)room + n;
    axl_status status = take_lost(p, w, codes);
    of.weight = axl__dense(w);
    if (status == AXL_OK)
        status = init_singular(p, of, 1.0, &exact);
    m->ops->buffer_free(m->dev, room);
    return status;
}

/* W = Q R: B is Q's first r columns, A R's first r rows. */
static axl_status init_olora(init_pair *p)
{
    const axl__lora *l = p->l;
    axl__qr qr;

    AXL_TRY(axl__qr_make(&qr, weight_of(p), l->rank));
    memcpy(p->a, qr.r, (size_t)(l->rank * l->in) * sizeof *p->a);
    for (int64_t o = 0; o < l->out; o++)
        for (int64_t i = 0; i < l->rank; i++)
            p->b[o * l->rank + i] = qr.q[i * l->out + o];
    axl__qr_free(&qr, p->adapter->ctx);
    return AXL_OK;
}

/* The embedding's pair begins with A = 0 and B as torch begins an embedding, however layers do. */
static axl_status init_embedding(init_pair *p)
{
    const axl__lora *l = p->l;
    bool random = strcmp(p->adapter->opts.init_lora_weights, "false") == 0;

    for (int64_t i = 0; random && i < l->rank * l->in; i++)
        p->a[i] = (float)init_normal(p, 0, i);
    for (int64_t i = 0; i < l->out * l->rank; i++)
        p->b[i] = (float)init_normal(p, 1, i);
    return AXL_OK;
}

static const struct {
    const char *name;
    init_fn *fill;
    bool prefix;   /* a number follows */
    bool residual; /* the weight without what the pair begins with is what is trained beside */
} inits[] = {
    { "true", init_default, false, false },
    { "false", init_random, false, false },
    { "gaussian", init_gaussian, false, false },
    { "orthogonal", init_orthogonal, false, false },
    { "pissa_niter_", init_pissa_niter, true, true },
    { "pissa", init_pissa, false, true },
    { "olora", init_olora, false, true },
    { "loftq", init_loftq, false, false },
};

static size_t find_init(const char *name)
{
    size_t i = 0;

    while (inits[i].prefix ? strncmp(name, inits[i].name, strlen(inits[i].name)) != 0
                           : strcmp(name, inits[i].name) != 0)
        i++;
    return i;
}

bool axl__init_is_residual(const char *init)
{
    return inits[find_init(init)].residual;
}

/* ---- the adapter ---- */

static axl_status put_pair(const init_pair *p)
{
    const axl_adapter *a = p->adapter;
    const axl_backend_ops *ops = a->model->ops;
    const axl__lora *l = p->l;

    AXL_TRY(ops->upload(a->model->dev, a->params + l->at[AXL__PART_A], p->a,
                        (size_t)(l->rank * l->in) * sizeof(float)));
    AXL_TRY(ops->upload(a->model->dev, a->params + l->at[AXL__PART_B], p->b,
                        (size_t)(l->out * l->rank) * sizeof(float)));
    if (l->at[AXL__PART_B_BIAS] < 0)
        return AXL_OK;
    return ops->upload(a->model->dev, a->params + l->at[AXL__PART_B_BIAS], p->b_bias,
                       (size_t)l->out * sizeof(float));
}

static axl_status init_layer(axl_adapter *a, int64_t module, uint64_t seed, uint64_t stream)
{
    const axl__lora *l = &a->loras[module];
    bool linear = axl__module_is_linear(&a->model->modules.list[module]);
    init_fn *fill = linear ? inits[find_init(a->opts.init_lora_weights)].fill : init_embedding;
    size_t n = (size_t)(l->rank * l->in + l->out * l->rank + l->out);
    float *host = axl__calloc(a->ctx, n, sizeof *host);

    if (!host)
        return axl__fail_nomem();
    init_pair p = { .adapter = a,
                    .l = l,
                    .module = module,
                    .a = host,
                    .b = host + l->rank * l->in,
                    .b_bias = host + l->rank * (l->in + l->out),
                    .seed = seed,
                    .stream = stream };
    axl_status status = fill(&p);
    if (status == AXL_OK)
        status = put_pair(&p);
    axl__free(a->ctx, host);
    return status == AXL_OK ? axl__cancelled(a->ctx) : status;
}

/* The norms are those of magnitudes that are not yet there. */
static axl_status init_magnitudes(axl_adapter *a)
{
    axl__dora d;

    AXL_TRY(axl__dora_init(&d, a));
    axl_status status = axl__dora_measure(&d, a);
    for (int64_t i = 0; i < a->model->modules.n && status == AXL_OK; i++) {
        const axl__lora *l = &a->loras[i];
        if (l->at[AXL__PART_MAGNITUDE] >= 0)
            status = a->model->ops->copy(a->model->dev, a->params + l->at[AXL__PART_MAGNITUDE],
                                         d.norms + l->gain_at, (size_t)l->out * sizeof(float));
    }
    axl__dora_free(&d, a);
    return status;
}

/* A row of the model's weight to a place in the adapter's values. */
static axl_status copy_row(axl_adapter *a, const axl__module *m, int64_t row, int64_t at)
{
    axl_mat from = m->weight.mat, to = { a->params + at, AXL_F32, 1, m->cols, m->cols };

    from.data = (char *)from.data + (size_t)(row * from.stride) * axl__dtype_size(from.dtype);
    from.rows = 1;
    return a->model->ops->convert(a->model->dev, &(axl_unary_args){ from, to });
}

axl_status axl__adapter_init_copies(axl_adapter *a)
{
    const axl_backend_ops *ops = a->model->ops;

    for (int64_t i = 0; i < a->model->modules.n; i++) {
        const axl__module *m = &a->model->modules.list[i];
        const axl__lora *l = &a->loras[i];
        axl_mat bias = { a->params + l->at[AXL__PART_BIAS], AXL_F32, 1, l->out, l->out };
        axl_mat weight = { a->params + l->at[AXL__PART_WEIGHT], AXL_F32, l->out, l->in, l->in };
        if (l->at[AXL__PART_BIAS] >= 0)
            AXL_TRY(ops->convert(a->model->dev, &(axl_unary_args){ m->bias, bias }));
        if (l->whole)
            AXL_TRY(ops->convert(a->model->dev, &(axl_unary_args){ m->weight.mat, weight }));
        for (int64_t r = 0; r < l->n_rows; r++)
            AXL_TRY(copy_row(a, m, l->rows[r], l->at[AXL__PART_ROWS] + r * l->in));
    }
    return AXL_OK;
}

axl_status axl__adapter_init(axl_adapter *a, uint64_t seed)
{
    uint64_t pair = 0;

    for (int64_t i = 0; i < a->model->modules.n && !a->model->device.counts_only; i++)
        if (a->loras[i].on)
            AXL_TRY(init_layer(a, i, seed, 2 * pair++));
    if (axl__init_is_residual(a->opts.init_lora_weights))
        AXL_TRY(axl__adapter_subtract(a));
    if (a->model->device.counts_only)
        return AXL_OK;
    AXL_TRY(axl__adapter_init_copies(a));
    return init_magnitudes(a);
}
