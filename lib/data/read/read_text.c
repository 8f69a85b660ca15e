/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_text.c - a record {"text": …} a line, as Hugging Face's text loader: lines end at \n, \r\n
 * or \r, an empty one is a record too, and a byte order mark is a character of the first.
 */
#include "data/read/reader.h"

#include "data/read/record_tree.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    size_t at; /* of the source's text: the next line */
    uint64_t line;
} text_lines;

static axl_status text_open(axl__source *s)
{
    s->state = axl__calloc(s->ctx, 1, sizeof(text_lines));
    return s->state ? AXL_OK : axl__fail_nomem();
}

static void text_close(axl__source *s)
{
    axl__free(s->ctx, s->state);
}

static size_t text_progress(const axl__source *s)
{
    return ((const text_lines *)s->state)->at;
}

/* How long the line at hand is, and its end; AXL_END where there is none. */
static axl_status text_line(axl__source *s, const text_lines *t, size_t *len, size_t *end)
{
    axl_status status = AXL_OK;
    size_t i = t->at;

    while (status == AXL_OK) {
        while (i < s->len && s->text[i] != '\n' && s->text[i] != '\r')
            i++;
        /* Of \r\n the second byte may be still to come. */
        if (i < s->len && (s->text[i] == '\n' || i + 1 < s->len))
            break;
        status = axl__source_more(s);
    }
    if (status < 0)
        return status;
    *len = i - t->at;
    *end = *len + (i < s->len);
    if (i + 1 < s->len && s->text[i] == '\r' && s->text[i + 1] == '\n')
        ++*end;
    return *end > 0 ? AXL_OK : AXL_END;
}

static axl_status text_next(axl__source *s, axl__arena *arena, const axl__json **record,
                            axl__record_error *e)
{
    text_lines *t = s->state;
    size_t len, end;

    axl_status status = text_line(s, t, &len, &end);
    if (status != AXL_OK)
        return status;
    const char *line = s->text + t->at;
    axl__json *object = axl__arena_alloc(arena, sizeof *object);
    if (!object)
        return axl__fail_nomem();
    axl__branch b = axl__branch_of(arena, object, AXL__JSON_OBJECT);
    axl__json *text = axl__branch_add(&b, "text", 4);
    if (!text || !axl__json_set_string(text, arena, line, len))
        return axl__fail_nomem();
    e->at = ++t->line;
    t->at += end;
    axl__source_pass(s, &t->at);
    *record = object;
    if (axl__utf8_valid(text->text, len))
        return AXL_OK;
    snprintf(e->why.text, sizeof e->why.text, "not UTF-8");
    return AXL_ERR_DATA;
}

const axl__reader axl__read_text = {
    .format = "text",
    .suffix = ".txt",
    .place = "line",
    .open = text_open,
    .next = text_next,
    .close = text_close,
    .progress = text_progress,
};
