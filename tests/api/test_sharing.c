/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sharing.c - what threads may share, as context.h has it, and what they are answered where
 * they may not; for the thread sanitizer above all.  Threads assert nothing: they leave what failed
 * in their job.
 */
#include "tiny_model.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

enum { N_THREADS = 3, N_STEPS = 3, N_LOGITS = 4 };
static const uint32_t lengths[] = { 11, 6 };
static const int32_t prompt[N_LOGITS] = { 1, 5, 300, 42 };

typedef struct {
    axl_context *ctx;
    axl_model *model; /* NULL: the thread opens its own */
    axl_adapter *adapter;
    axl_trainer *tr;
    axl_tokenizer *tok;
    axl_config *cfg;
    axl_dataset *data;
    uint32_t seed;
    double losses[N_STEPS];
    char failure[256]; /* "": none */
    atomic_uint *busy, *done;
} job;

static bool failed(job *j, axl_status status)
{
    if (status < 0 && !j->failure[0])
        snprintf(j->failure, sizeof j->failure, "%s: %s", axl_status_name(status),
                 axl_last_error());
    return j->failure[0] != '\0';
}

/* BUSY is an answer; anything else below 0 is a failure. */
static bool is_busy(job *j, axl_status status)
{
    if (status == AXL_ERR_BUSY)
        atomic_fetch_add(j->busy, 1);
    else
        failed(j, status);
    return status == AXL_ERR_BUSY;
}

static void run_all(void *(*const *work)(void *), job *jobs, size_t n)
{
    pthread_t threads[8];

    for (size_t i = 0; i < n; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work[i], &jobs[i]), 0);
    for (size_t i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < n; i++)
        if (jobs[i].failure[0])
            fail_msg("thread %zu: %s", i, jobs[i].failure);
}

static void run_same(void *(*work)(void *), job *jobs, size_t n)
{
    void *(*const all[8])(void *) = { work, work, work, work, work, work, work, work };

    run_all(all, jobs, n);
}

/* ---- training side by side ---- */

static void train(job *j)
{
    axl_step_stats s = AXL_STEP_STATS_INIT;

    for (uint32_t i = 0; i < N_STEPS; i++) {
        tiny_data *d = tiny_batch(lengths, 2, j->seed + i);
        if (failed(j, axl_trainer_forward_backward(j->tr, &d->batch, NULL)) ||
            failed(j, axl_trainer_step(j->tr, &s))) {
            free(d);
            return;
        }
        j->losses[i] = s.loss;
        free(d);
    }
}

/* An adapter of the job's model, or of one that the job opens in a context of its own. */
static void *train_adapter(void *user)
{
    job *j = user;
    axl_context_options co = AXL_CONTEXT_OPTIONS_INIT;
    axl_adapter_options ao = AXL_ADAPTER_OPTIONS_INIT;
    axl_context *ctx = NULL;
    axl_model *model = j->model, *own = NULL;

    co.threads = 2;
    co.isa = test_isa();
    ao.seed = j->seed;
    if (!model && !failed(j, axl_context_new(&ctx, &co)) &&
        !failed(j, axl_model_open(&own, ctx, tiny_folder(), NULL)))
        model = own;
    axl_context_free(ctx);
    if (model && !failed(j, axl_adapter_new(&j->adapter, model, &ao)) &&
        !failed(j, axl_trainer_new(&j->tr, model, j->adapter, NULL)))
        train(j);
    axl_trainer_free(j->tr);
    axl_adapter_free(j->adapter);
    axl_model_free(own);
    return NULL;
}

/* Several at once have the losses of each alone. */
static void check_side_by_side(axl_model *model)
{
    job alone[N_THREADS] = { 0 }, jobs[N_THREADS] = { 0 };

    for (uint32_t i = 0; i < N_THREADS; i++) {
        alone[i].model = jobs[i].model = model;
        alone[i].seed = jobs[i].seed = 7 * i;
        run_same(train_adapter, &alone[i], 1);
    }
    run_same(train_adapter, jobs, N_THREADS);
    for (uint32_t i = 0; i < N_THREADS; i++)
        assert_memory_equal(jobs[i].losses, alone[i].losses, sizeof jobs[i].losses);
}

