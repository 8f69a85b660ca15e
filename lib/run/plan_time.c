/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_time.c - how long a run takes, from a trainer of two layers with an embedding cut in the
 * same proportion: the same operations on the same shapes as in the whole model, timed, and scaled
 * by the floating-point operations of each.
 */
#include "plan.h"

#include "base/os.h"

#include <math.h>
#include <string.h>

enum { LAYERS = 2, FIRST_TOKENS = 64 };

#define BUDGET 0.5 /* seconds of timing */

/* ---- work ---- */

/* Whether the weight itself has a gradient. */
static bool trains_whole(const axl_trainer *tr, const axl__module *m)
{
    return tr->adapter ? tr->adapter->loras[m - tr->model->modules.list].whole : m->weight_at >= 0;
}

/* How often a module's weights meet a token: in a forward, in training with checkpointing in
 * another, in one backward for the gradient of the input, and in one for that of the weights where
 * these are trained.  Below what is trained there is no backward. */
static double passes_of(const axl_trainer *tr, bool train, const axl__module *m)
{
    double share = tr->opts.lisa_layers > 0 && m->layer >= 0
                       ? (double)tr->opts.lisa_layers / (double)tr->model->arch.n_layers
                       : 1.0;

    if (!train || (m->layer >= 0 && m->layer < tr->first_layer))
        return 1.0;
    return (tr->opts.checkpointing && m->layer >= 0 ? 3.0 : 2.0) +
           (trains_whole(tr, m) ? share : 0.0);
}

/* Multiplications and additions of n_tokens in sequences with that sum of squared lengths, 2 a
 * weight, token and pass.  Attention looks at half of the squares, twice; its backward is counted
 * as two and a half forwards.  The head is at trained tokens alone. */
static double work_of(const axl_trainer *tr, bool train, double n_tokens, double n_trained,
                      double squares)
{
    const axl__arch *a = &tr->model->arch;
    double linear = 0.0, lora = 0.0, head = 0.0;
    double attention = 2.0 * squares * (double)(a->n_heads * a->head_dim);
    double passes = !train ? 1.0 : tr->opts.checkpointing ? 3.0 : 2.0;
    double behind = train ? (double)(a->n_layers - tr->first_layer) : 0.0; /* layers with both */

    for (int64_t i = 0; i < tr->model->modules.n; i++) {
        const axl__module *m = &tr->model->modules.list[i];
        const axl__lora *l = tr->adapter ? &tr->adapter->loras[i] : NULL;
        double size = (double)m->rows * (double)m->cols * passes_of(tr, train, m);
        linear += m->role == AXL__ROLE_LINEAR ? size : 0.0;
        head += m->role == AXL__ROLE_HEAD ? size : 0.0;
        lora += m->role == AXL__ROLE_LINEAR && l && l->on
                    ? (double)l->rank * (double)(l->in + l->out)
                    : 0.0;
    }
    return 2.0 * n_tokens * (linear + (train ? passes + 1.0 : 1.0) * lora) +
           attention * ((passes + 1.5) * behind + ((double)a->n_layers - behind)) +
           2.0 * n_trained * head;
}

static double survey_work(const axl_trainer *tr, bool train, const axl__survey *s)
{
    return work_of(tr, train, (double)s->n_tokens, (double)s->n_trained, s->squares);
}

/* ---- two layers ---- */

/* One value everywhere is as fast as any, and 0x3C3C is about 0.01 as bf16 and as f32. */
static axl_status new_weight(axl_model *m, axl_mat *out, int64_t rows, int64_t cols)
{
    size_t bytes = (size_t)(rows * cols) * axl__dtype_size(m->compute);
    void *p, *host = axl__alloc_aligned(m->ctx, bytes);

    if (!host)
        return axl__fail_nomem();
    memset(host, 0x3C, bytes);
    axl_status status = m->ops->buffer_new(m->dev, &p, bytes);
    if (status == AXL_OK) {
        status = axl__model_keep(m, p, true);
        if (status < 0)
            m->ops->buffer_free(m->dev, p);
        else
            status = m->ops->upload(m->dev, p, host, bytes);
        *out = (axl_mat){ p, m->compute, rows, cols, cols };
    }
    axl__free_aligned(m->ctx, host);
    return status;
}

