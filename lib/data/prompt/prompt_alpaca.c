/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_alpaca.c - instruction, input (optional) and output, in Stanford Alpaca's words and three
 * other styles.  The text is Axolotl's, byte for byte: the phi form with an input really has no
 * line breaks around it.
 */
#include "data/prompt/prompt.h"

#include "base/str.h"

#include <string.h>

#define SYSTEM_INPUT                                                                               \
    "Below is an instruction that describes a task, paired with an input that provides further "   \
    "context. Write a response that appropriately completes the request."
#define SYSTEM_PLAIN                                                                               \
    "Below is an instruction that describes a task. Write a response that appropriately "          \
    "completes the request."

/* What stands before the instruction, between it and the input, and before the response. */
typedef struct {
    const char *before, *between, *after;
} form;

typedef struct {
    const char *name;
    form with_input, plain; /* plain has no between */
} alpaca_style;

static const alpaca_style styles[] = {
    { "instruct",
      { SYSTEM_INPUT "\n\n### Instruction:\n", "\n\n### Input:\n", "\n\n### Response:\n" },
      { SYSTEM_PLAIN "\n\n### Instruction:\n", "", "\n\n### Response:\n" } },
    { "chat",
      { "SYSTEM: " SYSTEM_INPUT "\nUSER: ", "\n", "\nASSISTANT:" },
      { "SYSTEM: " SYSTEM_PLAIN "\nUSER: ", "", "\nASSISTANT:" } },
    { "chatml",
      { "<|im_start|>system\n" SYSTEM_INPUT "<|im_end|>\n<|im_start|>user\n", "\n",
        "<|im_end|>\n<|im_start|>assistant\n" },
      { "<|im_start|>system\n" SYSTEM_PLAIN "<|im_end|>\n<|im_start|>user\n", "",
        "<|im_end|>\n<|im_start|>assistant\n" } },
    { "phi",
      { "<|system|>\n" SYSTEM_INPUT "<|end|>\n<|user|>\n", "<|end|>", "<|assistant|>" },
      { "<|system|>\n" SYSTEM_PLAIN "<|end|>\n<|user|>\n", "", "<|end|>\n<|assistant|>\n" } },
};

static axl_status alpaca_open(axl__prompt *p)
{
    for (size_t i = 0; i < sizeof styles / sizeof styles[0] && !p->form; i++)
        if (!p->style || strcmp(styles[i].name, p->style) == 0)
            p->form = &styles[i];
    return p->form ? AXL_OK : axl__fail(AXL_ERR_INTERNAL, "alpaca has no style %s", p->style);
}

static axl_status alpaca_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    const alpaca_style *style = p->form;
    const char *instruction, *input, *output;
    size_t n_instruction, n_input, n_output;
    axl__str text;

    AXL_TRY(axl__prompt_text(record, "instruction", &instruction, &n_instruction));
    AXL_TRY(axl__prompt_text(record, "input", &input, &n_input));
    AXL_TRY(axl__prompt_text(record, "output", &output, &n_output));
    if (n_output == 0)
        return axl__draft_emit(out, out->n);
    const form *f = n_input > 0 ? &style->with_input : &style->plain;
    axl__str_init(&text, p->setup.ctx);
    axl__str_puts(&text, f->before);
    axl__str_put(&text, instruction, n_instruction);
    axl__str_puts(&text, f->between);
    axl__str_put(&text, input, n_input);
    axl__str_puts(&text, f->after);
    axl_status status = axl__str_status(&text);
    if (status == AXL_OK)
        status = axl__prompt_put_prompt(p, out, text.data, text.len);
    if (status == AXL_OK)
        status = axl__prompt_put_response(p, out, output, n_output);
    if (status == AXL_OK)
        status = axl__draft_emit(out, out->n);
    axl__str_free(&text);
    return status;
}

const axl__prompt_method axl__prompt_alpaca = {
    .name = "alpaca",
    .open = alpaca_open,
    .make = alpaca_make,
};
