/* SPDX-License-Identifier: Apache-2.0 */
/* test_dataset.c - data sets from memory and from small files, through the public API. */
#include "testing.h"

#include "byte_tokenizer.h"

#include <axl/dataset.h>
#include <axl/loader.h>

#include <dirent.h>
#include <stdbool.h>
#include <unistd.h>

/* ---- what the cases share ---- */

typedef struct {
    axl_context *ctx;
    axl_tokenizer *tok;
    char dir[128];
    char log[4096]; /* the log's lines, one behind another */
} fixture;

static void take_log(void *user, uint32_t level, const char *message)
{
    char *log = user;

    (void)level;
    strncat(log, message, sizeof((fixture *)0)->log - strlen(log) - 1);
}

static void set_up_threads(fixture *f, uint32_t threads)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;

    memset(f, 0, sizeof *f);
    snprintf(f->dir, sizeof f->dir, "%s", test_temp_dir());
    mkdir(f->dir, 0700);
    o.threads = threads;
    o.log = take_log;
    o.log_user = f->log;
    assert_ok(axl_context_new(&f->ctx, &o));
    f->tok = byte_tokenizer(f->ctx, 0);
}

static void set_up(fixture *f)
{
    set_up_threads(f, 2);
}

static void tear_down(fixture *f)
{
    char command[200];

    axl_tokenizer_free(f->tok);
    axl_context_free(f->ctx);
    snprintf(command, sizeof command, "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
}

static const char *in_dir(const fixture *f, const char *name)
{
    static char paths[4][512];
    static int turn;
    char *p = paths[turn++ % 4];

    snprintf(p, sizeof paths[0], "%s/%s", f->dir, name);
    return p;
}

/* n rows whose outputs are the first letters from `first` on; row 3 of each is longer. */
static void put_rows(const fixture *f, const char *name, int n, char first)
{
    char text[8192] = "";
    size_t at = 0;

    for (int i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at,
                               "{\"instruction\": \"%s\", \"output\": \"%c\"}\n",
                               i == 3 ? "a longer one" : "do", first + i);
    write_text(in_dir(f, name), text);
}

/* A config over a folder; more is YAML. */
static axl_config *config(const fixture *f, const char *more)
{
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;
    char text[4096];
    axl_config *cfg;

    snprintf(text, sizeof text,
             "base_model: tok0\nmicro_batch_size: 2\ngradient_accumulation_steps: 1\n"
             "num_epochs: 1\nlearning_rate: 0.001\noptimizer: adamw_torch\nadapter: lora\n"
             "lora_r: 4\nlora_alpha: 8\nlora_target_linear: true\noutput_dir: out\n"
             "dataset_prepared_path: prepared\n%s",
             more);
    o.base_dir = f->dir;
    axl_status status = axl_config_parse(&cfg, f->ctx, text, strlen(text), NULL, &o);
    if (status != AXL_OK)
        fail_msg("config: %s", axl_last_error());
    return cfg;
}

static axl_status open_data(const fixture *f, const char *more, axl_split split, axl_dataset **out)
{
    axl_config *cfg = config(f, more);
    axl_status status = axl_dataset_from_config(out, cfg, f->tok, split);
    char message[1024];

    snprintf(message, sizeof message, "%s", axl_last_error());
    axl_config_free(cfg);
    if (status < 0)
        assert_null(*out);
    assert_string_equal(axl_last_error(), message);
    return status;
}

/* The first response letters of a data set, in order. */
static const char *letters(const axl_dataset *data)
{
    static char out[256];
    uint64_t n = axl_dataset_count(data);

    assert_true(n < sizeof out);
    for (uint64_t i = 0; i < n; i++) {
        axl_sample s = AXL_SAMPLE_INIT;
        assert_ok(axl_dataset_get_sample(data, i, &s));
        uint32_t k = 0;
        while (s.labels[k] == AXL_LABEL_IGNORE)
            k++;
        out[i] = (char)s.input_ids[k];
    }
    out[n] = '\0';
    return out;
}

static void expect(const fixture *f, const char *more, axl_split split, const char *want)
{
    axl_dataset *data;

    assert_ok(open_data(f, more, split, &data));
    assert_string_equal(letters(data), want);
    axl_dataset_free(data);
}

#define ONE "datasets: [{path: a.jsonl, type: alpaca}]\n"
#define TWO "datasets: [{path: a.jsonl, type: alpaca}, {path: b.json, type: 'alpaca:instruct'}]\n"

/* ---- from memory ---- */

static void test_dataset__copies_samples(void **state)
{
    int32_t ids[] = { 1, 2, 3 }, labels[] = { 1, AXL_LABEL_IGNORE, 3 };
    struct {
        axl_sample s;
        uint64_t newer[2];
    } wide[2] = { { AXL_SAMPLE_INIT, { 0, 0 } }, { AXL_SAMPLE_INIT, { 0, 0 } } };
    axl_context *ctx = test_context();
    axl_dataset *data;
    axl_sample s = AXL_SAMPLE_INIT;
    axl_dataset_stats stats = AXL_DATASET_STATS_INIT;

    (void)state;
    for (int i = 0; i < 2; i++) {
        wide[i].s.size = sizeof wide[0]; /* a host of a later version */
        wide[i].s.input_ids = ids;
        wide[i].s.labels = labels;
        wide[i].s.length = 3 - (uint32_t)i;
        wide[i].s.source = i ? NULL : "mine";
        wide[i].s.row = 7;
        wide[i].s.n_trained = 99;
    }
    assert_ok(axl_dataset_from_samples(&data, ctx, &wide[0].s, 2));
    ids[0] = 100;
    assert_int_equal(axl_dataset_count(data), 2);
    assert_ok(axl_dataset_get_sample(data, 0, &s));
    assert_int_equal(s.input_ids[0], 1);
    assert_int_equal(s.labels[1], AXL_LABEL_IGNORE);
    assert_string_equal(s.source, "mine");
    assert_int_equal(s.row, 7);
    assert_int_equal(s.length, 3);
    assert_int_equal(s.n_trained, 1); /* the first token's label is no prediction */
    assert_ok(axl_dataset_get_sample(data, 1, &s));
    assert_null(s.source);
    assert_int_equal(s.n_trained, 0);
    assert_ok(axl_dataset_get_stats(data, &stats));
    assert_int_equal(stats.rows, 2);
    assert_int_equal(stats.tokens, 5);
    assert_int_equal(stats.trained_tokens, 3);
    assert_int_equal(axl_dataset_get_sample(data, 2, &s), AXL_END);
    s.size = 8;
    assert_fails(axl_dataset_get_sample(data, 0, &s), AXL_ERR_ABI, "axl_sample");
    stats.size = 0;
    assert_fails(axl_dataset_get_stats(data, &stats), AXL_ERR_ABI, "axl_dataset_stats");
    axl_dataset_free(data);
    wide[1].newer[1] = 1;
    assert_fails(axl_dataset_from_samples(&data, ctx, &wide[0].s, 2), AXL_ERR_ABI, "newer");
    assert_null(data);
    wide[1].newer[1] = 0;
    wide[1].s.length = 0;
    assert_fails(axl_dataset_from_samples(&data, ctx, &wide[0].s, 2), AXL_ERR_INVALID, "sample 1");
    assert_fails(axl_dataset_from_samples(&data, ctx, NULL, 2), AXL_ERR_INVALID, "sample");
    assert_int_equal(axl_dataset_count(NULL), 0);
    axl_dataset_free(NULL);
    axl_context_free(ctx);
}

/* ---- order ---- */

/* The orders are those of Hugging Face's Dataset.shuffle(seed=42). */
static void test_dataset__orders_rows_as_axolotl(void **state)
{
    fixture f;

    (void)state;
    set_up(&f);
    put_rows(&f, "a.jsonl", 10, 'a');
    write_text(in_dir(&f, "b.json"),
               "[{\"instruction\": \"x\", \"input\": \"i\", \"output\": \"X\"},"
               " {\"instruction\": \"y\", \"input\": \"\", \"output\": \"Y\"},\n"
               " {\"instruction\": \"z\", \"input\": null, \"output\": \"Z\"}]");
    expect(&f, ONE "shuffle_merged_datasets: false\n", AXL_SPLIT_TRAIN, "abcdefghij");
    expect(&f, ONE "curriculum_sampling: true\n", AXL_SPLIT_TRAIN, "abcdefghij");
    expect(&f, ONE, AXL_SPLIT_TRAIN, "fgahdcejbi");
    expect(&f, ONE "seed: 7\n", AXL_SPLIT_TRAIN, "iahbdgcefj");
    expect(&f, "datasets: [{path: a.jsonl, type: 'alpaca:chatml'}]\n", AXL_SPLIT_TRAIN,
           "fgahdcejbi");
    /* Row 3 is dropped after the shuffle. */
    expect(&f, ONE "sequence_len: 150\n", AXL_SPLIT_TRAIN, "fgahcejbi");
    expect(&f, TWO "shuffle_merged_datasets: false\n", AXL_SPLIT_TRAIN, "abcdefghijXYZ");
    expect(&f, TWO "shuffle_merged_datasets: false\nshuffle_before_merging_datasets: true\n",
           AXL_SPLIT_TRAIN, "fgahdcejbiZYX");
    put_rows(&f, "a.jsonl", 4, 'a');
    expect(&f, TWO, AXL_SPLIT_TRAIN, "dcZXbYa");
    f.log[0] = '\0';
    expect(&f, TWO "curriculum_sampling: true\n", AXL_SPLIT_TRAIN, "dcZXbYa");
    assert_non_null(strstr(f.log, "curriculum_sampling"));
    tear_down(&f);
}

static void test_dataset__says_where_a_sample_is_from(void **state)
{
    fixture f;
    axl_dataset *data;
    axl_sample s = AXL_SAMPLE_INIT;
    axl_dataset_stats stats = AXL_DATASET_STATS_INIT;

    (void)state;
    set_up(&f);
    put_rows(&f, "a.jsonl", 5, 'a');
    assert_ok(open_data(&f, ONE, AXL_SPLIT_TRAIN, &data));
    for (uint64_t i = 0; i < 5; i++) {
        assert_ok(axl_dataset_get_sample(data, i, &s));
        assert_string_equal(s.source, in_dir(&f, "a.jsonl"));
        assert_int_equal(letters(data)[i], 'a' + (int)s.row);
        assert_int_equal(s.n_trained, 2); /* the letter and the EOS */
        assert_int_equal(s.input_ids[0], BYTE_BOS);
        assert_int_equal(s.input_ids[s.length - 1], BYTE_EOS);
        assert_int_equal(s.part, 0);
    }
    assert_ok(axl_dataset_get_stats(data, &stats));
    assert_int_equal(stats.rows_read, 5);
    assert_int_equal(stats.rows, 5);
    assert_int_equal(stats.trained_tokens, 10);
    axl_dataset_free(data);
    tear_down(&f);
}

/* ---- rules ---- */

static void test_dataset__applies_the_length_rules(void **state)
{
    fixture f;
    axl_dataset *data;
    axl_sample s = AXL_SAMPLE_INIT;
    axl_dataset_stats stats = AXL_DATASET_STATS_INIT;

    (void)state;
    set_up(&f);
    put_rows(&f, "a.jsonl", 5, 'a'); /* 145 tokens, row 3 155 */
#define PLAIN ONE "shuffle_merged_datasets: false\n"
#define CUT_AT PLAIN "sequence_len: %u\nexcess_length_strategy: truncate\n"
    assert_ok(open_data(&f, PLAIN "sequence_len: 150\n", AXL_SPLIT_TRAIN, &data));
    assert_string_equal(letters(data), "abce");
    assert_ok(axl_dataset_get_sample(data, 0, &s));
    uint32_t length = s.length;
    assert_ok(axl_dataset_get_stats(data, &stats));
    assert_int_equal(stats.rows_read, 5);
    assert_int_equal(stats.rows, 4);
    assert_int_equal(stats.dropped_too_long, 1);
    assert_int_equal(stats.tokens, 4 * length);
    axl_dataset_free(data);
    char yaml[256];
    snprintf(yaml, sizeof yaml, CUT_AT, length + 9);
    assert_ok(open_data(&f, yaml, AXL_SPLIT_TRAIN, &data));
    assert_string_equal(letters(data), "abcde"); /* row 3 lost its EOS and no more */
    assert_ok(axl_dataset_get_sample(data, 3, &s));
    assert_int_equal(s.length, length + 9);
    assert_int_equal(s.n_trained, 1);
    assert_int_equal(s.labels[s.length - 1], 'd');
    axl_dataset_free(data);
    snprintf(yaml, sizeof yaml, CUT_AT, length + 8);
    assert_ok(open_data(&f, yaml, AXL_SPLIT_TRAIN, &data));
    assert_string_equal(letters(data), "abce");
    assert_ok(axl_dataset_get_stats(data, &stats));
    assert_int_equal(stats.dropped_no_trained, 1);
    axl_dataset_free(data);
    assert_fails(open_data(&f, PLAIN "sequence_len: 150\nexcess_length_strategy: raise\n",
                           AXL_SPLIT_TRAIN, &data),
                 AXL_ERR_DATA, "record 3");
    snprintf(yaml, sizeof yaml, PLAIN "min_sample_len: %u\n", length + 1);
    assert_ok(open_data(&f, yaml, AXL_SPLIT_TRAIN, &data));
    assert_string_equal(letters(data), "d");
    assert_ok(axl_dataset_get_stats(data, &stats));
    assert_int_equal(stats.dropped_too_short, 4);
    axl_dataset_free(data);
    assert_fails(open_data(&f, PLAIN "sequence_len: 20\n", AXL_SPLIT_TRAIN, &data), AXL_ERR_DATA,
                 "all 5 rows are longer than sequence_len, 20 tokens");
    tear_down(&f);
}

static void test_dataset__drops_rows_without_a_response(void **state)
{
    fixture f;
    axl_dataset *data;
    axl_dataset_stats stats = AXL_DATASET_STATS_INIT;

    (void)state;
    set_up(&f);
    write_text(in_dir(&f, "a.jsonl"),
               "{\"instruction\": \"a\", \"output\": \"\"}\n"
               "{\"instruction\": \"b\", \"output\": null}\n{\"instruction\": \"c\"}\n");
    assert_fails(open_data(&f, ONE "train_on_inputs: true\n", AXL_SPLIT_TRAIN, &data), AXL_ERR_DATA,
                 "none of the 3 rows has a token to train on");
    write_text(in_dir(&f, "a.jsonl"),
               "{\"instruction\": \"a\", \"output\": \"\"}\n"
               "{\"instruction\": \"b\", \"output\": null}\n{\"output\": \"x\"}\n");
    assert_ok(open_data(&f, ONE "train_on_inputs: true\n", AXL_SPLIT_TRAIN, &data));
    assert_int_equal(axl_dataset_count(data), 1);
    assert_ok(axl_dataset_get_stats(data, &stats));
    assert_int_equal(stats.rows_read, 3);
    assert_int_equal(stats.dropped_no_trained, 2);
    axl_dataset_free(data);
    tear_down(&f);
}

static void test_dataset__names_bad_rows(void **state)
{
    fixture f;
    axl_dataset *data;
    char text[4096] = "";

    (void)state;
    set_up(&f);
    for (int i = 0; i < 25; i++)
        strcat(text,
               i % 2 ? "{\"instruction\": \"a\", \"output\": 3}\n" : "{\"instruction\": \"a\"\n");
    write_text(in_dir(&f, "a.jsonl"), text);
    assert_fails(open_data(&f, ONE, AXL_SPLIT_TRAIN, &data), AXL_ERR_DATA,
                 "25 of 25 records cannot be used: ");
    assert_non_null(strstr(axl_last_error(), "a.jsonl:1:"));
#define BOTH "datasets: [{path: ., data_files: [a.jsonl, b.json], type: alpaca}]\n"
#define BAD "{\"instruction\": \"a\", \"output\": 1}\n"
    write_text(in_dir(&f, "a.jsonl"), BAD);
    write_text(in_dir(&f, "b.json"), BAD BAD);
    assert_fails(open_data(&f, BOTH, AXL_SPLIT_TRAIN, &data), AXL_ERR_DATA,
                 "3 of 3 records cannot be used: ");
    assert_non_null(strstr(axl_last_error(), "a.jsonl:1: \"output\" must be a string, not an "));
    assert_non_null(strstr(axl_last_error(), "b.json:1: \"output\" must be a string, not an "
                                             "integer; 2: \"output\""));
    put_rows(&f, "a.jsonl", 20, 'a');
    FILE *file = fopen(in_dir(&f, "a.jsonl"), "a");
    fputs("{\"instruction\": 1, \"output\": \"x\"}\n", file);
    fclose(file);
    assert_fails(open_data(&f, ONE, AXL_SPLIT_TRAIN, &data), AXL_ERR_DATA,
                 "a.jsonl:21: \"instruction\" must be a string, not an integer");
    write_text(in_dir(&f, "a.jsonl"), "{\"prompt\": \"a\", \"output\": \"b\"}\n");
    assert_fails(open_data(&f, ONE, AXL_SPLIT_TRAIN, &data), AXL_ERR_DATA,
                 "has the column \"instruction\" that the type alpaca reads; the first record has: "
                 "prompt, output");
#define CHOICES "datasets: [{path: a.jsonl, type: explainchoice}]\n"
    write_text(in_dir(&f, "a.jsonl"), "{\"question\": \"a\", \"choices\": []}\n");
    assert_fails(
        open_data(&f, CHOICES, AXL_SPLIT_TRAIN, &data), AXL_ERR_DATA,
        "has the column \"solution\" or \"explanation\" that the type explainchoice reads");
    write_text(in_dir(&f, "a.jsonl"),
               "{\"question\": \"a\", \"choices\": [\"b\"], \"explanation\": \"c\"}\n");
    expect(&f, CHOICES, AXL_SPLIT_TRAIN, "c");
    write_text(in_dir(&f, "a.jsonl"), "");
    assert_fails(open_data(&f, ONE, AXL_SPLIT_TRAIN, &data), AXL_ERR_DATA, "no record");
    unlink(in_dir(&f, "a.jsonl"));
    assert_fails(open_data(&f, ONE, AXL_SPLIT_TRAIN, &data), AXL_ERR_NOT_FOUND, "datasets[0].path");
    tear_down(&f);
}

/* A record's error is taken whole from the thread that met it to the caller. */
static void test_dataset__keeps_the_end_of_a_long_error(void **state)
{
    char column[301], yaml[600], text[400];
    fixture f;
    axl_dataset *data;

    (void)state;
    set_up(&f);
    memset(column, 'c', 300);
    column[300] = '\0';
    snprintf(text, sizeof text, "{\"%s\": 3}\n", column);
    write_text(in_dir(&f, "a.jsonl"), text);
    snprintf(yaml, sizeof yaml, "datasets: [{path: a.jsonl, type: completion, field: %s}]\n",
             column);
    snprintf(text, sizeof text, "a.jsonl:1: \"%s\" must be a string, not an integer", column);
    assert_fails(open_data(&f, yaml, AXL_SPLIT_TRAIN, &data), AXL_ERR_DATA, text);
    tear_down(&f);
}

/* ---- several samples of a record ---- */

#define TEXTS "datasets: [{path: a.jsonl, type: completion}]\nshuffle_merged_datasets: false\n"

static void test_dataset__takes_formats_of_your_own(void **state)
{
    fixture f;
    axl_dataset *data;

    (void)state;
    set_up(&f);
    write_text(in_dir(&f, "a.jsonl"), "{\"q\": \"1+1\", \"a\": \"2\"}\n");
    expect(&f,
           "datasets: [{path: a.jsonl, type: {field_instruction: q, field_output: a, "
           "no_input_format: 'What is {instruction}?'}}]\n",
           AXL_SPLIT_TRAIN, "2");
    assert_fails(open_data(&f, "datasets: [{path: a.jsonl, type: {field_output: a}}]\n",
                           AXL_SPLIT_TRAIN, &data),
                 AXL_ERR_DATA,
                 "has the column \"instruction\" that the type user_defined reads; the first "
                 "record has: q, a");
    assert_fails(open_data(&f, "datasets: [{path: a.jsonl, type: {format: '{q}'}}]\n",
                           AXL_SPLIT_TRAIN, &data),
                 AXL_ERR_INVALID, "datasets[0].type: format: \"{q}\" is no format: it may name ");
    tear_down(&f);
}

static void test_dataset__cuts_texts_into_samples(void **state)
{
    static const struct {
        const char *ids;
        uint64_t row;
        uint32_t part;
    } want[] = { { "<abc", 0, 0 }, { "defg", 0, 1 }, { "hi>", 0, 2 }, { "<xyz", 2, 0 } };
    fixture f;
    axl_dataset *data;
    axl_dataset_stats stats = AXL_DATASET_STATS_INIT;

    (void)state;
    set_up(&f);
    write_text(in_dir(&f, "a.jsonl"), "{\"text\": \"abcdefghi\"}\n{\"text\": \"\"}\n"
                                      "{\"text\": \"xyz\"}\n");
    for (uint64_t cached = 0; cached < 2; cached++) {
        assert_ok(open_data(&f, TEXTS "sequence_len: 4\n", AXL_SPLIT_TRAIN, &data));
        assert_int_equal(axl_dataset_count(data), 4);
        for (uint64_t i = 0; i < 4; i++) {
            axl_sample s = AXL_SAMPLE_INIT;
            assert_ok(axl_dataset_get_sample(data, i, &s));
            assert_int_equal(s.row, want[i].row);
            assert_int_equal(s.part, want[i].part);
            assert_int_equal(s.length, strlen(want[i].ids));
            for (uint32_t k = 0; k < s.length; k++) {
                char c = want[i].ids[k];
                int32_t id = c == '<' ? BYTE_BOS : c == '>' ? BYTE_EOS : c;
                assert_int_equal(s.input_ids[k], id);
                assert_int_equal(s.labels[k], id);
            }
        }
        assert_ok(axl_dataset_get_stats(data, &stats));
        assert_int_equal(stats.from_cache, cached);
        assert_int_equal(stats.rows_read, 6); /* the last text's EOS is a piece of its own */
        assert_int_equal(stats.dropped_too_short, 1);
        assert_int_equal(stats.dropped_no_trained, 1); /* the empty text */
        axl_dataset_free(data);
    }
    write_text(in_dir(&f, "a.jsonl"), "{\"body\": \"abc\"}\n");
    assert_fails(
        open_data(&f, TEXTS, AXL_SPLIT_TRAIN, &data), AXL_ERR_DATA,
        "has the column \"text\" that the type completion reads; the first record has: body");
    write_text(in_dir(&f, "a.jsonl"), "{\"text\": \"\"}\n{\"text\": null}\n");
    assert_fails(open_data(&f, TEXTS, AXL_SPLIT_TRAIN, &data), AXL_ERR_DATA,
                 "none of the 2 rows has a token to train on");
    tear_down(&f);
}

/* ---- splits ---- */

/* Records with the three columns are samples, with and without a type; the others' rules hold. */
static void test_dataset__takes_samples_as_they_are(void **state)
{
#define TOKENS "\"input_ids\": [1, 65, 66, 67], \"attention_mask\": [1, 1, 1, 0], "
    static const struct {
        const char *record, *message;
    } bad[] = {
        { "{" TOKENS "\"labels\": [-100, 65]}", "\"labels\" has 2 items and \"input_ids\" has 4" },
        { "{" TOKENS "\"labels\": [-100, 65, -5, -100]}",
          "\"labels\" has -5, which must be from 0" },
        { "{" TOKENS "\"labels\": [-100, 65, 66, 67]}", "that \"attention_mask\" hides" },
        { "{\"input_ids\": [1], \"attention_mask\": [2], \"labels\": [1]}",
          "has 2, which must be" },
        { "{\"input_ids\": [1, 2], \"attention_mask\": [0, 1], \"labels\": [-100, 1]}",
          "has a 1 behind a 0" },
        { "{\"input_ids\": \"a\", \"attention_mask\": [], \"labels\": []}",
          "\"input_ids\" must be a list of integers, not a string" },
        { "{\"input_ids\": [1.5], \"attention_mask\": [1], \"labels\": [1]}",
          "\"input_ids\" must be a list of integers, and has a number" },
        { "{\"instruction\": \"a\"}",
          "the data set has no type, and its records are no samples of input_ids, attention_mask "
          "and labels: the first has: instruction; set type to one of alpaca" },
    };
    static const char *const types[] = { "", ", type: ~", ", type: ''", ", type: alpaca" };
    fixture f;
    axl_dataset *data;
    char yaml[200];

    (void)state;
    set_up(&f);
    write_text(in_dir(&f, "d.jsonl"), "{" TOKENS "\"labels\": [-100, 65, 66, -100]}\n"
                                      "{" TOKENS "\"labels\": [-100, 70, -100, -100]}\n");
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        snprintf(yaml, sizeof yaml,
                 "datasets: [{path: d.jsonl%s}]\nshuffle_merged_datasets: false\n"
                 "dataset_prepared_path:\n",
                 types[i]);
        assert_ok(open_data(&f, yaml, AXL_SPLIT_TRAIN, &data));
        axl_sample s = AXL_SAMPLE_INIT;
        assert_ok(axl_dataset_get_sample(data, 0, &s));
        assert_memory_equal(s.input_ids, ((int32_t[]){ 1, 65, 66, 67 }), 16);
        assert_memory_equal(s.labels, ((int32_t[]){ -100, 65, 66, -100 }), 16);
        assert_string_equal(letters(data), "AA");
        axl_dataset_free(data);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_text(in_dir(&f, "d.jsonl"), bad[i].record);
        assert_fails(open_data(&f, "datasets: [{path: d.jsonl}]\n", AXL_SPLIT_TRAIN, &data),
                     AXL_ERR_DATA, bad[i].message);
    }
    tear_down(&f);
}

