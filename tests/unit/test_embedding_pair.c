/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_embedding_pair.c - a LoRA pair of the embedding beside what PEFT's goldens show: how it
 * begins, that nothing is dropped out of it, training that goes on, texts that are continued, and
 * what it does not go with.
 */
#include "tiny_model.h"

#include "model/adapter.h"
#include "model/network.h"
#include "tensor/safetensors.h"

static const uint32_t lengths[] = { 17, 40, 9 };
static const char *const targets[] = { "embed_tokens", "q_proj" };

/* Options of a pair of the embedding, and of the queries where that is wanted. */
static axl_adapter_options options_of(bool queries, double dropout)
{
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;

    o.rank = 4;
    o.alpha = 8.0;
    o.dropout = dropout;
    o.target_modules = targets;
    o.n_target_modules = queries ? 2 : 1;
    return o;
}

static axl_adapter *make(axl_model *model, bool queries, double dropout)
{
    axl_adapter_options o = options_of(queries, dropout);
    axl_adapter *a;

    assert_ok(axl_adapter_new(&a, model, &o));
    return a;
}

static void set_columns(axl_adapter *a)
{
    float *values = calloc((size_t)4 * TINY_VOCAB, sizeof *values);

    for (uint32_t i = 0; i < 4 * TINY_VOCAB; i++)
        values[i] = ((float)(tiny_hash(i) % 2001) - 1000.0f) * 1e-5f;
    assert_ok(axl_adapter_write(a, 0, values));
    free(values);
}

static double steps(axl_trainer *tr, const tiny_data *data, int n)
{
    axl_step_stats stats = AXL_STEP_STATS_INIT;

    for (int i = 0; i < n; i++) {
        assert_ok(axl_trainer_forward_backward(tr, &data->batch, NULL));
        assert_ok(axl_trainer_step(tr, &stats));
    }
    return stats.loss;
}

/* ---- how it begins ---- */

static void check_deviation(const float *values, size_t n, double want)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += (double)values[i] * values[i];
    assert_true(fabs(sqrt(sum / (double)n) - want) < 0.1);
}

static void check_beginning(axl_model *model, const char *init, double of_a)
{
    axl_adapter_options o = options_of(true, 0.0);
    axl_tensor_info info = AXL_TENSOR_INFO_INIT;
    float values[4 * TINY_VOCAB];
    axl_adapter *a;

    o.init_lora_weights = init;
    assert_ok(axl_adapter_new(&a, model, &o));
    assert_ok(axl_adapter_get_tensor(a, 0, &info));
    assert_string_equal(info.name, "base_model.model.model.embed_tokens.lora_embedding_A");
    assert_int_equal(info.rows, 4);
    assert_int_equal(info.cols, TINY_VOCAB);
    assert_ok(axl_adapter_read(a, 0, values));
    check_deviation(values, (size_t)4 * TINY_VOCAB, of_a);
    assert_ok(axl_adapter_get_tensor(a, 1, &info));
    assert_string_equal(info.name, "base_model.model.model.embed_tokens.lora_embedding_B");
    assert_int_equal(info.rows, 128);
    assert_int_equal(info.cols, 4);
    assert_ok(axl_adapter_read(a, 1, values));
    check_deviation(values, 128 * 4, 1.0);
    axl_adapter_free(a);
}

static void test_embedding_pair__begins_as_pefts(void **state)
{
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);

    (void)state;
    check_beginning(model, NULL, 0.0);
    check_beginning(model, "gaussian", 0.0);
    check_beginning(model, "orthogonal", 0.0);
    check_beginning(model, "false", 1.0);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* ---- training ---- */

