/* SPDX-License-Identifier: Apache-2.0 */
/* test_checkpoint.c - axl_trainer_save and _load: a run that goes on from any step has the bits of
 * one that never stopped; what cannot be read changes nothing. */
#include "tiny_model.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_SAMPLES = 23, N_STEPS = 9 };

typedef struct {
    uint32_t compute, packing, window;
    double dropout;
} setting;

typedef struct {
    axl_context *ctx;
    axl_adapter *adapter;
    axl_trainer *tr;
    axl_loader *loader;
} session;

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[1200];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static axl_dataset *make_data(axl_context *ctx)
{
    axl_sample samples[N_SAMPLES];
    uint32_t lengths[N_SAMPLES];
    axl_dataset *data;

    for (uint32_t i = 0; i < N_SAMPLES; i++)
        lengths[i] = 6 + i * 7 % 31;
    tiny_data *d = tiny_batch(lengths, N_SAMPLES, 3);
    for (uint32_t i = 0; i < N_SAMPLES; i++) {
        samples[i] = (axl_sample)AXL_SAMPLE_INIT;
        samples[i].input_ids = d->ids + d->cu[i];
        samples[i].labels = d->labels + d->cu[i];
        samples[i].length = lengths[i];
    }
    assert_ok(axl_dataset_from_samples(&data, ctx, samples, N_SAMPLES));
    free(d);
    return data;
}

static session begin(const setting *s, uint32_t threads)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_schedule_options so = AXL_SCHEDULE_OPTIONS_INIT;
    axl_loader_options lo = AXL_LOADER_OPTIONS_INIT;
    session x;

    x.ctx = tiny_context(threads);
    axl_model *model = tiny_model(x.ctx, "cpu", s->compute);
    so.kind = AXL_SCHEDULE_COSINE;
    so.total_steps = N_STEPS;
    o.schedule = &so;
    o.learning_rate = 1e-2;
    o.gradient_accumulation_steps = lo.gradient_accumulation_steps = s->window;
    x.tr = tiny_trainer(model, &o, s->dropout, &x.adapter);
    axl_dataset *data = make_data(x.ctx);
    lo.micro_batch_size = 2;
    lo.sample_packing = s->packing;
    lo.sequence_len = 40;
    lo.max_steps = N_STEPS;
    assert_ok(axl_loader_new(&x.loader, data, &lo));
    axl_model_free(model);
    axl_dataset_free(data);
    return x;
}

static void end(session *x)
{
    axl_loader_free(x->loader);
    axl_trainer_free(x->tr);
    axl_adapter_free(x->adapter);
    axl_context_free(x->ctx);
}

/* The next step's loss, or -1 at the end. */
static double next_step(session *x)
{
    axl_step_stats stats = AXL_STEP_STATS_INIT;
    axl_batch b = AXL_BATCH_INIT;
    axl_status status;

    while ((status = axl_loader_next(x->loader, &b)) == AXL_OK) {
        assert_ok(axl_trainer_forward_backward(x->tr, &b, NULL));
        if (axl_trainer_ready(x->tr)) {
            assert_ok(axl_trainer_step(x->tr, &stats));
            return stats.loss;
        }
    }
    assert_int_equal(status, AXL_END);
    return -1.0;
}

/* ---- going on ---- */

static void check_every_step(const setting *s)
{
    char name[32];
    double losses[N_STEPS];
    session whole = begin(s, 2);

    for (int i = 0; i < N_STEPS; i++) {
        snprintf(name, sizeof name, "step-%d", i);
        assert_ok(axl_trainer_save(whole.tr, whole.loader, temp_path(name)));
        losses[i] = next_step(&whole);
    }
    assert_true(next_step(&whole) == -1.0);
    for (int i = 0; i < N_STEPS; i += test_is_long() ? 1 : 4) {
        session x = begin(s, 1 + (uint32_t)i % 3);
        next_step(&x); /* what it did before is forgotten */
        snprintf(name, sizeof name, "step-%d", i);
        assert_ok(axl_trainer_load(x.tr, x.loader, temp_path(name)));
        assert_int_equal(axl_trainer_steps(x.tr), i);
        for (int k = i; k < N_STEPS; k++)
            assert_true(next_step(&x) == losses[k]);
        assert_true(next_step(&x) == -1.0);
        tiny_compare(x.adapter, NULL, whole.adapter, NULL, 0.0);
        end(&x);
    }
    end(&whole);
}

