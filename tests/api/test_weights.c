/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_weights.c - full fine-tuning (a trainer without an adapter, and the model that it leaves)
 * and adapters that are merged.
 */
#include "tiny_model.h"

#include <unistd.h>

enum { N_SEQS = 5, N_STEPS = 6, N_LOGITS = 9 };
static const uint32_t lengths[N_SEQS] = { 40, 5, 17, 64, 9 };
static const int32_t prompt[N_LOGITS] = { 1, 5, 300, 42, 700, 8, 8, 91, 3 };

typedef struct {
    axl_context *ctx;
    axl_model *model;
    axl_trainer *tr;
} fixture;

static fixture setup(const char *backend, uint32_t compute, uint32_t threads,
                     const axl_trainer_options *opts)
{
    fixture f;

    f.ctx = tiny_context(threads);
    f.model = tiny_model(f.ctx, backend, compute);
    assert_ok(axl_trainer_new(&f.tr, f.model, NULL, opts));
    return f;
}

static void teardown(fixture *f)
{
    axl_trainer_free(f->tr);
    axl_model_free(f->model);
    axl_context_free(f->ctx);
}

/* Step n of a run. */
static double step(axl_trainer *tr, uint32_t n)
{
    axl_step_stats s = AXL_STEP_STATS_INIT;
    tiny_data *d = tiny_batch(lengths, N_SEQS, n % 2);

    assert_ok(axl_trainer_forward_backward(tr, &d->batch, NULL));
    assert_ok(axl_trainer_step(tr, &s));
    free(d);
    return s.loss;
}

typedef axl_status read_fn(const axl_trainer *tr, size_t index, float *values);

static float *all_of(axl_trainer *tr, read_fn *read, size_t *n)
{
    float *all = NULL;

    *n = 0;
    for (size_t i = 0; i < axl_trainer_count(tr); i++) {
        axl_tensor_info t = AXL_TENSOR_INFO_INIT;
        assert_ok(axl_trainer_get_tensor(tr, i, &t));
        all = realloc(all, (*n + t.rows * t.cols) * sizeof *all);
        assert_ok(read(tr, i, all + *n));
        *n += t.rows * t.cols;
    }
    return all;
}

static void compare(axl_trainer *a, axl_trainer *b, read_fn *read, double tolerance)
{
    size_t n, m;
    float *x = all_of(a, read, &n), *y = all_of(b, read, &m);

    assert_int_equal(n, m);
    double d = tiny_distance(x, y, n);
    if (tolerance == 0.0 ? memcmp(x, y, n * sizeof *x) != 0 : !(d <= tolerance))
        fail_msg("they differ by %g of their norm", d);
    free(x);
    free(y);
}

static float *logits_of(axl_model *model)
{
    float *out = malloc(sizeof *out * N_LOGITS * TINY_VOCAB);

    assert_ok(axl_model_logits(model, NULL, prompt, N_LOGITS, out));
    return out;
}

/* ---- gradients ---- */

static void forward_backward(fixture *f, uint32_t n_seqs)
{
    tiny_data *d = tiny_batch(lengths, n_seqs, 1);

    assert_ok(axl_trainer_forward_backward(f->tr, &d->batch, NULL));
    free(d);
}

static void test_weights__gradients_are_the_references(void **state)
{
    fixture f = setup("cpu", AXL_COMPUTE_F32, 2, NULL);
    fixture ref = setup("reference", AXL_COMPUTE_F32, 1, NULL);

    (void)state;
    forward_backward(&f, 3);
    forward_backward(&ref, 3);
    compare(f.tr, ref.tr, axl_trainer_read_gradient, 2e-6);
    teardown(&f);
    teardown(&ref);
}

static void test_weights__recomputing_changes_no_bit(void **state)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;

    (void)state;
    for (uint32_t compute = AXL_COMPUTE_F32; compute <= AXL_COMPUTE_BF16; compute++) {
        fixture f = setup("cpu", compute, 2, NULL);
        o.checkpointing = 1;
        fixture g = setup("cpu", compute, 3, &o);
        forward_backward(&f, N_SEQS);
        forward_backward(&g, N_SEQS);
        compare(f.tr, g.tr, axl_trainer_read_gradient, 0.0);
        teardown(&f);
        teardown(&g);
    }
}

