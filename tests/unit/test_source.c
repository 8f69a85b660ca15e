/* SPDX-License-Identifier: Apache-2.0 */
/* test_source.c - records out of files, and where the bad ones are. */
#include "testing.h"

#include "data/read/reader.h"
#include "data/read/source_files.h"

#include "config/schema.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static const char *put_file(const char *name, const char *text)
{
    const char *path = temp_path(name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

/* What reading gives: "a" values joined by ',', each failure as "!message". */
static const char *read_all(const char *path, const char *format)
{
    static char out[4096];
    axl_context *ctx = test_context();
    axl__source *source;
    axl__arena arena;
    axl__str place;
    size_t at = 0;

    out[0] = '\0';
    axl__str_init(&place, ctx);
    axl__arena_init(&arena, ctx);
    assert_ok(axl__source_open(&source, ctx, path, format));
    for (;;) {
        const axl__json *record;
        axl__record_error error;
        axl__arena_reset(&arena);
        axl_status status = axl__source_next(source, &arena, &record, &error);
        if (status == AXL_END)
            break;
        if (status == AXL_OK)
            at += (size_t)snprintf(out + at, sizeof out - at, "%s@%d,",
                                   axl__json_string(record, "a", "-"), (int)error.at);
        else {
            axl__str_clear(&place);
            axl__record_error_put(&place, NULL, axl__source_place(source), &error);
            at += (size_t)snprintf(out + at, sizeof out - at, "!%s,", axl__str_text(&place));
        }
        assert_true(status == AXL_OK || status == AXL_ERR_DATA);
        assert_true(axl__source_progress(source) <= axl__source_file(source)->size);
    }
    axl__source_close(source);
    axl__arena_free(&arena);
    axl__str_free(&place);
    axl_context_free(ctx);
    return out;
}

static void test_source__reads_lines_and_arrays(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "{\"a\": \"x\"}\n{\"a\": \"y\"}\n", "x@1,y@2," },
        { "\n{\"a\": \"x\"}\r\n\r\n  {\"a\": \"y\"}", "x@2,y@4," },
        { "\xEF\xBB\xBF{\"a\": \"x\"}", "x@1," },
        { "[{\"a\": \"x\"}, {\"a\": \"y\"}]", "x@1,y@1," },
        { " [\n {\"a\":\n\"x\"},\n{\"a\": \"y\"}\n]\n", "x@2,y@4," },
        { "[]", "" },
        { "", "" },
        { " \n", "" },
        { "{}\n", "-@1," },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(read_all(put_file("f.json", cases[i].text), NULL), cases[i].want);
}

static void test_source__names_the_place_of_bad_records(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "{\"a\": \"x\"}\n{\"a\": x}\n{\"a\": \"y\"}\n", "x@1,!2:7: not a JSON value,y@3," },
        { "3\n{\"a\": \"y\"}\n", "!1: a record must be an object, not an integer,y@2," },
        { "{\"a\": \"x\", \"n\": NaN}\n{\"a\": \"y\", \"n\": [-Infinity, Infinity]}\n",
          "x@1,y@2," },
        { "[{\"n\": NaN, \"a\": \"x\"},\n{\"a\": \"y\"}]", "x@1,y@2," },
        { "{\"a\": \"x\"} {\"a\": \"y\"}\n", "!1:12: something follows the JSON value," },
        { "{\n\"a\": \"x\"\n}\n",
          "!1:1: one object over several lines, where a list of records or a record a line is "
          "needed," },
        { "[{\"a\": \"x\"},\n \"s\", {\"a\": \"y\"}]",
          "x@1,!2: a record must be an object, not a string,y@2," },
        { "[{\"a\": \"x\"},\n{\"a\"}, {\"a\": \"y\"}]", "x@1,!2:5: ':' is missing after a key," },
        { "[{\"a\": \"x\"}\n\n {\"a\": \"y\"}]", "x@1,!3:2: ',' or ']' is missing," },
        { "[{\"a\": \"x\"}", "x@1,!1:12: ',' or ']' is missing," },
        { "[{\"a\": \"x\"}]\n]", "x@1,!2:1: something follows the list of records," },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(read_all(put_file("f.json", cases[i].text), NULL), cases[i].want);
}

static void test_source__places_a_row_by_its_number(void **state)
{
    axl__record_error error = { .at = 3, .column = 0, .why = { "no such column" } };
    axl_context *ctx = test_context();
    axl__str s;

    (void)state;
    axl__str_init(&s, ctx);
    axl__record_error_put(&s, "x.parquet", "row", &error);
    axl__str_puts(&s, "; ");
    axl__record_error_put(&s, NULL, "row", &error);
    error.column = 7;
    axl__str_puts(&s, "; ");
    axl__record_error_put(&s, "x.jsonl", "line", &error);
    assert_string_equal(s.data, "x.parquet: row 3: no such column; row 3: no such column; "
                                "x.jsonl:3:7: no such column");
    axl__str_free(&s);
    axl_context_free(ctx);
}

