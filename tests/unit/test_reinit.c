/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reinit.c - models that begin with random weights (reinit_weights): the distributions of
 * transformers 5.16, the same numbers for a seed, and training from there to a folder that opens.
 */
#include "testing.h"

#include "model/model.h"

#include <math.h>

static const char *variant_path(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", test_source_path("tests/golden/model_variants"), name);
    return path;
}

/* A folder with the variant's config.json alone, with an edit in Python. */
static const char *shape_of(const char *variant, const char *edit)
{
    static char dir[128];
    char command[2000];

    snprintf(dir, sizeof dir, "%s", temp_path("shape"));
    snprintf(command, sizeof command,
             "rm -rf '%s' && mkdir '%s' && python3 -c 'import json; "
             "c = json.load(open(\"%s/config.json\")); %s; "
             "json.dump(c, open(\"%s/config.json\", \"w\"))'",
             dir, dir, variant_path(variant), edit, dir);
    assert_int_equal(system(command), 0);
    return dir;
}

static axl_model *open_new(axl_context *ctx, const char *dir, uint32_t compute, uint64_t seed)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_model *model;

    o.compute = compute;
    o.reinit = 1;
    o.seed = seed;
    assert_ok(axl_model_open(&model, ctx, dir, &o));
    return model;
}

static double value_at(axl_mat m, int64_t i)
{
    return m.dtype == AXL_BF16 ? (double)axl__bf16_to_f32(((const uint16_t *)m.data)[i])
                               : (double)((const float *)m.data)[i];
}

/* Of n normal numbers the mean is within 5 of its deviations of 0, and their own deviation within 5
 * of its; so are the third moment and the fourth, which tell a normal distribution from others. */
static void check_normal(const char *name, axl_mat m, int64_t skip, double deviation)
{
    double n = 0.0, moments[4] = { 0 };

    for (int64_t i = 0; i < m.rows * m.cols; i++) {
        double x = value_at(m, i) / deviation;
        if (i / m.cols == skip) {
            assert_true(x == 0.0);
            continue;
        }
        n++;
        moments[0] += x;
        moments[1] += x * x;
        moments[2] += x * x * x;
        moments[3] += x * x * x * x;
    }
    static const double expected[] = { 0, 1, 0, 3 }, variance[] = { 1, 2, 15, 96 };
    for (int k = 0; k < 4; k++) {
        double off = fabs(moments[k] / n - expected[k]), allowed = 5.0 * sqrt(variance[k] / n);
        if (!(off < allowed + 0.002))
            fail_msg("%s: moment %d is off by %g, %g is allowed", name, k + 1, off, allowed);
    }
}

static void check_constant(const char *name, axl_mat m, double value)
{
    for (int64_t i = 0; i < m.rows * m.cols; i++)
        if (value_at(m, i) != value)
            fail_msg("%s is %g at %lld, not %g", name, value_at(m, i), (long long)i, value);
}

static void check_weights(const axl_model *m, int64_t pad, double deviation)
{
    for (int64_t i = 0; i < m->modules.n; i++) {
        const axl__module *of = &m->modules.list[i];
        axl_mat w = of->weight.mat;
        if (of->role == AXL__ROLE_NORM)
            check_constant(of->name, w, m->arch.norm_unit_offset ? 0.0 : 1.0);
        else
            check_normal(of->name, w, of->role == AXL__ROLE_EMBEDDING || of->tied ? pad : -1,
                         deviation);
        if (of->has_bias)
            check_constant(of->name, of->bias, 0.0);
    }
}

static void test_reinit__has_the_distributions_of_transformers(void **state)
{
    static const struct {
        const char *variant, *edit;
        int64_t pad;
        double deviation;
    } cases[] = {
        { "qwen2_bias", "c[\"pad_token_id\"] = 5", 5, 0.02 },
        { "untied_mha_f32", "c[\"initializer_range\"] = 0.5; c[\"dtype\"] = \"bfloat16\"", -1,
          0.5 },
        { "gemma3", "c[\"initializer_range\"] = 0", -1, 0.02 },
        { "llama_biases", "c[\"torch_dtype\"] = c.pop(\"dtype\")", -1, 0.02 },
    };
    axl_context *ctx = test_context();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (uint32_t compute = AXL_COMPUTE_F32; compute <= AXL_COMPUTE_BF16; compute++) {
            const char *dir = shape_of(cases[i].variant, cases[i].edit);
            axl_model *m = open_new(ctx, dir, compute, 7);
            check_weights(m, cases[i].pad, cases[i].deviation);
            axl_model_free(m);
        }
    axl_context_free(ctx);
}

static bool same_weights(const axl_model *a, const axl_model *b)
{
    bool same = true;

    for (int64_t i = 0; i < a->modules.n; i++) {
        axl_mat x = a->modules.list[i].weight.mat, y = b->modules.list[i].weight.mat;
        same = same &&
               memcmp(x.data, y.data, (size_t)(x.rows * x.cols) * axl__dtype_size(x.dtype)) == 0;
    }
    return same;
}

