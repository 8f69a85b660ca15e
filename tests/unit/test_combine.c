/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_combine.c - several adapters as one: against PEFT's add_weighted_adapter()
 * (make_combined_adapters.py), of adapters with frozen pairs, and what is refused.
 */
#include "tiny_model.h"

#include "model/adapter.h"
#include "tensor/safetensors.h"

static const char *golden_path(const char *below)
{
    static char paths[4][1100];
    static int turn;
    char *p = paths[turn++ % 4];

    snprintf(p, sizeof paths[0], "%s/%s", test_source_path("tests/golden/combined_adapters"),
             below);
    return p;
}

static axl_adapter *open_golden(axl_model *model, const char *name)
{
    axl_adapter *a;

    assert_ok(axl_adapter_open(&a, model, golden_path(name)));
    return a;
}

/* The adapter's tensors are those of PEFT's, by their names. */
static void check_tensors(const axl_adapter *got, const axl_adapter *want, const char *what)
{
    assert_int_equal(axl_adapter_count(got), axl_adapter_count(want));
    for (size_t i = 0; i < axl_adapter_count(got); i++) {
        axl_tensor_info g = AXL_TENSOR_INFO_INIT, w = AXL_TENSOR_INFO_INIT;
        assert_ok(axl_adapter_get_tensor(got, i, &g));
        assert_ok(axl_adapter_get_tensor(want, i, &w));
        assert_string_equal(g.name, w.name);
        assert_int_equal(g.rows, w.rows);
        assert_int_equal(g.cols, w.cols);
        float *a = malloc(2 * g.rows * g.cols * sizeof *a), *b = a + g.rows * g.cols;
        assert_ok(axl_adapter_read(got, i, a));
        assert_ok(axl_adapter_read(want, i, b));
        double d = tiny_distance(a, b, g.rows * g.cols);
        if (!(d < 1e-6))
            fail_msg("%s: %s differs by %g", what, g.name, d);
        free(a);
    }
}

static void check_logits(axl_model *model, const axl_adapter *a, const axl__safetensors *st,
                         const char *name)
{
    const axl__st_tensor *ids = axl__safetensors_find(st, "ids");
    const axl__st_tensor *want = axl__safetensors_find(st, name);
    int32_t tokens[64];

    assert_non_null(ids);
    assert_non_null(want);
    for (uint64_t i = 0; i < ids->dims[0]; i++)
        tokens[i] = (int32_t)((const float *)ids->data)[i];
    float *got = malloc(want->size);
    assert_ok(axl_model_logits(model, a, tokens, ids->dims[0], got));
    double d = tiny_distance(got, want->data, want->size / sizeof *got);
    if (!(d < 1e-5))
        fail_msg("%s: logits differ by %g", name, d);
    free(got);
}

static void check_combined(axl_model *model, const axl__safetensors *st, const char *name,
                           const axl_adapter *const *list, const double *weights, size_t n,
                           const char *type)
{
    axl_adapter *got, *want = open_golden(model, name), *again;
    axl_adapter_info info = AXL_ADAPTER_INFO_INIT, theirs = AXL_ADAPTER_INFO_INIT;

    assert_ok(axl_adapter_combine(&got, list, weights, n, type));
    assert_ok(axl_adapter_get_info(got, &info));
    assert_ok(axl_adapter_get_info(want, &theirs));
    assert_int_equal(info.rank, theirs.rank);
    assert_true(info.alpha == theirs.alpha);
    assert_int_equal(info.rslora, theirs.rslora);
    assert_int_equal(info.n_target_modules, theirs.n_target_modules);
    check_tensors(got, want, name);
    check_logits(model, got, st, name);
    check_logits(model, want, st, name);
    assert_ok(axl_adapter_save(got, temp_path(name)));
    assert_ok(axl_adapter_open(&again, model, temp_path(name)));
    check_logits(model, again, st, name);
    axl_adapter_free(again);
    axl_adapter_free(want);
    axl_adapter_free(got);
}