static void test_checkpoint__goes_on_with_the_same_bits(void **state)
{
    static const setting settings[] = {
        { AXL_COMPUTE_F32, 0, 1, 0.0 },
        { AXL_COMPUTE_F32, 1, 3, 0.1 },
        { AXL_COMPUTE_BF16, 1, 2, 0.1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        check_every_step(&settings[i]);
}

/* ---- the folder ---- */

static size_t entries_in(const char *dir)
{
    DIR *d = opendir(dir);
    size_t n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static void test_checkpoint__replaces_an_older_one(void **state)
{
    const setting s = { AXL_COMPUTE_F32, 0, 1, 0.0 };
    session x = begin(&s, 1), y = begin(&s, 1);
    char parent[512], dir[600];

    (void)state;
    snprintf(parent, sizeof parent, "%s", temp_path("replaced"));
    snprintf(dir, sizeof dir, "%s/checkpoint", parent);
    mkdir(parent, 0777);
    for (int i = 0; i < 3; i++) {
        next_step(&x);
        assert_ok(axl_trainer_save(x.tr, x.loader, dir));
        assert_int_equal(entries_in(parent), 1); /* nothing temporary stays */
    }
    assert_ok(axl_trainer_load(y.tr, y.loader, dir));
    assert_int_equal(axl_trainer_steps(y.tr), 3);
    assert_true(next_step(&x) == next_step(&y));
    end(&x);
    end(&y);
}

static void test_checkpoint__is_an_adapter_that_opens(void **state)
{
    const setting s = { AXL_COMPUTE_F32, 0, 1, 0.0 };
    session x = begin(&s, 1);
    axl_adapter *opened;

    (void)state;
    next_step(&x);
    assert_ok(axl_trainer_save(x.tr, NULL, temp_path("as-adapter")));
    axl_model *model = tiny_model(x.ctx, "cpu", AXL_COMPUTE_F32);
    assert_ok(axl_adapter_open(&opened, model, temp_path("as-adapter")));
    tiny_compare(opened, NULL, x.adapter, NULL, 0.0);
    axl_adapter_free(opened);
    axl_model_free(model);
    end(&x);
}

/* ---- what cannot be ---- */

static void copy_file(const char *from_dir, const char *to_dir, const char *name)
{
    char path[600], bytes[4096];
    size_t n;

    snprintf(path, sizeof path, "%s/%s", from_dir, name);
    FILE *from = fopen(path, "r");
    snprintf(path, sizeof path, "%s/%s", to_dir, name);
    FILE *to = fopen(path, "w");
    assert_true(from && to);
    while ((n = fread(bytes, 1, sizeof bytes, from)) > 0)
        assert_int_equal(fwrite(bytes, 1, n, to), n);
    fclose(from);
    assert_int_equal(fclose(to), 0);
}

/* Loading fails and the trainer and its loader go on as if it had not been tried. */
static void check_refused(session *x, const char *dir, axl_status want, const char *text)
{
    axl_loader_cursor before = AXL_LOADER_CURSOR_INIT, after = AXL_LOADER_CURSOR_INIT;
    uint64_t steps = axl_trainer_steps(x->tr);
    size_t n;
    float *w = tiny_values(x->adapter, NULL, &n);

    assert_ok(axl_loader_get_cursor(x->loader, &before));
    assert_fails(axl_trainer_load(x->tr, x->loader, dir), want, text);
    assert_ok(axl_loader_get_cursor(x->loader, &after));
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(axl_trainer_steps(x->tr), steps);
    float *v = tiny_values(x->adapter, NULL, &n);
    assert_memory_equal(w, v, n * sizeof *w);
    free(w);
    free(v);
}

static void test_checkpoint__refuses_what_it_cannot_read(void **state)
{
    static const char *const files[] = { "adapter_model.safetensors", "optimizer.safetensors",
                                         "trainer_state.json", "adapter_config.json" };
    const setting s = { AXL_COMPUTE_F32, 0, 1, 0.0 };
    session x = begin(&s, 1), other = begin(&s, 1);
    char good[512], bad[512];

    (void)state;
    next_step(&x);
    snprintf(good, sizeof good, "%s", temp_path("good"));
    snprintf(bad, sizeof bad, "%s", temp_path("bad"));
    assert_ok(axl_trainer_save(x.tr, x.loader, good));
    next_step(&x);
    mkdir(bad, 0777);
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < 4; k++)
            copy_file(good, bad, files[k]);
        write_file(bad, files[i], "{\"a\": ");
        check_refused(&x, bad, AXL_ERR_FORMAT, files[i]);
        snprintf(bad + strlen(bad), sizeof bad - strlen(bad), "/%s", files[i]);
        unlink(bad);
        *strrchr(bad, '/') = '\0';
        check_refused(&x, bad, AXL_ERR_NOT_FOUND, files[i]);
    }
    write_file(bad, files[2], "{\"log_history\": [], \"global_step\": 3}");
    check_refused(&x, bad, AXL_ERR_UNSUPPORTED, "lora_model_dir");
    check_refused(&x, temp_path("nowhere"), AXL_ERR_NOT_FOUND, "nowhere");
    check_refused(&x, NULL, AXL_ERR_INVALID, "dir");
    next_step(&other);
    next_step(&other);
    assert_true(next_step(&x) == next_step(&other));
    end(&x);
    end(&other);
}

static void test_checkpoint__wants_whole_steps(void **state)
{
    const setting s = { AXL_COMPUTE_F32, 0, 1, 0.0 };
    const uint32_t length = 9;
    session x = begin(&s, 1);
    tiny_data *d = tiny_batch(&length, 1, 1);

    (void)state;
    assert_ok(axl_trainer_save(x.tr, x.loader, temp_path("whole")));
    assert_ok(axl_trainer_forward_backward(x.tr, &d->batch, NULL));
    assert_fails(axl_trainer_save(x.tr, x.loader, temp_path("part")), AXL_ERR_INVALID, "zero");
    assert_fails(axl_trainer_load(x.tr, x.loader, temp_path("whole")), AXL_ERR_INVALID, "zero");
    assert_int_not_equal(access(temp_path("part"), F_OK), 0);
    axl_trainer_zero_grad(x.tr);
    assert_ok(axl_trainer_load(x.tr, x.loader, temp_path("whole")));
    assert_fails(axl_trainer_save(x.tr, x.loader, NULL), AXL_ERR_INVALID, "dir");
    assert_fails(axl_trainer_save(x.tr, x.loader, "/proc/none/here"), AXL_ERR_NOT_FOUND, "/proc");
    free(d);
    end(&x);
}

static void test_checkpoint__fits_its_adapter_only(void **state)
{
    const setting s = { AXL_COMPUTE_F32, 0, 1, 0.0 };
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    session x = begin(&s, 1);
    axl_model *model = tiny_model(x.ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter *adapter;
    axl_trainer *tr;

    (void)state;
    next_step(&x);
    assert_ok(axl_trainer_save(x.tr, x.loader, temp_path("rank-4")));
    o.rank = 5;
    assert_ok(axl_adapter_new(&adapter, model, &o));
    assert_ok(axl_trainer_new(&tr, model, adapter, NULL));
    assert_fails(axl_trainer_load(tr, NULL, temp_path("rank-4")), AXL_ERR_FORMAT,
                 "is of rank 4, and lora_r is 5");
    assert_int_equal(axl_trainer_steps(tr), 0);
    axl_trainer_free(tr);
    axl_adapter_free(adapter);
    axl_model_free(model);
    end(&x);
}

static void on_log(void *user, uint32_t level, const char *message)
{
    if (level == AXL_LOG_WARNING)
        snprintf(user, 512, "%s", message);
}

static void test_checkpoint__says_what_changes_the_bits(void **state)
{
    const setting s = { AXL_COMPUTE_F32, 0, 1, 0.0 };
    session x = begin(&s, 1);
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    char warning[512] = "";
    axl_context *ctx;
    axl_adapter *adapter;

    (void)state;
    next_step(&x);
    assert_ok(axl_trainer_save(x.tr, x.loader, temp_path("warned")));
    o.isa = "baseline";
    o.log = on_log;
    o.log_user = warning;
    assert_ok(axl_context_new(&ctx, &o));
    axl_model *model = tiny_model(ctx, "reference", AXL_COMPUTE_F32);
    axl_trainer *tr = tiny_trainer(model, NULL, 0.0, &adapter);
    assert_ok(axl_trainer_load(tr, NULL, temp_path("warned")));
    assert_non_null(strstr(warning, "not with the same bits"));
    axl_trainer_free(tr);
    axl_adapter_free(adapter);
    axl_model_free(model);
    axl_context_free(ctx);
    end(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checkpoint__goes_on_with_the_same_bits),
        cmocka_unit_test(test_checkpoint__replaces_an_older_one),
        cmocka_unit_test(test_checkpoint__is_an_adapter_that_opens),
        cmocka_unit_test(test_checkpoint__refuses_what_it_cannot_read),
        cmocka_unit_test(test_checkpoint__wants_whole_steps),
        cmocka_unit_test(test_checkpoint__fits_its_adapter_only),
        cmocka_unit_test(test_checkpoint__says_what_changes_the_bits),
    };

    return test_run(tests);
}