static void test_weights__one_batch_or_several(void **state)
{
    fixture f = setup("cpu", AXL_COMPUTE_F32, 2, NULL), g = setup("cpu", AXL_COMPUTE_F32, 2, NULL);
    tiny_data *all = tiny_batch(lengths, N_SEQS, 1);

    (void)state;
    assert_ok(axl_trainer_forward_backward(f.tr, &all->batch, NULL));
    for (uint32_t s = 0; s < N_SEQS; s++) {
        tiny_data *one = tiny_alone(all, s);
        assert_ok(axl_trainer_forward_backward(g.tr, &one->batch, NULL));
        free(one);
    }
    compare(f.tr, g.tr, axl_trainer_read_gradient, 1e-6);
    free(all);
    teardown(&f);
    teardown(&g);
}

/* ---- the result ---- */

static void check_result(uint32_t compute, const char *optimizer)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_optimizer_options rule = AXL_OPTIMIZER_OPTIONS_INIT;
    axl_model_options mo = AXL_MODEL_OPTIONS_INIT;
    size_t bytes = sizeof(float) * N_LOGITS * TINY_VOCAB;
    axl_model *saved;

    rule.name = optimizer;
    o.optimizer = &rule;
    o.learning_rate = 1e-3;
    fixture f = setup("cpu", compute, 2, &o);
    double first = step(f.tr, 0), last = 0.0;
    for (uint32_t n = 1; n < N_STEPS; n++)
        last = step(f.tr, 0);
    assert_true(last < first);
    assert_ok(axl_trainer_export(f.tr, temp_path("exported")));
    assert_fails(axl_model_save(f.model, temp_path("busy")), AXL_ERR_BUSY, "being trained");
    axl_trainer_free(f.tr);
    f.tr = NULL;
    assert_ok(axl_model_save(f.model, temp_path("saved")));
    float *mine = logits_of(f.model);
    mo.compute = compute;
    for (int i = 0; i < 2; i++) {
        assert_ok(axl_model_open(&saved, f.ctx, temp_path(i ? "saved" : "exported"), &mo));
        float *theirs = logits_of(saved);
        if (compute == AXL_COMPUTE_BF16)
            assert_memory_equal(mine, theirs, bytes);
        else /* the base's files are bf16, and so is the result */
            assert_true(tiny_distance(mine, theirs, N_LOGITS * TINY_VOCAB) < 0.01);
        free(theirs);
        axl_model_free(saved);
    }
    free(mine);
    teardown(&f);
}

static void test_weights__the_result_is_what_was_trained(void **state)
{
    (void)state;
    check_result(AXL_COMPUTE_F32, "adamw_torch");
    check_result(AXL_COMPUTE_BF16, "adamw_torch");
    check_result(AXL_COMPUTE_F32, "schedule_free_adamw");
    check_result(AXL_COMPUTE_BF16, "schedule_free_adamw");
    check_result(AXL_COMPUTE_BF16, "adamw_8bit");
}

/* Steps that are each too small for the bf16 that is computed with add up. */
static void test_weights__small_steps_are_not_lost(void **state)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    size_t n;

    (void)state;
    o.learning_rate = 1e-6; /* the weights are about 0.02, half their last place 4e-5 */
    fixture f = setup("cpu", AXL_COMPUTE_BF16, 2, &o), g = setup("cpu", AXL_COMPUTE_F32, 2, &o);
    float *before = all_of(f.tr, axl_trainer_read, &n);
    for (uint32_t i = 0; i < 10; i++) {
        step(f.tr, 0);
        step(g.tr, 0);
    }
    float *bf16 = all_of(f.tr, axl_trainer_read, &n), *f32 = all_of(g.tr, axl_trainer_read, &n);
    size_t moved = 0;
    double sums[3] = { 0 };
    for (size_t i = 0; i < n; i++) {
        double a = (double)bf16[i] - before[i], b = (double)f32[i] - before[i];
        moved += a != 0.0;
        sums[0] += a * b;
        sums[1] += a * a;
        sums[2] += b * b;
    }
    assert_true((double)moved > 0.9 * (double)n);
    assert_true(sums[0] / sqrt(sums[1] * sums[2]) > 0.95); /* into the same direction */
    free(before);
    free(bf16);
    free(f32);
    teardown(&f);
    teardown(&g);
}

