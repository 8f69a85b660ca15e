/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network.c - see network.h.  The arena is laid out anew for each batch by the same code that
 * measures it; nothing is allocated once the largest batch was seen.
 */
#include "network.h"
#include "weights.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

/* ---- life ---- */

axl_status axl__network_init(axl__network *n, axl_model *model, const axl_adapter *adapter,
                             bool checkpointing)
{
    size_t layers = (size_t)model->arch.n_layers;

    memset(n, 0, sizeof *n);
    n->pass.model = model;
    n->pass.ops = model->ops;
    n->pass.dev = model->dev;
    n->pass.adapter = adapter;
    n->checkpointing = checkpointing;
    axl__step_arena_init(&n->arena, model->ops, model->dev);
    n->h = axl__calloc(model->ctx, layers + 1, sizeof *n->h);
    n->acts = axl__calloc(model->ctx, layers, sizeof *n->acts);
    if (!n->h || !n->acts) {
        axl__network_free(n);
        return axl__fail_nomem();
    }
    return AXL_OK;
}

void axl__network_free(axl__network *n)
{
    const axl_backend_ops *ops = n->pass.ops;

    if (!ops)
        return;
    axl_context *ctx = n->pass.model->ctx;
    axl__step_arena_free(&n->arena);
    ops->buffer_free(n->pass.dev, n->cos);
    ops->buffer_free(n->pass.dev, n->sin);
    ops->buffer_free(n->pass.dev, n->index);
    axl__free_aligned(ctx, n->host);
    axl__free(ctx, n->h);
    axl__free(ctx, n->acts);
    memset(n, 0, sizeof *n);
}

/* ---- tables and indices ---- */

static axl_status fill_rope(axl__network *n, float *cos_dev, float *sin_dev, int64_t positions)
{
    axl_context *ctx = n->pass.model->ctx;
    size_t count = (size_t)(positions * n->pass.model->arch.head_dim / 2);
    float *host = axl__alloc_aligned(ctx, 2 * count * sizeof *host);

    if (!host)
        return axl__fail_nomem();
    axl__arch_rope_table(&n->pass.model->arch, host, host + count, positions);
    axl_status status = n->pass.ops->upload(n->pass.dev, cos_dev, host, count * sizeof *host);
    if (status == AXL_OK)
        status = n->pass.ops->upload(n->pass.dev, sin_dev, host + count, count * sizeof *host);
    axl__free_aligned(ctx, host);
    return status;
}

static axl_status need_positions(axl__network *n, int64_t positions)
{
    const axl_backend_ops *ops = n->pass.ops;
    void *c = NULL, *s = NULL;

    if (positions <= n->n_positions)
        return AXL_OK;
    size_t bytes = (size_t)(positions * n->pass.model->arch.head_dim / 2) * sizeof(float);
    axl_status status = ops->buffer_new(n->pass.dev, &c, bytes);
    if (status == AXL_OK)
        status = ops->buffer_new(n->pass.dev, &s, bytes);
    if (status == AXL_OK)
        status = fill_rope(n, c, s, positions);
    if (status < 0) {
        ops->buffer_free(n->pass.dev, c);
        ops->buffer_free(n->pass.dev, s);
        return status;
    }
    ops->buffer_free(n->pass.dev, n->cos);
    ops->buffer_free(n->pass.dev, n->sin);
    n->cos = c;
    n->sin = s;
    n->n_positions = positions;
    return AXL_OK;
}

/* Room for ids, positions, rows and targets of T tokens. */
static axl_status need_index(axl__network *n, int64_t tokens)
{
    axl_context *ctx = n->pass.model->ctx;
    size_t bytes = (size_t)tokens * 4 * sizeof(int32_t);
    void *dev = NULL;

    if (tokens <= n->index_cap)
        return AXL_OK;
    int32_t *host = axl__alloc_aligned(ctx, bytes);
    if (!host)
        return axl__fail_nomem();
    axl_status status = n->pass.ops->buffer_new(n->pass.dev, &dev, bytes);
    if (status < 0) {
        axl__free_aligned(ctx, host);
        return status;
    }
    axl__free_aligned(ctx, n->host);
    n->pass.ops->buffer_free(n->pass.dev, n->index);
    n->host = host;
    n->index = dev;
    n->index_cap = tokens;
    return AXL_OK;
}

