/* SPDX-License-Identifier: Apache-2.0 */
/* prompt_format.c - texts that a config writes around columns, as Python's str.format() takes them:
 * {instruction}, and {{ for a brace. */
#include "data/prompt/prompt.h"

#include <string.h>

static const axl__text_slot *find_slot(const axl__text_slot *slots, const char *name, size_t len)
{
    for (; slots->name; slots++)
        if (strlen(slots->name) == len && memcmp(slots->name, name, len) == 0)
            return slots;
    return NULL;
}

/* Moves *at behind what one step puts out, a run of text, a brace or a slot; false where the text
 * is no format, or names what is not there. */
static bool format_step(axl__str *out, const char **at, const axl__text_slot *slots)
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
    const axl__text_slot *s =
        p[0] == '{' && p[1 + len] == '}' ? find_slot(slots, p + 1, len) : NULL;
    if (s) {
        axl__str_put(out, s->text, s->len);
        *at = p + 2 + len;
    }
    return s != NULL;
}

bool axl__prompt_put_format(axl__str *out, const char *format, const axl__text_slot *slots)
{
    bool good = true;

    while (*format && good)
        good = format_step(out, &format, slots);
    return good;
}

axl_status axl__prompt_check_format(const axl__prompt *p, const char *key, const char *format,
                                    const axl__text_slot *slots)
{
    axl__str out;

    axl__str_init(&out, p->setup.ctx);
    bool good = axl__prompt_put_format(&out, format, slots);
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
