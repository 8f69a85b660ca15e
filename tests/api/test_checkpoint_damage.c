/* SPDX-License-Identifier: Apache-2.0 */
/* test_checkpoint_damage.c - checkpoints as strangers' files: whatever changed since they were
 * written is an error that names the file, and the trainer is as before. */
#include "tiny_model.h"

#include <math.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_FLIPS = 7 };

static char dir[400]; /* the checkpoint that is damaged */

typedef struct {
    axl_context *ctx;
    axl_model *model;
    axl_adapter *adapter; /* NULL: the model's own weights are trained */
    axl_trainer *tr;
} session;

static void train_step(axl_trainer *tr)
{
    const uint32_t lengths[] = { 9, 14 };
    tiny_data *d = tiny_batch(lengths, 2, 1);

    assert_ok(axl_trainer_forward_backward(tr, &d->batch, NULL));
    assert_ok(axl_trainer_step(tr, NULL));
    free(d);
}

/* A trainer at step 2 whose checkpoint of step 1 is in dir. */
static session begin(bool adapter, const char *name)
{
    session x = { 0 };

    x.ctx = tiny_context(1);
    x.model = tiny_model(x.ctx, "cpu", AXL_COMPUTE_F32);
    if (adapter)
        x.tr = tiny_trainer(x.model, NULL, 0.0, &x.adapter);
    else
        assert_ok(axl_trainer_new(&x.tr, x.model, NULL, NULL));
    snprintf(dir, sizeof dir, "%s", temp_path(name));
    train_step(x.tr);
    assert_ok(axl_trainer_save(x.tr, NULL, dir));
    train_step(x.tr);
    return x;
}

static void end(session *x)
{
    axl_trainer_free(x->tr);
    axl_adapter_free(x->adapter);
    axl_model_free(x->model);
    axl_context_free(x->ctx);
}

/* ---- files ---- */

typedef struct {
    char path[500];
    unsigned char *bytes;
    size_t size;
} file;

static file read_file(const char *name)
{
    file f = { 0 };
    struct stat st;

    snprintf(f.path, sizeof f.path, "%s/%s", dir, name);
    assert_int_equal(stat(f.path, &st), 0);
    f.size = (size_t)st.st_size;
    f.bytes = malloc(f.size + 1);
    FILE *s = fopen(f.path, "r");
    assert_true(f.bytes && s);
    assert_int_equal(fread(f.bytes, 1, f.size, s), f.size);
    f.bytes[f.size] = '\0';
    fclose(s);
    return f;
}

static void write_bytes(const file *f, const void *bytes, size_t size)
{
    FILE *s = fopen(f->path, "w");

    assert_non_null(s);
    assert_int_equal(fwrite(bytes, 1, size, s), size);
    assert_int_equal(fclose(s), 0);
}

/* zlib's, a bit at a time. */
static uint32_t crc_of(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0u);
    }
    return ~crc;
}

/* ---- what was not meant ---- */

static void check_refused(session *x, axl_status want, const char *text)
{
    assert_fails(axl_trainer_load(x->tr, NULL, dir), want, text);
    assert_int_equal(axl_trainer_steps(x->tr), 2);
}

static void check_flips(session *x, const file *f, const char *name)
{
    const size_t at[N_FLIPS] = { 0,           7,          f->size / 4, f->size / 2, f->size * 3 / 4,
                                 f->size - 2, f->size - 1 };

    for (size_t i = 0; i < N_FLIPS; i++) {
        f->bytes[at[i]] ^= (unsigned char)(1u << (i + f->size) % 8);
        write_bytes(f, f->bytes, f->size);
        check_refused(x, AXL_ERR_FORMAT, name);
        f->bytes[at[i]] ^= (unsigned char)(1u << (i + f->size) % 8);
    }
}

static void check_damage(session *x, const char *name)
{
    file f = read_file(name);
    const size_t cuts[] = { 0, 1, f.size / 2, f.size - 1 };

    check_flips(x, &f, name);
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        write_bytes(&f, f.bytes, cuts[i]);
        check_refused(x, AXL_ERR_FORMAT, name);
    }
    write_bytes(&f, f.bytes, f.size + 1); /* a NUL more */
    check_refused(x, AXL_ERR_FORMAT, name);
    unlink(f.path);
    check_refused(x, AXL_ERR_NOT_FOUND, name);
    write_bytes(&f, f.bytes, f.size);
    free(f.bytes);
}

static void check_all_files(bool adapter, const char *const *names)
{
    session x = begin(adapter, adapter ? "adapter" : "model");

    for (; *names; names++)
        check_damage(&x, *names);
    assert_ok(axl_trainer_load(x.tr, NULL, dir)); /* it is whole again */
    assert_int_equal(axl_trainer_steps(x.tr), 1);
    end(&x);
}

static void test_damage__names_the_file_of_an_adapters_checkpoint(void **state)
{
    static const char *const names[] = { "adapter_config.json", "adapter_model.safetensors",
                                         "optimizer.safetensors", "trainer_state.json", NULL };

    (void)state;
    check_all_files(true, names);
}

static void test_damage__names_the_file_of_a_models_checkpoint(void **state)
{
    static const char *const names[] = { "config.json", "model.safetensors",
                                         "optimizer.safetensors", "trainer_state.json", NULL };

    (void)state;
    check_all_files(false, names);
}

