/* SPDX-License-Identifier: Apache-2.0 */
/* test_row_orders.c - which rows are read and in which order, against what Axolotl makes of the
 * same files and configs (tests/golden/make_row_orders.py). */
#include "testing.h"

#include "byte_tokenizer.h"

#include "base/json.h"
#include "base/os.h"
#include "base/str.h"
#include "data/pack.h"
#include "data/split_spec.h"

#include <axl/dataset.h>

#include <unistd.h>

typedef struct {
    axl_context *ctx;
    axl_tokenizer *tok;
    axl__arena arena;
    axl__file file;
    axl__json *root;
    char type[512]; /* what "own" stands for */
} fixture;

/* ---- files and configs ---- */

static void write_files(const axl__json *files)
{
    char path[512];

    for (const axl__json *v = files->child; v; v = v->next) {
        snprintf(path, sizeof path, "%s/%s", test_temp_dir(), v->key);
        *strrchr(path, '/') = '\0';
        mkdir(path, 0777);
        snprintf(path, sizeof path, "%s/%s", test_temp_dir(), v->key);
        write_text(path, v->text);
    }
}

static void set_up(fixture *f)
{
    axl__str type;

    f->ctx = test_context();
    f->tok = byte_tokenizer(f->ctx, 0);
    axl__arena_init(&f->arena, f->ctx);
    const char *path = test_source_path("tests/golden/row_orders.json");
    assert_ok(axl__file_open(&f->file, f->ctx, path, false));
    assert_ok(axl__json_parse(&f->root, &f->arena, (const char *)f->file.data, f->file.size, path));
    axl__str_init(&type, f->ctx);
    axl__json_write(&type, axl__json_get(f->root, "type"), 0);
    snprintf(f->type, sizeof f->type, "%s", type.data);
    axl__str_free(&type);
}

static void tear_down(fixture *f)
{
    axl__file_close(&f->file);
    axl__arena_free(&f->arena);
    axl_tokenizer_free(f->tok);
    assert_ok(axl__remove_tree(test_temp_dir()));
    mkdir(test_temp_dir(), 0700);
    axl_context_free(f->ctx);
}

/* JSON is YAML; "own" becomes the mapping. */
static void put_config(const fixture *f, axl__str *out, const axl__json *keys)
{
    axl__str text;

    axl__str_puts(out, "base_model: tok0\nmicro_batch_size: 2\ngradient_accumulation_steps: 1\n"
                       "learning_rate: 0.001\n");
    if (!axl__json_get(keys, "sequence_len"))
        axl__str_puts(out, "sequence_len: 64\n");
    for (const axl__json *v = keys->child; v; v = v->next) {
        axl__str_init(&text, f->ctx);
        axl__json_write(&text, v, 0);
        axl__str_putf(out, "%s: ", v->key);
        for (const char *at = text.data, *own; at; at = own ? own + 5 : NULL) {
            own = strstr(at, "\"own\"");
            axl__str_put(out, at, own ? (size_t)(own - at) : strlen(at));
            axl__str_puts(out, own ? f->type : "\n");
        }
        axl__str_free(&text);
    }
}

static axl_status open_split(const fixture *f, const axl__json *keys, axl_split split,
                             axl_dataset **out)
{
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;
    axl__str text;
    axl_config *cfg;

    *out = NULL;
    o.base_dir = test_temp_dir();
    axl__str_init(&text, f->ctx);
    put_config(f, &text, keys);
    axl_status status = axl_config_parse(&cfg, f->ctx, text.data, text.len, NULL, &o);
    if (status == AXL_OK)
        status = axl_dataset_from_config(out, cfg, f->tok, split);
    axl_config_free(cfg);
    axl__str_free(&text);
    return status;
}

/* ---- rows ---- */

static void put_row(axl__str *out, const axl_sample *s)
{
    char text[256];
    size_t n = 0;

    for (uint32_t i = 0; i < s->length; i++)
        if (s->input_ids[i] < BYTE_BOS)
            text[n++] = (char)s->input_ids[i];
    axl__str_put_json(out, text, n);
}

