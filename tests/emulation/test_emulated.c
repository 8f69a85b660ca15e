/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_emulated.c - whole steps on the CUDA backend, whose kernels run on an emulated device or,
 * with AXL_TEST_BACKEND=cuda, on a GPU, where nothing is counted: the losses of the CPU backend, a
 * run that goes on with its own bits, one wait a step, launches that grow with the layers alone,
 * and device memory that ends.
 */
#include "rig.h"

#include "emulated_plugin.h"

#include <pthread.h>

/* ---- the CPU's losses ---- */

static void check(const setting *s, double tolerance)
{
    rig x = rig_begin(emulated_device(), s), y = rig_begin("cpu", s);

    for (uint32_t i = 0; i < STEPS; i++) {
        double loss = rig_step(&x, s, i), other = rig_step(&y, s, i);
        if (!(fabs(loss - other) <= tolerance * other))
            fail_msg("step %u: the loss is %.9g, on the CPU %.9g", (unsigned)i, loss, other);
    }
    rig_end(&x);
    rig_end(&y);
}

static void test_emulated__adapters(void **state)
{
    (void)state;
    check(&(setting){ .compute = AXL_COMPUTE_F32 }, 1e-5);
    check(&(setting){ .compute = AXL_COMPUTE_F32,
                      .checkpointing = 1,
                      .accumulation = 2,
                      .dropout = 0.1,
                      .noise = 5.0,
                      .smoothing = 0.1 },
          1e-5);
    check(&(setting){ .compute = AXL_COMPUTE_BF16 }, 1e-2);
    check(&(setting){ .compute = AXL_COMPUTE_F32,
                      .embedding = true,
                      .accumulation = 2,
                      .average = AXL_LOSS_MICRO_BATCHES },
          1e-5);
}

static void test_emulated__weights_of_few_bits(void **state)
{
    (void)state;
    check(&(setting){ .compute = AXL_COMPUTE_F32, .weights = AXL_WEIGHTS_NF4 }, 1e-5);
    check(&(setting){ .compute = AXL_COMPUTE_F32, .weights = AXL_WEIGHTS_INT8 }, 1e-5);
}

static void test_emulated__all_weights(void **state)
{
    (void)state;
    check(&(setting){ .compute = AXL_COMPUTE_F32, .full = true }, 1e-5);
    check(&(setting){ .compute = AXL_COMPUTE_BF16, .full = true, .checkpointing = 1 }, 1e-2);
}

/* ---- going on ---- */

static void test_emulated__a_run_goes_on_with_its_bits(void **state)
{
    const setting s = { .compute = AXL_COMPUTE_BF16, .dropout = 0.1 };
    rig x = rig_begin(emulated_device(), &s), y = rig_begin(emulated_device(), &s);
    char dir[128];

    (void)state;
    snprintf(dir, sizeof dir, "%s/checkpoint", test_temp_dir());
    rig_step(&x, &s, 0);
    assert_ok(axl_trainer_save(x.tr, NULL, dir));
    assert_ok(axl_trainer_load(y.tr, NULL, dir));
    assert_true(rig_step(&x, &s, 1) == rig_step(&y, &s, 1));
    assert_true(rig_step(&x, &s, 2) == rig_step(&y, &s, 2));
    rig_end(&x);
    rig_end(&y);
}

/* ---- two at a time ---- */

/* Of 4 bits, whose elements are made in memory that all calls of a device share. */
static const setting shared_setting = { .compute = AXL_COMPUTE_F32, .weights = AXL_WEIGHTS_NF4 };

typedef struct worker {
    rig r;
    double losses[STEPS];
    pthread_t thread;
} worker;

static void *work(void *arg)
{
    worker *w = arg;

    for (uint32_t i = 0; i < STEPS; i++)
        w->losses[i] = rig_step(&w->r, &shared_setting, i);
    return NULL;
}

static void test_emulated__two_trainings_share_a_device(void **state)
{
    axl_context *ctx = rig_context(emulated_device());
    worker workers[2];
    rig alone = rig_begin(emulated_device(), &shared_setting);

    (void)state;
    for (int i = 0; i < 2; i++)
        workers[i].r = rig_begin_on(ctx, emulated_device(), &shared_setting);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        rig_end_on(&workers[i].r);
    }
    axl_context_free(ctx);
    for (uint32_t i = 0; i < STEPS; i++) {
        double loss = rig_step(&alone, &shared_setting, i);
        assert_true(workers[0].losses[i] == loss && workers[1].losses[i] == loss);
    }
    rig_end(&alone);
}

/* ---- what a step costs the host ---- */

static axl_emulated_counts second_step(const setting *s)
{
    rig r = rig_begin(emulated_device(), s);
    size_t n;

    rig_step(&r, s, 0);
    free(rig_values(&r, &n)); /* waits for all of it */
    EMULATED(reset)();
    rig_step(&r, s, 1);
    axl_emulated_counts c = emulated_counts_of("");
    rig_end(&r);
    return c;
}