static void test_dataset__makes_samples_up(void **state)
{
    fixture f;
    axl_dataset *data;

    (void)state;
    set_up(&f);
    for (int cached = 0; cached < 2; cached++) {
        axl_dataset_stats stats = AXL_DATASET_STATS_INIT;
        assert_ok(open_data(&f,
                            "datasets: [{path: none, type: _synthetic, length: 3, "
                            "sequence_length: 9, min_input_id: 5, max_input_id: 300, seed: 42}]\n",
                            AXL_SPLIT_TRAIN, &data));
        assert_ok(axl_dataset_get_stats(data, &stats));
        assert_int_equal(stats.rows, 3);
        assert_int_equal(stats.tokens, 27);
        assert_int_equal(stats.from_cache, cached);
        axl_dataset_free(data);
    }
    assert_fails(open_data(&f, "datasets: [{path: none, type: _synthetic, min_input_id: 9999}]\n",
                           AXL_SPLIT_TRAIN, &data),
                 AXL_ERR_INVALID, "min_input_id must be from 0 to below max_input_id");
    tear_down(&f);
}

/* ---- a host's own types ---- */

/* What a host's function is to do with a record. */
typedef struct {
    int calls, stop;
    char record[100];
    axl_status status; /* of the last call */
} host;

static int host_rows(void *user, axl_draft *draft, const char *record, size_t length)
{
    static const int32_t ids[] = { 'X', 'Y' }, labels[] = { AXL_LABEL_IGNORE, 'Y' };
    host *h = user;

    assert_int_equal(strlen(record), length);
    h->calls++;
    snprintf(h->record, sizeof h->record, "%s", record);
    if (strstr(record, "ids")) {
        assert_ok(axl_draft_put_ids(draft, ids, labels, 2));
        assert_ok(axl_draft_end_sample(draft));
        assert_ok(axl_draft_put_ids(draft, ids, NULL, 2));
    } else if (strstr(record, "texts")) { /* failures need no looking at */
        h->status = axl_draft_put_text(draft, AXL_TEXT_PROMPT, "P", 1);
        h->status = axl_draft_put_text(draft, AXL_TEXT_MASKED, "m", 1);
        h->status = axl_draft_put_text(draft, AXL_TEXT_TRAINED, "t", 1);
        h->status = axl_draft_put_text(draft, AXL_TEXT_RESPONSE, "R", 1);
        h->status = axl_draft_put_text(draft, AXL_TEXT_RESPONSE, NULL, 0);
    } else if (strstr(record, "bad")) {
        h->status = axl_draft_put_ids(draft, (int32_t[]){ -3 }, NULL, 1);
        h->status = axl_draft_put_text(draft, 9, "a", 1);
    }
    return h->stop;
}

