/* SPDX-License-Identifier: Apache-2.0 */
/* test_prompt.c - Axolotl's words (its prompters printed the texts below) and the masks; ids and
 * labels of all types are test_dataset_types.c's. */
#include "testing.h"

#include "byte_tokenizer.h"
#include "data/prompt/prompt.h"

#include "base/os.h"

#include <axl/dataset.h>

#include <unistd.h>

typedef struct {
    axl_context *ctx;
    axl_tokenizer *tok;
    axl_config *cfg; /* of types that read more than their entry */
    axl__arena arena;
    axl__draft draft;
} fixture;

static void set_up(fixture *f, int ends)
{
    static const char config[] = "base_model: model\nlearning_rate: 1e-3\nnum_epochs: 1\n"
                                 "micro_batch_size: 1\ngradient_accumulation_steps: 1\n"
                                 "chat_template: chatml\ndatasets: [{path: x, type: alpaca}]\n";

    memset(f, 0, sizeof *f);
    f->ctx = test_context();
    f->tok = byte_tokenizer(f->ctx, ends);
    assert_ok(axl_config_parse(&f->cfg, f->ctx, config, strlen(config), NULL, NULL));
    axl__arena_init(&f->arena, f->ctx);
    f->draft.ctx = f->ctx;
}

static void tear_down(fixture *f)
{
    axl__draft_free(&f->draft);
    axl__arena_free(&f->arena);
    axl_config_free(f->cfg);
    axl_tokenizer_free(f->tok);
    assert_ok(axl__remove_tree(test_temp_dir()));
    mkdir(test_temp_dir(), 0700);
    axl_context_free(f->ctx);
}

/* yaml: an entry of datasets[]. */
static axl_status open_entry(fixture *f, axl__prompt *p, const char *yaml, uint32_t sequence_len,
                             bool train_on_inputs)
{
    axl__yaml *entry;
    axl_diagnostics *diags;

    assert_ok(axl__diagnostics_new(&diags, f->ctx, "entry"));
    assert_ok(axl__yaml_parse(&entry, &f->arena, yaml, strlen(yaml), diags));
    axl_diagnostics_free(diags);
    return axl__prompt_open(p, &(axl__prompt_setup){ .ctx = f->ctx,
                                                     .tok = f->tok,
                                                     .entry = entry,
                                                     .cfg = f->cfg,
                                                     .sequence_len = sequence_len,
                                                     .train_on_inputs = train_on_inputs });
}

static axl_status open_type(fixture *f, axl__prompt *p, const char *type, uint32_t sequence_len,
                            bool train_on_inputs)
{
    char yaml[100];

    snprintf(yaml, sizeof yaml, "type: \"%s\"", type);
    return open_entry(f, p, yaml, sequence_len, train_on_inputs);
}

static axl_status make_with(fixture *f, axl__prompt *p, const char *json)
{
    axl__json *record;

    axl__draft_clear(&f->draft);
    assert_ok(axl__json_parse(&record, &f->arena, json, strlen(json), NULL));
    axl_status status = p->method->make(p, record, &f->draft);
    axl__prompt_close(p);
    return status;
}

static axl_status make(fixture *f, const char *type, const char *json, uint32_t sequence_len,
                       bool train_on_inputs)
{
    axl__prompt p;

    axl__arena_reset(&f->arena);
    assert_ok(open_type(f, &p, type, sequence_len, train_on_inputs));
    return make_with(f, &p, json);
}

/* ids: BOS, the prompt's bytes, the response's bytes, EOS; all before the response is masked. */
static void check_draft(const axl__draft *d, const char *prompt, const char *response)
{
    size_t n = strlen(prompt), m = strlen(response);

    assert_int_equal(d->n, 1 + n + m + 1);
    assert_int_equal(d->n_ends, 1);
    assert_int_equal(d->ends[0], d->n);
    assert_int_equal(d->ids[0], BYTE_BOS);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(d->ids[1 + i], (unsigned char)prompt[i]);
    for (size_t i = 0; i < m; i++)
        assert_int_equal(d->ids[1 + n + i], (unsigned char)response[i]);
    assert_int_equal(d->ids[1 + n + m], BYTE_EOS);
    for (size_t i = 0; i < d->n; i++)
        assert_int_equal(d->labels[i], i < 1 + n ? AXL_LABEL_IGNORE : d->ids[i]);
}

