/* SPDX-License-Identifier: Apache-2.0 */
/* test_preference_data.c - data sets of preferences, rewards and judged steps from small files:
 * pairs stay together, and what cannot be used is named. */
#include "testing.h"

#include "byte_tokenizer.h"

#include <axl/dataset.h>
#include <axl/run.h>

#include <stdbool.h>

/* ---- an allocator that fails at one of its calls ---- */

typedef struct {
    uint64_t calls, fail_at; /* 0: never */
} faults;

static void *fault_realloc(void *user, void *p, size_t size)
{
    faults *f = user;

    return ++f->calls == f->fail_at ? NULL : realloc(p, size);
}

static void *fault_alloc(void *user, size_t size)
{
    return fault_realloc(user, NULL, size);
}

static void fault_free(void *user, void *p)
{
    (void)user;
    free(p);
}

typedef struct {
    axl_context *ctx;
    axl_tokenizer *tok;
    char dir[128];
    faults faults;
} fixture;

static void set_up(fixture *f)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;

    memset(f, 0, sizeof *f);
    snprintf(f->dir, sizeof f->dir, "%s", test_temp_dir());
    mkdir(f->dir, 0700);
    o.threads = 1;
    o.alloc = fault_alloc;
    o.realloc = fault_realloc;
    o.free = fault_free;
    o.alloc_user = &f->faults;
    assert_ok(axl_context_new(&f->ctx, &o));
    f->tok = byte_tokenizer(f->ctx, 0);
}

