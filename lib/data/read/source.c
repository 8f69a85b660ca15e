/* SPDX-License-Identifier: Apache-2.0 */
/* source.c - see source.h.  The file is mapped; a gzipped one is inflated into memory first. */
#include "data/read/reader.h"

#include "base/str.h"

#include <string.h>

static axl_status open_text(axl__source *s)
{
    if (axl__is_gzip(&s->file)) {
        AXL_TRY(axl__gunzip(&s->file, &s->inflated, &s->len));
        s->text = s->inflated;
    } else {
        s->text = (const char *)s->file.data;
        s->len = s->file.size;
    }
    return AXL_OK;
}

axl_status axl__source_open(axl__source **out, axl_context *ctx, const char *path,
                            const char *format)
{
    *out = NULL;
    AXL_TRY(axl__readers_check(path, format));
    axl__source *s = axl__calloc(ctx, 1, sizeof *s);
    if (!s)
        return axl__fail_nomem();
    s->ctx = ctx;
    axl_status status = axl__file_open(&s->file, ctx, path, false);
    if (status != AXL_OK) {
        axl__free(ctx, s);
        return status;
    }
    status = open_text(s);
    if (status == AXL_OK) {
        const axl__reader *reader = axl__readers_pick(path, format, s->text, s->len);
        status = reader->open(s);
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
    axl__file_close(&source->file);
    axl__free(source->ctx, source->inflated);
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
