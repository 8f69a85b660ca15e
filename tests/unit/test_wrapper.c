/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_wrapper.c - a checkpoint whose language model is one of several parts (the golden mistral3
 * of make_model_variants.py; test_model.c compares what it computes): names in files and adapters,
 * and that the other parts come through a merge as they were.
 */
#include "testing.h"

#include "base/json.h"
#include "model/model.h"
#include "tensor/safetensors.h"

static const char variant[] = "tests/golden/model_variants/mistral3";

static axl_model *open_model(axl_context *ctx, const char *dir)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_model *model;

    o.compute = AXL_COMPUTE_F32;
    assert_ok(axl_model_open(&model, ctx, dir, &o));
    return model;
}

static axl_adapter *open_adapter(axl_model *model)
{
    char path[600];
    axl_adapter *adapter;

    snprintf(path, sizeof path, "%s/adapter", test_source_path(variant));
    assert_ok(axl_adapter_open(&adapter, model, path));
    return adapter;
}

static void open_tensors(axl__safetensors *st, axl_context *ctx, const char *dir)
{
    char path[600];

    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    assert_ok(axl__safetensors_open(st, ctx, path, true));
}

static bool is_of_language_model(const char *name)
{
    return strncmp(name, "language_model.", 15) == 0;
}

/* Every tensor of the base is there again, those of other parts byte for byte. */
static void check_parts(axl_context *ctx, const char *dir)
{
    axl__safetensors before, after;
    int others = 0;

    open_tensors(&before, ctx, test_source_path(variant));
    open_tensors(&after, ctx, dir);
    assert_int_equal(before.count, after.count);
    for (size_t i = 0; i < before.count; i++) {
        const axl__st_tensor *t = &before.tensors[i];
        const axl__st_tensor *u = axl__safetensors_find(&after, t->name);
        if (!u)
            fail_msg("%s is gone", t->name);
        assert_int_equal(t->size, u->size);
        assert_int_equal(t->n_dims, u->n_dims);
        assert_memory_equal(t->dims, u->dims, sizeof t->dims);
        assert_string_equal(t->dtype_name, u->dtype_name);
        if (is_of_language_model(t->name))
            continue;
        assert_memory_equal(t->data, u->data, t->size);
        others++;
    }
    assert_true(others > 10);
    axl__safetensors_close(&before);
    axl__safetensors_close(&after);
}

/* The values of a file of JSON, but for the type of the weights. */
static void check_config(axl_context *ctx, const char *dir)
{
    static const char *const keys[] = { "model_type", "text_config", "vision_config",
                                        "image_token_index" };
    axl__arena arena;
    axl__json *roots[2];
    char path[600];

    axl__arena_init(&arena, ctx);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/config.json", i ? dir : test_source_path(variant));
        assert_ok(axl__json_read_file(&roots[i], &arena, path));
    }
    assert_int_equal(roots[0]->count, roots[1]->count);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        axl__str a, b;
        axl__str_init(&a, ctx);
        axl__str_init(&b, ctx);
        axl__json_write(&a, axl__json_get(roots[0], keys[i]), 0);
        axl__json_write(&b, axl__json_get(roots[1], keys[i]), 0);
        assert_string_equal(axl__str_text(&a), axl__str_text(&b));
        axl__str_free(&a);
        axl__str_free(&b);
    }
    axl__arena_free(&arena);
}

