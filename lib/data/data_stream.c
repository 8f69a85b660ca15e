/* SPDX-License-Identifier: Apache-2.0 */
/* data_stream.c - see data_stream.h. */
#include "data/data_stream.h"

#include "data/data_plan.h"
#include "data/dataset.h"
#include "data/tokenize_rows.h"

#include "base/map.h"
#include "config/config.h"
#include "text/tokenizer.h"

#include <stdatomic.h>
#include <string.h>

/* Immutable, and shared by data sets and readers. */
struct axl__data_stream {
    atomic_int refs;
    axl_config *cfg; /* these two are the plan's to borrow */
    axl_tokenizer *tok;
    axl__data_plan plan;
    uint64_t window; /* records of one */
    uint64_t print;
};

/* A window may be empty; what counts is whether a whole pass was. */
struct axl__data_stream_reader {
    axl__data_stream *stream;
    axl__row_stream *rows;
    uint64_t next;      /* the window that rows stands before */
    uint64_t last_pass; /* in which there was a row */
};

static const char documents[] = "pretraining_dataset";

bool axl__is_streamed(const axl_config *cfg)
{
    return axl__cfg_count(cfg, documents) > 0 || axl__cfg_bool(cfg, "streaming");
}

/* ---- streams ---- */

static axl_status make_print(axl__data_stream *s)
{
    axl__str text;

    axl__str_init(&text, s->plan.ctx);
    axl__str_putf(&text, "%llu %u %u\n", (unsigned long long)s->window, s->plan.sequence_len,
                  s->plan.min_len);
    for (size_t i = 0; i < s->plan.n_entries; i++) {
        const axl__data_entry *e = &s->plan.entries[i];
        axl__yaml_put_canonical(&text, e->node);
        for (size_t f = 0; f < e->files.n; f++) {
            axl__file_id id;
            axl_status status = axl__path_id(e->files.paths[f], &id);
            if (status != AXL_OK) {
                axl__str_free(&text);
                return status;
            }
            axl__str_putf(&text, "\n%s %llu", e->files.paths[f], (unsigned long long)id.size);
        }
    }
    s->print = axl__hash_bytes(axl__str_text(&text), text.len) | 1;
    axl_status status = axl__str_status(&text);
    axl__str_free(&text);
    return status;
}

/* Nothing of a stream is kept. */
static axl_status open_plan(axl__data_stream *s, const axl_tokenizer *tok, const axl__data_use *use)
{
    const char *list = axl__cfg_count(s->cfg, documents) > 0 ? documents : "datasets";

    AXL_TRY(axl__data_plan_init(&s->plan, s->cfg, tok, list,
                                &(axl__data_use){ .day = use ? use->day : (axl__date){ 0 } }));
    axl__free(s->plan.ctx, s->plan.cache_dir);
    s->plan.cache_dir = NULL;
    return make_print(s);
}

axl_status axl__data_stream_open(axl__data_stream **out, const axl_config *cfg,
                                 const axl_tokenizer *tok, const axl__data_use *use)
{
    axl_context *ctx = axl__config_context(cfg);
    axl__data_stream *s = axl__calloc(ctx, 1, sizeof *s);

    if (!s)
        return axl__fail_nomem();
    atomic_init(&s->refs, 1);
    s->cfg = axl__config_ref(cfg);
    s->tok = axl__tokenizer_ref(tok);
    s->window = (uint64_t)axl__cfg_int(cfg, "streaming_multipack_buffer_size");
    axl_status status = open_plan(s, tok, use);
    if (status == AXL_OK)
        *out = s;
    else
        axl__data_stream_free(s);
    return status;
}

axl__data_stream *axl__data_stream_ref(axl__data_stream *stream)
{
    atomic_fetch_add(&stream->refs, 1);
    return stream;
}

void axl__data_stream_free(axl__data_stream *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    axl_context *ctx = axl__context_ref(axl__config_context(s->cfg));
    axl__data_plan_free(&s->plan);
    axl_tokenizer_free(s->tok);
    axl_config_free(s->cfg);
    axl__free(ctx, s);
    axl_context_free(ctx);
}

uint64_t axl__data_stream_print(const axl__data_stream *stream)
{
    return stream->print;
}

/* ---- readers ---- */

axl_status axl__data_stream_reader_new(axl__data_stream_reader **out, axl__data_stream *stream)
{
    axl__data_stream_reader *r = axl__calloc(stream->plan.ctx, 1, sizeof *r);

    if (!r)
        return axl__fail_nomem();
    axl_status status = axl__row_stream_open(&r->rows, &stream->plan);
    if (status != AXL_OK) {
        axl__free(stream->plan.ctx, r);
        return status;
    }
    r->stream = axl__data_stream_ref(stream);
    *out = r;
    return AXL_OK;
}

void axl__data_stream_reader_free(axl__data_stream_reader *r)
{
    if (!r)
        return;
    axl__data_stream *stream = r->stream;
    axl__row_stream_close(r->rows);
    axl__free(stream->plan.ctx, r);
    axl__data_stream_free(stream);
}

/* Stands before the window. */
static axl_status seek_window(axl__data_stream_reader *r, uint64_t window)
{
    uint64_t unused;

    if (window < r->next || !r->rows) {
        axl__row_stream_close(r->rows);
        r->rows = NULL;
        AXL_TRY(axl__row_stream_open(&r->rows, &r->stream->plan));
        r->next = 0;
    }
    for (; r->next < window; r->next++)
        AXL_TRY(axl__row_stream_read(r->rows, NULL, r->stream->window, &unused));
    r->last_pass = axl__row_stream_passes(r->rows);
    return AXL_OK;
}

static axl_status read_store(axl__data_stream_reader *r, axl__store *store,
                             axl_dataset_stats *stats)
{
    const axl__data_plan *plan = &r->stream->plan;
    uint64_t n_without = 0;

    AXL_TRY(axl__pile_spill(&store->pile, plan->spill_path));
    AXL_TRY(axl__row_stream_read(r->rows, store, r->stream->window, &n_without));
    AXL_TRY(axl__store_seal(store));
    stats->rows_read = store->n + n_without;
    stats->dropped_no_trained = n_without;
    return axl__rows_apply_rules(store, plan, stats);
}

/* One pass of the data that began and ended without a row. */
static axl_status check_pass(axl__data_stream_reader *r, const axl__store *store)
{
    uint64_t pass = axl__row_stream_passes(r->rows);

    if (store->n > 0)
        r->last_pass = pass;
    if (pass <= r->last_pass + 1)
        return AXL_OK;
    return axl__fail(AXL_ERR_DATA, "%s: none of its records can be trained on",
                     r->stream->plan.list);
}

axl_status axl__data_stream_read(axl__data_stream_reader *r, uint64_t window, axl_dataset **out)
{
    axl_dataset_stats stats = AXL_DATASET_STATS_INIT;
    axl__store *store;

    if (window != r->next || !r->rows)
        AXL_TRY(seek_window(r, window));
    store = axl__store_new(r->stream->plan.ctx);
    if (!store)
        return axl__fail_nomem();
    axl_status status = read_store(r, store, &stats);
    r->next++;
    if (status == AXL_OK)
        status = check_pass(r, store);
    if (status == AXL_OK)
        status = axl__dataset_wrap(out, store, 0, store->n, &stats);
    axl__store_free(store);
    if (status != AXL_OK) { /* wherever it stands now */
        axl__row_stream_close(r->rows);
        r->rows = NULL;
    }
    return status;
}