#define HOST "datasets: [{path: d.jsonl, type: my.rows}]\nshuffle_merged_datasets: false\n"

static void test_dataset__takes_a_hosts_types(void **state)
{
    static const int32_t texts[] = { BYTE_BOS, 'P', 'm', 't', 'R', BYTE_EOS };
    static const int32_t trained[] = { -100, -100, -100, 't', 'R', BYTE_EOS };
    fixture f;
    host h = { 0 };
    axl_dataset *data;
    axl_dataset_stats stats = AXL_DATASET_STATS_INIT;
    axl_sample s = AXL_SAMPLE_INIT;

    (void)state;
    set_up(&f);
    write_text(in_dir(&f, "d.jsonl"), "{\"a\": \"ids\"}\n{\"a\": \"texts\"}\n{\"a\": \"none\"}\n");
    assert_ok(axl_dataset_register_type(f.ctx, "my.rows", NULL, host_rows, &h));
    assert_ok(open_data(&f, HOST, AXL_SPLIT_TRAIN, &data));
    assert_int_equal(h.calls, 3);
    assert_string_equal(h.record, "{\"a\": \"none\"}");
    assert_ok(axl_dataset_get_stats(data, &stats));
    assert_int_equal(stats.rows, 3);
    assert_int_equal(stats.rows_read, 4);
    assert_int_equal(stats.dropped_no_trained, 1);
    assert_ok(axl_dataset_get_sample(data, 1, &s));
    assert_int_equal(s.part, 1);
    assert_int_equal(s.n_trained, 1);
    assert_ok(axl_dataset_get_sample(data, 2, &s));
    assert_int_equal(s.length, 6);
    assert_memory_equal(s.input_ids, texts, sizeof texts);
    assert_memory_equal(s.labels, trained, sizeof trained);
    axl_dataset_free(data);
    tear_down(&f);
}

