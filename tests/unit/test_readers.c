/* SPDX-License-Identifier: Apache-2.0 */
/* test_readers.c - records of every format against those that Hugging Face's datasets and pyarrow
 * read (tests/golden/make_reader_goldens.py says what the files hold). */
#include "testing.h"

#include "data/read/source.h"

#include "base/str.h"

#include <axl/status.h>

#include <limits.h>
#include <unistd.h>
#include <zlib.h>

static axl_context *ctx;
static axl__arena goldens, records;
static axl__str got, want;

static int set_up(void **state)
{
    (void)state;
    ctx = test_context();
    axl__arena_init(&goldens, ctx);
    axl__arena_init(&records, ctx);
    axl__str_init(&got, ctx);
    axl__str_init(&want, ctx);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    axl__str_free(&got);
    axl__str_free(&want);
    axl__arena_free(&goldens);
    axl__arena_free(&records);
    axl_context_free(ctx);
    return 0;
}

static void put_bytes(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    fclose(f);
}

/* The records of a file into got, a line each, a malformed one as "!PLACE: why"; *n of the others,
 * *bad of those.  A status below 0 ends it. */
static axl_status read_file(const char *path, const char *format, size_t *n, size_t *bad)
{
    axl__source *source;
    axl_status status = axl__source_open(&source, ctx, path, format);

    *n = *bad = 0;
    axl__str_clear(&got);
    while (status == AXL_OK || status == AXL_ERR_DATA) {
        const axl__json *record;
        axl__record_error error;
        axl__arena_reset(&records);
        status = axl__source_next(source, &records, &record, &error);
        assert_true(axl__source_progress(source) <= axl__source_file(source)->size);
        if (status == AXL_OK)
            axl__json_write(&got, record, 0);
        else if (status == AXL_ERR_DATA)
            axl__record_error_put(&got, "!", axl__source_place(source), &error);
        if (status == AXL_OK || status == AXL_ERR_DATA)
            axl__str_putc(&got, '\n');
        *n += status == AXL_OK;
        *bad += status == AXL_ERR_DATA;
    }
    assert_true(source || status < 0);
    axl__source_close(source);
    return status;
}

/* Compares got with the records of a golden. */
static void check_records(const char *what, const axl__json *rows)
{
    axl__str_clear(&want);
    for (const axl__json *row = rows->child; row; row = row->next) {
        axl__json_write(&want, row, 0);
        axl__str_putc(&want, '\n');
    }
    const char *a = axl__str_text(&got), *b = axl__str_text(&want);
    for (; *a && *b; a += strcspn(a, "\n") + 1, b += strcspn(b, "\n") + 1)
        if (strcspn(a, "\n") != strcspn(b, "\n") || memcmp(a, b, strcspn(a, "\n")) != 0)
            break;
    if (*a || *b)
        fail_msg("%s reads as\n%.*s\nnot as\n%.*s", what, (int)strcspn(a, "\n"), a,
                 (int)strcspn(b, "\n"), b);
}

static void check_text(const char *path, const axl__json *golden)
{
    const axl__json *rows = axl__json_get(golden, "records");
    const axl__json *text = axl__json_get(golden, "text");
    size_t n, bad;

    put_bytes(path, text->text, text->len);
    axl_status status = read_file(path, axl__json_string(golden, "format", ""), &n, &bad);
    if (rows->type == AXL__JSON_NULL) {
        if (status == AXL_END && bad == 0 && n > 0)
            fail_msg("\"%s\" reads as %s", text->text, axl__str_text(&got));
        return;
    }
    assert_int_equal(status, AXL_END);
    check_records(text->text, rows);
}

static void check_file(const char *unused, const axl__json *golden)
{
    char path[128];
    size_t n, bad;

    (void)unused;
    snprintf(path, sizeof path, "tests/golden/readers/%s", axl__json_string(golden, "file", ""));
    axl_status status = read_file(test_source_path(path), NULL, &n, &bad);
    if (axl__json_get(golden, "records")->type == AXL__JSON_NULL) {
        assert_fails(status, AXL_ERR_UNSUPPORTED, "brotli, which is not read; zstd, snappy");
        return;
    }
    if (status == AXL_ERR_UNSUPPORTED) { /* a codec that this build was made without */
        assert_non_null(strstr(axl_last_error(), "made without lib"));
        return;
    }
    if (status != AXL_END)
        fail_msg("%s", axl_last_error());
    check_records(path, axl__json_get(golden, "records"));
}

