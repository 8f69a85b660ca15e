/* SPDX-License-Identifier: Apache-2.0 */
/* test_preferences.c - ids and labels of records of preferences, of rewards and of judged steps
 * against those of Axolotl and TRL (tests/golden/make_preference_goldens.py). */
#include "testing.h"

#include "sha256.h"

#include "base/os.h"
#include "config/config.h"
#include "data/prompt/prompt.h"

#include <axl/dataset.h>

typedef struct {
    axl_context *ctx;
    axl__arena arena; /* of the goldens */
    axl__json *golden;
    axl_tokenizer *llama, *bytes;
    unsigned n_rows;
} fixture;

static axl__json *read_json(fixture *f, const char *name)
{
    axl__json *out;

    assert_ok(axl__json_read_file(&out, &f->arena, test_source_path(name)));
    return out;
}

static axl_tokenizer *open_written(fixture *f, const char *name)
{
    static const char *const names[] = { "config.json", "tokenizer.json", "tokenizer_config.json" };
    const axl__json *c =
        axl__json_get(read_json(f, "tests/golden/tokenizer/byte_level_goldens.json"), "cases")
            ->child;
    axl_file files[3];
    axl__str texts[3];
    axl_tokenizer *tok;

    while (strcmp(axl__json_string(c, "name", ""), name) != 0)
        c = c->next;
    for (int i = 0; i < 3; i++) {
        axl__str_init(&texts[i], f->ctx);
        axl__json_write(&texts[i], axl__json_get(axl__json_get(c, "write"), names[i]), 0);
        files[i] = (axl_file){ sizeof files[i], names[i], texts[i].data, texts[i].len };
    }
    assert_ok(axl_tokenizer_open_files(&tok, f->ctx, files, 3, NULL));
    for (int i = 0; i < 3; i++)
        axl__str_free(&texts[i]);
    return tok;
}

static void set_up(fixture *f)
{
    memset(f, 0, sizeof *f);
    f->ctx = test_context();
    axl__arena_init(&f->arena, f->ctx);
    f->golden = read_json(f, "tests/golden/preferences.json");
    assert_ok(axl_tokenizer_open(&f->llama, f->ctx, test_source_path("examples/tiny-llama"), NULL));
    f->bytes = open_written(f, "bytes-qwen2");
}

static void tear_down(fixture *f)
{
    axl_tokenizer_free(f->llama);
    axl_tokenizer_free(f->bytes);
    axl__arena_free(&f->arena);
    axl_context_free(f->ctx);
}

/* ---- cases ---- */

static bool sample_equals(const axl__draft *d, uint32_t i, const axl__json *want)
{
    const axl__json *length = want->child, *trained = length->next, *hash = trained->next;
    uint32_t from = i ? d->ends[i - 1] : 0, n = d->ends[i] - from, n_trained = 0;
    sha256 sum;
    char hex[65];

    sha256_init(&sum);
    for (uint32_t k = from; k < from + n; k++)
        n_trained += d->labels[k] != AXL_LABEL_IGNORE;
    if (n > 0) {
        sha256_put(&sum, d->ids + from, n * sizeof *d->ids);
        sha256_put(&sum, d->labels + from, n * sizeof *d->labels);
    }
    sha256_hex(&sum, hex);
    if (hash->next && hash->next->boolean != (d->roles[i] == AXL_ROLE_DESIRABLE))
        return false;
    if (n == length->integer && n_trained == trained->integer &&
        memcmp(hex, hash->text, hash->len) == 0)
        return true;
    print_message("    sample %u: %u tokens, %u trained; expected %d and %d\n", i, n, n_trained,
                  (int)length->integer, (int)trained->integer);
    return false;
}

static uint32_t role_of(const axl__json *want, uint32_t n, uint32_t i)
{
    return want->child->next->next->next ? AXL_ROLE_PLAIN /* sample_equals looks at it */
           : n == 1                      ? AXL_ROLE_STEPS
           : i == 0                      ? AXL_ROLE_CHOSEN
                                         : AXL_ROLE_REJECTED;
}

/* A row is dropped at once, or by a sample of it in which nothing is trained. */
static bool is_dropped(const axl__draft *d)
{
    uint32_t from = 0;

    if (d->too_long)
        return true;
    for (uint32_t i = 0; i < d->n_ends; from = d->ends[i++]) {
        uint32_t n_trained = 0;
        for (uint32_t k = from + 1; k < d->ends[i]; k++)
            n_trained += d->labels[k] != AXL_LABEL_IGNORE;
        if (n_trained == 0)
            return true;
    }
    return d->n_ends == 0;
}