/* What the schema says of ds_type is what the table of readers reads. */
static void test_source__formats_are_those_of_the_schema(void **state)
{
    axl_context *ctx = test_context();
    axl__str s;

    (void)state;
    axl__str_init(&s, ctx);
    axl__readers_put_formats(&s);
    assert_string_equal(s.data, axl__schema_find("datasets[].ds_type")->values);
    axl__str_free(&s);
    for (size_t i = 0; i < axl__n_readers; i++) {
        const axl__reader *r = axl__readers[i];
        assert_true(strcmp(r->place, "line") == 0 || strcmp(r->place, "row") == 0);
        assert_true(r->open && r->next && r->close && r->progress);
        assert_true(axl__readers_claim(r->suffix));
    }
    axl_context_free(ctx);
}

typedef struct {
    axl__source *source;
    axl__arena arena;
    const axl__json *record;
    axl__record_error error;
} side;

static void open_side(side *s, axl_context *ctx, const char *path)
{
    axl__arena_init(&s->arena, ctx);
    assert_ok(axl__source_open(&s->source, ctx, path, NULL));
}

static void test_source__inflates(void **state)
{
    const char *path = temp_path("f.jsonl.gz");

    (void)state;
    for (int member = 0; member < 2; member++) { /* two members, as cat a.gz b.gz makes */
        gzFile f = gzopen(path, member ? "ab" : "wb");
        gzprintf(f, "{\"a\": \"%d\"}\n", member);
        gzclose(f);
    }
    assert_string_equal(read_all(path, NULL), "0@1,1@2,");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 4), 0);
    axl_context *ctx = test_context();
    side s;
    open_side(&s, ctx, path);
    axl_status status;
    do
        status = axl__source_next(s.source, &s.arena, &s.record, &s.error);
    while (status == AXL_OK);
    assert_fails(status, AXL_ERR_FORMAT, "ends early");
    axl__source_close(s.source);
    axl__arena_free(&s.arena);
    axl_context_free(ctx);
}

/* A text gives the same records and the same errors at the same places plain and gzipped. */
static void compare_gzipped(const char *text, size_t len, size_t wanted)
{
    axl_context *ctx = test_context();
    axl_status status[2];
    side s[2];
    size_t n = 0;
    FILE *f = fopen(temp_path("plain.json"), "w");
    assert_int_equal(fwrite(text, 1, len, f), len);
    fclose(f);
    gzFile g = gzopen(temp_path("packed.json.gz"), "wb");
    assert_int_equal(gzwrite(g, text, (unsigned)len), (int)len);
    gzclose(g);
    open_side(&s[0], ctx, temp_path("plain.json"));
    open_side(&s[1], ctx, temp_path("packed.json.gz"));
    do {
        for (int i = 0; i < 2; i++) {
            axl__arena_reset(&s[i].arena);
            status[i] = axl__source_next(s[i].source, &s[i].arena, &s[i].record, &s[i].error);
        }
        assert_int_equal(status[0], status[1]);
        n += status[0] == AXL_OK;
        if (status[0] != AXL_END)
            assert_int_equal(s[0].error.at, s[1].error.at);
        if (status[0] == AXL_ERR_DATA) {
            assert_int_equal(s[0].error.column, s[1].error.column);
            assert_string_equal(s[0].error.why.text, s[1].error.why.text);
        } else if (status[0] == AXL_OK) {
            assert_string_equal(axl__json_string(s[0].record, "a", "-"),
                                axl__json_string(s[1].record, "a", "-"));
        }
    } while (status[0] != AXL_END);
    assert_int_equal(n, wanted);
    assert_true(s[1].source->window.cap < (4u << 20));
    for (int i = 0; i < 2; i++) {
        axl__source_close(s[i].source);
        axl__arena_free(&s[i].arena);
    }
    axl_context_free(ctx);
}

enum { MANY = 20000 };

/* Records of different lengths, so that pieces end anywhere in them; a broken one near the end. */
static size_t many_records(char *out, const char *between, const char *broken)
{
    size_t len = 0;

    for (int i = 0; i < MANY; i++)
        len += (size_t)sprintf(
            out + len, "{\"a\": \"%d [}\\\"\xC3\xA9 %.*s\", \"b\": [[%d], {}]}%s", i, i % 90,
            "#########################################################"
            "###################################",
            i, i == MANY - 1 ? broken : between);
    return len;
}

static void test_source__gzipped_in_pieces(void **state)
{
    char *text = malloc((size_t)MANY * 256);

    (void)state;
    compare_gzipped(text, many_records(text, "\n", "\n{\"a\": }\n3\n{}"), MANY + 1);
    text[0] = '[';
    compare_gzipped(text, 1 + many_records(text + 1, ", ", ",\n \xC3\xA9]"), MANY);
    compare_gzipped(text, 1 + many_records(text + 1, ",", ", {\"a\": \"\xC3\xA9\" 1}]"), MANY);
    compare_gzipped(text, 1 + many_records(text + 1, ",\n", "] x"), MANY);
    compare_gzipped(text, 1 + many_records(text + 1, ",\r\n", ", {\"a"), MANY);
    compare_gzipped(text, 1 + many_records(text + 1, " , ", ", \"s\", 3, tru, {}]"), MANY);
    memset(text, '\n', 1 << 20);
    compare_gzipped(text, (1 << 20) + (size_t)sprintf(text + (1 << 20), "[{}]"), 1);
    free(text);
}