axl_status axl__batch_check(const axl_batch *b, const axl__arch *arch)
{
    if (!b || b->size < sizeof *b)
        return axl__fail(AXL_ERR_ABI, "axl_batch has no valid size; use AXL_BATCH_INIT");
    if (!b->input_ids || !b->labels || !b->cu_seqlens || b->n_tokens == 0 || b->n_seqs == 0 ||
        b->n_tokens > INT32_MAX)
        return axl__fail(AXL_ERR_INVALID, "the batch is empty, or one of its arrays is NULL");
    if (b->cu_seqlens[0] != 0 || b->cu_seqlens[b->n_seqs] != (int32_t)b->n_tokens)
        return axl__fail(AXL_ERR_INVALID, "cu_seqlens must begin with 0 and end with n_tokens");
    for (uint32_t s = 0; s < b->n_seqs; s++) {
        int64_t len = (int64_t)b->cu_seqlens[s + 1] - b->cu_seqlens[s];
        if (len <= 0)
            return axl__fail(AXL_ERR_INVALID, "sequence %u of the batch is empty", s);
    }
    for (uint32_t t = 0; t < b->n_tokens; t++) {
        if (b->input_ids[t] < 0 || b->input_ids[t] >= arch->vocab_size)
            return axl__fail(AXL_ERR_INVALID, "token id %d at %u is outside the model's %lld",
                             b->input_ids[t], t, (long long)arch->vocab_size);
        if (b->labels[t] != AXL_LABEL_IGNORE &&
            (b->labels[t] < 0 || b->labels[t] >= arch->vocab_size))
            return axl__fail(AXL_ERR_INVALID, "label %d at %u is outside the model's %lld",
                             b->labels[t], t, (long long)arch->vocab_size);
        if (b->positions && (b->positions[t] < 0 || b->positions[t] > 1 << 24))
            return axl__fail(AXL_ERR_INVALID, "position %d at %u is out of range", b->positions[t],
                             t);
    }
    return AXL_OK;
}

typedef struct {
    const int32_t *ids, *positions, *rows, *targets; /* device */
    int64_t n_trained;
} batch_index;

/* The rows that predict a trained label, and the labels, behind ids and positions. */
static axl_status load_batch(axl__network *n, const axl_batch *b, batch_index *out)
{
    int64_t T = b->n_tokens, trained = 0, longest = 0;

    AXL_TRY(need_index(n, T));
    int32_t *positions = n->host + T, *rows = n->host + 2 * T, *targets = n->host + 3 * T;
    memcpy(n->host, b->input_ids, (size_t)T * sizeof(int32_t));
    for (uint32_t s = 0; s < b->n_seqs; s++) {
        for (int32_t t = b->cu_seqlens[s]; t < b->cu_seqlens[s + 1]; t++) {
            positions[t] = b->positions ? b->positions[t] : t - b->cu_seqlens[s];
            longest = positions[t] > longest ? positions[t] : longest;
            if (t > b->cu_seqlens[s] && b->labels[t] != AXL_LABEL_IGNORE) {
                rows[trained] = t - 1;
                targets[trained++] = b->labels[t];
            }
        }
    }
    AXL_TRY(need_positions(n, longest + 1));
    *out = (batch_index){ n->index, n->index + T, n->index + 2 * T, n->index + 3 * T, trained };
    return n->pass.ops->upload(n->pass.dev, n->index, n->host, (size_t)T * 4 * sizeof(int32_t));
}

/* ---- the arena's layout ---- */

typedef struct {
    axl__layer_scratch layer;
    axl_mat dh;                       /* (T, C), training */
    axl_mat rows, norm, dnorm, drows; /* (HEAD_ROWS, C) */
    axl_mat logits, xa;               /* (HEAD_ROWS, V) f32, (HEAD_ROWS, r) */
    float *rstd, *losses;             /* (HEAD_ROWS), (T) */
    axl__linear_scratch head;
} work;

