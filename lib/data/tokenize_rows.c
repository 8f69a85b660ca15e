/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenize_rows.c - records go through in batches: while all threads encode one, one of them stores
 * what was made of the batch before, in the records' order, and parses the next.  Of 42 MB of
 * Alpaca with Llama-2's tokenizer, two seconds of one core, that one thread's share is a seventh.
 */
#include "data/tokenize_rows.h"

#include "data/read/source.h"
#include "data/row_choice.h"

#include "base/str.h"

#include <string.h>

/* A batch of long records ends before BATCH: memory is bounded by BATCH_BYTES or one record. */
enum { BATCH = 512, BATCH_BYTES = 8 << 20, BAD_SHOWN = 10, NAMES_SHOWN = 12 };

/* A record on its way.  status and error are of the thread that reads it (AXL_ERR_DATA: the record
 * cannot be parsed), then of the one that encodes it; error.at is the record's place in any case.
 */
typedef struct {
    const axl__prompt *prompt;
    const axl__json *record; /* NULL: malformed */
    uint64_t index;
    uint32_t place; /* of the choice */
    axl_status status;
    axl__record_error error;
    axl__draft draft;
} job;

/* One data set entry's way through the files. */
typedef struct {
    axl_context *ctx;
    axl__store *store;
    axl__prompt prompt; /* the entry's, which it still owns */
    const axl__data_plan *plan;
    axl__row_choice choice;
    const axl__row_range *range;         /* of the part that is read */
    uint64_t at;                         /* the next record of the part */
    uint64_t n_chosen;                   /* records of the entry's ranges so far */
    axl__arena passed;                   /* of a record that is not wanted */
    axl__arena arena, other_arena;       /* the records of jobs and of other_jobs */
    job *jobs, *other_jobs;              /* (BATCH) that one thread has, that all encode */
    bool seen[AXL__DATASET_COLUMNS_MAX]; /* some record had the column */
    bool tokenized;                      /* some record was a sample already */
    uint64_t n_bad;
    axl__str bad;     /* the first of them */
    bool bad_named;   /* the file that is being read stands there already */
    axl__str columns; /* of the first record, for a message */
    uint64_t bytes_done, bytes_total;
    uint64_t n_records;  /* of the entry */
    uint64_t n_without;  /* records without a sample, in all entries */
    uint64_t n_too_long; /* samples of records that were dropped for their length, as those */
    uint32_t n_pairs;
} reading;

/* ---- bad records ---- */

/* The first ten with their places, the file named once. */
static void note_bad(reading *r, const axl__source *source, const axl__record_error *error)
{
    if (r->n_bad++ >= BAD_SHOWN)
        return;
    if (r->n_bad > 1)
        axl__str_puts(&r->bad, "; ");
    axl__record_error_put(&r->bad, r->bad_named ? NULL : axl__source_path(source),
                          axl__source_place(source), error);
    r->bad_named = true;
}

static axl_status fail_bad(const reading *r)
{
    AXL_TRY(axl__str_status(&r->bad));
    return axl__fail(AXL_ERR_DATA, "%llu of %llu records cannot be used: %s%s",
                     (unsigned long long)r->n_bad, (unsigned long long)r->n_records,
                     axl__str_text(&r->bad), r->n_bad > BAD_SHOWN ? "; …" : "");
}

/* ---- columns ---- */

/* For two messages: which columns any record has, and what the first one has instead. */
static void note_columns(reading *r, const axl__json *record)
{
    size_t shown = 0;

    for (size_t i = 0; i < AXL__DATASET_COLUMNS_MAX && r->prompt.columns[i]; i++)
        r->seen[i] = r->seen[i] || axl__json_get(record, r->prompt.columns[i]);
    r->tokenized = r->tokenized || axl__prompt_is_tokenized(&r->prompt, record);
    if (r->columns.len > 0)
        return;
    for (const axl__json *v = record->child; v && shown < NAMES_SHOWN; v = v->next, shown++)
        axl__str_putf(&r->columns, "%s%.60s", shown > 0 ? ", " : "", v->key);
    if (r->columns.len == 0)
        axl__str_puts(&r->columns, "nothing");
}

