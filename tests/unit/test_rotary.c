/* SPDX-License-Identifier: Apache-2.0 */
/* test_rotary.c - every kind of rotary embedding against transformers' functions for them
 * (make_rope_frequencies.py), and what config.json may not say. */
#include "testing.h"

#include "model/family/family.h"

#include <math.h>

static axl__json *golden(axl__arena *arena)
{
    axl__json *root;

    assert_ok(
        axl__json_read_file(&root, arena, test_source_path("tests/golden/rope_frequencies.json")));
    return root;
}

/* As arch.c asks for a model's angles. */
static axl_status read_rope(axl__rope *out, const char *model_type, const axl__json *config)
{
    int64_t heads = axl__json_int(config, "num_attention_heads", 0);
    axl__rope_of of = {
        .rules = &axl__family_find(model_type)->rope,
        .head_dim =
            axl__json_int(config, "head_dim", axl__json_int(config, "hidden_size", 0) / heads),
        .max_seq_len = axl__json_int(config, "max_position_embeddings", 0),
        .path = "config.json",
    };

    return axl__rope_read(out, config, &of);
}

static void check_frequencies(const char *name, const axl__rope *r, const axl__json *want)
{
    float f[AXL__ROPE_PAIRS_MAX];
    int64_t length = axl__json_int(want, "length", 0), i = 0;
    const axl__json *list = axl__json_get(want, "frequencies");

    if (fabs(r->attention_factor - axl__json_double(want, "attention", 0)) > 1e-6)
        fail_msg("%s: the attention factor is %g", name, r->attention_factor);
    assert_int_equal(list->count, r->rotary_dim / 2);
    axl__rope_frequencies(r, axl__rope_reach(r, length), f);
    for (const axl__json *v = list->child; v; v = v->next, i++)
        if (fabs((double)f[i] - v->number) > 1e-6 * v->number)
            fail_msg("%s, length %d: frequency %d is %.9g, not %.9g", name, (int)length, (int)i,
                     (double)f[i], v->number);
}

static void test_rotary__has_transformers_frequencies(void **state)
{
    axl_context *ctx = test_context();
    static axl__rope r;
    axl__arena arena;
    int n = 0;

    (void)state;
    axl__arena_init(&arena, ctx);
    for (const axl__json *c = axl__json_get(golden(&arena), "cases")->child; c; c = c->next, n++) {
        const char *name = axl__json_string(c, "name", ""), *type;
        type = axl__json_string(c, "model_type", "");
        if (!axl__family_find(type))
            continue;
        assert_ok(read_rope(&r, type, axl__json_get(c, "config")));
        for (const axl__json *l = axl__json_get(c, "lengths")->child; l; l = l->next)
            check_frequencies(name, &r, l);
    }
    assert_true(n > 20);
    axl__arena_free(&arena);
    axl_context_free(ctx);
}

/* Cosines and sines are those of the frequencies, and queries grow by steps. */
static void test_rotary__tables_are_of_the_frequencies(void **state)
{
    static axl__rope r = { .type = AXL__ROPE_LINEAR,
                           .rotary_dim = 4,
                           .theta = 100.0,
                           .factor = 2.0,
                           .original_max = 3.0,
                           .attention_factor = 1.5,
                           .query_beta = 0.5 };
    float cosines[16], sines[16];

    (void)state;
    axl__rope_table(&r, 0, cosines, sines, 8);
    for (int p = 0; p < 8; p++)
        for (int i = 0; i < 2; i++) {
            double angle = p * (i ? 0.05 : 0.5);
            assert_true(fabs((double)cosines[p * 2 + i] - 1.5 * cos(angle)) < 1e-6);
            assert_true(fabs((double)sines[p * 2 + i] - 1.5 * sin(angle)) < 1e-6);
        }
    axl__rope_scale_queries(&r, cosines, sines, 8);
    for (int p = 0; p < 8; p++) {
        double scale = 1.0 + 0.5 * log(1.0 + p / 3);
        assert_true(fabs((double)cosines[p * 2] - scale * 1.5 * cos(p * 0.5)) < 1e-6);
        assert_true(fabs((double)sines[p * 2 + 1] - scale * 1.5 * sin(p * 0.05)) < 1e-6);
    }
}

