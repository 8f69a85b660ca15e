/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_arrow.c - records out of an Arrow IPC file or stream (.arrow, .feather of version 2, and
 * what datasets saves).  The file is gone through message by message, a record batch in memory at a
 * time, unless it lies unpacked in the mapped file; a file's footer, which has the same again, is
 * not read.
 */
#include "data/read/arrow.h"
#include "data/read/reader.h"
#include "data/read/record_tree.h"

#include <stdio.h>
#include <string.h>

/* Numbers of Message.fbs's union MessageHeader. */
enum { MESSAGE_SCHEMA = 1, MESSAGE_DICTIONARY, MESSAGE_BATCH };

typedef struct {
    axl__source *source;
    axl__arena schema, dictionaries, batch;
    axl__arrow_field root;
    axl__arrow_dictionary *first; /* of the dictionaries */
    size_t at, end;               /* of the file: the next message, and behind the last */
    axl__arrow_array *columns;    /* of the batch at hand */
    uint64_t n_rows, next_row;    /* of it */
    size_t held, held_dictionaries;
    uint64_t row;
    /* Of the record at hand. */
    axl__arena *arena;
    size_t left; /* bytes that it may still take */
    const axl__arrow_field *bad;
    const char *why;
} arrow;

static const size_t arrow_record_max = (size_t)256 << 20;

static axl_status arrow_broken(const arrow *a, const char *why)
{
    return axl__fail(AXL_ERR_FORMAT, "%s: not an Arrow file or damaged: %s", a->source->file.path,
                     why);
}

/* ---- messages ---- */

typedef struct {
    axl__flat flat;
    axl__flat_table header;
    int64_t kind;
    axl__pq_bytes body;
} message;

/* The length of the next message's description, which older writers have without a mark; 0 at the
 * end of the stream. */
static axl_status message_length(arrow *a, size_t *len)
{
    const uint8_t *data = a->source->file.data;
    int64_t n = 0;

    *len = 0;
    if (a->end - a->at < 4)
        return AXL_OK;
    n = axl__flat_i32(data + a->at);
    a->at += 4;
    if (n == -1) {
        if (a->end - a->at < 4)
            return arrow_broken(a, "it ends within a message");
        n = axl__flat_i32(data + a->at);
        a->at += 4;
    }
    if (n < 0 || (uint64_t)n > a->end - a->at)
        return arrow_broken(a, "a message is longer than the file");
    *len = (size_t)n;
    return AXL_OK;
}

/* AXL_END behind the last. */
static axl_status next_message(arrow *a, message *m)
{
    const uint8_t *data = a->source->file.data;
    size_t len;

    AXL_TRY(message_length(a, &len));
    if (len == 0)
        return AXL_END;
    m->flat = (axl__flat){ data + a->at, len, false };
    axl__flat_table t = axl__flat_root(&m->flat);
    int64_t body = axl__flat_int(&t, 3, 8, 0);
    m->kind = axl__flat_int(&t, 1, 1, 0);
    m->header = axl__flat_sub(&t, 2);
    a->at += len;
    if (!m->header.flat || m->flat.broken)
        return arrow_broken(a, "a message's description leads out of it");
    if (body < 0 || (uint64_t)body > a->end - a->at)
        return arrow_broken(a, "a message's body is longer than the file");
    m->body = (axl__pq_bytes){ data + a->at, (size_t)body };
    a->at += (size_t)body;
    return AXL_OK;
}

static axl__arrow_dictionary *find_dictionary(const arrow *a, int64_t id)
{
    for (axl__arrow_dictionary *d = a->first; d; d = d->next)
        if (d->id == id)
            return d;
    return NULL;
}

/* A new one, one in place of another, or more values of one. */
static axl_status take_dictionary(arrow *a, message *m)
{
    int64_t id = axl__flat_int(&m->header, 0, 8, 0);
    axl__flat_table data = axl__flat_sub(&m->header, 1);
    const axl__arrow_field *field = axl__arrow_dictionary_field(&a->root, id);
    axl__arrow_dictionary *d = find_dictionary(a, id);
    bool more = axl__flat_int(&m->header, 2, 1, 0) && d;
    uint64_t unused;

    if (!field)
        return arrow_broken(a, "a dictionary of no column");
    axl__arrow_dictionary *made = axl__arena_alloc(&a->dictionaries, sizeof *made);
    if (!made)
        return axl__fail_nomem();
    made->id = id;
    AXL_TRY(axl__arrow_batch_read(&made->values, &unused, &a->dictionaries, field, true, &data,
                                  m->body, &a->held_dictionaries, a->source->file.path));
    if (more) {
        while (d->more)
            d = d->more;
        d->more = made;
    } else if (d) {
        d->values = made->values;
        d->more = NULL;
    } else {
        made->next = a->first;
        a->first = made;
    }
    return AXL_OK;
}

