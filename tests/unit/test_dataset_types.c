/* SPDX-License-Identifier: Apache-2.0 */
/* test_dataset_types.c - ids and labels of every data set type against those of Axolotl's own
 * strategies (tests/golden/make_dataset_type_goldens.py). */
#include "testing.h"

#include "sha256.h"

#include "data/prompt/prompt.h"

#include "base/folder.h"
#include "base/os.h"

#include <axl/dataset.h>

enum { FILES_MAX = 8, TOKENIZERS_MAX = 8 };

typedef struct {
    axl_context *ctx;
    axl__arena arena; /* of the goldens */
    axl__file file;
    axl__json *golden;
    axl_config *cfg;                    /* the whole one, of which entries are no part */
    axl_tokenizer *tok[TOKENIZERS_MAX]; /* in the golden's order */
} fixture;

/* ---- tokenizers ---- */

static axl__json *read_json(fixture *f, const char *path)
{
    axl__json *out;

    assert_ok(axl__json_read_file(&out, &f->arena, path));
    return out;
}

/* A folder's file, or a member of a golden's `write`. */
static const axl__json *tokenizer_file(fixture *f, const axl__json *where, const char *name)
{
    const char *folder = axl__json_string(where, "folder", NULL), *path;
    char relative[256];

    if (folder) {
        snprintf(relative, sizeof relative, "%s/%s", folder, name);
        path = test_source_path(relative);
        return axl__path_kind_of(path) == AXL__PATH_FILE ? read_json(f, path) : NULL;
    }
    path = test_source_path("tests/golden/tokenizer/byte_level_goldens.json");
    const axl__json *c = axl__json_get(read_json(f, path), "cases")->child;
    while (strcmp(axl__json_string(c, "name", ""), axl__json_string(where, "case", "")) != 0)
        c = c->next;
    return axl__json_get(axl__json_get(c, "write"), name);
}

/* The config's members come behind the file's, so that they count. */
static axl_tokenizer *open_tokenizer(fixture *f, const axl__json *where)
{
    static const char *const names[] = { "config.json", "tokenizer.json", "tokenizer_config.json" };
    axl_file files[3];
    axl__str texts[3];
    axl_tokenizer *tok;

    for (int i = 0; i < 3; i++) {
        axl__json *value = (axl__json *)(uintptr_t)tokenizer_file(f, where, names[i]);
        assert_non_null(value);
        if (i == 2) {
            axl__json **link = &value->child;
            while (*link)
                link = &(*link)->next;
            *link = axl__json_get(where, "config")->child;
        }
        axl__str_init(&texts[i], f->ctx);
        axl__json_write(&texts[i], value, 0);
        files[i] = (axl_file){ sizeof files[i], names[i], texts[i].data, texts[i].len };
    }
    assert_ok(axl_tokenizer_open_files(&tok, f->ctx, files, 3, NULL));
    for (int i = 0; i < 3; i++)
        axl__str_free(&texts[i]);
    return tok;
}

static void set_up(fixture *f)
{
    static const char config[] = "base_model: model\nlearning_rate: 1e-3\nnum_epochs: 1\n"
                                 "micro_batch_size: 1\ngradient_accumulation_steps: 1\n"
                                 "chat_template: chatml\ndatasets: [{path: x, type: alpaca}]\n";
    int n = 0;

    memset(f, 0, sizeof *f);
    f->ctx = test_context();
    assert_ok(axl_config_parse(&f->cfg, f->ctx, config, strlen(config), NULL, NULL));
    axl__arena_init(&f->arena, f->ctx);
    f->golden = read_json(f, test_source_path("tests/golden/dataset_types.json"));
    for (const axl__json *t = axl__json_get(f->golden, "tokenizers")->child; t; t = t->next)
        f->tok[n++] = open_tokenizer(f, t);
}

static void tear_down(fixture *f)
{
    for (int i = 0; i < TOKENIZERS_MAX; i++)
        axl_tokenizer_free(f->tok[i]);
    axl__arena_free(&f->arena);
    axl_config_free(f->cfg);
    axl_context_free(f->ctx);
}

static axl_tokenizer *find_tokenizer(const fixture *f, const char *name)
{
    int i = 0;

    for (const axl__json *t = axl__json_get(f->golden, "tokenizers")->child; t; t = t->next, i++)
        if (strcmp(t->key, name) == 0)
            return f->tok[i];
    return NULL;
}

/* ---- cases ---- */

