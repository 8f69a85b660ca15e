/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_resize.c - embeddings with other numbers of rows: the distributions that new rows come from
 * (transformers 5's), what stays, and what is trained and written of them.
 */
#include "tiny_model.h"

#include "config/config.h"
#include "model/model.h"

enum { C = 32, OLD = 89, MORE = 4000 };

static const char untied[] = "tests/golden/model_variants/llama_biases"; /* (OLD, C), f32 */

static axl_model *open_untied(axl_context *ctx, uint32_t compute)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_model *m;

    o.compute = compute;
    assert_ok(axl_model_open(&m, ctx, test_source_path(untied), &o));
    return m;
}

static const float *rows_of(const axl_model *m, axl__slot slot)
{
    return axl__modules_one(&m->modules, -1, slot)->weight.mat.data;
}

/* Mean and deviation of a column of n rows. */
static void measure(const float *rows, int64_t n, int64_t c, double *mean, double *deviation)
{
    double sum = 0.0, square = 0.0;

    for (int64_t r = 0; r < n; r++)
        sum += rows[r * C + c];
    *mean = sum / (double)n;
    for (int64_t r = 0; r < n; r++)
        square += (rows[r * C + c] - *mean) * (rows[r * C + c] - *mean);
    *deviation = sqrt(square / (double)n);
}

static double covariance(const float *rows, int64_t n, int64_t a, int64_t b)
{
    double mean_a, mean_b, unused, sum = 0.0;

    measure(rows, n, a, &mean_a, &unused);
    measure(rows, n, b, &mean_b, &unused);
    for (int64_t r = 0; r < n; r++)
        sum += (rows[r * C + a] - mean_a) * (rows[r * C + b] - mean_b);
    return sum / (double)n;
}

/* The mean of the old rows, and 1e-9 times their covariance.  f32 has few digits for so little a
 * deviation from the mean; thus the bounds. */
static void check_around_mean(const axl_model *m, axl__slot slot, const float *old)
{
    const float *rows = rows_of(m, slot) + OLD * C;

    assert_memory_equal(rows_of(m, slot), old, sizeof(float) * OLD * C);
    for (int64_t c = 0; c < C; c++) {
        double mean, deviation, of_new, deviation_of_new;
        measure(old, OLD, c, &mean, &deviation);
        measure(rows, MORE, c, &of_new, &deviation_of_new);
        assert_true(fabs(of_new - mean) < 5e-6 * deviation);
        assert_true(fabs(deviation_of_new / (sqrt(1e-9) * deviation) - 1.0) < 0.06);
    }
    double wanted = 1e-9 * covariance(old, OLD, 3, 4), got = covariance(rows, MORE, 3, 4);
    double of_3 = 1e-9 * covariance(old, OLD, 3, 3), of_4 = 1e-9 * covariance(old, OLD, 4, 4);
    assert_true(fabs(got - wanted) < 0.06 * sqrt(of_3 * of_4));
}

static void test_resize__around_the_mean(void **state)
{
    axl_context *ctx = tiny_context(2);
    axl_model *m = open_untied(ctx, AXL_COMPUTE_F32), *again = open_untied(ctx, AXL_COMPUTE_F32);
    float embed[OLD * C], head[OLD * C];
    axl_model_info info = AXL_MODEL_INFO_INIT, before = AXL_MODEL_INFO_INIT;

    (void)state;
    memcpy(embed, rows_of(m, AXL__SLOT_EMBED), sizeof embed);
    memcpy(head, rows_of(m, AXL__SLOT_HEAD), sizeof head);
    assert_ok(axl_model_get_info(m, &before));
    assert_ok(axl_model_resize_embeddings(m, NULL, OLD + MORE));
    check_around_mean(m, AXL__SLOT_EMBED, embed);
    check_around_mean(m, AXL__SLOT_HEAD, head);
    assert_ok(axl_model_get_info(m, &info));
    assert_int_equal(info.vocab_size, OLD + MORE);
    assert_int_equal(info.n_params - before.n_params, 2 * MORE * C);
    assert_ok(axl_model_resize_embeddings(m, NULL, OLD)); /* does not shrink */
    assert_int_equal(m->arch.vocab_size, OLD + MORE);
    assert_ok(axl_model_resize_embeddings(again, NULL, OLD + MORE));
    assert_memory_equal(rows_of(m, AXL__SLOT_HEAD), rows_of(again, AXL__SLOT_HEAD),
                        sizeof(float) * (OLD + MORE) * C);
    axl_model_free(m);
    axl_model_free(again);
    axl_context_free(ctx);
}

static axl_config *parse(axl_context *ctx, const char *keys)
{
    char text[600];
    axl_config *cfg;

    snprintf(text, sizeof text,
             "base_model: %s\nsequence_len: 64\nmicro_batch_size: 1\nnum_epochs: 1\n"
             "gradient_accumulation_steps: 1\nlearning_rate: 0.01\noutput_dir: out\n"
             "datasets: [{path: a.jsonl, type: alpaca}]\n%s",
             test_source_path(untied), keys);
    assert_ok(axl_config_parse(&cfg, ctx, text, strlen(text), NULL, NULL));
    return cfg;
}

