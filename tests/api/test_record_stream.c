/* SPDX-License-Identifier: Apache-2.0 */
/* test_record_stream.c - records of a host that are read while they are trained: the batches of a
 * file, places that are come back to, sources that come once, what goes wrong on the way. */
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
    int64_t bytes, peak; /* of the context's allocations */
} fixture;

/* ---- memory ---- */

enum { HEAD = 16 };

static void *counted(fixture *f, char *block, size_t size)
{
    size_t old = 0;

    if (block)
        memcpy(&old, block - HEAD, sizeof old);
    char *made = realloc(block ? block - HEAD : NULL, size + HEAD);
    assert_non_null(made);
    memcpy(made, &size, sizeof size);
    f->bytes += (int64_t)size - (int64_t)old;
    f->peak = f->bytes > f->peak ? f->bytes : f->peak;
    return made + HEAD;
}

static void *counted_realloc(void *user, void *block, size_t size)
{
    return counted(user, block, size);
}

static void *counted_alloc(void *user, size_t size)
{
    return counted(user, NULL, size);
}

static void counted_free(void *user, void *block)
{
    size_t size;

    if (!block)
        return;
    memcpy(&size, (char *)block - HEAD, sizeof size);
    ((fixture *)user)->bytes -= (int64_t)size;
    free((char *)block - HEAD);
}

static int set_up(void **state)
{
    static fixture f;
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;

    o.alloc = counted_alloc;
    o.realloc = counted_realloc;
    o.free = counted_free;
    o.alloc_user = &f;
    o.threads = 1; /* the counts are nobody else's */
    assert_ok(axl_context_new(&f.ctx, &o));
    f.tok = byte_tokenizer(f.ctx, 0);
    snprintf(f.dir, sizeof f.dir, "%s/records", test_temp_dir());
    mkdir(f.dir, 0777);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    axl_tokenizer_free(f->tok);
    axl_context_free(f->ctx);
    return f->bytes != 0;
}

/* ---- a source ---- */

/* Record i is the letter 'A' + i % 26; its text is gone with the next call. */
typedef struct {
    int n, at, asked, rewinds, released;
    int stop_at;           /* > 0: stops before that one, once */
    int bad_at;            /* > 0: that one is malformed */
    bool gone;             /* rewound, there is nothing */
    bool holds;            /* the rewind stops */
    axl_cancel *cancel;    /* raised in the next call */
    axl_loader *re_enters; /* in the next call */
    char text[64];
} letters_source;

static int next_letter(void *user, const char **record, size_t *length)
{
    letters_source *s = user;
    axl_batch b = AXL_BATCH_INIT;

    s->asked++;
    if (s->cancel)
        axl_cancel_raise(s->cancel);
    memset(s->text, 'x', sizeof s->text);
    if (s->re_enters)
        assert_int_equal(axl_loader_next(s->re_enters, &b), AXL_ERR_BUSY);
    if (s->stop_at > 0 && s->at + 1 == s->stop_at) {
        s->stop_at = 0;
        return 7;
    }
    if (s->at == s->n)
        return AXL_END;
    s->at++;
    snprintf(s->text, sizeof s->text, s->at == s->bad_at ? "{\"text\": %d}" : "{\"text\": \"%c\"}",
             'A' + (s->at - 1) % 26);
    *record = s->text;
    *length = strlen(s->text);
    return 0;
}

static int rewind_letters(void *user)
{
    letters_source *s = user;

    s->rewinds++;
    s->at = s->gone ? s->n : 0;
    return s->holds;
}

static void release_letters(void *user)
{
    ((letters_source *)user)->released++;
}

static axl_record_source source_of(letters_source *s, bool once)
{
    axl_record_source made = AXL_RECORD_SOURCE_INIT;

    made.next = next_letter;
    made.rewind = once ? NULL : rewind_letters;
    made.release = release_letters;
    made.user = s;
    return made;
}

/* ---- loaders ---- */

#define KEYS                                                                                       \
    "base_model: model\nlearning_rate: 1e-3\nmicro_batch_size: 1\nmax_steps: 100\n"                \
    "gradient_accumulation_steps: 1\nsequence_len: 32\nmin_sample_len: 1\n"
#define LETTERS KEYS "datasets: [{path: rows.jsonl, type: completion}]\n"
#define WINDOWS "streaming_multipack_buffer_size: 4\n"
#define IN_ORDER LETTERS WINDOWS "curriculum_sampling: true\n"

static axl_config *parse(const fixture *f, const char *yaml)
{
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;
    axl_config *cfg;

    o.base_dir = f->dir;
    assert_ok(axl_config_parse(&cfg, f->ctx, yaml, strlen(yaml), NULL, &o));
    return cfg;
}

