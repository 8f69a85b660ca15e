/* SPDX-License-Identifier: Apache-2.0 */
/* test_rows_golden.c - the rows of shared/golden.yml against those that Axolotl trained on. */
#include "testing.h"

#include "sha256.h"

#include "base/json.h"
#include "base/os.h"

#include <axl/dataset.h>

/* The golden keeps the first digits. */
static void check_hash(const int32_t *values, uint32_t n, const axl__json *want)
{
    sha256 hash;
    char hex[65];

    sha256_init(&hash);
    sha256_put(&hash, values, n * sizeof *values);
    sha256_hex(&hash, hex);
    assert_memory_equal(hex, want->text, want->len);
}

static void check_row(const axl_dataset *data, uint64_t i, const axl__json *want)
{
    const axl__json *length = want->child, *trained = length->next, *ids = trained->next;
    axl_sample s = AXL_SAMPLE_INIT;

    assert_ok(axl_dataset_get_sample(data, i, &s));
    assert_int_equal(s.length, length->integer);
    assert_int_equal(s.n_trained, trained->integer);
    check_hash(s.input_ids, s.length, ids);
    check_hash(s.labels, s.length, ids->next);
}

static axl_dataset *open_rows(axl_context *ctx, const char *model, const char *rows)
{
    static const char format[] =
        "base_model: %s\nmodel_type: LlamaForCausalLM\ntokenizer_type: LlamaTokenizer\n"
        "datasets: [{path: %s, ds_type: json, type: alpaca}]\nshuffle_merged_datasets: false\n"
        "curriculum_sampling: true\nval_set_size: 0\noutput_dir: %s/out\nadapter: lora\nlora_r: 8\n"
        "lora_alpha: 16\nlora_target_linear: true\nsequence_len: 512\nmicro_batch_size: 4\n"
        "gradient_accumulation_steps: 1\nnum_epochs: 1\nlearning_rate: 0.0003\n"
        "optimizer: adamw_torch\nspecial_tokens: {pad_token: \"</s>\"}\nseed: 42\n"
        "dataset_prepared_path: %s/prepared\n";
    char text[4096], model_dir[1024];
    axl_config *cfg;
    axl_tokenizer *tok;
    axl_dataset *data;

    snprintf(model_dir, sizeof model_dir, "%s", model);
    *strrchr(model_dir, '/') = '\0';
    snprintf(text, sizeof text, format, model_dir, rows, test_temp_dir(), test_temp_dir());
    assert_ok(axl_config_parse(&cfg, ctx, text, strlen(text), NULL, NULL));
    assert_ok(axl_tokenizer_from_config(&tok, cfg));
    assert_ok(axl_dataset_from_config(&data, cfg, tok, AXL_SPLIT_TRAIN));
    axl_tokenizer_free(tok);
    axl_config_free(cfg);
    return data;
}

static void test_rows_golden__equals_axolotl(void **state)
{
    const char *model = test_shared_path("models/stories260K/config.json");
    const char *rows = test_shared_path("data/alpaca_en_demo.json");
    const char *golden = test_source_path("tests/golden/axolotl_run/rows.json");
    axl_context *ctx = test_context();
    axl__arena arena;
    axl__json *root;
    axl__file file;

    (void)state;
    if (!model || !rows || axl__path_kind_of(golden) != AXL__PATH_FILE) {
        print_message("skipped: the shared model and data, or %s, are not there\n", golden);
        axl_context_free(ctx);
        skip();
    }
    axl__arena_init(&arena, ctx);
    assert_ok(axl__file_open(&file, ctx, golden, false));
    assert_ok(axl__json_parse(&root, &arena, (const char *)file.data, file.size, golden));
    for (int cached = 0; cached < 2; cached++) {
        axl_dataset *data = open_rows(ctx, model, rows);
        axl_dataset_stats stats = AXL_DATASET_STATS_INIT;
        uint64_t i = 0;
        assert_ok(axl_dataset_get_stats(data, &stats));
        assert_int_equal(stats.from_cache, cached);
        assert_int_equal(stats.rows_read, 999);
        assert_int_equal(stats.rows, axl__json_int(root, "count", 0));
        assert_int_equal(stats.tokens, axl__json_int(root, "tokens", 0));
        assert_int_equal(stats.trained_tokens, axl__json_int(root, "trained_tokens", 0));
        for (const axl__json *row = axl__json_get(root, "rows")->child; row; row = row->next)
            check_row(data, i++, row);
        assert_int_equal(i, stats.rows);
        axl_dataset_free(data);
    }
    axl__file_close(&file);
    axl__arena_free(&arena);
    assert_ok(axl__remove_tree(test_temp_dir()));
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_golden__equals_axolotl),
    };

    return test_run(tests);
}
