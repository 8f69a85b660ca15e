/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resize.c - another number of tokens: the rows of the embedding and of the head, as transformers 5
 * resizes them.  New rows are normal with deviation initializer_range, or all but the mean of the
 * old ones: of their covariance times 1e-9 (Hewitt, "Initializing new word embeddings for
 * pretrained language models", 2021).  Which numbers come follows from the seed, the matrix and the
 * element.
 *
 * A normal vector of covariance X^T X / n is a sum of the centred rows X, each times a normal
 * number over sqrt(n); so no covariance is made, and the sums are one product for some rows at a
 * time.
 */
#include "model.h"

#include "base/rng.h"
#include "config/config.h"

#include <math.h>
#include <string.h>

enum { PIECE_ROWS = 64 };

static const double shrinking = 1e-9; /* of the covariance */

/* The rows of a weight that are new. */
typedef struct {
    axl_model *m;
    axl_mat old; /* (n, C) */
    int64_t rows, more;
    bool mean;
    uint64_t seed, stream;
} growth;

static double normal(const growth *g, uint64_t i)
{
    uint64_t stream = (uint64_t)AXL__STREAM_GROW | g->stream << 8;
    double u = 1.0 - axl__random_double(g->seed, stream, 2 * i);
    double v = axl__random_double(g->seed, stream, 2 * i + 1);

    return sqrt(-2.0 * log(u)) * cos(2.0 * 3.14159265358979323846 * v);
}

/* out (count, C) host = factors (count, n) host times the old rows. */
static axl_status sum_rows(const growth *g, const float *factors, int64_t count, float *out)
{
    const axl_backend_ops *ops = g->m->ops;
    int64_t n = g->old.rows, C = g->old.cols;
    size_t bytes = (size_t)(count * n) * sizeof(float);
    size_t sums = (size_t)(count * C) * sizeof(float);
    void *x = NULL, *y = NULL;
    axl_status status = ops->buffer_new(g->m->dev, &x, bytes);

    if (status == AXL_OK)
        status = ops->buffer_new(g->m->dev, &y, sums);
    if (status == AXL_OK)
        status = ops->upload(g->m->dev, x, factors, bytes);
    axl_matmul_args a = { .x = { x, AXL_F32, count, n, n },
                          .w = axl__dense(g->old),
                          .y = { y, AXL_F32, count, C, C },
                          .alpha = 1.0f,
                          .compute = AXL_F32 };
    if (status == AXL_OK)
        status = ops->matmul(g->m->dev, &a);
    if (status == AXL_OK)
        status = ops->download(g->m->dev, out, y, sums);
    ops->buffer_free(g->m->dev, x);
    ops->buffer_free(g->m->dev, y);
    return status;
}

/* count rows from `first` of the new ones on, around the mean; work (count + 1, n), sums
 * (count + 1, C).  With no more rows than columns there is no covariance to draw from, and
 * transformers takes the mean. */
static axl_status fill_mean(const growth *g, int64_t first, int64_t count, float *work, float *sums,
                            float *out)
{
    int64_t n = g->old.rows, C = g->old.cols;
    double scale = n > C ? sqrt(shrinking / (double)n) : 0.0;

    for (int64_t i = 0; i < n; i++)
        work[i] = 1.0f;
    for (int64_t i = 0; i < count * n; i++)
        work[n + i] = scale > 0.0 ? (float)normal(g, (uint64_t)(first * n + i)) : 0.0f;
    AXL_TRY(sum_rows(g, work, count + 1, sums));
    for (int64_t r = 0; r < count; r++) {
        double drawn = 0.0;
        for (int64_t i = 0; i < n; i++)
            drawn += (double)work[(r + 1) * n + i];
        for (int64_t c = 0; c < C; c++) {
            double mean = (double)sums[c] / (double)n;
            out[r * C + c] = (float)(mean + scale * ((double)sums[(r + 1) * C + c] - drawn * mean));
        }
    }
    return AXL_OK;
}

/* Some of the new rows, from `first` on, into host memory. */
static axl_status fill_rows(const growth *g, int64_t first, int64_t count, float *out)
{
    int64_t n = g->old.rows, C = g->old.cols;
    axl_context *ctx = g->m->ctx;

    if (!g->mean) {
        for (int64_t i = 0; i < count * C; i++)
            out[i] = (float)(g->m->arch.initializer_range * normal(g, (uint64_t)(first * C + i)));
        return AXL_OK;
    }
    float *work = axl__alloc_aligned(ctx, (size_t)((count + 1) * n) * sizeof *work);
    float *sums = axl__alloc_aligned(ctx, (size_t)((count + 1) * C) * sizeof *sums);
    axl_status status =
        work && sums ? fill_mean(g, first, count, work, sums, out) : axl__fail_nomem();
    axl__free_aligned(ctx, work);
    axl__free_aligned(ctx, sums);
    return status;
}

static char *row_of(axl_mat m, int64_t row)
{
    return (char *)m.data + (size_t)(row * m.stride) * axl__dtype_size(m.dtype);
}

/* to (count, C): new rows in the type that is computed with. */
static axl_status put_rows(const growth *g, int64_t first, int64_t count, float *host, axl_mat to)
{
    size_t bytes = (size_t)(count * to.cols) * axl__dtype_size(to.dtype);

    AXL_TRY(fill_rows(g, first, count, host));
    axl__convert(host, to.dtype, host, AXL_F32, count * to.cols); /* each is read before */
    return g->m->ops->upload(g->m->dev, to.data, host, bytes);
}

static axl_status fill(const growth *g, axl_mat to)
{
    int64_t kept = to.rows < g->old.rows ? to.rows : g->old.rows;
    axl_mat from = g->old, first = to;
    float *host = axl__alloc_aligned(g->m->ctx, (size_t)(PIECE_ROWS * to.cols) * sizeof *host);

    if (!host)
        return axl__fail_nomem();
    from.rows = first.rows = kept;
    axl_status status = g->m->ops->convert(g->m->dev, &(axl_unary_args){ from, first });
    for (int64_t r = kept; r < to.rows && status == AXL_OK; r += PIECE_ROWS) {
        int64_t count = to.rows - r < PIECE_ROWS ? to.rows - r : PIECE_ROWS;
        axl_mat some = { row_of(to, r), to.dtype, count, to.cols, to.cols };
        status = put_rows(g, r - kept, count, host, some);
        if (status == AXL_OK)
            status = axl__cancelled(g->m->ctx);
    }
    axl__free_aligned(g->m->ctx, host);
    return status;
}

/* The weight that a module will have, the model's own memory. */
static axl_status make_weight(axl_model *m, const axl__module *of, const growth *how, axl_mat *out)
{
    size_t bytes = (size_t)(how->rows * of->cols) * axl__dtype_size(m->compute);
    growth g = *how;

    g.old = of->weight.mat;
    g.stream = of->role == AXL__ROLE_HEAD;
    *out = (axl_mat){ NULL, m->compute, how->rows, of->cols, of->cols };
    AXL_TRY(m->ops->buffer_new(m->dev, &out->data, bytes));
    axl_status status = axl__model_keep(m, out->data, true);
    if (status < 0) {
        m->ops->buffer_free(m->dev, out->data);
        return status;
    }
    m->weights_bytes += bytes;
    return m->device.counts_only ? AXL_OK : fill(&g, *out);
}

static axl_status check(const axl_model *m, const axl__module *head)
{
    if (m->weights)
        return axl__fail(AXL_ERR_INVALID, "the model's weights were trained or merged: embeddings "
                                          "are resized before");
    if (head->weight.kind != AXL_WEIGHT_DENSE)
        return axl__fail(
            AXL_ERR_UNSUPPORTED,
            "%s is in 4 or 8 bits, and its rows cannot grow: keep it (llm_int8_skip_modules)",
            head->name);
    return AXL_OK;
}

/* What the model will compute with; both or nothing. */
static axl_status make_weights(axl_model *m, const growth *how, axl_mat *embed, axl_mat *head)
{
    const axl__module *first = axl__modules_one(&m->modules, -1, AXL__SLOT_EMBED);
    const axl__module *last = axl__modules_one(&m->modules, -1, AXL__SLOT_HEAD);
    uint64_t bytes = m->weights_bytes;
    size_t owned = m->n_owned;
    axl_status status = make_weight(m, first, how, embed);

    if (status == AXL_OK && !last->tied)
        status = make_weight(m, last, how, head);
    if (status == AXL_OK)
        return AXL_OK;
    while (m->n_owned > owned)
        m->ops->buffer_free(m->dev, m->owned[--m->n_owned]);
    m->weights_bytes = bytes;
    return status;
}

static axl_status resize(axl_model *m, const growth *how)
{
    axl__modules *t = &m->modules;
    axl__module *embed = &t->list[axl__modules_in(t, -1, AXL__SLOT_EMBED).first];
    axl__module *head = &t->list[axl__modules_in(t, -1, AXL__SLOT_HEAD).first];
    int64_t before = m->arch.vocab_size, matrices = head->tied ? 1 : 2;
    axl_mat rows, logits;

    AXL_TRY(check(m, head));
    AXL_TRY(make_weights(m, how, &rows, &logits));
    axl__log(m->ctx, AXL_LOG_INFO, "the embedding has %lld rows in place of %lld",
             (long long)how->rows, (long long)before);
    axl__modules_resize(t, how->rows);
    embed->weight.mat = rows;
    if (!head->tied)
        head->weight.mat = logits;
    axl__modules_tie(t);
    m->arch.vocab_size = how->rows;
    m->resized = true;
    m->n_params = (uint64_t)((int64_t)m->n_params + matrices * (how->rows - before) * embed->cols);
    return AXL_OK;
}

axl_status axl__model_resize(axl_model *m, const axl_config *cfg, uint32_t n_tokens)
{
    bool pads = cfg && axl__cfg_bool(cfg, "resize_token_embeddings_to_32x");
    bool shrinks = cfg && axl__cfg_bool(cfg, "shrink_embeddings");
    growth g = { .m = m,
                 .rows = pads ? ((int64_t)n_tokens + 31) / 32 * 32 : (int64_t)n_tokens,
                 .mean = !cfg || axl__cfg_bool(cfg, "mean_resizing_embeddings"),
                 .seed = cfg ? (uint64_t)axl__cfg_int(cfg, "seed") : 42 };

    if (g.rows == m->arch.vocab_size || (g.rows < m->arch.vocab_size && !shrinks))
        return AXL_OK;
    return resize(m, &g);
}

axl_status axl_model_resize_embeddings(axl_model *m, const axl_config *cfg, uint32_t n_tokens)
{
    AXL_TRY(axl__model_enter(m));
    if (n_tokens == 0 || n_tokens > INT32_MAX)
        return axl__fail(AXL_ERR_INVALID, "n_tokens must be 1 to %d, got %u", INT32_MAX, n_tokens);
    if (cfg)
        AXL_TRY(axl__config_enter(cfg));
    if (atomic_load(&m->refs) != 1)
        return axl__fail(AXL_ERR_BUSY, "an adapter, a trainer or another handle has the model: "
                                       "embeddings are resized before there is one");
    AXL_TRY(axl__model_take(m, true));
    axl_status status = axl__model_resize(m, cfg, n_tokens);
    axl__model_give_back(m, true);
    return status;
}