static axl_status stream(const fixture *f, const char *yaml, letters_source *s, bool once,
                         axl_dataset **out)
{
    axl_config *cfg = parse(f, yaml);
    axl_record_source source = source_of(s, once);
    axl_status status = axl_dataset_stream_records(out, cfg, f->tok, 0, &source);

    axl_config_free(cfg);
    return status;
}

static axl_loader *loader_of(const fixture *f, const char *yaml, axl_dataset *data)
{
    axl_config *cfg = parse(f, yaml);
    axl_loader *loader;

    assert_ok(axl_loader_from_config(&loader, cfg, data, AXL_SPLIT_TRAIN));
    axl_config_free(cfg);
    return loader;
}

/* The loader keeps the data set. */
static axl_loader *open_loader(const fixture *f, const char *yaml, letters_source *s, bool once)
{
    axl_dataset *data;

    assert_ok(stream(f, yaml, s, once, &data));
    axl_loader *loader = loader_of(f, yaml, data);
    axl_dataset_free(data);
    return loader;
}

/* The letters of up to n batches; each is BOS, a letter and EOS where nothing is packed. */
static const char *letters(axl_loader *loader, int n)
{
    static char out[300];
    axl_batch b = AXL_BATCH_INIT;
    axl_status status = AXL_OK;
    int at = 0;

    for (int i = 0; i < n && (status = axl_loader_next(loader, &b)) == AXL_OK; i++)
        for (uint32_t k = 0; k < b.n_tokens; k++)
            if (b.input_ids[k] < BYTE_BOS)
                out[at++] = (char)b.input_ids[k];
    assert_ok(status < 0 ? status : AXL_OK);
    out[at] = '\0';
    return out;
}

/* ---- what it is the same as ---- */