/* Every line of a list of goldens. */
static void check_list(const char *name, void (*check)(const char *, const axl__json *))
{
    const axl__json *golden;
    axl__record_error error;
    axl__source *source;
    axl_status status;

    assert_ok(axl__source_open(&source, ctx, test_source_path(name), NULL));
    while ((status = axl__source_next(source, &goldens, &golden, &error)) == AXL_OK) {
        check(temp_path("golden.data"), golden);
        axl__arena_reset(&goldens);
    }
    assert_int_equal(status, AXL_END);
    axl__source_close(source);
}

static void test_readers__texts_as_datasets(void **state)
{
    (void)state;
    check_list("tests/golden/readers/texts.jsonl", check_text);
}

static void test_readers__parquet_as_pyarrow(void **state)
{
    (void)state;
    check_list("tests/golden/readers/parquet.jsonl.gz", check_file);
}

static void test_readers__arrow_as_pyarrow(void **state)
{
    (void)state;
    check_list("tests/golden/readers/arrow.jsonl.gz", check_file);
}

/* ---- places ---- */

static void reads_as(const char *text, const char *expected)
{
    size_t n, bad;

    put_bytes(temp_path("f.csv"), text, strlen(text));
    assert_int_equal(read_file(temp_path("f.csv"), NULL, &n, &bad), AXL_END);
    assert_string_equal(axl__str_text(&got), expected);
}

static void test_readers__csv_says_where_a_row_is_wrong(void **state)
{
    (void)state;
    reads_as("a,b\n\"1\n2\",2\n3\n4,5,6\n7,8\n", "{\"a\": \"1\\n2\", \"b\": 2}\n"
                                                 "!:4: the row has 1 field, the header 2\n"
                                                 "!:5: the row has 3 fields, the header 2\n"
                                                 "{\"a\": \"7\", \"b\": 8}\n");
    reads_as("a,b\r\rx,y\r\n\xFF,z\r\n\"u,v",
             "{\"a\": \"x\", \"b\": \"y\"}\n"
             "!:4: not UTF-8\n"
             "!:5: a quote that opens in this row is not closed\n");
}

/* A type is that of the first 10000 rows. */
static void test_readers__csv_types_are_those_of_the_first_rows(void **state)
{
    char *text = malloc(200000), *at = text;
    size_t n, bad;

    (void)state;
    at += sprintf(at, "n,s,z\n");
    for (int i = 0; i < 10000; i++)
        at += sprintf(at, "%d,s%d,\n", i, i);
    at += sprintf(at, "x,7,\n,8,\n9,9,1\n");
    put_bytes(temp_path("f.csv"), text, (size_t)(at - text));
    free(text);
    assert_int_equal(read_file(temp_path("f.csv"), NULL, &n, &bad), AXL_END);
    assert_int_equal(n, 10001);
    assert_string_equal(strstr(got.data, "s9999") - 18,
                        "{\"n\": 9999, \"s\": \"s9999\", \"z\": null}\n"
                        "!:10002: \"n\" holds integers in the first 10000 rows, and here \"x\"\n"
                        "{\"n\": null, \"s\": \"8\", \"z\": null}\n"
                        "!:10004: \"z\" holds nothing in the first 10000 rows, and here \"1\"\n");
}

/* ---- parquet that is broken ---- */

/* A golden with n bytes of it at a place overwritten, cut to a size. */
static const char *damaged(const char *name, size_t at, size_t n, size_t size)
{
    static char bytes[1 << 16];
    char path[128];

    snprintf(path, sizeof path, "tests/golden/readers/%s", name);
    FILE *f = fopen(test_source_path(path), "rb");
    assert_non_null(f);
    size_t len = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    memset(bytes + at, 0xFF, n);
    const char *out =
        temp_path(strrchr(name, '.') == strstr(name, ".arrow") ? "f.arrow" : "f.parquet");
    put_bytes(out, bytes, size < len ? size : len);
    return out;
}

static void rows_fail(const char *path, axl_status status, const char *why)
{
    size_t n, bad;

    assert_fails(read_file(path, NULL, &n, &bad), status, strrchr(path, '/') + 1);
    assert_fails(read_file(path, NULL, &n, &bad), status, why);
}