static axl_status fill_model(axl_model *m)
{
    AXL_TRY(axl__modules_make(&m->modules, m->ctx, &m->arch));
    for (int64_t i = 0; i < m->modules.n; i++) {
        axl__module *of = &m->modules.list[i];
        if (!of->tied)
            AXL_TRY(new_weight(m, &of->weight.mat, of->rows, of->cols));
        if (of->has_bias)
            AXL_TRY(new_weight(m, &of->bias, 1, of->rows));
    }
    axl__modules_tie(&m->modules);
    return AXL_OK;
}

/* The embedding is cut like the layers, so that the head's share of the work stays about what it
 * is, but not below 256 rows. */
static axl_status new_model(axl_model **out, const axl_model *like, const char *backend)
{
    axl_model *m = axl__model_alloc(like->ctx);

    if (!m)
        return axl__fail_nomem();
    int64_t layers = like->arch.n_layers < LAYERS ? like->arch.n_layers : LAYERS;
    axl_status status = axl__arch_cut(&m->arch, m->ctx, &like->arch, layers);
    m->compute = like->compute;
    m->arch.tied_head = true;
    m->arch.vocab_size = like->arch.vocab_size * layers / like->arch.n_layers;
    if (m->arch.vocab_size < 256)
        m->arch.vocab_size = 256;
    if (status == AXL_OK)
        status = axl__model_open_device(m, backend);
    if (status == AXL_OK)
        status = fill_model(m);
    if (status == AXL_OK)
        *out = m;
    else
        axl_model_free(m);
    return status;
}

/* The kinds of layers that have a pair in `like` have one here. */
static axl_status new_adapter(axl_adapter **out, axl_model *m, const axl_adapter *like)
{
    const axl__modules *from = &like->model->modules;
    bool *on = axl__calloc(m->ctx, (size_t)m->modules.n, sizeof *on);
    axl_adapter_options o = like->opts;

    o.n_trainable_tokens = o.n_trainable_head_tokens = 0; /* there are fewer tokens */
    if (!on)
        return axl__fail_nomem();
    for (int64_t i = 0; i < from->n; i++)
        for (int64_t l = 0; l < m->arch.n_layers && like->loras[i].on; l++)
            on[axl__modules_peer(&m->modules, from, i, l)] = true;
    axl_status status = axl__adapter_make(out, m, on, &o);
    axl__free(m->ctx, on);
    return status;
}

/* Without LISA, whose layers would be more than there are, and with all weights, whose names those
 * of unfrozen_parameters would not be; what they leave out is in the work. */
static axl_status new_trainer(axl_trainer **out, const axl_trainer *like, const char *backend)
{
    axl_trainer_options o = like->opts;
    axl_adapter *adapter = NULL;
    axl_model *m = NULL;

    o.schedule = NULL;
    o.lisa_layers = 0;
    o.lisa_steps = 0;
    o.n_unfrozen_parameters = 0;
    AXL_TRY(new_model(&m, like->model, backend));
    axl_status status = like->adapter ? new_adapter(&adapter, m, like->adapter) : AXL_OK;
    if (status == AXL_OK)
        status = axl_trainer_new(out, m, adapter, &o);
    axl_adapter_free(adapter);
    axl_model_free(m);
    return status;
}

/* ---- timing ---- */

typedef struct {
    axl_trainer *tr;
    int32_t *ids, *labels, *cu; /* (cap), (cap), (cap + 1) */
    int64_t length;             /* of a sequence */
    double trained;             /* share of the tokens */
    double batch, step, work;   /* of a timed batch: seconds, seconds, operations */
} timing;

/* Which ids they are does not matter to the time.  The trained tokens are a sequence's last ones,
 * as an answer's are, and never its first. */