static void check_rows(const fixture *f, const axl__json *keys, axl_split split,
                       const axl__json *want)
{
    axl__str got, expected;
    axl_dataset *data;

    axl__str_init(&got, f->ctx);
    axl__str_init(&expected, f->ctx);
    axl__json_write(&expected, want, 0);
    axl_status status = open_split(f, keys, split, &data);
    if (status < 0)
        axl__str_puts(&got, "null");
    else if (status == AXL_END)
        axl__str_puts(&got, split == AXL_SPLIT_VALIDATION ? "null" : "nothing");
    for (uint64_t i = 0; data && i < axl_dataset_count(data); i++) {
        axl_sample s = AXL_SAMPLE_INIT;
        assert_ok(axl_dataset_get_sample(data, i, &s));
        axl__str_puts(&got, i > 0 ? ", " : "[");
        put_row(&got, &s);
    }
    axl__str_puts(&got, data ? "]" : "");
    if (strcmp(got.data, expected.data) != 0) {
        axl__str_clear(&expected);
        axl__json_write(&expected, keys, 0);
        axl__json_write(&expected, want, 0);
        fail_msg("%s\n  not %s (%s)", expected.data, got.data, axl_last_error());
    }
    axl_dataset_free(data);
    axl__str_free(&got);
    axl__str_free(&expected);
}

static void test_row_orders__are_those_of_axolotl(void **state)
{
    fixture f;

    (void)state;
    set_up(&f);
    write_files(axl__json_get(f.root, "files"));
    for (const axl__json *c = axl__json_get(f.root, "cases")->child; c; c = c->next) {
        const axl__json *keys = axl__json_get(c, "config");
        check_rows(&f, keys, AXL_SPLIT_TRAIN, axl__json_get(c, "train"));
        if (axl__json_get(c, "train")->type != AXL__JSON_NULL)
            check_rows(&f, keys, AXL_SPLIT_VALIDATION, axl__json_get(c, "validation"));
    }
    tear_down(&f);
}

static uint32_t numbers_of(const axl__json *list, uint32_t *out, uint32_t room)
{
    uint32_t n = 0;

    for (const axl__json *v = list->child; v; v = v->next) {
        assert_true(n < room);
        out[n++] = (uint32_t)v->integer;
    }
    return n;
}

static void test_row_orders__groups_are_those_of_transformers(void **state)
{
    enum { ROOM = 300 };
    uint32_t lengths[ROOM], want[ROOM], order[ROOM];
    fixture f;

    (void)state;
    set_up(&f);
    for (const axl__json *c = axl__json_get(f.root, "groups")->child; c; c = c->next) {
        const axl__json *items = c->child->next;
        uint32_t n = numbers_of(c->child, lengths, ROOM);
        assert_int_equal(numbers_of(items->next, want, ROOM), n);
        for (uint32_t i = 0; i < n; i++)
            order[i] = i;
        assert_ok(axl__group_by_length(f.ctx, lengths, order, n, (uint64_t)items->integer));
        assert_memory_equal(order, want, n * sizeof *order);
    }
    assert_ok(axl__group_by_length(f.ctx, lengths, order, 0, 4));
    tear_down(&f);
}

/* ---- what datasets saved ---- */

/* A folder below the test's, with a saved set of 12 rows. */
static void put_saved(const fixture *f, const char *folder)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", test_temp_dir(), folder);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/dataset_info.json", test_temp_dir(), folder);
    write_text(path, "{}");
    snprintf(path, sizeof path, "%s/%s/state.json", test_temp_dir(), folder);
    write_text(path, "{\"_data_files\": [{\"filename\": \"data-00000-of-00001.arrow\"}]}");
    snprintf(path, sizeof path, "%s/%s/data-00000-of-00001.arrow", test_temp_dir(), folder);
    char *from = axl__path_resolved(
        f->ctx, test_source_path("tests/golden/readers/arrow-stream-None.arrow"));
    assert_int_equal(symlink(from, path), 0);
    axl__free(f->ctx, from);
}

