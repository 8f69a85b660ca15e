/* SPDX-License-Identifier: Apache-2.0 */
/* name_pattern.c - see name_pattern.h. */
#include "name_pattern.h"

#include "base/str.h"

#include <string.h>

/* The digits at *at; a number that no tensor is as long as stays at the largest. */
static int64_t read_number(const char **at)
{
    int64_t n = 0;

    for (; **at >= '0' && **at <= '9'; (*at)++)
        n = n > (INT64_MAX - 9) / 10 ? INT64_MAX - 1 : n * 10 + (**at - '0');
    return n;
}

/* "[2:7]", "[2:]", "[:7]" or "[2]" at the end of a text; the length of what is before it. */
static size_t read_range(axl__name_pattern *p, const char *text)
{
    const char *bracket = strrchr(text, '['), *at = bracket ? bracket + 1 : NULL;

    if (!bracket || bracket == text)
        return strlen(text);
    const char *first = at;
    int64_t start = read_number(&at);
    bool colon = *at == ':', single = !colon && at > first;
    const char *last = at += colon;
    int64_t end = read_number(&at);
    if (strcmp(at, "]") != 0)
        return strlen(text);
    p->ranged = true;
    p->open = !single && at == last;
    p->first = start;
    p->end = single ? start + 1 : end;
    return (size_t)(bracket - text);
}

static axl_status read_name(axl__name_pattern *p, axl_context *ctx, const char *text, size_t length)
{
    axl__str name;

    axl__str_init(&name, ctx);
    for (size_t i = 0; i < length; i++) {
        bool literal = text[i] == '.' && !(i + 1 < length && text[i + 1] == '+');
        axl__str_putf(&name, "%s%c", literal ? "\\" : "", text[i]);
    }
    axl_status status = axl__str_status(&name);
    if (status == AXL_OK)
        status = axl__pattern_new(&p->name, ctx, axl__str_text(&name));
    axl__str_free(&name);
    return status;
}

axl_status axl__name_pattern_read(axl__name_pattern *p, axl_context *ctx, const char *text)
{
    *p = (axl__name_pattern){ .name = NULL };
    size_t length = read_range(p, text);
    if (p->ranged && !p->open && p->first >= p->end)
        return axl__fail(AXL_ERR_INVALID,
                         "\"%s\" has a range without a row: its end must be above its beginning",
                         text);
    return read_name(p, ctx, text, length);
}