/* Prepared data is kept by the version and not without one. */
static void test_dataset__keeps_a_hosts_rows_by_version(void **state)
{
    static const char *const versions[] = { NULL, NULL, "1", "1", "2" };
    static const int called[] = { 1, 2, 3, 3, 4 };
    fixture f;
    host h = { 0 };
    axl_dataset *data;

    (void)state;
    set_up(&f);
    write_text(in_dir(&f, "d.jsonl"), "{\"a\": \"ids\"}\n");
    for (size_t i = 0; i < sizeof called / sizeof called[0]; i++) {
        assert_ok(axl_dataset_register_type(f.ctx, "my.rows", versions[i], host_rows, &h));
        assert_ok(open_data(&f, HOST, AXL_SPLIT_TRAIN, &data));
        assert_int_equal(h.calls, called[i]);
        axl_dataset_free(data);
    }
    tear_down(&f);
}

static void test_dataset__refuses_what_a_host_cannot_mean(void **state)
{
    fixture f;
    host h = { 0 };
    axl_dataset *data;

    (void)state;
    set_up(&f);
    assert_fails(axl_dataset_register_type(f.ctx, "alpaca:chat", NULL, host_rows, &h),
                 AXL_ERR_INVALID, "\"alpaca:chat\" is axl's own");
    assert_fails(axl_dataset_register_type(f.ctx, "", NULL, host_rows, &h), AXL_ERR_INVALID,
                 "name must not be empty");
    assert_fails(axl_dataset_register_type(f.ctx, "a", NULL, NULL, &h), AXL_ERR_INVALID,
                 "make must not be NULL");
    assert_fails(axl_draft_put_ids(NULL, NULL, NULL, 0), AXL_ERR_INVALID, "draft must not be NULL");
    assert_ok(axl_dataset_register_type(f.ctx, "my.rows", NULL, host_rows, &h));
    write_text(in_dir(&f, "d.jsonl"), "{\"a\": \"bad\"}\n");
    assert_fails(open_data(&f, HOST, AXL_SPLIT_TRAIN, &data), AXL_ERR_INVALID,
                 "d.jsonl:1: ids[0] is -3, which is no id"); /* the first of two */
    assert_int_equal(h.status, AXL_ERR_INVALID);
    write_text(in_dir(&f, "d.jsonl"), "{\"a\": \"ids\"}\n");
    h.stop = 1;
    assert_fails(open_data(&f, HOST, AXL_SPLIT_TRAIN, &data), AXL_ERR_CANCELLED,
                 "the function of the type \"my.rows\" stopped");
    tear_down(&f);
}