static void test_weights__an_evaluation_changes_nothing(void **state)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_optimizer_options rule = AXL_OPTIMIZER_OPTIONS_INIT;

    (void)state;
    rule.name = "schedule_free_adamw"; /* which evaluates other weights than it trains with */
    o.optimizer = &rule;
    for (uint32_t compute = AXL_COMPUTE_F32; compute <= AXL_COMPUTE_BF16; compute++) {
        fixture f = setup("cpu", compute, 2, &o), g = setup("cpu", compute, 2, &o);
        tiny_data *d = tiny_batch(lengths, N_SEQS, 5);
        for (uint32_t n = 0; n < N_STEPS; n++) {
            double x, y;
            step(f.tr, n);
            step(g.tr, n);
            assert_ok(axl_trainer_evaluate(f.tr, &d->batch, &x));
            assert_ok(axl_trainer_evaluate(f.tr, &d->batch, &y));
            assert_true(x == y);
        }
        compare(f.tr, g.tr, axl_trainer_read, 0.0);
        free(d);
        teardown(&f);
        teardown(&g);
    }
}

/* ---- going on ---- */

static void check_going_on(uint32_t compute)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    fixture whole = setup("cpu", compute, 2, &o);

    for (uint32_t n = 0; n < N_STEPS; n++)
        step(whole.tr, n);
    for (uint32_t stop = 0; stop < N_STEPS; stop += 2) {
        fixture f = setup("cpu", compute, 3, &o), g = setup("cpu", compute, 1, &o);
        for (uint32_t n = 0; n < stop; n++)
            step(f.tr, n);
        assert_ok(axl_trainer_save(f.tr, NULL, temp_path("checkpoint")));
        step(g.tr, 1);
        assert_ok(axl_trainer_load(g.tr, NULL, temp_path("checkpoint")));
        compare(f.tr, g.tr, axl_trainer_read, 0.0);
        for (uint32_t n = stop; n < N_STEPS; n++)
            step(g.tr, n);
        compare(whole.tr, g.tr, axl_trainer_read, 0.0);
        teardown(&f);
        teardown(&g);
    }
    teardown(&whole);
}

static void test_weights__goes_on_from_a_checkpoint(void **state)
{
    (void)state;
    check_going_on(AXL_COMPUTE_F32);
    check_going_on(AXL_COMPUTE_BF16);
}

/* ---- LISA ---- */

/* Bit l + 1: a tensor of layer l has moved; bit 0: one of none. */
static unsigned moved(axl_trainer *tr, float **before)
{
    unsigned layers = 0;

    for (size_t i = 0, at = 0; i < axl_trainer_count(tr); i++) {
        axl_tensor_info t = AXL_TENSOR_INFO_INIT;
        unsigned layer = 0;
        assert_ok(axl_trainer_get_tensor(tr, i, &t));
        size_t n = t.rows * t.cols;
        float *now = malloc(n * sizeof *now);
        assert_ok(axl_trainer_read(tr, i, now));
        if (sscanf(t.name, "model.layers.%u.", &layer) == 1)
            layer++;
        if (memcmp(now, *before + at, n * sizeof *now) != 0)
            layers |= 1u << layer;
        at += n;
        free(now);
    }
    return layers;
}

static void test_weights__lisa_trains_some_layers_at_a_time(void **state)
{
    enum { LISA_STEPS = 60, EVERY = 3 };
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_model_info info = AXL_MODEL_INFO_INIT;
    unsigned seen = 0, last = 0;

    (void)state;
    o.lisa_layers = 1;
    o.lisa_steps = EVERY;
    fixture f = setup("cpu", AXL_COMPUTE_F32, 2, &o), g = setup("cpu", AXL_COMPUTE_F32, 2, &o);
    assert_ok(axl_model_get_info(f.model, &info));
    for (uint32_t n = 0; n < LISA_STEPS; n++) {
        size_t count;
        float *before = all_of(f.tr, axl_trainer_read, &count);
        step(f.tr, n);
        unsigned layers = moved(f.tr, &before);
        assert_true(layers & 1); /* the embedding and the last norm */
        assert_int_equal(__builtin_popcount(layers >> 1), 1);
        if (n % EVERY != 0 && n != 1)
            assert_int_equal(layers, last);
        seen |= last = layers;
        free(before);
        if (n == 10)
            assert_ok(axl_trainer_save(f.tr, NULL, temp_path("lisa")));
    }
    assert_int_equal(seen, (1u << (info.n_layers + 1)) - 1);
    assert_ok(axl_trainer_load(g.tr, NULL, temp_path("lisa")));
    for (uint32_t n = 11; n < LISA_STEPS; n++)
        step(g.tr, n);
    compare(f.tr, g.tr, axl_trainer_read, 0.0);
    teardown(&f);
    teardown(&g);
}

