/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenize_rows.c - records are parsed by the caller, a batch at a time, encoded by all threads,
 * and stored by the caller in their order.  Encoding is the cost: 33 MB of Alpaca take 5 s on one
 * core, of which parsing is a twentieth.
 */
#include "data/tokenize_rows.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

enum { BATCH = 512, BAD_SHOWN = 10, COLUMNS_MAX = 32, COLUMNS_SHOWN = 12, MESSAGE_MAX = 120 };

typedef struct {
    const axl__prompt *prompt;
    const axl__json *record; /* NULL: malformed */
    uint64_t line, index;
    axl_status status;
    char message[MESSAGE_MAX];
    axl__draft draft;
} job;

/* One data set entry's way through the files. */
typedef struct {
    axl_context *ctx;
    axl__store *store;
    axl__prompt prompt;
    axl__arena arena;
    job *jobs;     /* (BATCH) */
    uint32_t seen; /* bit i: a record had column i */
    uint64_t n_bad;
    axl__str bad;         /* the first of them */
    const char *bad_path; /* the file named last there */
    axl__str columns;     /* of the first record, for a message */
    uint64_t bytes_done, bytes_total;
    uint64_t n_records;
} reading;

/* ---- bad records ---- */

/* message starts with the record's line. */
static void note_bad(reading *r, const char *path, const char *message)
{
    if (r->n_bad++ >= BAD_SHOWN)
        return;
    if (r->n_bad > 1)
        axl__str_puts(&r->bad, "; ");
    if (path != r->bad_path) {
        axl__str_puts(&r->bad, path);
        axl__str_putc(&r->bad, ':');
    }
    axl__str_puts(&r->bad, message);
    r->bad_path = path;
}

static axl_status fail_bad(const reading *r)
{
    AXL_TRY(axl__str_status(&r->bad));
    return axl__fail(AXL_ERR_DATA, "%llu of %llu records cannot be used: %s%s",
                     (unsigned long long)r->n_bad, (unsigned long long)r->n_records,
                     axl__str_text(&r->bad), r->n_bad > BAD_SHOWN ? "; …" : "");
}

static axl_status fail_column(const reading *r, const char *path, const char *column)
{
    AXL_TRY(axl__str_status(&r->columns));
    return axl__fail(AXL_ERR_DATA,
                     "%s: none of the %llu records has the column \"%s\" that the type %s reads; "
                     "the first record has: %s",
                     path, (unsigned long long)r->n_records, column, r->prompt.type->name,
                     axl__str_text(&r->columns));
}

static void note_columns(reading *r, const axl__json *record)
{
    const char *const *columns = r->prompt.type->columns;
    size_t shown = 0;

    for (uint32_t i = 0; columns[i] && i < COLUMNS_MAX; i++)
        if (!(r->seen & 1u << i) && axl__json_get(record, columns[i]))
            r->seen |= 1u << i;
    if (r->columns.len > 0)
        return;
    for (const axl__json *v = record->child; v && shown < COLUMNS_SHOWN; v = v->next, shown++)
        axl__str_putf(&r->columns, "%s%.60s", shown > 0 ? ", " : "", v->key);
    if (r->columns.len == 0)
        axl__str_puts(&r->columns, "nothing");
}

/* ---- a batch ---- */

static void run_job(void *arg, uint64_t i)
{
    job *j = &((job *)arg)[i];

    if (!j->record)
        return;
    j->status = j->prompt->type->make(j->prompt, j->record, &j->draft);
    if (j->status != AXL_OK)
        snprintf(j->message, sizeof j->message, "%s", axl_last_error());
}

/* Parses up to BATCH records; *n of them.  AXL_END after the file's last. */
static axl_status parse_batch(reading *r, axl__source *source, uint64_t *index, size_t *n)
{
    axl_status status = AXL_OK;

    axl__arena_reset(&r->arena);
    for (*n = 0; *n < BATCH; ++*n) {
        job *j = &r->jobs[*n];
        AXL_TRY(axl__cancelled(r->ctx)); /* a record may be a book */
        j->record = NULL;
        j->status = AXL_OK;
        j->draft.n = 0;
        status = axl__source_next(source, &r->arena, &j->record, &j->line);
        if (status == AXL_END || (status < 0 && status != AXL_ERR_DATA))
            break;
        if (status == AXL_ERR_DATA) /* its message begins with the place */
            snprintf(j->message, sizeof j->message, "%s", axl_last_error());
        else
            note_columns(r, j->record);
        j->index = (*index)++;
        r->n_records++;
    }
    return status < 0 && status != AXL_ERR_DATA ? status : status == AXL_END ? AXL_END : AXL_OK;
}

