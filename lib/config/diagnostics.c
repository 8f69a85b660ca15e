/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diagnostics.c - an array of diagnostics, their texts in an arena.
 *
 * A diagnostic is complete when it is added: its text is made at once, and sorting moves only the
 * entries.  The list is for one thread until it is finished, and is not changed by reading it.
 */
#include "diagnostics.h"

#include "base/str.h"
#include "base/structs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A hostile file must not make a list as long as itself; warnings leave room for errors. */
enum { DIAGNOSTICS_MAX = 200, WARNINGS_MAX = 150 };

typedef struct entry {
    axl_diagnostic d;
    size_t order;
} entry;

/* The entries are in the struct, so that adding one takes memory for its texts alone; failed
 * remembers that these could not be had, and the list is then no list. */
struct axl_diagnostics {
    axl_context *ctx;
    axl__arena arena;
    const char *file;
    size_t count, errors;
    bool failed;
    entry entries[DIAGNOSTICS_MAX];
};

axl_status axl__diagnostics_new(axl_diagnostics **out, axl_context *ctx, const char *file)
{
    axl_diagnostics *d = axl__calloc(ctx, 1, sizeof *d);

    *out = NULL;
    if (!d)
        return axl__fail_nomem();
    d->ctx = axl__context_ref(ctx);
    axl__arena_init(&d->arena, ctx);
    d->file = axl__arena_strndup(&d->arena, file, strlen(file));
    if (!d->file) {
        axl_diagnostics_free(d);
        return axl__fail_nomem();
    }
    *out = d;
    return AXL_OK;
}

void axl_diagnostics_free(axl_diagnostics *d)
{
    if (!d)
        return;
    axl_context *ctx = d->ctx;
    axl__arena_free(&d->arena);
    axl__free(ctx, d);
    axl_context_free(ctx);
}

/* Errors may take the warnings' room and not the other way round: a list without its errors would
 * make a bad config good. */
bool axl__diagnostics_full(const axl_diagnostics *d, axl_severity severity)
{
    return d->count == DIAGNOSTICS_MAX ||
           (severity == AXL_SEVERITY_WARNING && d->count - d->errors == WARNINGS_MAX);
}

/* A byte below space in a message would break its line. */
static void one_line(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7F)
            *p = '?';
}

/* ":LINE:COL", or "" where there is none. */
static const char *place_of(const axl_diagnostic *x, char out[32])
{
    out[0] = '\0';
    if (x->line)
        snprintf(out, 32, ":%u:%u", x->line, x->column);
    return out;
}

/* FILE:LINE:COL: error: KEY: MESSAGE [ID], as compilers write it and editors read it. */
static const char *whole_text(axl_diagnostics *d, const axl_diagnostic *x)
{
    axl__str s;
    char place[32];
    const char *text = NULL;

    axl__str_init(&s, d->ctx);
    axl__str_putf(&s, "%s%s: %s: ", x->file, place_of(x, place),
                  x->severity == AXL_SEVERITY_ERROR ? "error" : "warning");
    if (x->key)
        axl__str_putf(&s, "%s: ", x->key);
    axl__str_putf(&s, "%s [%s]", x->message, x->id);
    if (axl__str_status(&s) == AXL_OK)
        text = axl__arena_strndup(&d->arena, s.data, s.len);
    axl__str_free(&s);
    return text;
}

void axl__diagnostics_log_warnings(const axl_diagnostics *d)
{
    char place[32];

    for (size_t i = 0; i < d->count; i++) {
        const axl_diagnostic *x = &d->entries[i].d;
        if (x->severity == AXL_SEVERITY_WARNING)
            axl__log(d->ctx, AXL_LOG_WARNING, "%s%s: %s%s%s [%s]", x->file, place_of(x, place),
                     x->key ? x->key : "", x->key ? ": " : "", x->message, x->id);
    }
}

void axl__diag(axl_diagnostics *d, axl__diag_id id, axl_severity severity, uint32_t line,
               uint32_t column, const char *key, const char *fmt, ...)
{
    char message[AXL__ERROR_MAX], number[16];
    va_list ap;

    if (axl__diagnostics_full(d, severity))
        return;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    one_line(message);
    snprintf(number, sizeof number, "AXL-C%04d", (int)id);

    axl_diagnostic x = AXL_DIAGNOSTIC_INIT;
    x.severity = severity;
    x.line = line;
    x.column = line ? column : 0;
    x.file = d->file;
    x.id = axl__arena_strndup(&d->arena, number, strlen(number));
    x.message = axl__arena_strndup(&d->arena, message, strlen(message));
    char *own_key = key ? axl__arena_strndup(&d->arena, key, strlen(key)) : NULL;
    if (own_key)
        one_line(own_key);
    x.key = own_key;
    if (!x.id || !x.message || (key && !own_key) || !(x.text = whole_text(d, &x))) {
        d->failed = true;
        return;
    }
    d->entries[d->count] = (entry){ x, d->count };
    d->count++;
    d->errors += severity == AXL_SEVERITY_ERROR;
}

/* What has no place comes last; order is the rank of arrival, because qsort() is not stable. */
static int by_place(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    uint32_t xl = x->d.line ? x->d.line : UINT32_MAX, yl = y->d.line ? y->d.line : UINT32_MAX;

    if (xl != yl)
        return xl < yl ? -1 : 1;
    if (x->d.column != y->d.column)
        return x->d.column < y->d.column ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

axl_status axl__diagnostics_finish(axl_diagnostics *d)
{
    if (d->failed)
        return axl__fail_nomem();
    qsort(d->entries, d->count, sizeof d->entries[0], by_place);
    for (size_t i = 0; i < d->count; i++) {
        if (d->entries[i].d.severity != AXL_SEVERITY_ERROR)
            continue;
        if (d->errors == 1)
            return axl__fail(AXL_ERR_CONFIG, "%s", d->entries[i].d.text);
        return axl__fail(AXL_ERR_CONFIG, "%s (and %zu more error%s)", d->entries[i].d.text,
                         d->errors - 1, d->errors == 2 ? "" : "s");
    }
    return AXL_OK;
}

size_t axl_diagnostics_count(const axl_diagnostics *d)
{
    return d ? d->count : 0;
}

size_t axl_diagnostics_error_count(const axl_diagnostics *d)
{
    return d ? d->errors : 0;
}

axl_status axl_diagnostics_get(const axl_diagnostics *d, size_t index, axl_diagnostic *out)
{
    axl__error_clear();
    if (!d || !out)
        return axl__fail(AXL_ERR_INVALID, "%s is NULL", d ? "out" : "list");
    if (index >= d->count)
        return AXL_END;
    return AXL__EXPORT(axl_diagnostic, out, &d->entries[index].d);
}
