/* SPDX-License-Identifier: Apache-2.0 */
/* The report and the model card of made-up runs, and the log that they are made of. */
#include "testing.h"

#include "base/os.h"
#include "report/model_card.h"
#include "report/report.h"
#include "report/run_log.h"

#include <math.h>

static const char yaml[] =
    "base_model: org/Some-Model-1B  # <b>&\n"
    "datasets: [{path: a.jsonl, type: alpaca}, {path: org/b, type: alpaca}]\n"
    "adapter: lora\nlora_r: 8\nlora_alpha: 16\nlora_target_linear: true\n"
    "micro_batch_size: 2\ngradient_accumulation_steps: 4\nlearning_rate: 2e-4\n"
    "wandb_name: '```` x'\n";

typedef struct {
    axl_context *ctx;
    axl_config *cfg;
    axl__run_history history;
    axl_trainer_options trainer;
    axl__run_summary summary;
    axl__str text;
} fixture;

/* A smooth curve with some noise; an evaluation each eval_every steps. */
static axl_run_record step_record(uint64_t step)
{
    axl_run_record r = axl__record_blank(AXL_RUN_STEP);
    double noise = (double)(step * 2654435761u % 1000) / 1000.0 - 0.5;

    r.step = step;
    r.epoch = (double)step / 100.0;
    r.loss = 1.1 + 1.6 / (1.0 + (double)step / 20.0) + 0.2 * noise;
    r.grad_norm = step == 7 ? 120.0 : 0.8 + 0.4 * noise;
    r.learning_rate = 2e-4 / (double)step;
    r.tokens_per_second = 1500.0 + 200.0 * noise;
    r.n_tokens = 2000 * step;
    r.n_trained = 700 * step;
    return r;
}

static axl_run_record evaluation_record(uint64_t step)
{
    axl_run_record r = axl__record_blank(AXL_RUN_EVALUATION);

    r.step = step;
    r.epoch = (double)step / 100.0;
    r.eval_loss = 1.2 + 1.5 / (1.0 + (double)step / 20.0);
    r.eval_perplexity = exp(r.eval_loss);
    return r;
}

static void setup(fixture *f, uint64_t steps, uint64_t eval_every)
{
    memset(f, 0, sizeof *f);
    f->ctx = test_context();
    assert_ok(axl__make_dirs(f->ctx, test_temp_dir()));
    assert_ok(axl_config_parse(&f->cfg, f->ctx, yaml, sizeof yaml - 1, NULL, NULL));
    char *log = axl__format(f->ctx, "%s/log.jsonl", test_temp_dir());
    assert_ok(axl__run_log_begin(f->ctx, log, NULL));
    for (uint64_t s = 0; s <= steps; s++) {
        axl_run_record r = s == 0 ? axl__record_blank(AXL_RUN_BEGIN) : step_record(s);
        assert_ok(axl__run_log_append(f->ctx, log, &r));
        r = evaluation_record(s);
        if (eval_every && s % eval_every == 0)
            assert_ok(axl__run_log_append(f->ctx, log, &r));
    }
    assert_ok(axl__run_log_read(&f->history, f->ctx, log));
    axl__free(f->ctx, log);
    f->trainer = (axl_trainer_options)AXL_TRAINER_OPTIONS_INIT;
    f->summary = (axl__run_summary){
        .cfg = f->cfg,
        .output_dir = "/data/out <x>",
        .state = "finished",
        .step = steps,
        .total_steps = steps,
        .result_step = steps,
        .epoch = (double)steps / 100.0,
        .seconds = 1.4 * (double)steps,
        .peak_rss_bytes = 3u << 30,
        .history = &f->history,
        .train = { sizeof(axl_dataset_stats), 2000, 1800, 900000, 300000, 150, 0, 50, 0, 0 },
        .model = AXL_MODEL_INFO_INIT,
        .trainer = &f->trainer,
        .trained_params = 123456,
        .plan = { .size = sizeof(axl_plan),
                  .weights_bytes = 2200000000u,
                  .activation_bytes = 300u << 20,
                  .optimizer_bytes = 1975296,
                  .peak_rss_bytes = UINT64_C(4) << 30,
                  .host_limit_bytes = UINT64_MAX },
        .batches = { 2048, 4096, 450, 113, 1800, 900000 },
        .backend = "cpu",
        .isa = "avx2",
        .matmul = "axl",
        .threads = 8,
        .now = 1700000000,
    };
    if (eval_every)
        f->summary.valid = (axl_dataset_stats){
            sizeof(axl_dataset_stats), 2000, 200, 90000, 30000, 0, 0, 0, 0, 0
        };
    axl__str_init(&f->text, f->ctx);
}