/* Whether the column, or one that stands for it, was in some record. */
static bool has_column(const reading *r, size_t i)
{
    const axl__dataset_column *columns = r->prompt.type->columns;
    bool seen = r->seen[i] || columns[i].optional;

    for (size_t k = 0; columns[i].one_of && k < AXL__DATASET_COLUMNS_MAX; k++)
        seen = seen || (r->seen[k] && columns[k].one_of == columns[i].one_of);
    return seen;
}

static axl_status fail_untyped(const reading *r, const char *path)
{
    axl__str types;

    AXL_TRY(axl__str_status(&r->columns));
    axl__str_init(&types, r->ctx);
    axl__dataset_types_put(&types, r->prompt.task);
    axl_status status = axl__str_status(&types);
    if (status == AXL_OK)
        status = axl__fail(AXL_ERR_DATA,
                           "%s: the data set has no type, and its records are no samples of "
                           "input_ids, attention_mask and labels: the first has: %s; set type to "
                           "one of %s",
                           path, axl__str_text(&r->columns), types.data);
    axl__str_free(&types);
    return status;
}

static axl_status fail_column(const reading *r, const char *path, size_t i)
{
    const axl__dataset_column *columns = r->prompt.type->columns;
    axl__str names;

    AXL_TRY(axl__str_status(&r->columns));
    axl__str_init(&names, r->ctx);
    axl__str_putf(&names, "\"%s\"", r->prompt.columns[i]);
    for (size_t k = i + 1; columns[i].one_of && k < AXL__DATASET_COLUMNS_MAX; k++)
        if (columns[k].one_of == columns[i].one_of)
            axl__str_putf(&names, " or \"%s\"", r->prompt.columns[k]);
    axl_status status = axl__str_status(&names);
    if (status == AXL_OK)
        status = axl__fail(AXL_ERR_DATA,
                           "%s: none of the %llu records has the column %s that the type %s reads; "
                           "the first record has: %s",
                           path, (unsigned long long)r->n_records, names.data, r->prompt.type->name,
                           axl__str_text(&r->columns));
    axl__str_free(&names);
    return status;
}

static axl_status check_columns(const reading *r, const char *path)
{
    if (r->tokenized)
        return AXL_OK;
    if (r->prompt.type->untyped && strcmp(r->prompt.type->method, "tokenized") == 0)
        return fail_untyped(r, path);
    for (size_t i = 0; i < AXL__DATASET_COLUMNS_MAX && r->prompt.columns[i]; i++)
        if (!has_column(r, i))
            return fail_column(r, path, i);
    return AXL_OK;
}

/* ---- a batch ---- */

static void run_job(void *arg, uint64_t i)
{
    job *j = &((job *)arg)[i];

    if (!j->record)
        return;
    j->status = axl__prompt_make(j->prompt, j->record, &j->draft);
    if (j->status != AXL_OK)
        axl__error_hold(&j->error.why); /* of this thread */
}

/* What was parsed becomes drafts. */
static void encode_batch(reading *r, size_t n)
{
    if (r->prompt.method->serial)
        for (size_t i = 0; i < n; i++)
            run_job(r->jobs, i);
    else
        axl__parallel_for(r->ctx, n, run_job, r->jobs);
}

/* Whether the next record is wanted, and its place; AXL_END behind the part's range. */
static axl_status choose(reading *r, bool *wanted, uint32_t *place)
{
    const axl__row_choice *c = &r->choice;
    uint64_t at = r->at;

    *wanted = false;
    *place = AXL__NO_PLACE;
    if (at >= r->range->to)
        return AXL_END;
    if (at < r->range->from)
        return AXL_OK;
    if (c->places && r->n_chosen >= c->n)
        return axl__fail(AXL_ERR_IO, "the files have other records than when they were counted");
    if (c->places)
        *place = c->places[r->n_chosen];
    *wanted = !c->places || *place != AXL__NO_PLACE;
    return AXL_OK;
}

/* The record is read. */
static void count_record(reading *r)
{
    r->n_chosen += r->at >= r->range->from;
    r->at++;
}

