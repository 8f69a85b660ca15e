/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_steps.c - type stepwise_supervised: a prompt and steps, each judged at the last token of
 * the separator behind it, as Axolotl 0.19's StepwiseSupervisedPromptTokenizingStrategy.
 */
#include "data/prompt/prompt.h"

#include "base/ctx.h"

#include <axl/dataset.h>

#include <string.h>

/* The type's columns, in its order. */
enum { PROMPT, COMPLETIONS, LABELS };

/* The ids behind every step, and what the entry says of steps. */
typedef struct {
    axl_buffer separator;
    int64_t max_completion; /* 0: no end */
    bool last_only;
} steps_form;

static axl_status steps_open(axl__prompt *p)
{
    const char *separator = axl__prompt_setting(p, "step_separator", "\n");
    const axl__yaml *max = axl__yaml_get(p->setup.entry, "max_completion_length");
    const axl__yaml *last = axl__yaml_get(p->setup.entry, "train_on_last_step_only");
    const axl_buffer none = AXL_BUFFER_INIT;

    if (!p->setup.tok)
        return AXL_OK;
    steps_form *f = axl__calloc(p->setup.ctx, 1, sizeof *f);
    if (!f)
        return axl__fail_nomem();
    f->separator = none;
    f->max_completion = max ? max->integer : 0;
    f->last_only = last && last->boolean;
    axl_status status = axl_tokenizer_encode(p->setup.tok, separator, strlen(separator),
                                             AXL_TOKENIZE_NO_SPECIAL, &f->separator);
    if (status != AXL_OK)
        axl__free(p->setup.ctx, f);
    else
        p->form = f;
    return status;
}

static void steps_close(axl__prompt *p)
{
    steps_form *f = (steps_form *)(uintptr_t)p->form;

    if (!f)
        return;
    axl_buffer_free(&f->separator);
    axl__free(p->setup.ctx, f);
}

/* Python's int() of a judgement. */
static axl_status read_judgement(const axl__json *v, int32_t *out)
{
    bool number = v->type == AXL__JSON_INT || v->type == AXL__JSON_FLOAT;

    if (v->type != AXL__JSON_BOOL && !(number && (v->number == 0 || v->number == 1)))
        return axl__fail(AXL_ERR_DATA,
                         "\"labels\" must be a list of true and false, or of 1 and 0");
    *out = v->type == AXL__JSON_BOOL ? v->boolean : v->number == 1;
    return AXL_OK;
}

static axl_status put_step(const axl__prompt *p, const axl__json *step, int32_t label,
                           axl__draft *out)
{
    const steps_form *f = p->form;
    static const axl__piece piece = { .masked = true, .plain = true };
    uint32_t before = out->n;

    if (step->type != AXL__JSON_STRING)
        return axl__fail(AXL_ERR_DATA, "\"completions\" must be a list of texts, and one is %s",
                         axl__json_type_name(step));
    AXL_TRY(axl__prompt_put(p, out, step->text, step->len, &piece));
    size_t n = f->separator.length / sizeof(int32_t);
    AXL_TRY(axl__draft_reserve(out, n));
    for (size_t i = 0; i < n && !p->check_only; i++) {
        out->ids[out->n] = ((const int32_t *)f->separator.data)[i];
        out->labels[out->n++] = AXL_LABEL_IGNORE;
    }
    if (out->n > before)
        out->labels[out->n - 1] = label;
    return AXL_OK;
}

static axl_status read_lists(const axl__prompt *p, const axl__json *record, const axl__json **step,
                             const axl__json **label)
{
    const axl__json *steps = axl__json_get(record, p->columns[COMPLETIONS]);
    const axl__json *labels = axl__json_get(record, p->columns[LABELS]);

    *step = *label = NULL;
    if (!steps || steps->type == AXL__JSON_NULL || !labels || labels->type == AXL__JSON_NULL)
        return AXL_OK;
    if (steps->type != AXL__JSON_ARRAY || labels->type != AXL__JSON_ARRAY)
        return axl__fail(AXL_ERR_DATA, "\"completions\" and \"labels\" must be lists");
    if (steps->count != labels->count)
        return axl__fail(AXL_ERR_DATA, "\"completions\" has %u steps and \"labels\" judges %u",
                         steps->count, labels->count);
    *step = steps->child;
    *label = labels->child;
    return AXL_OK;
}

static axl_status put_prompt(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    static const axl__piece piece = { .masked = true, .plain = true };
    const char *text;
    size_t len;

    AXL_TRY(axl__prompt_text(record, p->columns[PROMPT], &text, &len));
    if (p->bos >= 0 && !p->check_only) {
        const int32_t ignore = AXL_LABEL_IGNORE;
        AXL_TRY(axl__draft_put(out, &p->bos, &ignore, 1));
    }
    return axl__prompt_put(p, out, text, len, &piece);
}

static void cut_to(axl__draft *out, uint32_t n)
{
    out->n = out->n < n ? out->n : n;
}

/* Steps that lie behind a cut are not judged.  A record without steps is an empty sample. */
static axl_status steps_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    const steps_form *f = p->form;
    const axl__json *step, *label;
    int32_t judgement = 0;

    out->role = AXL_ROLE_STEPS;
    AXL_TRY(read_lists(p, record, &step, &label));
    if (!step)
        return axl__draft_emit(out, out->n);
    AXL_TRY(put_prompt(p, record, out));
    uint32_t n_prompt = out->n;
    for (; step; step = step->next, label = label->next) {
        AXL_TRY(read_judgement(label, &judgement));
        AXL_TRY(put_step(p, step, f->last_only && label->next ? AXL_LABEL_IGNORE : judgement, out));
    }
    if (f->max_completion > 0 && f->max_completion < INT32_MAX)
        cut_to(out, n_prompt + (uint32_t)f->max_completion);
    cut_to(out, p->setup.sequence_len);
    return axl__draft_emit(out, out->n);
}

const axl__prompt_method axl__prompt_steps = {
    .name = "steps",
    .open = steps_open,
    .close = steps_close,
    .make = steps_make,
};
