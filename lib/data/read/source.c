/* SPDX-License-Identifier: Apache-2.0 */
/* source.c - see source.h.  The file is mapped; of a compressed one a window is in memory, which
 * grows to what the longest record takes. */
#include "data/read/reader.h"

#include "base/str.h"

#include <string.h>

/* A record of a compressed file takes this much memory at most, whatever a small file unpacks to.
 */
static const size_t window_max = (size_t)256 << 20;
static const size_t window_step = (size_t)64 << 10;

axl_status axl__source_more(axl__source *s)
{
    size_t n;

    if (!s->packing)
        return AXL_END;
    if (s->window.len > window_max)
        return axl__fail(AXL_ERR_FORMAT, "%s: a record is longer than %zu MiB", s->file.path,
                         window_max >> 20);
    if (!axl__str_reserve(&s->window, window_step))
        return axl__fail_nomem();
    axl_status status =
        s->packing->read(s->packed, s->window.data + s->window.len, window_step, &n);
    s->window.len += n;
    s->text = axl__str_text(&s->window);
    s->len = s->window.len;
    return status;
}

void axl__source_drop(axl__source *s, size_t n)
{
    memmove(s->window.data, s->window.data + n, s->len - n);
    s->len = s->window.len -= n;
}

bool axl__source_may_drop(const axl__source *s, size_t at)
{
    enum { LEAST = 1 << 16 };

    return s->packing && at >= LEAST && at >= s->len / 2;
}

void axl__source_pass(axl__source *s, size_t *at)
{
    if (!axl__source_may_drop(s, *at))
        return;
    axl__source_drop(s, *at);
    *at = 0;
}

static void unpack_close(axl__source *s)
{
    if (s->packed)
        s->packing->close(s->packed);
    s->packed = NULL;
}

axl_status axl__source_rewind(axl__source *s)
{
    if (!s->packing)
        return AXL_OK;
    unpack_close(s);
    axl__str_clear(&s->window);
    s->text = "";
    s->len = 0;
    return s->packing->open(&s->packed, &s->file);
}

bool axl__zstd_knows(const axl__file *file)
{
    return file->size >= 4 && memcmp(file->data, "\x28\xB5\x2F\xFD", 4) == 0;
}

static const axl__packing *packing_of(const axl__file *file)
{
    static const axl__packing *const packings[] = { &axl__gzip, &axl__zstd };

    for (size_t i = 0; i < sizeof packings / sizeof packings[0]; i++)
        if (packings[i]->knows(file))
            return packings[i];
    return NULL;
}

/* As much of the text as shows which reader it is for. */
static axl_status open_text(axl__source *s)
{
    axl_status status = AXL_OK;

    s->text = (const char *)s->file.data;
    s->len = s->file.size;
    s->packing = packing_of(&s->file);
    AXL_TRY(axl__source_rewind(s));
    for (size_t blank = 0; s->packing && status == AXL_OK && blank >= s->len;) {
        status = axl__source_more(s);
        while (blank < s->len && memchr(" \t\r\n\xEF\xBB\xBF", s->text[blank], 7))
            blank++;
    }
    return status < 0 ? status : AXL_OK;
}

axl_status axl__source_open(axl__source **out, axl_context *ctx, const char *path,
                            const char *format)
{
    *out = NULL;
    AXL_TRY(axl__source_check(path, format));
    axl__source *s = axl__calloc(ctx, 1, sizeof *s);
    if (!s)
        return axl__fail_nomem();
    s->ctx = ctx;
    axl__str_init(&s->window, ctx);
    axl_status status = axl__file_open(&s->file, ctx, path, false);
    if (status != AXL_OK) {
        axl__free(ctx, s);
        return status;
    }
    status = open_text(s);
    if (status == AXL_OK) {
        const axl__reader *reader = axl__readers_pick(path, format, s->text, s->len);
        status = s->packing && reader->binary
                     ? axl__reader_fail_packed(reader, path, s->packing->suffix)
                     : reader->open(s);
        if (status == AXL_OK)
            s->reader = reader;
    }
    if (status != AXL_OK) {
        axl__source_close(s);
        return status;
    }
    *out = s;
    return AXL_OK;
}

void axl__source_close(axl__source *source)
{
    if (!source)
        return;
    if (source->reader)
        source->reader->close(source);
    unpack_close(source);
    axl__file_close(&source->file);
    axl__str_free(&source->window);
    axl__free(source->ctx, source);
}

const axl__file *axl__source_file(const axl__source *source)
{
    return &source->file;
}

const char *axl__source_path(const axl__source *source)
{
    return source->file.path;
}

const char *axl__source_place(const axl__source *source)
{
    return source->reader->place;
}

uint64_t axl__source_progress(const axl__source *source)
{
    if (source->packing)
        return source->packing->progress(source->packed);
    size_t at = source->reader->progress(source);
    double share = source->len > 0 ? (double)at / (double)source->len : 1.0;

    return (uint64_t)(share * (double)source->file.size);
}

axl_status axl__source_next(axl__source *source, axl__arena *arena, const axl__json **record,
                            axl__record_error *error)
{
    error->column = 0;
    return source->reader->next(source, arena, record, error);
}

void axl__record_error_put(axl__str *out, const char *path, const char *place,
                           const axl__record_error *error)
{
    bool line = strcmp(place, "line") == 0; /* needs no word: so are places in texts written */

    if (path)
        axl__str_putf(out, line ? "%s:" : "%s: ", path);
    if (!line)
        axl__str_putf(out, "%s ", place);
    axl__str_putf(out, "%llu", (unsigned long long)error->at);
    if (error->column > 0)
        axl__str_putf(out, ":%zu", error->column);
    axl__str_putf(out, ": %s", error->why.text);
}
