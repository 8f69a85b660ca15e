/* SPDX-License-Identifier: Apache-2.0 */
/* test_schema.c - the table of keys: complete, sound, and the search for a near name. */
#include "testing.h"

#include "config/optimizer_names.h"

#include "base/os.h"
#include "base/str.h"
#include "config/dataset_types.h"
#include "config/schema.h"
#include "model/family/family.h"
#include "model/family/wrapper.h"
#include "text/tokenizer_priv.h"

static void test_schema__has_every_key_of_axolotl(void **state)
{
    const char *path = test_shared_path("reference/config-keys.tsv");
    char line[4096];
    int keys = 0;

    (void)state;
    if (!path) {
        print_message("config-keys.tsv is not there\n");
        skip();
    }
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f)); /* the heading */
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\t\n")] = '\0';
        if (!axl__schema_find(line))
            fail_msg("no row for %s", line);
        keys++;
    }
    fclose(f);
    assert_true(keys > 500);
}

/* A default, an allowed value or a range that its own key would refuse is a slip in the table. */
static void check_row(const axl__schema_key *k)
{
    assert_true(k->answer <= A_DROPPED);
    if (k->answer != A_IMPL && !k->reason && !k->by_type)
        fail_msg("%s gives no reason", k->name);
    if (k->answer == A_MOVED && !k->use_instead)
        fail_msg("%s moves nowhere", k->name);
    if (k->answer == A_IMPL && !k->description)
        fail_msg("%s has no description", k->name);
    if (k->fallback && k->values && strcmp(k->fallback, "false") != 0 &&
        !axl__schema_has_value(k->values, k->fallback))
        fail_msg("%s defaults to what it does not take", k->name);
    if (k->type != T_ANY && strcmp(axl__schema_type_name(k->type), "any") == 0)
        fail_msg("the type of %s has no name", k->name);
    if (k->range)
        assert_false(axl__schema_in_range(k->range, -1e9));
}

static void test_schema__is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < axl__schema_size; i++) {
        const axl__schema_key *k = &axl__schema_table[i];
        check_row(k);
        if (axl__schema_find(k->name) != k)
            fail_msg("%s is there twice", k->name);
        const char *dot = strrchr(k->name, '.');
        if (!dot)
            continue;
        char parent[128];
        snprintf(parent, sizeof parent, "%.*s", (int)(dot - k->name), k->name);
        if (dot[-1] == ']')
            parent[strlen(parent) - 2] = '\0';
        const axl__schema_key *p = axl__schema_find(parent);
        if (!p || !(p->type & T_O || p->type >> T_ITEM_SHIFT & T_O))
            fail_msg("the parent of %s holds no keys", k->name);
    }
}

static void test_schema__reads_ranges(void **state)
{
    (void)state;
    assert_true(axl__schema_in_range(">= 1", 1) && !axl__schema_in_range(">= 1", 0.5));
    assert_true(axl__schema_in_range("> 0", 1e-9) && !axl__schema_in_range("> 0", 0));
    assert_true(axl__schema_in_range("<= 2", 2) && !axl__schema_in_range("<= 2", 3));
    assert_true(axl__schema_in_range("in [0, 1)", 0) && !axl__schema_in_range("in [0, 1)", 1));
    assert_true(axl__schema_in_range("in [0.0, 1.0]", 1));
    assert_true(!axl__schema_in_range("in (0, 1)", 0) && axl__schema_in_range("in (0, 1)", 0.5));
}

static void test_schema__knows_items_and_free_members(void **state)
{
    (void)state;
    assert_true(axl__schema_knows("datasets[3].path"));
    assert_true(axl__schema_knows("datasets[0]"));
    assert_true(axl__schema_knows("lora_target_modules[1]"));
    assert_true(axl__schema_knows("model_config.rope_theta"));
    assert_false(axl__schema_knows("datasets[0].pth"));
    assert_false(axl__schema_knows("learning_rate[0]"));
    assert_false(axl__schema_knows("special_tokens.x"));
    assert_false(axl__schema_knows(""));
}

