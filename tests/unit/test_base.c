/* SPDX-License-Identifier: Apache-2.0 */
/* test_base.c - numbers as text, JSON, maps, random numbers, the pool. */
#include "testing.h"

#include "base/json.h"
#include "base/map.h"
#include "base/num.h"
#include "base/os.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/utf8.h"
#include "tensor/dtype.h"

#include <math.h>
#include <stdatomic.h>

static void test_num__parses_and_prints_exactly(void **state)
{
    static const struct {
        const char *text;
        double value;
        const char *printed;
    } cases[] = {
        { "0", 0.0, "0.0" },
        { "-0.0", -0.0, "-0.0" },
        { "1", 1.0, "1.0" },
        { "0.1", 0.1, "0.1" },
        { "2e-5", 2e-5, "2e-05" },
        { "1e22", 1e22, "1e+22" },
        { "1e23", 1e23, "1e+23" },
        { "123456789012345678", 123456789012345678.0, "1.2345678901234568e+17" },
        { "9007199254740993", 9007199254740992.0, "9007199254740992.0" },
        { "9007199254740993.00000000000000000000000001", 9007199254740994.0, "9007199254740994.0" },
        { "2.2250738585072011e-308", 2.2250738585072011e-308, "2.225073858507201e-308" },
        { "1.7976931348623157e308", 1.7976931348623157e308, "1.7976931348623157e+308" },
        { "0.3", 0.3, "0.3" },
        { "3.0000000000000004", 3.0000000000000004, "3.0000000000000004" },
        { "5e-324", 5e-324, "4.94065645841247e-324" },
        { "2.4703282292062327e-324", 0.0, "0.0" },
        { "1000000", 1e6, "1000000.0" },
        { "0.0001", 1e-4, "0.0001" },
    };
    char text[AXL__NUM_MAX];
    double v;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(axl__parse_double(cases[i].text, strlen(cases[i].text), &v));
        assert_memory_equal(&v, &cases[i].value, sizeof v);
        axl__format_double(text, v);
        assert_string_equal(text, cases[i].printed);
    }
    assert_true(axl__parse_double("1e999", 5, &v) && isinf(v));
    assert_false(axl__parse_double("", 0, &v));
    assert_false(axl__parse_double("1.2.3", 5, &v));
    assert_false(axl__parse_double("1e", 2, &v));
    assert_false(axl__parse_double("0x10", 4, &v));
}

static void test_num__round_trips_random_bits(void **state)
{
    char text[AXL__NUM_MAX];

    (void)state;
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t bits = axl__random_u64(7, 1, i);
        double v, back;
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v))
            continue;
        axl__format_double(text, v);
        assert_true(axl__parse_double(text, strlen(text), &back));
        assert_memory_equal(&v, &back, sizeof v);
    }
}

static void test_num__integers_stop_at_64_bits(void **state)
{
    int64_t v;

    (void)state;
    assert_true(axl__parse_int("9223372036854775807", 19, &v) && v == INT64_MAX);
    assert_true(axl__parse_int("-9223372036854775808", 20, &v) && v == INT64_MIN);
    assert_false(axl__parse_int("9223372036854775808", 19, &v));
    assert_false(axl__parse_int("12x", 3, &v));
    assert_false(axl__parse_int("-", 1, &v));
}

/* What a worker takes to its caller, or a cleaning up outlives, keeps its end. */
static void test_fail__holds_a_long_error(void **state)
{
    char text[401];
    axl__error saved;

    (void)state;
    memset(text, 'x', 400);
    memcpy(text + 400 - 3, "end", 4);
    assert_int_equal(axl__fail(AXL_ERR_DATA, "%s", text), AXL_ERR_DATA);
    axl__error_hold(&saved);
    assert_int_equal(axl__fail(AXL_ERR_IO, "another"), AXL_ERR_IO);
    axl__error_restore(&saved);
    assert_string_equal(axl_last_error(), text);
    axl__error_clear();
    assert_string_equal(saved.text, text);
}