static void test_dataset__lists_its_types(void **state)
{
    axl_buffer out = AXL_BUFFER_INIT;
    fixture f;
    host h = { 0 };

    (void)state;
    set_up(&f);
    assert_ok(axl_dataset_register_type(f.ctx, "my.rows", NULL, host_rows, &h));
    assert_ok(axl_dataset_describe_types(f.ctx, 0, &out));
    assert_non_null(strstr(out.data, "alpaca[:instruct|chat|chatml|phi]\n    reads instruction, "
                                     "input?, output; trains output\n"));
    assert_non_null(strstr(out.data, "solution or explanation; trains"));
    assert_non_null(strstr(out.data, "my.rows\n    registered by this program\n"));
    assert_non_null(strstr(out.data, "chatml.intel with rl: kto\n    reads question, system?, "
                                     "completion, label; trains completion\n"));
    assert_non_null(strstr(out.data, "{prompt_format: …} with rl: dpo, ipo or simpo\n"));
    assert_ok(axl_dataset_describe_types(f.ctx, 1, &out));
    assert_non_null(
        strstr(out.data, "{\"type\": \"completion\", \"with\": null, \"styles\": [], \"columns\": "
                         "[{\"name\": \"text\", \"key\": \"field\", \"optional\": "
                         "false}], \"keys\": [\"field\"], \"trained\": \"all of it\"}"));
    assert_non_null(strstr(out.data, "{\"type\": \"my.rows\", "));
    axl_buffer_free(&out);
    tear_down(&f);
}

