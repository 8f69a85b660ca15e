/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parquet_column.c - a leaf's entries in a row group, page after page: how deep each repeats and is
 * defined, and its value.  A page and a dictionary are in memory at a time, as they lie in the file
 * where they are not compressed.
 */
#include "data/read/parquet.h"

#include "data/read/thrift.h"

#include <string.h>

enum { PAGE_DATA = 0, PAGE_DICTIONARY = 2, PAGE_DATA_2 = 3 };
enum { PAGE_MAX = 256 << 20, LEVELS_AS_RUNS = 3 };

/* What stands before a page. */
typedef struct {
    int64_t type, unpacked, packed; /* sizes in bytes */
    int64_t n_values, encoding, rep_encoding, def_encoding;
    int64_t rep_size, def_size; /* of a page of the second version, before its values */
    bool plain;                 /* such a page is not compressed, whatever the codec */
} page_head;

axl_status axl__pq_column_fail(const axl__pq_column *c, const char *why)
{
    return axl__fail(AXL_ERR_FORMAT, "%s: column \"%s\", page at byte %llu: %s", c->file->path,
                     c->leaf->name, (unsigned long long)c->page_at, why);
}

void axl__pq_column_init(axl__pq_column *c, const axl__file *file, const axl__pq_node *leaf,
                         size_t *held)
{
    memset(c, 0, sizeof *c);
    c->file = file;
    c->leaf = leaf;
    c->held = held;
    c->values.leaf = leaf;
    axl__str_init(&c->page, file->ctx);
    axl__str_init(&c->dictionary_page, file->ctx);
    axl__str_init(&c->dictionary.offsets, file->ctx);
    axl__str_init(&c->values.value, file->ctx);
}

void axl__pq_column_free(axl__pq_column *c)
{
    axl__str_free(&c->page);
    axl__str_free(&c->dictionary_page);
    axl__str_free(&c->dictionary.offsets);
    axl__str_free(&c->values.value);
}

axl_status axl__pq_column_begin(axl__pq_column *c, const axl__pq_chunk *chunk)
{
    c->chunk = *chunk;
    c->page_at = chunk->at;
    c->page_left = 0;
    c->has_dictionary = c->ready = c->ended = false;
    c->values.dictionary = NULL;
    return axl__pq_codec_check(chunk->codec, c->file->path);
}

/* ---- heads ---- */

/* The fields of a data page's, a dictionary's and a second data page's head, by number. */
static void read_page_fields(axl__thrift *t, axl__thrift_field field, page_head *h)
{
    axl__thrift_field f = { 0 };
    bool second = field.id == 8;

    if (!axl__thrift_struct(t, field))
        return;
    while (axl__thrift_next(t, &f)) {
        if (second && f.id == 7) {
            h->plain = !axl__thrift_bool(f);
            axl__thrift_skip(t, f);
            continue;
        }
        bool number = f.type >= AXL__THRIFT_BYTE && f.type <= AXL__THRIFT_I64;
        int64_t value = axl__thrift_int(t, f);
        if (f.id == 1 && number)
            h->n_values = value;
        else if (f.id == (second ? 4 : 2))
            h->encoding = value;
        else if (f.id == (second ? 5 : 3))
            *(second ? &h->def_size : &h->def_encoding) = value;
        else if (f.id == (second ? 6 : 4))
            *(second ? &h->rep_size : &h->rep_encoding) = value;
    }
}

static void read_page_head(axl__thrift *t, page_head *h)
{
    axl__thrift_field f = { 0 };

    while (axl__thrift_next(t, &f)) {
        if (f.id == 1)
            h->type = axl__thrift_int(t, f);
        else if (f.id == 2)
            h->unpacked = axl__thrift_int(t, f);
        else if (f.id == 3)
            h->packed = axl__thrift_int(t, f);
        else if (f.id == 5 || f.id == 7 || f.id == 8)
            read_page_fields(t, f, h);
        else
            axl__thrift_skip(t, f);
    }
}