static void teardown(fixture *f)
{
    axl__str_free(&f->text);
    axl__run_history_free(&f->history);
    axl_config_free(f->cfg);
    assert_ok(axl__remove_tree(test_temp_dir()));
    axl_context_free(f->ctx);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;

    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

#define assert_has(f, what)                                                                        \
    do {                                                                                           \
        if (!strstr((f).text.data, what))                                                          \
            fail_msg("not in the text: %s", what);                                                 \
    } while (0)

/* AXL_TEST_KEEP=FOLDER keeps what is made, to look at. */
static void put_report(fixture *f, const char *name)
{
    const char *keep = getenv("AXL_TEST_KEEP");
    char path[512];

    axl__report_put(&f->text, &f->summary);
    assert_ok(axl__str_status(&f->text));
    if (!keep)
        return;
    snprintf(path, sizeof path, "%s/%s", keep, name);
    assert_ok(axl__write_file(f->ctx, path, f->text.data, f->text.len));
}

static void test_report(void **state)
{
    (void)state;
    fixture f;

    setup(&f, 300, 50);
    put_report(&f, "usual.html");
    assert_int_equal(count(f.text.data, "<figure>"), 4);
    assert_int_equal(count(f.text.data, "</figure>"), 4);
    assert_int_equal(count(f.text.data, "<svg"), count(f.text.data, "</svg>"));
    assert_int_equal(count(f.text.data, "<div"), count(f.text.data, "</div>"));
    assert_int_equal(count(f.text.data, "<tr>"), count(f.text.data, "</tr>"));
    assert_int_equal(count(f.text.data, "<td>"), count(f.text.data, "</td>"));
    assert_int_equal(count(f.text.data, "<span"), count(f.text.data, "</span>"));
    assert_has(f, "<h1>Some-Model-1B</h1>");
    assert_has(f, "# &lt;b&gt;&amp;\n");
    assert_has(f, "/data/out &lt;x&gt;");
    assert_has(f, "step 300: training ");
    assert_has(f, "<th scope=\"row\">Tokens</th><td>900,000</td><td>90,000</td>");
    assert_has(f, "<td>2.05 GiB</td>");
    assert_has(f, "Planned peak of the process</th><td>4 GiB</td>");
    assert_has(f, "<small>log scale</small>"); /* the spike of the gradient's norm */
    assert_has(f, "2023-11-14 22:13 UTC");
    assert_has(f, "7 min 00 s");
    assert_null(strstr(f.text.data, "<script"));
    assert_null(strstr(f.text.data, "http"));
    assert_null(strstr(f.text.data, "nan"));
    assert_null(strstr(f.text.data, "NaN"));
    teardown(&f);
}

static void test_small_and_large(void **state)
{
    (void)state;
    fixture f;

    setup(&f, 0, 0); /* nothing logged yet */
    put_report(&f, "none.html");
    assert_null(strstr(f.text.data, "<figure>"));
    teardown(&f);

    setup(&f, 1, 0);
    put_report(&f, "one.html");
    assert_int_equal(count(f.text.data, "<figure>"), 4);
    assert_int_equal(count(f.text.data, "class=\"s1 dots\""), 4);
    assert_null(strstr(f.text.data, "validation"));
    teardown(&f);

    setup(&f, 3, 1);
    put_report(&f, "three.html");
    teardown(&f);

    setup(&f, 50000, 1000);
    put_report(&f, "large.html");
    assert_true(f.text.len < 250000);
    assert_has(f, "Logged steps (one of 250)");
    assert_has(f, "<tr><th scope=\"row\">50,000</th>");
    teardown(&f);
}

static void test_gaps(void **state)
{
    (void)state;
    fixture f;

    setup(&f, 6, 2);
    f.history.records[3].loss = NAN; /* as "null" reads back */
    f.history.records[4].grad_norm = INFINITY;
    f.summary.seconds = 1e308; /* as a checkpoint that somebody changed says */
    put_report(&f, "gaps.html");
    assert_null(strstr(f.text.data, "NaN"));
    assert_has(f, ">&ndash;<");
    teardown(&f);
}

static void test_card(void **state)
{
    (void)state;
    fixture f;

    setup(&f, 120, 40);
    axl__model_card_put(&f.text, &f.summary);
    assert_ok(axl__str_status(&f.text));
    assert_has(f, "---\nlibrary_name: peft\nbase_model: \"org/Some-Model-1B\"\ntags:\n- axl\n"
                  "- lora\n- \"base_model:adapter:org/Some-Model-1B\"\ndatasets:\n"
                  "- \"a.jsonl\"\n- \"org/b\"\n");
    assert_has(f, "- name: \"out <x>\"\n");
    assert_has(f, "`````yaml\nbase_model: org/Some-Model-1B  # <b>&\n");
    assert_has(f, "'```` x'\n`````\n\n</details>");
    assert_has(f, "trained with axl on a.jsonl and org/b.");
    assert_has(f, "| learning_rate | 0.0002 |\n| train_batch_size | 2 |");
    assert_has(f, "| No log | 0 | 0 | 2.7 | 14.88 |\n");
    assert_has(f, "| 120 | 1.4143 | 4.1135 |\n");
    teardown(&f);

    setup(&f, 120, 0);
    axl__model_card_put(&f.text, &f.summary);
    assert_has(f, "| Training Loss | Epoch | Step |\n");
    assert_has(f, "| 1.2 | 120 |\n\n");
    assert_null(strstr(f.text.data, "Perplexity"));
    teardown(&f);
}

/* What is written reads back exactly; a log is cut behind a step, and a torn line ends it. */
static void test_log(void **state)
{
    (void)state;
    axl_context *ctx = test_context();
    char path[512];
    axl__run_history h;
    axl_run_record r = step_record(3), e = evaluation_record(4);

    assert_ok(axl__make_dirs(ctx, test_temp_dir()));
    snprintf(path, sizeof path, "%s/resumed.jsonl", test_temp_dir());
    assert_ok(axl__run_log_begin(ctx, path, &(axl__log_end){ 7, 7 })); /* nothing there yet */
    e.eval_perplexity = INFINITY;
    assert_ok(axl__run_log_append(ctx, path, &r));
    assert_ok(axl__run_log_append(ctx, path, &e));
    r.step = 5;
    assert_ok(axl__run_log_append(ctx, path, &r));
    assert_ok(axl__append_file(path, "{\"step\": 6, \"lo", 14));
    assert_ok(axl__run_log_read(&h, ctx, path));
    assert_int_equal(h.n, 3);
    r.step = 3;
    assert_memory_equal(&h.records[0].loss, &r.loss, sizeof r.loss);
    assert_int_equal(h.records[0].n_tokens, r.n_tokens);
    assert_int_equal(h.records[1].event, AXL_RUN_EVALUATION);
    assert_memory_equal(&h.records[1].eval_loss, &e.eval_loss, sizeof e.eval_loss);
    assert_true(isnan(h.records[1].eval_perplexity));
    axl__run_history_free(&h);

    assert_ok(axl__run_log_begin(ctx, path, &(axl__log_end){ 4, 4 }));
    assert_ok(axl__run_log_read(&h, ctx, path));
    assert_int_equal(h.n, 2);
    axl__run_history_free(&h);
    /* the step was done when the evaluation was not: it comes again */
    for (int kill = 0; kill < 2; kill++) {
        assert_ok(axl__run_log_begin(ctx, path, &(axl__log_end){ 4, kill ? 3 : UINT64_MAX }));
        assert_ok(axl__run_log_append(ctx, path, &e));
        assert_ok(axl__run_log_read(&h, ctx, path));
        assert_int_equal(axl__run_count(&h, AXL_RUN_EVALUATION), 1);
        axl__run_history_free(&h);
    }
    assert_ok(axl__remove_tree(test_temp_dir()));
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report), cmocka_unit_test(test_small_and_large),
        cmocka_unit_test(test_gaps),   cmocka_unit_test(test_card),
        cmocka_unit_test(test_log),
    };
    return test_run(tests);
}
