/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arrow_batch.c - the arrays of a record batch: its nodes and buffers dealt out to the fields, in
 * the order of the schema, and unpacked.  That buffers are as long as their values need is checked
 * here; where offsets and views lead, when a value is read.
 */
#include "data/read/arrow.h"
#include "data/read/parquet_pack.h"

#include <string.h>

typedef struct {
    axl__arena *arena;
    const char *path;
    axl__pq_bytes body;
    axl__flat_vector nodes, buffers, counts;
    size_t node, buffer, count; /* the next ones */
    int64_t codec;              /* -1: none */
    size_t *held;
} batch;

static axl_status broken(const batch *b, const char *why)
{
    return axl__fail(AXL_ERR_FORMAT, "%s: broken record batch: %s", b->path, why);
}

static const struct {
    const char *name;
    const char *const *lacks;
    bool (*unpack)(const uint8_t *in, size_t len, uint8_t *out, size_t n);
} codecs[] = {
    { "lz4", &axl__unlz4_lacks, axl__unlz4_frame },
    { "zstd", &axl__zstd.lacks, axl__unzstd_block },
};

static axl_status check_codec(const batch *b)
{
    if (b->codec < 0)
        return AXL_OK;
    if (b->codec > 1)
        return axl__fail(AXL_ERR_UNSUPPORTED, "%s: its buffers are compressed in an unknown way",
                         b->path);
    if (*codecs[b->codec].lacks)
        return axl__fail(
            AXL_ERR_UNSUPPORTED,
            "%s: its buffers are compressed by %s: this build of axl was made without %s", b->path,
            codecs[b->codec].name, *codecs[b->codec].lacks);
    return AXL_OK;
}

/* Eight bytes that say how long it is before the packed ones; -1: they are not packed. */
static axl_status unpack(batch *b, axl__pq_bytes *buffer)
{
    if (b->codec < 0 || buffer->len == 0)
        return AXL_OK;
    if (buffer->len < 8)
        return broken(b, "a compressed buffer ends early");
    int64_t size = axl__flat_i64(buffer->data);
    buffer->data += 8;
    buffer->len -= 8;
    if (size == -1)
        return AXL_OK;
    if (size < 0 || (uint64_t)size > AXL__PQ_HELD_MAX - *b->held)
        return broken(b, "a compressed buffer holds more than is read of a batch, 1 GiB");
    uint8_t *out = axl__arena_alloc(b->arena, (size_t)size);
    if (!out)
        return axl__fail_nomem();
    *b->held += (size_t)size;
    if (!codecs[b->codec].unpack(buffer->data, buffer->len, out, (size_t)size))
        return broken(b, "a compressed buffer is damaged");
    *buffer = (axl__pq_bytes){ out, (size_t)size };
    return AXL_OK;
}

/* The next buffer: its place in the body and its length. */
static axl_status next_buffer(batch *b, axl__pq_bytes *out)
{
    if (b->buffer == b->buffers.n)
        return broken(b, "fewer buffers than the schema has");
    const uint8_t *entry = b->buffers.data + 16 * b->buffer++;
    int64_t at = axl__flat_i64(entry), len = axl__flat_i64(entry + 8);
    if (at < 0 || len < 0 || (uint64_t)at > b->body.len ||
        (uint64_t)len > b->body.len - (uint64_t)at)
        return broken(b, "a buffer leads out of it");
    *out = (axl__pq_bytes){ b->body.data + at, (size_t)len };
    return unpack(b, out);
}

/* Whether a buffer has n values of so many bytes; of no value it may be empty. */
static bool has_values(axl__pq_bytes buffer, uint64_t n, uint32_t width)
{
    return width == 0 || n <= buffer.len / width;
}

/* The last offset is behind the last value; without values there may be none. */
static axl_status read_offsets(batch *b, axl__arrow_array *a, uint32_t width)
{
    AXL_TRY(next_buffer(b, &a->offsets));
    return a->n == 0 || has_values(a->offsets, a->n + 1, width) ? AXL_OK
                                                                : broken(b, "offsets end early");
}

static axl_status read_fixed(batch *b, axl__arrow_array *a, uint32_t width)
{
    AXL_TRY(next_buffer(b, &a->values));
    return has_values(a->values, a->n, width) ? AXL_OK : broken(b, "values end early");
}

static axl_status read_views(batch *b, axl__arrow_array *a)
{
    AXL_TRY(read_fixed(b, a, 16));
    if (b->count == b->counts.n)
        return broken(b, "no number of a column's buffers");
    int64_t n = axl__flat_i64(b->counts.data + 8 * b->count++);
    if (n < 0 || (uint64_t)n > b->buffers.n - b->buffer)
        return broken(b, "fewer buffers than the schema has");
    a->n_views = (size_t)n;
    a->views = axl__arena_alloc(b->arena, a->n_views * sizeof *a->views);
    if (!a->views)
        return axl__fail_nomem();
    for (size_t i = 0; i < a->n_views; i++)
        AXL_TRY(next_buffer(b, &a->views[i]));
    return AXL_OK;
}