static void write_rows(const fixture *f, letters_source *s)
{
    char path[600];
    const char *record;
    size_t length;

    snprintf(path, sizeof path, "%s/rows.jsonl", f->dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    while (next_letter(s, &record, &length) == 0)
        fprintf(file, "%.*s\n", (int)length, record);
    assert_int_equal(fclose(file), 0);
    s->at = s->asked = 0;
}

static void assert_same_batches(axl_loader *one, axl_loader *two, int n)
{
    for (int i = 0; i < n; i++) {
        axl_batch a = AXL_BATCH_INIT, b = AXL_BATCH_INIT;
        axl_loader_cursor at = AXL_LOADER_CURSOR_INIT, bt = AXL_LOADER_CURSOR_INIT;
        assert_ok(axl_loader_next(one, &a));
        assert_ok(axl_loader_next(two, &b));
        assert_int_equal(a.n_tokens, b.n_tokens);
        assert_int_equal(a.n_seqs, b.n_seqs);
        assert_int_equal(a.last_of_step, b.last_of_step);
        assert_memory_equal(a.input_ids, b.input_ids, a.n_tokens * sizeof *a.input_ids);
        assert_memory_equal(a.labels, b.labels, a.n_tokens * sizeof *a.labels);
        assert_memory_equal(a.cu_seqlens, b.cu_seqlens, (a.n_seqs + 1) * sizeof *a.cu_seqlens);
        assert_ok(axl_loader_get_cursor(one, &at));
        assert_ok(axl_loader_get_cursor(two, &bt));
        assert_memory_equal(&at, &bt, sizeof at);
    }
}

/* Shuffled and packed, through three passes. */
static void test_record_stream__gives_the_batches_of_a_file(void **state)
{
    static const char *const yaml[] = { LETTERS WINDOWS "sample_packing: true\nstreaming: true\n",
                                        LETTERS WINDOWS "streaming: true\n",
                                        KEYS WINDOWS
                                        "pretraining_dataset: [{path: rows.jsonl}]\n" };
    const fixture *f = *state;

    for (int i = 0; i < 3; i++) {
        letters_source s = { .n = RECORDS };
        axl_config *cfg = parse(f, yaml[i]);
        axl_dataset *data;
        axl_sample sample = AXL_SAMPLE_INIT;
        write_rows(f, &s);
        assert_ok(axl_dataset_from_config(&data, cfg, f->tok, AXL_SPLIT_TRAIN));
        axl_loader *read = loader_of(f, yaml[i], data);
        axl_dataset_free(data);
        assert_ok(stream(f, yaml[i], &s, false, &data));
        assert_ok(axl_dataset_get_sample(data, 0, &sample));
        assert_null(sample.source);
        axl_loader *fed = loader_of(f, yaml[i], data);
        axl_dataset_free(data);
        assert_same_batches(read, fed, i == 0 ? 15 : 3 * RECORDS);
        assert_true(s.rewinds >= 2);
        axl_loader_free(read);
        axl_loader_free(fed);
        axl_config_free(cfg);
    }
}

/* ---- places ---- */

static void test_record_stream__asks_as_it_trains(void **state)
{
    letters_source s = { .n = RECORDS };
    axl_loader *loader = open_loader(*state, IN_ORDER, &s, false);
    uint64_t total;

    assert_int_equal(s.asked, 4);
    assert_string_equal(letters(loader, 5), "ABCDE");
    assert_int_equal(s.asked, 8);
    assert_int_equal(s.rewinds, 0);
    assert_ok(axl_loader_get_total_steps(loader, &total));
    assert_int_equal(total, 100);
    assert_string_equal(letters(loader, 41), "FGHIJKLMNOPQRSTUVWABCDEFGHIJKLMNOPQRSTUVW");
    assert_int_equal(s.rewinds, 1);
    assert_int_equal(s.released, 0);
    axl_loader_free(loader);
    assert_int_equal(s.released, 1);
}

/* In another process, and in this one. */
static void test_record_stream__comes_back_to_a_place(void **state)
{
    letters_source s = { .n = RECORDS };
    axl_loader *one = open_loader(*state, IN_ORDER, &s, false), *two;
    axl_loader_cursor at = AXL_LOADER_CURSOR_INIT;
    char wanted[300];

    for (int n = 0; n < 60; n += 7) {
        letters_source t = { .n = RECORDS };
        assert_ok(axl_loader_get_cursor(one, &at));
        snprintf(wanted, sizeof wanted, "%s", letters(one, 7));
        two = open_loader(*state, IN_ORDER, &t, false);
        assert_ok(axl_loader_set_cursor(two, &at));
        assert_string_equal(letters(two, 7), wanted);
        at.epoch = at.batch = 0;
        assert_ok(axl_loader_set_cursor(two, &at));
        assert_string_equal(letters(two, 6), "ABCDEF");
        axl_loader_free(two);
    }
    axl_loader_free(one);
}

/* The source has one place: who is elsewhere rewinds it. */
static void test_record_stream__is_shared_by_loaders(void **state)
{
    letters_source s = { .n = RECORDS };
    axl_dataset *data;

    assert_ok(stream(*state, IN_ORDER, &s, false, &data));
    axl_loader *one = loader_of(*state, IN_ORDER, data), *two = loader_of(*state, IN_ORDER, data);
    axl_dataset_free(data);
    assert_string_equal(letters(one, 10), "ABCDEFGHIJ");
    assert_string_equal(letters(two, 6), "ABCDEF");
    assert_string_equal(letters(one, 4), "KLMN");
    assert_string_equal(letters(two, 6), "GHIJKL");
    s.re_enters = two;
    assert_string_equal(letters(one, 6), "OPQRST");
    axl_loader_free(one);
    assert_int_equal(s.released, 0);
    axl_loader_free(two);
    assert_int_equal(s.released, 1);
}

/* ---- records that come once ---- */

static void test_record_stream__ends_where_it_cannot_begin_again(void **state)
{
    static const int counts[] = { RECORDS, 24, 3 }; /* 24: the last window is whole */

    for (int i = 0; i < 3; i++) {
        letters_source s = { .n = counts[i] };
        axl_loader_cursor at = AXL_LOADER_CURSOR_INIT, end = AXL_LOADER_CURSOR_INIT;
        axl_loader *loader = open_loader(*state, IN_ORDER, &s, true);
        axl_batch b = AXL_BATCH_INIT;
        assert_int_equal(strlen(letters(loader, counts[i])), counts[i]);
        assert_ok(axl_loader_get_cursor(loader, &at));
        for (int k = 0; k < 3; k++)
            assert_int_equal(axl_loader_next(loader, &b), AXL_END);
        assert_ok(axl_loader_get_cursor(loader, &end));
        assert_memory_equal(&at, &end, sizeof at);
        axl_loader_free(loader);
        s.at = 0;
        loader = open_loader(*state, IN_ORDER, &s, true);
        assert_ok(axl_loader_set_cursor(loader, &end));
        assert_int_equal(axl_loader_next(loader, &b), AXL_END);
        axl_loader_free(loader);
    }
}

/* A new process passes over what was trained; nobody goes back, and trying to costs nothing. */
static void test_record_stream__only_goes_on_without_a_rewind(void **state)
{
    letters_source s = { .n = RECORDS };
    axl_loader *loader = open_loader(*state, IN_ORDER, &s, true);
    axl_loader_cursor at = AXL_LOADER_CURSOR_INIT;

    at.epoch = 2;
    at.batch = 1;
    assert_ok(axl_loader_set_cursor(loader, &at));
    assert_string_equal(letters(loader, 2), "JK");
    at.epoch = 1;
    assert_fails(axl_loader_set_cursor(loader, &at), AXL_ERR_UNSUPPORTED,
                 "datasets[0]: records that were handed over already are asked for again, and "
                 "their source has no rewind");
    at.epoch = 0;
    assert_fails(axl_loader_set_cursor(loader, &at), AXL_ERR_UNSUPPORTED, "has no rewind");
    assert_string_equal(letters(loader, 3), "LMN");
    at.epoch = 50;
    assert_fails(axl_loader_set_cursor(loader, &at), AXL_ERR_INVALID,
                 "datasets[0]: the records end in front of window 50");
    axl_loader_free(loader);
}

static void test_record_stream__serves_one_loader_without_a_rewind(void **state)
{
    letters_source s = { .n = RECORDS };
    axl_config *cfg = parse(*state, IN_ORDER);
    axl_dataset *data;
    axl_loader *two;

    assert_ok(stream(*state, IN_ORDER, &s, true, &data));
    axl_loader *one = loader_of(*state, IN_ORDER, data);
    assert_string_equal(letters(one, 10), "ABCDEFGHIJ");
    assert_fails(axl_loader_from_config(&two, cfg, data, AXL_SPLIT_TRAIN), AXL_ERR_UNSUPPORTED,
                 "has no rewind");
    assert_null(two);
    assert_string_equal(letters(one, 3), "KLM");
    axl_loader_free(one);
    axl_dataset_free(data);
    axl_config_free(cfg);
}

/* ---- what goes wrong ---- */

static void refuses(const fixture *f, const char *yaml, letters_source s, axl_status status,
                    const char *text)
{
    axl_dataset *data;

    assert_fails(stream(f, yaml, &s, s.holds, &data), status, text);
    assert_null(data);
    assert_int_equal(s.released, 0);
}

static void test_record_stream__says_what_is_wrong(void **state)
{
    letters_source s = { .n = RECORDS, .bad_at = 10 };
    const fixture *f = *state;
    axl_batch b = AXL_BATCH_INIT;
    axl_dataset *data;
    axl_record_source none = AXL_RECORD_SOURCE_INIT;

    refuses(f, IN_ORDER, (letters_source){ .n = 0 }, AXL_ERR_DATA,
            "datasets[0]: there is no record");
    refuses(f, IN_ORDER, (letters_source){ .n = 9, .bad_at = 3 }, AXL_ERR_DATA,
            "datasets[0]: record 3: \"text\" must be a string");
    refuses(f, IN_ORDER, (letters_source){ .n = 9, .stop_at = 2 }, AXL_ERR_CANCELLED,
            "datasets[0]: the function that hands over records stopped before record 2");
    refuses(f, KEYS "datasets: [{path: x, type: alpaca}]\n", (letters_source){ .n = 9 },
            AXL_ERR_DATA, "datasets[0]: none of the 9 records has the column");
    refuses(f, LETTERS "min_sample_len: 9\n", (letters_source){ .n = 9 }, AXL_ERR_DATA,
            "datasets[0]: none of its records can be trained on");
    refuses(f, LETTERS "min_sample_len: 9\n", (letters_source){ .n = 9, .holds = true },
            AXL_ERR_DATA, "none of the records can be trained on");
    refuses(f, KEYS "datasets: [{path: x, type: completion, shards: 2}]\n",
            (letters_source){ .n = 9 }, AXL_ERR_UNSUPPORTED, "have no shards");
    axl_config *cfg = parse(f, IN_ORDER);
    assert_fails(axl_dataset_stream_records(&data, cfg, f->tok, 0, &none), AXL_ERR_INVALID,
                 "next must not be NULL");
    none = source_of(&s, false);
    assert_fails(axl_dataset_stream_records(&data, cfg, f->tok, 1, &none), AXL_ERR_INVALID,
                 "there is no datasets[1]");
    assert_fails(axl_dataset_stream_records(&data, cfg, f->tok, 0, NULL), AXL_ERR_INVALID,
                 "axl_record_source");
    axl_config_free(cfg);
    axl_loader *loader = open_loader(f, IN_ORDER, &s, false);
    assert_string_equal(letters(loader, 8), "ABCDEFGH");
    assert_fails(axl_loader_next(loader, &b), AXL_ERR_DATA,
                 "1 of 12 records cannot be used: datasets[0]: record 10: ");
    s.bad_at = 0; /* mended: the window is read again */
    assert_string_equal(letters(loader, 3), "IJK");
    axl_loader_free(loader);
}

/* With a rewind the loader goes on where it was; without, what was asked for is lost. */
static void test_record_stream__stops_when_the_host_says_so(void **state)
{
    letters_source s = { .n = RECORDS };
    axl_loader *loader = open_loader(*state, IN_ORDER, &s, false);
    axl_batch b = AXL_BATCH_INIT;

    assert_string_equal(letters(loader, 4), "ABCD");
    s.stop_at = 7;
    assert_fails(axl_loader_next(loader, &b), AXL_ERR_CANCELLED, "stopped before record 7");
    s.holds = true;
    assert_fails(axl_loader_next(loader, &b), AXL_ERR_CANCELLED,
                 "datasets[0]: the function that rewinds the records stopped");
    s.holds = false;
    assert_string_equal(letters(loader, 19), "EFGHIJKLMNOPQRSTUVW");
    s.gone = true;
    assert_fails(axl_loader_next(loader, &b), AXL_ERR_DATA,
                 "datasets[0]: there is no record after the rewind");
    axl_loader_free(loader);
    s = (letters_source){ .n = RECORDS };
    loader = open_loader(*state, IN_ORDER, &s, true);
    assert_string_equal(letters(loader, 4), "ABCD");
    s.stop_at = 7;
    assert_fails(axl_loader_next(loader, &b), AXL_ERR_CANCELLED, "stopped before record 7");
    assert_fails(axl_loader_next(loader, &b), AXL_ERR_UNSUPPORTED, "has no rewind");
    axl_loader_free(loader);
}

static void test_record_stream__can_be_cancelled(void **state)
{
    const fixture *f = *state;
    letters_source s = { .n = RECORDS };
    axl_loader *loader = open_loader(f, IN_ORDER, &s, false);
    axl_batch b = AXL_BATCH_INIT;
    axl_cancel *cancel;

    assert_ok(axl_cancel_new(&cancel, f->ctx));
    assert_string_equal(letters(loader, 4), "ABCD");
    s.cancel = cancel;
    assert_int_equal(axl_loader_next(loader, &b), AXL_ERR_CANCELLED);
    assert_int_equal(s.asked, 5);
    s.cancel = NULL;
    axl_cancel_clear(cancel);
    assert_string_equal(letters(loader, 4), "EFGH");
    assert_int_equal(s.rewinds, 1);
    axl_loader_free(loader);
    axl_cancel_free(cancel);
}

/* Sixty times the records, and not more memory. */
static void test_record_stream__holds_a_window_in_memory(void **state)
{
    static const int counts[] = { 2000, 120000 };
    fixture *f = *state;
    int64_t peaks[2], before = f->bytes;

    for (int i = 0; i < 2; i++) {
        letters_source s = { .n = counts[i] };
        axl_batch b = AXL_BATCH_INIT;
        f->peak = f->bytes;
        axl_loader *loader = open_loader(
            f, LETTERS "streaming_multipack_buffer_size: 500\nsample_packing: true\n", &s, true);
        uint64_t tokens = 0;
        while (axl_loader_next(loader, &b) == AXL_OK)
            tokens += b.n_tokens;
        assert_int_equal(tokens, 3 * counts[i]);
        axl_loader_free(loader);
        peaks[i] = f->peak - before;
    }
    assert_true(peaks[1] <= peaks[0] + peaks[0] / 8);
    assert_int_equal(f->bytes, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record_stream__gives_the_batches_of_a_file),
        cmocka_unit_test(test_record_stream__asks_as_it_trains),
        cmocka_unit_test(test_record_stream__comes_back_to_a_place),
        cmocka_unit_test(test_record_stream__is_shared_by_loaders),
        cmocka_unit_test(test_record_stream__ends_where_it_cannot_begin_again),
        cmocka_unit_test(test_record_stream__only_goes_on_without_a_rewind),
        cmocka_unit_test(test_record_stream__serves_one_loader_without_a_rewind),
        cmocka_unit_test(test_record_stream__says_what_is_wrong),
        cmocka_unit_test(test_record_stream__stops_when_the_host_says_so),
        cmocka_unit_test(test_record_stream__can_be_cancelled),
        cmocka_unit_test(test_record_stream__holds_a_window_in_memory),
    };

    test_locale();
    test_filter();
    return test_done(cmocka_run_group_tests(tests, set_up, tear_down));
}