static void test_schema__finds_the_nearest_name(void **state)
{
    static const struct {
        const char *wrong, *right;
    } cases[] = {
        { "lora_rank", "lora_r" },
        { "learing_rate", "learning_rate" },
        { "num_epoch", "num_epochs" },
        { "datasets[0].pth", "datasets[].path" },
        { "special_tokens.padtoken", "special_tokens.pad_token" },
        { "pad_token", "special_tokens.pad_token" },
        { "max_seq_length", "sequence_len" },
        { "outputdir", "output_dir" },
        { "warmup_step", "warmup_steps" },
        { "axl.thread", "axl.threads" },
        { "threads", "axl.threads" },
        { "grad_accumulation_steps", NULL },
        { "qqqqqqqq", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *near = axl__nearest_key(cases[i].wrong);
        if (!near || !cases[i].right)
            assert_ptr_equal(near, cases[i].right);
        else
            assert_string_equal(near, cases[i].right);
    }
}

/* A call that reads a key by its own word: axl__cfg_int(cfg, "seed") or axl__cfg_int_or(cfg, … */
static size_t check_reads(const char *path, const char *text)
{
    static const char call[] = "axl__cfg_";
    char name[16], key[80];
    size_t n = 0;

    for (const char *at = text; (at = strstr(at, call)); at += sizeof call - 1) {
        if (sscanf(at + sizeof call - 1, "%15[a-z_](%*[^\",()],%*[ \n]\"%79[^\"]", name, key) != 2)
            continue;
        bool otherwise = axl__ends_with(name, "_or");
        if (strcmp(name, "has") == 0 || strcmp(name, "count") == 0 || strcmp(name, "node") == 0)
            continue;
        if (axl__schema_gives(key) == otherwise)
            fail_msg("%s: axl__cfg_%s(\"%s\"): %s", path, name, key,
                     otherwise ? "its default is in the schema" : "it may be absent");
        n++;
    }
    return n;
}

static size_t check_reads_below(axl_context *ctx, const char *dir)
{
    char **names, path[512];
    size_t count, n = 0;
    axl__file f;

    assert_ok(axl__list_dir(ctx, dir, &names, &count));
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        if (axl__path_kind_of(path) == AXL__PATH_DIR) {
            n += check_reads_below(ctx, path);
        } else if (axl__ends_with(path, ".c")) {
            assert_ok(axl__file_open(&f, ctx, path, true));
            char *text = axl__strndup(ctx, (const char *)f.data, f.size);
            n += check_reads(path, text);
            axl__free(ctx, text);
            axl__file_close(&f);
        }
    }
    axl__free(ctx, names);
    return n;
}

/* What the schema gives has no second default in the code, and what it does not give has one. */
static void test_schema__has_the_only_defaults(void **state)
{
    axl_context *ctx = test_context();

    (void)state;
    assert_true(check_reads_below(ctx, test_source_path("lib")) > 100);
    axl_context_free(ctx);
}

static void add_name(char *names, const char *type, const char *style, int n)
{
    if (*names)
        strcat(names, ", ");
    strcat(names, type);
    strcat(names, n ? ":" : "");
    strncat(names, style, (size_t)n);
}

