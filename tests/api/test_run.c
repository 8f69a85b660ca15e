/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_run.c - a whole run on the tiny model: what it reports and writes, that it is the loop that
 * a host would write, and that stopping it anywhere and going on changes nothing.
 */
#include "tiny_model.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_ROWS = 40, RECORDS_MAX = 64 };

/* The first rows of the example data, made once. */
static const char *rows_path(void)
{
    static char path[512], line[4096];

    if (path[0])
        return path;
    snprintf(path, sizeof path, "%s/rows.jsonl", test_temp_dir());
    FILE *from = fopen(test_source_path("examples/tiny-alpaca.jsonl"), "r"), *to = fopen(path, "w");
    assert_true(from && to);
    for (int i = 0; i < N_ROWS && fgets(line, sizeof line, from); i++)
        fputs(line, to);
    fclose(from);
    assert_int_equal(fclose(to), 0);
    return path;
}

static axl_config *parse(axl_context *ctx, const char *out, const char *keys)
{
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;
    char text[4096];
    axl_config *cfg;

    o.base_dir = test_temp_dir(); /* of prepared data */
    snprintf(text, sizeof text,
             "base_model: %s\ndatasets: [{path: %s, type: alpaca}]\nadapter: lora\nlora_r: 4\n"
             "lora_alpha: 8\nlora_target_modules: [q_proj, down_proj]\nsequence_len: 256\n"
             "micro_batch_size: 2\noptimizer: adamw_torch\nlearning_rate: 1e-2\nbf16: false\n"
             "lr_scheduler: cosine\noutput_dir: %s\n%s",
             tiny_folder(), rows_path(), temp_path(out), keys);
    assert_ok(axl_config_parse(&cfg, ctx, text, strlen(text), "test.yml", &o));
    return cfg;
}

/* ---- what a run reports ---- */

typedef struct {
    axl_run_record records[RECORDS_MAX]; /* of steps and evaluations */
    axl_run_record events[RECORDS_MAX];  /* the others; the paths are gone */
    int n_events;
    int n, stop_at;         /* the record, from 1, whose callback stops the run */
    const char *stop_phase; /* or the end of such a phase */
    int busy, forked;       /* what the callback tries */
    pid_t child;
    axl_run *run;
} watcher;

static int on_record(void *user, const axl_run_record *r)
{
    watcher *w = user;

    if (r->event != AXL_RUN_STEP && r->event != AXL_RUN_EVALUATION) {
        assert_true(w->n_events < RECORDS_MAX);
        w->events[w->n_events++] = *r;
        return 0;
    }
    if (w->busy) {
        assert_fails(axl_run_train(w->run), AXL_ERR_BUSY, "callback");
        assert_fails(axl_run_evaluate(w->run, NULL), AXL_ERR_BUSY, "callback");
    }
    if (w->forked == 1) {
        w->forked = 2;
        w->child = fork();
    }
    assert_true(w->n < RECORDS_MAX);
    w->records[w->n++] = *r;
    return w->n == w->stop_at;
}

static int on_progress(void *user, const axl_progress *p)
{
    watcher *w = user;

    return w->stop_phase && strcmp(p->phase, w->stop_phase) == 0 && p->done == p->total && w->n > 0;
}

static axl_context *watched_context(watcher *w)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    axl_context *ctx;

    o.threads = 2;
    o.isa = test_isa();
    o.progress = on_progress;
    o.progress_user = w;
    assert_ok(axl_context_new(&ctx, &o));
    return ctx;
}

static axl_run *make_run(watcher *w, const char *out, const char *keys, const char *resume)
{
    axl_run_options o = AXL_RUN_OPTIONS_INIT;
    axl_context *ctx = watched_context(w);
    axl_config *cfg = parse(ctx, out, keys);

    o.record = on_record;
    o.record_user = w;
    o.resume = resume;
    assert_ok(axl_run_new(&w->run, cfg, &o));
    axl_config_free(cfg);
    axl_context_free(ctx);
    return w->run;
}

