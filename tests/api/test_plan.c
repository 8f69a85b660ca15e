/* SPDX-License-Identifier: Apache-2.0 */
/* test_plan.c - the memory that is told before loading against what the process then has. */
#include "testing.h"

#include <sys/wait.h>
#include <unistd.h>

enum { TOKENS = 8192, LENGTH = 512 };

static uint64_t peak_rss(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    unsigned long long kib = 0;
    char line[256];

    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %llu", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib * 1024;
}

typedef struct {
    axl_plan plan;
    uint64_t measured, before;
} outcome;

typedef struct {
    axl_model_options model;
    axl_adapter_options adapter;
    axl_trainer_options trainer;
} settings;

static settings make_settings(uint32_t compute, uint32_t checkpointing)
{
    settings s = { AXL_MODEL_OPTIONS_INIT, AXL_ADAPTER_OPTIONS_INIT, AXL_TRAINER_OPTIONS_INIT };

    s.model.compute = compute;
    s.adapter.rank = 16;
    s.trainer.checkpointing = checkpointing;
    s.trainer.max_tokens = TOKENS;
    return s;
}

static axl_trainer *make_trainer(axl_context *ctx, const settings *s)
{
    axl_model *model;
    axl_adapter *adapter = NULL;
    axl_trainer *tr;

    assert_ok(axl_model_open(&model, ctx, test_source_path("examples/tiny-llama"), &s->model));
    if (s->adapter.rank > 0)
        assert_ok(axl_adapter_new(&adapter, model, &s->adapter));
    assert_ok(axl_trainer_new(&tr, model, adapter, &s->trainer));
    axl_adapter_free(adapter);
    axl_model_free(model);
    return tr;
}

/* Sequences of LENGTH, the first `first` tokens long and the last the rest. */
static void train_batch(axl_trainer *tr, int32_t first)
{
    static int32_t ids[TOKENS], cu[TOKENS / LENGTH + 2];
    axl_batch b = AXL_BATCH_INIT;

    for (int i = 0; i < TOKENS; i++)
        ids[i] = 3 + i * 7 % 700;
    for (int32_t at = first; at < TOKENS; at += LENGTH)
        cu[++b.n_seqs] = at;
    cu[++b.n_seqs] = TOKENS;
    b.input_ids = b.labels = ids;
    b.cu_seqlens = cu;
    b.n_tokens = TOKENS;
    assert_ok(axl_trainer_forward_backward(tr, &b, NULL));
}

/* Two batches cut at other places: causal attention leaves scratch untouched in each. */
static void train(axl_context *ctx, const settings *s)
{
    axl_trainer *tr = make_trainer(ctx, s);

    train_batch(tr, LENGTH);
    if (s->trainer.gradient_accumulation_steps == 1)
        assert_ok(axl_trainer_step(tr, NULL));
    train_batch(tr, LENGTH / 2);
    assert_ok(axl_trainer_step(tr, NULL));
    axl_trainer_free(tr);
}

static axl_plan estimate(axl_context *ctx, const settings *s)
{
    axl_plan plan = AXL_PLAN_INIT;

    assert_ok(axl_model_estimate(ctx, test_source_path("examples/tiny-llama"), &s->model,
                                 &s->adapter, &s->trainer, &plan));
    return plan;
}

static void plan_and_train(axl_context *ctx, const settings *s, outcome *o)
{
    o->plan = estimate(ctx, s);
    train(ctx, s);
}

/* In a child, whose peak is its own. */
static outcome run(void (*fn)(axl_context *ctx, const settings *s, outcome *o), const settings *s)
{
    outcome o = { 0 };
    int ends[2], status = 1;

    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        axl_context *ctx = test_context();
        fn(ctx, s, &o);
        o.measured = peak_rss();
        _exit(write(ends[1], &o, sizeof o) == (ssize_t)sizeof o ? 0 : 1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &o, sizeof o), sizeof o);
    close(ends[0]);
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    return o;
}

/* Within 5 %; a model this small does not fill the kernels' scratch, which is counted.  Sanitizers
 * have memory of their own. */
static void assert_near(const settings *s)
{
    if (test_is_slow())
        skip();
    outcome o = run(plan_and_train, s);
    double off = (double)o.plan.peak_rss_bytes - (double)o.measured;
    double unfilled = 8.0 * 1024.0 * 1024.0;

    print_message("planned %llu, measured %llu: %+.2f %%\n",
                  (unsigned long long)o.plan.peak_rss_bytes, (unsigned long long)o.measured,
                  100.0 * off / (double)o.measured);
    assert_true(off > -0.05 * (double)o.measured && off < 0.05 * (double)o.measured + unfilled);
}