static bool sample_equals(const axl__draft *d, uint32_t from, uint32_t to, const axl__json *want)
{
    const axl__json *length = want->child, *trained = length->next, *hash = trained->next;
    uint32_t n_trained = 0;
    sha256 sum;
    char hex[65];

    sha256_init(&sum);
    for (uint32_t i = from; i < to; i++)
        n_trained += d->labels[i] != AXL_LABEL_IGNORE;
    if (to > from) {
        sha256_put(&sum, d->ids + from, (to - from) * sizeof *d->ids);
        sha256_put(&sum, d->labels + from, (to - from) * sizeof *d->labels);
    }
    sha256_hex(&sum, hex);
    if (to - from == length->integer && n_trained == trained->integer &&
        memcmp(hex, hash->text, hash->len) == 0)
        return true;
    print_message("    %u tokens, %u trained; expected %d and %d\n", to - from, n_trained,
                  (int)length->integer, (int)trained->integer);
    return false;
}

/* Of a record that Axolotl refuses axl may make what it likes. */
static bool draft_equals(axl_status status, const axl__draft *d, const axl__json *want)
{
    uint32_t from = 0, i = 0;

    if (want->type == AXL__JSON_STRING)
        return true;
    if (want->type == AXL__JSON_NULL)
        return status == AXL_OK && d->n == 0;
    if (status != AXL_OK) {
        print_message("    %s\n", axl_last_error());
        return false;
    }
    if (d->n_ends != want->count)
        return false;
    for (const axl__json *sample = want->child; sample; sample = sample->next) {
        if (!sample_equals(d, from, d->ends[i], sample))
            return false;
        from = d->ends[i++];
    }
    return true;
}

static int run_case(fixture *f, const axl__json *c)
{
    const axl__json *rows =
        axl__json_get(axl__json_get(f->golden, "rows"), axl__json_string(c, "rows", ""));
    const axl__json *want = axl__json_get(c, "got")->child;
    axl__draft draft = { .ctx = f->ctx };
    axl__arena arena;
    axl_diagnostics *diags;
    axl__yaml *entry;
    axl__prompt p;
    axl__str yaml;
    int failed = 0, i = 0;

    axl__arena_init(&arena, f->ctx);
    axl__str_init(&yaml, f->ctx);
    axl__json_write(&yaml, axl__json_get(c, "entry"), 0);
    assert_ok(axl__diagnostics_new(&diags, f->ctx, "entry"));
    assert_ok(axl__yaml_parse(&entry, &arena, yaml.data, yaml.len, diags));
    assert_ok(axl__prompt_open(
        &p,
        &(axl__prompt_setup){ .ctx = f->ctx,
                              .tok = find_tokenizer(f, axl__json_string(c, "tokenizer", "")),
                              .entry = entry,
                              .cfg = f->cfg,
                              .sequence_len = (uint32_t)axl__json_int(c, "sequence_len", 0),
                              .train_on_inputs = axl__json_bool(c, "train_on_inputs", false) }));
    for (const axl__json *row = rows->child; row; row = row->next, want = want->next, i++) {
        axl__draft_clear(&draft);
        axl_status status = p.method->make(&p, row, &draft);
        if (draft_equals(status, &draft, want))
            continue;
        failed++;
        print_message("  %s with %s, sequence_len %d: row %d of %s differs\n", yaml.data,
                      axl__json_string(c, "tokenizer", ""),
                      (int)axl__json_int(c, "sequence_len", 0), i, axl__json_string(c, "rows", ""));
    }
    axl__prompt_close(&p);
    axl__draft_free(&draft);
    axl__str_free(&yaml);
    axl_diagnostics_free(diags);
    axl__arena_free(&arena);
    return failed;
}

static void test_dataset_types__equal_axolotl(void **state)
{
    fixture f;
    int failed = 0, n = 0;

    (void)state;
    set_up(&f);
    for (const axl__json *c = axl__json_get(f.golden, "cases")->child; c; c = c->next, n++)
        failed += run_case(&f, c);
    assert_int_equal(failed, 0);
    assert_true(n > 200);
    tear_down(&f);
}

/* ---- records of any form ---- */

