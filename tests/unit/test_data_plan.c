/* SPDX-License-Identifier: Apache-2.0 */
/* test_data_plan.c - what the prepared data set's key depends on. */
#include "testing.h"

#include "byte_tokenizer.h"
#include "config/config.h"
#include "config/schema.h"
#include "data/data_plan.h"

#include "base/os.h"

#include <unistd.h>

typedef struct {
    axl_context *ctx;
    axl_tokenizer *tok;
} fixture;

/* Of a config that trains on a.jsonl, with overrides. */
static void key_of(const fixture *f, char *out, size_t room, const char *const *overrides, size_t n)
{
    static const char yaml[] = "base_model: tok0\nmicro_batch_size: 2\n"
                               "gradient_accumulation_steps: 1\nlearning_rate: 0.001\n"
                               "datasets: [{path: a.jsonl, type: completion}]\n";
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;
    axl__data_plan plan;
    axl_config *cfg;
    axl__str key;

    o.base_dir = test_temp_dir();
    o.overrides = overrides;
    o.n_overrides = n;
    if (axl_config_parse(&cfg, f->ctx, yaml, sizeof yaml - 1, NULL, &o) != AXL_OK)
        fail_msg("%s: %s", overrides[0], axl_last_error());
    axl__str_init(&key, f->ctx);
    assert_ok(axl__data_plan_init(&plan, cfg, f->tok, "datasets", NULL));
    assert_ok(axl__data_plan_key(&plan, f->tok, &key));
    assert_true(key.len < room);
    memcpy(out, key.data, key.len + 1);
    axl__data_plan_free(&plan);
    axl__str_free(&key);
    axl_config_free(cfg);
}

/* A value that the key takes and that is not its default; NULL: there is none. */
static const char *other_value(const axl__schema_key *k)
{
    if (strcmp(k->name, "datasets[].path") == 0)
        return "b.jsonl";
    if (strcmp(k->name, "datasets[].split") == 0)
        return "train[:1]";
    if (strcmp(k->name, "datasets[].data_files") == 0)
        return "[a.jsonl]";
    if (strcmp(k->name, "datasets[].type") == 0)
        return "alpaca:chat";
    if (k->values) {
        static char value[64];
        snprintf(value, sizeof value, "%.*s", (int)strcspn(k->values, ","), k->values);
        return k->fallback && strcmp(value, k->fallback) == 0 ? NULL : value;
    }
    if (k->type & T_L)
        return "[x]";
    if (k->type & T_M)
        return "{x: y}";
    return k->type & T_B ? "true" : k->type & (T_I | T_F) ? "7" : "x";
}

static void set_up(fixture *f)
{
    char path[300];

    f->ctx = test_context();
    f->tok = byte_tokenizer(f->ctx, 0);
    for (const char *name = "ab"; *name; name++) {
        snprintf(path, sizeof path, "%s/%c.jsonl", test_temp_dir(), *name);
        write_text(path, "{\"text\": \"x\"}\n");
    }
}

static void tear_down(fixture *f)
{
    axl_tokenizer_free(f->tok);
    assert_ok(axl__remove_tree(test_temp_dir()));
    mkdir(test_temp_dir(), 0700);
    axl_context_free(f->ctx);
}

static void test_data_plan__key_depends_on_every_setting_of_an_entry(void **state)
{
    static char plain[4096], other[4096];
    fixture f;
    int tried = 0;

    (void)state;
    set_up(&f);
    key_of(&f, plain, sizeof plain, NULL, 0);
    for (size_t i = 0; i < axl__schema_size; i++) {
        const axl__schema_key *k = &axl__schema_table[i];
        const char *value = other_value(k);
        if (strncmp(k->name, "datasets[].", 11) != 0 || k->answer > A_NONE || !value)
            continue;
        char text[200];
        if (strncmp(k->name, "datasets[].type.", 16) == 0)
            snprintf(text, sizeof text, "datasets[0].type={%s: %s}", k->name + 16, value);
        else
            snprintf(text, sizeof text, "datasets[0].%s=%s", k->name + 11, value);
        key_of(&f, other, sizeof other, &(const char *){ text }, 1);
        if (strcmp(plain, other) == 0)
            fail_msg("%s leaves the key as it was", text);
        tried++;
    }
    assert_true(tried > 40);
    tear_down(&f);
}

static void test_data_plan__key_depends_on_what_changes_rows(void **state)
{
    static const char *const settings[] = { "sequence_len=99",
                                            "min_sample_len=3",
                                            "excess_length_strategy=truncate",
                                            "seed=1",
                                            "shuffle_merged_datasets=false",
                                            "shuffle_before_merging_datasets=true",
                                            "curriculum_sampling=true",
                                            "dataset_exact_deduplication=true",
                                            "train_on_inputs=true" };
    static const char *const others[] = { "learning_rate=0.5", "micro_batch_size=7",
                                          "val_set_size=0.5", "dataset_shard_num=2" };
    static char plain[4096], other[4096];
    fixture f;

    (void)state;
    set_up(&f);
    key_of(&f, plain, sizeof plain, NULL, 0);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        key_of(&f, other, sizeof other, &settings[i], 1);
        if (strcmp(plain, other) == 0)
            fail_msg("%s leaves the key as it was", settings[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        key_of(&f, other, sizeof other, &others[i], 1);
        assert_string_equal(plain, other);
    }
    tear_down(&f);
}

/* The same settings in another order, and in other words, are the same data. */
static void test_data_plan__key_is_of_values_not_of_their_spelling(void **state)
{
    static const char *const one[] = { "datasets[0].ds_type=json", "datasets[0].field=body" };
    static const char *const two[] = { "datasets[0].field=body", "datasets[0].ds_type=jsonl" };
    static char a[4096], b[4096];
    fixture f;

    (void)state;
    set_up(&f);
    key_of(&f, a, sizeof a, one, 2);
    key_of(&f, b, sizeof b, two, 2);
    assert_string_equal(a, b);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_plan__key_depends_on_every_setting_of_an_entry),
        cmocka_unit_test(test_data_plan__key_depends_on_what_changes_rows),
        cmocka_unit_test(test_data_plan__key_is_of_values_not_of_their_spelling),
    };

    int failed = test_run(tests);

    rmdir(test_temp_dir());
    return failed;
}
