/* SPDX-License-Identifier: Apache-2.0 */
/* tiny_model.h - the model of examples/tiny-llama, adapters of it whose B is not zero, and batches
 * of made-up ids. */
#ifndef AXL_TESTS_TINY_MODEL_H
#define AXL_TESTS_TINY_MODEL_H

#include "testing.h"

#include <math.h>

enum { TINY_VOCAB = 768, TINY_TOKENS_MAX = 8192, TINY_SEQS_MAX = 64 };

/* ---- batches ---- */

typedef struct {
    int32_t ids[TINY_TOKENS_MAX], labels[TINY_TOKENS_MAX], cu[TINY_SEQS_MAX + 1];
    axl_batch batch;
} tiny_data;

static inline uint32_t tiny_hash(uint32_t x)
{
    x = (x ^ x >> 16) * 0x7FEB352Du;
    x = (x ^ x >> 15) * 0x846CA68Bu;
    return x ^ x >> 16;
}

/* Sequences of these lengths; the first third of each is not trained. */
static inline tiny_data *tiny_batch(const uint32_t *lengths, uint32_t n_seqs, uint32_t seed)
{
    tiny_data *d = calloc(1, sizeof *d);
    uint32_t at = 0;

    for (uint32_t s = 0; s < n_seqs; s++) {
        for (uint32_t i = 0; i < lengths[s]; i++, at++) {
            assert_true(at < TINY_TOKENS_MAX);
            d->ids[at] = (int32_t)(3 + tiny_hash(seed * 65536 + at) % (TINY_VOCAB - 3));
            d->labels[at] = i < lengths[s] / 3 ? AXL_LABEL_IGNORE : d->ids[at];
        }
        d->cu[s + 1] = (int32_t)at;
    }
    d->batch = (axl_batch)AXL_BATCH_INIT;
    d->batch.input_ids = d->ids;
    d->batch.labels = d->labels;
    d->batch.cu_seqlens = d->cu;
    d->batch.n_tokens = at;
    d->batch.n_seqs = n_seqs;
    return d;
}

/* Sequence s of a batch, on its own. */
static inline tiny_data *tiny_alone(const tiny_data *from, uint32_t s)
{
    tiny_data *d = calloc(1, sizeof *d);
    size_t n = (size_t)(from->cu[s + 1] - from->cu[s]);

    memcpy(d->ids, from->ids + from->cu[s], n * sizeof *d->ids);
    memcpy(d->labels, from->labels + from->cu[s], n * sizeof *d->labels);
    d->cu[1] = (int32_t)n;
    d->batch = from->batch;
    d->batch.input_ids = d->ids;
    d->batch.labels = d->labels;
    d->batch.cu_seqlens = d->cu;
    d->batch.n_tokens = (uint32_t)n;
    d->batch.n_seqs = 1;
    return d;
}

/* ---- handles ---- */

static inline axl_context *tiny_context(uint32_t threads)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    axl_context *ctx;

    o.threads = threads;
    o.isa = test_isa();
    assert_ok(axl_context_new(&ctx, &o));
    return ctx;
}

/* The model's folder; for slow tools one with a single layer of its four. */
static inline const char *tiny_folder(void)
{
    static char dir[128], command[2048];

    if (!test_is_slow())
        return test_source_path("examples/tiny-llama");
    if (dir[0])
        return dir;
    snprintf(dir, sizeof dir, "%s/one-layer", test_temp_dir());
    snprintf(command, sizeof command,
             "cd '%s' && mkdir '%s' && ln -s \"$PWD\"/[mt]* '%s' && "
             "sed '/num_hidden_layers/s/4/1/' config.json >'%s/config.json'",
             test_source_path("examples/tiny-llama"), dir, dir, dir);
    assert_int_equal(system(command), 0);
    return dir;
}

static inline axl_model *tiny_model(axl_context *ctx, const char *backend, uint32_t compute)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_model *model;

    o.backend = backend;
    o.compute = compute;
    assert_ok(axl_model_open(&model, ctx, test_source_path("examples/tiny-llama"), &o));
    return model;
}

/* All values of an adapter, or, with a trainer, all gradients; *n of them, for free(). */
static inline float *tiny_values(axl_adapter *adapter, axl_trainer *tr, size_t *n)
{
    float *all = NULL;

    *n = 0;
    for (size_t i = 0; i < axl_adapter_count(adapter); i++) {
        axl_tensor_info t = AXL_TENSOR_INFO_INIT;
        assert_ok(axl_adapter_get_tensor(adapter, i, &t));
        all = realloc(all, (*n + t.rows * t.cols) * sizeof *all);
        if (tr)
            assert_ok(axl_trainer_read_gradient(tr, i, all + *n));
        else
            assert_ok(axl_adapter_read(adapter, i, all + *n));
        *n += t.rows * t.cols;
    }
    return all;
}

/* B is 0 in a new adapter, and so A's gradient: fill all tensors. */
static inline axl_adapter *tiny_adapter(axl_model *model, double dropout)
{
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    axl_adapter *adapter;

    o.rank = 4;
    o.alpha = 8.0;
    o.dropout = dropout;
    assert_ok(axl_adapter_new(&adapter, model, &o));
    for (size_t i = 1; i < axl_adapter_count(adapter); i += 2) {
        axl_tensor_info t = AXL_TENSOR_INFO_INIT;
        assert_ok(axl_adapter_get_tensor(adapter, i, &t));
        float *b = calloc(t.rows * t.cols, sizeof *b);
        for (uint32_t k = 0; k < t.rows * t.cols; k++)
            b[k] = ((float)(tiny_hash((uint32_t)i << 20 | k) % 2001) - 1000.0f) * 5e-5f;
        assert_ok(axl_adapter_write(adapter, i, b));
        free(b);
    }
    return adapter;
}

/* A trainer of a new adapter of its own. */
static inline axl_trainer *tiny_trainer(axl_model *model, const axl_trainer_options *opts,
                                        double dropout, axl_adapter **adapter)
{
    axl_trainer *tr;

    *adapter = tiny_adapter(model, dropout);
    assert_ok(axl_trainer_new(&tr, model, *adapter, opts));
    return tr;
}

/* ---- comparing ---- */

/* ||a - b|| / ||b|| */
static inline double tiny_distance(const float *a, const float *b, size_t n)
{
    double d = 0.0, s = 0.0;

    for (size_t i = 0; i < n; i++) {
        d += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        s += (double)b[i] * b[i];
    }
    return sqrt(d / (s > 0.0 ? s : 1.0));
}

/* That two adapters, or the gradients of two trainers, are as near as tolerance; 0: the same bits.
 * Gives the distance. */
static inline double tiny_compare(axl_adapter *a, axl_trainer *a_tr, axl_adapter *b,
                                  axl_trainer *b_tr, double tolerance)
{
    size_t n, m;
    float *x = tiny_values(a, a_tr, &n), *y = tiny_values(b, b_tr, &m);

    assert_int_equal(n, m);
    double d = tiny_distance(x, y, n);
    if (tolerance == 0.0 ? memcmp(x, y, n * sizeof *x) != 0 : !(d <= tolerance))
        fail_msg("%s differ by %g of their norm", a_tr ? "gradients" : "adapters", d);
    free(x);
    free(y);
    return d;
}

#endif
