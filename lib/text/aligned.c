/* SPDX-License-Identifier: Apache-2.0 */
/* aligned.c - see aligned.h.  Memory that ran out is remembered in the text's own flag. */
#include "aligned.h"

#include "base/utf8.h"

#include <string.h>

void axl__aligned_init(axl__aligned *a, axl_context *ctx, bool track)
{
    memset(a, 0, sizeof *a);
    axl__str_init(&a->text, ctx);
    a->track = track;
}

void axl__aligned_free(axl__aligned *a)
{
    if (a->text.ctx)
        axl__free(a->text.ctx, a->from);
    axl__str_free(&a->text);
    a->from = NULL;
    a->cap = 0;
}

void axl__aligned_clear(axl__aligned *a)
{
    axl__str_clear(&a->text);
}

axl_status axl__aligned_status(const axl__aligned *a)
{
    return axl__str_status(&a->text);
}

/* Appends the bytes and makes room for as many spans; where they begin, or NULL. */
static axl__span *append(axl__aligned *a, const char *text, size_t len)
{
    size_t before = a->text.len;

    axl__str_put(&a->text, text, len);
    if (!a->track || a->text.failed)
        return NULL;
    if (a->text.len > a->cap) {
        size_t cap = a->text.len + a->text.len / 2 + 64;
        axl__span *grown = cap > SIZE_MAX / sizeof *grown
                               ? NULL
                               : axl__realloc(a->text.ctx, a->from, cap * sizeof *grown);
        if (!grown) {
            a->text.failed = true;
            return NULL;
        }
        a->from = grown;
        a->cap = cap;
    }
    return a->from + before;
}

void axl__aligned_put_original(axl__aligned *a, const char *text, size_t len, size_t at)
{
    axl__span *from = append(a, text, len);

    for (size_t i = 0, end = 0; from && i < len; i = end) {
        (void)axl__utf8_next(text, len, &end);
        for (size_t k = i; k < end; k++)
            from[k] = (axl__span){ (uint32_t)(at + i), (uint32_t)(at + end) };
    }
}

void axl__aligned_put(axl__aligned *a, const char *text, size_t len, axl__span stretch)
{
    axl__span *from = append(a, text, len);

    for (size_t i = 0; from && i < len; i++)
        from[i] = stretch;
}

void axl__aligned_copy(axl__aligned *a, const axl__aligned *in, size_t from, size_t to)
{
    axl__span *spans = to > from ? append(a, in->text.data + from, to - from) : NULL;

    if (spans)
        memcpy(spans, in->from + from, (to - from) * sizeof *spans);
}

axl__span axl__aligned_span(const axl__aligned *a, size_t from, size_t to)
{
    if (!a->track)
        return (axl__span){ 0, 0 };
    return (axl__span){ a->from[from].begin, a->from[to - 1].end };
}

/* A change that counts more old characters than there are takes what there is. */
void axl__rewrite_put(axl__rewrite *w, uint32_t c, int32_t change)
{
    const axl__aligned *in = w->in;
    axl__span span = w->nothing;
    char bytes[4];

    if (in->track && change > 0 && w->at > 0)
        span = in->from[w->at - 1];
    else if (in->track && change <= 0 && w->at < w->end)
        span = in->from[w->at];
    for (; change <= 0 && w->at < w->end; change++)
        (void)axl__utf8_next(in->text.data, w->end, &w->at);
    axl__aligned_put(w->out, bytes, axl__utf8_encode(bytes, c), span);
}
