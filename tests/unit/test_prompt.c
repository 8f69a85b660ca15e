/* SPDX-License-Identifier: Apache-2.0 */
/* test_prompt.c - Axolotl's words (its prompters printed the texts below) and the masks. */
#include "testing.h"

#include "byte_tokenizer.h"
#include "data/prompt.h"

#include "base/os.h"

#include <axl/dataset.h>

#include <unistd.h>

typedef struct {
    axl_context *ctx;
    axl_tokenizer *tok;
    axl__arena arena;
    axl__draft draft;
} fixture;

static void set_up(fixture *f, int ends)
{
    memset(f, 0, sizeof *f);
    f->ctx = test_context();
    f->tok = byte_tokenizer(f->ctx, ends);
    axl__arena_init(&f->arena, f->ctx);
    f->draft.ctx = f->ctx;
}

static void tear_down(fixture *f)
{
    axl__draft_free(&f->draft);
    axl__arena_free(&f->arena);
    axl_tokenizer_free(f->tok);
    assert_ok(axl__remove_tree(test_temp_dir()));
    mkdir(test_temp_dir(), 0700);
    axl_context_free(f->ctx);
}

static axl_status make(fixture *f, const char *type, const char *json, uint32_t sequence_len,
                       bool train_on_inputs)
{
    axl__prompt p;
    axl__json *record;

    axl__arena_reset(&f->arena);
    f->draft.n = 0;
    assert_ok(axl__json_parse(&record, &f->arena, json, strlen(json), NULL));
    assert_ok(axl__prompt_init(&p, f->ctx, type, f->tok, sequence_len, train_on_inputs));
    return p.type->make(&p, record, &f->draft);
}

/* ids: BOS, the prompt's bytes, the response's bytes, EOS; all before the response is masked. */
static void check_draft(const axl__draft *d, const char *prompt, const char *response)
{
    size_t n = strlen(prompt), m = strlen(response);

    assert_int_equal(d->n, 1 + n + m + 1);
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
    assert_fails(axl__prompt_init(&p, f.ctx, "alpacas", f.tok, 8, false), AXL_ERR_UNSUPPORTED,
                 "there is: alpaca");
    assert_fails(axl__prompt_init(&p, f.ctx, "alpaca:foo", f.tok, 8, false), AXL_ERR_UNSUPPORTED,
                 "instruct, chat, chatml, phi");
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
    };
    int failed = test_run(tests);

    rmdir(test_temp_dir());
    return failed;
}
