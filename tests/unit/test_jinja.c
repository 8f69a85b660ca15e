/* SPDX-License-Identifier: Apache-2.0 */
/* test_jinja.c - templates against jinja2's texts (tests/golden/make_jinja_goldens.py says what the
 * file holds), what errors say, limits, speed. */
#include "testing.h"

#include "base/json.h"
#include "base/os.h"
#include "text/jinja/jinja.h"

static axl_context *ctx;
static axl__arena arena;

static int setup(void **state)
{
    (void)state;
    ctx = test_context();
    axl__arena_init(&arena, ctx);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    axl__arena_free(&arena);
    axl_context_free(ctx);
    return 0;
}

static const axl__jinja_options fixed = { .now = { 2024, 2, 9, 7, 5, 3 } };

static axl_status render(const char *text, size_t len, const axl__json *context,
                         const axl__jinja_options *opts, axl__str *out)
{
    axl__jinja *t;
    axl_status status = axl__jinja_parse(&t, ctx, "chat_template", text, len);

    if (status == AXL_OK)
        status = axl__jinja_render(t, context, opts, out);
    axl__jinja_free(t);
    return status;
}

static bool check_case(const axl__json *template, const axl__json *context, const axl__json *want)
{
    axl__str out;

    axl__str_init(&out, ctx);
    axl_status status = render(template->text, template->len, context, &fixed, &out);
    bool ok = want->type == AXL__JSON_NULL
                  ? status == AXL_ERR_FORMAT
                  : status == AXL_OK && out.len == want->len &&
                        (out.len == 0 || memcmp(out.data, want->text, out.len) == 0);
    if (!ok)
        fprintf(stderr, "%.*s\n  wanted %.*s\n  got    %s%.*s\n", (int)template->len,
                template->text, want->type == AXL__JSON_NULL ? 8 : (int)want->len,
                want->type == AXL__JSON_NULL ? "an error" : want->text,
                status < 0 ? axl_last_error() : "", (int)out.len, axl__str_text(&out));
    axl__str_free(&out);
    return ok;
}

static void test_goldens(void **state)
{
    const char *path = test_source_path("tests/golden/jinja.json");
    axl__json *goldens;
    int n = 0, wrong = 0;

    (void)state;
    assert_ok(axl__json_read_file(&goldens, &arena, path));
    const axl__json *contexts = axl__json_get(goldens, "contexts");
    for (const axl__json *c = axl__json_get(goldens, "cases")->child; c; c = c->next, n++) {
        const axl__json *name = c->child->next;
        wrong += !check_case(c->child, axl__json_get(contexts, name->text), name->next);
    }
    assert_true(n > 900);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