static void test_sharing__contexts_know_nothing_of_each_other(void **state)
{
    (void)state;
    check_side_by_side(NULL);
}

static void test_sharing__a_model_trains_several_adapters(void **state)
{
    axl_context *ctx = tiny_context(2);
    axl_model *model;

    (void)state;
    assert_ok(axl_model_open(&model, ctx, tiny_folder(), NULL));
    check_side_by_side(model);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* ---- an adapter whose trainer is at work ---- */

static void *keep_training(void *user)
{
    job *j = user;
    axl_status status;

    for (uint32_t i = 0; i < 4 * N_STEPS; i++) {
        tiny_data *d = tiny_batch(lengths, 2, i);
        while (is_busy(j, status = axl_trainer_forward_backward(j->tr, &d->batch, NULL)))
            usleep(100);
        while (status == AXL_OK && is_busy(j, status = axl_trainer_step(j->tr, NULL))) {
            status = AXL_OK;
            usleep(100);
        }
        free(d);
    }
    atomic_fetch_add(j->done, 1);
    return NULL;
}

/* The number of a step that was not seen yet, so that readers leave the trainer time; or, when the
 * trainer has ended, of the last. */
static uint64_t await_step(const job *j, uint64_t seen)
{
    while (axl_trainer_steps(j->tr) == seen && atomic_load(j->done) == 0)
        usleep(100);
    return axl_trainer_steps(j->tr);
}

/* All that reads an adapter, and what anyone may ask. */
static void *keep_reading(void *user)
{
    job *j = user;
    float values[64 * 768], *logits = calloc((size_t)N_LOGITS * TINY_VOCAB, sizeof *logits);
    axl_model_info info = AXL_MODEL_INFO_INIT;
    axl_tensor_info t = AXL_TENSOR_INFO_INIT;
    uint64_t steps = 0;

    for (bool last = false; logits && !last && !j->failure[0];) {
        uint64_t now = await_step(j, steps);
        last = atomic_load(j->done) > 0; /* once more with nobody at work */
        is_busy(j, axl_adapter_read(j->adapter, 0, values));
        is_busy(j, axl_trainer_read(j->tr, 1, values));
        is_busy(j, axl_model_logits(j->model, j->adapter, prompt, N_LOGITS, logits));
        failed(j, axl_model_logits(j->model, NULL, prompt, N_LOGITS, logits));
        failed(j, axl_adapter_get_tensor(j->adapter, 0, &t));
        failed(j, axl_model_get_info(j->model, &info));
        if (now < steps)
            snprintf(j->failure, sizeof j->failure, "a step back");
        steps = now;
    }
    free(logits);
    return NULL;
}

static void *keep_saving(void *user)
{
    job *j = user;
    uint64_t steps = 0;
    char dir[600];

    snprintf(dir, sizeof dir, "%s/adapter-%u", test_temp_dir(), j->seed);
    while (atomic_load(j->done) == 0 && !j->failure[0]) {
        steps = await_step(j, steps);
        is_busy(j, axl_adapter_save(j->adapter, dir));
    }
    failed(j, axl_adapter_save(j->adapter, dir)); /* other readers do not keep it off */
    return NULL;
}

static void test_sharing__an_adapter_is_read_between_its_trainers_calls(void **state)
{
    void *(*const work[])(void *) = { keep_training, keep_reading, keep_reading, keep_saving };
    axl_context *ctx = tiny_context(2);
    atomic_uint busy = 0, done = 0;
    axl_adapter *adapter, *saved;
    axl_model *model;
    axl_trainer *tr;
    job jobs[4] = { 0 };

    (void)state;
    test_temp_dir();
    assert_ok(axl_model_open(&model, ctx, tiny_folder(), NULL));
    adapter = tiny_adapter(model, 0.1);
    assert_ok(axl_trainer_new(&tr, model, adapter, NULL));
    for (uint32_t i = 0; i < 4; i++)
        jobs[i] = (job){ .ctx = ctx,
                         .model = model,
                         .adapter = adapter,
                         .tr = tr,
                         .seed = i,
                         .busy = &busy,
                         .done = &done };
    run_all(work, jobs, 4);
    assert_int_equal(axl_trainer_steps(tr), 4 * N_STEPS);
    assert_ok(axl_adapter_open(&saved, model, temp_path("adapter-3")));
    tiny_compare(saved, NULL, adapter, NULL, 0.0);
    axl_adapter_free(saved);
    axl_trainer_free(tr);
    axl_adapter_free(adapter);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* ---- what callbacks are answered ---- */

typedef struct {
    axl_model *model;
    axl_adapter *adapter;
    axl_trainer *tr;
    const char *phase; /* in which the calls are tried */
    int n_tried;
} caller;

static int on_progress(void *user, const axl_progress *p)
{
    caller *c = user;
    static float values[64 * 768];
    bool saving = strcmp(p->phase, "save") == 0;

    if (!c->phase || strcmp(p->phase, c->phase) != 0)
        return 0;
    c->n_tried++;
    if (saving) {
        assert_ok(axl_adapter_read(c->adapter, 0, values)); /* one more reader */
        assert_fails(axl_trainer_step(c->tr, NULL), AXL_ERR_BUSY, "being read");
        assert_fails(axl_adapter_write(c->adapter, 0, values), AXL_ERR_BUSY, "being read");
    } else {
        assert_fails(axl_adapter_read(c->adapter, 0, values), AXL_ERR_BUSY, "trainer is at work");
        assert_fails(axl_adapter_write(c->adapter, 0, values), AXL_ERR_BUSY, "trainer is at work");
        assert_fails(axl_adapter_save(c->adapter, temp_path("no")), AXL_ERR_BUSY, "at work");
        assert_fails(axl_model_logits(c->model, c->adapter, prompt, N_LOGITS, values), AXL_ERR_BUSY,
                     "trainer is at work");
        assert_fails(axl_trainer_read(c->tr, 0, values), AXL_ERR_BUSY, "callback");
    }
    return 0;
}

static void test_sharing__a_trainers_call_has_its_adapter_to_itself(void **state)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    axl_trainer_options to = AXL_TRAINER_OPTIONS_INIT;
    tiny_data *d = tiny_batch(lengths, 2, 1);
    caller c = { 0 };
    axl_context *ctx;

    (void)state;
    o.threads = 1;
    o.isa = test_isa();
    o.progress = on_progress;
    o.progress_user = &c;
    assert_ok(axl_context_new(&ctx, &o));
    assert_ok(axl_model_open(&c.model, ctx, tiny_folder(), NULL));
    c.tr = tiny_trainer(c.model, &to, 0.0, &c.adapter);
    c.phase = "train";
    assert_ok(axl_trainer_forward_backward(c.tr, &d->batch, NULL));
    assert_true(c.n_tried > 0);
    c.phase = "save";
    c.n_tried = 0;
    assert_ok(axl_adapter_save(c.adapter, temp_path("whole")));
    assert_true(c.n_tried > 0);
    c.phase = NULL;
    assert_ok(axl_trainer_step(c.tr, NULL));
    axl_trainer_free(c.tr);
    axl_adapter_free(c.adapter);
    axl_model_free(c.model);
    axl_context_free(ctx);
    free(d);
}

static int on_text(void *user, const char *text, size_t length)
{
    caller *c = user;
    axl_trainer *tr;

    (void)text;
    (void)length;
    c->n_tried++;
    assert_fails(axl_trainer_new(&tr, c->model, NULL, NULL), AXL_ERR_BUSY, "computes with");
    assert_fails(axl_adapter_merge(c->adapter), AXL_ERR_BUSY, "computes with");
    return 1;
}

static void test_sharing__nobody_writes_a_model_that_computes(void **state)
{
    axl_generate_options o = AXL_GENERATE_OPTIONS_INIT;
    axl_context *ctx = tiny_context(1);
    caller c = { 0 };
    axl_tokenizer *tok;

    (void)state;
    assert_ok(axl_model_open(&c.model, ctx, tiny_folder(), NULL));
    assert_ok(axl_tokenizer_open(&tok, ctx, test_source_path("examples/tiny-llama"), NULL));
    c.adapter = tiny_adapter(c.model, 0.0);
    o.text = on_text;
    o.text_user = &c;
    assert_fails(axl_generate(c.model, c.adapter, tok, "One", 3, &o, NULL), AXL_ERR_CANCELLED, "");
    assert_int_equal(c.n_tried, 1);
    assert_ok(axl_adapter_merge(c.adapter)); /* it has ended */
    axl_tokenizer_free(tok);
    axl_adapter_free(c.adapter);
    axl_model_free(c.model);
    axl_context_free(ctx);
}

/* ---- what is only read ---- */

static void *read_shared(void *user)
{
    static const char text[] = "One day, a little girl named Lily found 2 needles.";
    job *j = user;
    axl_loader_options o = AXL_LOADER_OPTIONS_INIT;
    axl_sample sample = AXL_SAMPLE_INIT;
    axl_buffer ids = AXL_BUFFER_INIT, back = AXL_BUFFER_INIT;
    axl_batch b = AXL_BATCH_INIT;
    axl_loader *loader;
    const char *value;
    size_t n;

    o.seed = j->seed;
    o.num_epochs = 1;
    for (int i = 0; i < 20 && !j->failure[0]; i++) {
        failed(j, axl_tokenizer_encode(j->tok, text, sizeof text - 1, 0, &ids));
        failed(j, axl_tokenizer_decode(j->tok, (const int32_t *)(const void *)ids.data,
                                       ids.length / sizeof(int32_t), 0, &back));
        failed(j, axl_config_get_string(j->cfg, "base_model", &value));
        failed(j, axl_config_get_count(j->cfg, "datasets", &n));
        failed(j,
               axl_dataset_get_sample(j->data, (uint64_t)i % axl_dataset_count(j->data), &sample));
    }
    if (!failed(j, axl_loader_new(&loader, j->data, &o))) {
        axl_status status;
        while ((status = axl_loader_next(loader, &b)) == AXL_OK)
            continue;
        failed(j, status);
        axl_loader_free(loader);
    }
    axl_buffer_free(&ids);
    axl_buffer_free(&back);
    return NULL;
}

static void test_sharing__tokenizers_configs_and_data_are_anyones(void **state)
{
    static const char text[] = "base_model: m\ndatasets: [{path: d.jsonl, type: alpaca}]\n"
                               "sequence_len: 64\nmicro_batch_size: 1\nadapter: lora\nlora_r: 4\n"
                               "gradient_accumulation_steps: 1\nnum_epochs: 1\nlora_alpha: 8\n"
                               "lora_target_linear: true\nlearning_rate: 1e-3\n";
    const uint32_t sizes[] = { 5, 9, 4, 12, 7 };
    tiny_data *d = tiny_batch(sizes, 5, 1);
    axl_sample samples[5];
    job shared = { .ctx = tiny_context(2) }, jobs[N_THREADS];

    (void)state;
    for (int i = 0; i < 5; i++) {
        samples[i] = (axl_sample)AXL_SAMPLE_INIT;
        samples[i].input_ids = d->ids + d->cu[i];
        samples[i].labels = d->labels + d->cu[i];
        samples[i].length = sizes[i];
    }
    assert_ok(axl_dataset_from_samples(&shared.data, shared.ctx, samples, 5));
    assert_ok(axl_config_parse(&shared.cfg, shared.ctx, text, strlen(text), "x.yml", NULL));
    assert_ok(
        axl_tokenizer_open(&shared.tok, shared.ctx, test_source_path("examples/tiny-llama"), NULL));
    for (uint32_t i = 0; i < N_THREADS; i++) {
        jobs[i] = shared;
        jobs[i].seed = i;
    }
    run_same(read_shared, jobs, N_THREADS);
    axl_tokenizer_free(shared.tok);
    axl_config_free(shared.cfg);
    axl_dataset_free(shared.data);
    axl_context_free(shared.ctx);
    free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sharing__contexts_know_nothing_of_each_other),
        cmocka_unit_test(test_sharing__a_model_trains_several_adapters),
        cmocka_unit_test(test_sharing__an_adapter_is_read_between_its_trainers_calls),
        cmocka_unit_test(test_sharing__a_trainers_call_has_its_adapter_to_itself),
        cmocka_unit_test(test_sharing__nobody_writes_a_model_that_computes),
        cmocka_unit_test(test_sharing__tokenizers_configs_and_data_are_anyones),
    };

    return test_run(tests);
}