/* Of a record that Axolotl or TRL refuses axl may make what it likes. */
static bool draft_equals(axl_status status, const axl__draft *d, const axl__json *want)
{
    uint32_t i = 0;

    if (want->type == AXL__JSON_STRING)
        return true;
    if (status != AXL_OK) {
        print_message("    %s\n", axl_last_error());
        return false;
    }
    if (want->type == AXL__JSON_NULL)
        return is_dropped(d);
    if (d->n_ends != want->count || d->too_long)
        return false;
    for (const axl__json *sample = want->child; sample; sample = sample->next, i++) {
        uint32_t role = role_of(sample, want->count, i);
        if (!sample_equals(d, i, sample) || (role != AXL_ROLE_PLAIN && role != d->roles[i]))
            return false;
    }
    return true;
}

/* The entry goes through a config, which fills in the defaults. */
static axl_config *parse_config(fixture *f, const axl__json *c)
{
    const char *task = axl__json_string(c, "task", "");
    const char *template = axl__json_string(c, "template", NULL);
    axl_config *cfg;
    axl__str entry, text;

    axl__str_init(&entry, f->ctx);
    axl__str_init(&text, f->ctx);
    axl__json_write(&entry, axl__json_get(c, "entry"), 0);
    axl__str_puts(&text, "base_model: model\nlearning_rate: 1e-3\nnum_epochs: 1\n"
                         "micro_batch_size: 1\ngradient_accumulation_steps: 1\n");
    axl__str_putf(&text, "%s: %s\n",
                  strcmp(task, "reward") == 0  ? "reward_model"
                  : strcmp(task, "steps") == 0 ? "process_reward_model"
                                               : "rl",
                  strcmp(task, "reward") == 0 || strcmp(task, "steps") == 0 ? "true" : task);
    if (template)
        axl__str_putf(&text, "chat_template: %s\n", template);
    entry.data[entry.len - 1] = '\0'; /* its brace */
    axl__str_putf(&text, "datasets: [%s%s\"path\": \"x\"}]\n", entry.data,
                  entry.len > 2 ? ", " : "");
    assert_ok(axl_config_parse(&cfg, f->ctx, text.data, text.len, NULL, NULL));
    axl__str_free(&entry);
    axl__str_free(&text);
    return cfg;
}

static axl__long_rule rule_of(const axl__json *c)
{
    const char *rule = axl__json_string(c, "rule", "");

    return strcmp(rule, "truncate") == 0 ? AXL__LONG_TRUNCATE
           : strcmp(rule, "raise") == 0  ? AXL__LONG_RAISE
                                         : AXL__LONG_DROP;
}

static int run_rows(fixture *f, const axl__prompt *p, const axl__json *c)
{
    const char *name = axl__json_string(c, "rows", "");
    const axl__json *row = axl__json_get(axl__json_get(f->golden, "rows"), name)->child;
    axl__draft draft = { .ctx = f->ctx };
    int failed = 0, i = 0;

    for (const axl__json *want = axl__json_get(c, "got")->child; want;
         want = want->next, row = row->next, i++, f->n_rows++) {
        axl__draft_clear(&draft);
        axl_status status = axl__prompt_make(p, row, &draft);
        if (draft_equals(status, &draft, want))
            continue;
        failed++;
        print_message("  %s %s with %s, sequence_len %u: row %d of %s differs\n",
                      axl__json_string(c, "task", ""), p->type->name,
                      axl__json_string(c, "tokenizer", ""), p->setup.sequence_len, i, name);
    }
    axl__draft_free(&draft);
    return failed;
}

static int run_case(fixture *f, const axl__json *c)
{
    bool llama = strcmp(axl__json_string(c, "tokenizer", ""), "llama") == 0;
    axl_config *cfg = parse_config(f, c);
    axl__prompt p;

    assert_ok(axl__prompt_open(
        &p, &(axl__prompt_setup){ .ctx = f->ctx,
                                  .tok = llama ? f->llama : f->bytes,
                                  .entry = axl__cfg_node(cfg, "datasets[0]"),
                                  .cfg = cfg,
                                  .sequence_len = (uint32_t)axl__json_int(c, "sequence_len", 0),
                                  .long_rule = rule_of(c) }));
    int failed = run_rows(f, &p, c);
    axl__prompt_close(&p);
    axl_config_free(cfg);
    return failed;
}

static void test_preferences__equal_axolotl_and_trl(void **state)
{
    fixture f;
    int failed = 0;

    (void)state;
    set_up(&f);
    for (const axl__json *c = axl__json_get(f.golden, "cases")->child; c; c = c->next)
        failed += run_case(&f, c);
    assert_int_equal(failed, 0);
    assert_true(f.n_rows > 1000);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_preferences__equal_axolotl_and_trl),
    };

    return test_run(tests);
}
