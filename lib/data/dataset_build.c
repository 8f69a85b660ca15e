/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dataset_build.c - from a config to data sets: tokenise, merge, shuffle, length rule, drop what
 * has no trained token, keep it in the cache, split.  The order of rows is Axolotl's: NumPy's
 * permutation of all rows that were read, then the rules; the validation rows are the last ones.
 */
#include "data/data_plan.h"
#include "data/dataset.h"
#include "data/dataset_cache.h"
#include "data/data_stream.h"
#include "data/tokenize_rows.h"

#include "base/map.h"
#include "base/pyrandom.h"
#include "base/structs.h"
#include "config/config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- order ---- */

/* Rows that belong together: the samples of a record of preferences, which stay side by side. */
static uint32_t group_of(axl__data_task task)
{
    return axl__data_task_pairs(task) ? 2 : 1;
}

/* n is a number of whole groups, which are what is permuted. */
static axl_status shuffle(axl__store *store, uint32_t first, uint32_t n, uint32_t group,
                          uint64_t seed)
{
    if (n / group < 2)
        return AXL_OK;
    uint32_t *order = axl__alloc(store->ctx, (size_t)n * sizeof *order);
    if (!order)
        return axl__fail_nomem();
    axl__numpy_permutation(order, n / group, seed);
    for (uint32_t i = n; group > 1 && i-- > 0;)
        order[i] = order[i / group] * group + i % group;
    axl__store_reorder(store, first, n, order);
    axl__free(store->ctx, order);
    return AXL_OK;
}

/* starts (n_sets + 1) are the data sets' rows.  Axolotl shuffles each data set only where several
 * are merged, and then all of them together; with one, curriculum_sampling keeps its order. */
static axl_status merge(axl__store *store, const axl__data_plan *plan, const uint32_t *starts)
{
    bool several = plan->n_sets > 1;
    uint32_t group = group_of(plan->task);

    for (size_t i = 0; several && plan->shuffle_each && i < plan->n_sets; i++)
        AXL_TRY(shuffle(store, starts[i], starts[i + 1] - starts[i], group, plan->seed));
    if (!plan->shuffle || (plan->curriculum && !several))
        return AXL_OK;
    if (plan->curriculum)
        axl__log(store->ctx, AXL_LOG_WARNING,
                 "several data sets are shuffled together in spite of curriculum_sampling, as in "
                 "Axolotl; shuffle_merged_datasets: false keeps the order");
    return shuffle(store, 0, store->n, group, plan->seed);
}

/* ---- rules ---- */

static axl_status too_long(const axl__store *store, const axl__row *row, const axl__data_plan *plan)
{
    const char *source =
        row->source == AXL__NO_SOURCE ? plan->feed->name : store->sources[row->source];

    return axl__fail(
        AXL_ERR_DATA, "%s: record %llu has %u tokens, %s is %u (excess_length_strategy: raise)",
        source, (unsigned long long)row->record, row->length, plan->length_key, plan->sequence_len);
}

/* The order of the questions decides under which reason a row is counted.  Rows that stay move up
 * in place; of a long one no more was stored than stays (axl__data_plan_keeps()). */
axl_status axl__rows_apply_rules(axl__store *store, const axl__data_plan *plan,
                                 axl_dataset_stats *stats)
{
    uint32_t kept = 0, limit = plan->sequence_len;

    for (uint32_t i = 0; i < store->n; i++) {
        axl__row row = store->rows[i];
        if (row.length == 0) { /* no response */
            stats->dropped_no_trained++;
        } else if (row.length > limit && plan->long_rule == AXL__LONG_RAISE) {
            return too_long(store, &row, plan);
        } else if (row.length > limit && plan->long_rule == AXL__LONG_DROP) {
            stats->dropped_too_long++;
        } else if (row.length < plan->min_len) {
            stats->dropped_too_short++;
        } else {
            row.length = row.length > limit ? limit : row.length;
            if (row.n_trained > 0)
                store->rows[kept++] = row;
            else
                stats->dropped_no_trained++;
        }
    }
    store->n = kept;
    return AXL_OK;
}

/* Of rows with the same ids and labels the first is kept, as Axolotl does by the hash of a row's
 * text; of a pair's rows, which lie one behind the other, both or none.  An answer that is judged
 * in two ways is two rows. */