/* All layers at once are all there is. */
static void test_weights__lisa_with_all_layers_is_none(void **state)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_model_info info = AXL_MODEL_INFO_INIT;

    (void)state;
    fixture f = setup("cpu", AXL_COMPUTE_F32, 2, &o);
    assert_ok(axl_model_get_info(f.model, &info));
    o.lisa_layers = info.n_layers;
    o.lisa_steps = 2;
    fixture g = setup("cpu", AXL_COMPUTE_F32, 2, &o);
    for (uint32_t n = 0; n < N_STEPS; n++) {
        step(f.tr, n);
        step(g.tr, n);
    }
    compare(f.tr, g.tr, axl_trainer_read, 0.0);
    teardown(&f);
    teardown(&g);
}

/* ---- merging ---- */

static float *adapted_logits(axl_model *model, axl_adapter *adapter)
{
    float *out = malloc(sizeof *out * N_LOGITS * TINY_VOCAB);

    assert_ok(axl_model_logits(model, adapter, prompt, N_LOGITS, out));
    return out;
}

static void test_weights__an_adapter_is_merged(void **state)
{
    size_t n = (size_t)N_LOGITS * TINY_VOCAB;

    (void)state;
    for (uint32_t compute = AXL_COMPUTE_F32; compute <= AXL_COMPUTE_BF16; compute++) {
        axl_context *ctx = tiny_context(2);
        axl_model *model = tiny_model(ctx, "cpu", compute);
        axl_adapter *adapter = tiny_adapter(model, 0.0);
        float *base = logits_of(model), *wanted = adapted_logits(model, adapter);
        assert_ok(axl_adapter_merge(adapter));
        float *merged = logits_of(model);
        double moved = tiny_distance(base, wanted, n);
        double off = tiny_distance(merged, wanted, n);
        assert_true(off < (compute == AXL_COMPUTE_F32 ? 1e-5 : 0.2 * moved));
        assert_ok(axl_model_save(model, temp_path("merged")));
        free(base);
        free(wanted);
        free(merged);
        axl_adapter_free(adapter);
        axl_model_free(model);
        axl_context_free(ctx);
    }
}

static int stop_merging(void *user, const axl_progress *p)
{
    (void)user;
    return strcmp(p->phase, "merge") == 0;
}

static void test_weights__a_merge_is_done_or_not(void **state)
{
    axl_context_options co = AXL_CONTEXT_OPTIONS_INIT;
    size_t bytes = sizeof(float) * N_LOGITS * TINY_VOCAB;
    axl_context *ctx;

    (void)state;
    co.isa = test_isa();
    co.progress = stop_merging;
    assert_ok(axl_context_new(&ctx, &co));
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter *adapter = tiny_adapter(model, 0.0);
    float *before = logits_of(model);
    assert_fails(axl_adapter_merge(adapter), AXL_ERR_CANCELLED, "progress");
    float *after = logits_of(model);
    assert_memory_equal(before, after, bytes);
    assert_fails(axl_model_save(model, temp_path("not-merged")), AXL_ERR_INVALID, "not trained");
    free(before);
    free(after);
    axl_adapter_free(adapter);
    axl_model_free(model);
    axl_context_free(ctx);
}