static void test_plan__peak_is_near_the_measured(void **state)
{
    (void)state;
    for (uint32_t compute = AXL_COMPUTE_F32; compute <= AXL_COMPUTE_BF16; compute++) {
        for (uint32_t checkpointing = 0; checkpointing < 2; checkpointing++) {
            settings s = make_settings(compute, checkpointing);
            if (test_is_long() || (compute == AXL_COMPUTE_BF16) == checkpointing)
                assert_near(&s);
        }
    }
}

static void test_plan__counts_weights_in_few_bits(void **state)
{
    (void)state;
    for (uint32_t weights = AXL_WEIGHTS_NF4; weights <= AXL_WEIGHTS_INT8; weights++) {
        settings s = make_settings(AXL_COMPUTE_BF16, 1);
        s.model.weights = weights;
        s.model.read = weights == AXL_WEIGHTS_FP4;
        s.model.plain_scales = weights == AXL_WEIGHTS_FP4;
        if (test_is_long() || weights != AXL_WEIGHTS_FP4)
            assert_near(&s);
    }
}

static void test_plan__counts_dropout_and_accumulation(void **state)
{
    settings s = make_settings(AXL_COMPUTE_F32, 1);

    (void)state;
    s.adapter.dropout = 0.1;
    s.adapter.rank = test_is_long() ? 512 : 256; /* the adapter's own memory is seen */
    s.trainer.gradient_accumulation_steps = 2;
    s.model.read = 1;
    assert_near(&s);
}

/* All weights, and the upper layers alone. */
static void test_plan__counts_full_fine_tuning(void **state)
{
    static const char *const upper[] = { "model.layers.[23]", "lm_head" };

    (void)state;
    for (uint32_t compute = AXL_COMPUTE_F32; compute <= AXL_COMPUTE_BF16; compute++)
        for (uint32_t some = 0; some < 2; some++) {
            settings s = make_settings(compute, compute == AXL_COMPUTE_BF16);
            s.adapter.rank = 0;
            s.trainer.unfrozen_parameters = some ? upper : NULL;
            s.trainer.n_unfrozen_parameters = some ? 2 : 0;
            s.trainer.gradient_accumulation_steps = 1 + some;
            if (test_is_long() || (compute == AXL_COMPUTE_F32) == some)
                assert_near(&s);
        }
}

/* Of what is not trained there are no values in f32, gradients, moments or activations. */
static void test_plan__some_weights_take_less(void **state)
{
    static const char *const last[] = { "model.layers.3", "model.norm" };
    settings s = make_settings(AXL_COMPUTE_BF16, 0);
    axl_context *ctx = test_context();

    (void)state;
    s.adapter.rank = 0;
    axl_plan all = estimate(ctx, &s);
    s.trainer.unfrozen_parameters = last;
    s.trainer.n_unfrozen_parameters = 2;
    axl_plan some = estimate(ctx, &s);
    assert_true(some.optimizer_bytes < all.optimizer_bytes / 4);
    assert_true(some.activation_bytes < all.activation_bytes);
    assert_true(some.weights_bytes < all.weights_bytes);
    axl_context_free(ctx);
}

static void load(axl_context *ctx, const settings *s, outcome *o)
{
    axl_trainer *tr = make_trainer(ctx, s);

    o->plan = estimate(ctx, s);
    o->before = peak_rss();
    assert_ok(axl_trainer_load(tr, NULL, temp_path("saved")));
}

/* Two moments and the value of each trained number, all f32. */
static void test_plan__going_on_takes_what_is_read_once(void **state)
{
    settings s = make_settings(AXL_COMPUTE_F32, 1);

    (void)state;
    if (test_is_slow())
        skip();
    axl_context *ctx = test_context();
    s.adapter.rank = 1024;
    axl_trainer *tr = make_trainer(ctx, &s);
    assert_ok(axl_trainer_save(tr, NULL, temp_path("saved")));
    axl_trainer_free(tr);
    axl_context_free(ctx);
    outcome o = run(load, &s);
    uint64_t n_params = o.plan.optimizer_bytes / 16;
    print_message("%llu bytes were trained with, loading took %llu\n",
                  (unsigned long long)o.plan.optimizer_bytes,
                  (unsigned long long)(o.measured - o.before));
    assert_true(o.measured - o.before < n_params * 13);
}