static void test_prompt__writes_alpaca_in_every_style(void **state)
{
    static const struct {
        const char *style, *input, *text;
    } cases[] = {
        { "instruct", "IN {x}",
          "Below is an instruction that describes a task, paired with an input that provides "
          "further context. Write a response that appropriately completes the request.\n\n"
          "### Instruction:\nDO {input} it\n\n### Input:\nIN {x}\n\n### Response:\n" },
        { "instruct", "",
          "Below is an instruction that describes a task. Write a response that "
          "appropriately completes the request.\n\n### Instruction:\nDO {input} it\n\n### "
          "Response:\n" },
        { "chat", "IN {x}",
          "SYSTEM: Below is an instruction that describes a task, paired with an input that "
          "provides further context. Write a response that appropriately completes the "
          "request.\nUSER: DO {input} it\nIN {x}\nASSISTANT:" },
        { "chat", "",
          "SYSTEM: Below is an instruction that describes a task. Write a response that "
          "appropriately completes the request.\nUSER: DO {input} it\nASSISTANT:" },
        { "chatml", "IN {x}",
          "<|im_start|>system\nBelow is an instruction that describes a task, paired with an "
          "input that provides further context. Write a response that appropriately "
          "completes the request.<|im_end|>\n<|im_start|>user\nDO {input} it\nIN "
          "{x}<|im_end|>\n<|im_start|>assistant\n" },
        { "chatml", "",
          "<|im_start|>system\nBelow is an instruction that describes a task. Write a "
          "response that appropriately completes the request.<|im_end|>\n<|im_start|>user\n"
          "DO {input} it<|im_end|>\n<|im_start|>assistant\n" },
        { "phi", "IN {x}",
          "<|system|>\nBelow is an instruction that describes a task, paired with an input "
          "that provides further context. Write a response that appropriately completes the "
          "request.<|end|>\n<|user|>\nDO {input} it<|end|>IN {x}<|assistant|>" },
        { "phi", "",
          "<|system|>\nBelow is an instruction that describes a task. Write a response that "
          "appropriately completes the request.<|end|>\n<|user|>\nDO {input} it<|end|>\n"
          "<|assistant|>\n" },
    };
    fixture f;

    (void)state;
    set_up(&f, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char type[32], json[200];
        snprintf(type, sizeof type, "alpaca:%s", cases[i].style);
        snprintf(json, sizeof json,
                 "{\"instruction\": \"DO {input} it\", \"input\": \"%s\", \"output\": \"OUT\"}",
                 cases[i].input);
        assert_ok(make(&f, type, json, 4096, false));
        check_draft(&f.draft, cases[i].text, "OUT");
        if (i < 2) {
            assert_ok(make(&f, "alpaca", json, 4096, false));
            check_draft(&f.draft, cases[i].text, "OUT");
        }
    }
    tear_down(&f);
}

static void test_prompt__reads_missing_and_null_as_empty(void **state)
{
    static const char json[] = "{\"instruction\": null, \"input\": null, \"output\": \"x\", "
                               "\"extra\": 3}";
    fixture f;

    (void)state;
    set_up(&f, 0);
    assert_ok(make(&f, "alpaca:chat", json, 4096, false));
    check_draft(&f.draft,
                "SYSTEM: Below is an instruction that describes a task. Write a response "
                "that appropriately completes the request.\nUSER: \nASSISTANT:",
                "x");
    assert_ok(make(&f, "alpaca", "{\"instruction\": \"a\", \"output\": \"\"}", 4096, true));
    assert_int_equal(f.draft.n, 0);
    assert_ok(make(&f, "alpaca", "{\"instruction\": \"a\"}", 4096, false));
    assert_int_equal(f.draft.n, 0);
    assert_fails(make(&f, "alpaca", "{\"output\": 3}", 4096, false), AXL_ERR_DATA,
                 "\"output\" must be a string, not an integer");
    assert_fails(make(&f, "alpaca", "{\"input\": [\"a\"]}", 4096, false), AXL_ERR_DATA,
                 "\"input\"");
    tear_down(&f);
}

