/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dataset_cache.c - the file, little-endian:
 *
 *   start      16 bytes: the name and version of the format, zeros
 *   tokens     ids and labels, int32, in the order in which they were read
 *   rows       40 bytes each (axl__row), in the data set's order
 *   key        text
 *   sources    names, each with a NUL
 *   end        128 bytes: counts
 *   crc32      of all that stands before
 *
 * What is known last stands last, so that tokens go into the file while records are read.  It is
 * mapped, and rows and tokens are used where they lie.
 */
#include "data/dataset_cache.h"

#include "base/map.h"
#include "base/str.h"

#include <string.h>
#include <zlib.h>

enum { FLUSH = 1 << 20, PIECE = 8 << 20, VERSIONED = 7 };

typedef struct {
    uint64_t n_rows, n_tokens; /* n_tokens: ids and labels, of all rows that were stored */
    uint64_t key_len, sources_len;
    uint64_t rows_read, too_long, too_short, no_trained, duplicates;
    uint64_t reserved[7];
} file_end;

_Static_assert(sizeof(file_end) == 128, "as written");

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
    bool is_pile; /* file was the pile's */
} cache_writer;

static axl_status put_flush(cache_writer *w)
{
    AXL_TRY(axl__str_status(&w->buffer));
    if (w->buffer.len == 0) /* zlib takes no data for the beginning of a checksum */
        return AXL_OK;
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

/* What need not be gathered goes past the buffer. */
static axl_status put_large(cache_writer *w, axl_context *ctx, const void *data, uint64_t size)
{
    AXL_TRY(put_flush(w));
    for (uint64_t at = 0; at < size; at += PIECE) {
        size_t len = size - at < PIECE ? (size_t)(size - at) : PIECE;
        w->crc = crc32_z(w->crc, (const Bytef *)data + at, len);
        AXL_TRY(axl__writer_put(&w->file, (const char *)data + at, len));
        AXL_TRY(axl__cancelled(ctx));
    }
    return AXL_OK;
}

/* What stands behind the tokens.  They are a multiple of 8 bytes, an id and a label each, so that
 * rows are aligned where the file is mapped. */
static axl_status put_rest(cache_writer *w, axl_context *ctx, const axl__store *store,
                           const axl_dataset_stats *stats, const char *key)
{
    file_end e = { .n_rows = store->n,
                   .n_tokens = axl__pile_count(&store->pile),
                   .key_len = strlen(key),
                   .rows_read = stats->rows_read,
                   .too_long = stats->dropped_too_long,
                   .too_short = stats->dropped_too_short,
                   .no_trained = stats->dropped_no_trained,
                   .duplicates = stats->dropped_duplicates };

    AXL_TRY(put_large(w, ctx, store->rows, store->n * sizeof *store->rows));
    AXL_TRY(put(w, key, e.key_len));
    for (uint32_t i = 0; i < store->n_sources; i++) {
        size_t len = strlen(store->sources[i]) + 1;
        e.sources_len += len;
        AXL_TRY(put(w, store->sources[i], len));
    }
    AXL_TRY(put(w, &e, sizeof e));
    AXL_TRY(put_flush(w));
    uint32_t crc = (uint32_t)w->crc;
    return axl__writer_put(&w->file, &crc, sizeof crc);
}

/* The pile's own file, which has the tokens already, gets the name; where it cannot, or where there
 * is none, they are written into another. */
static axl_status open_file(cache_writer *w, axl_context *ctx, axl__store *store, const char *path)
{
    axl__pile *pile = &store->pile;
    axl_status status = AXL_ERR_UNSUPPORTED;

    if (pile->file.ctx)
        status = axl__writer_name(&pile->file, path);
    if (status == AXL_OK) {
        w->file = pile->file;
        w->crc = pile->checksum;
        w->is_pile = true;
        memset(&pile->file, 0, sizeof pile->file);
        return AXL_OK;
    }
    if (status != AXL_ERR_UNSUPPORTED)
        return status;
    AXL_TRY(axl__writer_open(&w->file, ctx, path));
    AXL_TRY(put(w, axl__rows_start, AXL__ROWS_START));
    return put_large(w, ctx, store->tokens, axl__pile_count(pile) * sizeof *store->tokens);
}

/* What is there under the name of a cache file stays unless it begins as one, of any version. */
static axl_status cache_may_replace(axl_context *ctx, const char *path)
{
    const size_t n = VERSIONED;
    axl__file f;

    if (axl__path_kind_of(path) == AXL__PATH_NONE)
        return AXL_OK;
    AXL_TRY(axl__file_open_start(&f, ctx, path, n));
    bool ours = f.size == 0 || (f.size > n && memcmp(f.data, axl__rows_start, n) == 0);
    axl__file_close(&f);
    return ours
               ? AXL_OK
               : axl__fail(AXL_ERR_INVALID, "%s is no prepared data set: it is not replaced", path);
}

static bool is_cache_name(const char *name, size_t len)
{
    static const char suffix[] = ".axlrows";
    const size_t n = sizeof suffix - 1;

    return len > n && memcmp(name + len - n, suffix, n) == 0;
}

/* Of a large data set the rows need no memory any more.  Its tokens stay in the map that they are
 * in, for there may be pointers to them. */
static axl_status let_go_of_rows(axl__store *store, const axl__writer *file)
{
    uint64_t at = AXL__ROWS_START + axl__pile_count(&store->pile) * sizeof *store->tokens;

    AXL_TRY(axl__file_map(&store->kept_file, store->ctx, file->fd, file->path));
    axl__free(store->ctx, store->rows);
    store->rows = (axl__row *)(uintptr_t)(store->kept_file.data + at);
    store->cap = 0;
    return AXL_OK;
}

static axl_status write_cache(axl_context *ctx, axl__store *store, const axl_dataset_stats *stats,
                              const char *path, const char *key)
{
    cache_writer w = { 0 };

    axl__str_init(&w.buffer, ctx);
    axl_status status = open_file(&w, ctx, store, path);
    if (status == AXL_OK)
        status = put_rest(&w, ctx, store, stats, key);
    if (status == AXL_OK && w.is_pile)
        status = let_go_of_rows(store, &w.file);
    if (status == AXL_OK)
        status = axl__writer_commit(&w.file);
    else
        axl__writer_abort(&w.file);
    axl__str_free(&w.buffer);
    return status;
}

axl_status axl__cache_save(axl__store *store, const axl_dataset_stats *stats, axl_context *ctx,
                           const char *dir, const char *key)
{
    size_t had = axl__existing_part(dir);
    char *path = cache_path(ctx, dir, key);

    if (!path)
        return axl__fail_nomem();
    axl_status status = axl__make_dirs(ctx, dir);
    if (status == AXL_OK && axl__remove_leftovers(ctx, dir, is_cache_name) != AXL_OK)
        axl__error_clear(); /* they do no harm */
    if (status == AXL_OK)
        status = cache_may_replace(ctx, path);
    if (status == AXL_OK)
        status = write_cache(ctx, store, stats, path, key);
    if (status < 0)
        axl__remove_empty_dirs(dir, had);
    axl__free(ctx, path);
    return status;
}

/* ---- loading ---- */

/* Where the parts of a file lie; false when its size says otherwise. */
typedef struct {
    const file_end *end;
    const axl__row *rows;
    const int32_t *tokens;
    const char *key, *sources;
} layout;

/* The end of a whole file is at hand whatever stands before it.  Each count is bounded by the
 * file's size before any two are added, so that no sum overflows. */
static bool lay_out(layout *l, file_end *end, const axl__file *file)
{
    const unsigned char *p = file->data;
    uint64_t size = file->size;

    if (size < AXL__ROWS_START + sizeof *end + 4 ||
        memcmp(p, axl__rows_start, AXL__ROWS_START) != 0)
        return false;
    memcpy(end, p + size - 4 - sizeof *end, sizeof *end);
    size -= AXL__ROWS_START + sizeof *end + 4;
    if (end->n_rows > size / sizeof(axl__row) || end->n_tokens > size / sizeof *l->tokens ||
        end->key_len > size || end->sources_len > size || end->n_rows > INT32_MAX ||
        end->n_tokens % 2 != 0 ||
        end->n_tokens * sizeof *l->tokens + end->n_rows * sizeof(axl__row) + end->key_len +
                end->sources_len !=
            size)
        return false;
    l->end = end;
    l->tokens = (const int32_t *)(const void *)(p + AXL__ROWS_START);
    l->rows = (const axl__row *)(const void *)(l->tokens + end->n_tokens);
    l->key = (const char *)(l->rows + end->n_rows);
    l->sources = l->key + end->key_len;
    return end->sources_len == 0 || l->sources[end->sources_len - 1] == '\0';
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

static bool row_is_good(const axl__store *store, const layout *l, const axl__row *r)
{
    uint64_t n = l->end->n_tokens;

    return r->length > 0 && r->at <= n && 2 * (uint64_t)r->length <= n - r->at &&
           r->n_trained < r->length && r->first_trained <= 1 && r->role <= AXL_ROLE_STEPS &&
           (r->source == AXL__NO_SOURCE || r->source < store->n_sources);
}

/* The checksum says that the file is whole and not that a good writer made it: what a wrong number
 * could lead out of the map is looked at. */
static axl_status take_rows(axl__store *store, const layout *l, bool *good)
{
    const char *name = l->sources, *end = l->sources + l->end->sources_len;
    uint32_t index;

    *good = true;
    for (; name < end; name += strlen(name) + 1)
        AXL_TRY(axl__store_add_source(store, name, &index));
    for (uint64_t i = 0; i < l->end->n_rows && *good; i++)
        *good = row_is_good(store, l, &l->rows[i]);
    store->tokens = l->tokens;
    store->rows = (axl__row *)(uintptr_t)l->rows;
    store->n = *good ? (uint32_t)l->end->n_rows : 0;
    return AXL_OK;
}

/* *good false: broken; AXL_END: another key's file.  The checksum reads all of it once, which
 * brings into memory what training reads anyway. */
static axl_status read_file(axl__store *store, axl_dataset_stats *stats, const char *key,
                            bool *good)
{
    const axl__file *file = &store->file;
    file_end end;
    layout l;

    *good = lay_out(&l, &end, file);
    if (*good)
        AXL_TRY(check_crc(store->ctx, file, good));
    if (!*good)
        return AXL_OK;
    if (end.key_len != strlen(key) || memcmp(l.key, key, end.key_len) != 0)
        return AXL_END;
    AXL_TRY(take_rows(store, &l, good));
    if (!*good)
        return AXL_OK;
    stats->rows_read = end.rows_read;
    stats->dropped_too_long = end.too_long;
    stats->dropped_too_short = end.too_short;
    stats->dropped_no_trained = end.no_trained;
    stats->dropped_duplicates = end.duplicates;
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
