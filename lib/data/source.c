/* SPDX-License-Identifier: Apache-2.0 */
/* source.c - see source.h.  The file is mapped and parsed record by record; a gzipped one is
 * inflated into memory first. */
#include "data/source.h"

#include "base/str.h"
#include "base/utf8.h"

#include <string.h>
#include <zlib.h>

struct axl__source {
    axl_context *ctx;
    axl__file file;
    char *inflated; /* the text of a .gz */
    const char *text;
    size_t len, at;
    uint64_t line;    /* 1-based, of counted */
    size_t counted;   /* newlines before it are in line */
    bool array, done; /* one JSON array; its end or an error was met */
    bool first;       /* no record was read yet */
};

/* ---- formats ---- */

/* The loader that Axolotl picks: ds_type, else by a part of the path. */
static const char *format_of(const char *path, const char *format)
{
    static const struct {
        const char *part, *format;
    } parts[] = {
        { ".parquet", "parquet" }, { ".arrow", "arrow" }, { ".csv", "csv" }, { ".txt", "text" }
    };

    if (format)
        return format;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strstr(path, parts[i].part))
            return parts[i].format;
    return "json";
}

static axl_status check_format(const char *path, const char *format)
{
    format = format_of(path, format);
    if (strcmp(format, "json") != 0 && strcmp(format, "jsonl") != 0)
        return axl__fail(AXL_ERR_UNSUPPORTED, "%s: %s files are not read yet; convert it to jsonl",
                         path, format);
    if (axl__ends_with(path, ".zst") || axl__ends_with(path, ".xz") ||
        axl__ends_with(path, ".bz2") || axl__ends_with(path, ".zip"))
        return axl__fail(AXL_ERR_UNSUPPORTED, "%s: of compressed files only .gz is read", path);
    return AXL_OK;
}

/* ---- gzip ---- */

static void *gz_alloc(void *ctx, uInt count, uInt size)
{
    return axl__calloc(ctx, count, size);
}

static void gz_free(void *ctx, void *block)
{
    axl__free(ctx, block);
}

/* Fills out until the file ends; several gzip members read as one text. */
static axl_status inflate_into(axl__str *out, z_stream *z, const axl__file *file)
{
    size_t left = file->size;

    z->next_in = (Bytef *)(uintptr_t)file->data; /* zlib's input is not const everywhere */
    for (;;) {
        if (z->avail_in == 0) {
            z->avail_in = left > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uInt)left;
            left -= z->avail_in;
        }
        if (!axl__str_reserve(out, 1 << 20))
            return axl__fail_nomem();
        size_t room = out->cap - out->len - 1;
        z->avail_out = room > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uInt)room;
        uInt before = z->avail_out;
        z->next_out = (Bytef *)out->data + out->len;
        int code = inflate(z, Z_NO_FLUSH);
        out->len += before - z->avail_out;
        if (code == Z_MEM_ERROR)
            return axl__fail_nomem();
        if (code == Z_STREAM_END && (z->avail_in > 0 || left > 0))
            code = inflateReset(z);
        if (code == Z_STREAM_END)
            return AXL_OK;
        if (code != Z_OK || (z->avail_in == 0 && left == 0 && z->avail_out > 0))
            return axl__fail(AXL_ERR_FORMAT, "%s: %s", file->path,
                             code == Z_DATA_ERROR ? "broken gzip data"
                                                  : "the gzip data ends early");
        AXL_TRY(axl__cancelled(file->ctx));
    }
}

static axl_status inflate_file(axl__source *s)
{
    z_stream z = { 0 };
    axl__str out;

    z.zalloc = gz_alloc;
    z.zfree = gz_free;
    z.opaque = s->ctx;
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
        return axl__fail_nomem();
    axl__str_init(&out, s->ctx);
    axl_status status = inflate_into(&out, &z, &s->file);
    inflateEnd(&z);
    if (status != AXL_OK) {
        axl__str_free(&out);
        return status;
    }
    s->inflated = out.data;
    s->text = out.data;
    s->len = out.len;
    return AXL_OK;
}

/* ---- opening ---- */

static void skip_space(axl__source *s)
{
    while (s->at < s->len && memchr(" \t\r\n", s->text[s->at], 4))
        s->at++;
}

axl_status axl__source_open(axl__source **out, axl_context *ctx, const char *path,
                            const char *format)
{
    *out = NULL;
    AXL_TRY(check_format(path, format));
    axl__source *s = axl__calloc(ctx, 1, sizeof *s);
    if (!s)
        return axl__fail_nomem();
    s->ctx = ctx;
    axl_status status = axl__file_open(&s->file, ctx, path, false);
    if (status != AXL_OK) {
        axl__free(ctx, s);
        return status;
    }
    s->text = (const char *)s->file.data;
    s->len = s->file.size;
    if (s->len >= 2 && s->file.data[0] == 0x1F && s->file.data[1] == 0x8B)
        status = inflate_file(s);
    if (status != AXL_OK) {
        axl__source_close(s);
        return status;
    }
    if (s->len >= 3 && memcmp(s->text, "\xEF\xBB\xBF", 3) == 0)
        s->at = 3;
    s->line = 1;
    s->first = true;
    skip_space(s);
    if (s->at < s->len && s->text[s->at] == '[') {
        s->array = true;
        s->at++;
    }
    *out = s;
    return AXL_OK;
}

