/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_guarded.c - what a trainer does on a device whose memory the host cannot touch and whose
 * operations run late (guarded_backend.c) has the bits that it has on the reference.
 */
#include "rig.h"

#include "guarded.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- counts ---- */

static void read_counts(axl_guarded_counts *open, axl_guarded_counts *closed)
{
    char path[1100];
    axl_guarded_read_fn *read;

    snprintf(path, sizeof path, "%s/libaxl-guarded.so.0", test_plugin_dir("guarded"));
    void *lib = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    assert_non_null(lib);
    void *symbol = dlsym(lib, "axl_guarded_read");
    assert_non_null(symbol);
    memcpy(&read, &symbol, sizeof read);
    read(open, closed);
    dlclose(lib);
}

/* ---- comparing ---- */

static void assert_same_file(const char *a, const char *b)
{
    char command[1200];

    snprintf(command, sizeof command, "cmp '%s' '%s'", a, b);
    assert_int_equal(system(command), 0);
}

/* The same losses and bits on both; what was on the guarded device is freed. */
static void check(const setting *s)
{
    axl_guarded_counts closed;
    rig x = rig_begin("guarded", s), y = rig_begin("reference", s);

    for (uint32_t i = 0; i < STEPS; i++)
        assert_true(rig_step(&x, s, i) == rig_step(&y, s, i));
    rig_assert_same_values(&x, &y);
    rig_end(&x);
    read_counts(NULL, &closed);
    assert_true(closed.calls > 100);
    assert_int_equal(closed.never_freed, 0);
    rig_end(&y);
}

/* ---- the guard ---- */

