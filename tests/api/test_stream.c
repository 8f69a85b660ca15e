/* SPDX-License-Identifier: Apache-2.0 */
/* test_stream.c - data that is read while it is trained: every record, in windows, over and over;
 * a place is come back to. */
#include "testing.h"

#include "byte_tokenizer.h"

#include <axl/config.h>
#include <axl/dataset.h>
#include <axl/loader.h>

#include <stdbool.h>

enum { RECORDS = 23 };

typedef struct {
    axl_context *ctx;
    axl_tokenizer *tok;
    char dir[512];
} fixture;

static const char *in_dir(const fixture *f, const char *name)
{
    static char path[600];

    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    return path;
}

/* Records [from, to): the text of number 7 is "H", and so on. */
static void put_records(const fixture *f, const char *name, int from, int to)
{
    FILE *file = fopen(in_dir(f, name), "w");

    assert_non_null(file);
    for (int i = from; i < to; i++)
        fprintf(file, "{\"text\": \"%c\"}\n", 'A' + i);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    static fixture f;

    f.ctx = test_context();
    f.tok = byte_tokenizer(f.ctx, 0);
    snprintf(f.dir, sizeof f.dir, "%s/stream", test_temp_dir());
    mkdir(f.dir, 0777);
    put_records(&f, "a.jsonl", 0, 10);
    put_records(&f, "b.jsonl", 10, RECORDS);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    axl_tokenizer_free(f->tok);
    axl_context_free(f->ctx);
    return 0;
}

#define KEYS                                                                                       \
    "base_model: model\nlearning_rate: 1e-3\nmicro_batch_size: 1\nmax_steps: 100\n"                \
    "gradient_accumulation_steps: 1\nsequence_len: 32\nmin_sample_len: 1\n"
#define DOCUMENTS                                                                                  \
    "pretraining_dataset: [{path: a.jsonl}, {path: b.jsonl}]\n"                                    \
    "streaming_multipack_buffer_size: 4\ncurriculum_sampling: true\n"

static axl_config *parse(const fixture *f, const char *yaml)
{
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;
    axl_config *cfg;

    o.base_dir = f->dir;
    assert_ok(axl_config_parse(&cfg, f->ctx, yaml, strlen(yaml), NULL, &o));
    return cfg;
}

static axl_loader *open_loader(const fixture *f, const char *yaml)
{
    axl_config *cfg = parse(f, yaml);
    axl_dataset *data;
    axl_loader *loader;

    assert_ok(axl_dataset_from_config(&data, cfg, f->tok, AXL_SPLIT_TRAIN));
    assert_ok(axl_loader_from_config(&loader, cfg, data, AXL_SPLIT_TRAIN));
    axl_dataset_free(data);
    axl_config_free(cfg);
    return loader;
}

/* The letters of the next n batches; each is BOS and a letter where nothing is packed. */
static const char *letters(axl_loader *loader, int n)
{
    static char out[300];
    axl_batch b = AXL_BATCH_INIT;
    int at = 0;

    for (int i = 0; i < n; i++) {
        assert_ok(axl_loader_next(loader, &b));
        for (uint32_t k = 0; k < b.n_tokens; k++)
            if (b.input_ids[k] < BYTE_BOS)
                out[at++] = (char)b.input_ids[k];
    }
    out[at] = '\0';
    return out;
}

static void test_stream__goes_over_all_records_and_begins_again(void **state)
{
    axl_loader *loader = open_loader(*state, KEYS DOCUMENTS);
    uint64_t total;

    assert_ok(axl_loader_get_total_steps(loader, &total));
    assert_int_equal(total, 100);
    assert_string_equal(letters(loader, 26), "ABCDEFGHIJKLMNOPQRSTUVWABC");
    assert_string_equal(letters(loader, 23), "DEFGHIJKLMNOPQRSTUVWABC");
    axl_loader_free(loader);
}

static void test_stream__shuffles_and_packs_a_window(void **state)
{
    axl_loader *loader =
        open_loader(*state, KEYS "pretraining_dataset: [{path: b.jsonl}]\nsample_packing: true\n"
                                 "streaming_multipack_buffer_size: 13\n");
    bool seen[RECORDS] = { false };

    for (const char *p = letters(loader, 2); *p; p++) {
        assert_false(seen[*p - 'A']);
        seen[*p - 'A'] = true;
    }
    for (int i = 10; i < RECORDS; i++)
        assert_true(seen[i]);
    axl_loader_free(loader);
}