static void test_json__keeps_what_cjson_loses(void **state)
{
    static const char text[] = "{\"a\": 1.0, \"b\": 9007199254740993, "
                               "\"c\": \"x\\u0000y\\ud83d\\ude00\","
                               " \"b\": 2, \"d\": [true, null, -3e2]}";
    axl_context *ctx = test_context();
    axl__arena arena;
    axl__json *v;

    (void)state;
    axl__arena_init(&arena, ctx);
    assert_ok(axl__json_parse(&v, &arena, text, sizeof text - 1, NULL));
    assert_int_equal(axl__json_get(v, "a")->type, AXL__JSON_FLOAT);
    assert_int_equal(axl__json_int(v, "b", 0), 2);
    assert_int_equal(v->child->next->integer, 9007199254740993);
    assert_int_equal(axl__json_get(v, "c")->len, 7);
    assert_memory_equal(axl__json_get(v, "c")->text, "x\0y\xF0\x9F\x98\x80", 7);
    assert_int_equal(axl__json_get(v, "d")->count, 3);
    assert_true(axl__json_get(v, "d")->child->next->next->number == -300.0);
    axl__arena_free(&arena);
    axl_context_free(ctx);
}

static void test_json__rows_may_hold_what_python_writes(void **state)
{
    static const char text[] = "{\"a\": NaN, \"b\": [Infinity, -Infinity], \"c\": -1}";
    static const char *const bad[] = { "{\"a\": nan}", "{\"a\": -NaN}", "{\"a\": Inf}", "NaNs" };
    axl_context *ctx = test_context();
    axl__json_error error;
    axl__json *v;
    axl__arena arena;

    (void)state;
    axl__arena_init(&arena, ctx);
    assert_ok(axl__json_read(&v, &arena, text, sizeof text - 1, &error));
    assert_true(isnan(axl__json_get(v, "a")->number));
    const axl__json *b = axl__json_get(v, "b")->child;
    assert_true(isinf(b->number) && b->number > 0 && isinf(b->next->number) && b->next->number < 0);
    assert_int_equal(axl__json_get(v, "c")->integer, -1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(axl__json_read(&v, &arena, bad[i], strlen(bad[i]), &error),
                         AXL_ERR_FORMAT);
    assert_fails(axl__json_parse(&v, &arena, text, sizeof text - 1, "x"), AXL_ERR_FORMAT,
                 "x:1:7: not a JSON value");
    axl__arena_free(&arena);
    axl_context_free(ctx);
}

/* Those of f16 are exact in f32, and go back to themselves; others to the nearest. */
static void test_dtype__f16_goes_there_and_back(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x10000; h++) {
        float f = axl__f16_to_f32((uint16_t)h);
        if (!isnan(f))
            assert_int_equal(axl__f32_to_f16(f), h);
        else
            assert_true(isnan(axl__f16_to_f32(axl__f32_to_f16(f))));
    }
    for (uint32_t h = 0; h < 0x7BFF; h++) {
        float a = axl__f16_to_f32((uint16_t)h), b = axl__f16_to_f32((uint16_t)(h + 1));
        float half = a + (b - a) / 2;
        assert_int_equal(axl__f32_to_f16(half), h + (h & 1)); /* to the even one */
        assert_int_equal(axl__f32_to_f16(nextafterf(half, 0.0F)), h);
        assert_int_equal(axl__f32_to_f16(-nextafterf(half, 1e9F)), 0x8000 | (h + 1));
    }
    assert_int_equal(axl__f32_to_f16(65519.99F), 0x7BFF);
    assert_int_equal(axl__f32_to_f16(65520.0F), 0x7C00);
    assert_int_equal(axl__f32_to_f16(-1e30F), 0xFC00);
}

static void test_json__names_the_place_of_an_error(void **state)
{
    static const char *const bad[] = { "",      "{",          "[1,]", "{\"a\" 1}", "01",
                                       "1.",    "\"\\x\"",    "tru",  "[1] 2",     "\"\t\"",
                                       "\"abc", "{\"a\":1,}", "-",    "+1",        "NaN" };
    axl_context *ctx = test_context();
    axl__arena arena;
    axl__json *v;

    (void)state;
    axl__arena_init(&arena, ctx);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(axl__json_parse(&v, &arena, bad[i], strlen(bad[i]), NULL), AXL_ERR_FORMAT);
    assert_int_equal(axl__json_parse(&v, &arena, "{\n  \"a\": x}", 12, "f.json"), AXL_ERR_FORMAT);
    assert_string_equal(axl_last_error(), "f.json:2:8: not a JSON value");
    axl__json_error error = { 0 };
    axl__error_clear();
    assert_int_equal(axl__json_read(&v, &arena, "[1,\n\"\xC3\xA9\" 2]", 11, &error),
                     AXL_ERR_FORMAT);
    assert_int_equal(error.line, 2);
    assert_int_equal(error.column, 5);
    assert_string_equal(error.text, "',' or ']' is missing");
    assert_string_equal(axl_last_error(), "");
    axl__arena_free(&arena);
    axl_context_free(ctx);
}

