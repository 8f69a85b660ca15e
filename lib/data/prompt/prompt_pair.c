/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_pair.c - preferences whose texts are put together by fixed words: two answers to a prompt
 * (Axolotl's prompt_strategies/dpo, and bradley_terry/llama3), or one that is judged
 * (prompt_strategies/kto).  What is null there is written as None; here it is an empty text, and a
 * record without an answer is dropped.
 */
#include "data/prompt/preference.h"

#include "base/str.h"

#include <axl/dataset.h>

#include <stdio.h>
#include <string.h>

/* The words around a turn: before the role, behind it and behind the text; and behind an answer. */
typedef struct {
    const char *prefix; /* of the type's name */
    const char *before, *after_role, *after_text, *after_answer;
} turn_words;

static const turn_words words[] = {
    { "chatml.", "<|im_start|>", "\n", "<|im_end|>\n", "<|im_end|>" },
    { "llama3.", "<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>", "<|eot_id|>" },
    { "bradley_terry.llama3.", "<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>",
      "<|eot_id|>" },
};

/* NULL: the texts stay as they are, or are a user's formats. */
static const turn_words *words_of(const axl__prompt *p)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (axl__starts_with(p->type->name, words[i].prefix))
            return &words[i];
    return NULL;
}

/* ---- values of a record ---- */

typedef enum { PROMPT, SYSTEM, CHOSEN, REJECTED, COMPLETION, LABEL } column_kind;

/* Whatever is no answer, system or label is a name for the prompt. */
static column_kind kind_of(const axl__dataset_column *c)
{
    return strcmp(c->name, "system") == 0          ? SYSTEM
           : strcmp(c->name, "label") == 0         ? LABEL
           : strcmp(c->name, "completion") == 0    ? COMPLETION
           : axl__starts_with(c->name, "chosen")   ? CHOSEN
           : axl__starts_with(c->name, "rejected") ? REJECTED
                                                   : PROMPT;
}

/* The first column of a kind that the record has something in; NULL: none. */
static const axl__json *find_value(const axl__prompt *p, const axl__json *record, column_kind kind)
{
    const axl__dataset_column *c = p->type->columns;

    for (size_t i = 0; i < AXL__DATASET_COLUMNS_MAX && c[i].name; i++) {
        const axl__json *v = kind_of(&c[i]) == kind ? axl__json_get(record, p->columns[i]) : NULL;
        if (v && v->type != AXL__JSON_NULL)
            return v;
    }
    return NULL;
}

/* NULL gives an empty text. */
static axl_status read_text(const axl__json *v, const char **text, size_t *len)
{
    *text = "";
    *len = 0;
    if (!v || v->type == AXL__JSON_NULL)
        return AXL_OK;
    if (v->type != AXL__JSON_STRING)
        return axl__fail(AXL_ERR_DATA, "\"%.60s\" must be a string, not %s", v->key ? v->key : "",
                         axl__json_type_name(v));
    *text = v->text;
    *len = v->len;
    return AXL_OK;
}

/* The index-th message of a list; NULL: there is no list. */
static axl_status read_message(const axl__json *list, uint32_t index, const axl__json **out)
{
    *out = list;
    if (!list)
        return AXL_OK;
    if (list->type != AXL__JSON_ARRAY)
        return axl__fail(AXL_ERR_DATA, "\"%.60s\" must be a list of messages, not %s", list->key,
                         axl__json_type_name(list));
    if (index >= list->count)
        return axl__fail(AXL_ERR_DATA, "\"%.60s\" has %u messages, and the type reads number %u",
                         list->key, list->count, index + 1);
    for (*out = list->child; index > 0; index--)
        *out = (*out)->next;
    return AXL_OK;
}

static const axl__json *content(const axl__json *message)
{
    return axl__json_get(message, "content");
}

/* ---- texts ---- */

static axl_status put_value(axl__str *out, const axl__json *v)
{
    const char *text;
    size_t len;

    AXL_TRY(read_text(v, &text, &len));
    axl__str_put(out, text, len);
    return AXL_OK;
}

static void put_role(axl__str *out, const turn_words *w, const char *role)
{
    axl__str_puts(out, w->before);
    axl__str_puts(out, role);
    axl__str_puts(out, w->after_role);
}

static axl_status put_turn(axl__str *out, const turn_words *w, const char *role, const axl__json *v)
{
    put_role(out, w, role);
    AXL_TRY(put_value(out, v));
    axl__str_puts(out, w->after_text);
    return AXL_OK;
}

/* A system's text that is empty is no turn. */
static axl_status put_prompt(const axl__prompt *p, const axl__json *record, const axl__json *asked,
                             axl__str *out)
{
    const axl__json *system = find_value(p, record, SYSTEM);
    const turn_words *w = words_of(p);
    const char *text;
    size_t len;

    if (!w)
        return put_value(out, asked);
    AXL_TRY(read_text(system, &text, &len));
    if (len > 0)
        AXL_TRY(put_turn(out, w, "system", system));
    AXL_TRY(put_turn(out, w, "user", asked));
    put_role(out, w, "assistant");
    return AXL_OK;
}