static axl_status drop_equal(axl__store *store, uint32_t group, axl_dataset_stats *stats)
{
    uint32_t kept = 0;
    axl_status status = AXL_OK;
    axl__map seen[2];

    axl__map_init(&seen[0], store->ctx);
    axl__map_init(&seen[1], store->ctx);
    for (uint32_t i = 0; i + group <= store->n && status == AXL_OK; i += group) {
        const axl__row *rows = &store->rows[i];
        const char *key = (const char *)axl__row_ids(store, rows); /* the labels are behind them */
        axl__map *m = &seen[rows->role == AXL_ROLE_UNDESIRABLE];
        size_t len = 0;
        int64_t unused;
        for (uint32_t k = 0; k < group; k++)
            len += 2 * sizeof(int32_t) * rows[k].length;
        if (axl__map_get(m, key, len, &unused)) {
            stats->dropped_duplicates += group;
            continue;
        }
        status = axl__map_set(m, key, len, 1);
        memmove(&store->rows[kept], rows, group * sizeof *rows);
        kept += group;
    }
    axl__map_free(&seen[0]);
    axl__map_free(&seen[1]);
    store->n = kept;
    return status;
}

/* A record of preferences is kept whole or not at all; its length was looked at by itself. */
static void drop_untrained(axl__store *store, const axl__data_plan *plan, axl_dataset_stats *stats)
{
    uint32_t kept = 0, group = group_of(plan->task);

    for (uint32_t i = 0; i + group <= store->n; i += group) {
        bool trained = true;
        for (uint32_t k = 0; k < group; k++)
            trained = trained && store->rows[i + k].n_trained > 0;
        if (!trained)
            stats->dropped_no_trained += group;
        for (uint32_t k = 0; trained && k < group; k++)
            store->rows[kept++] = store->rows[i + k];
    }
    store->n = kept;
}

static axl_status nothing_left(const axl_dataset_stats *s, const axl__data_plan *plan)
{
    unsigned long long n = s->rows_read;

    if (s->dropped_no_trained == n)
        return axl__fail(AXL_ERR_DATA,
                         "%s: none of the %llu rows has a token to train on: no "
                         "response text is there",
                         plan->list, n);
    if (s->dropped_too_long == n)
        return axl__fail(AXL_ERR_DATA, "%s: all %llu rows are longer than %s, %u tokens",
                         plan->list, n, plan->length_key, plan->sequence_len);
    if (s->dropped_too_short == n)
        return axl__fail(AXL_ERR_DATA,
                         "%s: all %llu rows are shorter than %u tokens "
                         "(min_sample_len)",
                         plan->list, n, plan->min_len);
    return axl__fail(AXL_ERR_DATA,
                     "%s: none of %llu rows can be trained on: %llu are longer than "
                     "%s %u, %llu shorter than %u tokens, %llu without a trained token",
                     plan->list, (unsigned long long)s->rows_read,
                     (unsigned long long)s->dropped_too_long, plan->length_key, plan->sequence_len,
                     (unsigned long long)s->dropped_too_short, plan->min_len,
                     (unsigned long long)s->dropped_no_trained);
}

/* ---- a list of data sets ---- */

static axl_status prepare_rows(axl__store *store, const axl__data_plan *plan,
                               axl_dataset_stats *stats)
{
    uint32_t *starts = axl__alloc(plan->ctx, (plan->n_sets + 1) * sizeof *starts);

    if (!starts)
        return axl__fail_nomem();
    uint64_t n_without = 0, n_too_long = 0;
    axl_status status = axl__pile_spill(&store->pile, plan->spill_path);
    if (status == AXL_OK)
        status = axl__tokenize_rows(store, plan, starts, &n_without, &n_too_long);
    if (status == AXL_OK)
        status = axl__store_seal(store);
    if (status == AXL_OK) {
        stats->rows_read = store->n + n_without + n_too_long;
        stats->dropped_no_trained = n_without;
        stats->dropped_too_long = n_too_long;
        status = merge(store, plan, starts);
    }
    axl__free(plan->ctx, starts);
    if (status == AXL_OK && axl__data_plan_has_rules(plan))
        status = axl__rows_apply_rules(store, plan, stats);
    else if (status == AXL_OK)
        drop_untrained(store, plan, stats);
    if (status == AXL_OK && store->n == 0)
        status = nothing_left(stats, plan);
    if (status == AXL_OK && plan->deduplicate)
        status = drop_equal(store, group_of(plan->task), stats);
    return status;
}

/* What axl__rows_keep() will want. */
static axl_status note_keep(axl__store *store, const axl_dataset_stats *stats, const char *dir,
                            const char *key)
{
    store->keep_dir = axl__strdup(store->ctx, dir);
    store->keep_key = axl__strdup(store->ctx, key);
    store->keep_stats = *stats;
    return store->keep_dir && store->keep_key ? AXL_OK : axl__fail_nomem();
}