/* The next batch that has rows. */
static axl_status next_batch(arrow *a)
{
    message m;

    for (;;) {
        AXL_TRY(axl__cancelled(a->source->ctx));
        axl_status status = next_message(a, &m);
        if (status != AXL_OK)
            return status;
        if (m.kind == MESSAGE_DICTIONARY) {
            AXL_TRY(take_dictionary(a, &m));
        } else if (m.kind == MESSAGE_BATCH) {
            axl__arena_reset(&a->batch);
            a->held = a->next_row = 0;
            AXL_TRY(axl__arrow_batch_read(&a->columns, &a->n_rows, &a->batch, &a->root, false,
                                          &m.header, m.body, &a->held, a->source->file.path));
            if (a->n_rows > 0 && a->root.child)
                return AXL_OK;
            a->n_rows = 0;
        } else {
            return arrow_broken(a, "a message that is neither rows nor a dictionary");
        }
    }
}

/* ---- values ---- */

static axl_status arrow_count(arrow *a, size_t bytes)
{
    if (bytes > a->left)
        return axl__fail(AXL_ERR_FORMAT, "%s: row %llu is longer than %zu MiB",
                         a->source->file.path, (unsigned long long)a->row, arrow_record_max >> 20);
    a->left -= bytes;
    return AXL_OK;
}

static axl_status arrow_add(arrow *a, axl__branch *b, const axl__arrow_field *named,
                            axl__json **out)
{
    AXL_TRY(arrow_count(a, sizeof **out));
    *out = axl__branch_add(b, named ? named->name : NULL, named ? named->name_len : 0);
    return *out ? AXL_OK : axl__fail_nomem();
}

static axl_status arrow_leads_out(const arrow *a, const axl__arrow_field *f)
{
    return axl__fail(AXL_ERR_FORMAT, "%s: row %llu, column \"%.60s\": an offset leads out of it",
                     a->source->file.path, (unsigned long long)a->row, f->name);
}

/* A signed or unsigned number of 1 to 8 bytes; one of more than int64 has comes out negative. */
static int64_t number_at(const uint8_t *at, uint32_t width, bool is_signed)
{
    uint64_t v = 0;
    unsigned unused = 64 - 8 * width;

    memcpy(&v, at, width);
    return is_signed ? (int64_t)(v << unused) >> unused : (int64_t)v;
}

/* The two offsets around a value: AXL_ERR_FORMAT unless they lie in order below the limit. */
static axl_status range_of(const arrow *a, const axl__arrow_array *v, uint64_t i, uint64_t limit,
                           uint64_t *from, uint64_t *to)
{
    uint32_t width = v->field->width;

    *from = (uint64_t)number_at(v->offsets.data + i * width, width, true);
    *to = (uint64_t)number_at(v->offsets.data + (i + 1) * width, width, true);
    return *from <= *to && *to <= limit ? AXL_OK : arrow_leads_out(a, v->field);
}

/* Up to 12 bytes stand in the view; of others the buffer and the place in it. */
static axl_status view_of(const arrow *a, const axl__arrow_array *v, uint64_t i, axl__pq_bytes *out)
{
    const uint8_t *view = v->values.data + 16 * i;
    int32_t len = axl__flat_i32(view), buffer = axl__flat_i32(view + 8);
    int32_t at = axl__flat_i32(view + 12);

    *out = (axl__pq_bytes){ view + 4, (size_t)len };
    if (len >= 0 && len <= 12)
        return AXL_OK;
    if (len < 0 || buffer < 0 || (size_t)buffer >= v->n_views || at < 0 ||
        (size_t)at > v->views[buffer].len || (size_t)len > v->views[buffer].len - (size_t)at)
        return arrow_leads_out(a, v->field);
    out->data = v->views[buffer].data + at;
    return AXL_OK;
}

static axl_status put_bytes(arrow *a, const axl__arrow_field *f, axl__pq_bytes value, axl__json *v)
{
    AXL_TRY(arrow_count(a, value.len));
    const char *why = axl__pq_value_set(v, a->arena, &f->leaf, value);
    if (why && !*why)
        return axl__fail_nomem();
    if (why && !a->bad) {
        a->bad = f;
        a->why = why;
    }
    return AXL_OK;
}