static void test_dataset__splits_as_axolotl(void **state)
{
    fixture f;
    axl_dataset *data;

    (void)state;
    set_up(&f);
    put_rows(&f, "a.jsonl", 10, 'a');
    put_rows(&f, "t.jsonl", 3, 'p');
    expect(&f, ONE "val_set_size: 0.25\n", AXL_SPLIT_TRAIN, "fgahdce");
    expect(&f, ONE "val_set_size: 0.25\n", AXL_SPLIT_VALIDATION, "jbi");
    expect(&f, ONE "val_set_size: 4\n", AXL_SPLIT_TRAIN, "fgahdc");
    expect(&f, ONE "val_set_size: 4\n", AXL_SPLIT_VALIDATION, "ejbi");
    assert_int_equal(open_data(&f, ONE, AXL_SPLIT_VALIDATION, &data), AXL_END);
    assert_null(data);
#define TESTS ONE "test_datasets: [{path: t.jsonl, type: alpaca}]\n"
    expect(&f, TESTS, AXL_SPLIT_TRAIN, "fgahdcejbi");
    expect(&f, TESTS, AXL_SPLIT_VALIDATION, "rqp");
    assert_fails(open_data(&f, ONE "val_set_size: 10\n", AXL_SPLIT_TRAIN, &data), AXL_ERR_DATA,
                 "val_set_size");
    tear_down(&f);
}

/* ---- cache ---- */

static int count_files(const char *dir)
{
    DIR *d = opendir(dir);
    int n = 0;

    if (!d)
        return 0;
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static uint64_t from_cache(const fixture *f, const char *more, const char *want)
{
    axl_dataset *data;
    axl_dataset_stats stats = AXL_DATASET_STATS_INIT;

    assert_ok(open_data(f, more, AXL_SPLIT_TRAIN, &data));
    assert_string_equal(letters(data), want);
    assert_ok(axl_dataset_get_stats(data, &stats));
    assert_int_equal(stats.rows_read, 5);
    assert_int_equal(stats.dropped_too_long, 1);
    axl_dataset_free(data);
    return stats.from_cache;
}

static void damage(const char *dir)
{
    DIR *d = opendir(dir);
    char path[600];

    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        FILE *f = fopen(path, "r+");
        fseek(f, 300, SEEK_SET);
        fputc('!', f);
        fclose(f);
    }
    closedir(d);
}

static void test_dataset__keeps_what_it_prepared(void **state)
{
#define SHORT ONE "sequence_len: 150\nseed: 42\n"
    fixture f;

    (void)state;
    set_up(&f);
    put_rows(&f, "a.jsonl", 5, 'a');
    assert_int_equal(from_cache(&f, SHORT, "ecba"), 0);
    assert_int_equal(from_cache(&f, SHORT, "ecba"), 1);
    assert_int_equal(count_files(in_dir(&f, "prepared")), 1);
    assert_int_equal(from_cache(&f, ONE "sequence_len: 151\n", "ecba"), 0);
    assert_int_equal(from_cache(&f, ONE "sequence_len: 150\nseed: 1\n", "eabc"), 0);
    assert_int_equal(from_cache(&f, ONE "sequence_len: 150\nval_set_size: 0\n", "ecba"), 1);
    put_rows(&f, "a.jsonl", 5, 'k'); /* as long as before */
    assert_int_equal(from_cache(&f, SHORT, "omlk"), 0);
    put_rows(&f, "a.jsonl", 5, 'a');
    assert_int_equal(from_cache(&f, SHORT, "ecba"), 1);
    damage(in_dir(&f, "prepared"));
    f.log[0] = '\0';
    assert_int_equal(from_cache(&f, SHORT, "ecba"), 0);
    assert_non_null(strstr(f.log, "broken"));
    assert_int_equal(from_cache(&f, SHORT, "ecba"), 1);
    axl_tokenizer_free(f.tok);
    f.tok = byte_tokenizer(f.ctx, 1); /* another tokenizer */
    assert_int_equal(from_cache(&f, SHORT, "ecba"), 0);
    tear_down(&f);
}

static void test_dataset__trains_without_a_place_to_keep(void **state)
{
    fixture f;

    (void)state;
    set_up(&f);
    put_rows(&f, "a.jsonl", 5, 'a');
    write_text(in_dir(&f, "prepared"), "a file");
    assert_int_equal(from_cache(&f, SHORT, "ecba"), 0);
    assert_non_null(strstr(f.log, "not kept"));
    tear_down(&f);
}

/* What a run left below output_dir is found there; nothing is added to it. */
static void test_dataset__writes_nothing_unasked(void **state)
{
#define UNASKED SHORT "dataset_prepared_path:\n"
    fixture f;
    axl_dataset *data;

    (void)state;
    set_up(&f);
    put_rows(&f, "a.jsonl", 5, 'a');
    int n = count_files(f.dir);
    assert_int_equal(from_cache(&f, UNASKED, "ecba"), 0);
    assert_int_equal(count_files(f.dir), n);
    assert_int_equal(from_cache(&f, SHORT, "ecba"), 0);
    mkdir(in_dir(&f, "out"), 0700);
    assert_int_equal(rename(in_dir(&f, "prepared"), in_dir(&f, "out/prepared")), 0);
    assert_int_equal(from_cache(&f, UNASKED, "ecba"), 1);
    assert_ok(open_data(&f, UNASKED "train_on_inputs: true\n", AXL_SPLIT_TRAIN, &data));
    axl_dataset_free(data);
    assert_int_equal(count_files(in_dir(&f, "out/prepared")), 1);
    assert_int_equal(count_files(f.dir), n + 1);
    tear_down(&f);
}

/* ---- the prompt alone ---- */

static void expect_prompt(const fixture *f, const axl_config *cfg, const char *input,
                          const char *want)
{
    axl_buffer text = AXL_BUFFER_INIT;

    assert_ok(axl_dataset_prompt(f->ctx, cfg, "Do {it}.", input, &text));
    assert_string_equal(text.data, want);
    assert_int_equal(text.length, strlen(want));
    axl_buffer_free(&text);
}

