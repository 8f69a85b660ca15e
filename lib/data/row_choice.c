/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row_choice.c - see row_choice.h.  Shards are datasets' own: shuffle(seed), of which shard(n, i)
 * takes contiguous rows, one more in the first len % n.  Counting reads the files once more: that
 * is a twentieth of what making rows of them takes.
 */
#include "data/row_choice.h"

#include "base/pyrandom.h"
#include "data/read/source.h"

#include <string.h>

static axl_status count_file(uint64_t *n, axl_context *ctx, const char *path, const char *format)
{
    axl__source *source;
    axl__arena arena;
    const axl__json *record;
    axl__record_error unused;

    AXL_TRY(axl__source_open(&source, ctx, path, format));
    axl__arena_init(&arena, ctx);
    axl_status status = AXL_OK;
    while (status == AXL_OK || status == AXL_ERR_DATA) {
        axl__arena_reset(&arena);
        status = axl__source_next(source, &arena, &record, &unused);
        *n += status == AXL_OK || status == AXL_ERR_DATA;
        if (status >= 0 && axl__cancelled(ctx) != AXL_OK)
            status = AXL_ERR_CANCELLED;
    }
    axl__arena_free(&arena);
    axl__source_close(source);
    return status == AXL_END ? AXL_OK : status;
}

static axl_status make_ranges(axl__row_choice *c, const axl__data_entry *e, bool all)
{
    c->n = 0;
    for (size_t i = 0; i < e->n_parts; i++) {
        const axl__data_part *part = &e->parts[i];
        axl__row_range *range = &c->ranges[i];
        uint64_t n = 0;
        if (!all && !axl__split_counts(&part->rows))
            n = UINT64_MAX;
        for (size_t f = part->first; n != UINT64_MAX && f < part->first + part->n; f++)
            AXL_TRY(count_file(&n, c->ctx, e->files.paths[f], e->format));
        AXL_TRY(axl__split_range(&part->rows, n, &range->from, &range->to));
        if (range->to < range->from)
            range->to = range->from;
        c->n += range->to - range->from;
    }
    return AXL_OK;
}

/* The first row of a shard. */
static uint32_t shard_start(uint32_t n, uint32_t shards, uint32_t shard)
{
    uint32_t more = n % shards;

    return n / shards * shard + (shard < more ? shard : more);
}

/* Place p of the shuffled rows from first on is of record order[first + p]. */
static axl_status make_places(axl__row_choice *c, uint64_t seed, uint32_t first, uint32_t count)
{
    uint32_t n = (uint32_t)c->n;
    uint32_t *order = axl__alloc(c->ctx, (size_t)n * sizeof *order);

    c->places = axl__alloc(c->ctx, (size_t)n * sizeof *c->places);
    c->rows = axl__calloc(c->ctx, count, sizeof *c->rows);
    if (!order || !c->places || !c->rows) {
        axl__free(c->ctx, order);
        return axl__fail_nomem();
    }
    c->n_places = count;
    axl__numpy_permutation(order, n, seed);
    memset(c->places, 0xFF, (size_t)n * sizeof *c->places);
    for (uint32_t p = 0; p < count; p++)
        c->places[order[first + p]] = p;
    axl__free(c->ctx, order);
    return AXL_OK;
}

static axl_status choose_shard(axl__row_choice *c, const axl__data_entry *e, uint64_t seed)
{
    uint32_t shards = e->in_pieces ? e->n_sets : e->shards;

    if (c->n >= INT32_MAX)
        return axl__fail(AXL_ERR_DATA, "%s: too many records to shuffle", e->files.paths[0]);
    if (c->n == 0 || (e->in_pieces ? shards > c->n : e->shard >= c->n))
        return axl__fail(AXL_ERR_DATA, "%s: %s of %u, and there are %llu records",
                         e->files.paths[0],
                         e->in_pieces ? "preprocess_shards makes pieces" : "the shard is one",
                         (unsigned)shards, (unsigned long long)c->n);
    uint32_t n = (uint32_t)c->n;
    if (e->in_pieces)
        return make_places(c, seed, 0, n);
    uint32_t first = shard_start(n, shards, e->shard);
    return make_places(c, seed, first, shard_start(n, shards, e->shard + 1) - first);
}

axl_status axl__row_choice_make(axl__row_choice *c, axl_context *ctx, const axl__data_entry *e,
                                uint64_t seed)
{
    bool shuffled = e->in_pieces || e->shards > 0;

    memset(c, 0, sizeof *c);
    c->ctx = ctx;
    c->ranges = axl__calloc(ctx, e->n_parts + 1, sizeof *c->ranges);
    axl_status status = c->ranges ? make_ranges(c, e, shuffled) : axl__fail_nomem();
    if (status == AXL_OK && shuffled)
        status = choose_shard(c, e, seed);
    if (status != AXL_OK)
        axl__row_choice_free(c);
    return status;
}

void axl__row_choice_free(axl__row_choice *c)
{
    axl__free(c->ctx, c->ranges);
    axl__free(c->ctx, c->places);
    axl__free(c->ctx, c->rows);
    memset(c, 0, sizeof *c);
}

/* The first row of each place, and the end. */
static uint32_t *starts_of(const axl__row_choice *c)
{
    uint32_t *starts = axl__alloc(c->ctx, ((size_t)c->n_places + 1) * sizeof *starts);

    if (!starts)
        return NULL;
    starts[0] = 0;
    for (uint32_t p = 0; p < c->n_places; p++)
        starts[p + 1] = starts[p] + c->rows[p];
    return starts;
}

axl_status axl__row_choice_order(const axl__row_choice *c, axl__store *store, uint32_t first)
{
    uint32_t n = store->n - first, row = 0;

    if (!c->places || n == 0)
        return AXL_OK;
    uint32_t *starts = starts_of(c), *order = axl__alloc(c->ctx, (size_t)n * sizeof *order);
    axl_status status = starts && order ? AXL_OK : axl__fail_nomem();
    for (uint64_t i = 0; status == AXL_OK && i < c->n; i++) {
        uint32_t place = c->places[i];
        for (uint32_t k = 0; place != AXL__NO_PLACE && k < c->rows[place]; k++)
            order[starts[place] + k] = row++;
    }
    if (status == AXL_OK)
        axl__store_reorder(store, first, n, order);
    axl__free(c->ctx, starts);
    axl__free(c->ctx, order);
    return status;
}

uint32_t axl__row_choice_before(const axl__row_choice *c, uint32_t piece, uint32_t n_pieces)
{
    uint32_t rows = 0, end = shard_start(c->n_places, n_pieces, piece);

    for (uint32_t p = 0; p < end; p++)
        rows += c->rows[p];
    return rows;
}