/* Or nothing here would prove anything. */
static void test_guarded__the_host_cannot_read_device_memory(void **state)
{
    const setting s = { .compute = AXL_COMPUTE_F32 };
    axl_guarded_counts counts;
    int how;

    (void)state;
    rig r = rig_begin("guarded", &s);
    rig_step(&r, &s, 0);
    read_counts(&counts, NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* cmocka's handler would go on */
        _exit(*(const volatile char *)counts.newest & 0);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_false(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    rig_end(&r);
}

/* ---- training ---- */

static void test_guarded__adapters(void **state)
{
    (void)state;
    for (uint32_t compute = AXL_COMPUTE_F32; compute <= AXL_COMPUTE_BF16; compute++) {
        check(&(setting){ .compute = compute });
        check(&(setting){ .compute = compute, .embedding = true, .noise = 5.0 });
        check(&(setting){ .compute = compute,
                          .checkpointing = 1,
                          .accumulation = 2,
                          .dropout = 0.1,
                          .noise = 5.0,
                          .smoothing = 0.1 });
    }
}

static void test_guarded__weights_of_few_bits(void **state)
{
    (void)state;
    check(&(setting){ .compute = AXL_COMPUTE_BF16, .weights = AXL_WEIGHTS_NF4 });
    check(
        &(setting){ .compute = AXL_COMPUTE_F32, .weights = AXL_WEIGHTS_INT8, .checkpointing = 1 });
}

static void test_guarded__all_weights(void **state)
{
    (void)state;
    for (uint32_t compute = AXL_COMPUTE_F32; compute <= AXL_COMPUTE_BF16; compute++)
        check(&(setting){ .compute = compute, .full = true, .checkpointing = compute & 1 });
    check(&(setting){ .compute = AXL_COMPUTE_F32, .full = true, .lisa_layers = 1 });
}

static void test_guarded__restarts(void **state)
{
    (void)state;
    check(&(setting){ .compute = AXL_COMPUTE_F32, .relora_steps = 1 });
    check(&(setting){ .compute = AXL_COMPUTE_BF16, .relora_steps = 1, .prune = AXL_PRUNE_RANDOM });
}

static void test_guarded__optimizers(void **state)
{
    static const char *const names[] = {
        "adamw_torch_8bit",
        "adamw_torch_4bit",
        "adamw_bnb_8bit",
        "lion_32bit",
        "lion_8bit",
        "ademamix",
        "ademamix_8bit",
        "adagrad",
        "rmsprop",
        "rmsprop_bnb_8bit",
        "adafactor",
        "came_pytorch",
        "muon",
        "adopt_adamw",
        "sgd",
        "schedule_free_adamw",
        "schedule_free_sgd",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check(&(setting){ .compute = AXL_COMPUTE_F32, .optimizer = names[i] });
    check(&(setting){ .compute = AXL_COMPUTE_F32, .full = true, .optimizer = "adamw_8bit" });
}

/* ---- saving and going on ---- */

/* Saved on the one machine after a step, gone on with on the other. */
static void check_going_on(const setting *s)
{
    rig x = rig_begin("guarded", s), y = rig_begin("reference", s), z = rig_begin("guarded", s);

    rig_step(&x, s, 0);
    rig_step(&y, s, 0);
    assert_ok(axl_trainer_save(x.tr, NULL, temp_path("guarded")));
    assert_ok(axl_trainer_save(y.tr, NULL, temp_path("plain")));
    if (s->full)
        assert_same_file(temp_path("guarded/model.safetensors"),
                         temp_path("plain/model.safetensors"));
    assert_same_file(temp_path("guarded/optimizer.safetensors"),
                     temp_path("plain/optimizer.safetensors"));
    assert_ok(axl_trainer_load(z.tr, NULL, temp_path("guarded")));
    assert_true(rig_step(&y, s, 1) == rig_step(&z, s, 1));
    rig_assert_same_values(&y, &z);
    rig_end(&x);
    rig_end(&y);
    rig_end(&z);
}

static void test_guarded__checkpoints(void **state)
{
    (void)state;
    check_going_on(&(setting){ .compute = AXL_COMPUTE_BF16, .dropout = 0.1 });
    check_going_on(&(setting){ .compute = AXL_COMPUTE_BF16, .full = true });
    check_going_on(&(setting){ .compute = AXL_COMPUTE_F32, .relora_steps = 1 });
    check_going_on(&(setting){ .compute = AXL_COMPUTE_F32, .optimizer = "adamw_bnb_8bit" });
}

/* ---- what else is done with a model ---- */

/* The model is written a tensor at a time, with the adapter in it and, of few bits, as it is; then
 * merged and written whole. */
static void merge_on(const char *backend, const char *dir, uint32_t weights)
{
    axl_context *ctx = rig_context("guarded");
    axl_model *model = rig_model(ctx, backend, AXL_COMPUTE_BF16, weights);
    axl_adapter *adapter = tiny_adapter(model, 0.0);
    char path[600];

    assert_ok(axl_adapter_save(adapter, dir));
    snprintf(path, sizeof path, "%s/streamed", dir);
    assert_ok(axl_adapter_save_merged(adapter, path));
    snprintf(path, sizeof path, "%s/codes", dir);
    if (weights)
        assert_ok(axl_model_save(model, path));
    assert_ok(axl_adapter_merge(adapter));
    assert_ok(axl_model_save(model, dir));
    axl_adapter_free(adapter);
    axl_model_free(model);
    axl_context_free(ctx);
}

static void test_guarded__merging(void **state)
{
    (void)state;
    merge_on("guarded", temp_path("merged"), AXL_WEIGHTS_STORED);
    merge_on("reference", temp_path("merged-plain"), AXL_WEIGHTS_STORED);
    assert_same_file(temp_path("merged/adapter_model.safetensors"),
                     temp_path("merged-plain/adapter_model.safetensors"));
    assert_same_file(temp_path("merged/model.safetensors"),
                     temp_path("merged-plain/model.safetensors"));
    assert_same_file(temp_path("merged/model.safetensors"),
                     temp_path("merged/streamed/model.safetensors"));
}

static void test_guarded__merging_weights_of_few_bits(void **state)
{
    (void)state;
    merge_on("guarded", temp_path("codes"), AXL_WEIGHTS_NF4);
    merge_on("reference", temp_path("codes-plain"), AXL_WEIGHTS_NF4);
    assert_same_file(temp_path("codes/model.safetensors"),
                     temp_path("codes-plain/model.safetensors"));
    assert_same_file(temp_path("codes/streamed/model.safetensors"),
                     temp_path("codes-plain/model.safetensors"));
    assert_same_file(temp_path("codes/codes/model.safetensors"),
                     temp_path("codes-plain/codes/model.safetensors"));
}

static void generate_on(const char *backend, axl_buffer *text, float *logits)
{
    axl_generate_options o = AXL_GENERATE_OPTIONS_INIT;
    const int32_t ids[3] = { 5, 6, 7 };
    axl_context *ctx = rig_context("guarded");
    axl_model *model = rig_model(ctx, backend, AXL_COMPUTE_F32, AXL_WEIGHTS_STORED);
    axl_adapter *adapter = tiny_adapter(model, 0.0);
    axl_tokenizer *tok;

    o.max_new_tokens = 6;
    assert_ok(axl_tokenizer_open(&tok, ctx, test_source_path("examples/tiny-llama"), NULL));
    assert_ok(axl_generate(model, adapter, tok, "Once", 4, &o, text));
    assert_ok(axl_model_logits(model, adapter, ids, 3, logits));
    axl_tokenizer_free(tok);
    axl_adapter_free(adapter);
    axl_model_free(model);
    axl_context_free(ctx);
}

static void test_guarded__generating(void **state)
{
    axl_buffer x = AXL_BUFFER_INIT, y = AXL_BUFFER_INIT;
    static float a[3 * TINY_VOCAB], b[3 * TINY_VOCAB];

    (void)state;
    generate_on("guarded", &x, a);
    generate_on("reference", &y, b);
    assert_true(x.length > 0 && x.length == y.length);
    assert_memory_equal(x.data, y.data, x.length);
    assert_memory_equal(a, b, sizeof a);
    axl_buffer_free(&x);
    axl_buffer_free(&y);
}

static void test_guarded__planning(void **state)
{
    axl_context *ctx = rig_context("guarded");
    axl_model_options mo = AXL_MODEL_OPTIONS_INIT;
    axl_trainer_options to = AXL_TRAINER_OPTIONS_INIT;
    axl_plan x = AXL_PLAN_INIT, y = AXL_PLAN_INIT;

    (void)state;
    to.max_tokens = 64;
    mo.backend = "guarded";
    assert_ok(axl_model_estimate(ctx, rig_folder(), &mo, NULL, &to, &x));
    mo.backend = "reference";
    assert_ok(axl_model_estimate(ctx, rig_folder(), &mo, NULL, &to, &y));
    assert_true(x.activation_bytes == y.activation_bytes && x.activation_bytes > 0);
    assert_int_equal(x.optimizer_bytes, y.optimizer_bytes);
    axl_context_free(ctx);
}

/* ---- a host's own loss ---- */

/* Half the square of each logit: the gradient is the logit itself, which is left as it is. */
static int half_squares(void *user, axl_logits *l)
{
    (void)user;
    for (size_t i = 0; i < (size_t)l->n_rows * l->vocab_size; i++)
        l->loss += 0.5 * (double)l->logits[i] * (double)l->logits[i];
    return 0;
}

static void test_guarded__own_losses(void **state)
{
    axl_loss_options o = AXL_LOSS_OPTIONS_INIT;
    tiny_data *d = tiny_batch(rig_lengths, N_SEQS, 1);

    (void)state;
    o.loss = half_squares;
    for (uint32_t compute = AXL_COMPUTE_F32; compute <= AXL_COMPUTE_BF16; compute++) {
        const setting s = { .compute = compute };
        rig x = rig_begin("guarded", &s), y = rig_begin("reference", &s);
        double a, b;
        assert_ok(axl_trainer_forward_backward_with(x.tr, &d->batch, &o, &a));
        assert_ok(axl_trainer_forward_backward_with(y.tr, &d->batch, &o, &b));
        assert_true(a == b && a > 0.0);
        assert_ok(axl_trainer_step(x.tr, NULL));
        assert_ok(axl_trainer_step(y.tr, NULL));
        rig_assert_same_values(&x, &y);
        rig_end(&x);
        rig_end(&y);
    }
    free(d);
}

/* ---- waiting ---- */

/* A batch's loss is read behind its backward, once. */
static void test_guarded__a_batch_waits_once_at_its_end(void **state)
{
    const setting s = { .compute = AXL_COMPUTE_F32 };
    tiny_data *d = tiny_batch(rig_lengths, N_SEQS, 1);
    axl_guarded_counts before, after;
    double loss;

    (void)state;
    rig r = rig_begin("guarded", &s);
    rig_step(&r, &s, 0);
    read_counts(&before, NULL);
    assert_ok(axl_trainer_forward_backward(r.tr, &d->batch, &loss));
    read_counts(&after, NULL);
    assert_int_equal(after.waits - before.waits, 1);
    assert_int_equal(after.since_wait, 0);
    rig_end(&r);
    free(d);
}

static void test_guarded__sequences_are_in_device_memory(void **state)
{
    const setting s = { .compute = AXL_COMPUTE_F32, .checkpointing = 1 };
    axl_guarded_counts counts;

    (void)state;
    rig r = rig_begin("guarded", &s);
    rig_step(&r, &s, 0);
    read_counts(&counts, NULL);
    assert_int_equal(counts.without_device_cu, 0);
    rig_end(&r);
}

/* A step reads the norm of the gradients; the optimizer's work then stays queued. */
static void test_guarded__a_step_waits_for_the_norm_alone(void **state)
{
    const setting s = { .compute = AXL_COMPUTE_F32 };
    tiny_data *d = tiny_batch(rig_lengths, N_SEQS, 1);
    axl_step_stats stats = AXL_STEP_STATS_INIT;
    axl_guarded_counts before, after;

    (void)state;
    rig r = rig_begin("guarded", &s);
    rig_step(&r, &s, 0);
    assert_ok(axl_trainer_forward_backward(r.tr, &d->batch, NULL));
    read_counts(&before, NULL);
    assert_ok(axl_trainer_step(r.tr, &stats));
    read_counts(&after, NULL);
    assert_int_equal(after.waits - before.waits, 1);
    assert_true(after.since_wait > 0);
    rig_end(&r);
    free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guarded__the_host_cannot_read_device_memory),
        cmocka_unit_test(test_guarded__adapters),
        cmocka_unit_test(test_guarded__weights_of_few_bits),
        cmocka_unit_test(test_guarded__all_weights),
        cmocka_unit_test(test_guarded__restarts),
        cmocka_unit_test(test_guarded__optimizers),
        cmocka_unit_test(test_guarded__checkpoints),
        cmocka_unit_test(test_guarded__merging),
        cmocka_unit_test(test_guarded__merging_weights_of_few_bits),
        cmocka_unit_test(test_guarded__generating),
        cmocka_unit_test(test_guarded__planning),
        cmocka_unit_test(test_guarded__own_losses),
        cmocka_unit_test(test_guarded__a_batch_waits_once_at_its_end),
        cmocka_unit_test(test_guarded__sequences_are_in_device_memory),
        cmocka_unit_test(test_guarded__a_step_waits_for_the_norm_alone),
    };

    return test_run(tests);
}