static uint64_t count_rows(fixture *f, const char *config)
{
    axl_dataset *data;
    axl__json *keys;

    assert_ok(axl__json_parse(&keys, &f->arena, config, strlen(config), "config"));
    if (open_split(f, keys, AXL_SPLIT_TRAIN, &data) != AXL_OK)
        return 0;
    uint64_t n = axl_dataset_count(data);
    axl_dataset_free(data);
    return n;
}

static void test_row_orders__saved_sets_are_read(void **state)
{
    char path[512];
    fixture f;

    (void)state;
    set_up(&f);
    put_saved(&f, "one");
    put_saved(&f, "two");
    put_saved(&f, "two/train");
    put_saved(&f, "two/more");
    snprintf(path, sizeof path, "%s/two/dataset_dict.json", test_temp_dir());
    write_text(path, "{\"splits\": [\"train\", \"more\"]}");
#define SET(path, more)                                                                            \
    "{\"datasets\": [{\"path\": \"" path "\", \"type\": \"alpaca\"" more                           \
    "}], \"sequence_len\": 999}"
    assert_int_equal(count_rows(&f, SET("one", "")), 12);
    assert_int_equal(count_rows(&f, SET("one", ", \"split\": \"test\"")), 12);
    assert_int_equal(count_rows(&f, SET("one", ", \"split\": \"train[3:7]\"")), 4);
    assert_int_equal(count_rows(&f, SET("two", "")), 12);
    assert_int_equal(count_rows(&f, SET("two", ", \"split\": \"all\"")), 24);
    assert_int_equal(count_rows(&f, SET("two", ", \"split\": \"more[:1]+train[-2:]\"")), 3);
    assert_int_equal(count_rows(&f, SET("two", ", \"split\": \"test\"")), 0);
    assert_non_null(strstr(axl_last_error(), "there is no split \"test\"; there is train+more"));
    tear_down(&f);
}

/* ---- configurations ---- */

static void test_row_orders__configurations_are_read(void **state)
{
    char path[512];
    fixture f;

    (void)state;
    set_up(&f);
    write_files(axl__json_get(f.root, "files"));
    snprintf(path, sizeof path, "%s/d/README.md", test_temp_dir());
    write_text(path, "---\nlicense: mit\nconfigs:\n- config_name: small\n  data_files:\n"
                     "  - {split: train, path: [test.jsonl, './vali*.jsonl']}\n"
                     "  - {split: odd, path: '**/train-1.jsonl'}\n"
                     "- {config_name: other, data_files: 'train-*'}\n---\n# d\n");
#define D(more)                                                                                    \
    "{\"datasets\": [{\"path\": \"d\", \"type\": \"alpaca\"" more "}], \"sequence_len\": 999}"
    assert_int_equal(count_rows(&f, D("")), 0);
    assert_non_null(strstr(axl_last_error(), "set `name` to one of small, other"));
    assert_int_equal(count_rows(&f, D(", \"name\": \"none\"")), 0);
    assert_non_null(strstr(axl_last_error(), "no configuration \"none\"; there is small, other"));
    assert_int_equal(count_rows(&f, D(", \"name\": \"small\"")), 13);
    assert_int_equal(count_rows(&f, D(", \"name\": \"small\", \"split\": \"odd[:2]\"")), 2);
    assert_int_equal(count_rows(&f, D(", \"name\": \"small\", \"split\": \"all\"")), 19);
    assert_int_equal(count_rows(&f, D(", \"name\": \"small\", \"split\": \"test\"")), 0);
    assert_non_null(strstr(axl_last_error(), "there is no split \"test\"; there is train+odd"));
    assert_int_equal(count_rows(&f, D(", \"name\": \"other\"")), 13);
    write_text(path, "---\nconfigs: [\n---\n");
    assert_int_equal(count_rows(&f, D("")), 0);
    assert_non_null(strstr(axl_last_error(), "README.md: what stands between its lines ---"));
    tear_down(&f);
}