/* Goes over records up to one that is wanted. */
static axl_status find_next(reading *r, axl__source *source, uint64_t *index, uint32_t *place)
{
    const axl__json *record;
    axl__record_error unused;
    bool wanted;

    for (;;) {
        AXL_TRY(axl__cancelled(r->ctx)); /* a record may be a book */
        axl_status status = choose(r, &wanted, place);
        if (status != AXL_OK || wanted)
            return status;
        axl__arena_reset(&r->passed);
        status = axl__source_next(source, &r->passed, &record, &unused);
        if (status != AXL_OK && status != AXL_ERR_DATA)
            return status;
        count_record(r);
        ++*index;
    }
}

/* Parses up to `most` records, BATCH at most; *n of them.  AXL_END after the file's last. */
static axl_status parse_batch(reading *r, axl__source *source, size_t most, uint64_t *index,
                              size_t *n)
{
    axl__arena_reset(&r->arena);
    for (*n = 0; *n < most && r->arena.used < BATCH_BYTES; ++*n) {
        job *j = &r->jobs[*n];
        axl_status status = find_next(r, source, index, &j->place);
        if (status != AXL_OK)
            return status;
        j->record = NULL;
        axl__draft_clear(&j->draft);
        j->status = axl__source_next(source, &r->arena, &j->record, &j->error);
        if (j->status == AXL_ERR_DATA)
            j->record = NULL;
        else if (j->status != AXL_OK)
            return j->status;
        else
            note_columns(r, j->record);
        count_record(r);
        j->index = (*index)++;
        r->n_records++;
    }
    return AXL_OK;
}

/* In a task of pairs a record has two samples, which get a number of their own. */
static axl_status store_samples(reading *r, const job *j, uint32_t source)
{
    const axl__draft *d = &j->draft;
    bool pair = axl__data_task_pairs(r->prompt.task);
    uint32_t at = 0;

    if (r->choice.places)
        r->choice.rows[j->place] = d->too_long ? 0 : d->n_ends;
    if (d->too_long) {
        r->n_too_long += d->n_ends;
        return AXL_OK;
    }
    for (uint32_t part = 0; part < d->n_ends; at = d->ends[part++]) {
        const int32_t *ids = at ? d->ids + at : d->ids; /* NULL where all samples are empty */
        const int32_t *labels = at ? d->labels + at : d->labels;
        uint32_t length = d->ends[part] - at;
        axl__row row = { .record = j->index,
                         .length = length,
                         .source = source,
                         .part = part,
                         .pair = pair ? r->n_pairs : 0,
                         .role = (uint16_t)d->roles[part] };
        AXL_TRY(axl__store_add(r->store, &row, ids, labels, axl__data_plan_keeps(r->plan, length)));
    }
    r->n_pairs += pair;
    r->n_without += d->n_ends == 0;
    return AXL_OK;
}

/* In the records' order, whichever thread made which draft.  After a bad record nothing is stored
 * any more, because the entry fails at its end: the rest is read for the list of bad ones. */
static axl_status store_batch(reading *r, const axl__source *source, uint32_t name, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const job *j = &r->jobs[i];
        if (j->status == AXL_ERR_DATA) {
            note_bad(r, source, &j->error);
        } else if (j->status != AXL_OK) {
            axl__error_restore(&j->error.why);
            return axl__fail_prefix(j->status, "%s:%llu", axl__source_path(source),
                                    (unsigned long long)j->error.at);
        } else if (r->n_bad == 0) {
            AXL_TRY(store_samples(r, j, name));
        }
    }
    return AXL_OK;
}

/* ---- a file ---- */

/* A file on its way: what one thread does beside the encoding, and what came of it. */
typedef struct {
    reading *r;
    axl__source *source;
    uint64_t index;    /* of the next record */
    uint32_t name;     /* of the store's sources */
    size_t n_made;     /* of r->jobs, to be stored */
    size_t n_parsed;   /* of r->jobs, when that is done */
    bool ended;        /* no record follows */
    axl_status status; /* of all that */
    axl__error why;    /* of its thread */
} passage;

