/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cancel.c - a cancel raised by another thread, at any moment: the call stops there or is
 * done, its handle is as before, and going on gives the bits of a run that was never stopped.
 *
 * A moment is an event, not a time: the context's memory and loops are this file's, every block
 * asked for and every loop begun is counted, and the flag goes up at one of them.  What comes
 * after it is counted too: that is how soon a call stops.  (In seconds: test_cancel_soon.c.)
 */
#include "tiny_model.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- events, and another thread that raises at one ---- */

static struct {
    atomic_long events, at; /* since watch(); the one at which the flag goes up, 0: none */
    atomic_long loops;      /* begun since then */
    axl_cancel *cancel;
} watched;

static void *raise_it(void *arg)
{
    axl_cancel_raise(arg);
    return NULL;
}

static void another_thread_raises(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, raise_it, watched.cancel) != 0 ||
        pthread_join(thread, NULL) != 0)
        abort();
}

static void on_event(int loop)
{
    long at = atomic_load(&watched.at), n = atomic_fetch_add(&watched.events, 1) + 1;

    if (n == at)
        another_thread_raises();
    else if (at > 0 && n > at)
        atomic_fetch_add(&watched.loops, loop);
}

static void *on_alloc(void *user, size_t size)
{
    (void)user;
    on_event(0);
    return malloc(size);
}

static void *on_realloc(void *user, void *block, size_t size)
{
    (void)user;
    on_event(0);
    return realloc(block, size);
}

static void on_free(void *user, void *block)
{
    (void)user;
    free(block);
}

typedef struct {
    axl_task_fn fn;
    void *arg;
    uint64_t first, count;
} half;

static void *run_half(void *arg)
{
    const half *h = arg;

    for (uint64_t i = h->first; i < h->count; i += 2)
        h->fn(h->arg, i);
    return NULL;
}

/* Every other task on a thread of its own, where user is not NULL. */
static void on_loop(void *user, uint64_t count, axl_task_fn fn, void *arg)
{
    half even = { fn, arg, 0, count }, odd = { fn, arg, 1, count };
    pthread_t thread;

    on_event(1);
    if (user && count > 1) {
        if (pthread_create(&thread, NULL, run_half, &odd) != 0)
            abort();
        run_half(&even);
        pthread_join(thread, NULL);
        return;
    }
    run_half(&even);
    run_half(&odd);
}

static axl_context *watched_context(int two_threads)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    axl_context *ctx;

    o.alloc = on_alloc;
    o.realloc = on_realloc;
    o.free = on_free;
    o.parallel_for = on_loop;
    o.parallel_user = two_threads ? &watched : NULL;
    o.isa = test_isa();
    assert_ok(axl_context_new(&ctx, &o));
    assert_ok(axl_cancel_new(&watched.cancel, ctx));
    return ctx;
}

static void watched_free(axl_context *ctx)
{
    axl_cancel_free(watched.cancel);
    axl_context_free(ctx);
}

/* The flag goes up at event `at` from now on: 0 never, negative at once. */
static void watch(long at)
{
    atomic_store(&watched.events, 0);
    atomic_store(&watched.loops, 0);
    atomic_store(&watched.at, at);
    if (at < 0)
        another_thread_raises();
}

/* A layer has many more. */
enum { FEW_LOOPS = 4 };

/* Calls of one kind, each cut off at another event. */
typedef struct {
    const char *name;
    int calls, cancelled;
    long loops; /* most that began after the flag was up */
} series;

/* Whether the call was cancelled, or else done; the flag is lowered again. */
static int finish(series *s, axl_status status)
{
    char message[256];

    snprintf(message, sizeof message, "%s", axl_last_error());
    atomic_store(&watched.at, 0);
    axl_cancel_clear(watched.cancel);
    s->calls++;
    if (status == AXL_OK)
        return 0;
    if (status != AXL_ERR_CANCELLED || !strstr(message, "cancelled"))
        fail_msg("%s: %s: %s", s->name, axl_status_name(status), message);
    s->cancelled++;
    if (watched.loops > s->loops)
        s->loops = watched.loops;
    return 1;
}

