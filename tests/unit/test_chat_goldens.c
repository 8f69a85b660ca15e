/* SPDX-License-Identifier: Apache-2.0 */
/* test_chat_goldens.c - conversations are encoded and trained as Axolotl's own strategy has it:
 * tests/golden/make_chat_goldens.py says how its answers were made. */
#include "testing.h"

#include "base/json.h"
#include "base/os.h"
#include "config/config.h"
#include "data/prompt/prompt.h"

#include <axl/dataset.h>

typedef struct {
    axl_context *ctx;
    axl__arena arena;
    axl__json *goldens;
    axl__draft draft;
    unsigned n_equal;
} fixture;

static int set_up(void **state)
{
    static fixture f;

    f = (fixture){ .ctx = test_context() };
    axl__arena_init(&f.arena, f.ctx);
    f.draft.ctx = f.ctx;
    assert_ok(axl__json_read_file(&f.goldens, &f.arena,
                                  test_source_path("tests/golden/chat_goldens.json")));
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    axl__draft_free(&f->draft);
    axl__arena_free(&f->arena);
    axl_context_free(f->ctx);
    return 0;
}

/* ---- a case's tokenizer and config ---- */

enum { FILES_MAX = 4 };

static void add_files(const axl__json *of, axl_file *files, axl__str *texts, size_t *n)
{
    for (const axl__json *v = of->child; v; v = v->next) {
        bool there = v->type != AXL__JSON_OBJECT;
        for (size_t i = 0; i < *n; i++)
            there = there || strcmp(files[i].name, v->key) == 0;
        if (there)
            continue;
        assert_true(*n < FILES_MAX);
        axl__json_write(&texts[*n], v, 0);
        assert_ok(axl__str_status(&texts[*n]));
        files[*n] = (axl_file)AXL_FILE_INIT;
        files[*n].name = v->key;
        files[*n].data = axl__str_text(&texts[*n]);
        files[*n].length = texts[*n].len;
        ++*n;
    }
}

static axl_tokenizer *open_tokenizer(fixture *f, const char *name)
{
    const axl__json *all = axl__json_get(f->goldens, "tokenizers"), *own = axl__json_get(all, name);
    axl_file files[FILES_MAX];
    axl__str texts[FILES_MAX];
    size_t n = 0;
    axl_tokenizer *tok;

    if (!own) {
        assert_string_equal(name, "tiny-llama");
        assert_ok(axl_tokenizer_open(&tok, f->ctx, test_source_path("examples/tiny-llama"), NULL));
        return tok;
    }
    for (size_t i = 0; i < FILES_MAX; i++)
        axl__str_init(&texts[i], f->ctx);
    add_files(own, files, texts, &n);
    const char *as = axl__json_string(own, "as", NULL);
    if (as)
        add_files(axl__json_get(all, as), files, texts, &n);
    assert_ok(axl_tokenizer_open_files(&tok, f->ctx, files, n, NULL));
    for (size_t i = 0; i < FILES_MAX; i++)
        axl__str_free(&texts[i]);
    return tok;
}

static void put_members(axl__str *out, const axl__json *map)
{
    for (const axl__json *v = map->child; v; v = v->next) {
        axl__str_puts(out, ", ");
        axl__str_put_json(out, v->key, v->key_len);
        axl__str_puts(out, ": ");
        axl__json_write(out, v, 0);
    }
}

static axl_config *open_config(fixture *f, const axl__json *c)
{
    axl_config *cfg;
    axl__str yaml;

    axl__str_init(&yaml, f->ctx);
    axl__str_puts(
        &yaml,
        "{\"base_model\": \"model\", \"learning_rate\": 1e-3, "
        "\"adapter\": \"lora\", \"lora_r\": 8, \"lora_alpha\": 8, \"lora_target_linear\": true, "
        "\"micro_batch_size\": 1, \"gradient_accumulation_steps\": 1, \"num_epochs\": 1, "
        "\"datasets\": [{\"path\": \"rows.jsonl\"");
    put_members(&yaml, axl__json_get(c, "entry"));
    axl__str_puts(&yaml, "}]");
    put_members(&yaml, axl__json_get(c, "config"));
    axl__str_puts(&yaml, "}");
    assert_ok(axl__str_status(&yaml));
    axl_config_options opts = AXL_CONFIG_OPTIONS_INIT;
    assert_ok(axl_config_parse(&cfg, f->ctx, yaml.data, yaml.len, NULL, &opts));
    axl__str_free(&yaml);
    return cfg;
}