/* For who trains, a data set that cannot be kept costs time the next time and no more. */
axl_status axl__rows_keep(axl__store *store, bool must)
{
    if (!store->keep_dir || (store->keep_failed && !must))
        return AXL_OK;
    axl_status status =
        axl__cache_save(store, &store->keep_stats, store->ctx, store->keep_dir, store->keep_key);
    if (status == AXL_OK) {
        axl__free(store->ctx, store->keep_dir);
        store->keep_dir = NULL;
        return AXL_OK;
    }
    if (must || status == AXL_ERR_NOMEM || status == AXL_ERR_CANCELLED)
        return status;
    axl__log(store->ctx, AXL_LOG_WARNING, "the prepared data set is not kept: %s",
             axl_last_error());
    axl__error_clear();
    store->keep_failed = true;
    return AXL_OK;
}

/* From the cache where it has these rows, else made, and kept as the plan says.  Without a cache no
 * key is made, which would read every file once more. */
static axl_status load_plan(axl__store **out, axl_dataset_stats *stats, axl__data_plan *plan,
                            const axl_tokenizer *tok)
{
    axl__str key;
    axl_status status = AXL_END;

    axl__str_init(&key, plan->ctx);
    if (plan->cache_dir) {
        status = axl__data_plan_key(plan, tok, &key);
        if (status == AXL_OK)
            status = axl__cache_load(out, stats, plan->ctx, plan->cache_dir, key.data);
    }
    if (status == AXL_END) {
        axl__store *store = axl__store_new(plan->ctx);
        status = store ? prepare_rows(store, plan, stats) : axl__fail_nomem();
        if (status == AXL_OK && plan->keep != AXL__KEEP_NEVER)
            status = note_keep(store, stats, plan->cache_dir, key.data);
        if (status == AXL_OK && plan->keep == AXL__KEEP_NOW)
            status = axl__rows_keep(store, false);
        if (status == AXL_OK)
            *out = store;
        else
            axl__store_free(store);
    }
    axl__str_free(&key);
    return status;
}

static axl_status load_list(axl__store **out, axl_dataset_stats *stats, const axl_config *cfg,
                            const axl_tokenizer *tok, const char *list, const axl__data_use *use)
{
    axl_dataset_stats none = AXL_DATASET_STATS_INIT;
    axl__data_plan plan;

    *out = NULL;
    *stats = none;
    AXL_TRY(axl__data_plan_init(&plan, cfg, tok, list, use));
    axl_status status = load_plan(out, stats, &plan, tok);
    axl__data_plan_free(&plan);
    return status;
}

/* ---- splits ---- */

/* Rows of a store. */
typedef struct {
    uint32_t first, n;
} row_span;

/* All rows, or of dataset_shard_num shards one: each has as many, the first ones one more. */
static axl_status shard_rows(const axl_config *cfg, uint32_t n, row_span *out)
{
    int64_t shards = axl__cfg_int_or(cfg, "dataset_shard_num", 0);
    int64_t index = axl__cfg_int_or(cfg, "dataset_shard_idx", -1);

    *out = (row_span){ 0, n };
    if (shards == 0 || index < 0)
        return AXL_OK;
    if (index >= shards)
        return axl__fail(AXL_ERR_INVALID,
                         "dataset_shard_idx must be below dataset_shard_num, "
                         "%lld, got %lld",
                         (long long)shards, (long long)index);
    int64_t each = n / shards, more = n % shards;
    out->first = (uint32_t)(each * index + (index < more ? index : more));
    out->n = (uint32_t)(each + (index < more));
    if (out->n == 0)
        return axl__fail(AXL_ERR_DATA, "dataset_shard_idx %lld of %lld shards: there are %u rows",
                         (long long)index, (long long)shards, n);
    return AXL_OK;
}

/* The validation rows are the last; a size above 1 counts them, one below is a share. */
static axl_status split_rows(const axl_config *cfg, uint32_t n, uint32_t *n_validation)
{
    double size = axl__cfg_double(cfg, "val_set_size");
    double rows = size > 1.0 ? floor(size) : ceil(size * (double)n);

    *n_validation = 0;
    if (!(size > 0.0))
        return AXL_OK;
    if (!(rows < (double)n))
        return axl__fail(AXL_ERR_DATA,
                         "val_set_size takes all of the %u rows and leaves none to train on", n);
    *n_validation = (uint32_t)rows;
    return AXL_OK;
}