static void test_schema__lists_the_data_set_types(void **state)
{
    char names[4096] = "";

    (void)state;
    for (size_t i = 0; i < axl__n_dataset_types; i++) {
        const axl__dataset_type *t = &axl__dataset_types[i];
        bool named = axl__dataset_type_has_name(t);
        assert_ptr_equal(axl__dataset_type_find(t->name, t->task), named ? t : NULL);
        if (!named || (i > 0 && axl__schema_has_value(names, t->name)))
            continue; /* what two tasks have stands once */
        add_name(names, t->name, "", 0);
        for (const char *at = t->styles; at && *at;) {
            size_t n = strcspn(at, ",");
            add_name(names, t->name, at, (int)n);
            at += n + (at[n] ? 2 : 0);
        }
    }
    assert_string_equal(names, AXL__DATASET_TYPE_NAMES);
    assert_string_equal(axl__schema_find("datasets[].type")->values, names);
    assert_null(axl__dataset_type_find("alpac", AXL__TASK_TEXT));
    assert_null(axl__dataset_type_find("alpaca:", AXL__TASK_TEXT));
    assert_null(axl__dataset_type_find("alpaca:chat, chatml", AXL__TASK_TEXT));
    assert_null(axl__dataset_type_find("completion:chat", AXL__TASK_TEXT));
    assert_ptr_equal(axl__dataset_type_find("alpaca_chat.load", AXL__TASK_TEXT),
                     axl__dataset_type_find("alpaca_chat", AXL__TASK_TEXT));
    assert_null(axl__dataset_type_find("alpaca.load", AXL__TASK_TEXT));
    assert_null(axl__dataset_type_find("alpaca", AXL__TASK_DPO));
    assert_null(axl__dataset_type_find("chatml.intel", AXL__TASK_TEXT));
    assert_ptr_equal(axl__dataset_type_find("chatml", AXL__TASK_SIMPO),
                     axl__dataset_type_find("chatml.default", AXL__TASK_DPO));
    assert_null(axl__dataset_type_find("chatml", AXL__TASK_KTO));
    assert_null(axl__dataset_type_find("chatml.", AXL__TASK_DPO));
    assert_null(axl__dataset_type_find("", AXL__TASK_DPO));
}

/* A key that depends on the type is implemented when a type reads it, and only keys that do are
 * said to be read. */
static void test_schema__agrees_with_the_types_about_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < axl__schema_size; i++) {
        const axl__schema_key *k = &axl__schema_table[i];
        const char *items = strstr(k->name, "[]."), *name = items ? items + 3 : k->name;
        bool read = false;
        if (strncmp(k->name, "pretraining_dataset", 19) == 0)
            continue;
        for (size_t t = 0; t < axl__n_dataset_types; t++)
            read = read || axl__dataset_type_reads(&axl__dataset_types[t], name);
        if (k->by_type && read != (k->answer == A_IMPL))
            fail_msg("%s: no type reads it, or it is not implemented", k->name);
    }
    for (size_t t = 0; t < axl__n_dataset_types; t++)
        for (const char *at = axl__dataset_types[t].keys; at && *at;) {
            char name[100];
            size_t n = strcspn(at, ",");
            snprintf(name, sizeof name, "datasets[].%.*s", (int)n, at);
            const axl__schema_key *k = axl__schema_find(name);
            k = k ? k : axl__schema_find(name + strlen("datasets[]."));
            assert_non_null(k);
            assert_true(k->by_type);
            at += n + (at[n] ? 2 : 0);
        }
}

static void test_schema__lists_the_tokenizer_classes(void **state)
{
    char names[1024] = "AutoTokenizer, PreTrainedTokenizerFast";

    (void)state;
    for (int i = 0; i < AXL__N_CLASSES; i++) {
        const char *name = axl__class_specs[i].name;
        if (!name)
            continue;
        char fast[64];
        snprintf(fast, sizeof fast, "%sFast", name);
        add_name(names, name, "", 0);
        add_name(names, fast, "", 0);
    }
    assert_string_equal(axl__schema_find("tokenizer_type")->values, names);
}

static void test_schema__lists_the_families(void **state)
{
    char names[1024] = "AutoModelForCausalLM";
    const axl__family *family;
    const axl__wrapper *wrapper;

    (void)state;
    for (size_t i = 0; (family = axl__family_at(i)); i++)
        add_name(names, family->class_name, "", 0);
    add_name(names, "AutoModelForImageTextToText", "", 0);
    for (size_t i = 0; (wrapper = axl__wrapper_at(i)); i++)
        if (axl__family_find(wrapper->text_type))
            add_name(names, wrapper->class_name, "", 0);
    assert_string_equal(axl__schema_find("model_type")->values, names);
}

