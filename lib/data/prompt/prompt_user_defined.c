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

/* What stands for {name}. */
typedef struct {
    const char *name, *text;
    size_t len;
} slot;

/* ---- formats ---- */

static const slot *find_slot(const slot *slots, const char *name, size_t len)
{
    for (; slots->name; slots++)
        if (strlen(slots->name) == len && memcmp(slots->name, name, len) == 0)
            return slots;
    return NULL;
}

/* Moves *at behind what one step puts out, a run of text, a brace or a slot; false where the text
 * is no format, or names what is not there. */
static bool format_step(axl__str *out, const char **at, const slot *slots)
{
    const char *p = *at;
    size_t run = strcspn(p, "{}");

    if (run > 0) {
        axl__str_put(out, p, run);
        *at = p + run;
        return true;
    }
    if (p[1] == p[0]) {
        axl__str_putc(out, p[0]);
        *at = p + 2;
        return true;
    }
    size_t len = strcspn(p + 1, "{}");
    const slot *s = p[0] == '{' && p[1 + len] == '}' ? find_slot(slots, p + 1, len) : NULL;
    if (s) {
        axl__str_put(out, s->text, s->len);
        *at = p + 2 + len;
    }
    return s != NULL;
}

/* False: the text is no format of these slots. */
static bool put_format(axl__str *out, const char *format, const slot *slots)
{
    bool good = true;

    while (*format && good)
        good = format_step(out, &format, slots);
    return good;
}

/* Formats once with empty texts: what works then works for every record, so that make asks no
 * more. */
static axl_status check_format(const axl__prompt *p, const char *key, const char *format,
                               const slot *slots)
{
    axl__str out;

    axl__str_init(&out, p->setup.ctx);
    bool good = put_format(&out, format, slots);
    axl_status status = axl__str_status(&out);
    axl__str_free(&out);
    if (status == AXL_OK && !good)
        status = axl__fail(AXL_ERR_INVALID,
                           "%s: \"%.200s\" is no format: it may name {%s}%s%s%s, and {{ and }} "
                           "are braces",
                           key, format, slots[0].name, slots[1].name ? " and {" : "",
                           slots[1].name ? slots[1].name : "", slots[1].name ? "}" : "");
    return status;
}

static axl_status user_defined_open(axl__prompt *p)
{
    static const slot both[] = { { "instruction", "", 0 }, { "input", "", 0 }, { NULL, NULL, 0 } };
    static const slot instruction[] = { { "instruction", "", 0 }, { NULL, NULL, 0 } };
    static const slot system[] = { { "system", "", 0 }, { NULL, NULL, 0 } };
    user_texts t = { axl__prompt_setting(p, "type.system_prompt", ""),
                     axl__prompt_setting(p, "type.system_format", ""),
                     axl__prompt_setting(p, "type.format", ""),
                     axl__prompt_setting(p, "type.no_input_format", "") };

    AXL_TRY(check_format(p, "system_format", t.system_format, system));
    AXL_TRY(check_format(p, "format", t.format, both));
    AXL_TRY(check_format(p, "no_input_format", t.no_input_format, instruction));
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
static axl_status fill_texts(const user_texts *t, const slot *slots, const slot *system,
                             axl__str *out)
{
    if (system[0].len > 0)
        put_format(out, t->system_format, system);
    put_format(out, slots[1].len > 0 ? t->format : t->no_input_format, slots);
    return axl__str_status(out);
}

/* The system column of a record wins over system_prompt even where it is empty. */
static axl_status put_prompt(const axl__prompt *p, const axl__json *record, axl__str *out)
{
    const user_texts *t = p->form;
    slot slots[] = { { "instruction", "", 0 }, { "input", "", 0 }, { NULL, NULL, 0 } };
    slot system[] = { { "system", t->system_prompt, strlen(t->system_prompt) }, { NULL, NULL, 0 } };

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
    slot slots[] = { { "instruction", instruction, strlen(instruction) },
                     { "input", input, strlen(input) },
                     { NULL, NULL, 0 } };
    slot system[] = { { "system", t->system_prompt, strlen(t->system_prompt) }, { NULL, NULL, 0 } };

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