static void test_json__reads_a_file_into_the_arena(void **state)
{
    axl_context *ctx = test_context();
    const char *path = temp_path("small.json");
    axl__arena arena;
    axl__json *v;

    (void)state;
    axl__arena_init(&arena, ctx);
    assert_ok(axl__write_file(ctx, path, "{\"a\": 1.50}\n", 12));
    assert_ok(axl__json_read_file(&v, &arena, path));
    assert_ok(axl__write_file(ctx, path, "[", 1));
    assert_memory_equal(axl__json_get(v, "a")->text, "1.50", 4);
    assert_int_equal(axl__json_read_file(&v, &arena, path), AXL_ERR_FORMAT);
    assert_non_null(strstr(axl_last_error(), "small.json:1:2: "));
    assert_int_equal(axl__json_read_file(&v, &arena, temp_path("none")), AXL_ERR_NOT_FOUND);
    axl__arena_free(&arena);
    axl_context_free(ctx);
}

static void test_utf8__replaces_maximal_ill_formed_parts(void **state)
{
    /* Python: b'a\xf0\x80\x80\x41\xed\xa0\x80\xe2\x82z'.decode(errors='replace') */
    static const char text[] = "a\xF0\x80\x80\x41\xED\xA0\x80\xE2\x82z";
    static const uint32_t want[] = { 'a',    0xFFFD, 0xFFFD, 0xFFFD, 'A',
                                     0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 'z' };
    size_t at = 0, n = 0;

    (void)state;
    while (at < sizeof text - 1)
        assert_int_equal(axl__utf8_next(text, sizeof text - 1, &at), want[n++]);
    assert_int_equal(n, sizeof want / sizeof want[0]);
}

static void test_map__finds_what_was_set(void **state)
{
    axl_context *ctx = test_context();
    axl__map map;
    char keys[1000][8];
    int64_t v;

    (void)state;
    axl__map_init(&map, ctx);
    for (int i = 0; i < 1000; i++) {
        int n = snprintf(keys[i], sizeof keys[i], "k%d", i);
        assert_ok(axl__map_set(&map, keys[i], (size_t)n, i));
    }
    for (int i = 0; i < 1000; i++)
        assert_true(axl__map_get(&map, keys[i], strlen(keys[i]), &v) && v == i);
    assert_false(axl__map_get(&map, "absent", 6, &v));
    axl__map_free(&map);
    axl_context_free(ctx);
}

static void test_rng__equals_random123(void **state)
{
    /* Known answers of Random123's kat_vectors for philox4x32 10. */
    uint32_t out[4];

    (void)state;
    axl__philox(out, 0, 0, 0);
    assert_int_equal(out[0], 0x6627e8d5);
    assert_int_equal(out[1], 0xe169c58d);
    assert_int_equal(out[2], 0xbc57ac4c);
    assert_int_equal(out[3], 0x9b00dbd8);
    axl__philox(out, UINT64_MAX, UINT64_MAX, UINT64_MAX);
    assert_int_equal(out[0], 0x408f276d);
    assert_int_equal(out[3], 0x6d5451fd);
    for (uint64_t i = 0; i < 1000; i++)
        assert_true(axl__random_below(3, 2, i, 7) < 7);
}

static void count_task(void *arg, uint64_t i)
{
    atomic_fetch_add((atomic_uint *)arg + i % 100, 1);
}