static axl_status from_datasets(axl_dataset **train, axl_dataset **validation,
                                const axl_config *cfg, const axl_tokenizer *tok,
                                const axl__data_use *use)
{
    axl__store *store;
    axl_dataset_stats stats;
    uint32_t n_last = 0;
    row_span rows;

    uint32_t group = group_of(axl__config_task(cfg));
    AXL_TRY(load_list(&store, &stats, cfg, tok, "datasets", use));
    axl_status status = shard_rows(cfg, store->n / group, &rows);
    if (status == AXL_OK)
        status = split_rows(cfg, rows.n, &n_last);
    rows = (row_span){ rows.first * group, rows.n * group };
    n_last *= group;
    if (status == AXL_OK && train)
        status = axl__dataset_wrap(train, store, rows.first, rows.n - n_last, &stats);
    if (status == AXL_OK && validation && n_last > 0)
        status = axl__dataset_wrap(validation, store, rows.first + rows.n - n_last, n_last, &stats);
    axl__store_free(store);
    return status;
}

static axl_status from_test_datasets(axl_dataset **out, const axl_config *cfg,
                                     const axl_tokenizer *tok, const axl__data_use *use)
{
    axl__store *store;
    axl_dataset_stats stats;
    row_span rows;

    uint32_t group = group_of(axl__config_task(cfg));
    AXL_TRY(load_list(&store, &stats, cfg, tok, "test_datasets", use));
    axl_status status = shard_rows(cfg, store->n / group, &rows);
    if (status == AXL_OK)
        status = axl__dataset_wrap(out, store, rows.first * group, rows.n * group, &stats);
    axl__store_free(store);
    return status;
}

/* The rows of the first window that has any, with the rest behind them.  The stream is this
 * function's. */
static axl_status begin_stream(axl_dataset **out, axl__data_stream *stream)
{
    axl__data_stream_reader *reader = NULL;
    axl_dataset *first = NULL;
    uint64_t window = 0;
    bool over = false;

    axl_status status = axl__data_stream_reader_new(&reader, stream);
    while (status == AXL_OK && !first) {
        status = axl__data_stream_read(reader, window, &first, &over);
        if (status == AXL_OK && axl_dataset_count(first) == 0) {
            axl_dataset_free(first);
            first = NULL;
            window++;
            if (over)
                status = axl__fail(AXL_ERR_DATA, "none of the records can be trained on");
        }
    }
    if (status == AXL_OK) {
        axl__dataset_set_stream(first, stream, window);
        *out = first;
    }
    axl__data_stream_reader_free(reader);
    axl__data_stream_free(stream);
    return status;
}

static axl_status from_stream(axl_dataset **out, const axl_config *cfg, const axl_tokenizer *tok,
                              const axl__data_use *use)
{
    axl__data_stream *stream;

    AXL_TRY(axl__data_stream_open(&stream, cfg, tok, use));
    return begin_stream(out, stream);
}

/* The training rows are made even where only a share of them is asked for, as the last ones of
 * all. */
static axl_status load_splits(axl_dataset **train, axl_dataset **validation, const axl_config *cfg,
                              const axl_tokenizer *tok, const axl__data_use *use)
{
    bool streamed = axl__is_streamed(cfg);
    bool tests = axl__cfg_count(cfg, "test_datasets") > 0;
    bool share = axl__cfg_double(cfg, "val_set_size") > 0.0;
    axl_status status = AXL_OK;

    if (train && streamed)
        status = from_stream(train, cfg, tok, use);
    else if (train || (validation && !tests && share))
        status = from_datasets(train, tests ? NULL : validation, cfg, tok, use);
    if (status == AXL_OK && validation && tests)
        status = from_test_datasets(validation, cfg, tok, use);
    return status;
}

axl_status axl__datasets_from_config(axl_dataset **train, axl_dataset **validation,
                                     const axl_config *cfg, const axl_tokenizer *tok,
                                     const axl__data_use *use)
{
    axl__data_use both = use ? *use : (axl__data_use){ 0 };
    axl__str said;

    if (train && !axl__is_streamed(cfg) && axl__cfg_count(cfg, "datasets") == 0)
        return axl__fail(AXL_ERR_INVALID, "the config names no datasets: the host brings its own");
    if (train)
        *train = NULL;
    if (validation)
        *validation = NULL;
    axl__str_init(&said, axl__config_context(cfg));
    both.said = &said;
    axl_status status = load_splits(train, validation, cfg, tok, &both);
    axl__str_free(&said);
    if (status == AXL_OK)
        return AXL_OK;
    if (train) {
        axl_dataset_free(*train);
        *train = NULL;
    }
    return status;
}