static void tear_down(fixture *f)
{
    char command[200];

    axl_tokenizer_free(f->tok);
    axl_context_free(f->ctx);
    snprintf(command, sizeof command, "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
}

static void put_file(const fixture *f, const char *name, const char *text)
{
    char path[300];

    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    write_text(path, text);
}

static axl_config *config(const fixture *f, const char *more)
{
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;
    char text[4096];
    axl_config *cfg;

    snprintf(text, sizeof text,
             "base_model: tok0\nmicro_batch_size: 2\ngradient_accumulation_steps: 1\n"
             "num_epochs: 1\nlearning_rate: 0.001\noutput_dir: out\n%s",
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

    axl_config_free(cfg);
    return status;
}

static axl_sample sample(const axl_dataset *data, uint64_t i)
{
    axl_sample s = AXL_SAMPLE_INIT;

    assert_ok(axl_dataset_get_sample(data, i, &s));
    return s;
}

/* The first trained token of each sample, in order. */
static const char *letters(const axl_dataset *data)
{
    static char out[256];
    uint64_t n = axl_dataset_count(data);

    assert_true(n < sizeof out);
    for (uint64_t i = 0; i < n; i++) {
        axl_sample s = sample(data, i);
        uint32_t k = 0;
        while (s.labels[k] == AXL_LABEL_IGNORE)
            k++;
        out[i] = (char)s.input_ids[k];
    }
    out[n] = '\0';
    return out;
}

/* ---- pairs ---- */

/* n records whose better answers are letters from "A" on, the worse ones small; row 3 is longer. */
static void put_pairs(const fixture *f, const char *name, int n)
{
    char text[8192] = "";
    size_t at = 0;

    for (int i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at,
                               "{\"prompt\": \"%s\", \"chosen\": \"%c\", \"rejected\": \"%c\"}\n",
                               i == 3 ? "a longer one" : "do", 'A' + i, 'a' + i);
    put_file(f, name, text);
}

#define PAIRS "rl: dpo\ndatasets: [{path: a.jsonl, type: passthrough}]\n"

static void expect(const fixture *f, const char *more, axl_split split, const char *want)
{
    axl_dataset *data;

    assert_ok(open_data(f, more, split, &data));
    assert_string_equal(letters(data), want);
    for (uint64_t i = 0; i < axl_dataset_count(data); i++) {
        axl_sample s = sample(data, i), partner = sample(data, i ^ 1);
        assert_int_equal(s.role, i % 2 ? AXL_ROLE_REJECTED : AXL_ROLE_CHOSEN);
        assert_int_equal(s.part, i % 2);
        assert_int_equal(s.pair, partner.pair);
        assert_int_equal(s.row, partner.row);
        assert_int_equal(s.labels[s.length - 1], BYTE_EOS);
    }
    axl_dataset_free(data);
}

/* The order is the one of ten rows in test_dataset.c: records are what is permuted and split. */
static void test_preference_data__keeps_pairs_together(void **state)
{
    fixture f;

    (void)state;
    set_up(&f);
    put_pairs(&f, "a.jsonl", 10);
    expect(&f, PAIRS, AXL_SPLIT_TRAIN, "FfGgAaHhDdCcEeJjBbIi");
    expect(&f, PAIRS "val_set_size: 0.25\n", AXL_SPLIT_TRAIN, "FfGgAaHhDdCcEe");
    expect(&f, PAIRS "val_set_size: 0.25\n", AXL_SPLIT_VALIDATION, "JjBbIi");
    expect(&f, PAIRS "val_set_size: 4\n", AXL_SPLIT_VALIDATION, "EeJjBbIi");
    expect(&f, PAIRS "shuffle_merged_datasets: false\n", AXL_SPLIT_TRAIN, "AaBbCcDdEeFfGgHhIiJj");
    for (int i = 0; i < 2; i++) /* made, then from the cache */
        expect(&f, PAIRS "dataset_prepared_path: prepared\n", AXL_SPLIT_TRAIN,
               "FfGgAaHhDdCcEeJjBbIi");
    expect(&f, "rl: orpo\ndatasets: [{path: a.jsonl}]\n", AXL_SPLIT_TRAIN, "FfGgAaHhDdCcEeJjBbIi");
    tear_down(&f);
}

/* Records that are equal are one; an answer that is judged in two ways is two. */
static void test_preference_data__deduplicates_records(void **state)
{
    axl_dataset_stats stats = AXL_DATASET_STATS_INIT;
    axl_dataset *data;
    fixture f;

    (void)state;
    set_up(&f);
    put_file(&f, "a.jsonl",
             "{\"prompt\": \"p\", \"chosen\": \"A\", \"rejected\": \"a\"}\n"
             "{\"prompt\": \"p\", \"chosen\": \"A\", \"rejected\": \"b\"}\n"
             "{\"prompt\": \"p\", \"chosen\": \"A\", \"rejected\": \"a\"}\n"
             "{\"prompt\": \"p\", \"chosen\": \"a\", \"rejected\": \"A\"}\n");
#define ONCE "shuffle_merged_datasets: false\ndataset_exact_deduplication: true\n"
    expect(&f, PAIRS ONCE, AXL_SPLIT_TRAIN, "AaAbaA");
    expect(&f, PAIRS ONCE "dataset_shard_num: 2\ndataset_shard_idx: 1\n", AXL_SPLIT_TRAIN, "aA");
    expect(&f, PAIRS ONCE "dataset_shard_num: 2\ndataset_shard_idx: 0\n", AXL_SPLIT_TRAIN, "AaAb");
    put_file(&f, "k.jsonl",
             "{\"prompt\": \"p\", \"completion\": \"A\", \"label\": true}\n"
             "{\"prompt\": \"p\", \"completion\": \"A\", \"label\": false}\n"
             "{\"prompt\": \"p\", \"completion\": \"A\", \"label\": true}\n");
    assert_ok(open_data(&f, ONCE "rl: kto\ndatasets: [{path: k.jsonl}]\n", AXL_SPLIT_TRAIN, &data));
    assert_string_equal(letters(data), "AA");
    assert_ok(axl_dataset_get_stats(data, &stats));
    assert_int_equal(stats.dropped_duplicates, 1);
    axl_dataset_free(data);
    assert_fails(open_data(&f, PAIRS "streaming: true\nmax_steps: 5\n", AXL_SPLIT_TRAIN, &data),
                 AXL_ERR_UNSUPPORTED, "only texts to learn are streamed, and rl: dpo");
    tear_down(&f);
}

static void test_preference_data__drops_whole_pairs(void **state)
{
    axl_dataset_stats stats = AXL_DATASET_STATS_INIT;
    axl_dataset *data;
    fixture f;

    (void)state;
    set_up(&f);
    put_pairs(&f, "a.jsonl", 5);
    assert_ok(open_data(&f, PAIRS "sequence_len: 9\n", AXL_SPLIT_TRAIN, &data));
    assert_ok(axl_dataset_get_stats(data, &stats));
    assert_int_equal(stats.rows_read, 10);
    assert_int_equal(stats.rows, 8);
    assert_int_equal(stats.dropped_too_long, 2);
    assert_null(strchr(letters(data), 'D'));
    axl_dataset_free(data);
    assert_fails(open_data(&f, PAIRS "sequence_len: 9\nexcess_length_strategy: raise\n",
                           AXL_SPLIT_TRAIN, &data),
                 AXL_ERR_DATA, "a.jsonl:4: prompt and answer have 13 tokens, sequence_len is 9");
    put_file(&f, "a.jsonl",
             "{\"prompt\": \"p\", \"chosen\": null, \"rejected\": \"x\"}\n"
             "{\"prompt\": \"p\", \"chosen\": \"x\"}\n"
             "{\"prompt\": \"\", \"chosen\": \"x\", \"rejected\": \"y\"}\n"
             "{\"prompt\": null, \"chosen\": \"x\", \"rejected\": \"y\"}\n"
             "{\"prompt\": \"p\", \"chosen\": \"X\", \"rejected\": \"Y\"}\n");
    assert_ok(open_data(&f, PAIRS, AXL_SPLIT_TRAIN, &data));
    assert_string_equal(letters(data), "XY");
    assert_ok(axl_dataset_get_stats(data, &stats));
    assert_int_equal(stats.dropped_no_trained, 8);
    axl_dataset_free(data);
    tear_down(&f);
}

/* ---- judged answers and steps ---- */

static void test_preference_data__judges(void **state)
{
    axl_dataset *data;
    fixture f;

    (void)state;
    set_up(&f);
    put_file(&f, "k.jsonl",
             "{\"prompt\": \"p\", \"completion\": \"A\", \"label\": true}\n"
             "{\"prompt\": \"p\", \"completion\": \"B\", \"label\": false}\n"
             "{\"prompt\": \"p\", \"completion\": \"C\", \"label\": 1}\n"
             "{\"prompt\": \"p\", \"completion\": \"D\", \"label\": null}\n");
#define FILE_OF(rl, more)                                                                          \
    rl "\nshuffle_merged_datasets: false\ndatasets: [{path: k.jsonl" more "}]\n"
    assert_ok(open_data(&f, FILE_OF("rl: kto", ""), AXL_SPLIT_TRAIN, &data));
    assert_string_equal(letters(data), "ABC");
    assert_int_equal(sample(data, 0).role, AXL_ROLE_DESIRABLE);
    assert_int_equal(sample(data, 1).role, AXL_ROLE_UNDESIRABLE);
    assert_int_equal(sample(data, 2).role, AXL_ROLE_DESIRABLE);
    axl_dataset_free(data);
    put_file(&f, "k.jsonl",
             "{\"prompt\": \"p\", \"completions\": [\"a\", \"b\"], \"labels\": [true, false]}\n");
    assert_ok(open_data(&f, FILE_OF("process_reward_model: true", ", type: stepwise_supervised"),
                        AXL_SPLIT_TRAIN, &data));
    axl_sample s = sample(data, 0);
    const int32_t ids[] = { BYTE_BOS, 'p', 'a', '\n', 'b', '\n' };
    const int32_t labels[] = { -100, -100, -100, 1, -100, 0 };
    assert_int_equal(s.role, AXL_ROLE_STEPS);
    assert_int_equal(s.length, 6);
    assert_memory_equal(s.input_ids, ids, sizeof ids);
    assert_memory_equal(s.labels, labels, sizeof labels);
    axl_dataset_free(data);
    put_file(&f, "k.jsonl",
             "{\"input_ids\": [5, 6], \"attention_mask\": [1, 1], \"labels\": [-100, 1]}\n");
    assert_ok(open_data(&f, FILE_OF("process_reward_model: true", ""), AXL_SPLIT_TRAIN, &data));
    assert_int_equal(sample(data, 0).role, AXL_ROLE_STEPS);
    axl_dataset_free(data);
    tear_down(&f);
}

/* ---- what is wrong ---- */

static void wrong(const fixture *f, const char *record, const char *more, const char *want)
{
    axl_dataset *data;
    char line[1000];

    snprintf(line, sizeof line, "%s\n", record);
    put_file(f, "k.jsonl", line);
    assert_fails(open_data(f, more, AXL_SPLIT_TRAIN, &data), AXL_ERR_DATA, want);
}

static void test_preference_data__names_what_is_wrong(void **state)
{
    fixture f;

    (void)state;
    set_up(&f);
    wrong(&f, "{\"prompt\": \"p\", \"chosen\": \"x\"}", FILE_OF("rl: dpo", ""),
          "has the column \"rejected\" that the type preferences reads");
    wrong(&f, "{\"text\": \"p\"}", FILE_OF("rl: dpo", ", type: chatml"),
          "has the column \"prompt\" or \"input\" or \"question\" or \"instruction\" that the type "
          "chatml.default reads");
    wrong(&f, "{\"prompt\": 5, \"chosen\": \"x\", \"rejected\": \"y\"}", FILE_OF("rl: dpo", ""),
          "k.jsonl:1: \"prompt\" must be a string, not an integer");
    wrong(&f, "{\"chosen\": [{}], \"rejected\": []}",
          FILE_OF("rl: dpo", ", type: chatml.argilla_chat"),
          "\"chosen\" has 1 messages, and the type reads number 2");
    wrong(&f, "{\"prompt\": \"p\", \"answers\": [{\"answer\": \"a\", \"rank\": \"1\"}, {}]}",
          FILE_OF("rl: dpo", ", type: zephyr.nectar"), "has no number as its \"rank\"");
    wrong(&f, "{\"prompt\": \"p\", \"completion\": \"c\", \"label\": \"yes\"}",
          FILE_OF("rl: kto", ""), "\"label\" must be true or false, not a string");
    wrong(&f,
          "{\"messages\": [{\"role\": \"human\", \"content\": \"x\"}], \"chosen\": \"a\", "
          "\"rejected\": \"b\"}",
          "chat_template: chatml\n" FILE_OF("rl: dpo", ", type: chat_template.default"),
          "the role \"human\" is not known: map it by roles");
    wrong(&f, "{\"prompt\": \"p\", \"completions\": [\"a\"], \"labels\": []}",
          FILE_OF("process_reward_model: true", ", type: stepwise_supervised"),
          "\"completions\" has 1 steps and \"labels\" judges 0");
    tear_down(&f);
}

static void test_preference_data__is_not_trained(void **state)
{
    axl_diagnostics *list = NULL;
    axl_plan plan = AXL_PLAN_INIT;
    axl_run *run;
    fixture f;

    (void)state;
    set_up(&f);
    axl_config *cfg = config(&f, PAIRS); /* whose file and model are not there */
    assert_fails(axl_run_new(&run, cfg, NULL), AXL_ERR_UNSUPPORTED,
                 "rl: dpo: training with preferences does not exist yet");
    assert_fails(axl_run_plan(cfg, &plan), AXL_ERR_UNSUPPORTED, "rl: dpo: training");
    assert_int_equal(axl_run_check(cfg, &list), AXL_ERR_CONFIG);
    axl_diagnostics_free(list);
    axl_config_free(cfg);
    cfg = config(&f,
                 "reward_model: true\ndatasets: [{path: a, type: bradley_terry.chat_template}]\n");
    assert_fails(axl_run_new(&run, cfg, NULL), AXL_ERR_UNSUPPORTED,
                 "reward_model: true: training a reward model does not exist yet");
    axl_config_free(cfg);
    tear_down(&f);
}

/* ---- memory ---- */

static void put_every_column(const fixture *f)
{
    put_file(
        f, "k.jsonl",
        "{\"system\": \"s\", \"prompt\": \"p\", \"question\": \"q\", \"input\": \"i\", "
        "\"chosen\": \"a\", \"rejected\": \"bb\", \"messages\": \"m\", "
        "\"answers\": [{\"answer\": \"a\", \"rank\": 1}, {\"answer\": \"b\", \"rank\": 2}], "
        "\"completion\": \"c\", \"label\": true, \"completions\": [\"x\"], \"labels\": [1]}\n");
    put_file(f, "t.jsonl",
             "{\"chosen\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", "
             "\"content\": \"a\"}], \"rejected\": [{\"content\": \"q\"}, {\"role\": \"assistant\", "
             "\"content\": \"b\"}]}\n");
}

static void test_preference_data__survives_want_of_memory(void **state)
{
    static const char *const configs[] = {
        FILE_OF("rl: dpo", ", type: chatml.intel"),
        FILE_OF("rl: dpo", ", type: zephyr.nectar"),
        FILE_OF("rl: dpo", ", type: {prompt_format: '{system}{prompt}'}"),
        "chat_template: chatml\n" FILE_OF("rl: dpo", ", type: chat_template.default"),
        "sequence_len: 4\nexcess_length_strategy: truncate\n" FILE_OF("rl: simpo", ""),
        "chat_template: chatml\nrl: orpo\ndatasets: [{path: t.jsonl, type: "
        "chat_template.argilla}]\n",
        FILE_OF("rl: kto", ", type: llama3.ultra"),
        "chat_template: chatml\n" FILE_OF("reward_model: true",
                                          ", type: bradley_terry.chat_template"),
        FILE_OF("reward_model: true", ", type: bradley_terry.llama3.icr"),
        FILE_OF("process_reward_model: true", ", type: stepwise_supervised"),
    };
    fixture f;

    (void)state;
    set_up(&f);
    put_every_column(&f);
    for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        axl_config *cfg = config(&f, configs[i]);
        axl_status status = AXL_ERR_NOMEM;
        axl_dataset *data;
        for (uint64_t n = 1; status != AXL_OK; n++) {
            f.faults.calls = 0;
            f.faults.fail_at = n;
            status = axl_dataset_from_config(&data, cfg, f.tok, AXL_SPLIT_TRAIN);
            if (status != AXL_OK && status != AXL_ERR_NOMEM)
                fail_msg("%s: %s", configs[i], axl_last_error());
        }
        f.faults.fail_at = 0;
        axl_dataset_free(data);
        axl_config_free(cfg);
    }
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_preference_data__keeps_pairs_together),
        cmocka_unit_test(test_preference_data__deduplicates_records),
        cmocka_unit_test(test_preference_data__drops_whole_pairs),
        cmocka_unit_test(test_preference_data__judges),
        cmocka_unit_test(test_preference_data__names_what_is_wrong),
        cmocka_unit_test(test_preference_data__is_not_trained),
        cmocka_unit_test(test_preference_data__survives_want_of_memory),
    };

    return test_run(tests);
}
