/* SPDX-License-Identifier: Apache-2.0 */
/* Event files: the bytes that the tensorboard package writes, and where files lie. */
#include "testing.h"

#include "base/os.h"
#include "base/str.h"
#include "report/event_file.h"

#include <math.h>

static const double noon = 1700000000.25;
static const char markdown[] = "    lora_r: 8\n    # a \xC3\xA9\n";

/* As tests/golden/make_event_file.py puts them. */
static void put_all(axl__str *s)
{
    const axl__event_scalar train[] = { { "train/loss", 1.25 },
                                        { "train/grad_norm", 0.1 },
                                        { "train/learning_rate", 0.0 },
                                        { "train/epoch", 1.0 / 3.0 } };
    const axl__event_scalar bad[] = { { "train/loss", INFINITY } };
    const axl__event_scalar eval[] = { { "eval/loss", 2e-5 } };

    axl__event_put_version(s, noon);
    axl__event_put_start(s, noon, 0);
    axl__event_put_text(s, noon, "config/text_summary", markdown, sizeof markdown - 1);
    axl__event_put_scalars(s, noon + 1.0, 1, train, 4);
    axl__event_put_scalars(s, noon + 2.5, 300, bad, 1);
    axl__event_put_start(s, noon + 3.0, 300);
    axl__event_put_scalars(s, noon + 4.0, 20000, eval, 1);
}

static void test_bytes(void **state)
{
    (void)state;
    axl_context *ctx = test_context();
    axl__file golden;
    axl__str s;

    axl__str_init(&s, ctx);
    put_all(&s);
    assert_ok(axl__str_status(&s));
    assert_ok(
        axl__file_open(&golden, ctx, test_source_path("tests/golden/tensorboard.events"), true));
    assert_int_equal(s.len, golden.size);
    assert_memory_equal(s.data, golden.data, golden.size);
    axl__file_close(&golden);
    axl__str_free(&s);
    axl_context_free(ctx);
}

static void test_calendar(void **state)
{
    (void)state;
    const struct {
        int64_t t;
        axl__date d;
    } cases[] = {
        { 0, { 1970, 1, 1, 0, 0, 0 } },
        { -1, { 1969, 12, 31, 23, 59, 59 } },
        { 951782400, { 2000, 2, 29, 0, 0, 0 } },
        { 1700000000, { 2023, 11, 14, 22, 13, 20 } },
        { 4107542399, { 2100, 2, 28, 23, 59, 59 } },
        { 4107542400, { 2100, 3, 1, 0, 0, 0 } },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        axl__date d = axl__utc(cases[i].t);
        assert_memory_equal(&d, &cases[i].d, sizeof d);
    }
}

static void test_paths(void **state)
{
    (void)state;
    axl_context *ctx = test_context();
    char host[AXL__HOST_MAX], *first, *again, *resumed, *later;
    char wanted[512];

    axl__host_name(host);
    assert_ok(axl__event_file_path(&first, ctx, test_temp_dir(), true, 1700000000));
    snprintf(wanted, sizeof wanted,
             "%s/runs/Nov14_22-13-20_%s/events.out.tfevents.1700000000.%s."
             "%lld.0",
             test_temp_dir(), host, host, (long long)axl__process_id());
    assert_string_equal(first, wanted);
    assert_ok(axl__write_file(ctx, first, "", 0));

    /* Of the same second: the same folder, another name. */
    assert_ok(axl__event_file_path(&again, ctx, test_temp_dir(), false, 1700000000));
    assert_memory_equal(again, first, strlen(first) - 1);
    assert_int_equal(again[strlen(again) - 1], '1');

    assert_ok(axl__event_file_path(&later, ctx, test_temp_dir(), false, 1700005000));
    assert_ok(axl__write_file(ctx, later, "", 0));
    assert_ok(axl__event_file_path(&resumed, ctx, test_temp_dir(), true, 1700009000));
    assert_memory_equal(resumed, later, strrchr(later, '/') - later);
    assert_non_null(strstr(resumed, "tfevents.1700009000."));

    axl__free(ctx, first);
    axl__free(ctx, again);
    axl__free(ctx, resumed);
    axl__free(ctx, later);
    assert_ok(axl__remove_tree(test_temp_dir()));
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_calendar),
        cmocka_unit_test(test_paths),
    };
    return test_run(tests);
}