static axl_status put_answer(const axl__prompt *p, axl__answers *a, uint32_t i, const axl__json *v)
{
    const turn_words *w = words_of(p);

    a->lacking[i] = !v || v->type == AXL__JSON_NULL;
    AXL_TRY(put_value(&a->answer[i], v));
    axl__str_puts(&a->answer[i], w ? w->after_answer : "");
    return AXL_OK;
}

/* ---- a user's formats ---- */

/* What a format is given when it has nothing else. */
static axl_status put_formatted(const axl__prompt *p, const char *key, const char *name,
                                const axl__json *v, const axl__json *system, axl__str *out)
{
    axl__text_slot slots[] = { { name, NULL, 0 }, { "system", NULL, 0 }, { NULL, NULL, 0 } };
    char otherwise[32];

    AXL_TRY(read_text(v, &slots[0].text, &slots[0].len));
    AXL_TRY(read_text(system, &slots[1].text, &slots[1].len));
    snprintf(otherwise, sizeof otherwise, "{%s}", name);
    axl__prompt_put_format(out, axl__prompt_setting(p, key, otherwise), slots);
    return AXL_OK;
}

static axl_status put_formatted_answer(const axl__prompt *p, const char *key, const char *name,
                                       const axl__json *v, axl__answers *a, uint32_t i)
{
    a->lacking[i] = !v;
    return put_formatted(p, key, name, v, NULL, &a->answer[i]);
}

/* Only the prompt's may name a system. */
static axl_status check_own_format(const axl__prompt *p, const char *key, const char *name)
{
    axl__text_slot slots[] = { { name, "", 0 }, { NULL, NULL, 0 }, { NULL, NULL, 0 } };
    const char *format = axl__prompt_setting(p, key, "");

    if (strcmp(name, "prompt") == 0)
        slots[1] = (axl__text_slot){ "system", "", 0 };
    return axl__prompt_check_format(p, key + strlen("type."), format, slots);
}

/* ---- pairs ---- */

static axl_status pair_open(axl__prompt *p)
{
    if (!p->type->mapping)
        return AXL_OK;
    AXL_TRY(check_own_format(p, "type.prompt_format", "prompt"));
    AXL_TRY(check_own_format(p, "type.chosen_format", "chosen"));
    return check_own_format(p, "type.rejected_format", "rejected");
}

/* argilla_chat takes the prompt and the answers from two messages, ultra the answers. */
static axl_status read_pair(const axl__prompt *p, const axl__json *record, axl__answers *a)
{
    const axl__json *v[3] = { find_value(p, record, PROMPT), find_value(p, record, CHOSEN),
                              find_value(p, record, REJECTED) };
    bool chat = axl__ends_with(p->type->name, ".argilla_chat");

    if (p->type->mapping) {
        AXL_TRY(put_formatted(p, "type.prompt_format", "prompt", v[0],
                              find_value(p, record, SYSTEM), &a->prompt));
        AXL_TRY(put_formatted_answer(p, "type.chosen_format", "chosen", v[1], a, 0));
        return put_formatted_answer(p, "type.rejected_format", "rejected", v[2], a, 1);
    }
    if (chat) {
        AXL_TRY(read_message(v[1], 0, &v[0]));
        v[0] = content(v[0]);
    }
    for (int i = 1; i < 3 && (chat || axl__ends_with(p->type->name, ".ultra")); i++) {
        AXL_TRY(read_message(v[i], 1, &v[i]));
        v[i] = content(v[i]);
    }
    AXL_TRY(put_prompt(p, record, v[0], &a->prompt));
    AXL_TRY(put_answer(p, a, 0, v[1]));
    return put_answer(p, a, 1, v[2]);
}

static axl_status pair_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    axl__answers a;

    axl__answers_init(&a, p->setup.ctx, 2);
    axl_status status = read_pair(p, record, &a);
    if (status == AXL_OK)
        status = axl__answers_put(p, out, &a, AXL_ROLE_CHOSEN);
    axl__answers_free(&a);
    return status;
}

const axl__prompt_method axl__prompt_pair = {
    .name = "pair",
    .open = pair_open,
    .make = pair_make,
};

/* ---- answers by rank ---- */

static bool is_number(const axl__json *v)
{
    return v && (v->type == AXL__JSON_INT || v->type == AXL__JSON_FLOAT);
}

/* The last by rank but one; of equal ranks the one that stands behind counts as later. */
static const axl__json *last_by_rank(const axl__json *answers, const axl__json *but)
{
    const axl__json *last = NULL;

    for (const axl__json *v = answers->child; v; v = v->next)
        if (v != but &&
            (!last || axl__json_double(v, "rank", 0) >= axl__json_double(last, "rank", 0)))
            last = v;
    return last;
}

