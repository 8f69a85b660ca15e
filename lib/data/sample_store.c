/* SPDX-License-Identifier: Apache-2.0 */
/* sample_store.c - rows are 40 bytes and move; ids never do.  A million samples of 300 tokens take
 * 2.4 GB, which the cache file's map lets the system drop and read again. */
#include "data/sample_store.h"

#include <axl/dataset.h>

#include <string.h>

axl__store *axl__store_new(axl_context *ctx)
{
    axl__store *store = axl__calloc(ctx, 1, sizeof *store);

    if (!store)
        return NULL;
    store->ctx = axl__context_ref(ctx);
    atomic_init(&store->refs, 1);
    axl__arena_init(&store->arena, ctx);
    return store;
}

axl__store *axl__store_ref(axl__store *store)
{
    atomic_fetch_add(&store->refs, 1);
    return store;
}

void axl__store_free(axl__store *store)
{
    if (!store || atomic_fetch_sub(&store->refs, 1) != 1)
        return;
    axl_context *ctx = store->ctx;
    for (uint32_t i = 0; i < store->n_sources; i++)
        axl__free(ctx, store->sources[i]);
    axl__free(ctx, store->sources);
    axl__free(ctx, store->rows);
    axl__free(ctx, store->keep_dir);
    axl__free(ctx, store->keep_key);
    axl__arena_free(&store->arena);
    if (store->file.ctx)
        axl__file_close(&store->file);
    axl__free(ctx, store);
    axl_context_free(ctx);
}

/* Nothing predicts a sample's first token. */
uint32_t axl__count_trained(const int32_t *labels, uint32_t length)
{
    uint32_t n = 0;

    for (uint32_t i = 1; i < length; i++)
        n += labels[i] != AXL_LABEL_IGNORE;
    return n;
}

/* Capacity doubles up to 2^31 - 1, at which it stops growing and the next sample is refused. */
axl_status axl__store_add_row(axl__store *store, const axl__row *row)
{
    if (store->n == store->cap) {
        uint64_t cap = store->cap ? (uint64_t)store->cap * 2 : 256;
        if (cap > INT32_MAX)
            cap = INT32_MAX;
        if (cap == store->cap)
            return axl__fail(AXL_ERR_DATA, "a data set holds at most %u samples", store->cap);
        axl__row *rows = axl__realloc(store->ctx, store->rows, (size_t)cap * sizeof *rows);
        if (!rows)
            return axl__fail_nomem();
        store->rows = rows;
        store->cap = (uint32_t)cap;
    }
    store->rows[store->n++] = *row;
    return AXL_OK;
}

/* ids and labels are copied into one piece, which is what truncating a row relies on. */
axl_status axl__store_add(axl__store *store, const int32_t *ids, const int32_t *labels,
                          uint32_t length, uint32_t source, uint64_t record, uint32_t part)
{
    axl__row empty = { .record = record, .source = source, .part = part };

    if (length == 0)
        return axl__store_add_row(store, &empty);
    int32_t *copy = axl__arena_alloc(&store->arena, 2 * sizeof *copy * (size_t)length);
    if (!copy)
        return axl__fail_nomem();
    memcpy(copy, ids, sizeof *ids * (size_t)length);
    memcpy(copy + length, labels, sizeof *labels * (size_t)length);
    axl__row row = empty;
    row.ids = copy;
    row.labels = copy + length;
    row.length = length;
    row.n_trained = axl__count_trained(labels, length);
    return axl__store_add_row(store, &row);
}

axl_status axl__store_add_source(axl__store *store, const char *name, uint32_t *index)
{
    char *copy = axl__strdup(store->ctx, name);
    char **sources =
        axl__realloc(store->ctx, store->sources, ((size_t)store->n_sources + 1) * sizeof *sources);

    if (sources)
        store->sources = sources;
    if (!sources || !copy) {
        axl__free(store->ctx, copy);
        return axl__fail_nomem();
    }
    *index = store->n_sources;
    sources[store->n_sources++] = copy;
    return AXL_OK;
}

axl_status axl__store_reorder(axl__store *store, uint32_t first, uint32_t n, const uint32_t *order)
{
    axl__row *rows = axl__alloc(store->ctx, (size_t)n * sizeof *rows);

    if (!rows)
        return axl__fail_nomem();
    for (uint32_t i = 0; i < n; i++)
        rows[i] = store->rows[first + order[i]];
    memcpy(store->rows + first, rows, (size_t)n * sizeof *rows);
    axl__free(store->ctx, rows);
    return AXL_OK;
}
