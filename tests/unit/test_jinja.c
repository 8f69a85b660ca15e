/* SPDX-License-Identifier: Apache-2.0 */
/* test_jinja.c - templates against jinja2's texts (tests/golden/make_jinja_goldens.py says what the
 * file holds), what errors say, limits, speed, and the handle over them. */
#include "testing.h"

#include "counted_memory.h"

#include "base/json.h"
#include "base/os.h"
#include "text/jinja/jinja.h"

#include <pthread.h>

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

/* ---- errors ---- */

static void fails(const char *template, const char *context, const char *text)
{
    axl__json *tree;
    axl__str out;

    axl__str_init(&out, ctx);
    assert_ok(axl__json_parse(&tree, &arena, context, strlen(context), NULL));
    axl__str_puts(&out, "before");
    assert_fails(render(template, strlen(template), tree, &fixed, &out), AXL_ERR_FORMAT, text);
    assert_string_equal(out.data, "before"); /* nothing half-written is left */
    assert_null(strchr(axl_last_error(), '\n'));
    axl__str_free(&out);
}

static void test_errors_name_line_and_cause(void **state)
{
    (void)state;
    fails("a\n{{ x.y.z }}", "{}", "chat_template:2: 'x' is undefined");
    fails("\n\n{% for m in m %}\n{{ m.a.b }}\n{% endfor %}", "{\"m\": [{}]}",
          "chat_template:4: there is no attribute 'a'");
    fails("{{ 1 }}\n{% if %}", "{}", "chat_template:2: ");
    fails("{% for x in y %}", "{}", "chat_template:1: the template ends where 'endfor' must be");
    fails("\n{{ 'abc }}", "{}", "chat_template:2: a string has no end");
    fails("{{ raise_exception('roles must alternate') }}", "{}",
          "chat_template:1: the template says: roles must alternate");
    fails("{{ m.append(1) }}", "{\"m\": []}", "'append' would change a value");
    fails("{{ x | nosuch }}", "{}", "there is no filter 'nosuch'");
    fails("{{ x | pprint }}", "{}", "pprint");
    fails("{% include 'x' %}", "{}", "'include' has no meaning");
    fails("{{ 9223372036854775807 + 1 }}", "{}", "an integer past 64 bits");
    fails("{{ m | map('upper') }}", "{\"m\": [1]}", "use |list");
}

/* ---- limits ---- */

static void exceeds(const char *template, axl__jinja_limits limits, const char *text)
{
    axl__jinja_options o = { .limits = limits };
    axl__json *tree;
    axl__str out;

    axl__str_init(&out, ctx);
    assert_ok(axl__json_parse(&tree, &arena, "{}", 2, NULL));
    assert_fails(render(template, strlen(template), tree, &o, &out), AXL_ERR_FORMAT, text);
    axl__str_free(&out);
}

static void test_strangers_are_bounded(void **state)
{
    const char *doubling = "{% set n = namespace(x='ab') %}{% for i in range(60) %}"
                           "{% set n.x = n.x ~ n.x %}{% endfor %}";
    const char *nested = "{% set n = namespace(x=[]) %}{% for i in range(5000) %}"
                         "{% set n.x = [n.x] %}{% endfor %}";
    const char *shared = "{% set n = namespace(x=[1]) %}{% for i in range(60) %}"
                         "{% set n.x = [n.x, n.x] %}{% endfor %}";
    char text[400];

    (void)state;
    exceeds("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
            (axl__jinja_limits){ .steps = 100000 }, "more than 100000 steps");
    exceeds("{% for i in range(1000) %}0123456789{% endfor %}",
            (axl__jinja_limits){ .output = 5000 }, "writes more than 5000 bytes");
    exceeds(doubling, (axl__jinja_limits){ .memory = 1 << 20 }, " bytes");
    exceeds("{{ 'a' * 1000000000000 }}", (axl__jinja_limits){ 0 }, "too large");
    exceeds("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", (axl__jinja_limits){ 0 },
            "in one another");
    for (int i = 0; i < 4; i++) {
        static const char *const uses[] = { "{{ n.x }}", "{{ n.x | tojson }}", "{{ n.x == n.x }}",
                                            "{{ n.x < n.x }}" };
        snprintf(text, sizeof text, "%s%s", nested, uses[i]);
        exceeds(text, (axl__jinja_limits){ 0 }, "in one another");
        snprintf(text, sizeof text, "%s%s", shared, uses[i]);
        exceeds(text, (axl__jinja_limits){ .steps = 1000000, .output = 1 << 20 }, "more than");
    }
}

