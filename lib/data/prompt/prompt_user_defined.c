/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_user_defined.c - a mapping as `type`: the columns and the texts around them are the
 * user's.  A text is what Python's str.format() takes: {instruction}, and {{ for a brace.
 */
#include "data/prompt/prompt.h"

#include "base/str.h"

#include <string.h>

/* The type's columns, in its order. */
enum { INSTRUCTION, INPUT, OUTPUT, SYSTEM };

/* Borrowed from the entry. */
typedef struct {
    const char *system_prompt; /* of records without the column; "" */
    const char *system_format, *format, *no_input_format;
} user_texts;

static axl_status user_defined_open(axl__prompt *p)
{
    static const axl__text_slot both[] = { { "instruction", "", 0 },
                                           { "input", "", 0 },
                                           { NULL, NULL, 0 } };
    static const axl__text_slot instruction[] = { { "instruction", "", 0 }, { NULL, NULL, 0 } };
    static const axl__text_slot system[] = { { "system", "", 0 }, { NULL, NULL, 0 } };
    user_texts t = { axl__prompt_setting(p, "type.system_prompt", ""),
                     axl__prompt_setting(p, "type.system_format", ""),
                     axl__prompt_setting(p, "type.format", ""),
                     axl__prompt_setting(p, "type.no_input_format", "") };

    AXL_TRY(axl__prompt_check_format(p, "system_format", t.system_format, system));
    AXL_TRY(axl__prompt_check_format(p, "format", t.format, both));
    AXL_TRY(axl__prompt_check_format(p, "no_input_format", t.no_input_format, instruction));
    user_texts *made = axl__alloc(p->setup.ctx, sizeof *made);
    if (!made)
        return axl__fail_nomem();
    *made = t;
    p->form = made;
    return AXL_OK;
}

static void user_defined_close(axl__prompt *p)
{
    axl__free(p->setup.ctx, (void *)(uintptr_t)p->form);
}

/* ---- records ---- */

/* The texts around an instruction, an input and, where there is one, a system's. */
static axl_status fill_texts(const user_texts *t, const axl__text_slot *slots,
                             const axl__text_slot *system, axl__str *out)
{
    if (system[0].len > 0)
        axl__prompt_put_format(out, t->system_format, system);
    axl__prompt_put_format(out, slots[1].len > 0 ? t->format : t->no_input_format, slots);
    return axl__str_status(out);
}

/* The system column of a record wins over system_prompt even where it is empty. */
static axl_status put_prompt(const axl__prompt *p, const axl__json *record, axl__str *out)
{
    const user_texts *t = p->form;
    axl__text_slot slots[] = { { "instruction", "", 0 }, { "input", "", 0 }, { NULL, NULL, 0 } };
    axl__text_slot system[] = { { "system", t->system_prompt, strlen(t->system_prompt) },
                                { NULL, NULL, 0 } };

    AXL_TRY(axl__prompt_text(record, p->columns[INSTRUCTION], &slots[0].text, &slots[0].len));
    AXL_TRY(axl__prompt_text(record, p->columns[INPUT], &slots[1].text, &slots[1].len));
    if (axl__json_get(record, p->columns[SYSTEM]))
        AXL_TRY(axl__prompt_text(record, p->columns[SYSTEM], &system[0].text, &system[0].len));
    return fill_texts(t, slots, system, out);
}

static axl_status user_defined_ask(const axl__prompt *p, const char *instruction, const char *input,
                                   axl__str *out)
{
    const user_texts *t = p->form;
    axl__text_slot slots[] = { { "instruction", instruction, strlen(instruction) },
                               { "input", input, strlen(input) },
                               { NULL, NULL, 0 } };
    axl__text_slot system[] = { { "system", t->system_prompt, strlen(t->system_prompt) },
                                { NULL, NULL, 0 } };

    return fill_texts(t, slots, system, out);
}

/* An empty output trains nothing: the sample is empty. */
static axl_status user_defined_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    const char *output;
    size_t len;
    axl__str prompt;

    axl__str_init(&prompt, p->setup.ctx);
    axl_status status = put_prompt(p, record, &prompt);
    if (status == AXL_OK)
        status = axl__prompt_text(record, p->columns[OUTPUT], &output, &len);
    if (status == AXL_OK && len > 0)
        status = axl__prompt_put_prompt(p, out, axl__str_text(&prompt), prompt.len);
    if (status == AXL_OK && len > 0)
        status = axl__prompt_put_response(p, out, output, len);
    axl__str_free(&prompt);
    return status == AXL_OK ? axl__draft_emit(out, out->n) : status;
}

const axl__prompt_method axl__prompt_user_defined = {
    .name = "user_defined",
    .open = user_defined_open,
    .close = user_defined_close,
    .make = user_defined_make,
    .ask = user_defined_ask,
};