/* What is as wide as parquet has it, or made so: integers and times of 8 bytes, decimals large end
 * first. */
static axl_status put_fixed(arrow *a, const axl__arrow_array *array, uint64_t i, axl__json *v)
{
    const axl__arrow_field *f = array->field;
    const uint8_t *at = array->values.data + i * f->width;
    uint8_t bytes[32];

    if (f->leaf.meaning == AXL__PQ_DECIMAL) {
        for (uint32_t k = 0; k < f->width; k++)
            bytes[k] = at[f->width - 1 - k];
        return put_bytes(a, f, (axl__pq_bytes){ bytes, f->width }, v);
    }
    if (f->leaf.meaning == AXL__PQ_HALF || f->leaf.type != AXL__PQ_INT64)
        return put_bytes(a, f, (axl__pq_bytes){ at, f->width }, v);
    int64_t n = number_at(at, f->width, f->leaf.meaning != AXL__PQ_UNSIGNED);
    if (f->units < 0)
        n = n / -f->units - (n % -f->units < 0);
    else if (f->units > 1)
        n = n > INT64_MAX / f->units   ? INT64_MAX
            : n < INT64_MIN / f->units ? INT64_MIN
                                       : n * f->units;
    memcpy(bytes, &n, sizeof n);
    return put_bytes(a, f, (axl__pq_bytes){ bytes, sizeof n }, v);
}

static axl_status put_value(arrow *a, const axl__arrow_array *array, uint64_t i, axl__json *v);

static axl_status put_struct(arrow *a, const axl__arrow_array *array, uint64_t i, axl__json *v)
{
    axl__branch b = axl__branch_of(a->arena, v, AXL__JSON_OBJECT);
    axl__json *member;

    for (const axl__arrow_array *c = array->child; c; c = c->next) {
        if (c->field->left_out)
            continue;
        AXL_TRY(arrow_add(a, &b, c->field, &member));
        AXL_TRY(put_value(a, c, i, member));
    }
    return AXL_OK;
}

static axl_status put_list(arrow *a, const axl__arrow_array *array, uint64_t from, uint64_t to,
                           axl__json *v)
{
    axl__branch b = axl__branch_of(a->arena, v, AXL__JSON_ARRAY);
    axl__json *item;

    for (uint64_t i = from; i < to; i++) {
        AXL_TRY(arrow_add(a, &b, NULL, &item));
        AXL_TRY(put_value(a, array->child, i, item));
    }
    return AXL_OK;
}

static axl_status put_encoded(arrow *a, const axl__arrow_array *array, uint64_t i, axl__json *v)
{
    const axl__arrow_field *f = array->field;
    int64_t index =
        number_at(array->values.data + i * f->index_width, f->index_width, f->index_signed);
    uint64_t at = (uint64_t)index;

    for (const axl__arrow_dictionary *d = find_dictionary(a, f->dictionary); d && index >= 0;
         d = d->more) {
        if (at < d->values->n)
            return put_value(a, d->values, at, v);
        at -= d->values->n;
    }
    return axl__fail(AXL_ERR_FORMAT,
                     "%s: row %llu, column \"%.60s\": its dictionary has no value %lld",
                     a->source->file.path, (unsigned long long)a->row, f->name, (long long)index);
}

static bool is_null(const axl__arrow_array *array, uint64_t i)
{
    return array->valid.len > 0 && !(array->valid.data[i / 8] >> i % 8 & 1);
}

static axl_status put_by_layout(arrow *a, const axl__arrow_array *array, uint64_t i, axl__json *v)
{
    const axl__arrow_field *f = array->field;
    axl__pq_bytes bytes;
    uint64_t from, to;

    switch (f->layout) {
    case AXL__ARROW_BITS:
        axl__json_set_bool(v, array->values.data[i / 8] >> i % 8 & 1);
        return AXL_OK;
    case AXL__ARROW_FIXED: return put_fixed(a, array, i, v);
    case AXL__ARROW_BYTES:
        AXL_TRY(range_of(a, array, i, array->values.len, &from, &to));
        return put_bytes(a, f, (axl__pq_bytes){ array->values.data + from, to - from }, v);
    case AXL__ARROW_VIEWS: AXL_TRY(view_of(a, array, i, &bytes)); return put_bytes(a, f, bytes, v);
    case AXL__ARROW_LIST:
        AXL_TRY(range_of(a, array, i, array->child->n, &from, &to));
        return put_list(a, array, from, to, v);
    case AXL__ARROW_FIXED_LIST: return put_list(a, array, i * f->width, (i + 1) * f->width, v);
    case AXL__ARROW_STRUCT: return put_struct(a, array, i, v);
    default: return AXL_OK;
    }
}