static void test_damage__is_a_file_that_was_not_there(void **state)
{
    session x = begin(true, "more");
    file f = read_file("adapter_config.json");

    (void)state;
    snprintf(f.path, sizeof f.path, "%s/config.json", dir);
    write_bytes(&f, f.bytes, f.size);
    check_refused(&x, AXL_ERR_FORMAT, "config.json is no part of the checkpoint");
    free(f.bytes);
    end(&x);
}

/* ---- what was: the checksum is right ---- */

/* The state with one line replaced, or where text is NULL without it. */
static void reseal(const file *f, const char *key, const char *text)
{
    char start[80], *out = malloc(f->size + 200);
    const char *all = (const char *)f->bytes;

    snprintf(start, sizeof start, "\n  \"%s\": ", key);
    const char *at = strstr(all, start), *seal = strstr(all, ",\n  \"crc32\"");
    assert_true(out && at && seal);
    const char *next = at + 1;
    while (next < seal && strncmp(next, "\n  \"", 4) != 0)
        next++;
    const char *comma = next < seal ? "," : ""; /* the last has none */
    size_t n = (size_t)sprintf(out, "%.*s", (int)(at - all), all);
    if (text)
        n += (size_t)sprintf(out + n, "%s%s%s", start, text, comma);
    n += (size_t)sprintf(out + n, "%.*s", (int)(seal - next), next);
    if (!text && *comma == '\0')
        out[--n] = '\0'; /* the comma before it */
    n += (size_t)sprintf(out + n, ",\n  \"crc32\": \"%08x\"\n}\n", crc_of(out, n));
    write_bytes(f, out, n);
    free(out);
}

static void test_damage__is_a_member_out_of_range(void **state)
{
    static const struct {
        const char *key, *values[5];
    } wrong[] = {
        { "step", { NULL, "null", "-1", "1.5", "9223372036854775807" } },
        { "epoch", { NULL, "\"x\"", "-1", "1e300", "true" } },
        { "items", { NULL, "null", "-3", "1e300", "[]" } },
        { "serial", { NULL, "\"1\"", "-1", "9223372036854775807", "{}" } },
        { "seconds", { NULL, "\"1\"", "-1.0", "1e308", "Infinity" } },
        { "high_losses", { NULL, "null", "-1", "9223372036854775807", "0.5" } },
        { "optimizer", { NULL, "null", "1", "[]", "true" } },
        { "learning_rate", { NULL, "null", "NaN", "Infinity", "\"2e-4\"" } },
        { "max_grad_norm", { NULL, "null", "NaN", "[1]", "\"1\"" } },
        { "only_model", { NULL, "null", "1", "\"false\"", "[]" } },
        { "data_hash", { NULL, "null", "12", "[]", "true" } },
        { "lora_restarts", { NULL, "-1", "\"\"", "1e3", "null" } },
        { "files", { NULL, "null", "[1]", "\"\"", "{}" } },
    };
    session x = begin(true, "members");
    file f = read_file("trainer_state.json");
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(text, sizeof text, "trainer_state.json: \"%s\"", wrong[i].key);
        for (size_t k = 0; k < 5; k++) {
            reseal(&f, wrong[i].key, wrong[i].values[k]);
            check_refused(&x, AXL_ERR_FORMAT, text);
        }
    }
    reseal(&f, "files", "[]");
    check_refused(&x, AXL_ERR_FORMAT, "adapter_config.json is no part");
    reseal(&f, "serial", "1,\n  \"evaluated_step\": 2");
    check_refused(&x, AXL_ERR_FORMAT, "a step to come");
    reseal(&f, "serial", "1,\n  \"best_step\": 1");
    check_refused(&x, AXL_ERR_FORMAT, "best_metric is missing");
    reseal(&f, "max_grad_norm", "Infinity");
    assert_ok(axl_trainer_load(x.tr, NULL, dir));
    free(f.bytes);
    end(&x);
}

static void test_damage__is_not_another_format(void **state)
{
    static const char *const old[] = {
        "{\"axl_checkpoint\": 1, \"axl_version\": \"0.1.0\", \"step\": 3, \"batch\": 5}",
        "{\"axl_checkpoint\": 3, \"step\": 3}",
    };
    static const char *const texts[] = { "format 1, and", "format 3, and" };
    session x = begin(true, "format");
    file f = read_file("trainer_state.json");

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        write_bytes(&f, old[i], strlen(old[i]));
        check_refused(&x, AXL_ERR_UNSUPPORTED, texts[i]);
        assert_non_null(strstr(axl_last_error(), "reads format 2: go on with the axl"));
    }
    free(f.bytes);
    end(&x);
}

static void test_damage__is_not_what_an_endless_norm_makes(void **state)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter *adapter;

    (void)state;
    o.max_grad_norm = INFINITY;
    axl_trainer *tr = tiny_trainer(model, &o, 0.0, &adapter);
    assert_ok(axl_trainer_save(tr, NULL, temp_path("endless")));
    assert_ok(axl_trainer_load(tr, NULL, temp_path("endless")));
    axl_trainer_free(tr);
    axl_adapter_free(adapter);
    axl_model_free(model);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damage__names_the_file_of_an_adapters_checkpoint),
        cmocka_unit_test(test_damage__names_the_file_of_a_models_checkpoint),
        cmocka_unit_test(test_damage__is_a_file_that_was_not_there),
        cmocka_unit_test(test_damage__is_a_member_out_of_range),
        cmocka_unit_test(test_damage__is_not_another_format),
        cmocka_unit_test(test_damage__is_not_what_an_endless_norm_makes),
    };

    return test_run(tests);
}