static axl_status store_batch(reading *r, const char *path, uint32_t source, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const job *j = &r->jobs[i];
        if (!j->record) {
            note_bad(r, path, j->message);
        } else if (j->status == AXL_ERR_DATA) {
            char place[MESSAGE_MAX + 32];
            snprintf(place, sizeof place, "%llu: %s", (unsigned long long)j->line, j->message);
            note_bad(r, path, place);
        } else if (j->status != AXL_OK) {
            return axl__fail(j->status, "%s:%llu: %s", path, (unsigned long long)j->line,
                             j->message);
        } else if (r->n_bad == 0) {
            AXL_TRY(axl__store_add(r->store, j->draft.ids, j->draft.labels, j->draft.n, source,
                                   j->index, 0));
        }
    }
    r->prompt.check_only = r->n_bad > 0; /* the rest is only counted */
    return AXL_OK;
}

static axl_status read_records(reading *r, axl__source *source)
{
    const char *path = axl__source_path(source);
    uint64_t index = 0;
    uint32_t name;
    axl_status status = AXL_OK;

    AXL_TRY(axl__store_add_source(r->store, path, &name));
    while (status == AXL_OK) {
        size_t n;
        status = parse_batch(r, source, &index, &n);
        if (status < 0)
            return status;
        axl__parallel_for(r->ctx, n, run_job, r->jobs);
        AXL_TRY(store_batch(r, path, name, n));
        uint64_t at = r->bytes_done + axl__source_progress(source);
        AXL_TRY(axl__poll(r->ctx, "tokenize", at, r->bytes_total));
    }
    return axl__file_unchanged(axl__source_file(source));
}

/* ---- entries ---- */

static axl_status read_file(reading *r, const axl__data_plan *plan, const axl__data_entry *e,
                            size_t f)
{
    axl__source *source;

    AXL_TRY(axl__source_open(&source, plan->ctx, e->files.paths[f], e->format));
    const axl__file *file = axl__source_file(source);
    axl_status status;
    if (plan->cache_dir && memcmp(&e->ids[f], &file->id, sizeof file->id) != 0)
        status = axl__fail(AXL_ERR_IO, "%s changed while it was read", file->path);
    else
        status = read_records(r, source);
    r->bytes_done += file->size;
    axl__source_close(source);
    return status;
}

static axl_status read_entry(reading *r, const axl__data_plan *plan, const axl__data_entry *e)
{
    const char *const *columns = e->prompt.type->columns;

    r->prompt = e->prompt;
    r->seen = 0;
    r->n_bad = r->n_records = 0;
    r->bad_path = NULL;
    axl__str_clear(&r->bad);
    axl__str_clear(&r->columns);
    for (size_t f = 0; f < e->files.n; f++)
        AXL_TRY(read_file(r, plan, e, f));
    if (r->n_records == 0)
        return axl__fail(AXL_ERR_DATA, "%s: there is no record", e->files.paths[0]);
    for (uint32_t i = 0; columns[i] && r->n_records > r->n_bad; i++)
        if (!(r->seen & 1u << i))
            return fail_column(r, e->files.paths[0], columns[i]);
    return r->n_bad > 0 ? fail_bad(r) : AXL_OK;
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

axl_status axl__tokenize_rows(axl__store *store, const axl__data_plan *plan, uint32_t *starts)
{
    reading r = { 0 };

    r.ctx = plan->ctx;
    r.store = store;
    axl__arena_init(&r.arena, r.ctx);
    axl__str_init(&r.bad, r.ctx);
    axl__str_init(&r.columns, r.ctx);
    axl_status status = count_bytes(&r, plan);
    if (status == AXL_OK && !(r.jobs = axl__calloc(r.ctx, BATCH, sizeof *r.jobs)))
        status = axl__fail_nomem();
    for (size_t i = 0; r.jobs && i < BATCH; i++) {
        r.jobs[i].prompt = &r.prompt;
        r.jobs[i].draft.ctx = r.ctx;
    }
    for (size_t i = 0; i < plan->n_entries && status == AXL_OK; i++) {
        starts[i] = store->n;
        status = read_entry(&r, plan, &plan->entries[i]);
    }
    starts[plan->n_entries] = store->n;
    if (status == AXL_OK)
        status = axl__poll(r.ctx, "tokenize", r.bytes_total, r.bytes_total);
    for (size_t i = 0; r.jobs && i < BATCH; i++)
        axl__draft_free(&r.jobs[i].draft);
    axl__free(r.ctx, r.jobs);
    axl__str_free(&r.bad);
    axl__str_free(&r.columns);
    axl__arena_free(&r.arena);
    return status;
}
