/* SPDX-License-Identifier: Apache-2.0 */
/* rig.h - training two layers of the tiny model on a device that is named: for the tests that hold
 * one against another. */
#ifndef AXL_TESTS_RIG_H
#define AXL_TESTS_RIG_H

#include "tiny_model.h"

#include <stdbool.h>

enum { STEPS = 3, N_SEQS = 3 };

static const uint32_t rig_lengths[N_SEQS] = { 9, 1, 14 };

typedef struct setting {
    uint32_t compute, checkpointing, accumulation;
    bool full; /* the model's own weights */
    double dropout, noise, smoothing;
    const char *optimizer; /* NULL: AdamW */
    uint64_t relora_steps;
    uint32_t prune, lisa_layers;
    uint32_t weights; /* an axl_weights */
    bool embedding;   /* has a pair, too */
    bool plain;       /* no graphs */
    uint32_t average; /* an axl_loss_average */
    double loraplus;  /* the rate of B by that of A; 0: one rate */
} setting;

typedef struct rig {
    axl_context *ctx;
    axl_model *model;
    axl_adapter *adapter;
    axl_trainer *tr;
} rig;

/* The tiny model with two of its layers. */
static inline const char *rig_folder(void)
{
    static char dir[128], command[2048];

    if (dir[0])
        return dir;
    snprintf(dir, sizeof dir, "%s/two-layers", test_temp_dir());
    snprintf(command, sizeof command,
             "cd '%s' && mkdir '%s' && ln -s \"$PWD\"/[mt]* '%s' && "
             "sed '/num_hidden_layers/s/4/2/' config.json >'%s/config.json'",
             test_source_path("examples/tiny-llama"), dir, dir, dir);
    assert_int_equal(system(command), 0);
    return dir;
}

static inline axl_context *rig_context(const char *backend)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    axl_context *ctx;

    o.threads = 2;
    o.plugin_dir = test_plugin_dir(backend);
    assert_ok(axl_context_new(&ctx, &o));
    return ctx;
}

static inline axl_model *rig_model(axl_context *ctx, const char *backend, uint32_t compute,
                                   uint32_t weights)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_model *model;

    o.backend = backend;
    o.compute = compute;
    o.weights = weights;
    assert_ok(axl_model_open(&model, ctx, rig_folder(), &o));
    return model;
}

/* A pair of the embedding, and of the queries, whose values are all random. */
static inline axl_adapter *rig_embedding_adapter(axl_model *model)
{
    static const char *const targets[] = { "embed_tokens", "q_proj" };
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    axl_adapter *adapter;

    o.rank = 3;
    o.target_modules = targets;
    o.n_target_modules = 2;
    o.init_lora_weights = "false";
    assert_ok(axl_adapter_new(&adapter, model, &o));
    return adapter;
}

/* On a context that stays the caller's, who frees it once all of its rigs have ended. */
static inline rig rig_begin_on(axl_context *ctx, const char *backend, const setting *s)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_optimizer_options oo = AXL_OPTIMIZER_OPTIONS_INIT;
    rig r = { .ctx = ctx };

    r.model = rig_model(r.ctx, backend, s->compute, s->weights);
    r.adapter = s->full        ? NULL
                : s->embedding ? rig_embedding_adapter(r.model)
                               : tiny_adapter(r.model, s->dropout);
    oo.name = s->optimizer;
    oo.weight_decay = 0.01;
    oo.loraplus_lr_ratio = s->loraplus;
    o.optimizer = &oo;
    o.learning_rate = 1e-3;
    o.gradient_accumulation_steps = s->accumulation ? s->accumulation : 1;
    o.checkpointing = s->checkpointing;
    o.neftune_noise_alpha = s->noise;
    o.label_smoothing = s->smoothing;
    o.relora_steps = s->relora_steps;
    o.relora_prune = s->prune;
    o.graphs = !s->plain;
    o.loss_average = s->average;
    o.lisa_layers = s->lisa_layers;
    o.lisa_steps = s->lisa_layers ? 2 : 0;
    assert_ok(axl_trainer_new(&r.tr, r.model, r.adapter, &o));
    return r;
}

static inline rig rig_begin(const char *backend, const setting *s)
{
    return rig_begin_on(rig_context(backend), backend, s);
}

/* But for its context. */
static inline void rig_end_on(rig *r)
{
    axl_trainer_free(r->tr);
    axl_adapter_free(r->adapter);
    axl_model_free(r->model);
}

static inline void rig_end(rig *r)
{
    axl_context *ctx = r->ctx;

    rig_end_on(r);
    axl_context_free(ctx);
}

/* A step; its loss. */
static inline double rig_step(rig *r, const setting *s, uint32_t seed)
{
    axl_step_stats stats = AXL_STEP_STATS_INIT;

    for (uint32_t i = 0; i < (s->accumulation ? s->accumulation : 1); i++) {
        tiny_data *d = tiny_batch(rig_lengths, N_SEQS, seed * 16 + i);
        assert_ok(axl_trainer_forward_backward(r->tr, &d->batch, NULL));
        free(d);
    }
    assert_ok(axl_trainer_step(r->tr, &stats));
    assert_true(stats.grad_norm > 0.0);
    return stats.loss;
}

/* All that is trained; *n values, for free(). */
static inline float *rig_values(const rig *r, size_t *n)
{
    float *all = NULL;

    *n = 0;
    for (size_t i = 0; i < axl_trainer_count(r->tr); i++) {
        axl_tensor_info t = AXL_TENSOR_INFO_INIT;
        assert_ok(axl_trainer_get_tensor(r->tr, i, &t));
        all = realloc(all, (*n + t.rows * t.cols) * sizeof *all);
        assert_ok(axl_trainer_read(r->tr, i, all + *n));
        *n += t.rows * t.cols;
    }
    return all;
}

static inline void rig_assert_same_values(const rig *a, const rig *b)
{
    size_t n, m;
    float *x = rig_values(a, &n), *y = rig_values(b, &m);

    assert_int_equal(n, m);
    assert_memory_equal(x, y, n * sizeof *x);
    free(x);
    free(y);
}

#endif