/* The next page's head, behind which the page lies; the chunk moves on behind it. */
static axl_status next_page(axl__pq_column *c, page_head *h, const uint8_t **data)
{
    const uint8_t *at = c->file->data + c->chunk.at;
    axl__thrift t = { at, at + c->chunk.size, false };

    memset(h, 0, sizeof *h);
    h->type = h->unpacked = h->packed = h->n_values = -1;
    c->page_at = c->chunk.at;
    if (c->chunk.size == 0)
        return axl__pq_column_fail(c, "the column ends early");
    read_page_head(&t, h);
    if (t.bad || h->packed < 0 || h->unpacked < 0)
        return axl__pq_column_fail(c, "its head is malformed");
    if (h->packed > t.end - t.at)
        return axl__pq_column_fail(c, "it is longer than what is left of the column");
    if (h->unpacked > PAGE_MAX)
        return axl__pq_column_fail(c, "it is larger than 256 MiB");
    *data = t.at;
    c->chunk.at += (uint64_t)(t.at - at) + (uint64_t)h->packed;
    c->chunk.size -= (uint64_t)(t.at - at) + (uint64_t)h->packed;
    return AXL_OK;
}

/* ---- pages ---- */

/* Bytes of a page (packed, then unpacked many), in the file or in room.  What stays in room counts
 * as held. */
static axl_status unpack(axl__pq_column *c, axl__str *room, const uint8_t **data, size_t *len,
                         size_t unpacked)
{
    size_t before = room->cap;

    if (c->chunk.codec == 0)
        return *len == unpacked ? AXL_OK : axl__pq_column_fail(c, "its sizes differ");
    axl__str_clear(room);
    if (*c->held - before + unpacked > AXL__PQ_HELD_MAX)
        return axl__fail(AXL_ERR_FORMAT, "%s: the pages of its columns take more than 1 GiB",
                         c->file->path);
    bool there = axl__str_reserve(room, unpacked + 1);
    *c->held += room->cap - before;
    if (!there)
        return axl__fail_nomem();
    axl_status status =
        axl__pq_unpack(c->file->ctx, c->chunk.codec, *data, *len, (uint8_t *)room->data, unpacked);
    if (status == AXL_ERR_FORMAT)
        return axl__pq_column_fail(c, "its compressed bytes are malformed");
    AXL_TRY(status);
    *data = (const uint8_t *)room->data;
    *len = unpacked;
    return AXL_OK;
}

static axl_status begin_dictionary(axl__pq_column *c, const page_head *h, const uint8_t *data)
{
    size_t len = (size_t)h->packed;

    if (c->has_dictionary || h->n_values < 0)
        return axl__pq_column_fail(c, "a second dictionary, or one without a size");
    AXL_TRY(unpack(c, &c->dictionary_page, &data, &len, (size_t)h->unpacked));
    const char *why =
        axl__pq_dictionary_read(&c->dictionary, c->leaf, data, len, (uint64_t)h->n_values);
    if (why)
        return *why ? axl__pq_column_fail(c, why) : axl__fail_nomem();
    c->has_dictionary = true;
    c->values.dictionary = &c->dictionary;
    return AXL_OK;
}

static unsigned bits_of(uint32_t most)
{
    unsigned bits = 0;

    for (; most > 0; most >>= 1)
        bits++;
    return bits;
}

/* Levels of a page of the first version, with their length before them. */
static bool counted_levels(axl__pq_runs *runs, uint32_t most, const uint8_t **data, size_t *len)
{
    uint32_t size = 0;

    *runs = axl__pq_runs_of(*data, *data, 0);
    if (most == 0)
        return true;
    if (*len < 4)
        return false;
    memcpy(&size, *data, sizeof size);
    if (size > *len - 4)
        return false;
    *runs = axl__pq_runs_of(*data + 4, *data + 4 + size, bits_of(most));
    *data += 4 + (size_t)size;
    *len -= 4 + (size_t)size;
    return true;
}

