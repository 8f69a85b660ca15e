/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dataset.c - the handle: a range of a store's rows.  Two splits of one config share a store.
 *
 * Nothing is copied: a sample that is handed out points into the store, which the data set keeps.
 */
#include "data/dataset.h"
#include "data/data_stream.h"

#include "base/magic.h"
#include "base/structs.h"

#include <string.h>

/* Immutable once wrapped, so that threads share it. */
struct axl_dataset {
    uint32_t magic;
    atomic_int refs;
    axl_context *ctx;
    axl__store *store;
    uint32_t first, n;
    axl_dataset_stats stats;
    axl__data_stream *stream; /* NULL: the rows are all there is */
    uint64_t window;          /* of it */
};

axl_dataset *axl__dataset_ref(axl_dataset *data)
{
    atomic_fetch_add(&data->refs, 1);
    return data;
}

axl_status axl__dataset_enter(const axl_dataset *data)
{
    axl__error_clear();
    if (!data || data->magic != AXL__MAGIC_DATASET)
        return axl__fail(AXL_ERR_INVALID, "not a live axl_dataset");
    return axl__context_enter(data->ctx);
}

axl_context *axl__dataset_context(const axl_dataset *data)
{
    return data->ctx;
}

const axl__row *axl__dataset_rows(const axl_dataset *data)
{
    const axl__row *rows = data->store->rows;

    return rows ? rows + data->first : NULL; /* a stream has none */
}

axl__data_stream *axl__dataset_stream(const axl_dataset *data)
{
    return data->stream;
}

uint64_t axl__dataset_window(const axl_dataset *data)
{
    return data->window;
}

void axl__dataset_set_stream(axl_dataset *data, axl__data_stream *stream, uint64_t window)
{
    data->stream = axl__data_stream_ref(stream);
    data->window = window;
}

const axl__store *axl__dataset_store(const axl_dataset *data)
{
    return data->store;
}

uint64_t axl__dataset_mapped(const axl_dataset *data, const axl_dataset *other)
{
    bool counted = other && other->store == data->store;

    return data->store->file.mapped && !counted ? data->store->file.size : 0;
}

axl_status axl__dataset_keep(axl_dataset *data, bool must)
{
    if (!data)
        return AXL_OK;
    if (must && !data->stats.from_cache && !data->store->keep_key)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "these rows cannot be kept: nothing tells which others "
                         "a function of the host would make");
    return axl__rows_keep(data->store, must);
}

/* stats is of all rows that were read, for both splits alike: what was dropped cannot be told
 * apart.  A row's n_trained leaves its first label out, which no token before it predicts; the
 * statistics count it, as Axolotl's do. */
axl_status axl__dataset_wrap(axl_dataset **out, axl__store *store, uint32_t first, uint32_t n,
                             const axl_dataset_stats *stats)
{
    axl_dataset *data = axl__calloc(store->ctx, 1, sizeof *data);

    *out = NULL;
    if (!data)
        return axl__fail_nomem();
    data->magic = AXL__MAGIC_DATASET;
    atomic_init(&data->refs, 1);
    data->ctx = axl__context_ref(store->ctx);
    data->store = axl__store_ref(store);
    data->first = first;
    data->n = n;
    if (stats)
        data->stats = *stats;
    data->stats.size = sizeof data->stats;
    data->stats.rows = n;
    data->stats.tokens = data->stats.trained_tokens = 0;
    for (uint32_t i = 0; i < n; i++) {
        const axl__row *row = &store->rows[first + i];
        data->stats.tokens += row->length;
        data->stats.trained_tokens += row->n_trained + row->first_trained;
    }
    *out = data;
    return AXL_OK;
}

/* An array of a host that was compiled with another axl has elements of another size. */
static const void *sample_at(const axl_sample *samples, size_t stride, size_t i)
{
    return (const char *)samples + i * stride;
}