static void lay_out_head(axl__network *n, work *w, int64_t rows, bool train)
{
    const axl__arch *a = &n->pass.model->arch;
    axl__step_arena *m = &n->arena;
    axl_dtype t = n->pass.model->compute;
    int64_t r = axl__linears_rank(&n->pass, axl__head_linears(n->pass.model));

    w->rows = axl__step_arena_mat(m, t, rows, a->hidden_size);
    w->norm = axl__step_arena_mat(m, t, rows, a->hidden_size);
    w->rstd = axl__step_arena_take(m, (size_t)rows * sizeof(float));
    w->logits = axl__step_arena_mat(m, AXL_F32, rows, a->vocab_size);
    w->xa = axl__step_arena_mat(m, t, rows, r);
    if (n->pass.dropout > 0.0f)
        w->head.drop = axl__step_arena_mat(m, t, rows, a->hidden_size);
    w->head.frozen = axl__step_arena_mat(m, t, rows, axl__frozen_rank(&n->pass));
    if (!train)
        return;
    w->head.dxa = axl__step_arena_mat(m, t, rows, r);
    w->dnorm = axl__step_arena_mat(m, t, rows, a->hidden_size);
    axl_matmul_args back = { .x = { NULL, t, rows, a->vocab_size, a->vocab_size },
                             .w = { NULL, t, a->vocab_size, a->hidden_size, a->hidden_size },
                             .y = w->dnorm,
                             .compute = t };
    w->head.parts_size = n->pass.ops->scratch(n->pass.dev, AXL_OP_matmul, &back);
    w->head.parts = axl__step_arena_take(m, w->head.parts_size);
    w->drows = axl__step_arena_mat(m, t, rows, a->hidden_size);
}

static void lay_out(axl__network *n, work *w, int64_t T, int64_t longest, bool train)
{
    const axl__arch *a = &n->pass.model->arch;
    axl_dtype t = n->pass.model->compute;
    bool keep = train && !n->checkpointing;

    memset(w, 0, sizeof *w);
    n->arena.used = 0;
    for (int64_t l = 0; l <= a->n_layers; l++)
        n->h[l] = !train && l >= 2 ? n->h[l - 2] /* two take turns */
                                   : axl__step_arena_mat(&n->arena, t, T, a->hidden_size);
    for (int64_t l = 0; l < a->n_layers; l++) {
        if (keep || l == 0)
            axl__layer_acts_take(&n->arena, &n->acts[l], &n->pass, T);
        else
            n->acts[l] = n->acts[0];
        n->acts[l].h = n->h[l];
    }
    axl__layer_scratch_take(&n->arena, &w->layer, &n->pass, T, longest, train);
    if (train)
        w->dh = axl__step_arena_mat(&n->arena, t, T, a->hidden_size);
    w->losses = axl__step_arena_take(&n->arena, (size_t)T * sizeof(float));
    lay_out_head(n, w, T < AXL__HEAD_ROWS ? T : AXL__HEAD_ROWS, train);
}

/* For T tokens in sequences of at most `longest`. */
static axl_status make_room(axl__network *n, work *w, int64_t T, int64_t longest, bool train)
{
    axl__step_arena real = n->arena;

    n->arena.base = NULL;
    n->arena.peak = 0;
    lay_out(n, w, T, longest, train);
    real.peak = n->arena.peak;
    n->arena = real;
    AXL_TRY(axl__step_arena_reserve(&n->arena, real.peak));
    lay_out(n, w, T, longest, train);
    return AXL_OK;
}

axl_status axl__network_reserve(axl__network *n, int64_t n_tokens, int64_t max_len, bool train)
{
    float dropout = n->pass.dropout;
    work w;

    AXL_TRY(need_index(n, n_tokens));
    AXL_TRY(need_positions(n, max_len));
    n->pass.dropout = train ? dropout : 0.0f;
    axl_status status = make_room(n, &w, n_tokens, max_len, train);
    n->pass.dropout = dropout;
    return status;
}

/* ---- forward ---- */

static axl_status gather(axl__network *n, axl_mat x, const int32_t *rows, int64_t count, axl_mat y)
{
    axl_rows_args a = { x, y, rows, count };

    return n->pass.ops->gather_rows(n->pass.dev, &a);
}

static axl_mat rows_from(axl_mat m, int64_t first, int64_t count)
{
    m.data = (char *)m.data + (size_t)(first * m.stride) * axl__dtype_size(m.dtype);
    m.rows = count;
    return m;
}

