/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_overrides.c - model_config of a config: a model computes as if its config.json said so, and
 * a result is written with it.
 */
#include "testing.h"

#include "base/json.h"
#include "model/model.h"

enum { N = 12, V_MAX = 128 };
static const int32_t ids[N] = { 3, 9, 20, 11, 4, 5, 17, 8, 6, 13, 15, 7 };

static const char variants[] = "tests/golden/model_variants";

static axl_status open_config(axl_model **out, axl_context *ctx, const char *variant,
                              const char *model_config)
{
    char text[2000];
    axl_config *cfg;

    *out = NULL;
    snprintf(text, sizeof text,
             "base_model: %s/%s\nbf16: false\nfp16: false\ntf32: false\nadapter: lora\nlora_r: 2\n"
             "lora_alpha: 4\nlora_target_linear: true\nmicro_batch_size: "
             "1\ngradient_accumulation_steps: 1\nnum_epochs: 1\n"
             "learning_rate: 0.1\ndatasets:\n  - path: x.jsonl\n    type: alpaca\n%s",
             test_source_path(variants), variant, model_config);
    axl_status status = axl_config_parse(&cfg, ctx, text, strlen(text), NULL, NULL);
    if (status < 0)
        return status;
    status = axl_model_from_config(out, cfg);
    axl_config_free(cfg);
    return status;
}

/* The folder with a line of its config.json replaced. */
static void edit_config(const char *variant, const char *dir, const char *edit)
{
    char command[2000];

    snprintf(command, sizeof command,
             "mkdir -p '%s' && cp '%s/%s/'*.* '%s' && cd '%s' && "
             "python3 -c 'import json; c = json.load(open(\"config.json\")); "
             "%s; json.dump(c, open(\"config.json\", \"w\"))'",
             dir, test_source_path(variants), variant, dir, dir, edit);
    assert_int_equal(system(command), 0);
}

static void logits_of(axl_model *model, float *out)
{
    assert_ok(axl_model_logits(model, NULL, ids, N, out));
}

/* What a variant computes with overrides is what it computes with config.json changed. */
static void test_overrides__are_as_if_config_json_said_so(void **state)
{
    static const struct {
        const char *variant, *model_config, *edit;
    } cases[] = {
        { "mistral_window", "model_config:\n  sliding_window: 3\n", "c[\"sliding_window\"] = 3" },
        { "untied_mha_f32", "model_config:\n  rope_theta: 500.0\n",
          "c[\"rope_parameters\"][\"rope_theta\"] = 500.0" },
        { "untied_mha_f32", "model_config:\n  rope_scaling:\n    type: linear\n    factor: 4.0\n",
          "c[\"rope_parameters\"].update(rope_type=\"linear\", factor=4.0)" },
        { "rope_linear_new",
          "model_config:\n  rope_parameters: {rope_type: yarn, factor: 8, rope_theta: 3000}\n",
          "c[\"rope_parameters\"] = dict(rope_type=\"yarn\", factor=8, rope_theta=3000)" },
        { "mistral_head_dim_bf16_old",
          "overrides_of_model_config:\n  rope_scaling:\n    rope_type: dynamic\n    factor: 2.0\n"
          "  max_position_embeddings: 8\n",
          "c.update(rope_scaling=dict(type=\"dynamic\", factor=2.0), max_position_embeddings=8)" },
        { "mistral3", "model_config:\n  rope_theta: 77.0\n  sliding_window: 2\n",
          "c[\"text_config\"].update(sliding_window=2); "
          "c[\"text_config\"][\"rope_parameters\"][\"rope_theta\"] = 77.0" },
    };
    axl_context *ctx = test_context();
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    static float plain[N * V_MAX], overridden[N * V_MAX], edited[N * V_MAX];

    (void)state;
    o.compute = AXL_COMPUTE_F32;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char dir[64];
        axl_model *a, *b, *c;
        snprintf(dir, sizeof dir, "edited-%d", (int)i);
        edit_config(cases[i].variant, temp_path(dir), cases[i].edit);
        assert_ok(open_config(&a, ctx, cases[i].variant, ""));
        assert_ok(open_config(&b, ctx, cases[i].variant, cases[i].model_config));
        assert_ok(axl_model_open(&c, ctx, temp_path(dir), &o));
        size_t size = (size_t)(N * a->arch.vocab_size) * sizeof(float);
        logits_of(a, plain);
        logits_of(b, overridden);
        logits_of(c, edited);
        assert_memory_equal(overridden, edited, size);
        assert_memory_not_equal(overridden, plain, size);
        axl_model_free(a);
        axl_model_free(b);
        axl_model_free(c);
    }
    axl_context_free(ctx);
}

static void test_overrides__are_written_with_a_result(void **state)
{
    axl_context *ctx = test_context();
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    static float a[N * V_MAX], b[N * V_MAX];
    axl_model *model, *again;
    axl_adapter *adapter;

    (void)state;
    o.compute = AXL_COMPUTE_F32;
    assert_ok(open_config(&model, ctx, "untied_mha_f32",
                          "model_config:\n  rope_scaling: {type: linear, factor: 4.0}\n"));
    assert_ok(axl_adapter_new(&adapter, model, NULL));
    assert_ok(axl_adapter_merge(adapter));
    assert_ok(axl_model_save(model, temp_path("result")));
    assert_ok(axl_model_open(&again, ctx, temp_path("result"), &o));
    logits_of(model, a);
    logits_of(again, b);
    assert_memory_equal(a, b, (size_t)(N * model->arch.vocab_size) * sizeof(float));
    axl_adapter_free(adapter);
    axl_model_free(model);
    axl_model_free(again);
    axl_context_free(ctx);
}

static void test_overrides__that_are_not_known_are_refused(void **state)
{
    static const struct {
        const char *model_config, *message;
    } cases[] = {
        { "model_config:\n  sliding_windw: 3\n", "sliding_windw" },
        { "model_config:\n  router_aux_loss_coef: 0.02\n", "router_aux_loss_coef" },
        { "model_config:\n  rope_theta: much\n", "rope_theta" },
        { "model_config:\n  rope_scaling: {type: linear}\n", "rope_scaling.factor is missing" },
        { "model_config:\n  hidden_act: gelu_fast\n", "gelu_fast" },
    };
    axl_context *ctx = test_context();
    axl_model *model;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(open_config(&model, ctx, "untied_mha_f32", cases[i].model_config) < 0);
        if (!strstr(axl_last_error(), cases[i].message))
            fail_msg("%s: %s", cases[i].model_config, axl_last_error());
    }
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overrides__are_as_if_config_json_said_so),
        cmocka_unit_test(test_overrides__are_written_with_a_result),
        cmocka_unit_test(test_overrides__that_are_not_known_are_refused),
    };

    return test_run(tests);
}
