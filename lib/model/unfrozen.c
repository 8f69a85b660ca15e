/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unfrozen.c - see unfrozen.h.  Ranges of all patterns that a name has are joined, and one without
 * a range adds nothing to them: as in Axolotl, "x" beside "x[0:5]" trains five rows.
 */
#include "unfrozen.h"

#include "base/pattern.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

struct axl__unfrozen_pattern {
    const char *text;
    axl__pattern *name;
    bool ranged, open; /* open: to the last row */
    axl__range rows;
    bool seen; /* a name had it */
};

/* ---- reading ---- */

/* The digits at *at; a number that no tensor is as long as stays at the largest. */
static int64_t read_number(const char **at)
{
    int64_t n = 0;

    for (; **at >= '0' && **at <= '9'; (*at)++)
        n = n > (INT64_MAX - 9) / 10 ? INT64_MAX - 1 : n * 10 + (**at - '0');
    return n;
}

/* "[2:7]", "[2:]", "[:7]" or "[2]" at the end of a text; the length of what is before it. */
static size_t read_range(axl__unfrozen_pattern *p)
{
    const char *bracket = strrchr(p->text, '['), *at = bracket ? bracket + 1 : NULL;
    size_t whole = strlen(p->text);

    if (!bracket || bracket == p->text)
        return whole;
    const char *first = at;
    int64_t start = read_number(&at);
    bool colon = *at == ':', single = !colon && at > first;
    const char *last = at += colon;
    int64_t end = read_number(&at);
    if (strcmp(at, "]") != 0)
        return whole;
    p->ranged = true;
    p->open = !single && at == last;
    p->rows = (axl__range){ start, single ? start + 1 : end };
    return (size_t)(bracket - p->text);
}

static axl_status read_name(axl__unfrozen_pattern *p, axl_context *ctx, size_t length)
{
    axl__str name;

    axl__str_init(&name, ctx);
    for (size_t i = 0; i < length; i++) {
        bool literal = p->text[i] == '.' && !(i + 1 < length && p->text[i + 1] == '+');
        axl__str_putf(&name, "%s%c", literal ? "\\" : "", p->text[i]);
    }
    axl_status status = axl__str_status(&name);
    if (status == AXL_OK)
        status = axl__pattern_new(&p->name, ctx, axl__str_text(&name));
    axl__str_free(&name);
    return status == AXL_ERR_INVALID ? axl__fail_prefix(status, "unfrozen_parameters") : status;
}

axl_status axl__unfrozen_init(axl__unfrozen *u, axl_context *ctx, const char *const *texts,
                              size_t n)
{
    *u = (axl__unfrozen){ .ctx = ctx };
    u->list = axl__calloc(ctx, n, sizeof *u->list);
    if (!u->list)
        return axl__fail_nomem();
    for (u->n = 0; u->n < n; u->n++) {
        axl__unfrozen_pattern *p = &u->list[u->n];
        p->text = texts[u->n];
        size_t length = read_range(p);
        if (p->ranged && !p->open && p->rows.first >= p->rows.end)
            return axl__fail(AXL_ERR_INVALID,
                             "unfrozen_parameters: \"%s\" has a range without a row: its end must "
                             "be above its beginning",
                             p->text);
        AXL_TRY(read_name(p, ctx, length));
    }
    return AXL_OK;
}

void axl__unfrozen_free(axl__unfrozen *u)
{
    for (size_t i = 0; i < u->n; i++)
        axl__pattern_free(u->list[i].name);
    if (u->ctx)
        axl__free(u->ctx, u->list);
    *u = (axl__unfrozen){ 0 };
}

/* ---- asking ---- */

static int by_first(const void *a, const void *b)
{
    const axl__range *x = a, *y = b;

    return (x->first > y->first) - (x->first < y->first);
}

/* What of [0, length) lies in none of the ranges, in their place: there is room for one more. */
static size_t invert(axl__range *ranges, size_t n, int64_t length)
{
    int64_t at = 0;
    size_t out = 0;

    qsort(ranges, n, sizeof *ranges, by_first);
    for (size_t i = 0; i < n; i++) {
        axl__range r = ranges[i];
        if (r.first > at)
            ranges[out++] = (axl__range){ at, r.first };
        at = r.end > at ? r.end : at;
    }
    if (at < length)
        ranges[out++] = (axl__range){ at, length };
    return out;
}

static axl_status take_rows(const axl__unfrozen_pattern *p, const char *name, int64_t length,
                            axl__range *out)
{
    *out = p->rows;
    if (p->open)
        out->end = length;
    if (out->end <= length && out->first < out->end)
        return AXL_OK;
    return axl__fail(AXL_ERR_INVALID,
                     "unfrozen_parameters: \"%s\" has rows that %s, of %lld rows, has not", p->text,
                     name, (long long)length);
}

axl_status axl__unfrozen_find(axl__unfrozen *u, const char *name, axl__param *t, bool *trained)
{
    int64_t length = t->vector ? t->cols : t->rows, width = t->vector ? 1 : t->cols;
    axl__range *ranges = axl__alloc(u->ctx, (u->n + 1) * sizeof *ranges);
    axl_status status = ranges ? AXL_OK : axl__fail_nomem();
    size_t n = 0;

    *trained = false;
    for (size_t i = 0; i < u->n && status == AXL_OK; i++) {
        axl__unfrozen_pattern *p = &u->list[i];
        bool matches = false;
        status = axl__pattern_match(p->name, name, false, &matches, NULL);
        if (status < 0 || !matches)
            continue;
        *trained = p->seen = true;
        if (p->ranged)
            status = take_rows(p, name, length, &ranges[n++]);
    }
    if (status < 0 || n == 0) {
        axl__free(u->ctx, ranges);
        return status;
    }
    t->frozen = ranges;
    t->n_frozen = invert(ranges, n, length);
    for (size_t i = 0; i < t->n_frozen; i++) {
        ranges[i].first *= width;
        ranges[i].end *= width;
    }
    return AXL_OK;
}

void axl__unfrozen_warn(const axl__unfrozen *u)
{
    for (size_t i = 0; i < u->n; i++)
        if (!u->list[i].seen)
            axl__log(
                u->ctx, AXL_LOG_WARNING,
                "unfrozen_parameters: no parameter's name begins with \"%s\"%s", u->list[i].text,
                strstr(u->list[i].text, "\\.") ? "; a dot is literal here and is written without \\"
                                               : "");
}