void axl__source_close(axl__source *source)
{
    if (!source)
        return;
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

uint64_t axl__source_progress(const axl__source *source)
{
    double share = source->len > 0 ? (double)source->at / (double)source->len : 1.0;

    return (uint64_t)(share * (double)source->file.size);
}

/* ---- records ---- */

/* The line of at, counted on from the last call. */
static uint64_t line_at(axl__source *s, size_t at)
{
    const char *p = s->text + s->counted, *end = s->text + at;

    while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
        s->line++;
        p++;
    }
    if (at > s->counted)
        s->counted = at;
    return s->line;
}

/* A failure of json.h within one line, "1:COLUMN: what", with the file's line. */
static axl_status malformed(uint64_t line)
{
    const char *message = axl_last_error(), *column = strchr(message, ':');

    return axl__fail(AXL_ERR_DATA, "%llu%s", (unsigned long long)line, column ? column : "");
}

/* Of the byte at `at`, which is not before the last place asked for. */
static axl_status fail_at(axl__source *s, size_t at, const char *what)
{
    size_t start = at, column = 1;
    uint64_t line = line_at(s, at);

    while (start > 0 && s->text[start - 1] != '\n')
        start--;
    for (size_t i = start; i < at; i++)
        column += ((unsigned char)s->text[i] & 0xC0) != 0x80;
    return axl__fail(AXL_ERR_DATA, "%llu:%zu: %s", (unsigned long long)line, column, what);
}

/* A record of another encoding would be trained as U+FFFD. */
static axl_status check_utf8(axl__source *s, size_t from, size_t to)
{
    bool ill = false;
    size_t at = from;

    if (axl__utf8_valid(s->text + from, to - from))
        return AXL_OK;
    for (size_t next = from; !ill && next < to;) {
        at = next;
        axl__utf8_next_checked(s->text, to, &next, &ill);
    }
    return fail_at(s, at, "not UTF-8");
}

static axl_status not_object(uint64_t line, const axl__json *value)
{
    return axl__fail(AXL_ERR_DATA, "%llu: a record must be an object, not %s",
                     (unsigned long long)line, axl__json_type_name(value));
}

static axl_status next_line(axl__source *s, axl__arena *arena, const axl__json **record,
                            uint64_t *line)
{
    axl__json *value;

    skip_space(s);
    if (s->at >= s->len)
        return AXL_END;
    const char *text = s->text + s->at, *end = memchr(text, '\n', s->len - s->at);
    size_t len = end ? (size_t)(end - text) : s->len - s->at;
    *line = line_at(s, s->at);
    s->at += len;
    bool first = s->first;
    s->first = false;
    AXL_TRY(check_utf8(s, s->at - len, s->at));
    axl_status status = axl__json_parse(&value, arena, text, len, NULL);
    if (status == AXL_ERR_FORMAT && first && len > 0 && text[0] == '{' &&
        strspn(text + 1, " \t\r") == len - 1) {
        s->at = s->len;
        return axl__fail(AXL_ERR_DATA,
                         "%llu:1: one object over several lines, where a list of "
                         "records or a record a line is needed",
                         (unsigned long long)*line);
    }
    if (status == AXL_ERR_FORMAT)
        return malformed(*line);
    if (status != AXL_OK)
        return status;
    if (value->type != AXL__JSON_OBJECT)
        return not_object(*line, value);
    *record = value;
    return AXL_OK;
}

/* Fails at s->at; nothing behind it can be read. */
static axl_status broken_array(axl__source *s, const char *what)
{
    s->done = true;
    return fail_at(s, s->at, what);
}

static axl_status next_item(axl__source *s, axl__arena *arena, const axl__json **record,
                            uint64_t *line)
{
    axl__json *value;

    if (s->done)
        return AXL_END;
    skip_space(s);
    if (s->at < s->len && s->text[s->at] == ']') {
        s->at++;
        s->done = true;
        skip_space(s);
        return s->at < s->len ? broken_array(s, "something follows the list of records") : AXL_END;
    }
    if (!s->first) {
        if (s->at >= s->len || s->text[s->at] != ',')
            return broken_array(s, "',' or ']' is missing");
        s->at++;
        skip_space(s);
    }
    s->first = false;
    *line = line_at(s, s->at);
    size_t start = s->at;
    axl_status status = axl__json_parse_at(&value, arena, s->text, s->len, &s->at, NULL);
    if (status == AXL_ERR_FORMAT) {
        s->done = true;
        return axl__fail(AXL_ERR_DATA, "%s", axl_last_error());
    }
    if (status != AXL_OK)
        return status;
    AXL_TRY(check_utf8(s, start, s->at));
    if (value->type != AXL__JSON_OBJECT)
        return not_object(*line, value);
    *record = value;
    return AXL_OK;
}

axl_status axl__source_next(axl__source *source, axl__arena *arena, const axl__json **record,
                            uint64_t *line)
{
    return source->array ? next_item(source, arena, record, line)
                         : next_line(source, arena, record, line);
}