static void test_deep_texts_are_refused(void **state)
{
    static const char *const parts[] = { "(",   "[",          "{'a':", "not ", "-", "a if b else ",
                                         "1+(", "{% if a %}", "a|b(",  "x[" };
    axl__str text, out;
    axl__json *tree;

    (void)state;
    axl__str_init(&text, ctx);
    axl__str_init(&out, ctx);
    assert_ok(axl__json_parse(&tree, &arena, "{}", 2, NULL));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        axl__str_clear(&text);
        axl__str_puts(&text, parts[i][1] == '%' ? "" : "{{ ");
        for (int n = 0; n < 100000; n++)
            axl__str_puts(&text, parts[i]);
        assert_int_equal(render(text.data, text.len, tree, &fixed, &out), AXL_ERR_FORMAT);
    }
    axl__str_clear(&text);
    axl__str_puts(&text, "{{ 1");
    for (int n = 0; n < 100000; n++)
        axl__str_puts(&text, " + 1");
    axl__str_puts(&text, " }}");
    assert_fails(render(text.data, text.len, tree, &fixed, &out), AXL_ERR_FORMAT, "in one another");
    axl__str_free(&out);
    axl__str_free(&text);
}

/* ---- long conversations ---- */

static void put_messages(axl__str *text, int n)
{
    axl__str_puts(text, "{\"messages\": [");
    for (int i = 0; i < n; i++)
        axl__str_putf(text, "%s{\"role\": \"%s\", \"content\": \"message number %d\"}",
                      i ? ", " : "", i % 2 ? "assistant" : "user", i);
    axl__str_puts(text, "]}");
}

static void test_long_conversations_take_little_time(void **state)
{
    static const char *const templates[] = {
        "{% for m in messages %}{% if m['role'] == 'user' or loop.last %}"
        "{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] | trim + '<|im_end|>' + '\\n' }}"
        "{% else %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}",
        "{% set n = namespace(t='') %}{% for m in messages %}"
        "{% set n.t = n.t + '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' %}"
        "{% endfor %}{{ n.t }}",
    };
    axl__json *tree;
    axl__str text, out[2];

    (void)state;
    axl__str_init(&text, ctx);
    put_messages(&text, 10000);
    assert_ok(axl__json_parse(&tree, &arena, text.data, text.len, NULL));
    for (int i = 0; i < 2; i++) {
        double from = axl__now();
        axl__str_init(&out[i], ctx);
        assert_ok(render(templates[i], strlen(templates[i]), tree, &fixed, &out[i]));
        double took = axl__now() - from;
        if (took > (test_is_slow() ? 10.0 : 1.0))
            fail_msg("10,000 messages took %g s", took);
    }
    assert_string_equal(out[0].data, out[1].data);
    axl__str_free(&out[0]);
    axl__str_free(&out[1]);
    axl__str_free(&text);
}

/* ---- the handle ---- */

static void render_handle(const axl_template *tpl, const char *context, const char *want)
{
    axl_template_options o = AXL_TEMPLATE_OPTIONS_INIT;
    axl_buffer out = AXL_BUFFER_INIT;

    o.time = 1707462303;
    assert_ok(axl_template_render(tpl, context, strlen(context), &o, &out));
    assert_string_equal(out.data, want);
    axl_buffer_free(&out);
}

static void write_in(const char *name, const char *text)
{
    char *path = axl__format(ctx, "%s/%s", test_temp_dir(), name);

    assert_ok(axl__write_file(ctx, path, text, strlen(text)));
    axl__free(ctx, path);
}

static void test_handle(void **state)
{
    const char *text = "{{ a }}{{ strftime_now('%Y-%m-%d') }}";
    axl_template_options o = AXL_TEMPLATE_OPTIONS_INIT;
    axl_buffer out = AXL_BUFFER_INIT;
    axl_template *tpl;

    (void)state;
    assert_ok(axl_template_new(&tpl, ctx, text, strlen(text), NULL));
    render_handle(tpl, "{\"a\": 1.0}", "1.02024-02-09");
    render_handle(tpl, "{\"a\": 123456789012345678901234567890}",
                  "1234567890123456789012345678902024-02-09");
    assert_fails(axl_template_render(tpl, "[1]", 3, NULL, &out), AXL_ERR_INVALID, "an object");
    assert_fails(axl_template_render(tpl, "{", 1, NULL, &out), AXL_ERR_FORMAT, "context:1:2");
    o.max_depth = 5000;
    assert_fails(axl_template_render(tpl, "{}", 2, &o, &out), AXL_ERR_INVALID, "max_depth");
    assert_fails(axl_template_render(NULL, "{}", 2, NULL, &out), AXL_ERR_INVALID, "not a live");
    axl_template_free(tpl);
    assert_fails(axl_template_new(&tpl, ctx, "{{", 2, NULL), AXL_ERR_FORMAT, "template:1: ");
    assert_null(tpl);
    assert_ok(axl_template_open_builtin(&tpl, ctx, "deepseek_v2"));
    render_handle(tpl, "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}",
                  "<\uff5cUser\uff5c>Hi");
    axl_template_free(tpl);
    assert_fails(axl_template_open_builtin(&tpl, ctx, "command_a"), AXL_ERR_UNSUPPORTED, "Cohere");
    assert_null(tpl);
    assert_fails(axl_template_open_builtin(&tpl, ctx, NULL), AXL_ERR_INVALID, "NULL");
}

