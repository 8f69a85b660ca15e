/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_instruction.c - a prompt put together from columns, and an answer that is trained.  The
 * texts are Axolotl's, byte for byte: the phi form with an input really has no line breaks around
 * it, and some sentences end in three line breaks.
 */
#include "data/prompt/prompt.h"

#include "base/str.h"

#include <string.h>

enum { PARTS_MAX = 3 }; /* columns of a prompt */

#define TASK "Below is an instruction that describes a task"
#define WITH_INPUT ", paired with an input that provides further context. "
#define COMPLETES "Write a response that appropriately completes the request."
#define SYSTEM_INPUT TASK WITH_INPUT COMPLETES
#define SYSTEM_PLAIN TASK ". " COMPLETES
#define FROM_USER "Below is an instruction from a USER that describes a task"
#define EXPLAIN "Choose the answer that best answers the question. Explain your reasoning.\n"
#define CONCISE "Choose the answer that best answers the question. Be concise in your response.\n\n"

/* The texts around the columns of a record, {} for the next of them.  The last column is the answer
 * and stands in none of them. */
typedef struct {
    const char *style; /* NULL: whatever the style */
    const char *both;  /* of two columns; NULL: the type has one */
    const char *one;   /* where the second is empty; NULL: `both` holds then too */
} form;

static const form instruct[] = {
    { "instruct", SYSTEM_INPUT "\n\n### Instruction:\n{}\n\n### Input:\n{}\n\n### Response:\n",
      SYSTEM_PLAIN "\n\n### Instruction:\n{}\n\n### Response:\n" },
    { "chat", "SYSTEM: " SYSTEM_INPUT "\nUSER: {}\n{}\nASSISTANT:",
      "SYSTEM: " SYSTEM_PLAIN "\nUSER: {}\nASSISTANT:" },
    { "chatml",
      "<|im_start|>system\n" SYSTEM_INPUT "<|im_end|>\n<|im_start|>user\n{}\n{}<|im_end|>\n"
      "<|im_start|>assistant\n",
      "<|im_start|>system\n" SYSTEM_PLAIN "<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n"
      "<|im_start|>assistant\n" },
    { "phi", "<|system|>\n" SYSTEM_INPUT "<|end|>\n<|user|>\n{}<|end|>{}<|assistant|>",
      "<|system|>\n" SYSTEM_PLAIN "<|end|>\n<|user|>\n{}<|end|>\n<|assistant|>\n" },
};
static const form concise[] = {
    { NULL,
      "SYSTEM: " FROM_USER WITH_INPUT "The ASSISTANT writes a response that concisely and "
      "appropriately completes the request.\n\n\nUSER: {}\n{}\nASSISTANT:",
      "SYSTEM: " FROM_USER ". The ASSISTANT writes a response that appropriately and concisely "
      "completes the request.\n\n\nUSER: {}\nASSISTANT:" },
};
static const form chat_alone[] = { { NULL, "USER: {}\n{}\nASSISTANT:", "USER: {}\nASSISTANT:" } };
static const form instruct_alone[] = {
    { NULL, "### Instruction:\n{}\n\n### Input:\n{}\n\n### Response:\n",
      "### Instruction:\n{}\n\n### Response:\n" },
};
static const form explain_choice[] = {
    { "instruct", EXPLAIN "\n\n### Instruction:\n{}\n\n### Input:\n{}\n\n### Response:\n",
      EXPLAIN "\n\n### Instruction:\n{}\n\n### Response:\n" },
    { "chat", "SYSTEM: " EXPLAIN "\nUSER: {}\n{}\nASSISTANT:",
      "SYSTEM: " EXPLAIN "\nUSER: {}\nASSISTANT:" },
    { "chatml",
      "<|im_start|>system\n" EXPLAIN "<|im_end|>\n<|im_start|>user\n{}\n{}<|im_end|>\n"
      "<|im_start|>assistant\n",
      "<|im_start|>system\n" EXPLAIN "<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n"
      "<|im_start|>assistant\n" },
    { "phi", "<|system|>\n" EXPLAIN "<|end|>\n<|user|>\n{}<|end|>{}<|assistant|>",
      "<|system|>\n" EXPLAIN "<|end|>\n<|user|>\n{}<|end|>\n<|assistant|>\n" },
};
static const form concise_choice[] = {
    { NULL, CONCISE "USER: {}\n{}\nASSISTANT:", CONCISE "USER: {}\nASSISTANT:" },
};
static const form tldr[] = {
    { NULL, NULL, "USER: Summarize the following article as a TL;DR.\n{}\nASSISTANT:" },
};
static const form orca_mini[] = {
    { NULL, "### System:\n{}\n\n### User:\n{}\n\n### Response:\n", NULL },
};
static const form context_qa[] = {
    { NULL,
      "SYSTEM: Use the following contextual information to concisely answer the question.\n\n"
      "USER: {}\n===\n{}\nASSISTANT:",
      NULL },
};
static const form context_qa_2[] = { { NULL, "Context: {}\nQuestion: {}\n", NULL } };
static const form creative[] = {
    { NULL, NULL,
      "Answer the following question in a comprehensive, in-depth, and creative way. "
      "Additionally your response should be relevant, accurate, and free of any ambiguity.\n"
      "USER: {}\nASSISTANT:" },
};