static void test_plan__names_its_parts(void **state)
{
    settings s = make_settings(AXL_COMPUTE_F32, 0);
    axl_context *ctx = test_context();
    axl_plan small, large, full = estimate(ctx, &s);
    axl_model_info info = AXL_MODEL_INFO_INIT;
    axl_model *model;

    (void)state;
    assert_ok(axl_model_open(&model, ctx, test_source_path("examples/tiny-llama"), &s.model));
    assert_ok(axl_model_get_info(model, &info));
    axl_model_free(model);
    assert_int_equal(full.weights_bytes, info.weights_bytes);
    assert_true(full.peak_rss_bytes >
                full.weights_bytes + full.activation_bytes + full.optimizer_bytes);
    assert_true(full.host_limit_bytes > full.peak_rss_bytes);
    assert_true(full.device_bytes == 0 && full.device_limit_bytes == 0);
    assert_int_equal(full.steps, 0);
    s.adapter.rank = 0; /* f32 values of all weights, their gradients and moments */
    large = estimate(ctx, &s);
    assert_true(large.weights_bytes >= 4 * info.n_params);
    assert_true(large.optimizer_bytes >= 12 * info.n_params);
    s.adapter.rank = 32;
    large = estimate(ctx, &s);
    assert_int_equal(large.weights_bytes, full.weights_bytes);
    const uint64_t sums = 2 * sizeof(double); /* of gradients and of a batch's losses */
    assert_int_equal(large.optimizer_bytes, 2 * (full.optimizer_bytes - sums) + sums);
    s.trainer.checkpointing = 1;
    small = estimate(ctx, &s);
    assert_true(small.activation_bytes < large.activation_bytes);
    axl_context_free(ctx);
}

static void test_plan__says_what_is_wrong(void **state)
{
    settings s = make_settings(AXL_COMPUTE_F32, 0);
    axl_context *ctx = test_context();
    const char *path = test_source_path("examples/tiny-llama");
    axl_plan plan = AXL_PLAN_INIT;

    (void)state;
    s.trainer.max_tokens = 0;
    assert_fails(axl_model_estimate(ctx, path, NULL, NULL, &s.trainer, &plan), AXL_ERR_INVALID,
                 "max_tokens");
    s.trainer.max_tokens = 16;
    assert_fails(axl_model_estimate(ctx, "/nowhere", NULL, NULL, &s.trainer, &plan),
                 AXL_ERR_NOT_FOUND, "/nowhere");
    s.adapter.rank = 5000;
    assert_fails(axl_model_estimate(ctx, path, NULL, &s.adapter, &s.trainer, &plan),
                 AXL_ERR_INVALID, "lora_r");
    plan.size = 8;
    assert_fails(axl_model_estimate(ctx, path, NULL, NULL, &s.trainer, &plan), AXL_ERR_ABI,
                 "axl_plan");
    axl_context_free(ctx);
}

static axl_config *config_of(axl_context *ctx, axl_diagnostics **list)
{
    static const char text[] = "no_key: 1\nbase_model: ./none\ndatasets: [{path: b.jsonl, type: "
                               "alpaca}]\nmicro_batch_size: 1\ngradient_accumulation_steps: 1\n"
                               "learning_rate: 1e-3\naxl: {unknown_keys: warn}\n";
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;
    axl_config *cfg;

    o.base_dir = "/nowhere";
    o.diagnostics = list;
    assert_ok(axl_config_parse(&cfg, ctx, text, sizeof text - 1, "test.yml", &o));
    return cfg;
}

static void test_plan__looks_for_what_a_config_names(void **state)
{
    axl_context *ctx = test_context();
    axl_diagnostics *list = NULL, *own = NULL;
    axl_diagnostic d = AXL_DIAGNOSTIC_INIT;
    axl_config *cfg = config_of(ctx, &list);

    (void)state;
    assert_int_equal(axl_diagnostics_count(list), 1);
    assert_fails(axl_run_check(cfg, &list), AXL_ERR_CONFIG, "test.yml:2:1: error: base_model: no ");
    assert_int_equal(axl_diagnostics_count(list), 3);
    assert_int_equal(axl_diagnostics_error_count(list), 2);
    assert_ok(axl_diagnostics_get(list, 2, &d));
    assert_string_equal(d.text, "test.yml:3:13: error: datasets[0].path: no such file or folder: "
                                "/nowhere/b.jsonl [AXL-C0401]");
    assert_fails(axl_run_check(cfg, &own), AXL_ERR_CONFIG, "base_model");
    assert_int_equal(axl_diagnostics_count(own), 2);
    assert_fails(axl_run_check(cfg, NULL), AXL_ERR_INVALID, "list");
    assert_fails(axl_run_check(NULL, &own), AXL_ERR_INVALID, "axl_config");
    axl_diagnostics_free(own);
    axl_diagnostics_free(list);
    axl_config_free(cfg);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan__peak_is_near_the_measured),
        cmocka_unit_test(test_plan__counts_weights_in_few_bits),
        cmocka_unit_test(test_plan__counts_dropout_and_accumulation),
        cmocka_unit_test(test_plan__counts_full_fine_tuning),
        cmocka_unit_test(test_plan__some_weights_take_less),
        cmocka_unit_test(test_plan__going_on_takes_what_is_read_once),
        cmocka_unit_test(test_plan__names_its_parts),
        cmocka_unit_test(test_plan__says_what_is_wrong),
        cmocka_unit_test(test_plan__looks_for_what_a_config_names),
    };

    return test_run(tests);
}
