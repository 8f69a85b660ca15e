/* SPDX-License-Identifier: Apache-2.0 */
/* test_write_model.c - a model's folder written a tensor at a time: codes as transformers writes
 * them, an adapter in the weights as merging and saving have it, in one file or in shards. */
#include "testing.h"

#include "base/json.h"
#include "model/write_model.h"

#include <math.h>
#include <stdio.h>

static const char *golden_path(const char *name)
{
    static char path[600];

    snprintf(path, sizeof path, "%s/%s", test_source_path("tests/golden/quantised_models"), name);
    return path;
}

static axl_model *open_dense(axl_context *ctx, uint32_t weights, uint32_t plain_scales,
                             uint32_t compute)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_model *model;

    o.weights = weights;
    o.plain_scales = plain_scales;
    o.compute = compute;
    assert_ok(axl_model_open(&model, ctx, golden_path("dense"), &o));
    return model;
}

/* ---- codes ---- */

/* The numbers of a weight, whose order and digits are each writer's own. */
static void check_state(axl_context *ctx, const axl__st_tensor *a, const axl__st_tensor *b)
{
    static const char *const keys[] = { "blocksize", "nested_blocksize", "nested_offset" };
    axl__arena arena;
    axl__json *states[2];

    axl__arena_init(&arena, ctx);
    char *x = axl__arena_strndup(&arena, a->data, a->size);
    char *y = axl__arena_strndup(&arena, b->data, b->size);
    assert_ok(axl__json_parse(&states[0], &arena, x, a->size, NULL));
    assert_ok(axl__json_parse(&states[1], &arena, y, b->size, NULL));
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        assert_true((float)axl__json_double(states[0], keys[i], -1.0) ==
                    (float)axl__json_double(states[1], keys[i], -1.0));
    assert_string_equal(axl__json_string(states[0], "dtype", "a"),
                        axl__json_string(states[1], "dtype", "b"));
    axl__arena_free(&arena);
}

/* Every tensor of transformers' file is in ours; those of linear layers have the same bytes. */
static void check_codes(axl_context *ctx, const char *form, const char *mine)
{
    axl__safetensors ours, theirs;
    char path[700];

    snprintf(path, sizeof path, "%s/model.safetensors", golden_path(form));
    assert_ok(axl__safetensors_open(&theirs, ctx, path, true));
    snprintf(path, sizeof path, "%s/model.safetensors", mine);
    assert_ok(axl__safetensors_open(&ours, ctx, path, true));
    assert_int_equal(ours.count, theirs.count);
    for (size_t i = 0; i < theirs.count; i++) {
        const axl__st_tensor *t = &theirs.tensors[i];
        const axl__st_tensor *o = axl__safetensors_find(&ours, t->name);
        if (!o)
            fail_msg("%s is missing", t->name);
        assert_int_equal(o->n_dims, t->n_dims);
        if (strstr(t->name, "quant_state")) {
            check_state(ctx, o, t);
        } else if (strstr(t->name, "_proj")) {
            assert_string_equal(o->dtype_name, t->dtype_name);
            assert_int_equal(o->size, t->size);
            if (memcmp(o->data, t->data, t->size) != 0)
                fail_msg("%s has other bytes", t->name);
        }
    }
    axl__safetensors_close(&ours);
    axl__safetensors_close(&theirs);
}

static void test_write_model__writes_codes_as_transformers(void **state)
{
    static const struct {
        const char *form;
        uint32_t weights;
    } forms[] = { { "nf4", AXL_WEIGHTS_NF4 },
                  { "fp4", AXL_WEIGHTS_FP4 },
                  { "int8", AXL_WEIGHTS_INT8 } };
    axl_context *ctx = test_context();

    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        axl_model *model = open_dense(ctx, forms[i].weights, 0, AXL_COMPUTE_F32), *again;
        axl_model_info info = AXL_MODEL_INFO_INIT;
        assert_ok(axl_model_save(model, temp_path(forms[i].form)));
        check_codes(ctx, forms[i].form, temp_path(forms[i].form));
        assert_ok(axl_model_open(&again, ctx, temp_path(forms[i].form), NULL));
        assert_ok(axl_model_get_info(again, &info));
        assert_int_equal(info.weights, forms[i].weights);
        axl_model_free(again);
        axl_model_free(model);
    }
    axl_context_free(ctx);
}