static const form human[] = { { NULL, NULL, "### Human:\n{}\n### Assistant:\n" } };
static const form chatml_human[] = {
    { NULL, NULL, "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n" },
};
static const form bare[] = { { NULL, NULL, "{}" } };

#define FORMS(list) .forms = list, .n_forms = sizeof(list) / sizeof(list)[0]

typedef struct {
    const char *type;
    const form *forms; /* (n_forms) */
    size_t n_forms;
    const char *style;  /* of a type that has no styles: which form; NULL: the first */
    const char *answer; /* the column's text is {}; without it all columns are the prompt's; NULL:
                           nothing around it */
    const char *first;  /* around a column before the form's, nothing where it is empty; NULL:
                           there is none */
    uint8_t n_eos;      /* behind the answer; 0: one */
} type_texts;

static const type_texts texts[] = {
    { .type = "alpaca", FORMS(instruct) },
    { .type = "alpaca_chat", FORMS(instruct), .style = "chat" },
    { .type = "alpaca_chat.load_concise", FORMS(concise) },
    { .type = "alpaca_chat.load_qa", FORMS(concise) },
    { .type = "alpaca_chat.load_camel_ai", FORMS(concise) },
    { .type = "alpaca_chat.load_no_prompt", FORMS(chat_alone) },
    { .type = "alpaca_instruct", FORMS(instruct) },
    { .type = "alpaca_instruct.load_no_prompt", FORMS(instruct_alone) },
    { .type = "alpaca_w_system", FORMS(chat_alone), .first = "SYSTEM: {}\n" },
    { .type = "alpaca_w_system.load_chat", FORMS(chat_alone), .first = "SYSTEM: {}\n" },
    { .type = "alpaca_w_system.load_instruct", FORMS(instruct_alone), .first = "{}\n\n" },
    { .type = "alpaca_w_system.load_open_orca", FORMS(human), .first = "### System:\n{}\n" },
    { .type = "alpaca_w_system.load_open_orca_chatml",
      FORMS(chatml_human),
      .first = "<|im_start|>system\n{}<|im_end|>\n" },
    { .type = "gpteacher", FORMS(instruct) },
    { .type = "oasst", FORMS(instruct) },
    { .type = "jeopardy", FORMS(instruct), .answer = "what is {}" },
    { .type = "explainchoice", FORMS(explain_choice) },
    { .type = "concisechoice", FORMS(concise_choice) },
    { .type = "summarizetldr", FORMS(tldr) },
    { .type = "orcamini", FORMS(orca_mini) },
    { .type = "context_qa", FORMS(context_qa) },
    { .type = "context_qa.load_404",
      FORMS(context_qa),
      .answer = "The context provided does not contain any information about your inquiry. "
                "Therefore, I'm unable to answer your question based on the given context." },
    { .type = "context_qa.load_v2", FORMS(context_qa_2), .answer = "Answer: {}" },
    { .type = "creative_acr.load_answer", FORMS(creative) },
    { .type = "metharme", FORMS(bare), .n_eos = 3 },
};

/* A type's texts as one entry uses them. */
typedef struct {
    const form *form;
    const char *first;  /* as in type_texts */
    const char *answer; /* as there; "{}" */
    bool has_answer;    /* a column holds it */
    uint8_t n_eos;
    size_t n_parts; /* columns of the prompt; those behind them hold the answer */
} instruction;