static void report(const series *s)
{
    print_message("%s: %d of %d calls cancelled, %ld loops after it at most\n", s->name,
                  s->cancelled, s->calls, s->loops);
    assert_true(s->cancelled > 0);
    assert_true(s->loops <= FEW_LOOPS);
}

/* ---- a trainer ---- */

enum { N_BATCHES = 4 };

/* How many times a call of so many events is cut off. */
static int cuts_of(long events)
{
    if (test_is_long())
        return (int)events + 1;
    return test_is_slow() ? 3 : 24;
}

/* The moment of cut k: before the call, then its events, the first and the last among them. */
static long moment(int k, int cuts, long events)
{
    return k == 0 ? -1 : 1 + (events - 1) * (k - 1) / (cuts > 2 ? cuts - 2 : 1);
}

static void cut_batch(axl_trainer *tr, axl_adapter *a, const tiny_data *d, long events, series *s)
{
    size_t n;
    float *before = tiny_values(a, tr, &n);

    for (int k = 0; k < cuts_of(events); k++) {
        watch(moment(k, cuts_of(events), events));
        if (!finish(s, axl_trainer_forward_backward(tr, &d->batch, NULL))) {
            free(before); /* done: the batch counts */
            return;
        }
        float *after = tiny_values(a, tr, &n);
        assert_memory_equal(before, after, n * sizeof *before);
        free(after);
    }
    assert_ok(axl_trainer_forward_backward(tr, &d->batch, NULL));
    free(before);
}

static void check_trainer(int two_threads, uint32_t compute, uint32_t checkpointing)
{
    static const uint32_t long_ones[] = { 60, 24, 100, 16 }, short_ones[] = { 12, 5, 20, 4 };
    const uint32_t *lengths = test_is_slow() ? short_ones : long_ones;
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    series batches = { .name = "forward_backward" }, steps = { .name = "step" };
    axl_context *ctx = watched_context(two_threads);
    axl_model *model = tiny_model(ctx, "cpu", compute);
    axl_adapter *a, *b;

    o.checkpointing = checkpointing;
    o.learning_rate = 1e-2;
    axl_trainer *tr = tiny_trainer(model, &o, 0.1, &a), *never = tiny_trainer(model, &o, 0.1, &b);
    for (uint32_t i = 0; i < N_BATCHES; i++) { /* two a step */
        tiny_data *d = tiny_batch(lengths + i % 2, 3, i);
        watch(0);
        assert_ok(axl_trainer_forward_backward(never, &d->batch, NULL));
        cut_batch(tr, a, d, watched.events, &batches);
        tiny_compare(a, tr, b, never, 0.0);
        free(d);
        if (i % 2 == 0)
            continue;
        watch(0);
        assert_ok(axl_trainer_step(never, NULL));
        watch(i == 1 ? -1 : 1 + watched.events / 2);
        int cancelled = finish(&steps, axl_trainer_step(tr, NULL)); /* wholly or not at all */
        assert_int_equal(axl_trainer_steps(tr), i / 2 + !cancelled);
        if (cancelled)
            assert_ok(axl_trainer_step(tr, NULL));
        tiny_compare(a, NULL, b, NULL, 0.0);
    }
    report(&batches);
    report(&steps);
    axl_trainer_free(tr);
    axl_trainer_free(never);
    axl_adapter_free(a);
    axl_adapter_free(b);
    axl_model_free(model);
    watched_free(ctx);
}

static void test_cancel__a_trainer_is_as_before(void **state)
{
    (void)state;
    if (!test_is_slow())
        check_trainer(0, AXL_COMPUTE_F32, 0);
    check_trainer(1, AXL_COMPUTE_F32, 1);
    check_trainer(1, AXL_COMPUTE_BF16, 0);
}

/* ---- a run ---- */

/* A config whose relative paths are in the temporary folder. */
static axl_config *parse(axl_context *ctx, const char *data, const char *keys)
{
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;
    char text[2048];
    axl_config *cfg;

    o.base_dir = test_temp_dir();
    snprintf(text, sizeof text,
             "base_model: %s\ndatasets: [{path: %s, type: alpaca}]\nadapter: lora\nlora_r: 4\n"
             "lora_alpha: 8\nlora_target_linear: true\nlora_dropout: 0.1\nsequence_len: 128\n"
             "micro_batch_size: 1\ngradient_accumulation_steps: 2\noptimizer: adamw_torch\n"
             "learning_rate: 1e-2\nbf16: false\n%s",
             tiny_folder(), data, keys);
    assert_ok(axl_config_parse(&cfg, ctx, text, strlen(text), "test.yml", &o));
    return cfg;
}