/* A small file that inflates without end is a record without end. */
static void test_source__a_bomb(void **state)
{
    const char *path = temp_path("bomb.jsonl.gz");
    char *block = malloc(1 << 20);
    gzFile f = gzopen(path, "wb1");

    (void)state;
    memset(block, 'a', 1 << 20);
    for (int i = 0; i < 300; i++)
        gzwrite(f, block, 1 << 20);
    gzclose(f);
    free(block);
    axl_context *ctx = test_context();
    side s;
    open_side(&s, ctx, path);
    assert_fails(axl__source_next(s.source, &s.arena, &s.record, &s.error), AXL_ERR_FORMAT,
                 "longer than 256 MiB");
    axl__source_close(s.source);
    axl__arena_free(&s.arena);
    axl_context_free(ctx);
}

static void test_source__says_what_it_cannot_read(void **state)
{
    axl_context *ctx = test_context();
    axl__source *source;

    (void)state;
    assert_fails(axl__source_open(&source, ctx, "x.arrow.gz", NULL), AXL_ERR_UNSUPPORTED, "arrow");
    assert_fails(axl__source_open(&source, ctx, "x.json", "orc"), AXL_ERR_UNSUPPORTED, "orc files");
    assert_fails(axl__source_open(&source, ctx, "x.json.xz", NULL), AXL_ERR_UNSUPPORTED, ".zst");
    assert_fails(axl__source_open(&source, ctx, "/none/x.json", NULL), AXL_ERR_NOT_FOUND, "x.json");
    axl_context_free(ctx);
}

static void folder_gives(const char *const *names, const char *want)
{
    axl_context *ctx = test_context();
    axl__files files = { 0 };
    char dir[300], path[300], out[600] = "";

    snprintf(dir, sizeof dir, "%s/folder", test_temp_dir());
    mkdir(dir, 0777);
    for (size_t i = 0; names[i]; i++) {
        snprintf(path, sizeof path, "folder/%s", names[i]);
        put_file(path, "{}");
    }
    const axl__split_name train = { "train", 5, false };
    axl_status status = axl__files_of_folder(&files, ctx, dir, &train);
    for (size_t i = 0; i < files.n; i++) {
        strcat(out, strrchr(files.paths[i], '/') + 1);
        strcat(out, " ");
    }
    assert_string_equal(status == AXL_OK ? out : axl_status_name(status), want);
    axl__files_free(&files, ctx);
    assert_ok(axl__remove_tree(dir));
    axl_context_free(ctx);
}

static void test_source__takes_the_train_files_of_a_folder(void **state)
{
    (void)state;
    folder_gives((const char *const[]){ "b.json", "a.jsonl.gz", "README.md", ".c.json", NULL },
                 "a.jsonl.gz b.json ");
    folder_gives((const char *const[]){ "train-00000.json", "test.json", "more.json", NULL },
                 "train-00000.json ");
    folder_gives((const char *const[]){ "my_dev.json", "constraint.json", NULL },
                 "AXL_ERR_NOT_FOUND");
    folder_gives((const char *const[]){ "constraint.json", "x.csv", NULL }, "constraint.json ");
    folder_gives((const char *const[]){ "a.json", "x.csv", "y.csv.gz", "z.txt", NULL },
                 "x.csv y.csv.gz ");
    folder_gives((const char *const[]){ "train-00000-of-00001-a1b2.parquet", "dataset_info.json",
                                        "test-00000-of-00001.parquet", "README.md", NULL },
                 "train-00000-of-00001-a1b2.parquet ");
    folder_gives((const char *const[]){ "x.arrow", "y.feather", NULL }, "x.arrow y.feather ");
    folder_gives((const char *const[]){ "x.orc", NULL }, "AXL_ERR_NOT_FOUND");
    folder_gives((const char *const[]){ NULL }, "AXL_ERR_NOT_FOUND");
}

static int clean_up(void **state)
{
    axl_context *ctx = test_context();

    (void)state;
    assert_ok(axl__remove_tree(test_temp_dir()));
    axl_context_free(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_source__reads_lines_and_arrays),
        cmocka_unit_test(test_source__names_the_place_of_bad_records),
        cmocka_unit_test(test_source__places_a_row_by_its_number),
        cmocka_unit_test(test_source__formats_are_those_of_the_schema),
        cmocka_unit_test(test_source__inflates),
        cmocka_unit_test(test_source__gzipped_in_pieces),
        cmocka_unit_test(test_source__a_bomb),
        cmocka_unit_test(test_source__says_what_it_cannot_read),
        cmocka_unit_test_teardown(test_source__takes_the_train_files_of_a_folder, clean_up),
    };

    return test_run(tests);
}