/* Which lengths share frequencies. */
static void test_rotary__reaches(void **state)
{
    static axl__rope r = { .type = AXL__ROPE_DYNAMIC, .max_seq_len = 8.0, .original_max = 4.0 };

    (void)state;
    assert_int_equal(axl__rope_reach(&r, 1), axl__rope_reach(&r, 8));
    assert_int_not_equal(axl__rope_reach(&r, 8), axl__rope_reach(&r, 9));
    assert_int_not_equal(axl__rope_reach(&r, 9), axl__rope_reach(&r, 10));
    r.type = AXL__ROPE_LONGROPE;
    assert_int_equal(axl__rope_reach(&r, 1), axl__rope_reach(&r, 4));
    assert_int_not_equal(axl__rope_reach(&r, 4), axl__rope_reach(&r, 5));
    assert_int_equal(axl__rope_reach(&r, 5), axl__rope_reach(&r, 1000));
    r.type = AXL__ROPE_YARN;
    assert_int_equal(axl__rope_reach(&r, 1), axl__rope_reach(&r, 1000));
}

static void test_rotary__names_what_is_wrong(void **state)
{
    static const struct {
        const char *parameters, *message;
    } cases[] = {
        { "\"rope_scaling\": 3", "config.json: rope_scaling must be an object" },
        { "\"rope_parameters\": {\"rope_type\": \"spiral\"}",
          "rope_parameters.rope_type \"spiral\"" },
        { "\"rope_parameters\": {\"rope_type\": 4}", "rope_parameters.rope_type must be a string" },
        { "\"rope_parameters\": {\"mrope_section\": [1]}", "rope_parameters.mrope_section" },
        { "\"rope_theta\": \"big\"", "config.json: rope_theta must be a number, not a string" },
        { "\"rope_theta\": 0", "rope_theta must be a number above 0, not 0" },
        { "\"rope_scaling\": {\"type\": \"linear\"}", "rope_scaling.factor is missing" },
        { "\"rope_scaling\": {\"type\": \"linear\", \"factor\": \"2\"}",
          "rope_scaling.factor must be a number, not a string" },
        { "\"rope_scaling\": {\"type\": \"linear\", \"factor\": -1}",
          "rope_scaling.factor must be a number above 0, not -1" },
        { "\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 0.5}", "at least 1" },
        { "\"rope_scaling\": {\"type\": \"llama3\", \"factor\": 8}", "low_freq_factor is missing" },
        { "\"rope_scaling\": {\"type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4, "
          "\"high_freq_factor\": 1}",
          "high_freq_factor must be above low_freq_factor" },
        { "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4, \"truncate\": 1}",
          "rope_scaling.truncate must be true or false" },
        { "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4, \"beta_fast\": 1, \"beta_slow\": "
          "2}",
          "beta_fast not below beta_slow" },
        { "\"rope_scaling\": {\"type\": \"longrope\", \"short_factor\": [1, 2]}",
          "rope_scaling.short_factor must be a list of 4 numbers" },
        { "\"rope_scaling\": {\"type\": \"longrope\", \"short_factor\": [1, 2, 3, 0]}",
          "rope_scaling.short_factor[3] must be a number above 0" },
        { "\"partial_rotary_factor\": 0.5", "partial_rotary_factor is not supported for this" },
        { "\"rope_parameters\": {\"llama_4_scaling_beta\": 0.1}", "llama_4_scaling_beta" },
    };
    axl_context *ctx = test_context();
    static axl__rope r;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        axl__arena arena;
        axl__json *root;
        char text[400];
        axl__arena_init(&arena, ctx);
        snprintf(text, sizeof text,
                 "{\"hidden_size\": 16, \"num_attention_heads\": 2, "
                 "\"max_position_embeddings\": 64, %s}",
                 cases[i].parameters);
        assert_ok(axl__json_parse(&root, &arena, text, strlen(text), NULL));
        assert_true(read_rope(&r, "llama", root) < 0);
        if (!strstr(axl_last_error(), cases[i].message))
            fail_msg("%s: %s", cases[i].parameters, axl_last_error());
        axl__arena_free(&arena);
    }
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rotary__has_transformers_frequencies),
        cmocka_unit_test(test_rotary__tables_are_of_the_frequencies),
        cmocka_unit_test(test_rotary__reaches),
        cmocka_unit_test(test_rotary__names_what_is_wrong),
    };

    return test_run(tests);
}