static void in_temp_dir(const char *command)
{
    char text[1000];

    snprintf(text, sizeof text, "cd %s && %s", test_temp_dir(), command);
    assert_int_equal(system(text), 0);
}

static axl_run *make_run(axl_context *ctx, const char *out)
{
    char keys[256];
    axl_run *run;

    snprintf(keys, sizeof keys,
             "sample_packing: true\nmax_steps: %d\nval_set_size: 4\neval_steps: 2\n"
             "logging_steps: 2\nsave_steps: 3\noutput_dir: %s\n",
             test_is_slow() ? 3 : 5, out);
    axl_config *cfg = parse(ctx, test_source_path("examples/tiny-alpaca.jsonl"), keys);
    assert_ok(axl_run_new(&run, cfg, NULL));
    axl_config_free(cfg);
    return run;
}

static void test_cancel__a_run_goes_on_from_any_moment(void **state)
{
    axl_context *ctx = watched_context(0);
    series s = { .name = "run" };

    (void)state;
    axl_run *whole = make_run(ctx, "whole"), *cut = make_run(ctx, "cut");
    watch(0);
    assert_ok(axl_run_train(whole));
    long events = watched.events;
    for (int i = 0;; i++) {
        /* later and later: an evaluation that is always stopped is always begun anew */
        watch(i == 0 ? -1 : events * (6 + i) / (test_is_long() ? 600 : 60));
        if (!finish(&s, axl_run_train(cut)))
            break;
    }
    in_temp_dir("cmp whole/adapter_model.safetensors cut/adapter_model.safetensors");
    assert_true(s.cancelled > 3);
    report(&s);
    axl_run_free(whole);
    axl_run_free(cut);
    watched_free(ctx);
}

/* ---- data ---- */

enum { CALLS = 12 };

static axl_status make_data(axl_config *cfg, axl_dataset **data)
{
    axl_tokenizer *tok;

    *data = NULL;
    axl_status status = axl_tokenizer_from_config(&tok, cfg);
    if (status == AXL_OK) {
        status = axl_dataset_from_config(data, cfg, tok, AXL_SPLIT_TRAIN);
        axl_tokenizer_free(tok);
    }
    return status;
}

static axl_config *many_rows(axl_context *ctx)
{
    char command[700];

    snprintf(command, sizeof command, "cat '%s' '%s' '%s' >%s",
             test_source_path("examples/tiny-alpaca.jsonl"),
             test_source_path("examples/tiny-alpaca.jsonl"),
             test_source_path("examples/tiny-alpaca.jsonl"), "many.jsonl");
    in_temp_dir(command);
    return parse(ctx, temp_path("many.jsonl"),
                 "output_dir: out\ndataset_prepared_path: prepared\n");
}

static void same_samples(axl_dataset *a, axl_dataset *b)
{
    assert_int_equal(axl_dataset_count(a), axl_dataset_count(b));
    for (uint64_t i = 0; i < axl_dataset_count(a); i += 7) {
        axl_sample x = AXL_SAMPLE_INIT, y = AXL_SAMPLE_INIT;
        assert_ok(axl_dataset_get_sample(a, i, &x));
        assert_ok(axl_dataset_get_sample(b, i, &y));
        assert_int_equal(x.length, y.length);
        assert_memory_equal(x.input_ids, y.input_ids, x.length * sizeof *x.input_ids);
        assert_memory_equal(x.labels, y.labels, x.length * sizeof *x.labels);
    }
}