static void test_folders(void **state)
{
    axl_template *tpl;

    (void)state;
    assert_fails(axl_template_open(&tpl, ctx, test_temp_dir()), AXL_ERR_NOT_FOUND,
                 "no chat template");
    write_in(
        "tokenizer_config.json",
        "{\"bos_token\": {\"content\": \"<s>\"}, \"eos_token\": \"</s>\", \"pad_token\": null, "
        "\"chat_template\": [{\"name\": \"tool\", \"template\": \"T\"}, {\"name\": \"default\", "
        "\"template\": \"{{ bos_token }}{{ eos_token }}{{ pad_token is defined }}\"}]}");
    assert_ok(axl_template_open(&tpl, ctx, test_temp_dir()));
    render_handle(tpl, "{}", "<s></s>False");
    render_handle(tpl, "{\"bos_token\": \"B\"}", "B</s>False");
    axl_template_free(tpl);
    write_in("chat_template.jinja", "{{ eos_token }}!\n");
    assert_ok(axl_template_open(&tpl, ctx, test_temp_dir()));
    render_handle(tpl, "{}", "</s>!");
    axl_template_free(tpl);
}

/* ---- memory, threads ---- */

static const char busy[] =
    "{% macro m(a, b=[1, 'x']) %}{% set c | upper %}{{ a ~ b | join(',') }}{% endset %}{{ c }}"
    "{% endmacro %}{% for k, v in d.items() %}{{ m(k) }}{{ v | tojson(indent=2) }}"
    "{{ '%s:%05d' % (k, loop.index) }}{{ k.split('b') | sort | list }}{% endfor %}"
    "{{ d | dictsort | map('string') | list | batch(2) | list }}{{ text * 4000 }}";
static const char busy_context[] =
    "{\"d\": {\"abc\": [1, 2.5, null], \"b\": {\"z\": \"\u00e9\"}}, \"text\": \"0123456789\"}";

static axl_status render_busy(axl_context *own, axl_buffer *out)
{
    axl_template *tpl;
    axl_status status = axl_template_new(&tpl, own, busy, strlen(busy), NULL);

    if (status == AXL_OK)
        status = axl_template_render(tpl, busy_context, strlen(busy_context), NULL, out);
    axl_template_free(tpl);
    return status;
}

static void test_runs_out_of_memory(void **state)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    axl_status status = AXL_ERR_NOMEM;
    axl_context *own;

    (void)state;
    o.alloc = counted_alloc;
    o.realloc = counted_realloc;
    o.free = counted_free;
    o.threads = 1;
    left = 1000000;
    assert_ok(axl_context_new(&own, &o));
    for (long n = 0; status == AXL_ERR_NOMEM; n++) {
        axl_buffer out = AXL_BUFFER_INIT;
        long before = blocks;
        left = n;
        status = render_busy(own, &out);
        axl_buffer_free(&out);
        assert_int_equal(blocks, before);
    }
    assert_ok(status);
    left = 1000000;
    axl_context_free(own);
    assert_int_equal(blocks, 0);
}

typedef struct {
    const axl_template *tpl;
    axl_buffer out[50];
} rendering;

static void *render_often(void *arg)
{
    rendering *r = arg;

    for (int i = 0; i < 50; i++) {
        r->out[i] = (axl_buffer)AXL_BUFFER_INIT;
        if (axl_template_render(r->tpl, busy_context, strlen(busy_context), NULL, &r->out[i]) < 0)
            return NULL;
    }
    return r;
}

static void test_threads_share_a_template(void **state)
{
    enum { N = 4 };
    static rendering each[N];
    pthread_t threads[N];
    axl_template *tpl;
    void *done;

    (void)state;
    assert_ok(axl_template_new(&tpl, ctx, busy, strlen(busy), NULL));
    for (int i = 0; i < N; i++) {
        each[i].tpl = tpl;
        assert_int_equal(pthread_create(&threads[i], NULL, render_often, &each[i]), 0);
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(pthread_join(threads[i], &done), 0);
        assert_non_null(done);
    }
    for (int i = 0; i < N * 50; i++) {
        axl_buffer *out = &each[i / 50].out[i % 50];
        assert_string_equal(out->data, each[0].out[0].data);
        if (i > 0)
            axl_buffer_free(out);
    }
    axl_buffer_free(&each[0].out[0]);
    axl_template_free(tpl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens),
        cmocka_unit_test(test_errors_name_line_and_cause),
        cmocka_unit_test(test_strangers_are_bounded),
        cmocka_unit_test(test_deep_texts_are_refused),
        cmocka_unit_test(test_long_conversations_take_little_time),
        cmocka_unit_test(test_handle),
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_runs_out_of_memory),
        cmocka_unit_test(test_threads_share_a_template),
    };

    setup(NULL);
    int failed = test_run(tests);
    axl__remove_tree(test_temp_dir());
    teardown(NULL);
    return failed;
}
