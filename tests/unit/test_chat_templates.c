/* SPDX-License-Identifier: Apache-2.0 */
/* test_chat_templates.c - built-in chat templates against the texts of Axolotl's, and which keys of
 * a message a template reads (tests/golden/make_chat_template_goldens.py says what the file holds).
 */
#include "testing.h"

#include "base/json.h"
#include "text/chat/chat_templates.h"
#include "text/jinja/jinja.h"

static axl_context *ctx;
static axl__arena arena;
static axl__json *goldens;

static bool is_among(const axl__json *names, const char *name)
{
    for (const axl__json *v = names->child; v; v = v->next)
        if (strcmp(v->text, name) == 0)
            return true;
    return false;
}

static void reads_keys(const char *text, size_t len, const axl__json *want)
{
    const axl__jinja_key *first;
    axl__jinja *t;
    size_t n = 0;

    assert_ok(axl__jinja_parse(&t, ctx, "t", text, len));
    assert_ok(axl__jinja_message_keys(t, &arena, &first));
    axl__jinja_free(t);
    for (const axl__jinja_key *k = first; k; k = k->next, n++)
        if (!is_among(want, k->name))
            fail_msg("%s is no key of %s", k->name, text);
    assert_int_equal(n, want->count);
}

static void test_keys(void **state)
{
    (void)state;
    for (const axl__json *c = axl__json_get(goldens, "hard_keys")->child; c; c = c->next)
        reads_keys(c->child->text, c->child->len, c->child->next);
}

/* ---- texts ---- */

static const axl__json **pieces; /* of the goldens, by number */

static void find_pieces(void)
{
    const axl__json *all = axl__json_get(goldens, "pieces");
    size_t n = 0;

    pieces = axl__arena_alloc(&arena, all->count * sizeof(axl__json *));
    assert_non_null(pieces);
    for (const axl__json *v = all->child; v; v = v->next)
        pieces[n++] = v;
}

static void put_together(const axl__json *result, axl__str *out)
{
    axl__str_clear(out);
    for (const axl__json *v = result->child; v; v = v->next) {
        const axl__json *piece = pieces[v->integer];
        axl__str_put(out, piece->text, piece->len);
    }
}

static bool renders(const char *name, const axl__jinja *t, const axl__json *context,
                    const axl__json *result)
{
    const axl__jinja_options fixed = { .now = { 2024, 2, 9, 7, 5, 3 } };
    bool fails = result->type == AXL__JSON_NULL;
    axl__str want, got;

    axl__str_init(&want, ctx);
    axl__str_init(&got, ctx);
    put_together(result, &want);
    axl_status status = axl__jinja_render(t, context, &fixed, &got);
    bool ok = fails ? status == AXL_ERR_FORMAT
                    : status == AXL_OK && want.len == got.len &&
                          memcmp(axl__str_text(&want), axl__str_text(&got), got.len) == 0;
    if (!ok) {
        axl__str about;
        axl__str_init(&about, ctx);
        axl__json_write(&about, context, 0);
        fprintf(stderr, "%s of %s\n  wanted %s\n  got    %s%s\n", name, axl__str_text(&about),
                fails ? "an error" : axl__str_text(&want), status < 0 ? axl_last_error() : "",
                axl__str_text(&got));
        axl__str_free(&about);
    }
    axl__str_free(&got);
    axl__str_free(&want);
    return ok;
}

static int count_wrong(const char *name, const axl__json *results)
{
    const axl__json *context = axl__json_get(goldens, "contexts")->child;
    const char *source;
    axl__jinja *t;
    int wrong = 0;

    assert_ok(axl__chat_template_builtin(name, &source));
    assert_ok(axl__jinja_parse(&t, ctx, name, source, strlen(source)));
    reads_keys(source, strlen(source), axl__json_get(axl__json_get(goldens, "keys"), name));
    for (const axl__json *r = results->child; r; r = r->next, context = context->next)
        wrong += !renders(name, t, context, r);
    assert_null(context);
    axl__jinja_free(t);
    return wrong;
}

static void test_texts(void **state)
{
    int wrong = 0;

    (void)state;
    find_pieces();
    for (const axl__json *v = axl__json_get(goldens, "results")->child; v; v = v->next)
        wrong += count_wrong(v->key, v);
    assert_int_equal(wrong, 0);
}

static void test_names(void **state)
{
    const axl__json *results = axl__json_get(goldens, "results");
    const char *source;

    (void)state;
    /* Axolotl's names are here, or refused with what to use instead. */
    for (const axl__json *v = axl__json_get(goldens, "keys")->child; v; v = v->next) {
        if (axl__json_get(results, v->key))
            assert_ok(axl__chat_template_builtin(v->key, &source));
        else
            assert_fails(axl__chat_template_builtin(v->key, &source), AXL_ERR_UNSUPPORTED,
                         "tokenizer_default");
    }
    assert_fails(axl__chat_template_builtin("qwen25", &source), AXL_ERR_INVALID,
                 "did you mean \"qwen_25\"?");
    assert_null(source);
    assert_fails(axl__chat_template_builtin("something else", &source), AXL_ERR_INVALID,
                 "there are alpaca, chatml, ");
    assert_non_null(strstr(axl_last_error(), "gemma4_unified"));
}

/* What has no text of its own says so. */
static void test_vendors_prose_is_asked_for(void **state)
{
    static const char *const names[] = { "mistral_v7_tekken", "phi_4" };
    const char *source, *text = "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}";
    const axl__jinja_options opts = { .now = { 2024, 2, 9, 7, 5, 3 } };
    axl__json *context;
    axl__jinja *t;
    axl__str out;

    (void)state;
    axl__str_init(&out, ctx);
    assert_ok(axl__json_parse(&context, &arena, text, strlen(text), NULL));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_ok(axl__chat_template_builtin(names[i], &source));
        assert_ok(axl__jinja_parse(&t, ctx, names[i], source, strlen(source)));
        assert_fails(axl__jinja_render(t, context, &opts, &out), AXL_ERR_FORMAT,
                     "give a system message or use the tokenizer's own template");
        axl__jinja_free(t);
    }
    axl__str_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_vendors_prose_is_asked_for),
    };

    ctx = test_context();
    axl__arena_init(&arena, ctx);
    if (axl__json_read_file(&goldens, &arena, test_source_path("tests/golden/chat_templates.json")))
        return 1;
    int failed = test_run(tests);
    axl__arena_free(&arena);
    axl_context_free(ctx);
    return failed;
}