static void refuse_prompt(const fixture *f, const char *type, const char *input, const char *why)
{
    axl_buffer text = AXL_BUFFER_INIT;
    char more[300];

    snprintf(more, sizeof more, "datasets: [{path: a.jsonl, type: %s}]\n", type);
    axl_config *cfg = config(f, more);
    assert_fails(axl_dataset_prompt(NULL, cfg, "Do", input, &text), AXL_ERR_UNSUPPORTED, why);
    assert_null(text.data);
    axl_config_free(cfg);
}

static void test_dataset__asks_as_its_type_does(void **state)
{
#define TASK "Below is an instruction that describes a task"
#define ENDS "Write a response that appropriately completes the request."
    fixture f;
    axl_buffer text = AXL_BUFFER_INIT;

    (void)state;
    set_up(&f);
    expect_prompt(&f, NULL, NULL,
                  TASK ". " ENDS "\n\n### Instruction:\nDo {it}.\n\n### Response:\n");
    axl_config *cfg = config(&f, "datasets: [{path: a.jsonl, type: 'alpaca:chat'}]\n");
    expect_prompt(&f, cfg, "this",
                  "SYSTEM: " TASK ", paired with an input that provides further context. " ENDS
                  "\nUSER: Do {it}.\nthis\nASSISTANT:");
    assert_fails(axl_dataset_prompt(f.ctx, cfg, NULL, NULL, &text), AXL_ERR_INVALID, "instruction");
    assert_fails(axl_dataset_prompt(NULL, NULL, "x", NULL, &text), AXL_ERR_INVALID, "axl_context");
    axl_config_free(cfg);
    cfg =
        config(&f, "datasets: [{path: a.jsonl, type: {system_prompt: S, system_format: '{system}|',"
                   " format: '{instruction}+{input}=', no_input_format: '{instruction}='}}]\n");
    expect_prompt(&f, cfg, "this", "S|Do {it}.+this=");
    expect_prompt(&f, cfg, "", "S|Do {it}.=");
    axl_config_free(cfg);
    refuse_prompt(&f, "completion", NULL, "\"completion\" has no form for an instruction");
    refuse_prompt(&f, "jeopardy", NULL, "\"jeopardy\" has no form for an instruction alone");
    refuse_prompt(&f, "oasst", "x", "\"oasst\" has no form for an input");
    tear_down(&f);
}

/* ---- long calls ---- */

static int stop_at_tokenize(void *user, const axl_progress *p)
{
    *(int *)user += 1;
    return strcmp(p->phase, "tokenize") == 0;
}

static void test_dataset__stops_when_told(void **state)
{
    fixture f;
    axl_dataset *data;
    axl_cancel *cancel;

    (void)state;
    set_up(&f);
    put_rows(&f, "a.jsonl", 5, 'a');
    assert_ok(axl_cancel_new(&cancel, f.ctx));
    axl_config *cfg = config(&f, ONE);
    axl_cancel_raise(cancel);
    axl_status status = axl_dataset_from_config(&data, cfg, f.tok, AXL_SPLIT_TRAIN);
    assert_int_equal(status, AXL_ERR_CANCELLED);
    assert_null(data);
    assert_int_equal(count_files(in_dir(&f, "prepared")), 0);
    axl_cancel_clear(cancel);
    assert_ok(axl_dataset_from_config(&data, cfg, f.tok, AXL_SPLIT_TRAIN));
    axl_dataset_free(data);
    axl_config_free(cfg);
    axl_cancel_free(cancel);
    tear_down(&f);

    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    int calls = 0;
    set_up(&f);
    put_rows(&f, "a.jsonl", 5, 'a');
    axl_tokenizer_free(f.tok);
    axl_context_free(f.ctx);
    o.progress = stop_at_tokenize;
    o.progress_user = &calls;
    assert_ok(axl_context_new(&f.ctx, &o));
    f.tok = byte_tokenizer(f.ctx, 0);
    assert_int_equal(open_data(&f, ONE, AXL_SPLIT_TRAIN, &data), AXL_ERR_CANCELLED);
    assert_true(calls > 0);
    assert_int_equal(count_files(in_dir(&f, "prepared")), 0);
    tear_down(&f);
}

static void test_dataset__is_the_same_with_any_threads(void **state)
{
    uint64_t sums[2] = { 0, 0 };

    (void)state;
    for (int t = 0; t < 2; t++) {
        fixture f;
        axl_dataset *data;
        set_up_threads(&f, t ? 4 : 1);
        FILE *file = fopen(in_dir(&f, "a.jsonl"), "w");
        for (int i = 0; i < 3000; i++)
            fprintf(file, "{\"instruction\": \"row %d\", \"output\": \"%d\"}\n", i, i * 7919);
        fclose(file);
        assert_ok(open_data(&f, ONE, AXL_SPLIT_TRAIN, &data));
        assert_int_equal(axl_dataset_count(data), 3000);
        for (uint64_t i = 0; i < 3000; i++) {
            axl_sample s = AXL_SAMPLE_INIT;
            assert_ok(axl_dataset_get_sample(data, i, &s));
            for (uint32_t k = 0; k < s.length; k++)
                sums[t] = sums[t] * 31 + (uint64_t)s.input_ids[k];
        }
        axl_dataset_free(data);
        tear_down(&f);
    }
    assert_true(sums[0] == sums[1]);
}

/* ---- a loader from a config ---- */

static void test_dataset__loads_as_the_config_says(void **state)
{
    fixture f;
    axl_dataset *train, *validation;
    axl_loader *loader;
    axl_batch b = AXL_BATCH_INIT;
    uint64_t steps;

    (void)state;
    set_up(&f);
    put_rows(&f, "a.jsonl", 10, 'a');
    axl_config *cfg = config(&f, ONE "val_set_size: 3\nsequence_len: 400\nsample_packing: true\n");
    assert_ok(axl_dataset_from_config(&train, cfg, f.tok, AXL_SPLIT_TRAIN));
    assert_ok(axl_dataset_from_config(&validation, cfg, f.tok, AXL_SPLIT_VALIDATION));
    assert_ok(axl_loader_from_config(&loader, cfg, train, AXL_SPLIT_TRAIN));
    assert_ok(axl_loader_get_total_steps(loader, &steps));
    assert_int_equal(steps, 2); /* 7 rows of 145 tokens in bins of 800 */
    axl_loader_free(loader);
    assert_ok(axl_loader_from_config(&loader, cfg, validation, AXL_SPLIT_VALIDATION));
    assert_ok(axl_loader_next(loader, &b));
    assert_int_equal(b.n_seqs, 3);
    assert_int_equal(axl_loader_next(loader, &b), AXL_END);
    axl_loader_free(loader);
    axl_dataset_free(train);
    axl_dataset_free(validation);
    axl_config_free(cfg);
    tear_down(&f);
}

/* ---- allocations that fail ---- */