/* The bounds for a Llama of L layers, here two. */
static void test_emulated__launches_of_a_step(void **state)
{
    enum { L = 2 };
    const struct {
        setting s;
        uint64_t most;
    } steps[] = {
        { { .compute = AXL_COMPUTE_BF16, .plain = true }, 60 * L + 100 },
        { { .compute = AXL_COMPUTE_BF16, .weights = AXL_WEIGHTS_NF4, .plain = true },
          74 * L + 100 },
        { { .compute = AXL_COMPUTE_BF16, .checkpointing = 1, .plain = true }, 82 * L + 100 },
    };

    (void)state;
    skip_without_counts();
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        axl_emulated_counts c = second_step(&steps[i].s);
        if (getenv("AXL_TEST_VERBOSE"))
            printf("%llu launches, %llu products, %llu copies, %llu waits\n",
                   (unsigned long long)c.launches, (unsigned long long)c.products,
                   (unsigned long long)c.copies, (unsigned long long)c.waits);
        if (c.launches > steps[i].most)
            fail_msg("step %zu has %llu launches: %llu are the most", i,
                     (unsigned long long)c.launches, (unsigned long long)steps[i].most);
        assert_int_equal(c.waits, 1);
    }
}

/* Launches of a kernel in a step. */
static uint64_t launches_of(const setting *s, const char *kernel)
{
    second_step(s);
    return emulated_counts_of(kernel).launches;
}

/* One launch for all tensors that are treated alike, whatever the number of layers: of LoRA+ all A
 * and all B, of all weights those that decay and the norms. */
static void test_emulated__one_launch_moves_a_group(void **state)
{
    const setting lora = { .compute = AXL_COMPUTE_BF16 };
    const setting plus = { .compute = AXL_COMPUTE_BF16, .loraplus = 16.0 };
    const setting full = { .compute = AXL_COMPUTE_BF16, .full = true };
    const setting bits = { .compute = AXL_COMPUTE_BF16, .full = true, .optimizer = "adamw_8bit" };
    const char *adamw = "elementwise<4, adamw_step>";

    (void)state;
    skip_without_counts();
    assert_int_equal(launches_of(&lora, adamw), 1);
    assert_int_equal(launches_of(&plus, adamw), 2);
    assert_int_equal(launches_of(&full, adamw), 2);
    assert_int_equal(launches_of(&bits, "low_bit_steps"), 1);
}

/* ---- a loss that is not finite ---- */

/* It is told by the step, which moves nothing; by the batch where it is asked for its loss. */
static void test_emulated__a_loss_that_is_no_number(void **state)
{
    const setting s = { .compute = AXL_COMPUTE_F32, .accumulation = 2 };
    rig x = rig_begin(emulated_device(), &s), y = rig_begin(emulated_device(), &s);
    tiny_data *d = tiny_batch(rig_lengths, N_SEQS, 0);
    size_t n;
    double loss;

    (void)state;
    float *values = rig_values(&x, &n), first = values[0];
    values[0] = NAN;
    assert_ok(axl_trainer_write(x.tr, 0, values));
    assert_fails(axl_trainer_forward_backward(x.tr, &d->batch, &loss), AXL_ERR_NUMERIC,
                 "the loss is not finite (NaN)");
    assert_ok(axl_trainer_forward_backward(x.tr, &d->batch, NULL));
    assert_ok(axl_trainer_forward_backward(x.tr, &d->batch, NULL));
    assert_fails(axl_trainer_step(x.tr, NULL), AXL_ERR_NUMERIC, "the loss is not finite (NaN)");
    values[0] = first;
    assert_ok(axl_trainer_write(x.tr, 0, values));
    for (uint32_t i = 0; i < STEPS; i++)
        assert_true(rig_step(&x, &s, i) == rig_step(&y, &s, i));
    free(values);
    rig_end(&x);
    rig_end(&y);
    free(d);
}

/* ---- memory that ends ---- */

static void test_emulated__out_of_device_memory(void **state)
{
    const setting s = { .compute = AXL_COMPUTE_F32 };
    rig x = rig_begin(emulated_device(), &s), y = rig_begin(emulated_device(), &s);
    tiny_data *d = tiny_batch(rig_lengths, N_SEQS, 0);
    char dir[128];
    double loss;

    (void)state;
    skip_without_counts();
    EMULATED(limit)(1);
    assert_fails(axl_trainer_forward_backward(x.tr, &d->batch, &loss), AXL_ERR_NOMEM,
                 "out of device memory");
    assert_non_null(strstr(axl_last_error(), "MiB asked for"));
    snprintf(dir, sizeof dir, "%s/out-of-memory", test_temp_dir());
    assert_ok(axl_trainer_save(x.tr, NULL, dir)); /* what there is can still be kept */
    EMULATED(limit)(0);
    for (uint32_t i = 0; i < STEPS; i++)
        assert_true(rig_step(&x, &s, i) == rig_step(&y, &s, i));
    rig_end(&x);
    rig_end(&y);
    free(d);
}