/* Samples of one source in a row share its name; one that comes back later is added again. */
static axl_status add_samples(axl__store *store, const axl_sample *samples, size_t n)
{
    size_t stride = samples->size; /* the caller's struct may be longer than ours */
    uint32_t source = AXL__NO_SOURCE;

    for (size_t i = 0; i < n; i++) {
        axl_sample s = AXL_SAMPLE_INIT;
        AXL_TRY(AXL__IMPORT(axl_sample, &s, sample_at(samples, stride, i)));
        size_t size;
        memcpy(&size, sample_at(samples, stride, i), sizeof size);
        if (size != stride)
            return axl__fail(AXL_ERR_ABI, "sample %zu has size %zu, the first has %zu", i, size,
                             stride);
        if (s.length == 0 || s.length > INT32_MAX || !s.input_ids || !s.labels)
            return axl__fail(AXL_ERR_INVALID, "sample %zu has no ids or labels", i);
        if (s.role > AXL_ROLE_STEPS)
            return axl__fail(AXL_ERR_INVALID, "sample %zu has the unknown role %u", i, s.role);
        if (!s.source)
            source = AXL__NO_SOURCE;
        else if (source == AXL__NO_SOURCE || strcmp(store->sources[source], s.source) != 0)
            AXL_TRY(axl__store_add_source(store, s.source, &source));
        axl__row row = { .record = s.row,
                         .length = s.length,
                         .source = source,
                         .part = s.part,
                         .pair = s.pair,
                         .role = (uint16_t)s.role };
        AXL_TRY(axl__store_add(store, &row, s.input_ids, s.labels, s.length));
    }
    return axl__store_seal(store);
}

axl_status axl_dataset_from_samples(axl_dataset **out, axl_context *ctx, const axl_sample *samples,
                                    size_t n)
{
    axl__error_clear();
    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl__context_enter(ctx));
    if (!samples || n == 0)
        return axl__fail(AXL_ERR_INVALID, "a data set needs at least one sample");

    axl__store *store = axl__store_new(ctx);
    if (!store)
        return axl__fail_nomem();
    axl_dataset_stats stats = AXL_DATASET_STATS_INIT;
    stats.rows_read = n;
    axl_status status = add_samples(store, samples, n);
    if (status == AXL_OK)
        status = axl__dataset_wrap(out, store, 0, store->n, &stats);
    axl__store_free(store);
    return status;
}

void axl_dataset_free(axl_dataset *data)
{
    if (!data || atomic_fetch_sub(&data->refs, 1) != 1)
        return;
    axl_context *ctx = data->ctx;
    data->magic = 0;
    axl__store_free(data->store);
    axl__data_stream_free(data->stream);
    axl__free(ctx, data);
    axl_context_free(ctx);
}

uint64_t axl_dataset_count(const axl_dataset *data)
{
    return axl__dataset_enter(data) == AXL_OK ? data->n : 0;
}

axl_status axl_dataset_get_sample(const axl_dataset *data, uint64_t index, axl_sample *out)
{
    axl_sample s = AXL_SAMPLE_INIT;

    AXL_TRY(axl__dataset_enter(data));
    if (index >= data->n)
        return AXL_END;
    const axl__row *row = &axl__dataset_rows(data)[index];
    s.input_ids = axl__row_ids(data->store, row);
    s.labels = axl__row_labels(data->store, row);
    s.source = row->source == AXL__NO_SOURCE ? NULL : data->store->sources[row->source];
    s.row = row->record;
    s.length = row->length;
    s.n_trained = row->n_trained;
    s.part = row->part;
    s.role = row->role;
    s.pair = row->pair;
    return AXL__EXPORT(axl_sample, out, &s);
}

axl_status axl_dataset_get_lengths(const axl_dataset *data, uint32_t *lengths, uint64_t n)
{
    AXL_TRY(axl__dataset_enter(data));
    if (!lengths || n != data->n)
        return axl__fail(AXL_ERR_INVALID, "lengths must have room for %u samples, not %llu",
                         data->n, lengths ? (unsigned long long)n : 0ULL);
    const axl__row *rows = axl__dataset_rows(data);
    for (uint32_t i = 0; i < data->n; i++)
        lengths[i] = rows[i].length;
    return AXL_OK;
}

axl_status axl_dataset_get_stats(const axl_dataset *data, axl_dataset_stats *out)
{
    AXL_TRY(axl__dataset_enter(data));
    return AXL__EXPORT(axl_dataset_stats, out, &data->stats);
}