/* A run in a context of its own; what axl_run_train said. */
static axl_status run_once(watcher *w, const char *out, const char *keys, const char *resume)
{
    axl_run *run = make_run(w, out, keys, resume);
    char message[512];

    axl_status status = axl_run_train(run);
    snprintf(message, sizeof message, "%s", axl_last_error());
    axl_run_free(run);
    if (status < 0 && status != AXL_ERR_CANCELLED)
        fail_msg("train: %s", message);
    return status;
}

/* ---- what it leaves ---- */

static char *read_text(const char *out, const char *name)
{
    char path[700], *text = calloc(1, 1 << 20);

    snprintf(path, sizeof path, "%s/%s", temp_path(out), name);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("no %s", path);
    size_t n = fread(text, 1, (1 << 20) - 1, f);
    fclose(f);
    text[n] = '\0';
    return text;
}

static void same_adapter(const char *a, const char *b)
{
    char command[1200];

    snprintf(command, sizeof command, "cmp %s/%s %s/%s", temp_path(a), "adapter_model.safetensors",
             temp_path(b), "adapter_model.safetensors");
    assert_int_equal(system(command), 0);
}

/* Takes the speeds out of a log: they alone may differ. */
static char *log_of(const char *out)
{
    char *text = read_text(out, "training_log.jsonl"), *at = text, *end;

    while ((at = strstr(at, "\"tokens_per_second\": "))) {
        end = at + strcspn(at, "}\n");
        memmove(at, end, strlen(end) + 1);
    }
    return text;
}

static void same_log(const char *a, const char *b)
{
    char *x = log_of(a), *y = log_of(b);

    assert_string_equal(x, y);
    free(x);
    free(y);
}

static int exists(const char *out, const char *name)
{
    char path[700];

    snprintf(path, sizeof path, "%s/%s", temp_path(out), name);
    return access(path, F_OK) == 0;
}

/* ---- the run and the loop by hand ---- */

/* The steps done. */
static uint64_t loop_by_hand(const char *out, const char *keys)
{
    axl_context *ctx = tiny_context(1);
    axl_config *cfg = parse(ctx, out, keys);
    axl_batch b = AXL_BATCH_INIT;
    axl_tokenizer *tok;
    axl_dataset *data;
    axl_loader *loader;
    axl_model *model;
    axl_adapter *adapter;
    axl_trainer *tr;
    axl_status status;
    uint64_t steps;

    assert_ok(axl_tokenizer_from_config(&tok, cfg));
    assert_ok(axl_dataset_from_config(&data, cfg, tok, AXL_SPLIT_TRAIN));
    assert_ok(axl_loader_from_config(&loader, cfg, data, AXL_SPLIT_TRAIN));
    assert_ok(axl_loader_get_total_steps(loader, &steps));
    assert_ok(axl_model_from_config(&model, cfg));
    assert_ok(axl_adapter_from_config(&adapter, cfg, model));
    assert_ok(axl_trainer_from_config(&tr, cfg, model, adapter, steps));
    axl_context_free(ctx);
    axl_config_free(cfg);
    axl_tokenizer_free(tok);
    axl_dataset_free(data);
    axl_model_free(model);
    while ((status = axl_loader_next(loader, &b)) == AXL_OK) {
        assert_ok(axl_trainer_forward_backward(tr, &b, NULL));
        if (axl_trainer_ready(tr))
            assert_ok(axl_trainer_step(tr, NULL));
    }
    assert_int_equal(status, AXL_END);
    assert_int_equal(axl_trainer_steps(tr), steps);
    assert_ok(axl_adapter_save(adapter, temp_path(out)));
    axl_loader_free(loader);
    axl_trainer_free(tr);
    axl_adapter_free(adapter);
    return steps;
}

