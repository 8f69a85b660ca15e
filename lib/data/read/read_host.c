/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_host.c - records that a host hands over, a JSON text a call.  The text is copied: the host's
 * holds until its function is called again, and a batch of records is asked for at once.
 */
#include "data/read/reader.h"

#include "base/utf8.h"

#include <stdio.h>

typedef struct {
    axl__feed *feed;
    uint64_t n; /* records so far */
} host_records;

static void host_close(axl__source *s)
{
    axl__free(s->ctx, s->state);
}

/* Nobody knows how many follow. */
static size_t host_progress(const axl__source *s)
{
    (void)s;
    return 0;
}

static axl_status host_ask(axl__source *s, const char **text, size_t *len)
{
    host_records *h = s->state;

    *text = NULL;
    *len = 0;
    h->feed->asked = true;
    int told = h->feed->next(h->feed->user, text, len);
    if (told == AXL_END)
        return AXL_END;
    if (told != 0)
        return axl__fail(AXL_ERR_CANCELLED,
                         "%s: the function that hands over records stopped before record %llu",
                         s->file.path, (unsigned long long)h->n + 1);
    h->n++;
    return *text ? AXL_OK
                 : axl__fail(AXL_ERR_INVALID, "%s: record %llu has no text", s->file.path,
                             (unsigned long long)h->n);
}

static axl_status host_next(axl__source *s, axl__arena *arena, const axl__json **record,
                            axl__record_error *e)
{
    const host_records *h = s->state;
    axl__json_error error;
    axl__json *value;
    const char *text;
    size_t len;

    axl_status status = host_ask(s, &text, &len);
    if (status != AXL_OK)
        return status;
    e->at = h->n;
    if (!axl__utf8_valid(text, len)) {
        snprintf(e->why.text, sizeof e->why.text, "not UTF-8");
        return AXL_ERR_DATA;
    }
    text = axl__arena_strndup(arena, text, len);
    if (!text)
        return axl__fail_nomem();
    status = axl__json_read(&value, arena, text, len, &error);
    if (status == AXL_ERR_FORMAT) {
        e->column = error.column;
        snprintf(e->why.text, sizeof e->why.text, "%s", error.text);
        return AXL_ERR_DATA;
    }
    AXL_TRY(status);
    *record = value;
    if (value->type == AXL__JSON_OBJECT)
        return AXL_OK;
    snprintf(e->why.text, sizeof e->why.text, "a record must be an object, not %s",
             axl__json_type_name(value));
    return AXL_ERR_DATA;
}

static const axl__reader read_host = {
    .place = "record", .next = host_next, .close = host_close, .progress = host_progress
};

axl_status axl__feed_begins(const axl__feed *feed)
{
    if (!feed->asked || feed->rewind)
        return AXL_OK;
    return axl__fail(AXL_ERR_UNSUPPORTED,
                     "%s: records that were handed over already are asked for again, and their "
                     "source has no rewind",
                     feed->name);
}

static axl_status host_rewind(axl__feed *feed)
{
    AXL_TRY(axl__feed_begins(feed));
    if (feed->asked && feed->rewind(feed->user) != 0)
        return axl__fail(AXL_ERR_CANCELLED, "%s: the function that rewinds the records stopped",
                         feed->name);
    feed->asked = false;
    return AXL_OK;
}

axl_status axl__source_open_host(axl__source **out, axl_context *ctx, axl__feed *feed)
{
    *out = NULL;
    AXL_TRY(host_rewind(feed));
    axl__source *s = axl__calloc(ctx, 1, sizeof *s);
    host_records *h = axl__calloc(ctx, 1, sizeof *h);
    axl_status status =
        s && h ? axl__file_of(&s->file, ctx, feed->name, "", 0, false) : axl__fail_nomem();
    if (status != AXL_OK) {
        axl__free(ctx, h);
        axl__free(ctx, s);
        return status;
    }
    s->ctx = ctx;
    axl__str_init(&s->window, ctx);
    s->reader = &read_host;
    s->state = h;
    h->feed = feed;
    *out = s;
    return AXL_OK;
}
