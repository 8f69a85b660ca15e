/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_model.c - logits, loss and gradients, of LoRA and of the weights, against PyTorch
 * (transformers + PEFT, the goldens of make_model_variants.py, make_weight_grads.py,
 * make_training_losses.py and make_peft_grads.py), on both backends and every instruction set.
 */
#include "testing.h"

#include "base/json.h"
#include "model/network.h"
#include "tensor/safetensors.h"

#include <math.h>

typedef struct {
    const char *backend, *isa;
} machine;

/* The last one is also that of the tests on one machine: AXL_TEST_BACKEND, where that is set. */
static machine machines[] = {
    { "reference", NULL }, { "cpu", "baseline" }, { "cpu", "avx2" },
    { "cpu", "avx512" },   { "cpu", NULL },
};
enum { N_MACHINES = sizeof machines / sizeof machines[0] };

static size_t first_machine(void)
{
    return test_is_slow() || test_backend() ? N_MACHINES - 1 : 0;
}

static axl_context *machine_context(const machine *m)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    axl_context *ctx;

    o.isa = m->isa ? m->isa : test_isa();
    o.plugin_dir = test_plugin_dir(m->backend);
    assert_ok(axl_context_new(&ctx, &o));
    return ctx;
}

static axl_model *open_model(axl_context *ctx, const char *dir, const machine *m, uint32_t compute)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_model *model;

    o.backend = m->backend;
    o.compute = compute;
    assert_ok(axl_model_open(&model, ctx, dir, &o));
    return model;
}

/* ||a - b|| / ||b|| */
static double distance(const float *a, const float *b, size_t n)
{
    double d = 0.0, s = 0.0;

    for (size_t i = 0; i < n; i++) {
        d += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        s += (double)b[i] * b[i];
    }
    return sqrt(d / (s > 0 ? s : 1.0));
}

static const float *golden(const axl__safetensors *st, const char *name, size_t *n)
{
    const axl__st_tensor *t = axl__safetensors_find(st, name);

    if (!t)
        fail_msg("the golden lacks %s", name);
    *n = t->size / sizeof(float);
    return t->data;
}

static void check_logits(axl_model *model, axl_adapter *adapter, const int32_t *ids, size_t n,
                         const axl__safetensors *st, const char *name, double tolerance)
{
    size_t n_want;
    const float *want = golden(st, name, &n_want);
    float *logits = malloc(n_want * sizeof *logits);

    assert_ok(axl_model_logits(model, adapter, ids, n, logits));
    double d = distance(logits, want, n_want);
    if (!(d < tolerance))
        fail_msg("logits differ by %g", d);
    free(logits);
}

/* Every trained tensor's gradient within tolerance of its norm. */
static void check_gradients(axl_trainer *tr, const axl__safetensors *st, const char *prefix,
                            double tolerance)
{
    for (size_t i = 0; i < axl_trainer_count(tr); i++) {
        axl_tensor_info t = AXL_TENSOR_INFO_INIT;
        char name[256];
        size_t n;
        assert_ok(axl_trainer_get_tensor(tr, i, &t));
        snprintf(name, sizeof name, "%s%s", prefix, t.name);
        const float *want = golden(st, name, &n);
        assert_int_equal(n, t.rows * t.cols);
        float *got = malloc(n * sizeof *got);
        assert_ok(axl_trainer_read_gradient(tr, i, got));
        double d = distance(got, want, n);
        if (!(d < tolerance))
            fail_msg("gradient of %s differs by %g", t.name, d);
        free(got);
    }
}

/* ids of a golden's "input_ids": sequences one behind another. */
typedef struct {
    int32_t ids[4096], labels[4096], cu[16];
    uint32_t n_seqs;
} sequences;

static void read_list(const axl__json *list, int32_t *out)
{
    for (const axl__json *v = list->child; v; v = v->next)
        *out++ = (int32_t)v->integer;
}

/* Two sequences, every token a label. */
static void read_two(const axl__json *lists, sequences *s)
{
    const axl__json *first = lists->child;

    *s = (sequences){ .n_seqs = 2 };
    read_list(first, s->ids);
    read_list(first->next, s->ids + first->count);
    s->cu[1] = (int32_t)first->count;
    s->cu[2] = (int32_t)(first->count + first->next->count);
    memcpy(s->labels, s->ids, sizeof s->labels);
}