/* The buffers behind the validity. */
static axl_status read_buffers(batch *b, axl__arrow_array *a, const axl__arrow_field *f)
{
    switch (f->layout) {
    case AXL__ARROW_BITS:
        AXL_TRY(next_buffer(b, &a->values));
        return a->n <= 8 * (uint64_t)a->values.len ? AXL_OK : broken(b, "values end early");
    case AXL__ARROW_FIXED: return read_fixed(b, a, f->width);
    case AXL__ARROW_BYTES: AXL_TRY(read_offsets(b, a, f->width)); return next_buffer(b, &a->values);
    case AXL__ARROW_VIEWS: return read_views(b, a);
    case AXL__ARROW_LIST: return read_offsets(b, a, f->width);
    case AXL__ARROW_LIST_VIEW:
    case AXL__ARROW_DENSE: AXL_TRY(next_buffer(b, &a->offsets)); return next_buffer(b, &a->values);
    case AXL__ARROW_UNION: return next_buffer(b, &a->values);
    default: return AXL_OK;
    }
}

static bool has_validity(const axl__arrow_field *f)
{
    return f->layout != AXL__ARROW_NULL && f->layout != AXL__ARROW_UNION &&
           f->layout != AXL__ARROW_DENSE && f->layout != AXL__ARROW_RUNS;
}

static axl_status read_array(batch *b, axl__arrow_array **out, const axl__arrow_field *f,
                             bool as_values);

/* A struct's children and a list's items are as many as it needs. */
static axl_status read_children(batch *b, axl__arrow_array *a, const axl__arrow_field *f)
{
    axl__arrow_array **tail = &a->child;

    for (const axl__arrow_field *c = f->child; c; c = c->next) {
        AXL_TRY(read_array(b, tail, c, false));
        uint64_t n = (*tail)->n;
        if ((f->layout == AXL__ARROW_STRUCT && n < a->n) ||
            (f->layout == AXL__ARROW_FIXED_LIST && f->width > 0 && n / f->width < a->n))
            return broken(b, "columns of unlike length");
        tail = &(*tail)->next;
    }
    return AXL_OK;
}

/* As deep as the schema, which has a limit. */
static axl_status read_array(batch *b, axl__arrow_array **out, const axl__arrow_field *f,
                             bool as_values)
{
    axl__arrow_array *a = *out = axl__arena_alloc(b->arena, sizeof *a);
    const bool encoded = f->encoded && !as_values;

    if (!a)
        return axl__fail_nomem();
    if (b->node == b->nodes.n)
        return broken(b, "fewer columns than the schema has");
    const uint8_t *node = b->nodes.data + 16 * b->node++;
    int64_t n = axl__flat_i64(node), nulls = axl__flat_i64(node + 8);
    if (n < 0)
        return broken(b, "a column of negative length");
    a->field = f;
    a->n = (uint64_t)n;
    a->encoded = encoded;
    if (encoded || has_validity(f))
        AXL_TRY(next_buffer(b, &a->valid));
    if (nulls == 0)
        a->valid.len = 0;
    if (a->valid.len > 0 && a->n > 8 * (uint64_t)a->valid.len)
        return broken(b, "a column's nulls end early");
    if (encoded)
        return read_fixed(b, a, f->index_width);
    AXL_TRY(read_buffers(b, a, f));
    return read_children(b, a, f);
}

static axl_status read_root(batch *b, axl__arrow_array **out, const axl__arrow_field *root,
                            uint64_t n)
{
    axl__arrow_array *a = *out = axl__arena_alloc(b->arena, sizeof *a);

    if (!a)
        return axl__fail_nomem();
    a->field = root;
    a->n = n;
    return read_children(b, a, root);
}

axl_status axl__arrow_batch_read(axl__arrow_array **out, uint64_t *n, axl__arena *arena,
                                 const axl__arrow_field *field, bool as_values,
                                 const axl__flat_table *table, axl__pq_bytes body, size_t *held,
                                 const char *path)
{
    axl__flat_table packed = axl__flat_sub(table, 3);
    batch b = { .arena = arena, .path = path, .body = body, .held = held };
    int64_t rows = axl__flat_int(table, 0, 8, 0);

    b.nodes = axl__flat_list(table, 1, 16);
    b.buffers = axl__flat_list(table, 2, 16);
    b.counts = axl__flat_list(table, 4, 8);
    b.codec = packed.flat ? axl__flat_int(&packed, 0, 1, 0) : -1;
    if (!table->flat || table->flat->broken || rows < 0 || b.codec < -1)
        return broken(&b, "its description leads out of it");
    AXL_TRY(check_codec(&b));
    *n = (uint64_t)rows;
    return as_values ? read_array(&b, out, field, true) : read_root(&b, out, field, *n);
}