/* From the rows each time, or from the prepared file. */
static void check_data(const char *what, int from_rows)
{
    axl_context *ctx = watched_context(1);
    axl_config *cfg = many_rows(ctx);
    series s = { .name = what };
    axl_dataset *data, *whole;

    assert_ok(make_data(cfg, &whole));
    if (from_rows)
        in_temp_dir("rm -r prepared");
    watch(0);
    assert_ok(make_data(cfg, &data));
    long events = watched.events;
    axl_dataset_free(data);
    for (int k = 0; k < CALLS; k++) {
        if (from_rows)
            in_temp_dir("rm -rf prepared");
        watch(moment(k, CALLS, events));
        if (finish(&s, make_data(cfg, &data)))
            assert_null(data);
        axl_dataset_free(data);
        in_temp_dir("! ls prepared 2>/dev/null | grep tmp"); /* half a file does not stay */
    }
    assert_ok(make_data(cfg, &data));
    same_samples(data, whole);
    report(&s);
    axl_dataset_free(data);
    axl_dataset_free(whole);
    axl_config_free(cfg);
    watched_free(ctx);
}

static void test_cancel__a_data_set_is_made_again(void **state)
{
    (void)state;
    check_data("tokenize", 1);
    check_data("load prepared data", 0);
}

static void test_cancel__a_loader_is_as_before(void **state)
{
    axl_context *ctx = watched_context(0);
    axl_config *cfg = many_rows(ctx);
    axl_loader_options o = AXL_LOADER_OPTIONS_INIT;
    series s = { .name = "counting the steps of packed epochs" };
    uint64_t steps, again;
    axl_dataset *data;
    axl_loader *loader;

    (void)state;
    assert_ok(make_data(cfg, &data));
    o.sample_packing = 1;
    o.num_epochs = 4;
    assert_ok(axl_loader_new(&loader, data, &o));
    watch(0);
    assert_ok(axl_loader_get_total_steps(loader, &steps));
    long events = watched.events;
    for (int k = 0; k < CALLS; k++) {
        watch(moment(k, CALLS, events));
        finish(&s, axl_loader_get_total_steps(loader, &again));
        assert_ok(axl_loader_get_total_steps(loader, &again));
        assert_int_equal(again, steps);
    }
    axl_loader_cursor there = { sizeof there, 3, 0 }, here = AXL_LOADER_CURSOR_INIT;
    axl_cancel_raise(watched.cancel);
    assert_fails(axl_loader_set_cursor(loader, &there), AXL_ERR_CANCELLED, "cancelled");
    assert_ok(axl_loader_get_cursor(loader, &here));
    assert_true(here.epoch == 0 && here.batch == 0);
    axl_cancel_clear(watched.cancel);
    assert_ok(axl_loader_set_cursor(loader, &there));
    report(&s);
    axl_loader_free(loader);
    axl_dataset_free(data);
    axl_config_free(cfg);
    watched_free(ctx);
}

/* ---- a model ---- */

static void check_loading(const char *what, uint32_t read, uint32_t compute)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_context *ctx = watched_context(1);
    const char *dir = test_source_path("examples/tiny-llama");
    series s = { .name = what };
    axl_model *model;

    o.read = read;
    o.compute = compute;
    watch(0);
    assert_ok(axl_model_open(&model, ctx, dir, &o));
    long events = watched.events;
    axl_model_free(model);
    for (int k = 0; k < CALLS; k++) {
        watch(moment(k, CALLS, events));
        if (finish(&s, axl_model_open(&model, ctx, dir, &o)))
            assert_null(model);
        axl_model_free(model);
    }
    assert_ok(axl_model_open(&model, ctx, dir, &o));
    axl_model_free(model);
    report(&s);
    watched_free(ctx);
}

static void test_cancel__a_model_is_loaded_again(void **state)
{
    (void)state;
    check_loading("load, mapped", 0, AXL_COMPUTE_BF16);
    check_loading("load, read into memory", 1, AXL_COMPUTE_BF16);
    check_loading("load, converted", 0, AXL_COMPUTE_F32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancel__a_trainer_is_as_before),
        cmocka_unit_test(test_cancel__a_run_goes_on_from_any_moment),
        cmocka_unit_test(test_cancel__a_data_set_is_made_again),
        cmocka_unit_test(test_cancel__a_loader_is_as_before),
        cmocka_unit_test(test_cancel__a_model_is_loaded_again),
    };

    return test_run(tests);
}