/* i is below the array's n.  What an array says of a dictionary's own values it says as values. */
static axl_status put_value(arrow *a, const axl__arrow_array *array, uint64_t i, axl__json *v)
{
    if (is_null(array, i))
        return AXL_OK;
    return array->encoded ? put_encoded(a, array, i, v) : put_by_layout(a, array, i, v);
}

static axl_status arrow_next(axl__source *s, axl__arena *arena, const axl__json **record,
                             axl__record_error *e)
{
    arrow *a = s->state;

    if (a->next_row == a->n_rows) {
        axl_status status = next_batch(a);
        if (status != AXL_OK)
            return status;
    }
    axl__json *v = axl__arena_alloc(arena, sizeof *v);
    if (!v)
        return axl__fail_nomem();
    e->at = ++a->row;
    a->arena = arena;
    a->left = arrow_record_max;
    a->bad = NULL;
    AXL_TRY(put_struct(a, a->columns, a->next_row++, v));
    *record = v;
    if (!a->bad)
        return AXL_OK;
    snprintf(e->why.text, sizeof e->why.text, "\"%.60s\": %s", a->bad->name, a->why);
    return AXL_ERR_DATA;
}

/* ---- the file ---- */

static void arrow_close(axl__source *s)
{
    arrow *a = s->state;

    axl__arena_free(&a->schema);
    axl__arena_free(&a->dictionaries);
    axl__arena_free(&a->batch);
    axl__free(s->ctx, a);
}

/* Said once, for a type that is taken in by none of what was read. */
static void tell_out(const arrow *a, const axl__arrow_field *owner)
{
    for (const axl__arrow_field *f = owner->child; f; f = f->next) {
        if (f->left_out)
            axl__log(a->source->ctx, AXL_LOG_WARNING,
                     "%s: the column \"%s\" is left out: it holds bytes, or values that a record "
                     "cannot have",
                     a->source->file.path, f->name);
        else
            tell_out(a, f);
    }
}

static axl_status arrow_begin(arrow *a)
{
    static const char magic[] = "ARROW1";
    const axl__file *file = &a->source->file;
    message m;

    a->end = file->size;
    if (file->size >= 20 && memcmp(file->data, magic, 6) == 0) {
        int32_t footer = axl__flat_i32(file->data + file->size - 10);
        if (memcmp(file->data + file->size - 6, magic, 6) != 0 || footer < 0 ||
            (size_t)footer > file->size - 18)
            return arrow_broken(a, "it does not end as one");
        a->at = 8;
        a->end = file->size - 10 - (size_t)footer;
    }
    if (file->size >= 4 && memcmp(file->data, "FEA1", 4) == 0)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s: a feather file of version 1, which is not read; write version 2",
                         file->path);
    axl_status status = next_message(a, &m);
    if (status == AXL_END || (status == AXL_OK && m.kind != MESSAGE_SCHEMA))
        return arrow_broken(a, "it has no schema");
    if (status == AXL_OK)
        status = axl__arrow_schema_read(&a->root, &a->schema, &m.header, file->path);
    if (status == AXL_OK)
        tell_out(a, &a->root);
    return status;
}

static axl_status arrow_open(axl__source *s)
{
    arrow *a = s->state = axl__calloc(s->ctx, 1, sizeof *a);

    if (!a)
        return axl__fail_nomem();
    a->source = s;
    axl__arena_init(&a->schema, s->ctx);
    axl__arena_init(&a->dictionaries, s->ctx);
    axl__arena_init(&a->batch, s->ctx);
    axl_status status = arrow_begin(a);
    if (status != AXL_OK)
        arrow_close(s);
    return status;
}

static size_t arrow_progress(const axl__source *s)
{
    return ((const arrow *)s->state)->at;
}

const axl__reader axl__read_arrow = {
    .format = "arrow",
    .suffix = ".arrow",
    .place = "row",
    .binary = true,
    .open = arrow_open,
    .next = arrow_next,
    .close = arrow_close,
    .progress = arrow_progress,
};

const axl__reader axl__read_feather = {
    .format = "arrow",
    .suffix = ".feather",
    .place = "row",
    .binary = true,
    .open = arrow_open,
    .next = arrow_next,
    .close = arrow_close,
    .progress = arrow_progress,
};