/* Axolotl 0.19 takes the two last by rank, which are the worst of them. */
static axl_status read_ranked(const axl__prompt *p, const axl__json *record, axl__answers *a)
{
    const axl__json *answers = axl__json_get(record, p->columns[1]);

    axl__str_puts(&a->prompt, "<|system|>\n</s>\n<|user|>\n");
    AXL_TRY(put_value(&a->prompt, axl__json_get(record, p->columns[0])));
    axl__str_puts(&a->prompt, "</s>\n<|assistant|>\n");
    a->lacking[0] = !answers || answers->type == AXL__JSON_NULL;
    if (a->lacking[0])
        return AXL_OK;
    if (answers->type != AXL__JSON_ARRAY || answers->count < 2)
        return axl__fail(AXL_ERR_DATA, "\"answers\" must be a list of two answers or more");
    for (const axl__json *v = answers->child; v; v = v->next)
        if (!is_number(axl__json_get(v, "rank")))
            return axl__fail(AXL_ERR_DATA,
                             "an answer of \"answers\" has no number as its \"rank\"");
    const axl__json *chosen = last_by_rank(answers, NULL);
    AXL_TRY(put_answer(p, a, 0, axl__json_get(chosen, "answer")));
    return put_answer(p, a, 1, axl__json_get(last_by_rank(answers, chosen), "answer"));
}

static axl_status nectar_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    axl__answers a;

    axl__answers_init(&a, p->setup.ctx, 2);
    axl_status status = read_ranked(p, record, &a);
    if (status == AXL_OK)
        status = axl__answers_put(p, out, &a, AXL_ROLE_CHOSEN);
    axl__answers_free(&a);
    return status;
}

const axl__prompt_method axl__prompt_nectar = {
    .name = "nectar",
    .make = nectar_make,
};

/* ---- judged answers ---- */

static axl_status judged_open(axl__prompt *p)
{
    if (!p->type->mapping)
        return AXL_OK;
    AXL_TRY(check_own_format(p, "type.prompt_format", "prompt"));
    return check_own_format(p, "type.completion_format", "completion");
}

/* A judgement is true or false, or a number as some files have it. */
static axl_status read_label(const axl__json *v, axl__answers *a, uint32_t *role)
{
    bool wanted = v && (v->type == AXL__JSON_BOOL ? v->boolean : v->number != 0);

    *role = wanted ? AXL_ROLE_DESIRABLE : AXL_ROLE_UNDESIRABLE;
    a->lacking[0] = a->lacking[0] || !v;
    if (v && v->type != AXL__JSON_BOOL && !is_number(v))
        return axl__fail(AXL_ERR_DATA, "\"%.60s\" must be true or false, not %s", v->key,
                         axl__json_type_name(v));
    return AXL_OK;
}

/* All messages but the last are the prompt. */
static axl_status read_history(const axl__prompt *p, const axl__json *list, axl__answers *a)
{
    const turn_words *w = words_of(p);
    const axl__json *last, *m;

    a->lacking[0] = !list;
    if (!list)
        return AXL_OK;
    AXL_TRY(read_message(list, list->count > 0 ? list->count - 1 : 0, &last));
    for (m = list->child; m != last; m = m->next) {
        const char *role;
        size_t len;
        AXL_TRY(read_text(axl__json_get(m, "role"), &role, &len));
        AXL_TRY(put_turn(&a->prompt, w, role, content(m)));
    }
    put_role(&a->prompt, w, "assistant");
    return put_answer(p, a, 0, content(last));
}

static axl_status read_judged(const axl__prompt *p, const axl__json *record, axl__answers *a,
                              uint32_t *role)
{
    const axl__json *completion = find_value(p, record, COMPLETION);
    const axl__json *asked = find_value(p, record, PROMPT);

    if (p->type->mapping) {
        AXL_TRY(put_formatted(p, "type.prompt_format", "prompt", asked,
                              find_value(p, record, SYSTEM), &a->prompt));
        AXL_TRY(put_formatted_answer(p, "type.completion_format", "completion", completion, a, 0));
    } else if (axl__ends_with(p->type->name, ".argilla_chat")) {
        AXL_TRY(read_history(p, completion, a));
    } else {
        AXL_TRY(put_prompt(p, record, asked, &a->prompt));
        AXL_TRY(put_answer(p, a, 0, completion));
    }
    return read_label(find_value(p, record, LABEL), a, role);
}

static axl_status judged_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    axl__answers a;
    uint32_t role;

    axl__answers_init(&a, p->setup.ctx, 1);
    axl_status status = read_judged(p, record, &a, &role);
    if (status == AXL_OK)
        status = axl__answers_put(p, out, &a, role);
    axl__answers_free(&a);
    return status;
}

const axl__prompt_method axl__prompt_judged = {
    .name = "judged",
    .open = judged_open,
    .make = judged_make,
};
