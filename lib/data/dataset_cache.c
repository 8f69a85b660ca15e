/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dataset_cache.c - the file, little-endian:
 *
 *   header     112 bytes
 *   rows       32 bytes each
 *   tokens     of each row its ids, then its labels, int32
 *   key        text
 *   sources    names, each with a NUL
 *   crc32      of all that stands before
 *
 * It is mapped and the ids are used where they lie.
 */
#include "data/dataset_cache.h"

#include "base/map.h"
#include "base/str.h"

#include <string.h>
#include <zlib.h>

enum { FLUSH = 1 << 20, PIECE = 8 << 20 };

/* The last byte is the version; a file of another one is made anew. */
static const char magic[8] = { 'A', 'X', 'L', 'R', 'O', 'W', 'S', '2' };

typedef struct {
    char magic[8];
    uint64_t n_rows, n_tokens, key_len, sources_len, n_sources;
    uint64_t rows_read, too_long, too_short, no_trained, duplicates;
    uint64_t reserved[3];
} header;

typedef struct {
    uint64_t record;
    uint32_t length, n_trained, source, part, role, pair;
} row_record;

_Static_assert(sizeof(header) == 112 && sizeof(row_record) == 32, "as written");

/* 96 bits of two unlike hashes; the key itself is in the file and is compared. */
static char *cache_path(axl_context *ctx, const char *dir, const char *key)
{
    size_t len = strlen(key);

    return axl__format(ctx, "%s/%016llx%08lx.axlrows", dir,
                       (unsigned long long)axl__hash_bytes(key, len),
                       (unsigned long)crc32_z(0, (const Bytef *)key, len));
}

/* ---- saving ---- */

typedef struct {
    axl__writer file;
    axl__str buffer;
    uLong crc;
} cache_writer;

static axl_status put_flush(cache_writer *w)
{
    AXL_TRY(axl__str_status(&w->buffer));
    w->crc = crc32_z(w->crc, (const Bytef *)w->buffer.data, w->buffer.len);
    axl_status status = axl__writer_put(&w->file, w->buffer.data, w->buffer.len);
    axl__str_clear(&w->buffer);
    return status;
}

static axl_status put(cache_writer *w, const void *data, size_t len)
{
    axl__str_put(&w->buffer, data, len);
    return w->buffer.len >= FLUSH ? put_flush(w) : AXL_OK;
}

static axl_status put_rows(cache_writer *w, axl_context *ctx, const axl__store *store)
{
    for (uint32_t i = 0; i < store->n; i++) {
        const axl__row *row = &store->rows[i];
        row_record r = { row->record, row->length, row->n_trained, row->source,
                         row->part,   row->role,   row->pair };
        AXL_TRY(put(w, &r, sizeof r));
    }
    for (uint32_t i = 0; i < store->n; i++) {
        const axl__row *row = &store->rows[i];
        AXL_TRY(put(w, row->ids, row->length * sizeof *row->ids));
        AXL_TRY(put(w, row->labels, row->length * sizeof *row->labels));
        if (i % 1000 == 0)
            AXL_TRY(axl__cancelled(ctx));
    }
    return AXL_OK;
}

/* Tokens are behind 32-byte rows and a header of 112 bytes, thus aligned where the file is
 * mapped. */
