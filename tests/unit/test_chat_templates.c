/* SPDX-License-Identifier: Apache-2.0 */
/* test_chat_templates.c - which keys of a message a template reads, against Axolotl's answers
 * (tests/golden/make_chat_template_goldens.py says what the file holds). */
#include "testing.h"

#include "base/json.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
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