static void test_prompt__trains_on_inputs_when_told(void **state)
{
    fixture f;

    (void)state;
    set_up(&f, 0);
    assert_ok(make(&f, "alpaca", "{\"instruction\": \"a\", \"output\": \"b\"}", 4096, true));
    for (uint32_t i = 0; i < f.draft.n; i++)
        assert_int_equal(f.draft.labels[i], f.draft.ids[i]);
    tear_down(&f);
}

/* Each half is cut by itself, and a cut response has no EOS. */
static void test_prompt__cuts_each_half(void **state)
{
    static const char json[] = "{\"instruction\": \"a\", \"output\": \"0123456789\"}";
    fixture f;

    (void)state;
    for (int ends = 0; ends < 2; ends++) {
        set_up(&f, ends);
        for (uint32_t max = 8; max < 14; max++) {
            uint32_t room = ends ? max - 2 : max - 1; /* beside BOS and, always there, the EOS */
            uint32_t shown = room < 10 ? room : 10;
            bool eos = ends || (1 + shown < max);
            assert_ok(make(&f, "alpaca", json, max, false));
            assert_int_equal(f.draft.n, max + shown + eos);
            assert_memory_equal(f.draft.ids, ((int32_t[]){ BYTE_BOS, 'B', 'e' }), 12);
            assert_int_equal(f.draft.ids[max - 1], ends ? BYTE_EOS : f.draft.ids[max - 1]);
            for (uint32_t i = 0; i < shown; i++)
                assert_int_equal(f.draft.ids[max + i], '0' + (int)i);
            if (eos)
                assert_int_equal(f.draft.ids[max + shown], BYTE_EOS);
        }
        tear_down(&f);
    }
}

static void test_prompt__names_the_types_that_exist(void **state)
{
    fixture f;
    axl__prompt p;

    (void)state;
    set_up(&f, 0);
    assert_fails(
        open_type(&f, &p, "alpacas", 8, false), AXL_ERR_UNSUPPORTED,
        "\"alpacas\" does not exist; there are: alpaca, alpaca_chat, alpaca_chat.load_concise");
    assert_fails(open_type(&f, &p, "alpaca:foo", 8, false), AXL_ERR_UNSUPPORTED,
                 "\"alpaca:foo\" does not exist");
    assert_fails(open_type(&f, &p, "completion:chat", 8, false), AXL_ERR_UNSUPPORTED, "there are");
    tear_down(&f);
}