typedef struct {
    uint64_t calls, fail_at; /* the call that fails; 0: none */
} faults;

static bool fault_due(faults *f)
{
    return ++f->calls == f->fail_at;
}

static void *fault_alloc(void *user, size_t size)
{
    return fault_due(user) ? NULL : malloc(size ? size : 1);
}

static void *fault_realloc(void *user, void *block, size_t size)
{
    return fault_due(user) ? NULL : realloc(block, size ? size : 1);
}

static void fault_free(void *user, void *block)
{
    (void)user;
    free(block);
}

/* The whole way from files to batches; what was made is freed in any case. */
static axl_status walk(const axl_config *cfg, const axl_tokenizer *tok)
{
    axl_dataset *data = NULL;
    axl_loader *loader = NULL;
    axl_batch b = AXL_BATCH_INIT;
    uint64_t steps;

    axl_status status = axl_dataset_from_config(&data, cfg, tok, AXL_SPLIT_TRAIN);
    if (status == AXL_OK)
        status = axl_loader_from_config(&loader, cfg, data, AXL_SPLIT_TRAIN);
    if (status == AXL_OK)
        status = axl_loader_get_total_steps(loader, &steps);
    while (status == AXL_OK)
        status = axl_loader_next(loader, &b);
    axl_loader_free(loader);
    axl_dataset_free(data);
    return status;
}

#define EVERY_COLUMN                                                                               \
    "[{\"instruction\": \"x\", \"answer\": \"y\", \"output\": \"y\", \"reflection\": \"y\", "      \
    "\"corrected\": \"y\", \"scores\": {\"b\": 1, \"a\": [2]}, \"critiques\": {}, \"revision\": "  \
    "\"texts\", "                                                                                  \
    "\"segments\": [{\"label\": true, \"text\": \"t\"}], \"conversations\": ["                     \
    "{\"role\": \"human\", \"from\": \"human\", \"value\": \"h\"}, "                               \
    "{\"role\": \"bot\", \"from\": \"gpt\", \"value\": \"b\"}], "                                  \
    "\"messages\": [{\"role\": \"user\", \"content\": \"u\"}, "                                    \
    "{\"role\": \"assistant\", \"content\": \"a\"}]}]"

static void test_dataset__survives_failed_allocations(void **state)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    faults faults = { 0, 0 };
    host h = { 0 };
    fixture f;

    (void)state;
    set_up(&f);
    axl_tokenizer_free(f.tok);
    axl_context_free(f.ctx);
    o.alloc = fault_alloc;
    o.realloc = fault_realloc;
    o.free = fault_free;
    o.alloc_user = &faults;
    o.threads = 1;
    assert_ok(axl_context_new(&f.ctx, &o));
    f.tok = byte_tokenizer(f.ctx, 0);
    put_rows(&f, "a.jsonl", 6, 'a');
    write_text(in_dir(&f, "b.json"), "[{\"instruction\": \"x\", \"output\": \"y\"}]");
    write_text(in_dir(&f, "c.json"), EVERY_COLUMN);
    assert_ok(axl_dataset_register_type(f.ctx, "my.rows", "1", host_rows, &h));
    mkdir(in_dir(&f, "d"), 0777);
    write_text(in_dir(&f, "d/b.json"), "{\"instruction\": \"x\", \"output\": \"z\"}");
    write_text(in_dir(&f, "d/README.md"),
               "---\nconfigs: [{config_name: one, data_files: '*.json'}]\n---\n");
#define EVERY_METHOD                                                                               \
    "datasets: [{path: a.jsonl, type: alpaca, split: 'train[:90%]+train[-1:]', shards: 2}, "       \
    "{path: b.json, type: completion, field: output, preprocess_shards: 1}, "                      \
    "{path: d, name: one, split: all, type: {format: '{instruction}{input}'}}, "                   \
    "{path: c.json, type: reflection}, "                                                           \
    "{path: c.json, type: creative_acr.load_revise}, {path: c.json, type: input_output}, "         \
    "{path: c.json, type: pygmalion}, {path: c.json, type: llama2_chat}, "                         \
    "{path: c.json, type: messages}, {path: c.json, type: my.rows}, "                              \
    "{path: c.json, type: _synthetic, length: 2, sequence_length: 4}]\n"
    axl_config *cfg =
        config(&f, EVERY_METHOD "val_set_size: 0.1\nsample_packing: true\nnum_epochs: 2\n"
                                "shuffle_before_merging_datasets: true\n"
                                "dataset_exact_deduplication: true\n");
    for (int cached = 0; cached < 2; cached++) {
        axl_status status = AXL_ERR_NOMEM;
        for (uint64_t n = 1; status != AXL_END; n++) {
            char command[300];
            if (!cached) {
                snprintf(command, sizeof command, "rm -rf %s/prepared", f.dir);
                assert_int_equal(system(command), 0);
            }
            faults.calls = 0;
            faults.fail_at = n;
            status = walk(cfg, f.tok);
            if (status != AXL_END)
                assert_int_equal(status, AXL_ERR_NOMEM);
        }
        faults.fail_at = 0;
    }
    axl_config_free(cfg);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dataset__copies_samples),
        cmocka_unit_test(test_dataset__orders_rows_as_axolotl),
        cmocka_unit_test(test_dataset__says_where_a_sample_is_from),
        cmocka_unit_test(test_dataset__applies_the_length_rules),
        cmocka_unit_test(test_dataset__drops_rows_without_a_response),
        cmocka_unit_test(test_dataset__names_bad_rows),
        cmocka_unit_test(test_dataset__keeps_the_end_of_a_long_error),
        cmocka_unit_test(test_dataset__takes_formats_of_your_own),
        cmocka_unit_test(test_dataset__cuts_texts_into_samples),
        cmocka_unit_test(test_dataset__takes_samples_as_they_are),
        cmocka_unit_test(test_dataset__makes_samples_up),
        cmocka_unit_test(test_dataset__takes_a_hosts_types),
        cmocka_unit_test(test_dataset__keeps_a_hosts_rows_by_version),
        cmocka_unit_test(test_dataset__refuses_what_a_host_cannot_mean),
        cmocka_unit_test(test_dataset__lists_its_types),
        cmocka_unit_test(test_dataset__splits_as_axolotl),
        cmocka_unit_test(test_dataset__keeps_what_it_prepared),
        cmocka_unit_test(test_dataset__writes_nothing_unasked),
        cmocka_unit_test(test_dataset__asks_as_its_type_does),
        cmocka_unit_test(test_dataset__trains_without_a_place_to_keep),
        cmocka_unit_test(test_dataset__stops_when_told),
        cmocka_unit_test(test_dataset__is_the_same_with_any_threads),
        cmocka_unit_test(test_dataset__loads_as_the_config_says),
        cmocka_unit_test(test_dataset__survives_failed_allocations),
    };

    return test_run(tests);
}