/* Input embeddings; in training, noise of alpha / sqrt(L C) over a sequence of L tokens. */
static axl_status embed(axl__network *n, const axl__layout *at, const int32_t *ids)
{
    axl_mat h = n->h[0];

    AXL_TRY(gather(n, n->pass.model->embed, ids, at->n_tokens, h));
    if (!n->pass.grads || n->noise_alpha <= 0.0)
        return AXL_OK;
    for (int64_t s = 0; s < at->n_seqs; s++) {
        int64_t first = at->cu_q[s], len = at->cu_q[s + 1] - first;
        double scale = n->noise_alpha / sqrt((double)(len * h.cols));
        axl_noise_args a = { rows_from(h, first, len), (float)scale, n->pass.dropout_seed,
                             AXL__STREAM_NOISE, (uint64_t)(first * h.cols) };
        AXL_TRY(n->pass.ops->noise(n->pass.dev, &a));
    }
    return AXL_OK;
}

static axl_status run_layers(axl__network *n, const axl__layout *at, const int32_t *ids, work *w,
                             const char *phase, uint64_t total)
{
    axl_model *m = n->pass.model;

    AXL_TRY(embed(n, at, ids));
    for (int64_t l = 0; l < m->arch.n_layers; l++) {
        AXL_TRY(phase ? axl__poll(m->ctx, phase, (uint64_t)l, total) : axl__cancelled(m->ctx));
        AXL_TRY(axl__layer_forward(&n->pass, l, at, &n->acts[l], n->h[l + 1], &w->layer));
    }
    return AXL_OK;
}

/* Norm and head of `count` rows of the last hidden state; row mats are cut to fit. */
static axl_status run_head(axl__network *n, work *w, const int32_t *rows, int64_t count)
{
    axl_model *m = n->pass.model;

    w->rows.rows = w->norm.rows = w->logits.rows = w->xa.rows = count;
    AXL_TRY(gather(n, n->h[m->arch.n_layers], rows, count, w->rows));
    axl_rms_norm_args a = { w->rows,
                            w->norm,
                            m->final_norm.data,
                            m->final_norm.dtype,
                            w->rstd,
                            (float)m->arch.rms_norm_eps };
    AXL_TRY(n->pass.ops->rms_norm_forward(n->pass.dev, &a));
    return axl__linears_forward(&n->pass, axl__head_linears(m), w->norm, (axl_mat){ 0 }, &w->logits,
                                w->xa, &w->head);
}

/* ---- loss and backward ---- */

/* The gradient of the logits lies over them: in bf16 with twice the stride. */
static axl_mat over_logits(const axl__network *n, const work *w)
{
    axl_mat d = w->logits;

    if (n->pass.model->compute == AXL_BF16) {
        d.dtype = AXL_BF16;
        d.stride *= 2;
    }
    return d;
}

static axl_status head_backward(axl__network *n, work *w, const int32_t *rows, int64_t count,
                                axl_mat dlogits)
{
    axl_model *m = n->pass.model;
    const axl_backend_ops *ops = n->pass.ops;

    w->dnorm.rows = w->drows.rows = count;
    AXL_TRY(axl__linears_backward(&n->pass, axl__head_linears(m), w->norm, &dlogits, w->xa,
                                  w->dnorm, &w->head));
    AXL_TRY(ops->zero(n->pass.dev, w->drows.data,
                      (size_t)(count * w->drows.cols) * axl__dtype_size(w->drows.dtype)));
    axl_rms_norm_backward_args b = {
        w->rows, w->dnorm, w->drows, m->final_norm.data, m->final_norm.dtype, w->rstd
    };
    AXL_TRY(ops->rms_norm_backward(n->pass.dev, &b));
    AXL_TRY(axl__norm_weight_gradient(&n->pass, -1, w->rows, m->final_norm, w->rstd, w->dnorm));
    axl_rows_args s = { w->drows, w->dh, rows, count };
    return ops->scatter_rows(n->pass.dev, &s);
}

static axl_status run_loss(axl__network *n, work *w, const batch_index *x, double scale, bool train)
{
    axl_mat none = { 0 };

    if (train)
        AXL_TRY(
            n->pass.ops->zero(n->pass.dev, w->dh.data,
                              (size_t)(w->dh.rows * w->dh.cols) * axl__dtype_size(w->dh.dtype)));
    for (int64_t i = 0; i < x->n_trained; i += AXL__HEAD_ROWS) {
        int64_t count = x->n_trained - i < AXL__HEAD_ROWS ? x->n_trained - i : AXL__HEAD_ROWS;
        AXL_TRY(axl__cancelled(n->pass.model->ctx));
        AXL_TRY(run_head(n, w, x->rows + i, count));
        axl_mat d = train ? over_logits(n, w) : none;
        axl_cross_entropy_args c = { .logits = w->logits,
                                     .dlogits = d,
                                     .targets = x->targets + i,
                                     .losses = w->losses + i,
                                     .scale = (float)scale,
                                     .smoothing = train ? (float)n->smoothing : 0.0f };
        AXL_TRY(n->pass.ops->cross_entropy(n->pass.dev, &c));
        if (train)
            AXL_TRY(head_backward(n, w, x->rows + i, count, d));
    }
    return AXL_OK;
}