static void test_combine__equals_peft(void **state)
{
    static const double three[] = { 0.7, -0.4, 1.3 }, two[] = { 0.7, -0.4 }, one[] = { -2.5 };
    axl_context *ctx = tiny_context(2);
    axl_model_options f32 = AXL_MODEL_OPTIONS_INIT;
    axl_adapter *first, *second, *third;
    axl__safetensors st;
    axl_model *model;

    (void)state;
    f32.compute = AXL_COMPUTE_F32;
    assert_ok(axl_model_open(&model, ctx,
                             test_source_path("tests/golden/model_variants/llama_biases"), &f32));
    assert_ok(axl__safetensors_open(&st, ctx, golden_path("expect.safetensors"), true));
    first = open_golden(model, "first");
    second = open_golden(model, "second");
    third = open_golden(model, "third");
    check_logits(model, second, &st, "second");
    check_combined(model, &st, "cat", (const axl_adapter *const[]){ first, second, third }, three,
                   3, "cat");
    check_combined(model, &st, "linear", (const axl_adapter *const[]){ first, third }, two, 2,
                   "linear");
    check_combined(model, &st, "one", (const axl_adapter *const[]){ second }, one, 1, NULL);
    axl__safetensors_close(&st);
    axl_adapter_free(first);
    axl_adapter_free(second);
    axl_adapter_free(third);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* ---- more than PEFT's goldens ---- */

static axl_adapter *make(axl_model *model, const axl_adapter_options *o, uint32_t seed)
{
    axl_adapter_options own = *o;
    axl_adapter *a;

    own.seed = seed;
    own.init_lora_weights = own.init_lora_weights ? own.init_lora_weights : "false";
    assert_ok(axl_adapter_new(&a, model, &own));
    return a;
}

static void logits_of(axl_model *model, const axl_adapter *a, float *out)
{
    static const int32_t ids[] = { 5, 6, 7, 90, 300 };

    assert_ok(axl_model_logits(model, a, ids, 5, out));
}

/* One that began with singular values adds nothing at first; with weight 1 and another's it is the
 * other. */
static void test_combine__takes_frozen_pairs_along(void **state)
{
    static const double weights[] = { 1.0, 1.0 };
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    float want[5 * TINY_VOCAB], got[5 * TINY_VOCAB];
    axl_adapter *list[2], *sum;

    (void)state;
    o.rank = 3;
    o.alpha = 2.0;
    list[0] = make(model, &o, 1);
    o.rank = 2;
    o.init_lora_weights = "pissa";
    list[1] = make(model, &o, 2);
    logits_of(model, list[0], want);
    assert_ok(axl_adapter_combine(&sum, (const axl_adapter *const *)list, weights, 2, "cat"));
    logits_of(model, sum, got);
    assert_true(tiny_distance(got, want, 5 * TINY_VOCAB) < 1e-4);
    assert_int_equal(sum->opts.rank, 3 + 4);
    axl_adapter_free(sum);
    axl_adapter_free(list[0]);
    axl_adapter_free(list[1]);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* Layers that names alone do not say are named by their paths; a folder has them again. */
static void test_combine__names_what_it_adapts(void **state)
{
    static const char *const names[] = { "q_proj", "v_proj" };
    static const uint32_t layers[] = { 1 };
    static const double weights[] = { 0.5, 0.5 };
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    axl_adapter_info info = AXL_ADAPTER_INFO_INIT;
    axl_adapter *list[2], *sum, *again;

    (void)state;
    o.rank = 4;
    o.target_modules = names;
    o.n_target_modules = 2;
    o.layers_to_transform = layers;
    o.n_layers_to_transform = 1;
    list[0] = make(model, &o, 1);
    o.n_layers_to_transform = 0;
    o.target_regex = ".*\\.[02]\\..*k_proj";
    list[1] = make(model, &o, 2);
    assert_ok(axl_adapter_combine(&sum, (const axl_adapter *const *)list, weights, 2, "linear"));
    assert_ok(axl_adapter_get_info(sum, &info));
    assert_null(info.target_regex);
    assert_int_equal(info.n_target_modules, 4);
    assert_string_equal(info.target_modules[0], "model.layers.0.self_attn.k_proj");
    assert_string_equal(info.target_modules[1], "model.layers.1.self_attn.q_proj");
    assert_ok(axl_adapter_save(sum, temp_path("paths")));
    assert_ok(axl_adapter_open(&again, model, temp_path("paths")));
    tiny_compare(sum, NULL, again, NULL, 0.0);
    axl_adapter_free(again);
    axl_adapter_free(sum);
    /* Of the same layers the first one's words stay. */
    assert_ok(axl_adapter_combine(&sum, (const axl_adapter *const[]){ list[1], list[1] }, weights,
                                  2, NULL));
    assert_ok(axl_adapter_get_info(sum, &info));
    assert_string_equal(info.target_regex, ".*\\.[02]\\..*k_proj");
    axl_adapter_free(sum);
    axl_adapter_free(list[0]);
    axl_adapter_free(list[1]);
    axl_model_free(model);
    axl_context_free(ctx);
}

static void check_refused(axl_adapter *a, axl_adapter *b, double weight, const char *type,
                          axl_status status, const char *what)
{
    const axl_adapter *list[] = { a, b };
    const double weights[] = { 1.0, weight };
    axl_adapter *sum;

    assert_fails(axl_adapter_combine(&sum, list, weights, 2, type), status, what);
    assert_null(sum);
}

static void check_more_than_pairs(axl_model *model, axl_adapter *plain)
{
    static const uint32_t tokens[] = { 5 };
    static const char *const whole[] = { "norm" };
    const axl_adapter_options none = AXL_ADAPTER_OPTIONS_INIT;

    for (int i = 0; i < 5; i++) {
        axl_adapter_options o = none;
        o.rank = 4;
        switch (i) {
        case 0: o.use_dora = 1, o.init_lora_weights = "true"; break;
        case 1: o.lora_bias = 1; break;
        case 2: o.bias = "all"; break;
        case 3: o.modules_to_save = whole, o.n_modules_to_save = 1; break;
        default: o.trainable_tokens = tokens, o.n_trainable_tokens = 1; break;
        }
        axl_adapter *a = make(model, &o, 3);
        check_refused(plain, a, 1.0, "cat", AXL_ERR_UNSUPPORTED, "adapter 1 trains");
        axl_adapter_free(a);
    }
}

static void test_combine__refuses(void **state)
{
    static const char *const of_peft[] = { "svd", "ties", "dare_linear_svd", "magnitude_prune" };
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_model *other = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    const double weight = 1.0;
    axl_adapter *a, *b, *wide, *stranger, *sum;
    axl_cancel *cancel;

    (void)state;
    assert_ok(axl_cancel_new(&cancel, ctx));
    o.rank = 4;
    a = make(model, &o, 1);
    b = make(model, &o, 2);
    stranger = make(other, &o, 1);
    o.rank = 2;
    wide = make(model, &o, 1);
    for (size_t i = 0; i < sizeof of_peft / sizeof of_peft[0]; i++)
        check_refused(a, b, 1.0, of_peft[i], AXL_ERR_UNSUPPORTED, of_peft[i]);
    check_refused(a, b, 1.0, "sum", AXL_ERR_INVALID, "cat or linear, got \"sum\"");
    check_refused(a, b, (double)NAN, "cat", AXL_ERR_INVALID, "the weight of adapter 1");
    check_refused(a, wide, 1.0, "linear", AXL_ERR_INVALID, "has 4 and 2");
    check_refused(a, stranger, 1.0, "cat", AXL_ERR_INVALID, "adapter 1 is of another model");
    check_refused(a, NULL, 1.0, "cat", AXL_ERR_INVALID, "adapter 1 is not a live");
    check_refused(NULL, a, 1.0, "cat", AXL_ERR_INVALID, "not a live");
    check_more_than_pairs(model, a);
    assert_ok(axl__adapter_begin(b, true));
    check_refused(a, b, 1.0, "cat", AXL_ERR_BUSY, "being written");
    axl__adapter_end(b, true);
    axl_cancel_raise(cancel);
    check_refused(a, b, 1.0, "cat", AXL_ERR_CANCELLED, "cancelled");
    axl_cancel_free(cancel);
    assert_ok(axl__adapter_begin(a, true)); /* nobody reads it any more */
    axl__adapter_end(a, true);
    assert_fails(axl_adapter_combine(NULL, (const axl_adapter *const[]){ a }, &weight, 1, NULL),
                 AXL_ERR_INVALID, "out");
    assert_fails(axl_adapter_combine(&sum, NULL, &weight, 1, NULL), AXL_ERR_INVALID, "adapters");
    assert_fails(axl_adapter_combine(&sum, (const axl_adapter *const[]){ a }, NULL, 1, NULL),
                 AXL_ERR_INVALID, "a weight for each");
    assert_fails(axl_adapter_combine(&sum, (const axl_adapter *const[]){ a }, &weight, 0, NULL),
                 AXL_ERR_INVALID, "adapters");
    axl_adapter_free(a);
    axl_adapter_free(b);
    axl_adapter_free(wide);
    axl_adapter_free(stranger);
    axl_model_free(model);
    axl_model_free(other);
    axl_context_free(ctx);
}

static void test_combine__has_a_largest_rank(void **state)
{
    static const char *const names[] = { "q_proj" };
    const axl_adapter *list[5];
    const double weights[5] = { 1, 1, 1, 1, 1 };
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    axl_adapter *a, *sum;

    (void)state;
    o.rank = 1024;
    o.target_modules = names;
    o.n_target_modules = 1;
    a = make(model, &o, 1);
    for (int i = 0; i < 5; i++)
        list[i] = a;
    assert_fails(axl_adapter_combine(&sum, list, weights, 5, "cat"), AXL_ERR_INVALID,
                 "the ranks of all are 5120");
    assert_ok(axl_adapter_combine(&sum, list, weights, 4, "cat"));
    axl_adapter_free(sum);
    axl_adapter_free(a);
    axl_model_free(model);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_combine__equals_peft),
        cmocka_unit_test(test_combine__takes_frozen_pairs_along),
        cmocka_unit_test(test_combine__names_what_it_adapts),
        cmocka_unit_test(test_combine__refuses),
        cmocka_unit_test(test_combine__has_a_largest_rank),
    };

    return test_run(tests);
}