static axl_batch batch_of(sequences *s)
{
    axl_batch b = AXL_BATCH_INIT;

    b.input_ids = s->ids;
    b.labels = s->labels;
    b.cu_seqlens = s->cu;
    b.n_seqs = s->n_seqs;
    b.n_tokens = (uint32_t)s->cu[s->n_seqs];
    return b;
}

static axl__json *read_json(axl__arena *arena, axl_context *ctx, const char *path)
{
    axl__file f;
    axl__json *root;

    assert_ok(axl__file_open(&f, ctx, path, true));
    char *copy = axl__arena_strndup(arena, (const char *)f.data, f.size);
    assert_ok(axl__json_parse(&root, arena, copy, f.size, path));
    axl__file_close(&f);
    return root;
}

/* ---- tiny models in every form ---- */

/* The adapter in the weights gives what PEFT gives with it beside them. */
static void check_merged(axl_model *model, const char *dir, const sequences *s,
                         const axl__safetensors *st)
{
    char path[600];
    axl_adapter *adapter;

    snprintf(path, sizeof path, "%s/adapter", dir);
    assert_ok(axl_adapter_open(&adapter, model, path));
    assert_ok(axl_adapter_merge(adapter));
    for (int i = 0; i < 2; i++)
        check_logits(model, NULL, s->ids + s->cu[i], (size_t)(s->cu[i + 1] - s->cu[i]), st,
                     i ? "lora.1" : "lora.0", 1e-5);
    axl_adapter_free(adapter);
}

/* Without an adapter. */
static void check_weight_gradients(axl_context *ctx, axl_model *model, const char *dir,
                                   const axl_trainer_options *opts, const axl_batch *b)
{
    axl__safetensors st;
    char path[600];
    axl_trainer *tr;

    snprintf(path, sizeof path, "%s/weights.safetensors", dir);
    assert_ok(axl__safetensors_open(&st, ctx, path, true));
    assert_ok(axl_trainer_new(&tr, model, NULL, opts));
    assert_int_equal(axl_trainer_count(tr), st.count);
    assert_ok(axl_trainer_forward_backward(tr, b, NULL));
    check_gradients(tr, &st, "", 1e-5);
    axl_trainer_free(tr);
    axl__safetensors_close(&st);
}

static void check_variant_on(const char *variant, const machine *m, uint32_t checkpointing)
{
    axl_context *ctx = machine_context(m);
    axl__arena arena;
    axl__safetensors st;
    sequences s;
    char dir[512], path[600];
    axl_adapter *adapter;
    axl_trainer *tr;
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    double loss;

    snprintf(dir, sizeof dir, "%s/%s", test_source_path("tests/golden/model_variants"), variant);
    axl__arena_init(&arena, ctx);
    snprintf(path, sizeof path, "%s/expect.json", dir);
    const axl__json *expect = read_json(&arena, ctx, path);
    snprintf(path, sizeof path, "%s/expect.safetensors", dir);
    assert_ok(axl__safetensors_open(&st, ctx, path, true));
    read_two(axl__json_get(expect, "input_ids"), &s);

    axl_model *model = open_model(ctx, dir, m, AXL_COMPUTE_F32);
    check_logits(model, NULL, s.ids, (size_t)s.cu[1], &st, "base.0", 1e-5);
    check_logits(model, NULL, s.ids + s.cu[1], (size_t)(s.cu[2] - s.cu[1]), &st, "base.1", 1e-5);
    snprintf(path, sizeof path, "%s/adapter", dir);
    assert_ok(axl_adapter_open(&adapter, model, path));
    o.checkpointing = checkpointing;
    assert_ok(axl_trainer_new(&tr, model, adapter, &o));
    axl_batch b = batch_of(&s);
    assert_ok(axl_trainer_forward_backward(tr, &b, &loss));
    assert_true(fabs(loss - axl__json_double(expect, "loss_f64", 0)) < 1e-5 * loss);
    check_gradients(tr, &st, "grad.", 1e-5);
    axl_trainer_free(tr);
    axl_adapter_free(adapter);
    check_weight_gradients(ctx, model, dir, &o, &b);
    check_merged(model, dir, &s, &st);
    axl_model_free(model);
    axl__safetensors_close(&st);
    axl__arena_free(&arena);
    axl_context_free(ctx);
}