/* ---- what is no place of files ---- */

static void fails_with(fixture *f, const char *config, const char *why)
{
    assert_int_equal(count_rows(f, config), 0);
    if (!strstr(axl_last_error(), why))
        fail_msg("%s: %s", config, axl_last_error());
}

static void test_row_orders__says_what_is_not_read(void **state)
{
    fixture f;

    (void)state;
    set_up(&f);
    write_files(axl__json_get(f.root, "files"));
    fails_with(&f, SET("s3://b/x.json", ""), "nothing is read over s3; copy it to this machine");
    fails_with(&f, SET("http://h/x.json", ""), "nothing is read over http, where anyone");
    fails_with(&f, SET("https://h/x.json", ""), "\"https://h/x.json\" is not in the cache");
    fails_with(&f, SET("https://a:b@h/x.json", ""), "with a user or a password");
    fails_with(&f, SET("hf://datasets/a/b", ""), "write the id alone, a/b");
    fails_with(&f, SET("a.jsonl", ", \"split\": \"test\""), "there is no split \"test\"");
    fails_with(&f, SET("a.jsonl", ", \"split\": \"train[:\""), "\"train[:\" is no split: write");
    fails_with(&f, SET("d", ", \"split\": \"more\""), "there is train+validation+test");
    fails_with(&f, SET("*.none", ""), "no file there is named as *.none");
    assert_int_equal(count_rows(&f, SET("[ab].json*", ", \"split\": \"train[-3:]\"")), 3);
    assert_int_equal(count_rows(&f, SET("**/t*-[0-9].jsonl", "")), 13);
    tear_down(&f);
}

/* ---- slices ---- */

static void check_slices(const axl__json *want)
{
    const axl__json *spec = want->child, *rows = spec->next, *ranges = rows->next;
    axl__split_part parts[AXL__SPLIT_PARTS_MAX];
    uint64_t from, to;
    size_t n;

    axl_status status = axl__split_parse(spec->text, parts, &n);
    for (size_t i = 0; status == AXL_OK && i < n; i++) {
        const bool known = strncmp(parts[i].name, "train", 5) == 0;
        status = known ? axl__split_range(&parts[i], (uint64_t)rows->integer, &from, &to)
                       : AXL_ERR_NOT_FOUND;
    }
    if ((status == AXL_OK) != (ranges->type != AXL__JSON_NULL) && strcmp(spec->text, "train+test"))
        fail_msg("\"%s\": %s", spec->text, axl_last_error());
    if (status != AXL_OK || ranges->type == AXL__JSON_NULL)
        return;
    const axl__json *range = ranges->child;
    assert_int_equal(ranges->count, n);
    for (size_t i = 0; i < n; i++, range = range->next) {
        assert_ok(axl__split_range(&parts[i], (uint64_t)rows->integer, &from, &to));
        if (from != (uint64_t)range->child->integer || to != (uint64_t)range->child->next->integer)
            fail_msg("\"%s\" of %lld rows: %llu to %llu", spec->text, (long long)rows->integer,
                     (unsigned long long)from, (unsigned long long)to);
    }
}

static void test_row_orders__slices_are_those_of_datasets(void **state)
{
    fixture f;

    (void)state;
    set_up(&f);
    for (const axl__json *c = axl__json_get(f.root, "slices")->child; c; c = c->next)
        check_slices(c);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_orders__are_those_of_axolotl),
        cmocka_unit_test(test_row_orders__groups_are_those_of_transformers),
        cmocka_unit_test(test_row_orders__saved_sets_are_read),
        cmocka_unit_test(test_row_orders__configurations_are_read),
        cmocka_unit_test(test_row_orders__says_what_is_not_read),
        cmocka_unit_test(test_row_orders__slices_are_those_of_datasets),
    };

    return test_run(tests);
}