static axl_status begin_values(axl__pq_column *c, const page_head *h, const uint8_t *data,
                               size_t len)
{
    const char *why = axl__pq_values_begin(&c->values, (int32_t)h->encoding, data, data + len,
                                           (uint64_t)h->n_values);

    if (why)
        return axl__pq_column_fail(c, why);
    c->page_left = (uint64_t)h->n_values;
    return AXL_OK;
}

static axl_status begin_data(axl__pq_column *c, const page_head *h, const uint8_t *data)
{
    const axl__pq_node *leaf = c->leaf;
    size_t len = (size_t)h->packed;

    if ((leaf->max_rep > 0 && h->rep_encoding != LEVELS_AS_RUNS) ||
        (leaf->max_def > 0 && h->def_encoding != LEVELS_AS_RUNS))
        return axl__pq_column_fail(c, "its levels are in an encoding that is not read");
    AXL_TRY(unpack(c, &c->page, &data, &len, (size_t)h->unpacked));
    if (!counted_levels(&c->reps, leaf->max_rep, &data, &len) ||
        !counted_levels(&c->defs, leaf->max_def, &data, &len))
        return axl__pq_column_fail(c, "its levels are longer than the page");
    return begin_values(c, h, data, len);
}

static axl_status begin_data_2(axl__pq_column *c, const page_head *h, const uint8_t *data)
{
    const axl__pq_node *leaf = c->leaf;
    int64_t levels = h->rep_size + h->def_size;

    if (h->rep_size < 0 || h->def_size < 0 || levels > h->packed || levels > h->unpacked)
        return axl__pq_column_fail(c, "its levels are longer than the page");
    const uint8_t *defs = data + h->rep_size, *values = defs + h->def_size;
    size_t len = (size_t)(h->packed - levels);
    c->reps = axl__pq_runs_of(data, defs, bits_of(leaf->max_rep));
    c->defs = axl__pq_runs_of(defs, values, bits_of(leaf->max_def));
    if (!h->plain && len > 0)
        AXL_TRY(unpack(c, &c->page, &values, &len, (size_t)(h->unpacked - levels)));
    return begin_values(c, h, values, len);
}

static axl_status begin_page(axl__pq_column *c)
{
    const uint8_t *data = NULL;
    page_head h;

    AXL_TRY(next_page(c, &h, &data));
    if (h.type == PAGE_DICTIONARY)
        return begin_dictionary(c, &h, data);
    if (h.type != PAGE_DATA && h.type != PAGE_DATA_2)
        return AXL_OK; /* an index, say */
    if (h.n_values < 0 || (uint64_t)h.n_values > c->chunk.n_values)
        return axl__pq_column_fail(c, "it has more values than the column");
    c->chunk.n_values -= (uint64_t)h.n_values;
    return h.type == PAGE_DATA ? begin_data(c, &h, data) : begin_data_2(c, &h, data);
}

/* ---- entries ---- */

axl_status axl__pq_column_peek(axl__pq_column *c)
{
    if (c->ready || c->ended)
        return AXL_OK;
    while (c->page_left == 0) {
        if (c->chunk.n_values == 0) {
            c->ended = true;
            c->rep = c->def = 0;
            return AXL_OK;
        }
        AXL_TRY(begin_page(c));
        AXL_TRY(axl__cancelled(c->file->ctx));
    }
    if (!axl__pq_runs_next(&c->reps, &c->rep) || !axl__pq_runs_next(&c->defs, &c->def))
        return axl__pq_column_fail(c, "its levels end early");
    if (c->rep > c->leaf->max_rep || c->def > c->leaf->max_def)
        return axl__pq_column_fail(c, "a level is higher than its column's");
    if (c->def == c->leaf->max_def && !axl__pq_values_next(&c->values, &c->value))
        return c->values.value.failed ? axl__fail_nomem()
                                      : axl__pq_column_fail(c, "its values end early, or are "
                                                               "malformed");
    c->page_left--;
    c->ready = true;
    return AXL_OK;
}