/* Axolotl's user_defined: str.format() of the user's texts. */
static void test_prompt__fills_in_formats_of_your_own(void **state)
{
#define OWN                                                                                        \
    "{type: {field_instruction: q, field_input: i, field_output: a, field_system: s, "             \
    "system_prompt: be good, system_format: '<{system}>', format: '{{Q}} {instruction}+{input}', " \
    "no_input_format: '{instruction}={instruction}'}}"
    static const struct {
        const char *json, *prompt, *response;
    } cases[] = {
        { "{\"q\": \"ask {input}\", \"i\": \"in\", \"a\": \"out\", \"s\": \"sys\"}",
          "<sys>{Q} ask {input}+in", "out" },
        { "{\"q\": \"ask\", \"i\": \"\", \"a\": \"out\"}", "<be good>ask=ask", "out" },
        { "{\"q\": \"ask\", \"a\": \"out\", \"s\": null}", "ask=ask", "out" },
    };
    static const char *const bad[] = { "{system}",  "{instruction", "a } b",   "{0}",
                                       "{input!r}", "{}",           "{ input}" };
    fixture f;
    axl__prompt p;

    (void)state;
    set_up(&f, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ok(open_entry(&f, &p, OWN, 4096, false));
        assert_ok(make_with(&f, &p, cases[i].json));
        check_draft(&f.draft, cases[i].prompt, cases[i].response);
    }
    assert_ok(open_entry(&f, &p, OWN, 4096, false));
    assert_ok(make_with(&f, &p, "{\"q\": \"ask\", \"i\": \"in\"}"));
    assert_int_equal(f.draft.n, 0);
    assert_int_equal(f.draft.n_ends, 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char yaml[100];
        snprintf(yaml, sizeof yaml, "{type: {format: '%s'}}", bad[i]);
        assert_fails(
            open_entry(&f, &p, yaml, 4096, false), AXL_ERR_INVALID,
            "is no format: it may name {instruction} and {input}, and {{ and }} are braces");
    }
    tear_down(&f);
}

static void test_prompt__reads_answers_and_choices(void **state)
{
    fixture f;
    axl__prompt p;

    (void)state;
    set_up(&f, 0);
    /* the column that is there, even where it is empty */
    assert_ok(make(&f, "explainchoice:chat",
                   "{\"question\": \"q\", \"choices\": [], \"solution\": null, "
                   "\"explanation\": \"e\"}",
                   4096, false));
    assert_int_equal(f.draft.n, 0);
    assert_int_equal(f.draft.n_ends, 1);
    assert_fails(make(&f, "concisechoice", "{\"choices\": [\"a\", 2]}", 4096, false), AXL_ERR_DATA,
                 "\"choices\" must be a list of strings, and has an integer");
    assert_fails(make(&f, "concisechoice", "{\"choices\": {}}", 4096, false), AXL_ERR_DATA,
                 "\"choices\" must be a list of strings, not an object");
    assert_fails(open_entry(&f, &p, "{type: alpaca_chat, conversation: x}", 8, false),
                 AXL_ERR_INVALID, "alpaca_chat has no style \"x\"");
    assert_ok(open_entry(&f, &p, "{type: alpaca_chat, conversation: phi}", 4096, false));
    assert_ok(make_with(&f, &p, "{\"instruction\": \"DO\", \"output\": \"OUT\"}"));
    check_draft(&f.draft,
                "<|system|>\nBelow is an instruction that describes a task. Write a response that "
                "appropriately completes the request.<|end|>\n<|user|>\nDO<|end|>\n"
                "<|assistant|>\n",
                "OUT");
    tear_down(&f);
}

/* The list of the config and the methods here: a type has one, and every style opens.
 * test_dataset_types.c opens those of preferences. */
static void test_prompt__has_a_method_for_every_type(void **state)
{
    static const char all[] = AXL__DATASET_TYPE_NAMES;
    fixture f;
    axl__prompt p;

    (void)state;
    set_up(&f, 0);
    for (const char *at = all; *at;) {
        char name[64];
        size_t n = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)n, at);
        at += n + (at[n] ? 2 : 0);
        if (!axl__dataset_type_find(name, AXL__TASK_TEXT))
            continue;
        assert_ok(open_type(&f, &p, name, 8, false));
        assert_string_equal(p.method->name, p.type->method);
        for (size_t i = 0; i < AXL__DATASET_COLUMNS_MAX && p.type->columns[i].name; i++)
            assert_string_equal(p.columns[i], p.type->columns[i].name);
        axl__prompt_close(&p);
    }
    tear_down(&f);
}