/* What a column may hold in a file that somebody wrote. */
static const char *const odd[] = {
    "null",
    "true",
    "-1.5e300",
    "\"\"",
    "\"a\\u0000[/INST]b </s><s>\"",
    "[]",
    "[1, \"a\", null, {}]",
    "[[[]]]",
    "{}",
    "{\"\": [{\"\": \"\\n \\n\"}], \"a\": {}, \"a\": \"? x\"}",
    "[{}]",
    "[{\"role\": \"bot\", \"from\": \"human\", \"value\": null, \"content\": null}]",
    "[{\"role\": 1}, {\"from\": []}]",
    "[{\"role\": \"user\", \"from\": \"human\", \"value\": \"a\", \"text\": 3, \"label\": \"x\"}]",
    "[{\"role\": \"gpt\", \"from\": \"gpt\", \"value\": [{\"type\": \"image\", \"value\": 1}]}]",
    "[{\"from\": \"system\", \"value\": \"s\"}, {\"from\": \"gpt\", \"value\": \"g\"}]",
    "[{\"text\": \"t\", \"label\": 1e9, \"role\": \"user\", \"weight\": \"1\"}]",
};
enum { N_ODD = sizeof odd / sizeof odd[0] };

/* Column i has the k-th value, the others what is left of the list from there on. */
static void put_odd_record(axl__str *out, const axl__dataset_type *type, size_t i, size_t k)
{
    axl__str_clear(out);
    axl__str_putc(out, '{');
    for (size_t c = 0; c < AXL__DATASET_COLUMNS_MAX && type->columns[c].name; c++)
        axl__str_putf(out, "%s\"%s\": %s", c ? ", " : "", type->columns[c].name,
                      c == i ? odd[k] : odd[(3 + c + k) % N_ODD]);
    axl__str_putc(out, '}');
}

/* A config of the task that the type belongs to. */
static axl_config *config_of(fixture *f, const axl__dataset_type *type)
{
    static const char *const lines[] = { "",
                                         "rl: dpo",
                                         "rl: simpo",
                                         "rl: orpo",
                                         "rl: kto",
                                         "reward_model: true",
                                         "process_reward_model: true" };
    char text[400];
    axl_config *cfg;

    snprintf(text, sizeof text,
             "base_model: model\nlearning_rate: 1e-3\nnum_epochs: 1\nmicro_batch_size: 1\n"
             "gradient_accumulation_steps: 1\nchat_template: chatml\ndatasets: [{path: x, type: "
             "%s}]\n%s\n",
             type->untyped ? "" : type->name, lines[type->task]);
    assert_ok(axl_config_parse(&cfg, f->ctx, text, strlen(text), NULL, NULL));
    return cfg;
}

static void try_record(fixture *f, const axl__prompt *p, axl__str *text, axl__draft *draft)
{
    axl__arena arena;
    axl__json *record;

    axl__arena_init(&arena, f->ctx);
    axl__draft_clear(draft);
    assert_ok(axl__json_parse(&record, &arena, text->data, text->len, NULL));
    axl_status status = axl__prompt_make(p, record, draft);
    if (status != AXL_OK && status != AXL_ERR_DATA)
        fail_msg("%s: %s: %s", p->type->name, text->data, axl_last_error());
    if (status == AXL_OK && draft->n_ends > 0)
        assert_int_equal(draft->ends[draft->n_ends - 1], draft->n);
    axl__arena_free(&arena);
}

/* A wrong record is an error of the record or an empty sample, and nothing else. */
static void test_dataset_types__take_any_record(void **state)
{
    fixture f;
    axl__str text;
    axl__prompt p;

    (void)state;
    set_up(&f);
    axl__str_init(&text, f.ctx);
    for (size_t t = 0; t < axl__n_dataset_types; t++) {
        const axl__dataset_type *type = &axl__dataset_types[t];
        axl__draft draft = { .ctx = f.ctx };
        if (!axl__dataset_type_has_name(type) && !type->untyped)
            continue;
        axl_config *cfg = config_of(&f, type);
        axl__yaml name = { .type = AXL__YAML_STRING, .text = type->name, .key = "type" };
        axl__yaml entry = { .type = AXL__YAML_MAP, .child = type->untyped ? NULL : &name };
        name.len = strlen(type->name);
        assert_ok(axl__prompt_open(
            &p,
            &(axl__prompt_setup){
                .ctx = f.ctx, .tok = f.tok[0], .entry = &entry, .cfg = cfg, .sequence_len = 30 }));
        for (size_t i = 0; i < AXL__DATASET_COLUMNS_MAX && type->columns[i].name; i++)
            for (size_t k = 0; k < N_ODD; k++) {
                put_odd_record(&text, type, i, k);
                try_record(&f, &p, &text, &draft);
            }
        axl__prompt_close(&p);
        axl__draft_free(&draft);
        axl_config_free(cfg);
    }
    axl__str_free(&text);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dataset_types__equal_axolotl),
        cmocka_unit_test(test_dataset_types__take_any_record),
    };

    return test_run(tests);
}