static void test_model__equals_transformers_in_every_form(void **state)
{
    static const char *const variants[] = {
        "untied_mha_f32",
        "tied_gqa_bf16_sharded",
        "head_dim_f16_llama3_old",
        "rope_linear_new",
        "llama_biases",
        "mistral_window",
        "mistral_head_dim_bf16_old",
        "qwen2_bias",
        "qwen2_window_layers_bf16_old",
        "qwen3",
        "qwen3_bias_window_bf16_old",
        "own_head_said_to_be_tied",
        "llama_dynamic",
        "mistral_yarn_window",
        "phi3_longrope_window",
        "phi3_tied_bf16_old",
        "ministral3",
        "mistral3",
        "ministral_layers_bf16",
        "gemma",
        "gemma_gelu_bias_bf16_old",
        "gemma2",
        "gemma2_bf16_old",
        "gemma3",
        "gemma3_pattern_bf16_old",
    };

    (void)state;
    for (size_t v = 0; v < sizeof variants / sizeof variants[0]; v++)
        for (size_t m = first_machine(); m < N_MACHINES; m++)
            for (uint32_t checkpointing = 0; checkpointing < 2; checkpointing++)
                check_variant_on(variants[v], &machines[m], checkpointing);
}

/* ---- weights in 4 and 8 bits ---- */

static const struct {
    const char *name;
    uint32_t weights, plain_scales;
} forms[] = {
    { "nf4", AXL_WEIGHTS_NF4, 0 },       { "fp4", AXL_WEIGHTS_FP4, 0 },
    { "nf4_plain", AXL_WEIGHTS_NF4, 1 }, { "int8", AXL_WEIGHTS_INT8, 0 },
    { "fp8", AXL_WEIGHTS_STORED, 0 }, /* widened */
};
enum { N_FORMS = sizeof forms / sizeof forms[0], FP8 = N_FORMS - 1 };

/* stored: the checkpoint that transformers saved; else the same codes are made while loading. */
static axl_model *open_quantised(axl_context *ctx, size_t form, const machine *m, bool stored,
                                 bool read)
{
    const char *root = test_source_path("tests/golden/quantised_models");
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_model_info info = AXL_MODEL_INFO_INIT;
    axl_model *model;
    char dir[512];

    snprintf(dir, sizeof dir, "%s/%s", root, stored ? forms[form].name : "dense");
    o.backend = m->backend;
    o.compute = AXL_COMPUTE_F32;
    o.read = read;
    if (!stored) {
        o.weights = forms[form].weights;
        o.plain_scales = forms[form].plain_scales;
    }
    assert_ok(axl_model_open(&model, ctx, dir, &o));
    assert_ok(axl_model_get_info(model, &info));
    assert_int_equal(info.weights, forms[form].weights);
    return model;
}

static void check_quantised_on(size_t form, const machine *m, bool stored)
{
    const char *root = test_source_path("tests/golden/quantised_models");
    axl_context *ctx = machine_context(m);
    axl_model *model = open_quantised(ctx, form, m, stored, form % 2);
    axl__arena arena;
    axl__safetensors st;
    sequences s;
    char path[600];
    axl_adapter *adapter;
    axl_trainer *tr;
    double loss;

    axl__arena_init(&arena, ctx);
    snprintf(path, sizeof path, "%s/%s/expect.json", root, forms[form].name);
    const axl__json *expect = read_json(&arena, ctx, path);
    snprintf(path, sizeof path, "%s/%s/expect.safetensors", root, forms[form].name);
    assert_ok(axl__safetensors_open(&st, ctx, path, true));
    read_two(axl__json_get(expect, "input_ids"), &s);
    check_logits(model, NULL, s.ids, (size_t)s.cu[1], &st, "base.0", 1e-5);
    snprintf(path, sizeof path, "%s/dense/adapter", root);
    assert_ok(axl_adapter_open(&adapter, model, path));
    assert_ok(axl_trainer_new(&tr, model, adapter, NULL));
    axl_batch b = batch_of(&s);
    assert_ok(axl_trainer_forward_backward(tr, &b, &loss));
    assert_true(fabs(loss - axl__json_double(expect, "loss", 0)) < 1e-5 * loss);
    check_gradients(tr, &st, "grad.", 1e-5);
    axl_trainer_free(tr);
    if (form != FP8)
        assert_int_equal(axl_trainer_new(&tr, model, NULL, NULL), AXL_ERR_INVALID);
    axl_adapter_free(adapter);
    snprintf(path, sizeof path, "%s/dense", root);
    check_merged(model, path, &s, &st);
    axl_model_free(model);
    axl__safetensors_close(&st);
    axl__arena_free(&arena);
    axl_context_free(ctx);
}