axl_status axl_dataset_from_config(axl_dataset **out, const axl_config *cfg,
                                   const axl_tokenizer *tok, uint32_t split)
{
    axl__error_clear();
    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl__config_enter(cfg));
    if (!tok)
        return axl__fail(AXL_ERR_INVALID, "the tokenizer must not be NULL");
    if (split == AXL_SPLIT_TRAIN)
        return axl__datasets_from_config(out, NULL, cfg, tok, NULL);
    if (split != AXL_SPLIT_VALIDATION)
        return axl__fail(AXL_ERR_INVALID, "unknown split %u", split);
    AXL_TRY(axl__datasets_from_config(NULL, out, cfg, tok, NULL));
    return *out ? AXL_OK : AXL_END;
}

static axl_status from_records(axl_dataset **out, const axl_config *cfg, const axl_tokenizer *tok,
                               uint32_t index, axl__feed *feed)
{
    axl_dataset_stats stats = AXL_DATASET_STATS_INIT;
    axl__data_plan plan;
    axl__store *store;
    char name[32];

    snprintf(name, sizeof name, "datasets[%u]", index);
    feed->name = name;
    AXL_TRY(axl__data_plan_init_fed(&plan, cfg, tok, "datasets", index, feed));
    axl_status status = load_plan(&store, &stats, &plan, tok);
    axl__data_plan_free(&plan);
    AXL_TRY(status);
    status = axl__dataset_wrap(out, store, 0, store->n, &stats);
    axl__store_free(store);
    return status;
}

axl_status axl_dataset_from_records(axl_dataset **out, const axl_config *cfg,
                                    const axl_tokenizer *tok, uint32_t index,
                                    axl_next_record_fn next, void *user)
{
    axl__feed feed = { .next = next, .user = user };

    axl__error_clear();
    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl__config_enter(cfg));
    if (!tok || !next)
        return axl__fail(AXL_ERR_INVALID, "%s must not be NULL", tok ? "next" : "the tokenizer");
    return from_records(out, cfg, tok, index, &feed);
}

axl_status axl_dataset_stream_records(axl_dataset **out, const axl_config *cfg,
                                      const axl_tokenizer *tok, uint32_t index,
                                      const axl_record_source *source)
{
    axl_record_source s = AXL_RECORD_SOURCE_INIT;
    axl__data_stream *stream;

    axl__error_clear();
    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl__config_enter(cfg));
    AXL_TRY(AXL__IMPORT(axl_record_source, &s, source));
    if (!tok || !s.next)
        return axl__fail(AXL_ERR_INVALID, "%s must not be NULL", tok ? "next" : "the tokenizer");
    AXL_TRY(axl__data_stream_open_fed(&stream, cfg, tok, index, &s));
    AXL_TRY(begin_stream(out, stream));
    axl__data_stream_on_release(axl__dataset_stream(*out), s.release);
    return AXL_OK;
}

static axl_status keep_both(axl_dataset *train, axl_dataset *validation, const axl_config *cfg,
                            axl_buffer *folder)
{
    AXL_TRY(axl__dataset_keep(train, true));
    AXL_TRY(axl__dataset_keep(validation, true));
    if (!folder)
        return AXL_OK;
    char *dir = axl__data_prepared_dir(cfg);
    if (!dir)
        return axl__fail_nomem();
    axl_status status = axl__buffer_set(axl__config_context(cfg), folder, dir, strlen(dir));
    axl__free(axl__config_context(cfg), dir);
    return status;
}

axl_status axl_dataset_prepare(axl_dataset **train, axl_dataset **validation, const axl_config *cfg,
                               const axl_tokenizer *tok, axl_buffer *folder)
{
    axl__error_clear();
    if (!train || !validation)
        return axl__fail(AXL_ERR_INVALID, "train and validation must not be NULL");
    *train = *validation = NULL;
    AXL_TRY(axl__config_enter(cfg));
    if (!tok)
        return axl__fail(AXL_ERR_INVALID, "the tokenizer must not be NULL");
    if (folder)
        AXL_TRY(AXL__CHECK_STRUCT(axl_buffer, folder));
    if (axl__is_streamed(cfg))
        return axl__fail(AXL_ERR_UNSUPPORTED, "streamed data is not prepared: it is tokenised "
                                              "while it is trained");
    AXL_TRY(axl__datasets_from_config(train, validation, cfg, tok,
                                      &(axl__data_use){ .for_run = true }));
    axl_status status = keep_both(*train, *validation, cfg, folder);
    if (status == AXL_OK)
        return AXL_OK;
    axl_dataset_free(*train);
    axl_dataset_free(*validation);
    *train = *validation = NULL;
    return status;
}