static axl_status sum_losses(axl__network *n, const work *w, int64_t count, double *sum)
{
    float chunk[1024];

    *sum = 0.0;
    for (int64_t i = 0; i < count; i += 1024) {
        int64_t k = count - i < 1024 ? count - i : 1024;
        AXL_TRY(
            n->pass.ops->download(n->pass.dev, chunk, w->losses + i, (size_t)k * sizeof(float)));
        for (int64_t j = 0; j < k; j++)
            *sum += (double)chunk[j];
    }
    if (!isfinite(*sum))
        return axl__fail(AXL_ERR_NUMERIC, "the loss is not finite (%s)",
                         isnan(*sum) ? "NaN" : "infinite");
    return AXL_OK;
}

static axl_status embedding_gradient(axl__network *n, const int32_t *ids, axl_mat dh)
{
    axl_mat d = axl__weights_gradient(n->pass.model, n->pass.model->embed, n->pass.grads);
    axl_rows_args a = { dh, d, ids, dh.rows };

    return n->pass.ops->add_rows(n->pass.dev, &a);
}

static axl_status run_backward(axl__network *n, const axl__layout *at, const int32_t *ids, work *w,
                               const char *phase)
{
    axl_model *m = n->pass.model;
    uint64_t layers = (uint64_t)m->arch.n_layers;
    bool embedding = axl__trains_weights(&n->pass);
    axl_mat none = { 0 };

    for (int64_t l = m->arch.n_layers - 1; l >= 0; l--) {
        AXL_TRY(axl__poll(m->ctx, phase, 2 * layers - 1 - (uint64_t)l, 2 * layers));
        if (n->checkpointing)
            AXL_TRY(axl__layer_forward(&n->pass, l, at, &n->acts[l], none, &w->layer));
        AXL_TRY(axl__layer_backward(&n->pass, l, at, &n->acts[l], w->dh, embedding || l > 0,
                                    &w->layer));
    }
    if (embedding)
        AXL_TRY(embedding_gradient(n, ids, w->dh));
    return axl__poll(m->ctx, phase, 2 * layers, 2 * layers);
}

static int64_t longest_sequence(const axl_batch *b)
{
    int64_t longest = 0;

    for (uint32_t s = 0; s < b->n_seqs; s++) {
        int64_t len = (int64_t)b->cu_seqlens[s + 1] - b->cu_seqlens[s];
        longest = len > longest ? len : longest;
    }
    return longest;
}

axl_status axl__network_loss(axl__network *n, const axl_batch *b, double scale, const char *phase,
                             double *loss_sum)
{
    bool train = n->pass.grads != NULL;
    uint64_t total = (uint64_t)n->pass.model->arch.n_layers * (train ? 2 : 1);
    batch_index x;
    work w;

    *loss_sum = 0.0;
    AXL_TRY(load_batch(n, b, &x));
    AXL_TRY(make_room(n, &w, b->n_tokens, longest_sequence(b), train));
    if (x.n_trained == 0)
        return AXL_OK;
    axl__layout at = { b->n_tokens,         b->n_seqs,   b->cu_seqlens, b->cu_seqlens,
                       longest_sequence(b), x.positions, n->cos,        n->sin };
    AXL_TRY(run_layers(n, &at, x.ids, &w, phase, total));
    AXL_TRY(run_loss(n, &w, &x, scale, train));
    AXL_TRY(sum_losses(n, &w, x.n_trained, loss_sum));
    return train ? run_backward(n, &at, x.ids, &w, phase) : AXL_OK;
}

/* ---- logits ---- */