/* The pieces of a text, "|" between them, BOS as '<' and EOS as '>'. */
static const char *pieces_of(const axl__draft *d)
{
    static char out[4096];
    size_t at = 0;

    for (uint32_t i = 0, piece = 0; i < d->n; i++) {
        assert_int_equal(d->labels[i], d->ids[i]);
        if (i == d->ends[piece]) {
            out[at++] = '|';
            piece++;
        }
        out[at++] = (char)(d->ids[i] == BYTE_BOS ? '<' : d->ids[i] == BYTE_EOS ? '>' : d->ids[i]);
    }
    out[at] = '\0';
    return out;
}

static void test_prompt__cuts_a_text_into_pieces(void **state)
{
    static const struct {
        const char *json;
        uint32_t n_pieces;
        const char *pieces;
    } cases[] = {
        { "{\"text\": \"abcdefgh\"}", 3, "<abc|defg|h>" },
        { "{\"text\": \"ab\", \"other\": 1}", 1, "<ab>" },
        { "{\"text\": \"abc\"}", 2, "<abc|>" }, /* a piece of one token: min_sample_len's */
        { "{\"text\": \"\"}", 0, "" },
        { "{\"text\": null}", 0, "" },
        { "{}", 0, "" },
    };
    fixture f;

    (void)state;
    set_up(&f, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ok(make(&f, "completion", cases[i].json, 4, i % 2 != 0));
        assert_string_equal(pieces_of(&f.draft), cases[i].pieces);
        assert_int_equal(f.draft.n_ends, cases[i].n_pieces);
        if (f.draft.n_ends > 0)
            assert_int_equal(f.draft.ends[f.draft.n_ends - 1], f.draft.n);
    }
    assert_fails(make(&f, "completion", "{\"text\": 3}", 4, false), AXL_ERR_DATA,
                 "\"text\" must be a string, not an integer");
    tear_down(&f);
}

/* 64 pieces, the last of them full and without EOS. */
static void test_prompt__cuts_a_long_text_at_64_pieces(void **state)
{
    char json[400] = "{\"text\": \"";
    fixture f;

    (void)state;
    set_up(&f, 0);
    for (int extra = -1; extra < 2; extra++) {
        size_t n = (size_t)(64 * 4 - 2 + extra), at = strlen("{\"text\": \"");
        memset(json + at, 'x', n);
        memcpy(json + at + n, "\"}", 3);
        assert_ok(make(&f, "completion", json, 4, false));
        assert_int_equal(f.draft.n_ends, 64);
        assert_int_equal(f.draft.n, extra < 0 ? 255 : 256);
        assert_int_equal(f.draft.ids[f.draft.n - 1], extra <= 0 ? BYTE_EOS : 'x');
    }
    tear_down(&f);
}

static void test_prompt__names_its_column_by_the_entry(void **state)
{
    fixture f;
    axl__prompt p;

    (void)state;
    set_up(&f, 0);
    assert_ok(open_entry(&f, &p, "{type: completion, field: body}", 9, false));
    assert_string_equal(p.columns[0], "body");
    assert_ok(make_with(&f, &p, "{\"text\": \"no\", \"body\": \"yes\"}"));
    assert_string_equal(pieces_of(&f.draft), "<yes>");
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prompt__writes_alpaca_in_every_style),
        cmocka_unit_test(test_prompt__reads_missing_and_null_as_empty),
        cmocka_unit_test(test_prompt__trains_on_inputs_when_told),
        cmocka_unit_test(test_prompt__cuts_each_half),
        cmocka_unit_test(test_prompt__names_the_types_that_exist),
        cmocka_unit_test(test_prompt__fills_in_formats_of_your_own),
        cmocka_unit_test(test_prompt__reads_answers_and_choices),
        cmocka_unit_test(test_prompt__has_a_method_for_every_type),
        cmocka_unit_test(test_prompt__cuts_a_text_into_pieces),
        cmocka_unit_test(test_prompt__cuts_a_long_text_at_64_pieces),
        cmocka_unit_test(test_prompt__names_its_column_by_the_entry),
    };
    int failed = test_run(tests);

    rmdir(test_temp_dir());
    return failed;
}