/* What is planned is what is taken: weights of all kinds, with checkpointing and without. */
static void check_plan(const setting *s)
{
    axl_model_options mo = AXL_MODEL_OPTIONS_INIT;
    axl_adapter_options ao = AXL_ADAPTER_OPTIONS_INIT;
    axl_trainer_options to = AXL_TRAINER_OPTIONS_INIT;
    axl_plan plan = AXL_PLAN_INIT;
    axl_context *ctx = rig_context("emulated");

    mo.backend = "emulated";
    mo.compute = s->compute;
    mo.weights = s->weights;
    ao.rank = s->full ? 0 : 4;
    to.checkpointing = s->checkpointing;
    to.max_tokens = rig_lengths[0] + rig_lengths[1] + rig_lengths[2];
    EMULATED(reset)();
    assert_ok(axl_model_estimate(ctx, rig_folder(), &mo, &ao, &to, &plan));
    axl_context_free(ctx);
    EMULATED(reset)();
    rig r = rig_begin(emulated_device(), s);
    rig_step(&r, s, 0);
    double took = (double)emulated_counts_of("").most_bytes;
    rig_end(&r);
    if (getenv("AXL_TEST_VERBOSE"))
        printf("%llu bytes planned, %.0f taken\n", (unsigned long long)plan.device_bytes, took);
    const double workspace = 32 << 20; /* of cuBLASLt, which is most of it here */
    assert_true(fabs((double)plan.device_bytes - took) <= 0.05 * (took - workspace));
    assert_true(plan.device_limit_bytes > plan.device_bytes);
}

static void test_emulated__plans_the_devices_memory(void **state)
{
    (void)state;
    skip_without_counts();
    check_plan(&(setting){ .compute = AXL_COMPUTE_BF16 });
    check_plan(&(setting){ .compute = AXL_COMPUTE_F32, .checkpointing = 1 });
    check_plan(&(setting){ .compute = AXL_COMPUTE_BF16, .weights = AXL_WEIGHTS_NF4 });
    check_plan(&(setting){ .compute = AXL_COMPUTE_BF16, .full = true });
}

/* What a run of a config says that cannot be; of device memory there are so many bytes. */
static void check_refused(const char *key, size_t memory, axl_status expected, const char *words)
{
    static const char format[] = "base_model: %s\ndatasets:\n  - path: %s\n    type: alpaca\n"
                                 "adapter: lora\nlora_r: 4\nlora_alpha: 8\nmicro_batch_size: "
                                 "1\ngradient_accumulation_steps: 1\nlora_target_linear: true\n"
                                 "device: emulated\nmax_steps: 1\nsequence_len: 64\n"
                                 "learning_rate: 1e-3\noutput_dir: %s/out\n%s";
    axl_context *ctx = rig_context("emulated");
    char text[1024], data[512];
    axl_config *cfg;
    axl_run *run;

    snprintf(data, sizeof data, "%s", test_source_path("examples/tiny-alpaca.jsonl"));
    snprintf(text, sizeof text, format, rig_folder(), data, test_temp_dir(), key);
    assert_ok(axl_config_parse(&cfg, ctx, text, strlen(text), "test.yml", NULL));
    EMULATED(limit)(memory);
    axl_status status = axl_run_new(&run, cfg, NULL);
    if (status == AXL_OK)
        status = axl_run_train(run);
    EMULATED(limit)(0);
    assert_int_equal(status, expected);
    assert_non_null(strstr(axl_last_error(), words));
    axl_run_free(run);
    axl_config_free(cfg);
    axl_context_free(ctx);
}

static void test_emulated__what_cannot_be_is_refused(void **state)
{
    (void)state;
    skip_without_counts();
    check_refused("", (size_t)41 << 20, AXL_ERR_NOMEM, "GiB of the device's memory");
    check_refused("fp16: true\n", 0, AXL_ERR_UNSUPPORTED, "fp16: true is not computed on CUDA");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_emulated__adapters),
        cmocka_unit_test(test_emulated__weights_of_few_bits),
        cmocka_unit_test(test_emulated__all_weights),
        cmocka_unit_test(test_emulated__a_run_goes_on_with_its_bits),
        cmocka_unit_test(test_emulated__two_trainings_share_a_device),
        cmocka_unit_test(test_emulated__launches_of_a_step),
        cmocka_unit_test(test_emulated__one_launch_moves_a_group),
        cmocka_unit_test(test_emulated__a_loss_that_is_no_number),
        cmocka_unit_test(test_emulated__out_of_device_memory),
        cmocka_unit_test(test_emulated__plans_the_devices_memory),
        cmocka_unit_test(test_emulated__what_cannot_be_is_refused),
    };

    return test_run(tests);
}