static void test_readers__arrow_says_what_is_wrong(void **state)
{
    const size_t all = SIZE_MAX;
    const char *name = "arrow-alpaca-None.arrow", *packed = "arrow-stream-zstd.arrow";

    (void)state;
    rows_fail(damaged(name, 0, 0, 3090 - 6), AXL_ERR_FORMAT, "it does not end as one");
    rows_fail(damaged(name, 3090 - 10, 4, all), AXL_ERR_FORMAT, "it does not end as one");
    rows_fail(damaged(name, 0, 1, all), AXL_ERR_FORMAT, "a message is longer than the file");
    rows_fail(damaged(packed, 0, 0, 1000), AXL_ERR_FORMAT, "longer than the file");
    rows_fail(damaged(name, 16, 4, all), AXL_ERR_FORMAT, "leads out of it");
    put_bytes(temp_path("f.arrow"), "", 0);
    rows_fail(temp_path("f.arrow"), AXL_ERR_FORMAT, "it has no schema");
    put_bytes(temp_path("f.feather"), "FEA1\0\0\0\0", 8);
    rows_fail(temp_path("f.feather"), AXL_ERR_UNSUPPORTED, "write version 2");
}

static void test_readers__parquet_says_what_is_wrong(void **state)
{
    enum { ALL = 1 << 16 };
    const char *name = "alpaca-gzip.parquet";
    gzFile g;

    (void)state;
    rows_fail(damaged(name, 0, 4, ALL), AXL_ERR_FORMAT, "does not begin and end with PAR1");
    rows_fail(damaged(name, 0, 0, 1000), AXL_ERR_FORMAT, "does not begin and end with PAR1");
    rows_fail(damaged(name, 0, 0, 3), AXL_ERR_FORMAT, "does not begin and end with PAR1");
    rows_fail(damaged(name, 1888 - 8, 4, ALL), AXL_ERR_FORMAT, "longer than the file");
    rows_fail(damaged(name, 1888 - 500, 400, ALL), AXL_ERR_FORMAT, "not a parquet file");
    rows_fail(damaged(name, 4, 20, ALL), AXL_ERR_FORMAT,
              "column \"instruction\", page at byte 4: its head is malformed");
    rows_fail(damaged(name, 50, 60, ALL), AXL_ERR_FORMAT,
              "column \"instruction\", page at byte 4: its compressed bytes are malformed");
    g = gzopen(temp_path("f.parquet.gz"), "wb");
    gzprintf(g, "PAR1");
    gzclose(g);
    rows_fail(temp_path("f.parquet.gz"), AXL_ERR_UNSUPPORTED, "not compressed as a whole");
}

/* ---- compressed ---- */

/* Rows with quotes and line ends of each kind, which pieces of a file end in anywhere. */
static size_t many_rows(char *text)
{
    char *at = text + sprintf(text, "a,b\r\n");

    for (int i = 0; i < 30000; i++)
        at += sprintf(at, "\"%d \"\"%.*s\r\n\xC3\xA9\",%d%s", i, i % 50,
                      "##################################################", i,
                      i % 3 == 0   ? "\r\n"
                      : i % 3 == 1 ? "\n"
                                   : "\r");
    return (size_t)(at - text);
}

static void compare_packed(const char *text, size_t len, const char *format)
{
    size_t n, bad, packed_n;
    gzFile g = gzopen(temp_path("f.gz"), "wb1");

    assert_int_equal(gzwrite(g, text, (unsigned)len), (int)len);
    gzclose(g);
    put_bytes(temp_path("f.plain"), text, len);
    assert_int_equal(read_file(temp_path("f.plain"), format, &n, &bad), AXL_END);
    axl__str_clear(&want);
    axl__str_put(&want, got.data, got.len);
    assert_int_equal(read_file(temp_path("f.gz"), format, &packed_n, &bad), AXL_END);
    assert_int_equal(n, packed_n);
    assert_int_equal(bad, 0);
    assert_true(got.len == want.len && memcmp(got.data, want.data, got.len) == 0);
}

static void test_readers__compressed_in_pieces(void **state)
{
    char *text = malloc(4 << 20);
    size_t len = many_rows(text);

    (void)state;
    compare_packed(text, len, "csv");
    compare_packed(text, len, "text");
    free(text);
}

/* A zstd frame with blocks of a kind, each the text as it is (0). */
static void put_frame(FILE *f, int kind, const char *text, size_t n_blocks)
{
    size_t size = strlen(text);

    fwrite("\x28\xB5\x2F\xFD\0\x38", 1, 6, f); /* a window of 128 KiB */
    for (size_t i = 0; i < n_blocks; i++) {
        unsigned head = (i + 1 == n_blocks) | (unsigned)kind << 1 | (unsigned)size << 3;
        unsigned char bytes[3] = { head & 0xFF, head >> 8 & 0xFF, head >> 16 & 0xFF };
        fwrite(bytes, 1, 3, f);
        fwrite(text, 1, size, f);
    }
}