static axl_status store_and_parse(passage *p)
{
    AXL_TRY(store_batch(p->r, p->source, p->name, p->n_made));
    p->n_parsed = 0;
    if (p->ended)
        return AXL_OK;
    axl_status status = parse_batch(p->r, p->source, BATCH, &p->index, &p->n_parsed);
    p->ended = status == AXL_END;
    return status < 0 ? status : AXL_OK;
}

/* The first task is the slow one, so it is the first to be taken. */
static void run_task(void *arg, uint64_t i)
{
    passage *p = arg;

    if (i > 0) {
        run_job(p->r->other_jobs, i - 1);
        return;
    }
    p->status = store_and_parse(p);
    if (p->status < 0)
        axl__error_hold(&p->why);
}

static void swap_batches(reading *r)
{
    axl__arena arena = r->arena;
    job *jobs = r->jobs;

    r->arena = r->other_arena;
    r->jobs = r->other_jobs;
    r->other_arena = arena;
    r->other_jobs = jobs;
}

/* Parsing is one thread's, since a record's place is known only from what is before it.  After a
 * bad record the rest is only counted. */
static axl_status read_records(reading *r, axl__source *source)
{
    passage p = { .r = r, .source = source };
    size_t n_encoded;

    AXL_TRY(axl__store_add_source(r->store, axl__source_path(source), &p.name));
    AXL_TRY(store_and_parse(&p));
    do {
        swap_batches(r);
        n_encoded = p.n_parsed;
        r->prompt.check_only = r->n_bad > 0;
        if (r->prompt.method->serial)
            for (size_t i = 0; i <= n_encoded; i++)
                run_task(&p, i);
        else
            axl__parallel_for(r->ctx, n_encoded + 1, run_task, &p);
        if (p.status < 0) {
            axl__error_restore(&p.why);
            return p.status;
        }
        p.n_made = n_encoded;
        uint64_t at = r->bytes_done + axl__source_progress(source);
        AXL_TRY(axl__poll(r->ctx, "tokenize", at, r->bytes_total));
    } while (p.n_parsed > 0 || p.n_made > 0);
    return axl__file_unchanged(axl__source_file(source));
}

/* ---- entries ---- */

/* With a cache the file must still be the one whose bytes are in the key. */
static axl_status read_file(reading *r, const axl__data_plan *plan, const axl__data_entry *e,
                            size_t f)
{
    axl__source *source;

    AXL_TRY(axl__source_open(&source, plan->ctx, e->files.paths[f], e->format));
    const axl__file *file = axl__source_file(source);
    axl_status status;
    r->bad_named = false;
    if (plan->cache_dir && memcmp(&e->ids[f], &file->id, sizeof file->id) != 0)
        status = axl__fail(AXL_ERR_IO, "%s changed while it was read", file->path);
    else
        status = read_records(r, source);
    r->bytes_done += file->size;
    axl__source_close(source);
    return status;
}

/* Samples that come from no file: all of them are one record's. */
static axl_status make_up(reading *r)
{
    job *j = &r->jobs[0];
    uint32_t name;

    AXL_TRY(axl__store_add_source(r->store, r->prompt.type->name, &name));
    axl__draft_clear(&j->draft);
    j->index = 0;
    AXL_TRY(r->prompt.method->make(&r->prompt, NULL, &j->draft));
    return store_samples(r, j, name);
}

/* Files behind the part's last record are not opened. */
static axl_status read_parts(reading *r, const axl__data_plan *plan, const axl__data_entry *e)
{
    for (size_t p = 0; p < e->n_parts; p++) {
        const axl__data_part *part = &e->parts[p];
        r->range = &r->choice.ranges[p];
        r->at = 0;
        for (size_t f = part->first; f < part->first + part->n && r->at < r->range->to; f++)
            AXL_TRY(read_file(r, plan, e, f));
    }
    return AXL_OK;
}

/* The calling thread asks for a batch and stores it, since the host's function may be for that
 * thread alone; all threads encode in between. */