static axl_status put_all(cache_writer *w, axl_context *ctx, const axl__store *store,
                          const axl_dataset_stats *stats, const char *key)
{
    header h = { 0 };

    memcpy(h.magic, magic, sizeof magic);
    h.n_rows = store->n;
    for (uint32_t i = 0; i < store->n; i++)
        h.n_tokens += store->rows[i].length;
    h.key_len = strlen(key);
    h.n_sources = store->n_sources;
    for (uint32_t i = 0; i < store->n_sources; i++)
        h.sources_len += strlen(store->sources[i]) + 1;
    h.rows_read = stats->rows_read;
    h.too_long = stats->dropped_too_long;
    h.too_short = stats->dropped_too_short;
    h.no_trained = stats->dropped_no_trained;
    h.duplicates = stats->dropped_duplicates;
    AXL_TRY(put(w, &h, sizeof h));
    AXL_TRY(put_rows(w, ctx, store));
    AXL_TRY(put(w, key, h.key_len));
    for (uint32_t i = 0; i < store->n_sources; i++)
        AXL_TRY(put(w, store->sources[i], strlen(store->sources[i]) + 1));
    AXL_TRY(put_flush(w));
    uint32_t crc = (uint32_t)w->crc;
    return axl__writer_put(&w->file, &crc, sizeof crc);
}

/* What is there under the name of a cache file stays unless it begins as one, of any version. */
static axl_status cache_may_replace(axl_context *ctx, const char *path)
{
    const size_t n = sizeof magic - 1;
    axl__file f;

    if (axl__path_kind_of(path) == AXL__PATH_NONE)
        return AXL_OK;
    AXL_TRY(axl__file_open_start(&f, ctx, path, n));
    bool ours = f.size == 0 || (f.size > n && memcmp(f.data, magic, n) == 0);
    axl__file_close(&f);
    return ours
               ? AXL_OK
               : axl__fail(AXL_ERR_INVALID, "%s is no prepared data set: it is not replaced", path);
}

axl_status axl__cache_save(const axl__store *store, const axl_dataset_stats *stats,
                           axl_context *ctx, const char *dir, const char *key)
{
    cache_writer w = { 0 };
    size_t had = axl__existing_part(dir);
    char *path = cache_path(ctx, dir, key);

    if (!path)
        return axl__fail_nomem();
    axl__str_init(&w.buffer, ctx);
    axl_status status = axl__make_dirs(ctx, dir);
    if (status == AXL_OK)
        status = cache_may_replace(ctx, path);
    if (status == AXL_OK)
        status = axl__writer_open(&w.file, ctx, path);
    if (status == AXL_OK) {
        status = put_all(&w, ctx, store, stats, key);
        if (status == AXL_OK)
            status = axl__writer_commit(&w.file);
        else
            axl__writer_abort(&w.file);
    }
    if (status < 0)
        axl__remove_empty_dirs(dir, had);
    axl__str_free(&w.buffer);
    axl__free(ctx, path);
    return status;
}

/* ---- loading ---- */

/* Where the parts of a file lie; false when its size says otherwise. */
typedef struct {
    const header *h;
    const row_record *rows;
    const int32_t *tokens;
    const char *key, *sources;
} layout;

/* Each count is bounded by the file's size before any two are added, so that no sum overflows. */
static bool lay_out(layout *l, const axl__file *file)
{
    const unsigned char *p = file->data;
    uint64_t size = file->size;

    if (size < sizeof *l->h + 4 || memcmp(p, magic, sizeof magic) != 0)
        return false;
    l->h = (const header *)(const void *)p;
    size -= sizeof *l->h + 4;
    if (l->h->n_rows > size / sizeof(row_record) || l->h->n_tokens > size / 8 ||
        l->h->key_len > size || l->h->sources_len > size || l->h->n_rows > INT32_MAX ||
        l->h->n_rows * sizeof(row_record) + l->h->n_tokens * 8 + l->h->key_len +
                l->h->sources_len !=
            size)
        return false;
    l->rows = (const row_record *)(const void *)(p + sizeof *l->h);
    l->tokens = (const int32_t *)(const void *)(l->rows + l->h->n_rows);
    l->key = (const char *)(l->tokens + 2 * l->h->n_tokens);
    l->sources = l->key + l->h->key_len;
    return l->h->sources_len == 0 || l->sources[l->h->sources_len - 1] == '\0';
}