static void test_write_model__refuses_what_is_as_it_was(void **state)
{
    axl_context *ctx = test_context();
    axl_model *model = open_dense(ctx, AXL_WEIGHTS_STORED, 0, AXL_COMPUTE_F32);

    (void)state;
    assert_int_equal(axl_model_save(model, temp_path("same")), AXL_ERR_INVALID);
    axl_model_free(model);
    model = open_dense(ctx, AXL_WEIGHTS_NF4, 0, AXL_COMPUTE_F32);
    assert_int_equal(axl_model_save(model, golden_path("dense")), AXL_ERR_INVALID);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* ---- merging ---- */

static void check_same_file(axl_context *ctx, const char *a, const char *b, const char *name)
{
    axl__file x, y;
    char path[600];

    snprintf(path, sizeof path, "%s/%s", a, name);
    assert_ok(axl__file_open(&x, ctx, path, true));
    snprintf(path, sizeof path, "%s/%s", b, name);
    assert_ok(axl__file_open(&y, ctx, path, true));
    assert_int_equal(x.size, y.size);
    assert_memory_equal(x.data, y.data, x.size);
    axl__file_close(&x);
    axl__file_close(&y);
}

static axl_adapter *open_adapter(axl_model *model)
{
    axl_adapter *adapter;

    assert_ok(axl_adapter_open(&adapter, model, golden_path("dense/adapter")));
    return adapter;
}

static void test_write_model__merges_as_merging_and_saving_do(void **state)
{
    static const struct {
        uint32_t weights, compute;
    } ways[] = { { AXL_WEIGHTS_STORED, AXL_COMPUTE_F32 },
                 { AXL_WEIGHTS_STORED, AXL_COMPUTE_BF16 },
                 { AXL_WEIGHTS_NF4, AXL_COMPUTE_F32 },
                 { AXL_WEIGHTS_INT8, AXL_COMPUTE_BF16 } };
    axl_context *ctx = test_context();

    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        axl_model *model = open_dense(ctx, ways[i].weights, 0, ways[i].compute);
        axl_adapter *adapter = open_adapter(model);
        assert_ok(axl_adapter_save_merged(adapter, temp_path("streamed")));
        assert_ok(axl_adapter_merge(adapter));
        assert_ok(axl_model_save(model, temp_path("merged")));
        check_same_file(ctx, temp_path("streamed"), temp_path("merged"), "model.safetensors");
        check_same_file(ctx, temp_path("streamed"), temp_path("merged"), "config.json");
        axl_adapter_free(adapter);
        axl_model_free(model);
    }
    axl_context_free(ctx);
}

/* The logits of a folder's model for a few tokens. */
enum { N_IDS = 4, VOCAB = 96 };

static void read_logits(axl_context *ctx, const char *dir, float *out)
{
    const int32_t ids[N_IDS] = { 5, 17, 80, 3 };
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_model *model;

    o.compute = AXL_COMPUTE_F32;
    assert_ok(axl_model_open(&model, ctx, dir, &o));
    assert_ok(axl_model_logits(model, NULL, ids, N_IDS, out));
    axl_model_free(model);
}

static void test_write_model__writes_shards(void **state)
{
    axl_context *ctx = test_context();
    axl_model *model = open_dense(ctx, AXL_WEIGHTS_NF4, 0, AXL_COMPUTE_F32);
    axl_adapter *adapter = open_adapter(model);
    float logits[2][N_IDS * VOCAB];

    (void)state;
    assert_ok(axl__model_write(model, adapter, temp_path("whole"), 1 << 30));
    assert_ok(axl__model_write(model, adapter, temp_path("shards"), 20000));
    assert_true(axl__has_file(temp_path("shards"), "model.safetensors.index.json"));
    assert_false(axl__has_file(temp_path("shards"), "model.safetensors"));
    read_logits(ctx, temp_path("whole"), logits[0]);
    read_logits(ctx, temp_path("shards"), logits[1]);
    assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
    axl_adapter_free(adapter);
    axl_model_free(model);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_model__writes_codes_as_transformers),
        cmocka_unit_test(test_write_model__refuses_what_is_as_it_was),
        cmocka_unit_test(test_write_model__merges_as_merging_and_saving_do),
        cmocka_unit_test(test_write_model__writes_shards),
    };

    return test_run(tests);
}
