/* SPDX-License-Identifier: Apache-2.0 */
/* test_sweep.c - the runs of a sweep are Axolotl's, in its order; what is wrong with a file. */
#include "testing.h"

#include "base/json.h"
#include "base/os.h"

enum { OVERRIDES_MAX = 8 };

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The expected overrides are sorted. */
static void assert_run(const axl_sweep *sweep, size_t index, const axl__json *expected)
{
    axl_sweep_run run = AXL_SWEEP_RUN_INIT;
    const char *found[OVERRIDES_MAX];
    const axl__json *text = expected->child;
    char name[16];

    assert_ok(axl_sweep_get(sweep, index, &run));
    snprintf(name, sizeof name, "sweep%04zu", index + 1);
    assert_string_equal(run.name, name);
    assert_int_equal(run.n_overrides, expected->count);
    assert_true(run.n_overrides <= OVERRIDES_MAX);
    memcpy(found, run.overrides, run.n_overrides * sizeof *found);
    qsort(found, run.n_overrides, sizeof *found, by_text);
    for (size_t i = 0; i < run.n_overrides; i++, text = text->next)
        assert_string_equal(found[i], text->text);
}

static void assert_sweep(axl_context *ctx, const axl__json *golden)
{
    const axl__json *text = axl__json_get(golden, "sweep"), *runs = axl__json_get(golden, "runs");
    axl_sweep_run run = AXL_SWEEP_RUN_INIT;
    axl_sweep *sweep;
    size_t step, i = 0;

    assert_ok(axl_sweep_parse(&sweep, ctx, text->text, text->len, NULL));
    step = axl_sweep_count(sweep) < 100 ? 1 : 17;
    assert_int_equal((axl_sweep_count(sweep) + step - 1) / step, runs->count);
    for (const axl__json *r = runs->child; r; r = r->next, i += step)
        assert_run(sweep, i, r);
    assert_int_equal(axl_sweep_get(sweep, axl_sweep_count(sweep), &run), AXL_END);
    axl_sweep_free(sweep);
}

static void test_sweep__runs_are_axolotls(void **state)
{
    const char *path = test_source_path("tests/golden/sweeps.json");
    axl_context *ctx = test_context();
    axl__arena arena;
    axl__json *root;
    axl__file file;

    (void)state;
    axl__arena_init(&arena, ctx);
    assert_ok(axl__file_open(&file, ctx, path, false));
    assert_ok(axl__json_parse(&root, &arena, (const char *)file.data, file.size, path));
    assert_true(root->count >= 7);
    for (const axl__json *golden = root->child; golden; golden = golden->next)
        assert_sweep(ctx, golden);
    axl__file_close(&file);
    axl__arena_free(&arena);
    axl_context_free(ctx);
}

static void assert_wrong(axl_context *ctx, const char *text, const char *line)
{
    axl_sweep *sweep;

    assert_int_equal(axl_sweep_parse(&sweep, ctx, text, strlen(text), "s.yml"), AXL_ERR_CONFIG);
    assert_null(sweep);
    assert_string_equal(axl_last_error(), line);
}

static void test_sweep__says_what_is_wrong(void **state)
{
    axl_context *ctx = test_context();
    axl_sweep *sweep;

    (void)state;
    assert_wrong(ctx, "lora_r: 8\n",
                 "s.yml:1:9: error: lora_r: must be a list of the values to try [AXL-C0130]");
    assert_wrong(ctx, "seed: [1]\nlora_r: []\n",
                 "s.yml:2:9: error: lora_r: must be a list of the values to try [AXL-C0130]");
    assert_wrong(ctx, "learning_rat: [1]\n",
                 "s.yml:1:1: error: learning_rat: unknown key; did you mean \"learning_rate\"? "
                 "[AXL-C0201]");
    assert_wrong(ctx, "_: [{lora_rr: 1}]\n",
                 "s.yml:1:6: error: lora_rr: unknown key; did you mean \"lora_r\"? [AXL-C0201]");
    assert_wrong(ctx, "_: {seed: 1}\n",
                 "s.yml:1:4: error: _: must be a list of mappings of keys to values that belong "
                 "together [AXL-C0130]");
    assert_wrong(ctx, "_: [1]\n",
                 "s.yml:1:5: error: _: each item must be a mapping of keys to values [AXL-C0130]");
    assert_wrong(ctx, "", "s.yml: error: no key is swept [AXL-C0130]");
    assert_wrong(ctx, "- seed\n",
                 "s.yml:1:1: error: a config is a mapping of keys to values [AXL-C0105]");
    assert_fails(axl_sweep_open(&sweep, ctx, "/nowhere.yml"), AXL_ERR_NOT_FOUND, "/nowhere.yml");
    axl_context_free(ctx);
}

static void test_sweep__is_bounded(void **state)
{
    static const char text[] = "seed: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n"
                               "lora_r: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n"
                               "lora_alpha: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n"
                               "max_steps: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n";
    axl_context *ctx = test_context();

    (void)state;
    assert_wrong(ctx, text, "s.yml: error: there are more than 9999 combinations [AXL-C0130]");
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sweep__runs_are_axolotls),
        cmocka_unit_test(test_sweep__says_what_is_wrong),
        cmocka_unit_test(test_sweep__is_bounded),
    };

    return test_run(tests);
}