static void test_model__computes_with_codes_as_bitsandbytes(void **state)
{
    (void)state;
    for (size_t form = 0; form < N_FORMS; form++)
        for (size_t m = first_machine(); m < N_MACHINES; m++)
            for (int stored = form == FP8; stored < 2; stored++)
                check_quantised_on(form, &machines[m], stored);
}

static axl_adapter *new_adapter(axl_model *model)
{
    axl_adapter *adapter;

    assert_ok(axl_adapter_new(&adapter, model, NULL));
    return adapter;
}

static void test_model__makes_of_values_what_a_checkpoint_has(void **state)
{
    axl_context *ctx = machine_context(&machines[N_MACHINES - 1]);
    enum { N = 9, V = 96 };
    const int32_t ids[N] = { 5, 17, 80, 3, 42, 42, 9, 95, 60 };
    float logits[2][N * V];

    (void)state;
    for (size_t form = 0; form < FP8; form++) {
        for (int stored = 0; stored < 2; stored++) {
            axl_model *model = open_quantised(ctx, form, &machines[N_MACHINES - 1], stored, false);
            axl_adapter *adapter = new_adapter(model);
            assert_ok(axl_model_logits(model, adapter, ids, N, logits[stored]));
            axl_adapter_free(adapter);
            axl_model_free(model);
        }
        assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
    }
    axl_context_free(ctx);
}

/* ---- one token after another ---- */

static void open_variant(const char *name, axl_context *ctx, axl_model **model,
                         axl__safetensors *st, sequences *s, axl__arena *arena)
{
    char dir[512], path[600];

    snprintf(dir, sizeof dir, "%s/%s", test_source_path("tests/golden/model_variants"), name);
    snprintf(path, sizeof path, "%s/expect.json", dir);
    const axl__json *first = axl__json_get(read_json(arena, ctx, path), "input_ids")->child;
    read_list(first, s->ids);
    s->cu[1] = (int32_t)first->count;
    snprintf(path, sizeof path, "%s/expect.safetensors", dir);
    assert_ok(axl__safetensors_open(st, ctx, path, true));
    *model = open_model(ctx, dir, &machines[N_MACHINES - 1], AXL_COMPUTE_F32);
}

enum { STEPS_FROM = 9 };

/* The logits behind STEPS_FROM tokens and behind each further one are those of `want` (n, V). */
static void check_steps(axl_model *model, const sequences *s, const float *want)
{
    int64_t V = model->arch.vocab_size, n = s->cu[1];
    axl__network net;
    axl__kv_cache cache;
    float logits[256];

    assert_true(V <= 256);
    assert_ok(axl__network_init(&net, model, NULL, false));
    assert_ok(axl__kv_cache_init(&cache, &net, n));
    for (int64_t i = STEPS_FROM; i <= n; i++) {
        int64_t from = i == STEPS_FROM ? 0 : i - 1;
        assert_ok(axl__network_continue(&net, &cache, s->ids + from, i - from, logits));
        double d = distance(logits, want + (i - STEPS_FROM) * V, (size_t)V);
        if (!(d < 1e-5))
            fail_msg("the logits behind %d tokens differ by %g", (int)i, d);
    }
    axl__kv_cache_free(&cache, &net);
    axl__network_free(&net);
}

/* dynamic turns each token by the length so far: transformers' own steps. */
static void test_model__dynamic_continues_as_transformers(void **state)
{
    axl_context *ctx = machine_context(&machines[N_MACHINES - 1]);
    axl__safetensors st;
    sequences s = { .n_seqs = 1 };
    axl__arena arena;
    axl_model *model;
    size_t n;

    (void)state;
    axl__arena_init(&arena, ctx);
    open_variant("llama_dynamic", ctx, &model, &st, &s, &arena);
    check_steps(model, &s, golden(&st, "steps", &n));
    axl_model_free(model);
    axl__safetensors_close(&st);
    axl__arena_free(&arena);
    axl_context_free(ctx);
}