static void test_pool__runs_every_index_once(void **state)
{
    static const uint32_t threads[] = { 1, 2, 3, 8 };

    (void)state;
    for (size_t t = 0; t < 4; t++) {
        axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
        axl_context *ctx;
        o.threads = threads[t];
        assert_ok(axl_context_new(&ctx, &o));
        assert_int_equal(axl_context_threads(ctx), threads[t]);
        for (int round = 0; round < 200; round++) {
            atomic_uint hits[100] = { 0 };
            axl__parallel_for(ctx, 300, count_task, hits);
            for (int i = 0; i < 100; i++)
                assert_int_equal(atomic_load(&hits[i]), 3);
        }
        axl_context_free(ctx);
    }
}

static int count_threads(void)
{
    axl_context *ctx = test_context();
    char **names;
    size_t n;

    assert_ok(axl__list_dir(ctx, "/proc/self/task", &names, &n));
    axl__free(ctx, names);
    axl_context_free(ctx);
    return (int)n;
}

static void test_pool__starts_with_the_first_loop(void **state)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    atomic_uint hits[100] = { 0 };
    int before = count_threads();
    axl_context *ctx;

    (void)state;
    o.threads = 64;
    assert_ok(axl_context_new(&ctx, &o));
    assert_int_equal(count_threads(), before);
    axl__parallel_for(ctx, 1, count_task, hits); /* one task is the caller's */
    assert_int_equal(count_threads(), before);
    axl__parallel_for(ctx, 2, count_task, hits);
    assert_int_equal(count_threads(), before + 63);
    axl_context_free(ctx);
    assert_int_equal(count_threads(), before);
}

static void test_os__writes_files_whole(void **state)
{
    axl_context *ctx = test_context();
    char dir[256], path[300], **names;
    size_t n;
    axl__file f;

    (void)state;
    snprintf(dir, sizeof dir, "%s/a/b", test_temp_dir());
    snprintf(path, sizeof path, "%s/file", dir);
    assert_ok(axl__make_dirs(ctx, dir));
    assert_ok(axl__write_file(ctx, path, "one", 3));
    assert_ok(axl__write_file(ctx, path, "second", 6));
    assert_ok(axl__file_open(&f, ctx, path, false));
    assert_int_equal(f.size, 6);
    assert_memory_equal(f.data, "second", 6);
    assert_ok(axl__file_unchanged(&f));
    assert_ok(axl__append_file(path, "!", 1));
    assert_int_equal(axl__file_unchanged(&f), AXL_ERR_IO);
    axl__file_close(&f);
    assert_ok(axl__list_dir(ctx, dir, &names, &n));
    assert_int_equal(n, 1); /* no temporary file stays */
    assert_string_equal(names[0], "file");
    axl__free(ctx, names);
    assert_ok(axl__remove_tree(test_temp_dir()));
    assert_int_equal(axl__file_open(&f, ctx, path, false), AXL_ERR_NOT_FOUND);
    axl_context_free(ctx);
}

static void test_str__suggests_near_names(void **state)
{
    (void)state;
    assert_int_equal(axl__edit_distance("lora_rank", "lora_r"), 3);
    assert_int_equal(axl__edit_distance("adpater", "adapter"), 1);
    assert_int_equal(axl__edit_distance("", "abc"), 3);
    assert_int_equal(axl__ascii_casecmp("TRUE", "true"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_num__parses_and_prints_exactly),
        cmocka_unit_test(test_num__round_trips_random_bits),
        cmocka_unit_test(test_num__integers_stop_at_64_bits),
        cmocka_unit_test(test_fail__holds_a_long_error),
        cmocka_unit_test(test_json__keeps_what_cjson_loses),
        cmocka_unit_test(test_json__names_the_place_of_an_error),
        cmocka_unit_test(test_json__rows_may_hold_what_python_writes),
        cmocka_unit_test(test_dtype__f16_goes_there_and_back),
        cmocka_unit_test(test_json__reads_a_file_into_the_arena),
        cmocka_unit_test(test_utf8__replaces_maximal_ill_formed_parts),
        cmocka_unit_test(test_map__finds_what_was_set),
        cmocka_unit_test(test_rng__equals_random123),
        cmocka_unit_test(test_pool__runs_every_index_once),
        cmocka_unit_test(test_pool__starts_with_the_first_loop),
        cmocka_unit_test(test_os__writes_files_whole),
        cmocka_unit_test(test_str__suggests_near_names),
    };

    return test_run(tests);
}