/* Columns that stand for each other are the answer, else the last one is. */
static size_t count_parts(const axl__dataset_type *type, bool has_answer)
{
    size_t n = 0;

    while (n < AXL__DATASET_COLUMNS_MAX && type->columns[n].name && !type->columns[n].one_of)
        n++;
    bool apart = n < AXL__DATASET_COLUMNS_MAX && type->columns[n].name;
    return n - (has_answer && !apart);
}

static const type_texts *find_texts(const char *type)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(texts[i].type, type) == 0)
            return &texts[i];
    return NULL;
}

/* NULL as the form's style fits all; without a style the first form is meant. */
static const form *find_form(const type_texts *t, const char *style)
{
    for (size_t i = 0; i < t->n_forms; i++)
        if (!style || !t->forms[i].style || strcmp(t->forms[i].style, style) == 0)
            return &t->forms[i];
    return NULL;
}

static axl_status instruction_open(axl__prompt *p)
{
    const type_texts *t = find_texts(p->type->name);

    if (!t)
        return axl__fail(AXL_ERR_INTERNAL, "%s has no texts", p->type->name);
    const char *style = p->style ? p->style : t->style;
    if (axl__dataset_type_reads(p->type, "conversation"))
        style = axl__prompt_setting(p, "conversation", style);
    const form *f = find_form(t, style);
    if (!f)
        return axl__fail(AXL_ERR_INVALID, "%s has no style \"%s\"", p->type->name, style);
    instruction *made = axl__calloc(p->setup.ctx, 1, sizeof *made);
    if (!made)
        return axl__fail_nomem();
    made->form = f;
    made->first = t->first;
    made->answer = t->answer ? t->answer : "{}";
    made->has_answer = strstr(made->answer, "{}") != NULL;
    made->n_eos = t->n_eos ? t->n_eos : 1;
    made->n_parts = count_parts(p->type, made->has_answer);
    p->form = made;
    return AXL_OK;
}

static void instruction_close(axl__prompt *p)
{
    axl__free(p->setup.ctx, (void *)(uintptr_t)p->form);
}

/* ---- records ---- */

/* A list of texts as lines `- "text"`. */
static axl_status put_choices(axl__str *out, const axl__json *list, const char *column)
{
    if (list->type != AXL__JSON_ARRAY)
        return axl__fail(AXL_ERR_DATA, "\"%s\" must be a list of strings, not %s", column,
                         axl__json_type_name(list));
    for (const axl__json *item = list->child; item; item = item->next) {
        if (item->type != AXL__JSON_STRING)
            return axl__fail(AXL_ERR_DATA, "\"%s\" must be a list of strings, and has %s", column,
                             axl__json_type_name(item));
        axl__str_puts(out, "- \"");
        axl__str_put(out, item->text, item->len);
        axl__str_puts(out, item->next ? "\"\n" : "\"");
    }
    return axl__str_status(out);
}

/* "choices" is the one column that is a list. */
static axl_status put_part(const axl__prompt *p, size_t i, const axl__json *record, axl__str *out)
{
    const axl__json *value = axl__json_get(record, p->columns[i]);
    const char *text;
    size_t len;

    if (value && value->type != AXL__JSON_NULL && strcmp(p->columns[i], "choices") == 0)
        return put_choices(out, value, p->columns[i]);
    AXL_TRY(axl__prompt_text(record, p->columns[i], &text, &len));
    axl__str_put(out, text, len);
    return axl__str_status(out);
}

/* Of the columns that may hold the answer the first that the record has. */
static axl_status find_answer(const axl__prompt *p, const axl__json *record, const char **text,
                              size_t *len)
{
    const instruction *in = p->form;
    size_t i = in->n_parts;

    while (i + 1 < AXL__DATASET_COLUMNS_MAX && p->columns[i + 1] &&
           !axl__json_get(record, p->columns[i]))
        i++;
    return axl__prompt_text(record, p->columns[i], text, len);
}

/* A part's own braces are not looked at: each {} is filled once, from left to right. */
static void fill_form(axl__str *out, const char *text, const axl__str *parts)
{
    for (const char *at; (at = strstr(text, "{}")); text = at + 2, parts++) {
        axl__str_put(out, text, (size_t)(at - text));
        axl__str_put(out, axl__str_text(parts), parts->len);
    }
    axl__str_puts(out, text);
}