static axl_status time_batch(timing *t, int64_t n_tokens)
{
    axl_batch b = AXL_BATCH_INIT;
    double squares = 0.0;
    int64_t n_trained = 0;

    for (int64_t at = 0; at < n_tokens; at += t->length) {
        int64_t n = n_tokens - at < t->length ? n_tokens - at : t->length;
        t->cu[b.n_seqs++] = (int32_t)at;
        squares += (double)n * (double)n;
        for (int64_t i = 0; i < n; i++) {
            bool on = i > 0 && (double)(n - i) <= ceil(t->trained * (double)n);
            t->ids[at + i] = (int32_t)((at + i) % t->tr->model->arch.vocab_size);
            t->labels[at + i] = on ? t->ids[at + i] : AXL_LABEL_IGNORE;
            n_trained += on;
        }
    }
    t->cu[b.n_seqs] = (int32_t)n_tokens;
    b.input_ids = t->ids;
    b.labels = t->labels;
    b.cu_seqlens = t->cu;
    b.n_tokens = (uint32_t)n_tokens;
    double began = axl__now();
    AXL_TRY(axl_trainer_forward_backward(t->tr, &b, NULL));
    t->batch = axl__now() - began;
    t->work = work_of(t->tr, true, (double)n_tokens, (double)n_trained, squares);
    if (n_trained == 0) {
        axl_trainer_zero_grad(t->tr);
        return AXL_OK;
    }
    AXL_TRY(axl_trainer_step(t->tr, NULL));
    t->step = axl__now() - began - t->batch;
    return AXL_OK;
}

/* A small batch says how large one may be; of such, for as long as the budget lasts and at least
 * two, the fastest counts. */
static axl_status time_batches(timing *t, int64_t mean_tokens)
{
    int64_t n = mean_tokens < FIRST_TOKENS ? mean_tokens : FIRST_TOKENS;
    double batch = INFINITY, step = INFINITY, began;

    AXL_TRY(time_batch(t, n)); /* threads, caches */
    AXL_TRY(time_batch(t, n));
    double fits = (double)n * BUDGET / 2.0 / t->batch;
    n = fits > (double)mean_tokens ? mean_tokens : fits > (double)n ? (int64_t)fits : n;
    began = axl__now();
    for (int i = 0; i < 2 || axl__now() - began < BUDGET; i++) {
        AXL_TRY(time_batch(t, n));
        batch = fmin(batch, t->batch);
        step = fmin(step, t->step);
    }
    t->batch = batch;
    t->step = step;
    return AXL_OK;
}

/* Batches scale with their work, the optimizer's step with the number of trained parameters. */
static double seconds_of(const timing *t, const axl_trainer *counted, const axl__batches *b)
{
    /* The surveyed epochs stand for all. */
    double whole = b->total_steps > 0 && b->train.n_steps > 0
                       ? (double)b->total_steps / (double)b->train.n_steps
                       : 1.0;
    double rate = t->work / t->batch;
    double params = (double)counted->trained.n_params / (double)t->tr->trained.n_params;

    return whole * survey_work(counted, true, &b->train) / rate +
           (double)b->n_evals * survey_work(counted, false, &b->valid) / rate +
           whole * (double)b->train.n_steps * t->step * params;
}

axl_status axl__plan_seconds(const axl_trainer *counted, const char *backend, const axl__batches *b,
                             double *out)
{
    const axl__survey *s = &b->train;
    axl_context *ctx = counted->ctx;
    timing t = { 0 };

    *out = 0.0;
    if (s->n_batches == 0)
        return AXL_OK;
    int64_t mean = (int64_t)(s->n_tokens / s->n_batches);
    t.length = (int64_t)(s->squares / (double)s->n_tokens); /* a token's mean sequence */
    t.trained = (double)s->n_trained / (double)s->n_tokens;
    AXL_TRY(axl__poll(ctx, "plan", 0, 1));
    t.ids = axl__alloc(ctx, ((size_t)mean * 3 + 1) * sizeof *t.ids);
    if (!t.ids)
        return axl__fail_nomem();
    t.labels = t.ids + mean;
    t.cu = t.labels + mean;
    axl_status status = new_trainer(&t.tr, counted, backend);
    if (status == AXL_OK)
        status = time_batches(&t, mean);
    if (status == AXL_OK)
        *out = seconds_of(&t, counted, b);
    axl_trainer_free(t.tr);
    axl__free(ctx, t.ids);
    return status < 0 ? status : axl__poll(ctx, "plan", 1, 1);
}