axl_status axl__network_logits(axl__network *n, const int32_t *ids, int64_t count, float *logits)
{
    const int32_t cu[2] = { 0, (int32_t)count };
    int64_t V = n->pass.model->arch.vocab_size;
    work w;

    AXL_TRY(need_index(n, count));
    AXL_TRY(need_positions(n, count));
    memcpy(n->host, ids, (size_t)count * sizeof *ids);
    for (int64_t t = 0; t < count; t++)
        n->host[count + t] = (int32_t)t;
    AXL_TRY(n->pass.ops->upload(n->pass.dev, n->index, n->host, (size_t)count * 2 * sizeof *ids));
    AXL_TRY(make_room(n, &w, count, count, false));
    axl__layout at = { count, 1, cu, cu, count, n->index + count, n->cos, n->sin };
    AXL_TRY(run_layers(n, &at, n->index, &w, "generate", 0));
    for (int64_t i = 0; i < count; i += AXL__HEAD_ROWS) {
        int64_t k = count - i < AXL__HEAD_ROWS ? count - i : AXL__HEAD_ROWS;
        AXL_TRY(axl__cancelled(n->pass.model->ctx));
        AXL_TRY(run_head(n, &w, n->index + count + i, k)); /* positions double as row numbers */
        AXL_TRY(n->pass.ops->download(n->pass.dev, logits + i * V, w.logits.data,
                                      (size_t)(k * V) * sizeof *logits));
    }
    return AXL_OK;
}

/* ---- one token after another ---- */

axl_status axl__kv_cache_init(axl__kv_cache *c, axl__network *n, int64_t cap)
{
    const axl__arch *a = &n->pass.model->arch;
    int64_t kv = a->n_kv_heads * a->head_dim;
    size_t bytes = (size_t)(cap * kv) * axl__dtype_size(n->pass.model->compute);

    memset(c, 0, sizeof *c);
    c->cap = cap;
    c->k = axl__calloc(n->pass.model->ctx, (size_t)a->n_layers * 2, sizeof *c->k);
    if (!c->k)
        return axl__fail_nomem();
    c->v = c->k + a->n_layers;
    for (int64_t i = 0; i < a->n_layers * 2; i++) {
        c->k[i] = (axl_mat){ NULL, n->pass.model->compute, cap, kv, kv };
        axl_status status = n->pass.ops->buffer_new(n->pass.dev, &c->k[i].data, bytes);
        if (status < 0) {
            axl__kv_cache_free(c, n);
            return status;
        }
    }
    return AXL_OK;
}

void axl__kv_cache_free(axl__kv_cache *c, axl__network *n)
{
    for (int64_t i = 0; c->k && i < n->pass.model->arch.n_layers * 2; i++)
        n->pass.ops->buffer_free(n->pass.dev, c->k[i].data);
    if (c->k)
        axl__free(n->pass.model->ctx, c->k);
    memset(c, 0, sizeof *c);
}

axl_status axl__network_continue(axl__network *n, axl__kv_cache *c, const int32_t *ids,
                                 int64_t count, float *logits)
{
    const int32_t cu_q[2] = { 0, (int32_t)count }, cu_k[2] = { 0, (int32_t)(c->len + count) };
    work w;

    AXL_TRY(need_index(n, count));
    AXL_TRY(need_positions(n, c->cap));
    memcpy(n->host, ids, (size_t)count * sizeof *ids);
    for (int64_t t = 0; t < count; t++)
        n->host[count + t] = (int32_t)(c->len + t);
    n->host[2 * count] = (int32_t)(count - 1);
    AXL_TRY(
        n->pass.ops->upload(n->pass.dev, n->index, n->host, ((size_t)count * 2 + 1) * sizeof *ids));
    AXL_TRY(make_room(n, &w, count, count, false));
    for (int64_t l = 0; l < n->pass.model->arch.n_layers; l++) {
        axl__layer_acts *x = &n->acts[l];
        x->k = rows_from(c->k[l], c->len, count);
        x->v = rows_from(c->v[l], c->len, count);
        x->all_k = rows_from(c->k[l], 0, c->len + count);
        x->all_v = rows_from(c->v[l], 0, c->len + count);
    }
    axl__layout at = { count, 1, cu_q, cu_k, count, n->index + count, n->cos, n->sin };
    AXL_TRY(run_layers(n, &at, n->index, &w, NULL, 0));
    AXL_TRY(run_head(n, &w, n->index + 2 * count, 1));
    AXL_TRY(n->pass.ops->download(n->pass.dev, logits, w.logits.data,
                                  (size_t)n->pass.model->arch.vocab_size * sizeof *logits));
    c->len += count;
    return AXL_OK;
}