static void test_weights__a_tied_head_is_not_merged(void **state)
{
    static const char *const head = "lm_head";
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_model_info info = AXL_MODEL_INFO_INIT;
    axl_adapter *adapter;

    (void)state;
    assert_ok(axl_model_get_info(model, &info));
    o.target_modules = &head;
    o.n_target_modules = 1;
    assert_ok(axl_adapter_new(&adapter, model, &o));
    if (info.tied_head)
        assert_fails(axl_adapter_merge(adapter), AXL_ERR_UNSUPPORTED, "lm_head");
    else
        assert_ok(axl_adapter_merge(adapter));
    axl_adapter_free(adapter);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* ---- one owner ---- */

static void test_weights__the_model_has_one_owner(void **state)
{
    fixture f = setup("cpu", AXL_COMPUTE_F32, 2, NULL);
    float *logits = malloc(sizeof *logits * N_LOGITS * TINY_VOCAB);
    axl_adapter *adapter = tiny_adapter(f.model, 0.0);
    axl_trainer *other;

    (void)state;
    assert_fails(axl_model_logits(f.model, NULL, prompt, N_LOGITS, logits), AXL_ERR_BUSY,
                 "being trained");
    assert_fails(axl_trainer_new(&other, f.model, NULL, NULL), AXL_ERR_BUSY, "weights");
    assert_fails(axl_trainer_new(&other, f.model, adapter, NULL), AXL_ERR_BUSY, "weights");
    assert_fails(axl_adapter_merge(adapter), AXL_ERR_BUSY, "weights");
    axl_trainer_free(f.tr);
    assert_ok(axl_model_logits(f.model, NULL, prompt, N_LOGITS, logits));
    assert_ok(axl_trainer_new(&other, f.model, adapter, NULL)); /* on the trained weights */
    assert_fails(axl_trainer_new(&f.tr, f.model, NULL, NULL), AXL_ERR_BUSY, "an adapter");
    assert_null(f.tr);
    axl_trainer_free(other);
    assert_ok(axl_trainer_new(&f.tr, f.model, NULL, NULL)); /* again */
    axl_adapter_free(adapter);
    free(logits);
    teardown(&f);
}

static void test_weights__refuses_what_cannot_be(void **state)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_optimizer_options rule = AXL_OPTIMIZER_OPTIONS_INIT;
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_tensor_info info = AXL_TENSOR_INFO_INIT;
    axl_trainer *tr;
    float value = 0.0f;

    (void)state;
    assert_fails(axl_model_save(model, temp_path("frozen")), AXL_ERR_INVALID, "was not trained");
    o.relora_steps = 3;
    assert_fails(axl_trainer_new(&tr, model, NULL, &o), AXL_ERR_INVALID, "relora_steps");
    o.relora_steps = 0;
    o.lisa_layers = 2;
    assert_fails(axl_trainer_new(&tr, model, NULL, &o), AXL_ERR_INVALID, "together");
    o.lisa_steps = 5;
    o.lisa_layers = 99;
    assert_fails(axl_trainer_new(&tr, model, NULL, &o), AXL_ERR_INVALID, "the model has");
    o.lisa_layers = 1;
    rule.name = "adafactor";
    o.optimizer = &rule;
    assert_fails(axl_trainer_new(&tr, model, NULL, &o), AXL_ERR_INVALID, "adafactor cannot");
    assert_ok(axl_trainer_new(&tr, model, NULL, NULL));
    size_t n = axl_trainer_count(tr);
    assert_ok(axl_trainer_get_tensor(tr, 0, &info));
    assert_string_equal(info.name, "model.embed_tokens.weight");
    assert_int_equal(info.rows, TINY_VOCAB);
    assert_int_equal(axl_trainer_get_tensor(tr, n, &info), AXL_END);
    assert_fails(axl_trainer_read(tr, n, &value), AXL_ERR_INVALID, "of");
    assert_fails(axl_trainer_write(tr, 0, NULL), AXL_ERR_INVALID, "NULL");
    assert_fails(axl_trainer_export(tr, NULL), AXL_ERR_INVALID, "NULL");
    assert_int_equal(axl_trainer_count(NULL), 0);
    axl_trainer_free(tr);
    assert_fails(axl_model_save(model, NULL), AXL_ERR_INVALID, "NULL");
    axl_model_free(model);
    axl_context_free(ctx);
}

/* A value that a host writes is what is trained on. */
static void test_weights__takes_a_hosts_values(void **state)
{
    fixture f = setup("cpu", AXL_COMPUTE_BF16, 2, NULL);
    tiny_data *d = tiny_batch(lengths, N_SEQS, 1);
    axl_tensor_info t = AXL_TENSOR_INFO_INIT;
    double before, between, after;

    (void)state;
    assert_ok(axl_trainer_evaluate(f.tr, &d->batch, &before));
    assert_ok(axl_trainer_get_tensor(f.tr, 2, &t));
    float *values = malloc(t.rows * t.cols * sizeof *values);
    float *zeros = calloc(t.rows * t.cols, sizeof *zeros);
    assert_ok(axl_trainer_read(f.tr, 2, values));
    assert_ok(axl_trainer_write(f.tr, 2, zeros));
    assert_ok(axl_trainer_evaluate(f.tr, &d->batch, &between));
    assert_ok(axl_trainer_write(f.tr, 2, values));
    assert_ok(axl_trainer_evaluate(f.tr, &d->batch, &after));
    assert_true(before != between && before == after);
    free(values);
    free(zeros);
    free(d);
    teardown(&f);
}

/* A copy of the tiny model that may be lost, for the name of its folder. */
static const char *base_copy(void)
{
    static char dir[128], command[1024];

    snprintf(dir, sizeof dir, "%s/models/base", test_temp_dir());
    snprintf(command, sizeof command,
             "mkdir -p '%s' && cp '%s'/* '%s' && ln -sfn models '%s/linked'", dir,
             test_source_path("examples/tiny-llama"), dir, test_temp_dir());
    assert_int_equal(system(command), 0);
    return dir;
}