/* A window's place is its number: the records before it are read over. */
static void test_stream__comes_back_to_a_place(void **state)
{
    axl_loader *one = open_loader(*state, KEYS DOCUMENTS), *two;
    axl_loader_cursor at = AXL_LOADER_CURSOR_INIT;
    char wanted[100];

    for (int n = 0; n < 60; n += 7) {
        assert_ok(axl_loader_get_cursor(one, &at));
        snprintf(wanted, sizeof wanted, "%s", letters(one, 7));
        two = open_loader(*state, KEYS DOCUMENTS);
        assert_ok(axl_loader_set_cursor(two, &at));
        assert_string_equal(letters(two, 7), wanted);
        at.epoch = at.batch = 0;
        assert_ok(axl_loader_set_cursor(two, &at));
        assert_string_equal(letters(two, 3), "ABC");
        axl_loader_free(two);
    }
    axl_loader_free(one);
}

static void test_stream__passes_over_records(void **state)
{
    axl_loader *loader =
        open_loader(*state, KEYS "pretraining_dataset: [{path: a.jsonl, skip: 7}]\n"
                                 "curriculum_sampling: true\n");

    assert_string_equal(letters(loader, 7), "HIJHIJH");
    axl_loader_free(loader);
}

static void test_stream__streams_any_type(void **state)
{
    axl_loader *loader =
        open_loader(*state, KEYS "datasets: [{path: a.jsonl, type: completion}]\nstreaming: true\n"
                                 "curriculum_sampling: true\n");

    assert_string_equal(letters(loader, 12), "ABCDEFGHIJAB");
    axl_loader_free(loader);
}

static void refuses(const fixture *f, const char *yaml, axl_status status, const char *text)
{
    axl_config *cfg = parse(f, yaml);
    axl_dataset *data = NULL;

    assert_fails(axl_dataset_from_config(&data, cfg, f->tok, AXL_SPLIT_TRAIN), status, text);
    assert_null(data);
    axl_config_free(cfg);
}

static void test_stream__says_what_is_wrong(void **state)
{
    const fixture *f = *state;
    axl_dataset *train, *validation;

    write_text(in_dir(f, "bad.jsonl"), "{\"text\": \"A\"}\n{\"text\": 3}\n");
    write_text(in_dir(f, "other.jsonl"), "{\"words\": \"A\"}\n");
    write_text(in_dir(f, "empty.jsonl"), "\n");
    write_text(in_dir(f, "hollow.jsonl"), "{\"text\": \"\"}\n{\"text\": \"\"}\n");
    refuses(f, KEYS "pretraining_dataset: [{path: bad.jsonl}]\n", AXL_ERR_DATA, "bad.jsonl:2");
    refuses(f, KEYS "pretraining_dataset: [{path: other.jsonl}]\n", AXL_ERR_DATA,
            "none of the 1 records has the column \"text\"");
    refuses(f, KEYS "pretraining_dataset: [{path: empty.jsonl}]\n", AXL_ERR_DATA,
            "pretraining_dataset: there is no record");
    refuses(f, KEYS "pretraining_dataset: [{path: hollow.jsonl}]\n", AXL_ERR_DATA,
            "none of its records can be trained on");
    refuses(f, KEYS "datasets: [{path: a.jsonl, type: completion, shards: 2}]\nstreaming: true\n",
            AXL_ERR_UNSUPPORTED, "streamed data has no shards");
    axl_config *cfg = parse(f, KEYS DOCUMENTS);
    assert_fails(axl_dataset_prepare(&train, &validation, cfg, f->tok, NULL), AXL_ERR_UNSUPPORTED,
                 "streamed data is not prepared");
    axl_config_free(cfg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream__goes_over_all_records_and_begins_again),
        cmocka_unit_test(test_stream__shuffles_and_packs_a_window),
        cmocka_unit_test(test_stream__comes_back_to_a_place),
        cmocka_unit_test(test_stream__passes_over_records),
        cmocka_unit_test(test_stream__streams_any_type),
        cmocka_unit_test(test_stream__says_what_is_wrong),
    };

    test_locale();
    test_filter();
    return test_done(cmocka_run_group_tests(tests, set_up, tear_down));
}