static axl_status check_crc(axl_context *ctx, const axl__file *file, bool *good)
{
    size_t len = file->size - 4;
    uLong crc = 0;
    uint32_t want;

    for (size_t at = 0; at < len; at += PIECE) {
        crc = crc32_z(crc, file->data + at, len - at < PIECE ? len - at : PIECE);
        AXL_TRY(axl__cancelled(ctx));
    }
    memcpy(&want, file->data + len, sizeof want);
    *good = want == (uint32_t)crc;
    return AXL_OK;
}

/* The checksum says that the file is whole and not that a good writer made it: what a wrong number
 * could lead out of the map is looked at. */
static axl_status add_rows(axl__store *store, const layout *l, bool *good)
{
    const char *name = l->sources, *end = l->sources + l->h->sources_len;
    const int32_t *at = l->tokens, *tokens_end = l->tokens + 2 * l->h->n_tokens;
    uint32_t index;

    *good = true;
    for (; name < end; name += strlen(name) + 1)
        AXL_TRY(axl__store_add_source(store, name, &index));
    for (uint64_t i = 0; i < l->h->n_rows; i++) {
        const row_record *r = &l->rows[i];
        if (r->length == 0 || 2 * (uint64_t)r->length > (uint64_t)(tokens_end - at) ||
            (r->source != AXL__NO_SOURCE && r->source >= store->n_sources) ||
            r->role > AXL_ROLE_UNDESIRABLE) {
            *good = false;
            return AXL_OK;
        }
        axl__row row = { at,        at + r->length, r->record, r->length, r->n_trained,
                         r->source, r->part,        r->role,   r->pair };
        AXL_TRY(axl__store_add_row(store, &row));
        at += 2 * (size_t)r->length;
    }
    return AXL_OK;
}

/* *good false: broken; AXL_END: another key's file.  The checksum reads all of it once, which
 * brings into memory what training reads anyway. */
static axl_status read_file(axl__store *store, axl_dataset_stats *stats, const char *key,
                            bool *good)
{
    const axl__file *file = &store->file;
    layout l;

    *good = lay_out(&l, file);
    if (*good)
        AXL_TRY(check_crc(store->ctx, file, good));
    if (!*good)
        return AXL_OK;
    if (l.h->key_len != strlen(key) || memcmp(l.key, key, l.h->key_len) != 0)
        return AXL_END;
    AXL_TRY(add_rows(store, &l, good));
    if (!*good)
        return AXL_OK;
    stats->rows_read = l.h->rows_read;
    stats->dropped_too_long = l.h->too_long;
    stats->dropped_too_short = l.h->too_short;
    stats->dropped_no_trained = l.h->no_trained;
    stats->dropped_duplicates = l.h->duplicates;
    stats->from_cache = 1;
    return AXL_OK;
}

axl_status axl__cache_load(axl__store **out, axl_dataset_stats *stats, axl_context *ctx,
                           const char *dir, const char *key)
{
    char *path = cache_path(ctx, dir, key);
    axl__store *store = axl__store_new(ctx);
    axl_status status = AXL_ERR_NOMEM;
    bool good = true;

    *out = NULL;
    if (!path || !store) {
        axl__fail_nomem();
        goto done;
    }
    if (axl__path_kind_of(path) != AXL__PATH_FILE) {
        status = AXL_END;
        goto done;
    }
    status = axl__file_open(&store->file, ctx, path, false);
    if (status == AXL_OK)
        status = read_file(store, stats, key, &good);
    if (!good || (status < 0 && status != AXL_ERR_NOMEM && status != AXL_ERR_CANCELLED)) {
        axl__log(ctx, AXL_LOG_WARNING, "%s: %s; the data is prepared anew", path,
                 good ? axl_last_error() : "the prepared data set is broken");
        status = AXL_END;
    }
    if (status == AXL_OK) {
        *out = store;
        store = NULL;
    }
done:
    axl__store_free(store);
    axl__free(ctx, path);
    return status;
}