/* By any path, and where a checkpoint would replace a folder around it; what was opened by a path
 * that no longer leads there is known still. */
static void test_weights__nothing_is_written_over_a_base(void **state)
{
    axl_context *ctx = tiny_context(1);
    axl_model *model;
    axl_trainer *tr;
    const char *base = base_copy();
    const char *const names[] = { "models/base", "models/base/", "linked/base",
                                  "models/../models/base", "models/base/." };

    (void)state;
    assert_int_equal(chdir(test_temp_dir()), 0);
    assert_ok(axl_model_open(&model, ctx, "models/base", NULL));
    axl_adapter *adapter = tiny_adapter(model, 0.0);
    assert_ok(axl_adapter_merge(adapter));
    assert_int_equal(chdir("/"), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_fails(axl_adapter_save(adapter, temp_path(names[i])), AXL_ERR_INVALID,
                     "not written over");
    axl_adapter_free(adapter);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_fails(axl_model_save(model, temp_path(names[i])), AXL_ERR_INVALID,
                     "not written over");
    assert_ok(axl_trainer_new(&tr, model, NULL, NULL));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_fails(axl_trainer_export(tr, temp_path(names[i])), AXL_ERR_INVALID,
                     "not written over");
        assert_fails(axl_trainer_save(tr, NULL, temp_path(names[i])), AXL_ERR_INVALID,
                     "not written over");
    }
    assert_fails(axl_trainer_save(tr, NULL, temp_path("models")), AXL_ERR_INVALID,
                 "would be replaced");
    axl_tokenizer *tok;
    assert_ok(axl_tokenizer_open(&tok, ctx, base, NULL));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_fails(axl_tokenizer_save(tok, temp_path(names[i])), AXL_ERR_INVALID,
                     "not written over");
    axl_tokenizer_free(tok);
    axl_trainer_free(tr);
    axl_model_free(model);
    char command[512];
    snprintf(command, sizeof command, "diff -r '%s' '%s'", base,
             test_source_path("examples/tiny-llama"));
    assert_int_equal(system(command), 0);
    axl_context_free(ctx);
}

/* A folder of something else is none that a checkpoint may replace. */
static void test_weights__a_checkpoint_replaces_a_checkpoint(void **state)
{
    fixture f = setup("cpu", AXL_COMPUTE_F32, 1, NULL);
    char command[512];

    (void)state;
    snprintf(command, sizeof command, "mkdir '%s' && touch '%s/thesis.md'", temp_path("mine"),
             test_temp_dir());
    assert_int_equal(system(command), 0);
    assert_ok(axl_trainer_save(f.tr, NULL, temp_path("mine")));
    assert_ok(axl_trainer_save(f.tr, NULL, temp_path("mine")));
    snprintf(command, sizeof command, "mkdir '%s/other' && touch '%s/other/thesis.md'",
             test_temp_dir(), test_temp_dir());
    assert_int_equal(system(command), 0);
    assert_fails(axl_trainer_save(f.tr, NULL, temp_path("other")), AXL_ERR_INVALID,
                 "is no checkpoint");
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights__gradients_are_the_references),
        cmocka_unit_test(test_weights__recomputing_changes_no_bit),
        cmocka_unit_test(test_weights__one_batch_or_several),
        cmocka_unit_test(test_weights__the_result_is_what_was_trained),
        cmocka_unit_test(test_weights__small_steps_are_not_lost),
        cmocka_unit_test(test_weights__an_evaluation_changes_nothing),
        cmocka_unit_test(test_weights__goes_on_from_a_checkpoint),
        cmocka_unit_test(test_weights__lisa_trains_some_layers_at_a_time),
        cmocka_unit_test(test_weights__lisa_with_all_layers_is_none),
        cmocka_unit_test(test_weights__an_adapter_is_merged),
        cmocka_unit_test(test_weights__a_merge_is_done_or_not),
        cmocka_unit_test(test_weights__a_tied_head_is_not_merged),
        cmocka_unit_test(test_weights__the_model_has_one_owner),
        cmocka_unit_test(test_weights__refuses_what_cannot_be),
        cmocka_unit_test(test_weights__takes_a_hosts_values),
        cmocka_unit_test(test_weights__nothing_is_written_over_a_base),
        cmocka_unit_test(test_weights__a_checkpoint_replaces_a_checkpoint),
    };

    return test_run(tests);
}