/* Behind any token the logits are those of the text up to there, which for longrope is computed
 * again where its factors change (transformers' Phi-3 drops its cache there). */
static void check_steps_are_the_texts(const char *variant)
{
    axl_context *ctx = machine_context(&machines[N_MACHINES - 1]);
    axl__safetensors st;
    sequences s = { .n_seqs = 1 };
    axl__arena arena;
    axl_model *model;

    axl__arena_init(&arena, ctx);
    open_variant(variant, ctx, &model, &st, &s, &arena);
    int64_t V = model->arch.vocab_size, n = s.cu[1];
    float *want = calloc((size_t)((n - STEPS_FROM + 1) * V), sizeof *want);
    float *all = calloc((size_t)(n * V), sizeof *all);
    for (int64_t i = STEPS_FROM; i <= n; i++) {
        assert_ok(axl_model_logits(model, NULL, s.ids, (size_t)i, all));
        memcpy(want + (i - STEPS_FROM) * V, all + (i - 1) * V, (size_t)V * sizeof *want);
    }
    check_steps(model, &s, want);
    free(all);
    free(want);
    axl_model_free(model);
    axl__safetensors_close(&st);
    axl__arena_free(&arena);
    axl_context_free(ctx);
}

static void test_model__steps_are_the_texts(void **state)
{
    static const char *const variants[] = { "mistral_window",
                                            "qwen3",
                                            "mistral_yarn_window",
                                            "phi3_longrope_window",
                                            "phi3_tied_bf16_old",
                                            "ministral3",
                                            "mistral3" };

    (void)state;
    for (size_t v = 0; v < sizeof variants / sizeof variants[0]; v++)
        check_steps_are_the_texts(variants[v]);
}

/* ---- steps of training ---- */

/* As make_model_variants.py moves the ids from step to step. */
static void shift_ids(sequences *s, int k, int64_t vocab)
{
    for (int i = 0; i < s->cu[2]; i++)
        s->labels[i] = s->ids[i] = 3 + (s->ids[i] - 3 + (k > 0)) % ((int32_t)vocab - 3);
}

static void check_training(const char *variant, const machine *m)
{
    axl_context *ctx = machine_context(m);
    axl__arena arena;
    sequences s = { .n_seqs = 2 };
    char dir[512], path[600];
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_step_stats stats = AXL_STEP_STATS_INIT;
    axl_adapter *adapter;
    axl_trainer *tr;
    int k = 0;

    snprintf(dir, sizeof dir, "%s/%s", test_source_path("tests/golden/model_variants"), variant);
    axl__arena_init(&arena, ctx);
    snprintf(path, sizeof path, "%s/expect.json", dir);
    const axl__json *expect = read_json(&arena, ctx, path);
    read_two(axl__json_get(expect, "input_ids"), &s);
    axl_model *model = open_model(ctx, dir, m, AXL_COMPUTE_F32);
    snprintf(path, sizeof path, "%s/adapter", dir);
    assert_ok(axl_adapter_open(&adapter, model, path));
    o.learning_rate = 0.02;
    assert_ok(axl_trainer_new(&tr, model, adapter, &o));
    for (const axl__json *v = axl__json_get(expect, "train")->child; v; v = v->next, k++) {
        shift_ids(&s, k, model->arch.vocab_size);
        axl_batch b = batch_of(&s);
        assert_ok(axl_trainer_forward_backward(tr, &b, NULL));
        assert_ok(axl_trainer_step(tr, &stats));
        if (!(fabs(stats.loss - v->number) < 1e-4 * v->number))
            fail_msg("%s, step %d: the loss is %g, not %g", variant, k, stats.loss, v->number);
    }
    assert_int_equal(k, 6);
    axl_trainer_free(tr);
    axl_adapter_free(adapter);
    axl_model_free(model);
    axl__arena_free(&arena);
    axl_context_free(ctx);
}

static void test_model__trains_as_transformers(void **state)
{
    static const char *const variants[] = { "phi3_longrope_window", "ministral3", "mistral3" };

    (void)state;
    for (size_t v = 0; v < sizeof variants / sizeof variants[0]; v++)
        for (size_t m = first_machine(); m < N_MACHINES; m++)
            check_training(variants[v], &machines[m]);
}

/* ---- steps ---- */

