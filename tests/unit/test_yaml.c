/* SPDX-License-Identifier: Apache-2.0 */
/* test_yaml.c - scalars as PyYAML reads them; the tree: places, anchors, merges, bounds. */
#include "testing.h"

#include "base/json.h"
#include "base/num.h"
#include "base/os.h"
#include "config/yaml_tree.h"

#include <math.h>

typedef struct fixture {
    axl_context *ctx;
    axl__arena arena;
    axl_diagnostics *diags;
    axl__yaml *root;
    axl_status status;
} fixture;

static fixture parse(const char *text)
{
    fixture f = { .ctx = test_context() };

    axl__arena_init(&f.arena, f.ctx);
    assert_ok(axl__diagnostics_new(&f.diags, f.ctx, "f.yml"));
    f.status = axl__yaml_parse(&f.root, &f.arena, text, strlen(text), f.diags);
    return f;
}

static void drop(fixture *f)
{
    axl_diagnostics_free(f->diags);
    axl__arena_free(&f->arena);
    axl_context_free(f->ctx);
}

static const char *text_at(const fixture *f, const char *a, const char *b)
{
    const axl__yaml *n = axl__yaml_get(f->root, a);

    n = b ? axl__yaml_get(n, b) : n;
    return n && n->text ? n->text : "(none)";
}

/* libyaml's own words differ between its versions: a line that ends in '*' fits by its start. */
static void assert_error(const char *yaml, const char *line)
{
    fixture f = parse(yaml);
    axl_diagnostic d = AXL_DIAGNOSTIC_INIT;
    size_t n = strlen(line);

    assert_int_equal(f.status, AXL_ERR_CONFIG);
    assert_ok(axl_diagnostics_get(f.diags, 0, &d));
    if (line[n - 1] == '*')
        assert_memory_equal(d.text, line, n - 1);
    else
        assert_string_equal(d.text, line);
    drop(&f);
}

static void check_scalar(axl__arena *arena, const char *text, const char *type, const char *value)
{
    const axl__yaml *n = axl__yaml_plain(arena, text, strlen(text));
    double number;
    int64_t integer;

    if (strcmp(type, "null") == 0) {
        assert_int_equal(n->type, AXL__YAML_NULL);
    } else if (strcmp(type, "bool") == 0) {
        assert_int_equal(n->type, AXL__YAML_BOOL);
        assert_int_equal(n->boolean, strcmp(value, "true") == 0);
    } else if (strcmp(type, "int") == 0) {
        assert_int_equal(n->type, AXL__YAML_INT);
        assert_int_equal(n->huge, !axl__parse_int(value, strlen(value), &integer));
        if (!n->huge)
            assert_int_equal(n->integer, integer);
    } else if (strcmp(type, "float") == 0) {
        assert_int_equal(n->type, AXL__YAML_FLOAT);
        assert_false(n->text_in_yaml11);
        if (strcmp(value, "nan") == 0) {
            assert_true(isnan(n->number));
        } else if (strstr(value, "inf")) {
            assert_true(isinf(n->number) && (n->number < 0) == (*value == '-'));
        } else {
            assert_true(axl__parse_double(value, strlen(value), &number));
            assert_memory_equal(&n->number, &number, sizeof number);
        }
    } else if (n->type == AXL__YAML_FLOAT) {
        assert_true(n->text_in_yaml11); /* the one difference: 2e-5 is a number */
    } else {
        assert_int_equal(n->type, AXL__YAML_STRING);
        assert_string_equal(n->text, text);
    }
}

static void test_yaml__reads_scalars_as_pyyaml(void **state)
{
    axl_context *ctx = test_context();
    axl__arena arena;
    axl__file file;
    axl__json *rows;

    (void)state;
    axl__arena_init(&arena, ctx);
    assert_ok(axl__file_open(&file, ctx, test_source_path("tests/golden/yaml_scalars.json"), true));
    assert_ok(axl__json_parse(&rows, &arena, (const char *)file.data, file.size, "golden"));
    assert_true(rows->count >= 150);
    for (const axl__json *row = rows->child; row; row = row->next) {
        const axl__json *type = row->child->next, *value = type->next;
        check_scalar(&arena, row->child->text, type->text,
                     value->type == AXL__JSON_STRING ? value->text : NULL);
    }
    axl__file_close(&file);
    axl__arena_free(&arena);
    axl_context_free(ctx);
}