static const char *zstd_file(int kind, const char *text, size_t n_blocks)
{
    const char *path = temp_path("f.csv.zst");
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    put_frame(f, 0, "a,b\n1,x\n", 1);
    put_frame(f, kind, text, n_blocks);
    fclose(f);
    return path;
}

static void test_readers__zstd(void **state)
{
    size_t n, bad;
    const char *path = zstd_file(0, "2,y\n", 1000);

    (void)state;
    if (!axl_feature_supported("zstd")) {
        assert_fails(read_file(path, NULL, &n, &bad), AXL_ERR_UNSUPPORTED,
                     "f.csv.zst: this build of axl cannot read .zst files: it was made without "
                     "libzstd");
        assert_fails(read_file(path, "csv", &n, &bad), AXL_ERR_UNSUPPORTED, "libzstd");
        return;
    }
    assert_int_equal(read_file(path, NULL, &n, &bad), AXL_END);
    assert_int_equal(n, 1001);
    assert_int_equal(bad, 0);
    assert_memory_equal(got.data, "{\"a\": 1, \"b\": \"x\"}\n{\"a\": 2, \"b\": \"y\"}\n", 38);
    path = zstd_file(0, "2,y\n", 1000);
    assert_int_equal(truncate(path, 4000), 0);
    assert_fails(read_file(path, NULL, &n, &bad), AXL_ERR_FORMAT, "the zstd data ends early");
    path = zstd_file(3, "2,y\n", 1); /* a kind that is reserved */
    assert_fails(read_file(path, NULL, &n, &bad), AXL_ERR_FORMAT, "broken zstd data");
}

/* ---- memory ---- */

static void *limited_realloc(void *user, void *block, size_t size)
{
    long *left = user;

    return (*left)-- > 0 ? realloc(block, size) : NULL;
}

static void *limited_alloc(void *user, size_t size)
{
    return limited_realloc(user, NULL, size);
}

static void limited_free(void *user, void *block)
{
    (void)user;
    free(block);
}

/* Each allocation of a reading fails, one after another; nothing worse may come of it. */
static void runs_out(const char *path)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    axl_status status = AXL_ERR_NOMEM;
    long left = LONG_MAX;
    axl_context *limited;

    o.alloc = limited_alloc;
    o.realloc = limited_realloc;
    o.free = limited_free;
    o.alloc_user = &left;
    assert_ok(axl_context_new(&limited, &o));
    for (long most = 0; status == AXL_ERR_NOMEM; most++) {
        const axl__json *record;
        axl__record_error error;
        axl__source *source;
        axl__arena arena;
        axl__arena_init(&arena, limited);
        left = most;
        status = axl__source_open(&source, limited, path, NULL);
        for (bool more = status == AXL_OK; more; more = status == AXL_OK) {
            axl__arena_reset(&arena);
            status = axl__source_next(source, &arena, &record, &error);
        }
        left = LONG_MAX;
        axl__source_close(source);
        axl__arena_free(&arena);
    }
    if (status != AXL_END)
        fail_msg("%s: %s", path, axl_last_error());
    axl_context_free(limited);
}

static void test_readers__out_of_memory(void **state)
{
    (void)state;
    put_bytes(temp_path("f.csv"), "a,a,b\n1,\"x\",\n2.5,y,z\n", 21);
    put_bytes(temp_path("f.txt"), "x\ny\n", 4);
    runs_out(temp_path("f.csv"));
    runs_out(temp_path("f.txt"));
    runs_out(test_source_path("tests/golden/readers/times.parquet"));
    runs_out(test_source_path("tests/golden/readers/nested-old-names.parquet"));
    runs_out(test_source_path("tests/golden/readers/arrow-dictionaries-deltas.arrow"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_readers__texts_as_datasets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_readers__parquet_as_pyarrow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_readers__arrow_as_pyarrow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_readers__csv_says_where_a_row_is_wrong, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_readers__csv_types_are_those_of_the_first_rows, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_readers__arrow_says_what_is_wrong, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_readers__parquet_says_what_is_wrong, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_readers__compressed_in_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_readers__zstd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_readers__out_of_memory, set_up, tear_down),
    };

    return test_run(tests);
}