/* The losses of steps of AdamW, make_training_losses.py's. */
static void check_steps_on(const char *variant, const machine *m)
{
    axl_context *ctx = machine_context(m);
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl__arena arena;
    sequences s;
    char dir[512], path[600];
    axl_adapter *adapter;
    axl_trainer *tr;

    snprintf(dir, sizeof dir, "%s/%s", test_source_path("tests/golden/model_variants"), variant);
    axl__arena_init(&arena, ctx);
    snprintf(path, sizeof path, "%s/expect.json", dir);
    read_two(axl__json_get(read_json(&arena, ctx, path), "input_ids"), &s);
    snprintf(path, sizeof path, "%s/steps.json", dir);
    const axl__json *steps = read_json(&arena, ctx, path);
    axl_model *model = open_model(ctx, dir, m, AXL_COMPUTE_F32);
    snprintf(path, sizeof path, "%s/adapter", dir);
    assert_ok(axl_adapter_open(&adapter, model, path));
    o.learning_rate = axl__json_double(steps, "learning_rate", 0);
    o.max_grad_norm = 0.0;
    assert_ok(axl_trainer_new(&tr, model, adapter, &o));
    axl_batch b = batch_of(&s);
    for (const axl__json *want = axl__json_get(steps, "losses")->child; want; want = want->next) {
        double loss;
        assert_ok(axl_trainer_forward_backward(tr, &b, &loss));
        assert_true(fabs(loss - want->number) < 1e-5 * loss);
        assert_ok(axl_trainer_step(tr, NULL));
    }
    axl_trainer_free(tr);
    axl_adapter_free(adapter);
    axl_model_free(model);
    axl__arena_free(&arena);
    axl_context_free(ctx);
}

static void test_model__trains_as_transformers_does(void **state)
{
    (void)state;
    for (size_t m = first_machine(); m < N_MACHINES; m++)
        check_steps_on("gemma3", &machines[m]);
}

/* How far the logits of a base whose k and v are in 4 bits, and the rest as it is, are from those
 * of the dense one, with an adapter of that rank on k and v. */
static double loftq_distance(axl_context *ctx, const machine *m, uint32_t rank, const float *dense)
{
    enum { N = 9, V = 96 };
    static const char *const kept[] = { "q_proj",  "o_proj",    "gate_proj",
                                        "up_proj", "down_proj", "lm_head" };
    static const char *const targets[] = { "k_proj", "v_proj" };
    const int32_t ids[N] = { 5, 17, 80, 3, 42, 42, 9, 95, 60 };
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_adapter_options a = AXL_ADAPTER_OPTIONS_INIT;
    float logits[N * V];
    axl_model *model;
    axl_adapter *adapter;

    o.backend = m->backend;
    o.compute = AXL_COMPUTE_F32;
    o.weights = AXL_WEIGHTS_NF4;
    o.keep_modules = kept;
    o.n_keep_modules = sizeof kept / sizeof kept[0];
    a.target_modules = targets;
    a.n_target_modules = 2;
    a.rank = rank;
    a.alpha = rank;
    a.init_lora_weights = "loftq";
    assert_ok(
        axl_model_open(&model, ctx, test_source_path("tests/golden/quantised_models/dense"), &o));
    assert_ok(axl_adapter_new(&adapter, model, &a));
    assert_ok(axl_model_logits(model, adapter, ids, N, logits));
    axl_adapter_free(adapter);
    axl_model_free(model);
    return distance(logits, dense, N * V);
}