static void test_yaml__reads_exponents_without_a_point(void **state)
{
    static const struct {
        const char *text;
        double value;
    } cases[] = { { "2e-5", 2e-5 }, { "1E3", 1e3 }, { "1.5e3", 1.5e3 }, { "-.5", -0.5 } };
    fixture f = parse("");

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const axl__yaml *n = axl__yaml_plain(&f.arena, cases[i].text, strlen(cases[i].text));
        assert_int_equal(n->type, AXL__YAML_FLOAT);
        assert_true(n->text_in_yaml11);
        assert_true(n->number == cases[i].value);
    }
    drop(&f);
}

static void test_yaml__remembers_places(void **state)
{
    fixture f = parse("a: 1\n\xC3\xA4\xC3\xA4: {b: [x,\n   y]}\n");

    (void)state;
    assert_ok(f.status);
    const axl__yaml *b = axl__yaml_get(axl__yaml_get(f.root, "\xC3\xA4\xC3\xA4"), "b");
    assert_int_equal(b->key_line, 2);
    assert_int_equal(b->key_column, 6); /* characters, not bytes */
    assert_int_equal(axl__yaml_item(b, 1)->line, 3);
    assert_int_equal(axl__yaml_item(b, 1)->column, 4);
    drop(&f);
}

static void test_yaml__quotes_and_tags_make_text(void **state)
{
    fixture f = parse("a: '1'\nb: \"yes\"\nc: !!str 1\nd: !!float 1\ne: |\n  x\n  y\n"
                      "f: !!int 0x10\ng: ! 12\n");

    (void)state;
    assert_ok(f.status);
    assert_int_equal(axl__yaml_get(f.root, "a")->type, AXL__YAML_STRING);
    assert_int_equal(axl__yaml_get(f.root, "b")->type, AXL__YAML_STRING);
    assert_int_equal(axl__yaml_get(f.root, "c")->type, AXL__YAML_STRING);
    assert_int_equal(axl__yaml_get(f.root, "d")->type, AXL__YAML_FLOAT);
    assert_string_equal(text_at(&f, "e", NULL), "x\ny\n");
    assert_int_equal(axl__yaml_get(f.root, "f")->integer, 16);
    assert_int_equal(axl__yaml_get(f.root, "g")->type, AXL__YAML_STRING);
    drop(&f);
}

static void test_yaml__follows_anchors_and_merges(void **state)
{
    fixture f = parse("base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\n"
                      "one: {<<: *b, y: 9}\n"
                      "two: {z: 7, <<: [*b, *o]}\n"
                      "same: *b\nword: &w q_proj\nlist: [*w, *w]\nquoted: {'<<': 5}\n");

    (void)state;
    assert_ok(f.status);
    assert_string_equal(text_at(&f, "one", "x"), "1");
    assert_string_equal(text_at(&f, "one", "y"), "9");
    assert_string_equal(text_at(&f, "two", "y"), "2"); /* the earlier mapping wins */
    assert_string_equal(text_at(&f, "two", "z"), "7"); /* and an own member always */
    assert_string_equal(text_at(&f, "same", "y"), "2");
    assert_string_equal(axl__yaml_item(axl__yaml_get(f.root, "list"), 1)->text, "q_proj");
    assert_string_equal(text_at(&f, "quoted", "<<"), "5");
    assert_int_equal(axl_diagnostics_count(f.diags), 0);
    drop(&f);
}