static void test_run__is_the_loop_that_a_host_writes(void **state)
{
    static const struct {
        const char *keys;
        int steps;
    } cases[] = {
        { "gradient_accumulation_steps: 3\nnum_epochs: 1\n", 7 },
        { "gradient_accumulation_steps: 1\nmax_steps: 5\nlora_dropout: 0.1\n", 5 },
        /* an epoch of bins has 5 to 7 steps; past several */
        { "gradient_accumulation_steps: 1\nsample_packing: true\nmax_steps: 23\n"
          "num_epochs: 1\n",
          23 },
        { "gradient_accumulation_steps: 2\nsample_packing: true\nnum_epochs: 2.5\n", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        watcher w = { .n = 0 };
        char keys[256];
        if (!test_is_long() && i % 2 == 0)
            continue;
        snprintf(keys, sizeof keys, "%slogging_steps: 1\n", cases[i].keys);
        assert_int_equal(run_once(&w, "whole", keys, NULL), AXL_OK);
        assert_int_equal(loop_by_hand("by-hand", keys), w.n);
        assert_true(cases[i].steps == 0 || w.n == cases[i].steps);
        same_adapter("whole", "by-hand");
        for (int k = 0; k < w.n; k++) {
            assert_int_equal(w.records[k].step, k + 1);
            assert_int_equal(w.records[k].total_steps, w.n);
            assert_true(w.records[k].loss > 0.0 && isnan(w.records[k].eval_loss));
            assert_true(w.records[k].tokens_per_second > 0.0);
        }
    }
}

static void test_run__writes_its_result(void **state)
{
    watcher w = { .n = 0 };
    axl_run *run = make_run(&w, "result",
                            "gradient_accumulation_steps: 1\nmax_steps: 3\n"
                            "val_set_size: 8\neval_steps: 2\nlogging_steps: 1\nsave_steps: 2\n",
                            NULL);
    axl_evaluation e = AXL_EVALUATION_INIT;

    (void)state;
    assert_string_equal(axl_run_output_dir(run), temp_path("result"));
    assert_ok(axl_run_train(run));
    assert_int_equal(w.n, 6); /* before the first step, after 1, 2, again 2, 3, again 3 */
    assert_true(w.records[0].step == 0 && w.records[0].eval_loss > 0.0);
    assert_true(w.records[3].step == 2 && isnan(w.records[3].loss));
    assert_true(w.records[3].eval_loss < w.records[0].eval_loss);
    assert_true(fabs(w.records[3].eval_perplexity - exp(w.records[3].eval_loss)) < 1e-9);
    assert_ok(axl_run_evaluate(run, &e));
    assert_true(e.loss > 0.0 && e.rows == 8 && e.tokens > e.rows);
    static const uint32_t events[] = { AXL_RUN_BEGIN, AXL_RUN_SAVE, AXL_RUN_SAVE, AXL_RUN_END };
    assert_int_equal(w.n_events, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(w.events[i].event, events[i]);
    assert_true(w.events[0].step == 0 && isnan(w.events[0].eta_seconds));
    assert_true(w.events[3].step == 3 && w.events[3].eta_seconds == 0.0);
    assert_true(w.events[3].n_tokens > w.events[3].n_trained && w.events[3].n_trained > 0);
    axl_run_free(run);
    assert_true(exists("result", "adapter_config.json") && exists("result", "tokenizer.json"));
    assert_true(exists("result", "checkpoint-2/trainer_state.json"));
    assert_true(exists("result", "checkpoint-3/trainer_state.json")); /* the last step too */
    char *card = read_text("result", "README.md");
    assert_non_null(strstr(card, "results on the evaluation set"));
    free(card);
    run = make_run(&w, "result", "gradient_accumulation_steps: 1\nmax_steps: 3\n", NULL);
    assert_int_equal(axl_run_evaluate(run, &e), AXL_END);
    axl_run_free(run);
}

/* ---- stopping and going on ---- */

static const char busy_keys[] = /* everything that a stop may come between */
    "gradient_accumulation_steps: 2\nsample_packing: true\nlora_dropout: 0.1\nmax_steps: 8\n"
    "val_set_size: 8\neval_steps: 2\nlogging_steps: 3\nsave_steps: 4\n";

/* What a run prepares lies in its own folder, and not before it begins. */
static void test_run__keeps_prepared_data_in_its_folder(void **state)
{
    watcher w = { 0 };
    axl_run *run = make_run(&w, "prepares", "gradient_accumulation_steps: 1\nmax_steps: 1\n", NULL);

    (void)state;
    assert_false(exists("prepares", "prepared"));
    assert_ok(axl_run_train(run));
    assert_true(exists("prepares", "prepared"));
    axl_run_free(run);
    assert_false(exists("prepared", ""));
    assert_false(exists("last_run_prepared", ""));
}

static void test_run__goes_on_from_a_stop_at_any_record(void **state)
{
    watcher whole = { .n = 0 };

    (void)state;
    assert_int_equal(run_once(&whole, "unstopped", busy_keys, NULL), AXL_OK);
    assert_int_equal(whole.n, 8); /* steps 3, 6, 8; evaluations at 0, 2, 4, 6, 8 */
    for (int at = 1; at <= whole.n; at += test_is_long() ? 1 : 3) {
        watcher w = { .stop_at = at }, rest = { .n = 0 };
        char command[600];
        assert_int_equal(run_once(&w, "stopped", busy_keys, NULL), AXL_ERR_CANCELLED);
        assert_int_equal(w.n, at);
        assert_int_equal(run_once(&rest, "stopped", busy_keys, "auto"), AXL_OK);
        same_adapter("unstopped", "stopped");
        same_log("unstopped", "stopped");
        char *a = read_text("unstopped", "README.md"), *b = read_text("stopped", "README.md");
        /* what goes before names output_dir */
        assert_string_equal(strstr(a, "## Training procedure"), strstr(b, "## Training procedure"));
        free(a);
        free(b);
        snprintf(command, sizeof command, "rm -rf %s", temp_path("stopped"));
        assert_int_equal(system(command), 0);
    }
}

/* At the end of an evaluation, before its record. */
static void test_run__goes_on_from_a_stop_in_an_evaluation(void **state)
{
    watcher whole = { .n = 0 }, w = { .stop_phase = "evaluate" }, rest = { .n = 0 };

    (void)state;
    assert_int_equal(run_once(&whole, "unstopped", busy_keys, NULL), AXL_OK);
    assert_int_equal(run_once(&w, "evaluating", busy_keys, NULL), AXL_ERR_CANCELLED);
    assert_int_equal(w.n, 1); /* the evaluation at step 2 is missing */
    assert_true(exists("evaluating", "checkpoint-2/trainer_state.json"));
    assert_int_equal(run_once(&rest, "evaluating", busy_keys, "auto"), AXL_OK);
    assert_true(rest.records[0].step == 2 && rest.records[0].eval_loss > 0.0);
    same_adapter("unstopped", "evaluating");
    same_log("unstopped", "evaluating");
}

/* A stop while a checkpoint is written, which is then written all the same. */
static void test_run__goes_on_from_a_stop_in_a_save(void **state)
{
    watcher whole = { .n = 0 }, w = { .stop_phase = "save" }, rest = { .n = 0 };

    (void)state;
    assert_int_equal(run_once(&whole, "unstopped", busy_keys, NULL), AXL_OK);
    assert_int_equal(run_once(&w, "saving", busy_keys, NULL), AXL_ERR_CANCELLED);
    assert_true(exists("saving", "checkpoint-4/optimizer.safetensors"));
    assert_int_equal(run_once(&rest, "saving", busy_keys, "auto"), AXL_OK);
    same_adapter("unstopped", "saving");
    same_log("unstopped", "saving");
}

static void test_run__train_again_goes_on(void **state)
{
    watcher whole = { .n = 0 }, w = { .n = 0 };
    int stops = 0;
    axl_status status;

    (void)state;
    assert_int_equal(run_once(&whole, "unstopped", busy_keys, NULL), AXL_OK);
    axl_run *run = make_run(&w, "again", busy_keys, NULL);
    do {
        w.n = 0;
        w.stop_at = stops % 2 ? 2 : 1;
        status = axl_run_train(run);
        stops += status == AXL_ERR_CANCELLED;
    } while (status == AXL_ERR_CANCELLED && stops < 20);
    assert_ok(status);
    assert_true(stops >= 4);
    axl_run_free(run);
    same_adapter("unstopped", "again");
    same_log("unstopped", "again");
}

static void test_run__stops_while_it_is_made(void **state)
{
    axl_context *ctx = tiny_context(2);
    axl_config *cfg = parse(ctx, "made", "gradient_accumulation_steps: 1\nmax_steps: 2\n");
    axl_cancel *cancel;
    axl_run *run;

    (void)state;
    assert_ok(axl_cancel_new(&cancel, ctx));
    axl_cancel_raise(cancel);
    assert_fails(axl_run_new(&run, cfg, NULL), AXL_ERR_CANCELLED, "cancelled");
    assert_null(run);
    axl_cancel_clear(cancel);
    assert_ok(axl_run_new(&run, cfg, NULL));
    axl_cancel_raise(cancel);
    assert_fails(axl_run_train(run), AXL_ERR_CANCELLED, "cancelled after step 0");
    axl_cancel_clear(cancel);
    assert_ok(axl_run_train(run));
    axl_cancel_free(cancel);
    axl_config_free(cfg);
    axl_run_free(run);
    axl_context_free(ctx);
}

/* ---- checkpoints of several runs in one folder ---- */

static void test_run__an_earlier_runs_checkpoints_do_not_win(void **state)
{
    static const char first[] = "gradient_accumulation_steps: 1\nmax_steps: 8\nsave_steps: 2\n"
                                "logging_steps: 1\n";
    static const char second[] = "gradient_accumulation_steps: 1\nmax_steps: 8\nlogging_steps: 1\n"
                                 "save_strategy: 'no'\nsave_total_limit: 2\n";
    watcher w = { .n = 0 }, stopped = { .stop_at = 3 }, rest = { .n = 0 };

    (void)state;
    assert_int_equal(run_once(&w, "reused", first, NULL), AXL_OK);
    assert_true(exists("reused", "checkpoint-2") && exists("reused", "checkpoint-8"));
    assert_int_equal(run_once(&stopped, "reused", second, NULL), AXL_ERR_CANCELLED);
    assert_true(exists("reused", "checkpoint-3/trainer_state.json"));
    assert_true(exists("reused", "checkpoint-8") && !exists("reused", "checkpoint-6"));
    assert_int_equal(run_once(&rest, "reused", second, "auto"), AXL_OK);
    assert_int_equal(rest.records[0].step, 4);
}

static void test_run__keeps_as_many_checkpoints_as_asked(void **state)
{
    static const char keys[] = "gradient_accumulation_steps: 1\nmax_steps: 6\nsave_steps: 1\n";
    char more[256];
    watcher w = { .n = 0 };

    (void)state;
    for (int limit = 0; limit < 3; limit++) {
        char out[16], name[24];
        snprintf(out, sizeof out, "limit-%d", limit);
        int kept = limit > 0 ? limit : 4;
        snprintf(more, sizeof more, "%ssave_total_limit: %d\n", keys, limit);
        assert_int_equal(run_once(&w, out, more, NULL), AXL_OK);
        for (int step = 1; step <= 6; step++) {
            snprintf(name, sizeof name, "checkpoint-%d", step);
            assert_int_equal(exists(out, name), step > 6 - kept);
        }
    }
}

/* ---- wrong use ---- */

static void test_run__is_busy_in_its_own_callback(void **state)
{
    watcher w = { .busy = 1 };

    (void)state;
    assert_int_equal(run_once(&w, "busy",
                              "gradient_accumulation_steps: 1\nmax_steps: 2\n"
                              "logging_steps: 1\n",
                              NULL),
                     AXL_OK);
    assert_int_equal(w.n, 2);
}

/* ---- a host's own data, and what a run works with ---- */

/* Samples of a run's data sets, copied. */
static axl_dataset *own_samples(axl_context *ctx, const axl_config *cfg, uint64_t first, uint64_t n)
{
    axl_sample samples[N_ROWS];
    axl_tokenizer *tok;
    axl_dataset *from, *own;

    assert_ok(axl_tokenizer_from_config(&tok, cfg));
    assert_ok(axl_dataset_from_config(&from, cfg, tok, AXL_SPLIT_TRAIN));
    for (uint64_t i = 0; i < n; i++) {
        samples[i] = (axl_sample)AXL_SAMPLE_INIT;
        assert_ok(axl_dataset_get_sample(from, first + i, &samples[i]));
    }
    assert_ok(axl_dataset_from_samples(&own, ctx, samples, n));
    axl_dataset_free(from);
    axl_tokenizer_free(tok);
    return own;
}

static axl_config *parse_own(axl_context *ctx, const char *out, const char *keys)
{
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;
    axl_config *cfg;
    char text[4096];

    o.own_data = 1;
    snprintf(text, sizeof text,
             "base_model: %s\nadapter: lora\nlora_r: 4\nlora_alpha: 8\nlora_target_modules: "
             "[q_proj, down_proj]\nsequence_len: 256\nmicro_batch_size: 2\noptimizer: "
             "adamw_torch\nlearning_rate: 1e-2\nbf16: false\nlr_scheduler: cosine\n"
             "output_dir: %s\n%s",
             tiny_folder(), temp_path(out), keys);
    assert_ok(axl_config_parse(&cfg, ctx, text, strlen(text), "own.yml", &o));
    return cfg;
}

/* A run over the same samples is the same run; there is validation data with them, too. */
static void test_run__trains_on_samples_of_the_hosts(void **state)
{
    static const char keys[] = "max_steps: 3\ngradient_accumulation_steps: 1\nlogging_steps: "
                               "1\nshuffle_merged_datasets: false\n";
    axl_run_options o = AXL_RUN_OPTIONS_INIT;
    watcher named = { 0 }, own = { 0 };
    axl_config *cfg;
    axl_run *run;

    (void)state;
    axl_run *first = make_run(&named, "named", keys, NULL);
    assert_ok(axl_run_train(first));
    axl_context *ctx = watched_context(&own);
    axl_config *with_data = parse(ctx, "unused", keys);
    axl_dataset *train = own_samples(ctx, with_data, 0, N_ROWS - 4);
    axl_dataset *valid = own_samples(ctx, with_data, N_ROWS - 4, 4);
    axl_dataset *all = own_samples(ctx, with_data, 0, N_ROWS);
    cfg = parse_own(ctx, "own", keys);
    assert_fails(axl_run_new(&run, cfg, NULL), AXL_ERR_INVALID, "names no datasets");
    o.validation = valid;
    assert_fails(axl_run_new(&run, cfg, &o), AXL_ERR_INVALID, "need train");
    o = (axl_run_options)AXL_RUN_OPTIONS_INIT;
    o.record = on_record;
    o.record_user = &own;
    o.train = all;
    assert_ok(axl_run_new(&run, cfg, &o));
    assert_ok(axl_run_train(run));
    assert_int_equal(own.n, named.n);
    for (int i = 0; i < own.n; i++)
        assert_true(own.records[i].loss == named.records[i].loss);
    axl_run_free(run);
    o.train = train;
    o.validation = valid;
    own.n = 0;
    axl_config_free(cfg);
    cfg = parse_own(ctx, "own2", "max_steps: 2\neval_steps: 1\ngradient_accumulation_steps: 1\n");
    assert_ok(axl_run_new(&run, cfg, &o));
    axl_dataset_free(train); /* the run has its own references */
    axl_dataset_free(valid);
    assert_ok(axl_run_train(run));
    assert_true(own.n > 2 && own.records[0].event == AXL_RUN_EVALUATION);
    axl_evaluation e = AXL_EVALUATION_INIT;
    assert_ok(axl_run_evaluate(run, &e));
    assert_int_equal(e.rows, 4);
    axl_run_free(run);
    axl_run_free(first);
    axl_dataset_free(all);
    axl_config_free(cfg);
    axl_config_free(with_data);
    axl_context_free(ctx);
}

typedef struct {
    axl_run *run;
    float logits[8]; /* of one token, at each step */
    int n, full;
} sampler;

static int on_record_sample(void *user, const axl_run_record *r)
{
    axl_generate_options o = AXL_GENERATE_OPTIONS_INIT;
    axl_buffer text = AXL_BUFFER_INIT;
    sampler *s = user;

    if (r->event != AXL_RUN_STEP)
        return 0;
    assert_true((axl_run_adapter(s->run) == NULL) == (s->full != 0));
    assert_int_equal(axl_trainer_steps(axl_run_trainer(s->run)), r->step);
    o.greedy = 1;
    o.max_new_tokens = 12;
    assert_ok(axl_generate(axl_run_model(s->run), axl_run_adapter(s->run),
                           axl_run_tokenizer(s->run), "Once", 4, &o, &text));
    assert_true(text.length > 0);
    axl_buffer_free(&text);
    float logits[1024];
    const int32_t id = 5;
    assert_ok(axl_model_logits(axl_run_model(s->run), axl_run_adapter(s->run), &id, 1, logits));
    s->logits[s->n++] = logits[7];
    return 0;
}

/* With an adapter, and with all weights, which are lent to the callback alone. */
static void test_run__a_callback_samples(void **state)
{
    (void)state;
    for (int full = 0; full < 2; full++) {
        watcher w = { 0 };
        sampler s = { .full = full };
        axl_run_options o = AXL_RUN_OPTIONS_INIT;
        axl_context *ctx = watched_context(&w);
        axl_config *cfg =
            parse(ctx, full ? "sampled-full" : "sampled",
                  full ? "adapter: null\nlora_r: null\nlora_alpha: null\n"
                         "lora_target_modules: null\nmax_steps: 3\ngradient_accumulation_steps: 1\n"
                       : "max_steps: 3\ngradient_accumulation_steps: 1\n");
        o.record = on_record_sample;
        o.record_user = &s;
        assert_ok(axl_run_new(&s.run, cfg, &o));
        assert_ok(axl_run_train(s.run));
        assert_int_equal(s.n, 3);
        assert_true(s.logits[0] != s.logits[1] && s.logits[1] != s.logits[2]); /* it learns */
        float logits[1024];
        const int32_t id = 5;
        assert_int_equal(axl_model_logits(axl_run_model(s.run), NULL, &id, 1, logits),
                         full ? AXL_ERR_BUSY : AXL_OK);
        axl_run_free(s.run);
        axl_config_free(cfg);
        axl_context_free(ctx);
    }
    assert_null(axl_run_model(NULL));
    assert_null(axl_run_adapter(NULL));
    assert_null(axl_run_trainer(NULL));
    assert_null(axl_run_tokenizer(NULL));
}

static void test_run__is_dead_in_a_forked_child(void **state)
{
    watcher w = { .forked = 1 };
    axl_run *run = make_run(&w, "forked",
                            "gradient_accumulation_steps: 1\nmax_steps: 3\n"
                            "logging_steps: 1\n",
                            NULL);
    int code = -1;

    (void)state;
    axl_status status = axl_run_train(run);
    if (w.forked == 2 && w.child == 0) {
        int ok = status == AXL_ERR_FORKED && w.n == 1 && axl_run_train(run) == AXL_ERR_FORKED;
        axl_run_free(run);
        _exit(ok ? 0 : 1);
    }
    assert_int_equal(status, AXL_OK);
    assert_int_equal(waitpid(w.child, &code, 0), w.child);
    assert_true(WIFEXITED(code) && WEXITSTATUS(code) == 0);
    assert_int_equal(w.n, 3);
    axl_run_free(run);
}

static void test_run__has_its_folder_to_itself(void **state)
{
    axl_context *ctx = tiny_context(1);
    axl_config *cfg = parse(ctx, "shared", "gradient_accumulation_steps: 1\nmax_steps: 2\n");
    axl_run *first, *second;

    (void)state;
    assert_ok(axl_run_new(&first, cfg, NULL));
    assert_fails(axl_run_new(&second, cfg, NULL), AXL_ERR_BUSY, "in use by another run");
    assert_ok(axl_run_train(first));
    axl_run_free(first);
    assert_ok(axl_run_new(&second, cfg, NULL));
    axl_run_free(second);
    axl_config_free(cfg);
    axl_context_free(ctx);
}

static void test_run__refuses_what_cannot_be(void **state)
{
    static const char keys[] = "gradient_accumulation_steps: 1\nmax_steps: 2\n";
    axl_context *ctx = tiny_context(1);
    axl_config *cfg = parse(ctx, "refused", keys);
    axl_run_options o = AXL_RUN_OPTIONS_INIT;
    axl_run *run;

    (void)state;
    assert_fails(axl_run_new(&run, NULL, NULL), AXL_ERR_INVALID, "axl_config");
    assert_null(run);
    assert_fails(axl_run_new(NULL, cfg, NULL), AXL_ERR_INVALID, "out");
    o.size = 1;
    assert_fails(axl_run_new(&run, cfg, &o), AXL_ERR_ABI, "_INIT");
    assert_fails(axl_run_train(NULL), AXL_ERR_INVALID, "axl_run");
    assert_null(axl_run_output_dir(NULL));
    axl_run_free(NULL);
    o.size = sizeof o;
    o.resume = temp_path("no-such-checkpoint");
    assert_fails(axl_run_new(&run, cfg, &o), AXL_ERR_NOT_FOUND, "no-such-checkpoint");
    assert_null(run);
    axl_config_free(cfg);
    cfg = parse(ctx, "rows.jsonl", keys); /* a file is in the way */
    assert_fails(axl_run_new(&run, cfg, NULL), AXL_ERR_IO, "output_dir");
    assert_null(run);
    axl_config_free(cfg);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run__is_the_loop_that_a_host_writes),
        cmocka_unit_test(test_run__writes_its_result),
        cmocka_unit_test(test_run__keeps_prepared_data_in_its_folder),
        cmocka_unit_test(test_run__goes_on_from_a_stop_at_any_record),
        cmocka_unit_test(test_run__goes_on_from_a_stop_in_an_evaluation),
        cmocka_unit_test(test_run__goes_on_from_a_stop_in_a_save),
        cmocka_unit_test(test_run__train_again_goes_on),
        cmocka_unit_test(test_run__stops_while_it_is_made),
        cmocka_unit_test(test_run__an_earlier_runs_checkpoints_do_not_win),
        cmocka_unit_test(test_run__keeps_as_many_checkpoints_as_asked),
        cmocka_unit_test(test_run__is_busy_in_its_own_callback),
        cmocka_unit_test(test_run__trains_on_samples_of_the_hosts),
        cmocka_unit_test(test_run__a_callback_samples),
        cmocka_unit_test(test_run__is_dead_in_a_forked_child),
        cmocka_unit_test(test_run__has_its_folder_to_itself),
        cmocka_unit_test(test_run__refuses_what_cannot_be),
    };

    return test_run(tests);
}