/* With all of their rank the pairs are what is missing, with some of it a part. */
static void test_model__loftq_begins_with_what_quantising_takes(void **state)
{
    enum { N = 9, V = 96, ALL = 32 };
    const machine *m = &machines[N_MACHINES - 1];
    const int32_t ids[N] = { 5, 17, 80, 3, 42, 42, 9, 95, 60 };
    axl_context *ctx = machine_context(m);
    axl_model *model = open_model(ctx, test_source_path("tests/golden/quantised_models/dense"), m,
                                  AXL_COMPUTE_F32);
    axl_adapter_options a = AXL_ADAPTER_OPTIONS_INIT;
    axl_adapter *adapter;
    float dense[N * V];

    (void)state;
    assert_ok(axl_model_logits(model, NULL, ids, N, dense));
    double all = loftq_distance(ctx, m, ALL, dense), half = loftq_distance(ctx, m, ALL / 2, dense);
    double little = loftq_distance(ctx, m, 1, dense);
    print_message("rank 1: %g, 16: %g, 32: %g\n", little, half, all);
    assert_true(all < 1e-5 && half < little && half > 1e-3);
    a.init_lora_weights = "loftq";
    assert_int_equal(axl_adapter_new(&adapter, model, &a), AXL_ERR_INVALID);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* ---- the first batch of the recorded Axolotl run ---- */

static void load_rows(const axl__json *rows, sequences *s)
{
    int32_t at = 0;

    s->n_seqs = 0;
    s->cu[0] = 0;
    for (const axl__json *r = rows->child; r; r = r->next) {
        read_list(axl__json_get(r, "input_ids"), s->ids + at);
        read_list(axl__json_get(r, "labels"), s->labels + at);
        at += (int32_t)axl__json_get(r, "input_ids")->count;
        s->cu[++s->n_seqs] = at;
    }
}

static void check_first_batch(const char *model_dir, const machine *m)
{
    axl_context *ctx = machine_context(m);
    axl__arena arena;
    axl__safetensors st;
    static sequences s, one;
    axl_adapter *adapter;
    axl_trainer *tr;
    double loss;

    axl__arena_init(&arena, ctx);
    const axl__json *batch =
        read_json(&arena, ctx, test_source_path("tests/golden/peft_grads/batch.json"));
    const axl__json *expect =
        read_json(&arena, ctx, test_source_path("tests/golden/peft_grads/expect.json"));
    load_rows(axl__json_get(batch, "rows"), &s);
    axl_model *model = open_model(ctx, model_dir, m, AXL_COMPUTE_F32);
    assert_ok(
        axl_adapter_open(&adapter, model, test_source_path("tests/golden/axolotl_run/adapter")));

    const axl__json *ids = axl__json_get(batch, "short");
    read_list(ids, one.ids);
    assert_ok(axl__safetensors_open(
        &st, ctx, test_source_path("tests/golden/peft_grads/logits.safetensors"), true));
    check_logits(model, NULL, one.ids, ids->count, &st, "base", 1e-5);
    check_logits(model, adapter, one.ids, ids->count, &st, "adapter", 1e-5);
    axl__safetensors_close(&st);

    assert_ok(axl_trainer_new(&tr, model, adapter, NULL));
    axl_batch b = batch_of(&s);
    assert_ok(axl_trainer_forward_backward(tr, &b, &loss));
    assert_true(fabs(loss - axl__json_double(expect, "loss_f64", 0)) < 1e-5 * loss);
    assert_ok(axl__safetensors_open(
        &st, ctx, test_source_path("tests/golden/peft_grads/grads_exact.safetensors"), true));
    check_gradients(tr, &st, "", 1e-5);
    axl__safetensors_close(&st);
    axl_trainer_free(tr);
    axl_adapter_free(adapter);
    axl_model_free(model);
    axl__arena_free(&arena);
    axl_context_free(ctx);
}

static void test_model__has_pefts_gradients_on_stories(void **state)
{
    const char *config = test_shared_path("models/stories260K/config.json");
    char dir[1024];

    (void)state;
    if (!config) {
        print_message("skipped: models/stories260K is not there\n");
        skip();
    }
    snprintf(dir, sizeof dir, "%.*s", (int)(strlen(config) - strlen("/config.json")), config);
    for (size_t m = first_machine(); m < N_MACHINES; m++)
        check_first_batch(dir, &machines[m]);
}

int main(void)
{
    if (test_backend())
        machines[N_MACHINES - 1].backend = test_backend();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model__equals_transformers_in_every_form),
        cmocka_unit_test(test_model__trains_as_transformers_does),
        cmocka_unit_test(test_model__computes_with_codes_as_bitsandbytes),
        cmocka_unit_test(test_model__makes_of_values_what_a_checkpoint_has),
        cmocka_unit_test(test_model__dynamic_continues_as_transformers),
        cmocka_unit_test(test_model__steps_are_the_texts),
        cmocka_unit_test(test_model__trains_as_transformers),
        cmocka_unit_test(test_model__loftq_begins_with_what_quantising_takes),
        cmocka_unit_test(test_model__has_pefts_gradients_on_stories),
    };

    return test_run(tests);
}