static axl_status read_handed(reading *r, axl__source *source)
{
    static const axl__row_range all = { 0, UINT64_MAX };
    axl_status status = AXL_OK;
    uint64_t index = 0;
    size_t n;

    r->range = &all;
    r->at = 0;
    r->bad_named = false;
    while (status != AXL_END) {
        status = parse_batch(r, source, BATCH, &index, &n);
        if (status < 0)
            return status;
        r->prompt.check_only = r->n_bad > 0;
        encode_batch(r, n);
        AXL_TRY(store_batch(r, source, AXL__NO_SOURCE, n));
        AXL_TRY(axl__poll(r->ctx, "tokenize", index, 0));
    }
    return AXL_OK;
}

static axl_status read_feed(reading *r, axl__feed *feed)
{
    axl__source *source;

    AXL_TRY(axl__source_open_host(&source, r->ctx, feed));
    axl_status status = read_handed(r, source);
    axl__source_close(source);
    return status;
}

static void begin_reading(reading *r, const axl__data_entry *e)
{
    r->prompt = e->prompt;
    memset(r->seen, 0, sizeof r->seen);
    r->tokenized = false;
    r->n_bad = r->n_records = r->n_chosen = 0;
    axl__str_clear(&r->bad);
    axl__str_clear(&r->columns);
}

static axl_status read_entry(reading *r, const axl__data_plan *plan, const axl__data_entry *e)
{
    begin_reading(r, e);
    if (r->prompt.type->made_up)
        return make_up(r);
    const char *path = plan->feed ? plan->feed->name : e->files.paths[0];
    AXL_TRY(plan->feed ? read_feed(r, plan->feed) : read_parts(r, plan, e));
    if (r->n_records == 0 && e->split && strcspn(e->split, "[+") < strlen(e->split))
        return axl__fail(AXL_ERR_DATA, "%s: the split %s has no record", path, e->split);
    if (r->n_records == 0)
        return axl__fail(AXL_ERR_DATA, "%s: there is no record", path);
    if (r->n_records > r->n_bad)
        AXL_TRY(check_columns(r, path));
    return r->n_bad > 0 ? fail_bad(r) : AXL_OK;
}

/* starts (n_sets): where each of the entry's data sets begins. */
static axl_status order_entry(reading *r, const axl__data_entry *e, uint32_t *starts)
{
    uint32_t first = starts[0];

    AXL_TRY(axl__row_choice_order(&r->choice, r->store, first));
    for (uint32_t k = 1; k < e->n_sets; k++)
        starts[k] = first + axl__row_choice_before(&r->choice, k, e->n_sets);
    return AXL_OK;
}

static axl_status take_entry(reading *r, const axl__data_plan *plan, const axl__data_entry *e,
                             uint32_t *starts)
{
    AXL_TRY(axl__row_choice_make(&r->choice, plan->ctx, e, plan->seed));
    starts[0] = r->store->n;
    axl_status status = read_entry(r, plan, e);
    if (status == AXL_OK)
        status = order_entry(r, e, starts);
    axl__row_choice_free(&r->choice);
    return status;
}

static axl_status count_bytes(reading *r, const axl__data_plan *plan)
{
    for (size_t i = 0; i < plan->n_entries; i++) {
        const axl__files *files = &plan->entries[i].files;
        for (size_t f = 0; f < files->n; f++) {
            axl__file_id id;
            AXL_TRY(axl__path_id(files->paths[f], &id));
            r->bytes_total += id.size;
        }
    }
    return AXL_OK;
}

static void reading_free(reading *r)
{
    for (size_t i = 0; r->jobs && i < BATCH; i++)
        axl__draft_free(&r->jobs[i].draft);
    for (size_t i = 0; r->other_jobs && i < BATCH; i++)
        axl__draft_free(&r->other_jobs[i].draft);
    axl__free(r->ctx, r->jobs);
    axl__free(r->ctx, r->other_jobs);
    axl__str_free(&r->bad);
    axl__str_free(&r->columns);
    axl__arena_free(&r->arena);
    axl__arena_free(&r->other_arena);
    axl__arena_free(&r->passed);
}

/* Each job keeps its draft's memory from batch to batch, so that a million records cost a few
 * allocations. */
