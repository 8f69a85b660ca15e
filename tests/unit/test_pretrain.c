/* SPDX-License-Identifier: Apache-2.0 */
/* test_pretrain.c - documents become Axolotl's windows: tests/golden/make_pretrain_goldens.py. */
#include "testing.h"

#include "base/json.h"
#include "config/config.h"
#include "data/prompt/prompt.h"

#include <axl/dataset.h>

typedef struct {
    axl_context *ctx;
    axl_tokenizer *tok;
    axl__arena arena;
    axl__json *golden;
    axl__draft draft;
} fixture;

static axl_config *config_of(const fixture *f, int sequence_len, bool packing)
{
    char yaml[400];
    axl_config *cfg;

    int n = snprintf(yaml, sizeof yaml,
                     "base_model: model\nlearning_rate: 1e-3\nmicro_batch_size: 1\n"
                     "gradient_accumulation_steps: 1\nmax_steps: 1\nsequence_len: %d\n"
                     "sample_packing: %s\npretraining_dataset: [{path: x}]\n",
                     sequence_len, packing ? "true" : "false");
    assert_ok(axl_config_parse(&cfg, f->ctx, yaml, (size_t)n, NULL, NULL));
    return cfg;
}

/* samples: lists of ids, which are all trained. */
static void check_samples(const axl__draft *d, const axl__json *samples, const char *what)
{
    uint32_t at = 0, part = 0;

    if (d->n_ends != samples->count)
        fail_msg("%s: %u samples, not %u", what, d->n_ends, samples->count);
    for (const axl__json *s = samples->child; s; s = s->next, part++) {
        if (d->ends[part] - at != s->count)
            fail_msg("%s: sample %u has %u tokens, not %u", what, part, d->ends[part] - at,
                     s->count);
        for (const axl__json *id = s->child; id; id = id->next, at++) {
            assert_int_equal(d->ids[at], id->integer);
            assert_int_equal(d->labels[at], id->integer);
        }
    }
}

static void check_case(fixture *f, const axl__json *c)
{
    int length = (int)axl__json_int(c, "sequence_len", 0);
    bool packing = axl__json_bool(c, "packing", false);
    axl_config *cfg = config_of(f, length, packing);
    axl__prompt_setup setup = { .ctx = f->ctx,
                                .tok = f->tok,
                                .entry = axl__cfg_node(cfg, "pretraining_dataset[0]"),
                                .cfg = cfg,
                                .sequence_len = (uint32_t)length };
    axl__prompt p;
    char what[64];
    int n = 0;

    assert_ok(axl__prompt_open(&p, &setup));
    const axl__json *samples = axl__json_get(c, "samples")->child;
    for (const axl__json *t = axl__json_get(f->golden, "texts")->child; t; t = t->next) {
        axl__json column = *t, record = { .type = AXL__JSON_OBJECT, .count = 1, .child = &column };
        column.key = "text";
        column.key_len = 4;
        column.next = NULL;
        axl__draft_clear(&f->draft);
        assert_ok(p.method->make(&p, &record, &f->draft));
        snprintf(what, sizeof what, "%d tokens%s, text %d", length, packing ? " packed" : "", n++);
        check_samples(&f->draft, samples, what);
        samples = samples->next;
    }
    axl__prompt_close(&p);
    axl_config_free(cfg);
}

static void test_pretrain__has_axolotls_windows(void **state)
{
    fixture f = { .ctx = test_context() };

    (void)state;
    f.draft.ctx = f.ctx;
    axl__arena_init(&f.arena, f.ctx);
    assert_ok(axl_tokenizer_open(&f.tok, f.ctx, test_source_path("examples/tiny-llama"), NULL));
    assert_ok(
        axl__json_read_file(&f.golden, &f.arena, test_source_path("tests/golden/pretrain.json")));
    for (const axl__json *c = axl__json_get(f.golden, "cases")->child; c; c = c->next)
        check_case(&f, c);
    axl__draft_free(&f.draft);
    axl__arena_free(&f.arena);
    axl_tokenizer_free(f.tok);
    axl_context_free(f.ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pretrain__has_axolotls_windows),
    };

    return test_run(tests);
}