static void test_wrapper__parts_come_through_a_merge(void **state)
{
    axl_context *ctx = test_context();
    axl_model *model = open_model(ctx, test_source_path(variant));
    axl_adapter *adapter = open_adapter(model);
    const char *dir = temp_path("merged");
    static const int32_t ids[] = { 3, 9, 20, 11, 4, 5, 17, 8 };
    enum { N = sizeof ids / sizeof ids[0], V = 24 };
    float merged[N * V], again[N * V];

    (void)state;
    assert_ok(axl_adapter_merge(adapter));
    assert_ok(axl_model_logits(model, NULL, ids, N, merged));
    assert_ok(axl_model_save(model, dir));
    assert_ok(axl_model_save(model, dir)); /* the files are still there for it */
    axl_adapter_free(adapter);
    axl_model_free(model);
    check_parts(ctx, dir);
    check_config(ctx, dir);
    model = open_model(ctx, dir);
    assert_ok(axl_model_logits(model, NULL, ids, N, again));
    for (int i = 0; i < N * V; i++) /* bf16 in the files */
        assert_true(again[i] - merged[i] < 0.1f && merged[i] - again[i] < 0.1f);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* ---- tensors through a host's hands ---- */

typedef struct {
    axl__safetensors st;
    int given, taken;
} host;

static axl_status give(void *user, const char *name, axl_tensor_data *out)
{
    static const uint32_t types[] = {
        [AXL_F32] = AXL_TENSOR_F32, [AXL_BF16] = AXL_TENSOR_BF16, [AXL_F16] = AXL_TENSOR_F16
    };
    host *h = user;
    const axl__st_tensor *t = axl__safetensors_find(&h->st, name);

    assert_true(is_of_language_model(name));
    if (!t)
        return AXL_END;
    out->data = t->data;
    out->length = t->size;
    out->shape = t->dims;
    out->n_dims = t->n_dims;
    out->type = types[t->dtype];
    h->given++;
    return AXL_OK;
}

static int take_tensor(void *user, const char *name, const axl_tensor_data *d)
{
    host *h = user;
    const axl__st_tensor *t = axl__safetensors_find(&h->st, name);

    assert_non_null(t);
    assert_int_equal(t->size, d->length);
    h->taken++;
    return 0;
}

static int take_file(void *user, const axl_file *file)
{
    (void)user;
    return file->length > 0 ? 0 : 1;
}

/* A model from files hands out all parts; one from a host's tensors was asked for the language
 * model alone. */
static void test_wrapper__hosts_get_what_files_have(void **state)
{
    axl_context *ctx = test_context();
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    host h = { .given = 0 };
    axl__file config;
    char path[600];
    axl_model *model;

    (void)state;
    o.compute = AXL_COMPUTE_F32;
    open_tensors(&h.st, ctx, test_source_path(variant));
    snprintf(path, sizeof path, "%s/config.json", test_source_path(variant));
    assert_ok(axl__file_open(&config, ctx, path, true));
    for (int from_files = 0; from_files < 2; from_files++) {
        if (from_files)
            model = open_model(ctx, test_source_path(variant));
        else
            assert_ok(axl_model_open_tensors(&model, ctx, (const char *)config.data, config.size,
                                             give, &h, &o));
        axl_adapter *adapter = open_adapter(model);
        assert_ok(axl_adapter_merge(adapter));
        axl_adapter_free(adapter);
        h.taken = 0;
        assert_ok(axl_model_save_tensors(model, take_file, take_tensor, &h));
        assert_int_equal(h.taken, from_files ? (int)h.st.count : h.given);
        axl_model_free(model);
    }
    axl__file_close(&config);
    axl__safetensors_close(&h.st);
    axl_context_free(ctx);
}

/* ---- names ---- */

/* The folder again with the names that later releases of transformers 4 wrote. */
static void write_other_spelling(axl_context *ctx, const char *dir)
{
    static char names[128][128];
    axl__st_entry entries[128];
    axl__safetensors st;
    char command[1400], path[600];

    snprintf(command, sizeof command, "mkdir -p '%s' && cp '%s/config.json' '%s'", dir,
             test_source_path(variant), dir);
    assert_int_equal(system(command), 0);
    open_tensors(&st, ctx, test_source_path(variant));
    assert_true(st.count <= 128);
    for (size_t i = 0; i < st.count; i++) {
        const axl__st_tensor *t = &st.tensors[i];
        if (strncmp(t->name, "language_model.model.", 21) == 0)
            snprintf(names[i], sizeof names[i], "model.language_model.%s", t->name + 21);
        else if (is_of_language_model(t->name))
            snprintf(names[i], sizeof names[i], "%s", t->name + 15);
        else
            snprintf(names[i], sizeof names[i], "model.%s", t->name);
        entries[i] = (axl__st_entry){ .name = names[i],
                                      .n_dims = t->n_dims,
                                      .data = t->data,
                                      .dtype_name = t->dtype_name,
                                      .size = t->size };
        memcpy(entries[i].dims, t->dims, sizeof t->dims);
    }
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    assert_ok(axl__safetensors_write(ctx, path, entries, st.count, NULL));
    axl__safetensors_close(&st);
}

static void test_wrapper__files_have_one_of_two_spellings(void **state)
{
    axl_context *ctx = test_context();
    const char *dir = temp_path("later"), *out = temp_path("later-merged");
    static const int32_t ids[] = { 3, 9, 20, 11 };
    float a[4 * 24], b[4 * 24];
    axl__safetensors st;

    (void)state;
    write_other_spelling(ctx, dir);
    axl_model *one = open_model(ctx, test_source_path(variant)), *two = open_model(ctx, dir);
    assert_ok(axl_model_logits(one, NULL, ids, 4, a));
    assert_ok(axl_model_logits(two, NULL, ids, 4, b));
    assert_memory_equal(a, b, sizeof a);
    axl_adapter *adapter = open_adapter(two);
    assert_ok(axl_adapter_merge(adapter));
    assert_ok(axl_model_save(two, out));
    open_tensors(&st, ctx, out);
    assert_non_null(axl__safetensors_find(&st, "lm_head.weight"));
    assert_non_null(axl__safetensors_find(&st, "model.language_model.norm.weight"));
    assert_non_null(axl__safetensors_find(&st, "model.vision_tower.ln_pre.weight"));
    axl__safetensors_close(&st);
    axl_adapter_free(adapter);
    axl_model_free(one);
    axl_model_free(two);
    axl_context_free(ctx);
}

/* Tensors are named by the class that transformers loads, and targets by whole paths, which mean no
 * layer of the encoder. */
static void test_wrapper__adapters_name_the_class_paths(void **state)
{
    static const char *const kinds[] = { "q_proj", "down_proj" };
    axl_context *ctx = test_context();
    axl_model *model = open_model(ctx, test_source_path(variant));
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    axl_adapter_info info = AXL_ADAPTER_INFO_INIT;
    axl_tensor_info t = AXL_TENSOR_INFO_INIT;
    axl_adapter *adapter, *again;

    (void)state;
    o.target_modules = kinds;
    o.n_target_modules = 2;
    assert_ok(axl_adapter_new(&adapter, model, &o));
    assert_ok(axl_adapter_get_tensor(adapter, 0, &t));
    assert_string_equal(t.name, "base_model.model.model.language_model.layers.0.self_attn.q_proj."
                                "lora_A.weight");
    assert_ok(axl_adapter_get_info(adapter, &info));
    assert_int_equal(info.n_target_modules, 4);
    assert_string_equal(info.target_modules[0], "model.language_model.layers.0.self_attn.q_proj");
    assert_ok(axl_adapter_save(adapter, temp_path("adapter")));
    assert_ok(axl_adapter_open(&again, model, temp_path("adapter")));
    assert_int_equal(axl_adapter_count(again), axl_adapter_count(adapter));
    axl_adapter_free(again);
    axl_adapter_free(adapter);
    axl_model_free(model);
    axl_context_free(ctx);
}

static void test_wrapper__says_what_is_wrong(void **state)
{
    static const struct {
        const char *config, *message;
    } cases[] = {
        { "{\"model_type\": \"mistral3\"}", "\"text_config\", which describes the language model" },
        { "{\"model_type\": \"mistral3\", \"text_config\": {\"model_type\": \"abacus\"}}",
          "model_type \"abacus\" is not supported yet" },
        { "{\"model_type\": \"llava\", \"text_config\": {}}", "\"num_hidden_layers\" is missing" },
        { "{\"model_type\": \"abacus\"}", "model_type \"abacus\" is not supported yet" },
    };
    axl_context *ctx = test_context();
    axl_model *model;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        axl_file file = { sizeof file, "config.json", cases[i].config, strlen(cases[i].config) };
        assert_true(axl_model_open_files(&model, ctx, &file, 1, NULL) < 0);
        if (!strstr(axl_last_error(), cases[i].message))
            fail_msg("%s: %s", cases[i].config, axl_last_error());
    }
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrapper__parts_come_through_a_merge),
        cmocka_unit_test(test_wrapper__hosts_get_what_files_have),
        cmocka_unit_test(test_wrapper__files_have_one_of_two_spellings),
        cmocka_unit_test(test_wrapper__adapters_name_the_class_paths),
        cmocka_unit_test(test_wrapper__says_what_is_wrong),
    };

    return test_run(tests);
}
