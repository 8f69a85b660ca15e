/* SPDX-License-Identifier: Apache-2.0 */
/* test_evaluate.c - axl_evaluate: what it counts, that it reports, and that it can be stopped. */
#include "testing.h"

#include <math.h>

typedef struct {
    uint64_t done, total, calls;
    uint64_t stop_at; /* batches; 0: never */
} watcher;

static int on_progress(void *user, const axl_progress *p)
{
    watcher *w = user;

    if (strcmp(p->phase, "evaluate") != 0)
        return 0;
    assert_true(p->done >= w->done && p->done <= p->total);
    w->done = p->done;
    w->total = p->total;
    w->calls++;
    return w->stop_at > 0 && p->done >= w->stop_at;
}

static axl_context *watched(watcher *w)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    axl_context *ctx;

    o.isa = test_isa();
    o.progress = on_progress;
    o.progress_user = w;
    assert_ok(axl_context_new(&ctx, &o));
    return ctx;
}

static axl_config *parse(axl_context *ctx, const char *keys)
{
    char text[2048];
    axl_config *cfg;

    snprintf(text, sizeof text,
             "base_model: %s\ndatasets: [{path: %s, type: alpaca}]\nadapter: lora\nlora_r: 4\n"
             "lora_alpha: 8\nlora_target_modules: [q_proj]\nsequence_len: 256\n"
             "micro_batch_size: 2\ngradient_accumulation_steps: 1\noptimizer: adamw_torch\n"
             "learning_rate: 1e-3\nbf16: false\noutput_dir: %s/out\n%s",
             test_source_path("examples/tiny-llama"),
             test_source_path("examples/tiny-alpaca.jsonl"), test_temp_dir(), keys);
    assert_ok(axl_config_parse(&cfg, ctx, text, strlen(text), "test.yml", NULL));
    return cfg;
}

static void test_evaluate__counts_and_reports_batches(void **state)
{
    axl_evaluation e = AXL_EVALUATION_INIT;
    watcher w = { 0 };
    axl_context *ctx = watched(&w);
    axl_config *cfg = parse(ctx, "val_set_size: 21\n");

    (void)state;
    assert_ok(axl_evaluate(cfg, &e));
    assert_int_equal(e.rows, 21);
    assert_true(e.tokens > 21);
    assert_true(e.loss > 0.0 && fabs(e.perplexity - exp(e.loss)) < 1e-12 * e.perplexity);
    assert_int_equal(w.total, 11);
    assert_int_equal(w.done, 11);
    axl_config_free(cfg);
    axl_context_free(ctx);
}

static void test_evaluate__stops_when_asked(void **state)
{
    axl_evaluation e = AXL_EVALUATION_INIT;
    watcher w = { .stop_at = 1 };
    axl_context *ctx = watched(&w);
    axl_config *cfg = parse(ctx, "val_set_size: 4\n");
    axl_cancel *cancel;

    (void)state;
    assert_fails(axl_evaluate(cfg, &e), AXL_ERR_CANCELLED, "progress callback");
    assert_ok(axl_cancel_new(&cancel, ctx));
    axl_cancel_raise(cancel);
    assert_fails(axl_evaluate(cfg, &e), AXL_ERR_CANCELLED, "cancelled");
    assert_int_equal(e.rows, 0);
    axl_cancel_free(cancel);
    axl_config_free(cfg);
    axl_context_free(ctx);
}

static void test_evaluate__says_what_is_missing(void **state)
{
    axl_evaluation e = AXL_EVALUATION_INIT;
    axl_context *ctx = test_context();
    axl_config *cfg = parse(ctx, "val_set_size: 0\n");

    (void)state;
    assert_int_equal(axl_evaluate(cfg, &e), AXL_END);
    assert_fails(axl_evaluate(NULL, &e), AXL_ERR_INVALID, "axl_config");
    e.size = 8;
    assert_fails(axl_evaluate(cfg, &e), AXL_ERR_ABI, "axl_evaluation");
    axl_config_free(cfg);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_evaluate__counts_and_reports_batches),
        cmocka_unit_test(test_evaluate__stops_when_asked),
        cmocka_unit_test(test_evaluate__says_what_is_missing),
    };

    return test_run(tests);
}