static void test_yaml__takes_the_last_of_duplicates(void **state)
{
    fixture f = parse("a: 1\nb: {c: 2, c: 3}\na: 4\n");
    axl_diagnostic d = AXL_DIAGNOSTIC_INIT;

    (void)state;
    assert_ok(f.status);
    assert_int_equal(f.root->count, 2);
    assert_string_equal(text_at(&f, "a", NULL), "4");
    assert_string_equal(text_at(&f, "b", "c"), "3");
    assert_ok(axl_diagnostics_get(f.diags, 0, &d));
    assert_string_equal(d.text, "f.yml:2:11: warning: b.c: given twice; the last value counts "
                                "[AXL-C0102]");
    assert_ok(axl_diagnostics_get(f.diags, 1, &d));
    assert_int_equal(d.line, 3);
    drop(&f);
}

static void test_yaml__an_empty_text_is_an_empty_mapping(void **state)
{
    static const char *const texts[] = { "", "# nothing\n", "---\n", "~\n" };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        fixture f = parse(texts[i]);
        assert_ok(f.status);
        assert_int_equal(f.root->type, AXL__YAML_MAP);
        assert_int_equal(f.root->count, 0);
        drop(&f);
    }
}

static void test_yaml__refuses_what_is_no_config(void **state)
{
    (void)state;
    assert_error("a: [1, 2\nb: 3\n", "f.yml:2:2: error: YAML: *");
    assert_error("a: 1\n\tb: 2\n", "f.yml:2:1: error: YAML: *");
    assert_error("a: 1\n---\nb: 2\n", "f.yml:2:1: error: a config is one YAML document, and here a "
                                      "second one starts [AXL-C0103]");
    assert_error("- a\n", "f.yml:1:1: error: a config is a mapping of keys to values [AXL-C0105]");
    assert_error("a: *b\n", "f.yml:1:4: error: no anchor of the name *b [AXL-C0106]");
    assert_error("a: &b [*b]\n", "f.yml:1:8: error: an alias inside what it names: *b [AXL-C0106]");
    assert_error("a: !other x\n", "f.yml:1:4: error: unknown tag !other [AXL-C0107]");
    assert_error("a: !!set {x}\n",
                 "f.yml:1:4: error: unknown tag tag:yaml.org,2002:set [AXL-C0107]");
    assert_error("a: !!int x\n",
                 "f.yml:1:4: error: the value does not fit its tag !!int [AXL-C0107]");
    assert_error("[a]: 1\n", "f.yml:1:1: error: a key must be a single value [AXL-C0108]");
    assert_error("a: {<<: 3}\n", "f.yml:1:9: error: \"<<\" takes a mapping or a list of mappings "
                                 "[AXL-C0109]");
    assert_error("a: \"x\\0y\"\n", "f.yml:1:4: error: a text may not hold U+0000 [AXL-C0110]");
}

static void test_yaml__stops_aliases_that_grow(void **state)
{
    char text[1024] = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";

    (void)state;
    for (int i = 1; i < 9; i++) {
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++) {
            n = strlen(text);
            snprintf(text + n, sizeof text - n, "*a%d%s", i - 1, k < 9 ? "," : "]\n");
        }
    }
    fixture f = parse(text);
    assert_int_equal(f.status, AXL_ERR_CONFIG);
    assert_non_null(strstr(axl_last_error(), "more than 100,000 values"));
    drop(&f);
}

static void test_yaml__stops_deep_nesting(void **state)
{
    char text[512] = "a: ";

    (void)state;
    memset(text + 3, '[', 200);
    fixture f = parse(text);
    assert_int_equal(f.status, AXL_ERR_CONFIG);
    drop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml__reads_scalars_as_pyyaml),
        cmocka_unit_test(test_yaml__reads_exponents_without_a_point),
        cmocka_unit_test(test_yaml__remembers_places),
        cmocka_unit_test(test_yaml__quotes_and_tags_make_text),
        cmocka_unit_test(test_yaml__follows_anchors_and_merges),
        cmocka_unit_test(test_yaml__takes_the_last_of_duplicates),
        cmocka_unit_test(test_yaml__an_empty_text_is_an_empty_mapping),
        cmocka_unit_test(test_yaml__refuses_what_is_no_config),
        cmocka_unit_test(test_yaml__stops_aliases_that_grow),
        cmocka_unit_test(test_yaml__stops_deep_nesting),
    };

    return test_run(tests);
}
