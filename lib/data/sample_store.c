/* SPDX-License-Identifier: Apache-2.0 */
/* sample_store.c - rows move; tokens never do.  A million samples of 300 tokens take 40 MB of rows
 * and 2.4 GB of tokens, which the file's map lets the system drop and read again. */
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
    axl__pile_init(&store->pile, ctx);
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
    if (store->cap > 0)
        axl__free(ctx, store->rows);
    axl__free(ctx, store->keep_dir);
    axl__free(ctx, store->keep_key);
    axl__pile_free(&store->pile);
    if (store->file.ctx)
        axl__file_close(&store->file);
    axl__free(ctx, store);
    axl_context_free(ctx);
}

/* Nothing predicts a sample's first token. */
static uint32_t count_trained(const int32_t *labels, uint32_t length)
{
    uint32_t n = 0;

    for (uint32_t i = 1; i < length; i++)
        n += labels[i] != AXL_LABEL_IGNORE;
    return n;
}

/* Capacity doubles up to 2^31 - 1, at which it stops growing and the next sample is refused. */
static axl_status add_row(axl__store *store, const axl__row *row)
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

axl_status axl__store_add(axl__store *store, const axl__row *row, const int32_t *ids,
                          const int32_t *labels, uint32_t kept)
{
    axl__row r = *row;

    r.at = axl__pile_count(&store->pile);
    r.n_trained = count_trained(labels, kept);
    r.first_trained = kept > 0 && labels[0] != AXL_LABEL_IGNORE;
    AXL_TRY(axl__pile_put(&store->pile, ids, kept));
    AXL_TRY(axl__pile_put(&store->pile, labels, kept));
    return add_row(store, &r);
}

axl_status axl__store_seal(axl__store *store)
{
    return axl__pile_view(&store->pile, &store->file, &store->tokens);
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

/* In place, a cycle at a time: another copy of the rows would be the most memory that preparing
 * takes.  order[i] == i says that row i is right. */
void axl__store_reorder(axl__store *store, uint32_t first, uint32_t n, uint32_t *order)
{
    axl__row *rows = store->rows + first;

    for (uint32_t i = 0; i < n; i++) {
        if (order[i] == i)
            continue;
        axl__row start = rows[i];
        uint32_t to = i;
        for (uint32_t from = order[i]; from != i; from = order[from]) {
            rows[to] = rows[from];
            order[to] = to;
            to = from;
        }
        rows[to] = start;
        order[to] = to;
    }
}