static void test_reinit__numbers_follow_from_the_seed(void **state)
{
    axl_context_options one = AXL_CONTEXT_OPTIONS_INIT;
    axl_context *ctx = test_context(), *alone;

    (void)state;
    one.threads = 1;
    assert_ok(axl_context_new(&alone, &one));
    const char *dir = shape_of("qwen3", "pass");
    axl_model *a = open_new(ctx, dir, AXL_COMPUTE_F32, 1);
    axl_model *b = open_new(alone, dir, AXL_COMPUTE_F32, 1);
    axl_model *c = open_new(ctx, dir, AXL_COMPUTE_F32, 2);
    assert_true(same_weights(a, b));
    assert_false(same_weights(a, c));
    /* layers of one shape have numbers of their own */
    assert_memory_not_equal(axl__modules_one(&a->modules, 0, AXL__SLOT_O)->weight.mat.data,
                            axl__modules_one(&a->modules, 1, AXL__SLOT_O)->weight.mat.data,
                            64 * sizeof(float));
    axl_model_free(a);
    axl_model_free(b);
    axl_model_free(c);
    axl_context_free(alone);
    axl_context_free(ctx);
}

/* The loss of random weights is that of a guess, and a trainer brings it down. */
static void check_training(axl_context *ctx, uint32_t compute)
{
    static const int32_t ids[] = { 3, 9, 20, 11, 4, 5, 17, 8, 6, 13, 15, 7 }, cu[] = { 0, 12 };
    axl_model *m = open_new(ctx, shape_of("tied_gqa_bf16_sharded", "pass"), compute, 3), *again;
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_batch b = AXL_BATCH_INIT;
    double first = 0.0, loss = 0.0;
    float logits[2][12 * 128];
    axl_trainer *tr;

    b.input_ids = b.labels = ids;
    b.cu_seqlens = cu;
    b.n_tokens = 12;
    b.n_seqs = 1;
    o.learning_rate = 0.01;
    assert_ok(axl_trainer_new(&tr, m, NULL, &o));
    for (int i = 0; i < 20; i++) {
        assert_ok(axl_trainer_forward_backward(tr, &b, &loss));
        assert_ok(axl_trainer_step(tr, NULL));
        first = i == 0 ? loss : first;
    }
    assert_true(fabs(first - log(128.0)) < 0.2);
    assert_true(loss < 0.5 * first);
    axl_trainer_free(tr);
    assert_ok(axl_model_save(m, temp_path("trained")));
    axl_model_options mo = AXL_MODEL_OPTIONS_INIT;
    mo.compute = compute;
    assert_ok(axl_model_open(&again, ctx, temp_path("trained"), &mo));
    assert_ok(axl_model_logits(m, NULL, ids, 12, logits[0]));
    assert_ok(axl_model_logits(again, NULL, ids, 12, logits[1]));
    if (compute == AXL_COMPUTE_BF16)
        assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
    axl_model_free(m);
    axl_model_free(again);
}

static void test_reinit__trains_to_a_folder_that_opens(void **state)
{
    axl_context *ctx = test_context();

    (void)state;
    check_training(ctx, AXL_COMPUTE_F32);
    check_training(ctx, AXL_COMPUTE_BF16);
    axl_context_free(ctx);
}

static void test_reinit__is_what_a_config_asks_for(void **state)
{
    static const char form[] =
        "base_model: ./none\nbase_model_config: %s\nreinit_weights: true\nbf16: false\nfp16: "
        "false\n"
        "tf32: false\nseed: 9\nmicro_batch_size: 1\ngradient_accumulation_steps: 1\n"
        "learning_rate: 0.1\nmodel_config: {initializer_range: 0.1}\n"
        "datasets:\n  - path: x.jsonl\n    type: alpaca\n";
    axl_context *ctx = test_context();
    const char *dir = shape_of("qwen3", "pass");
    axl_config *cfg;
    char text[2000];
    axl_model *m;

    (void)state;
    snprintf(text, sizeof text, form, dir);
    assert_ok(axl_config_parse(&cfg, ctx, text, strlen(text), NULL, NULL));
    assert_ok(axl_model_from_config(&m, cfg));
    check_weights(m, -1, 0.1);
    axl_model_free(m);
    axl_config_free(cfg);
    axl_context_free(ctx);
}

static void test_reinit__says_what_is_missing(void **state)
{
    axl_context *ctx = test_context();
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_model *m;

    (void)state;
    assert_fails(axl_model_open(&m, ctx, shape_of("qwen3", "pass"), &o), AXL_ERR_NOT_FOUND,
                 "holds no model.safetensors");
    assert_fails(axl__model_look(shape_of("qwen3", "pass")), AXL_ERR_NOT_FOUND,
                 "with reinit_weights: true a model begins with random weights");
    o.reinit = 1;
    assert_fails(axl_model_open(&m, ctx, shape_of("qwen3", "c[\"dtype\"] = \"float64\""), &o),
                 AXL_ERR_UNSUPPORTED, "dtype must be float32, bfloat16 or float16");
    o.weights = AXL_WEIGHTS_NF4;
    assert_fails(axl_model_open(&m, ctx, shape_of("qwen3", "pass"), &o), AXL_ERR_INVALID,
                 "asks for quantised weights");
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reinit__has_the_distributions_of_transformers),
        cmocka_unit_test(test_reinit__numbers_follow_from_the_seed),
        cmocka_unit_test(test_reinit__trains_to_a_folder_that_opens),
        cmocka_unit_test(test_reinit__is_what_a_config_asks_for),
        cmocka_unit_test(test_reinit__says_what_is_missing),
    };

    return test_run(tests);
}