/* One page describes an entry: what is answered for one list is answered for the other. */
static void test_schema__answers_alike_for_both_lists(void **state)
{
    char name[128];
    int n = 0;

    (void)state;
    for (size_t i = 0; i < axl__schema_size; i++) {
        const axl__schema_key *k = &axl__schema_table[i];
        if (strncmp(k->name, "datasets[].", 11) != 0)
            continue;
        snprintf(name, sizeof name, "test_%s", k->name);
        const axl__schema_key *other = axl__schema_find(name);
        assert_non_null(other);
        assert_int_equal(k->type, other->type);
        assert_int_equal(k->answer, other->answer);
        n++;
    }
    assert_true(n > 60);
}

/* clang-format off: as many to a line as there is room for */
static const char *const optimizers[] = {
    "adamw_torch",
    "adamw_torch_fused",
    "adamw_torch_xla",
    "adamw_torch_npu_fused",
    "adafactor",
    "adamw_anyprecision",
    "adamw_torch_4bit",
    "adamw_torch_8bit",
    "ademamix",
    "sgd",
    "adagrad",
    "adamw_bnb_8bit",
    "adamw_8bit",
    "ademamix_8bit",
    "lion_8bit",
    "lion_32bit",
    "paged_adamw_32bit",
    "paged_adamw_8bit",
    "paged_ademamix_32bit",
    "paged_ademamix_8bit",
    "paged_lion_32bit",
    "paged_lion_8bit",
    "rmsprop",
    "rmsprop_bnb",
    "rmsprop_bnb_8bit",
    "rmsprop_bnb_32bit",
    "galore_adamw",
    "galore_adamw_8bit",
    "galore_adafactor",
    "galore_adamw_layerwise",
    "galore_adamw_8bit_layerwise",
    "galore_adafactor_layerwise",
    "lomo",
    "adalomo",
    "grokadamw",
    "schedule_free_radam",
    "schedule_free_adamw",
    "schedule_free_sgd",
    "apollo_adamw",
    "apollo_adamw_layerwise",
    "stable_adamw",
    "optimi_adamw",
    "ao_adamw_4bit",
    "ao_adamw_8bit",
    "ao_adamw_fp8",
    "adopt_adamw",
    "adamc",
    "came_pytorch",
    "muon",
    "dion",
    "sinkgd",
    "polora",
    "flash_adamw",
    "flash_adam",
    "flash_sgd",
    "flash_sgdw",
    "flash_lion",
    "q_galore_adamw8bit",
};

/* clang-format on */

/* Every name of transformers 5.16's OptimizerNames and of Axolotl 0.19's own is done, or is refused
 * with one that is. */
static void test_schema__answers_every_optimizer(void **state)
{

    (void)state;
    for (size_t i = 0; i < sizeof optimizers / sizeof optimizers[0]; i++) {
        const char *why = axl__optimizer_refusal(optimizers[i]);
        const char *use = why ? strstr(why, "; use ") : NULL;
        assert_true((axl__optimizer_find(optimizers[i]) != NULL) == (why == NULL));
        if (why && (!use || !axl__optimizer_find(use + strlen("; use "))))
            fail_msg("%s: %s", optimizers[i], why);
    }
    assert_null(axl__optimizer_refusal("adamw_trch"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema__lists_the_data_set_types),
        cmocka_unit_test(test_schema__lists_the_tokenizer_classes),
        cmocka_unit_test(test_schema__lists_the_families),
        cmocka_unit_test(test_schema__agrees_with_the_types_about_keys),
        cmocka_unit_test(test_schema__answers_alike_for_both_lists),
        cmocka_unit_test(test_schema__has_every_key_of_axolotl),
        cmocka_unit_test(test_schema__is_sound),
        cmocka_unit_test(test_schema__reads_ranges),
        cmocka_unit_test(test_schema__knows_items_and_free_members),
        cmocka_unit_test(test_schema__finds_the_nearest_name),
        cmocka_unit_test(test_schema__answers_every_optimizer),
        cmocka_unit_test(test_schema__has_the_only_defaults),
    };

    return test_run(tests);
}
