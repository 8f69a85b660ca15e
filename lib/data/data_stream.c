/* SPDX-License-Identifier: Apache-2.0 */
/* data_stream.c - see data_stream.h. */
#include "data/data_stream.h"

#include "data/data_plan.h"
#include "data/dataset.h"
#include "data/tokenize_rows.h"

#include "base/call.h"
#include "base/map.h"
#include "config/config.h"
#include "text/tokenizer.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Where records are read.  A window may be empty; what counts is whether a whole pass was. */
typedef struct {
    axl__row_stream *rows; /* NULL: nowhere */
    uint64_t next;         /* the window that rows stands before; NOWHERE */
    uint64_t last_pass;    /* in which there was a row */
} stream_place;

#define NOWHERE UINT64_MAX

/* Immutable, and shared by data sets and readers, but for the place in a host's records: who reads
 * there claims it. */
struct axl__data_stream {
    atomic_int refs;
    axl_config *cfg; /* these two are the plan's to borrow */
    axl_tokenizer *tok;
    axl__data_plan plan; /* its feed is this one, or NULL */
    axl__feed feed;
    char feed_name[48];
    axl_release_records_fn release;
    axl__claim claim;
    stream_place place;
    uint64_t window; /* records of one */
    uint64_t print;
};

struct axl__data_stream_reader {
    axl__data_stream *stream;
    stream_place own; /* in files */
};

static const char documents[] = "pretraining_dataset";

bool axl__is_streamed(const axl_config *cfg)
{
    return axl__cfg_count(cfg, documents) > 0 || axl__cfg_bool(cfg, "streaming");
}

static const char *list_of(const axl_config *cfg)
{
    return axl__cfg_count(cfg, documents) > 0 ? documents : "datasets";
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
    AXL_TRY(axl__data_plan_init(&s->plan, s->cfg, tok, list_of(s->cfg),
                                &(axl__data_use){ .day = use ? use->day : (axl__date){ 0 },
                                                  .said = use ? use->said : NULL }));
    axl__free(s->plan.ctx, s->plan.cache_dir);
    s->plan.cache_dir = NULL;
    return make_print(s);
}

static axl__data_stream *stream_new(const axl_config *cfg, const axl_tokenizer *tok)
{
    axl__data_stream *s = axl__calloc(axl__config_context(cfg), 1, sizeof *s);

    if (!s)
        return NULL;
    atomic_init(&s->refs, 1);
    s->cfg = axl__config_ref(cfg);
    s->tok = axl__tokenizer_ref(tok);
    s->window = (uint64_t)axl__cfg_int(cfg, "streaming_multipack_buffer_size");
    s->place.next = NOWHERE;
    return s;
}

axl_status axl__data_stream_open(axl__data_stream **out, const axl_config *cfg,
                                 const axl_tokenizer *tok, const axl__data_use *use)
{
    axl__data_stream *s = stream_new(cfg, tok);

    if (!s)
        return axl__fail_nomem();
    axl_status status = open_plan(s, tok, use);
    if (status == AXL_OK)
        *out = s;
    else
        axl__data_stream_free(s);
    return status;
}