static axl_status reading_init(reading *r, axl__store *store, const axl__data_plan *plan)
{
    memset(r, 0, sizeof *r);
    r->ctx = plan->ctx;
    r->plan = plan;
    r->store = store;
    axl__arena_init(&r->arena, r->ctx);
    axl__arena_init(&r->other_arena, r->ctx);
    axl__arena_init(&r->passed, r->ctx);
    axl__str_init(&r->bad, r->ctx);
    axl__str_init(&r->columns, r->ctx);
    r->jobs = axl__calloc(r->ctx, BATCH, sizeof *r->jobs);
    r->other_jobs = axl__calloc(r->ctx, BATCH, sizeof *r->jobs);
    if (!r->jobs || !r->other_jobs) {
        reading_free(r);
        return axl__fail_nomem();
    }
    for (size_t i = 0; i < BATCH; i++) {
        r->jobs[i].prompt = r->other_jobs[i].prompt = &r->prompt;
        r->jobs[i].draft.ctx = r->other_jobs[i].draft.ctx = r->ctx;
    }
    return AXL_OK;
}

axl_status axl__tokenize_rows(axl__store *store, const axl__data_plan *plan, uint32_t *starts,
                              uint64_t *n_without, uint64_t *n_too_long)
{
    reading r;

    AXL_TRY(reading_init(&r, store, plan));
    axl_status status = count_bytes(&r, plan);
    for (size_t i = 0; i < plan->n_entries && status == AXL_OK; i++) {
        status = take_entry(&r, plan, &plan->entries[i], starts);
        starts += plan->entries[i].n_sets;
    }
    *starts = store->n;
    *n_without = r.n_without;
    *n_too_long = r.n_too_long;
    if (status == AXL_OK)
        status = axl__poll(r.ctx, "tokenize", r.bytes_total, r.bytes_total);
    reading_free(&r);
    return status;
}

/* ---- a stretch at a time ---- */

/* Where the next record is: of the entry, its part, that part's file.  source NULL: that file is
 * not open yet.  A host's records are one file of no part. */
struct axl__row_stream {
    reading r;
    const axl__data_plan *plan;
    size_t entry, part, file;
    bool begun; /* r is the entry's */
    bool over;  /* the last record of a host that cannot go back was read */
    axl__source *source;
    uint64_t index;  /* of the next record in the file */
    uint64_t n_pass; /* records of this pass */
    uint64_t passes;
};

axl_status axl__row_stream_open(axl__row_stream **out, const axl__data_plan *plan)
{
    axl__row_stream *s;

    if (plan->task != AXL__TASK_TEXT)
        return axl__fail(AXL_ERR_UNSUPPORTED, "%s: only texts to learn are streamed, and %s is set",
                         plan->list, axl__data_task_name(plan->task));
    for (size_t i = 0; i < plan->n_entries; i++)
        if (plan->entries[i].shards > 0 || plan->entries[i].in_pieces ||
            plan->entries[i].prompt.type->made_up)
            return axl__fail(AXL_ERR_UNSUPPORTED,
                             "%s[%zu]: streamed data has no shards and is not made up", plan->list,
                             i);
    s = axl__calloc(plan->ctx, 1, sizeof *s);
    if (!s)
        return axl__fail_nomem();
    s->plan = plan;
    axl_status status = reading_init(&s->r, NULL, plan);
    if (status == AXL_OK)
        *out = s;
    else
        axl__free(plan->ctx, s);
    return status;
}

void axl__row_stream_close(axl__row_stream *s)
{
    if (!s)
        return;
    axl_context *ctx = s->r.ctx;
    axl__source_close(s->source);
    if (s->begun)
        axl__row_choice_free(&s->r.choice);
    reading_free(&s->r);
    axl__free(ctx, s);
}

uint64_t axl__row_stream_passes(const axl__row_stream *s)
{
    return s->passes;
}

static axl_status begin_entry(axl__row_stream *s)
{
    reading *r = &s->r;
    const axl__data_entry *e = &s->plan->entries[s->entry];

    AXL_TRY(axl__row_choice_make(&r->choice, r->ctx, e, s->plan->seed));
    if (e->n_parts > 0)
        r->choice.ranges[0].from += e->skip;
    begin_reading(r, e);
    s->part = s->file = 0;
    s->begun = true;
    return AXL_OK;
}