/* ---- rows ---- */

static void check_labels(const fixture *f, const axl__json *want, const char *name, size_t row)
{
    const axl__json *run = axl__json_get(want, "runs")->child;

    for (uint32_t i = 0; i < f->draft.n; i++) {
        while (run && i >= run->child->integer + run->child->next->integer)
            run = run->next;
        bool trained = run && i >= run->child->integer;
        if (f->draft.labels[i] != (trained ? f->draft.ids[i] : AXL_LABEL_IGNORE))
            fail_msg("%s: row %zu: token %u of %u is %strained", name, row, i, f->draft.n,
                     trained ? "not " : "");
    }
}

static void check_row(fixture *f, const axl__prompt *p, const char *name, size_t row,
                      const axl__json *want)
{
    const axl__json *record = axl__json_get(f->goldens, "rows")->child;

    for (size_t i = 0; i < row; i++)
        record = record->next;
    axl__draft_clear(&f->draft);
    axl_status status = p->method->make(p, record, &f->draft);
    if (want->type == AXL__JSON_NULL) { /* a record that Axolotl dies of */
        assert_true(status == AXL_ERR_DATA || (status == AXL_OK && f->draft.n_ends == 0));
        return;
    }
    if (status != AXL_OK)
        fail_msg("%s: row %zu: %s: %s", name, row, axl_status_name(status), axl_last_error());
    const axl__json *ids = axl__json_get(want, "ids");
    assert_int_equal(f->draft.n_ends, 1);
    if (f->draft.n != ids->count)
        fail_msg("%s: row %zu: %u tokens, not %u", name, row, f->draft.n, ids->count);
    size_t at = 0;
    for (const axl__json *id = ids->child; id; id = id->next, at++)
        if (id->integer != f->draft.ids[at])
            fail_msg("%s: row %zu: token %zu", name, row, at);
    check_labels(f, want, name, row);
    f->n_equal++;
}

static void check_case(fixture *f, const axl__json *c)
{
    const char *name = axl__json_string(c, "name", "");
    axl_tokenizer *tok = open_tokenizer(f, axl__json_string(c, "tokenizer", ""));
    axl_config *cfg = open_config(f, c);
    axl__prompt_setup setup = { .ctx = f->ctx,
                                .tok = tok,
                                .entry = axl__cfg_node(cfg, "datasets[0]"),
                                .cfg = cfg,
                                .sequence_len = 2048,
                                .train_on_inputs = axl__cfg_bool(cfg, "train_on_inputs") };
    axl__prompt p;

    if (axl__prompt_open(&p, &setup) != AXL_OK)
        fail_msg("%s: %s", name, axl_last_error());
    const axl__json *want = axl__json_get(c, "results")->child;
    for (const axl__json *row = axl__json_get(c, "rows")->child; row; row = row->next) {
        check_row(f, &p, name, (size_t)row->integer, want);
        want = want->next;
    }
    axl__prompt_close(&p);
    axl_config_free(cfg);
    axl_tokenizer_free(tok);
}

static void test_chat__has_axolotls_ids_and_labels(void **state)
{
    fixture *f = *state;

    for (const axl__json *c = axl__json_get(f->goldens, "cases")->child; c; c = c->next)
        check_case(f, c);
    assert_true(f->n_equal > 350);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_chat__has_axolotls_ids_and_labels, set_up, tear_down),
    };

    return test_run(tests);
}
