/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_instruction.c - a prompt put together from columns, and an answer that is trained.  The
 * texts are Axolotl's, byte for byte: the phi form with an input really has no line breaks around
 * it, and some sentences end in three line breaks.
 */
#include "data/prompt/prompt.h"

#include "base/str.h"

#include <string.h>

enum { PARTS_MAX = 2 }; /* columns of a prompt */

#define TASK "Below is an instruction that describes a task"
#define WITH_INPUT ", paired with an input that provides further context. "
#define COMPLETES "Write a response that appropriately completes the request."
#define SYSTEM_INPUT TASK WITH_INPUT COMPLETES
#define SYSTEM_PLAIN TASK ". " COMPLETES
#define FROM_USER "Below is an instruction from a USER that describes a task"
#define EXPLAIN "Choose the answer that best answers the question. Explain your reasoning.\n"
#define CONCISE "Choose the answer that best answers the question. Be concise in your response.\n\n"

/* The texts around the columns of a record, {} for the next of them.  The last column is the answer
 * and stands in neither. */
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

#define FORMS(list) list, sizeof(list) / sizeof(list)[0]

typedef struct {
    const char *type;
    const form *forms; /* (n_forms) */
    size_t n_forms;
    const char *style;  /* of a type that has no styles: which form; NULL: the first */
    const char *answer; /* what stands before it and is trained too; NULL: nothing */
} type_texts;

static const type_texts texts[] = {
    { "alpaca", FORMS(instruct), NULL, NULL },
    { "alpaca_chat", FORMS(instruct), "chat", NULL },
    { "alpaca_chat.load_concise", FORMS(concise), NULL, NULL },
    { "alpaca_chat.load_qa", FORMS(concise), NULL, NULL },
    { "alpaca_chat.load_camel_ai", FORMS(concise), NULL, NULL },
    { "alpaca_chat.load_no_prompt", FORMS(chat_alone), NULL, NULL },
    { "alpaca_instruct", FORMS(instruct), NULL, NULL },
    { "alpaca_instruct.load_no_prompt", FORMS(instruct_alone), NULL, NULL },
    { "gpteacher", FORMS(instruct), NULL, NULL },
    { "oasst", FORMS(instruct), NULL, NULL },
    { "jeopardy", FORMS(instruct), NULL, "what is " },
    { "explainchoice", FORMS(explain_choice), NULL, NULL },
    { "concisechoice", FORMS(concise_choice), NULL, NULL },
    { "summarizetldr", FORMS(tldr), NULL, NULL },
    { "orcamini", FORMS(orca_mini), NULL, NULL },
    { "context_qa", FORMS(context_qa), NULL, NULL },
    { "context_qa.load_v2", FORMS(context_qa_2), NULL, "Answer: " },
    { "creative_acr.load_answer", FORMS(creative), NULL, NULL },
};

/* A type's texts as one entry uses them. */
typedef struct {
    const form *form;
    const char *answer; /* before the answer; "" */
    size_t n_parts;     /* columns of the prompt; those behind them hold the answer */
} instruction;

/* Columns that stand for each other are the answer, else the last one is. */
static size_t count_parts(const axl__dataset_type *type)
{
    size_t n = 0;

    while (n < AXL__DATASET_COLUMNS_MAX && type->columns[n].name && !type->columns[n].one_of)
        n++;
    return n < AXL__DATASET_COLUMNS_MAX && type->columns[n].name ? n : n - 1;
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
    made->answer = t->answer ? t->answer : "";
    made->n_parts = count_parts(p->type);
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
static void fill_form(axl__str *out, const char *text, const axl__str parts[PARTS_MAX])
{
    const char *at = text;

    for (size_t part = 0; part < PARTS_MAX && (at = strstr(text, "{}")); part++, text = at + 2) {
        axl__str_put(out, text, (size_t)(at - text));
        axl__str_put(out, axl__str_text(&parts[part]), parts[part].len);
    }
    axl__str_puts(out, text);
}

static axl_status put_question(axl__str *out, const instruction *in,
                               const axl__str parts[PARTS_MAX])
{
    bool one = !in->form->both || (in->form->one && parts[1].len == 0);

    fill_form(out, one ? in->form->one : in->form->both, parts);
    return axl__str_status(out);
}

static axl_status put_sample(const axl__prompt *p, const axl__str parts[PARTS_MAX],
                             const char *answer, size_t len, axl__draft *out)
{
    const instruction *in = p->form;
    axl__str text;

    axl__str_init(&text, p->setup.ctx);
    axl_status status = put_question(&text, in, parts);
    if (status == AXL_OK)
        status = axl__prompt_put_prompt(p, out, text.data, text.len);
    axl__str_clear(&text);
    axl__str_puts(&text, in->answer);
    axl__str_put(&text, answer, len);
    if (status == AXL_OK)
        status = axl__str_status(&text);
    if (status == AXL_OK)
        status = axl__prompt_put_response(p, out, text.data, text.len);
    axl__str_free(&text);
    return status;
}

/* An empty answer trains nothing: the sample is empty. */
static axl_status instruction_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    const instruction *in = p->form;
    axl__str parts[PARTS_MAX];
    axl_status status = AXL_OK;
    const char *answer;
    size_t len = 0;

    for (size_t i = 0; i < PARTS_MAX; i++)
        axl__str_init(&parts[i], p->setup.ctx);
    for (size_t i = 0; i < in->n_parts && status == AXL_OK; i++)
        status = put_part(p, i, record, &parts[i]);
    if (status == AXL_OK)
        status = find_answer(p, record, &answer, &len);
    if (status == AXL_OK && len > 0)
        status = put_sample(p, parts, answer, len, out);
    for (size_t i = 0; i < PARTS_MAX; i++)
        axl__str_free(&parts[i]);
    return status == AXL_OK ? axl__draft_emit(out, out->n) : status;
}

/* Two columns are an instruction and its input where the second may be left out. */
static axl_status instruction_ask(const axl__prompt *p, const char *what, const char *input,
                                  axl__str *out)
{
    const instruction *in = p->form;
    axl__str parts[PARTS_MAX];

    if (in->n_parts > 1 && !p->type->columns[1].optional)
        return axl__prompt_no_form(p, "an instruction alone");
    if (in->n_parts == 1 && *input)
        return axl__prompt_no_form(p, "an input");
    for (size_t i = 0; i < PARTS_MAX; i++)
        axl__str_init(&parts[i], p->setup.ctx);
    axl__str_puts(&parts[0], what);
    axl__str_puts(&parts[1], input);
    axl_status status = axl__str_status(&parts[0]);
    if (status == AXL_OK)
        status = axl__str_status(&parts[1]);
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