static void test_embedding_pair__is_not_dropped_out_of(void **state)
{
    axl_context *ctx = tiny_context(2);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    tiny_data *data = tiny_batch(lengths, 3, 5);
    axl_adapter *pairs[2];
    axl_trainer *trainers[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        pairs[i] = make(model, false, i ? 0.9 : 0.0);
        set_columns(pairs[i]);
        assert_ok(axl_trainer_new(&trainers[i], model, pairs[i], NULL));
        assert_ok(axl_trainer_forward_backward(trainers[i], &data->batch, NULL));
    }
    tiny_compare(pairs[0], trainers[0], pairs[1], trainers[1], 0.0);
    for (int i = 0; i < 2; i++) {
        axl_trainer_free(trainers[i]);
        axl_adapter_free(pairs[i]);
    }
    free(data);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* Learns, and goes on from a checkpoint with the same bits. */
static void check_training(uint32_t compute, const char *optimizer, const char *dir)
{
    axl_context *ctx = tiny_context(2);
    axl_model *model = tiny_model(ctx, "cpu", compute);
    axl_adapter *a = make(model, true, 0.1), *b = make(model, true, 0.1);
    tiny_data *data = tiny_batch(lengths, 3, 5);
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_optimizer_options oo = AXL_OPTIMIZER_OPTIONS_INIT;
    axl_trainer *tr, *again;

    oo.name = optimizer;
    o.optimizer = &oo;
    o.learning_rate = 1e-2;
    assert_ok(axl_trainer_new(&tr, model, a, &o));
    assert_ok(axl_trainer_new(&again, model, b, &o));
    double first = steps(tr, data, 1), last = steps(tr, data, 4);
    if (!(last < first))
        fail_msg("%s learns nothing: %g after %g", optimizer, last, first);
    assert_ok(axl_trainer_save(tr, NULL, temp_path(dir)));
    steps(tr, data, 2);
    assert_ok(axl_trainer_load(again, NULL, temp_path(dir)));
    steps(again, data, 2);
    tiny_compare(a, NULL, b, NULL, 0.0);
    axl_trainer_free(tr);
    axl_trainer_free(again);
    axl_adapter_free(a);
    axl_adapter_free(b);
    free(data);
    axl_model_free(model);
    axl_context_free(ctx);
}

static void test_embedding_pair__trains_and_goes_on(void **state)
{
    (void)state;
    check_training(AXL_COMPUTE_F32, "adamw_torch", "f32");
    check_training(AXL_COMPUTE_BF16, "adamw_8bit", "bf16");
    check_training(AXL_COMPUTE_F32, "muon", "muon");
}

/* ---- texts that are continued ---- */

static void test_embedding_pair__counts_in_continued_texts(void **state)
{
    enum { N = 17 };
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter *a = make(model, true, 0.0);
    tiny_data *data = tiny_batch(lengths, 3, 5);
    float *want = calloc(N * TINY_VOCAB, sizeof *want), got[TINY_VOCAB], base[TINY_VOCAB];
    axl__network net;
    axl__kv_cache cache;

    (void)state;
    assert_ok(axl_model_logits(model, NULL, data->ids, N, want));
    memcpy(base, want + (N - 1) * TINY_VOCAB, sizeof base);
    set_columns(a);
    assert_ok(axl_model_logits(model, a, data->ids, N, want));
    assert_ok(axl__network_init(&net, model, a, false));
    assert_ok(axl__kv_cache_init(&cache, &net, N));
    assert_ok(axl__network_continue(&net, &cache, data->ids, 11, got));
    assert_true(tiny_distance(got, want + 10 * TINY_VOCAB, TINY_VOCAB) < 1e-5);
    for (int t = 11; t < N; t++)
        assert_ok(axl__network_continue(&net, &cache, data->ids + t, 1, got));
    assert_true(tiny_distance(got, want + (N - 1) * TINY_VOCAB, TINY_VOCAB) < 1e-5);
    assert_true(tiny_distance(got, base, TINY_VOCAB) > 1e-3);
    axl__kv_cache_free(&cache, &net);
    axl__network_free(&net);
    free(want);
    free(data);
    axl_adapter_free(a);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* ---- what it does not go with ---- */

static void check_refused(axl_model *model, const axl_adapter_options *o, axl_status status,
                          const char *what)
{
    axl_adapter *a;

    assert_fails(axl_adapter_new(&a, model, o), status, what);
    assert_null(a);
}

static void test_embedding_pair__is_refused_where_peft_or_axl_has_none(void **state)
{
    static const uint32_t tokens[] = { 5 };
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_trainer_options restarts = AXL_TRAINER_OPTIONS_INIT;
    axl_adapter_options o;
    axl_adapter *a = make(model, true, 0.0);
    axl_trainer *tr;

    (void)state;
    restarts.relora_steps = 2;
    assert_fails(axl_trainer_new(&tr, model, a, &restarts), AXL_ERR_UNSUPPORTED,
                 "leave out relora or the embedding");
    axl_adapter_free(a);
    o = options_of(true, 0.0);
    o.use_dora = 1;
    check_refused(model, &o, AXL_ERR_UNSUPPORTED, "peft_use_dora is for linear layers alone");
    o = options_of(true, 0.0);
    o.lora_bias = 1;
    check_refused(model, &o, AXL_ERR_UNSUPPORTED, "lora_bias is for linear layers alone");
    o = options_of(true, 0.0);
    o.init_lora_weights = "olora";
    check_refused(model, &o, AXL_ERR_UNSUPPORTED, "model.embed_tokens would have a pair");
    o = options_of(true, 0.0);
    o.trainable_tokens = tokens;
    o.n_trainable_tokens = 1;
    check_refused(model, &o, AXL_ERR_INVALID, "a pair of it");
    o = options_of(true, 0.0);
    assert_ok(axl_model_resize_embeddings(model, NULL, TINY_VOCAB + 2));
    check_refused(model, &o, AXL_ERR_UNSUPPORTED, "rows for tokens that its files have not");
    axl_model_free(model);
    axl_context_free(ctx);
}

static void test_embedding_pair__is_not_shared_with_a_tied_head(void **state)
{
    static const char *const head[] = { "lm_head" };
    axl_context *ctx = tiny_context(1);
    axl_adapter_options o = options_of(true, 0.0);
    axl_model *model;

    (void)state;
    assert_ok(
        axl_model_open(&model, ctx, test_source_path("tests/golden/model_variants/gemma"), NULL));
    o.ensure_weight_tying = 1;
    check_refused(model, &o, AXL_ERR_UNSUPPORTED, "a pair that model.embed_tokens shares");
    o.target_modules = head;
    o.n_target_modules = 1;
    check_refused(model, &o, AXL_ERR_UNSUPPORTED, "a pair that lm_head shares");
    axl_model_free(model);
    axl_context_free(ctx);
}

/* Adds to the first number of the embedding's weight, which PEFT wrote beside the pair. */
static void change_base(axl_context *ctx, const char *file, float more)
{
    axl__safetensors st;
    float first;

    assert_ok(axl__safetensors_open(&st, ctx, file, true));
    const axl__st_tensor *t =
        axl__safetensors_find(&st, "base_model.model.model.embed_tokens.base_layer.weight");
    assert_non_null(t);
    long at = (long)((const char *)t->data - (const char *)st.file.data);
    memcpy(&first, t->data, sizeof first);
    axl__safetensors_close(&st);
    first += more;
    FILE *f = fopen(file, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    assert_int_equal(fwrite(&first, sizeof first, 1, f), 1);
    assert_int_equal(fclose(f), 0);
}

static void test_embedding_pair__stands_on_the_models_weight(void **state)
{
    const char *dir = temp_path("peft");
    axl_context *ctx = tiny_context(1);
    axl_model *model;
    axl_adapter *a;
    char command[4096], file[1200];

    (void)state;
    snprintf(command, sizeof command, "cp -r '%s' '%s'",
             test_source_path("tests/golden/peft_variants/pair_of_embedding"), dir);
    assert_int_equal(system(command), 0);
    snprintf(file, sizeof file, "%s/adapter_model.safetensors", dir);
    assert_ok(axl_model_open(&model, ctx,
                             test_source_path("tests/golden/model_variants/llama_biases"), NULL));
    change_base(ctx, file, 1e-7f); /* a rounding */
    assert_ok(axl_adapter_open(&a, model, dir));
    axl_adapter_free(a);
    change_base(ctx, file, 1.0f);
    assert_fails(axl_adapter_open(&a, model, dir), AXL_ERR_UNSUPPORTED,
                 "embed_tokens.base_layer.weight\" is another weight than the model's");
    assert_null(a);
    axl_model_free(model);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embedding_pair__begins_as_pefts),
        cmocka_unit_test(test_embedding_pair__is_not_dropped_out_of),
        cmocka_unit_test(test_embedding_pair__trains_and_goes_on),
        cmocka_unit_test(test_embedding_pair__counts_in_continued_texts),
        cmocka_unit_test(test_embedding_pair__is_refused_where_peft_or_axl_has_none),
        cmocka_unit_test(test_embedding_pair__is_not_shared_with_a_tied_head),
        cmocka_unit_test(test_embedding_pair__stands_on_the_models_weight),
    };

    return test_run(tests);
}