axl_status axl__data_stream_open_fed(axl__data_stream **out, const axl_config *cfg,
                                     const axl_tokenizer *tok, uint32_t index,
                                     const axl_record_source *source)
{
    axl__data_stream *s = stream_new(cfg, tok);

    if (!s)
        return axl__fail_nomem();
    snprintf(s->feed_name, sizeof s->feed_name, "%s[%u]", list_of(cfg), index);
    s->feed = (axl__feed){
        .next = source->next, .rewind = source->rewind, .user = source->user, .name = s->feed_name
    };
    axl_status status =
        axl__data_plan_init_fed(&s->plan, s->cfg, tok, list_of(cfg), index, &s->feed);
    if (status == AXL_OK)
        status = make_print(s);
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
    axl__row_stream_close(s->place.rows);
    if (s->release)
        s->release(s->feed.user);
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

void axl__data_stream_on_release(axl__data_stream *stream, axl_release_records_fn release)
{
    stream->release = release;
}

bool axl__data_stream_is_fed(const axl__data_stream *stream)
{
    return stream->plan.feed != NULL;
}

/* ---- places ---- */

static void leave(stream_place *p)
{
    axl__row_stream_close(p->rows);
    *p = (stream_place){ .next = NOWHERE };
}

static axl_status go_to_start(stream_place *p, const axl__data_stream *s)
{
    leave(p);
    AXL_TRY(axl__row_stream_open(&p->rows, &s->plan));
    p->next = 0;
    return AXL_OK;
}

/* Stands before the window. */
static axl_status seek_window(stream_place *p, const axl__data_stream *s, uint64_t window)
{
    uint64_t unused;

    if (window < p->next)
        AXL_TRY(go_to_start(p, s));
    for (; p->next < window; p->next++) {
        axl_status status = axl__row_stream_read(p->rows, NULL, s->window, &unused);
        if (status == AXL_END)
            return axl__fail(AXL_ERR_INVALID, "%s: the records end in front of window %llu",
                             s->feed_name, (unsigned long long)window);
        AXL_TRY(status);
    }
    p->last_pass = axl__row_stream_passes(p->rows);
    return AXL_OK;
}

/* AXL_END: behind the last record; the store is empty then. */
static axl_status read_store(const stream_place *p, const axl__data_stream *s, axl__store *store,
                             axl_dataset_stats *stats)
{
    uint64_t n_without = 0;

    AXL_TRY(axl__pile_spill(&store->pile, s->plan.spill_path));
    axl_status status = axl__row_stream_read(p->rows, store, s->window, &n_without);
    AXL_TRY(status);
    AXL_TRY(axl__store_seal(store));
    stats->rows_read = store->n + n_without;
    stats->dropped_no_trained = n_without;
    AXL_TRY(axl__rows_apply_rules(store, &s->plan, stats));
    return status;
}

/* One pass of the data that began and ended without a row. */
static axl_status check_pass(stream_place *p, const axl__data_stream *s, const axl__store *store)
{
    uint64_t pass = axl__row_stream_passes(p->rows);

    if (store->n > 0)
        p->last_pass = pass;
    if (pass <= p->last_pass + 1)
        return AXL_OK;
    return axl__fail(AXL_ERR_DATA, "%s: none of its records can be trained on",
                     s->plan.feed ? s->plan.feed->name : s->plan.list);
}

static axl_status read_window(stream_place *p, const axl__data_stream *s, axl_dataset **out,
                              bool *over)
{
    axl_dataset_stats stats = AXL_DATASET_STATS_INIT;
    axl__store *store = axl__store_new(s->plan.ctx);

    if (!store)
        return axl__fail_nomem();
    axl_status status = read_store(p, s, store, &stats);
    *over = status == AXL_END;
    if (status == AXL_OK)
        status = check_pass(p, s, store);
    if (status >= 0)
        status = axl__dataset_wrap(out, store, 0, store->n, &stats);
    axl__store_free(store);
    p->next += !*over;
    return status;
}

/* On failure the records are wherever they are now, and the place nowhere; but who asks for what
 * cannot be had again leaves it. */
static axl_status read_at(stream_place *p, const axl__data_stream *s, uint64_t window,
                          axl_dataset **out, bool *over)
{
    axl_status status = AXL_OK;

    if (window < p->next && s->plan.feed)
        AXL_TRY(axl__feed_begins(s->plan.feed));
    if (window != p->next)
        status = seek_window(p, s, window);
    if (status == AXL_OK)
        status = read_window(p, s, out, over);
    if (status != AXL_OK)
        leave(p);
    return status;
}

/* ---- readers ---- */

axl_status axl__data_stream_reader_new(axl__data_stream_reader **out, axl__data_stream *stream)
{
    axl__data_stream_reader *r = axl__calloc(stream->plan.ctx, 1, sizeof *r);

    if (!r)
        return axl__fail_nomem();
    r->own.next = NOWHERE;
    r->stream = axl__data_stream_ref(stream);
    *out = r;
    return AXL_OK;
}

void axl__data_stream_reader_free(axl__data_stream_reader *r)
{
    if (!r)
        return;
    axl__data_stream *stream = r->stream;
    axl__row_stream_close(r->own.rows);
    axl__free(stream->plan.ctx, r);
    axl__data_stream_free(stream);
}

axl_status axl__data_stream_read(axl__data_stream_reader *r, uint64_t window, axl_dataset **out,
                                 bool *over)
{
    axl__data_stream *s = r->stream;

    if (!s->plan.feed)
        return read_at(&r->own, s, window, out, over);
    AXL_TRY(axl__claim_take(&s->claim, "source of records"));
    axl_status status = read_at(&s->place, s, window, out, over);
    axl__claim_release(&s->claim);
    return status;
}

axl_status axl__data_stream_follows(axl__data_stream_reader *r, uint64_t window)
{
    axl__data_stream *s = r->stream;

    if (!s->plan.feed)
        return AXL_OK;
    AXL_TRY(axl__claim_take(&s->claim, "source of records"));
    axl_status status = s->place.next > window + 1 ? axl__feed_begins(s->plan.feed) : AXL_OK;
    axl__claim_release(&s->claim);
    return status;
}