static axl_status put_question(axl__str *out, const instruction *in,
                               const axl__str parts[PARTS_MAX])
{
    const form *f = in->form;

    if (in->first) {
        if (parts[0].len > 0)
            fill_form(out, in->first, parts);
        parts++;
    }
    bool one = !f->both || (f->one && parts[1].len == 0);
    fill_form(out, one ? f->one : f->both, parts);
    return axl__str_status(out);
}

/* A prompt that is empty is a BOS where the tokenizer has one. */
static axl_status put_sample(const axl__prompt *p, const axl__str parts[PARTS_MAX],
                             const axl__str *answer, axl__draft *out)
{
    const instruction *in = p->form;
    const axl__piece asked = { .masked = !p->setup.train_on_inputs, .max = p->setup.sequence_len };
    const axl__piece said = { .inside = true, .n_eos = in->n_eos, .max = p->setup.sequence_len };
    axl__str text;

    axl__str_init(&text, p->setup.ctx);
    axl_status status = put_question(&text, in, parts);
    if (status == AXL_OK)
        status = axl__prompt_put(p, out, text.data, text.len, &asked);
    axl__str_clear(&text);
    fill_form(&text, in->answer, answer);
    if (status == AXL_OK)
        status = axl__str_status(&text);
    if (status == AXL_OK)
        status = axl__prompt_put(p, out, text.data, text.len, &said);
    axl__str_free(&text);
    return status;
}

/* parts and the answer of a record. */
static axl_status read_columns(const axl__prompt *p, const axl__json *record,
                               axl__str parts[PARTS_MAX], axl__str *answer)
{
    const instruction *in = p->form;
    const char *text;
    size_t len;

    for (size_t i = 0; i < in->n_parts; i++)
        AXL_TRY(put_part(p, i, record, &parts[i]));
    if (!in->has_answer)
        return AXL_OK;
    AXL_TRY(find_answer(p, record, &text, &len));
    axl__str_put(answer, text, len);
    return axl__str_status(answer);
}

/* An empty answer trains nothing: the sample is empty. */
static axl_status instruction_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    const instruction *in = p->form;
    axl__str parts[PARTS_MAX], answer;

    axl__str_init(&answer, p->setup.ctx);
    for (size_t i = 0; i < PARTS_MAX; i++)
        axl__str_init(&parts[i], p->setup.ctx);
    axl_status status = read_columns(p, record, parts, &answer);
    if (status == AXL_OK && (answer.len > 0 || !in->has_answer))
        status = put_sample(p, parts, &answer, out);
    for (size_t i = 0; i < PARTS_MAX; i++)
        axl__str_free(&parts[i]);
    axl__str_free(&answer);
    return status == AXL_OK ? axl__draft_emit(out, out->n) : status;
}

/* Behind a column that may be left out (of a system prompt) two columns are an instruction and its
 * input where the second may be left out. */
static axl_status instruction_ask(const axl__prompt *p, const char *what, const char *input,
                                  axl__str *out)
{
    const instruction *in = p->form;
    size_t first = in->first ? 1 : 0, n = in->n_parts - first;
    axl__str parts[PARTS_MAX];

    if (n > 1 && !p->type->columns[first + 1].optional)
        return axl__prompt_no_form(p, "an instruction alone");
    if (n == 1 && *input)
        return axl__prompt_no_form(p, "an input");
    for (size_t i = 0; i < PARTS_MAX; i++)
        axl__str_init(&parts[i], p->setup.ctx);
    axl__str_puts(&parts[first], what);
    axl__str_puts(&parts[first + 1], input);
    axl_status status = axl__str_status(&parts[first]);
    if (status == AXL_OK)
        status = axl__str_status(&parts[first + 1]);
    if (status == AXL_OK)
        status = put_question(out, in, parts);
    for (size_t i = 0; i < PARTS_MAX; i++)
        axl__str_free(&parts[i]);
    return status;
}

const axl__prompt_method axl__prompt_instruction = {
    .name = "instruction",
    .open = instruction_open,
    .close = instruction_close,
    .make = instruction_make,
    .ask = instruction_ask,
};