static void test_resize__as_the_config_says(void **state)
{
    static const struct {
        const char *keys;
        uint32_t n_tokens;
        int64_t rows;
    } cases[] = {
        { "", 90, 90 },
        { "", 80, OLD },
        { "shrink_embeddings: true\n", 80, 80 },
        { "resize_token_embeddings_to_32x: true\n", 90, 96 },
        { "resize_token_embeddings_to_32x: true\n", 80, 96 },
        { "resize_token_embeddings_to_32x: true\nshrink_embeddings: true\n", 60, 64 },
    };
    axl_context *ctx = tiny_context(1);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        axl_config *cfg = parse(ctx, cases[i].keys);
        axl_model *m = open_untied(ctx, AXL_COMPUTE_F32);
        assert_ok(axl_model_resize_embeddings(m, cfg, cases[i].n_tokens));
        assert_int_equal(m->arch.vocab_size, cases[i].rows);
        axl_model_free(m);
        axl_config_free(cfg);
    }
    axl_context_free(ctx);
}

/* Without a mean: config.json's initializer_range, here 0.02. */
static void test_resize__by_initializer_range(void **state)
{
    axl_context *ctx = tiny_context(1);
    axl_config *cfg = parse(ctx, "");
    axl_model *m = open_untied(ctx, AXL_COMPUTE_F32);

    (void)state;
    assert_ok(axl_model_resize_embeddings(m, cfg, OLD + MORE));
    for (int64_t c = 0; c < C; c++) {
        double mean, deviation;
        measure(rows_of(m, AXL__SLOT_HEAD) + OLD * C, MORE, c, &mean, &deviation);
        assert_true(fabs(mean) < 0.02 * 0.08);
        assert_true(fabs(deviation / 0.02 - 1.0) < 0.06);
    }
    axl_model_free(m);
    axl_config_free(cfg);
    axl_context_free(ctx);
}

static float *logits_of(const axl_model *m, const axl_adapter *a, int64_t vocab)
{
    static const int32_t ids[] = { 3, 70, 41, 90, 5 };
    float *logits = calloc((size_t)(5 * vocab), sizeof *logits);

    assert_ok(axl_model_logits(m, a, ids, 5, logits));
    return logits;
}

/* Trained whole, in bf16 from files of f32 too, written with the new vocab_size and read again. */
static void test_resize__is_trained_and_written(void **state)
{
    static const uint32_t computes[] = { AXL_COMPUTE_F32, AXL_COMPUTE_BF16 };
    int32_t ids[] = { 3, 90, 41, 91, 5 }, cu[] = { 0, 5 };
    axl_context *ctx = tiny_context(1);
    axl_batch batch = AXL_BATCH_INIT;

    (void)state;
    batch.input_ids = batch.labels = ids;
    batch.cu_seqlens = cu;
    batch.n_tokens = 5;
    batch.n_seqs = 1;
    for (int i = 0; i < 2; i++) {
        axl_model *m = open_untied(ctx, computes[i]), *again;
        axl_model_options o = AXL_MODEL_OPTIONS_INIT;
        axl_trainer *tr;
        assert_ok(axl_model_resize_embeddings(m, NULL, 92));
        assert_ok(axl_trainer_new(&tr, m, NULL, NULL));
        assert_ok(axl_trainer_forward_backward(tr, &batch, NULL));
        assert_ok(axl_trainer_step(tr, NULL));
        axl_trainer_free(tr);
        assert_fails(axl_model_resize_embeddings(m, NULL, 99), AXL_ERR_INVALID,
                     "trained or merged");
        assert_ok(axl_model_save(m, temp_path("grown")));
        o.compute = computes[i];
        assert_ok(axl_model_open(&again, ctx, temp_path("grown"), &o));
        assert_int_equal(again->arch.vocab_size, 92);
        float *want = logits_of(m, NULL, 92), *got = logits_of(again, NULL, 92);
        assert_true(tiny_distance(got, want, 5 * 92) < (i ? 1e-2 : 1e-6));
        free(want);
        free(got);
        axl_model_free(m);
        axl_model_free(again);
    }
    axl_context_free(ctx);
}

static void test_resize__is_before_anything_else(void **state)
{
    axl_context *ctx = tiny_context(1);
    axl_model *m = open_untied(ctx, AXL_COMPUTE_F32);
    axl_adapter *a;

    (void)state;
    assert_ok(axl_adapter_new(&a, m, NULL));
    assert_fails(axl_model_resize_embeddings(m, NULL, 99), AXL_ERR_BUSY, "before there is one");
    axl_adapter_free(a);
    assert_fails(axl_model_resize_embeddings(m, NULL, 0), AXL_ERR_INVALID, "n_tokens");
    assert_fails(axl_model_resize_embeddings(NULL, NULL, 9), AXL_ERR_INVALID, "axl_model");
    assert_ok(axl_model_resize_embeddings(m, NULL, 99));
    axl_model_free(m);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resize__around_the_mean),
        cmocka_unit_test(test_resize__as_the_config_says),
        cmocka_unit_test(test_resize__by_initializer_range),
        cmocka_unit_test(test_resize__is_trained_and_written),
        cmocka_unit_test(test_resize__is_before_anything_else),
    };

    return test_run(tests);
}
