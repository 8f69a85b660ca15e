/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unfrozen.c - see unfrozen.h.  Ranges of all patterns that a name has are joined, and one without
 * a range adds nothing to them: as in Axolotl, "x" beside "x[0:5]" trains five rows.
 */
#include "unfrozen.h"

#include "config/name_pattern.h"

#include <stdlib.h>
#include <string.h>

struct axl__unfrozen_pattern {
    const char *text;
    axl__name_pattern on;
    bool seen; /* a name had it */
};

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
        axl_status status = axl__name_pattern_read(&p->on, ctx, p->text);
        if (status < 0)
            return axl__fail_prefix(status, "unfrozen_parameters");
    }
    return AXL_OK;
}

void axl__unfrozen_free(axl__unfrozen *u)
{
    for (size_t i = 0; i < u->n; i++)
        axl__pattern_free(u->list[i].on.name);
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
    *out = (axl__range){ p->on.first, p->on.open ? length : p->on.end };
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
        status = axl__pattern_match(p->on.name, name, false, &matches, NULL);
        if (status < 0 || !matches)
            continue;
        *trained = p->seen = true;
        if (p->on.ranged)
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