static axl_status open_feed(axl__row_stream *s)
{
    static const axl__row_range all = { 0, UINT64_MAX };

    s->r.range = &all;
    s->r.at = s->index = 0;
    s->r.bad_named = false;
    return axl__source_open_host(&s->source, s->r.ctx, s->plan->feed);
}

/* Opens the file that is next; AXL_END behind the last entry's last. */
static axl_status open_next(axl__row_stream *s)
{
    while (s->entry < s->plan->n_entries) {
        const axl__data_entry *e = &s->plan->entries[s->entry];
        if (!s->begun)
            AXL_TRY(begin_entry(s));
        if (s->plan->feed && s->file++ == 0)
            return open_feed(s);
        if (s->part < e->n_parts && s->file < e->parts[s->part].n) {
            if (s->file == 0)
                s->r.at = 0;
            s->r.range = &s->r.choice.ranges[s->part];
            s->r.bad_named = false;
            s->index = 0;
            return axl__source_open(&s->source, s->r.ctx,
                                    e->files.paths[e->parts[s->part].first + s->file++], e->format);
        }
        s->file = 0;
        if (++s->part < e->n_parts)
            continue;
        axl__row_choice_free(&s->r.choice);
        s->begun = false;
        s->entry++;
    }
    return AXL_END;
}

/* From the first file again; records that are not there cannot come. */
static axl_status start_over(axl__row_stream *s)
{
    const axl__feed *feed = s->plan->feed;

    if (s->n_pass == 0)
        return axl__fail(AXL_ERR_DATA, "%s: there is no record%s",
                         feed ? feed->name : s->plan->list,
                         feed && s->passes > 0 ? " after the rewind" : "");
    s->over = feed && !feed->rewind;
    if (s->over)
        return AXL_OK;
    s->n_pass = 0;
    s->passes++;
    s->entry = 0;
    return AXL_OK;
}

/* What was parsed of the open file becomes rows. */
static axl_status take_batch(axl__row_stream *s, axl__store *store, size_t n)
{
    reading *r = &s->r;
    uint32_t name = AXL__NO_SOURCE;

    if (!store || n == 0)
        return AXL_OK;
    r->store = store;
    if (!s->plan->feed)
        AXL_TRY(axl__store_add_source(store, axl__source_path(s->source), &name));
    encode_batch(r, n);
    AXL_TRY(store_batch(r, s->source, name, n));
    return r->n_bad > 0 ? fail_bad(r) : AXL_OK;
}

/* At the end of a file or of a stretch. */
static axl_status check_read(const axl__row_stream *s)
{
    if (!s->begun || s->r.n_records == 0)
        return AXL_OK;
    const axl__feed *feed = s->plan->feed;
    return check_columns(&s->r, feed ? feed->name : s->plan->entries[s->entry].files.paths[0]);
}

/* Up to `most` records of one file; *n of them. */
static axl_status read_some(axl__row_stream *s, axl__store *store, uint64_t most, size_t *n)
{
    axl_status status = s->source ? AXL_OK : open_next(s);

    *n = 0;
    if (status == AXL_END)
        return start_over(s);
    AXL_TRY(status);
    status = parse_batch(&s->r, s->source, most < BATCH ? (size_t)most : BATCH, &s->index, n);
    if (status < 0)
        return status;
    s->n_pass += *n;
    AXL_TRY(take_batch(s, store, *n));
    if (status != AXL_END)
        return AXL_OK;
    axl__source_close(s->source);
    s->source = NULL;
    return check_read(s);
}

/* A stretch ends with the data, so that rows of two passes are not together. */
axl_status axl__row_stream_read(axl__row_stream *s, axl__store *store, uint64_t n,
                                uint64_t *n_without)
{
    uint64_t before = s->passes, done = 0;

    s->r.n_without = 0;
    while (done < n && !s->over && (s->passes == before || done == 0)) {
        size_t some;
        AXL_TRY(read_some(s, store, n - done, &some));
        AXL_TRY(axl__poll(s->r.ctx, "tokenize", done += some, n));
    }
    *n_without = s->r.n_without;
    if (done == 0 && s->over)
        return AXL_END;
    return check_read(s);
}
