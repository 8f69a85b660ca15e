/* SPDX-License-Identifier: Apache-2.0 */
/* test_chdir.c - a host that changes its directory, and what stands in the place of a run's files:
 * everything stays where it was when it was opened. */
#include "tiny_model.h"

#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

/* TOP/model, TOP/rows.jsonl and an empty TOP/elsewhere; the process is in TOP. */
static const char *top(void)
{
    static char path[512];
    char line[4096];

    snprintf(path, sizeof path, "%s", test_temp_dir());
    assert_int_equal(chdir(path), 0);
    if (access("model", F_OK) == 0)
        return path;
    assert_int_equal(symlink(tiny_folder(), "model"), 0);
    assert_int_equal(mkdir("elsewhere", 0777), 0);
    FILE *from = fopen(test_source_path("examples/tiny-alpaca.jsonl"), "r");
    FILE *to = fopen("rows.jsonl", "w");
    assert_true(from && to);
    for (int i = 0; i < 20 && fgets(line, sizeof line, from); i++)
        fputs(line, to);
    fclose(from);
    assert_int_equal(fclose(to), 0);
    return path;
}

static void go_elsewhere(void)
{
    assert_int_equal(chdir("elsewhere"), 0);
}

static bool exists(const char *name)
{
    char path[700];

    snprintf(path, sizeof path, "%s/%s", test_temp_dir(), name);
    return access(path, F_OK) == 0;
}

static axl_config *parse(axl_context *ctx, const char *keys)
{
    char text[1024];
    axl_config *cfg;

    snprintf(text, sizeof text,
             "base_model: model\ndatasets: [{path: rows.jsonl, type: alpaca}]\n"
             "sequence_len: 256\nmicro_batch_size: 2\ngradient_accumulation_steps: 1\nmax_steps: "
             "2\nlearning_rate: 1e-2\n"
             "bf16: false\nsave_steps: 1\ndataset_prepared_path: prepared\n%s",
             keys);
    assert_ok(axl_config_parse(&cfg, ctx, text, strlen(text), "test.yml", NULL));
    return cfg;
}

/* ---- a run ---- */

static const char lora[] =
    "adapter: lora\nlora_r: 4\nlora_alpha: 8\nlora_target_modules: [q_proj]\n";

static void check_run(const char *out, const char *more, int where)
{
    axl_context *ctx = tiny_context(1);
    char keys[512], name[200];
    axl_run *run;

    top();
    snprintf(keys, sizeof keys, "output_dir: %s\n%s", out, more);
    axl_config *cfg = parse(ctx, keys);
    if (where == 0)
        go_elsewhere();
    assert_ok(axl_run_new(&run, cfg, NULL));
    axl_config_free(cfg);
    if (where == 1)
        go_elsewhere();
    assert_ok(axl_run_train(run));
    assert_int_equal(axl_run_output_dir(run)[0], '/');
    axl_run_free(run);
    assert_int_equal(rmdir("../elsewhere"), 0); /* nothing is in it */
    assert_int_equal(mkdir("../elsewhere", 0777), 0);
    static const char *const files[] = { "training_log.jsonl", "checkpoint-2/trainer_state.json",
                                         "tokenizer_config.json" };
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s/%s", out, files[i]);
        assert_true(exists(name));
    }
    assert_true(exists("prepared"));
    snprintf(name, sizeof name, "%s/.axl.lock", out);
    assert_false(exists(name));
    axl_context_free(ctx);
}

static void test_chdir__before_a_run_is_made(void **state)
{
    (void)state;
    check_run("before", lora, 0);
}

static void test_chdir__between_making_and_training(void **state)
{
    (void)state;
    check_run("after", lora, 1);
    check_run("whole", "", 1);
}

/* ---- handles ---- */

static void test_chdir__after_a_model_is_opened(void **state)
{
    const uint32_t length = 9;
    axl_context *ctx = tiny_context(1);
    tiny_data *d = tiny_batch(&length, 1, 1);
    axl_adapter_options ao = AXL_ADAPTER_OPTIONS_INIT;
    axl_adapter *adapter, *again;
    axl_tokenizer *tok;
    axl_model *model;
    axl_trainer *tr;

    (void)state;
    top();
    assert_ok(axl_model_open(&model, ctx, "model", NULL));
    assert_ok(axl_tokenizer_open(&tok, ctx, "model", NULL));
    assert_ok(axl_adapter_new(&adapter, model, &ao));
    assert_ok(axl_adapter_save(adapter, "adapter"));
    assert_ok(axl_adapter_open(&again, model, "./adapter"));
    go_elsewhere();
    assert_ok(axl_trainer_new(&tr, model, again, NULL));
    assert_ok(axl_trainer_forward_backward(tr, &d->batch, NULL));
    assert_ok(axl_trainer_step(tr, NULL));
    axl_trainer_free(tr);
    assert_ok(axl_adapter_merge(again)); /* which reads the model's config.json */
    assert_fails(axl_model_save(model, "../model"), AXL_ERR_INVALID, "is where the base model");
    assert_ok(axl_model_save(model, "../merged"));
    assert_ok(axl_tokenizer_save(tok, "../merged"));
    assert_true(exists("merged/config.json"));
    assert_true(exists("merged/tokenizer_config.json"));
    axl_adapter_free(again);
    axl_adapter_free(adapter);
    axl_tokenizer_free(tok);
    axl_model_free(model);
    axl_context_free(ctx);
    free(d);
}

/* ---- links ---- */

/* A log that became a link in the middle of the run is written no more. */
static int put_link(void *user, const axl_run_record *r)
{
    char path[600];

    (void)user;
    snprintf(path, sizeof path, "%s/linked/training_log.jsonl", test_temp_dir());
    if (r->event == AXL_RUN_STEP && r->step == 1) {
        assert_int_equal(unlink(path), 0);
        assert_int_equal(symlink("../victim", path), 0);
    }
    return 0;
}

static void on_log(void *user, uint32_t level, const char *message)
{
    if (level == AXL_LOG_WARNING && strncmp(message, "training_log.jsonl: ", 20) == 0)
        ++*(int *)user;
}

static void test_chdir__a_link_in_the_middle_is_not_followed(void **state)
{
    axl_context_options co = AXL_CONTEXT_OPTIONS_INIT;
    axl_run_options o = AXL_RUN_OPTIONS_INIT;
    axl_context *ctx;
    axl_run *run;
    char keys[400];
    int n_said = 0;

    (void)state;
    top();
    co.threads = 1;
    co.log = on_log;
    co.log_user = &n_said;
    assert_ok(axl_context_new(&ctx, &co));
    snprintf(keys, sizeof keys, "output_dir: linked\n%s", lora);
    axl_config *cfg = parse(ctx, keys);
    o.record = put_link;
    assert_ok(axl_run_new(&run, cfg, &o));
    assert_ok(axl_run_train(run));
    assert_int_equal(n_said, 1);
    assert_false(exists("victim"));
    assert_true(exists("linked/adapter_model.safetensors"));
    axl_run_free(run);
    axl_config_free(cfg);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chdir__before_a_run_is_made),
        cmocka_unit_test(test_chdir__between_making_and_training),
        cmocka_unit_test(test_chdir__after_a_model_is_opened),
        cmocka_unit_test(test_chdir__a_link_in_the_middle_is_not_followed),
    };

    return test_run(tests);
}
