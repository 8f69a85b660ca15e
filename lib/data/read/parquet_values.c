/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parquet_values.c - the encodings of a page's values, each read one value at a time, so that a
 * page that says it has two thousand million of them takes no memory for it.
 */
#include "data/read/parquet.h"

#include <string.h>

/* The codes of the format. */
enum {
    PLAIN = 0,
    PLAIN_DICTIONARY = 2,
    RLE = 3,
    DELTA_BINARY_PACKED = 5,
    DELTA_LENGTH_BYTE_ARRAY = 6,
    DELTA_BYTE_ARRAY = 7,
    RLE_DICTIONARY = 8,
    BYTE_STREAM_SPLIT = 9
};

size_t axl__pq_width(const axl__pq_node *leaf)
{
    static const size_t widths[] = { 0, 4, 8, 12, 4, 8, 0 };

    return leaf->type == AXL__PQ_FIXED ? leaf->width : widths[leaf->type];
}

static bool take_varint(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

/* width bits (up to 64) at a bit of the bytes from data to end; false where they are not there. */
static bool take_bits(const uint8_t *data, const uint8_t *end, uint64_t bit, unsigned width,
                      uint64_t *value)
{
    uint64_t first = bit / 8, last = (bit + width + 7) / 8;
    unsigned shift = bit % 8;

    *value = 0;
    if (last > (uint64_t)(end - data))
        return false;
    for (uint64_t i = first; i < last; i++) {
        unsigned at = (unsigned)(i - first) * 8;
        if (at >= shift)
            *value |= at - shift < 64 ? (uint64_t)data[i] << (at - shift) : 0;
        else
            *value |= (uint64_t)data[i] >> (shift - at);
    }
    if (width < 64)
        *value &= ((uint64_t)1 << width) - 1;
    return true;
}

/* ---- runs ---- */

axl__pq_runs axl__pq_runs_of(const uint8_t *at, const uint8_t *end, unsigned width)
{
    return (axl__pq_runs){ .at = at, .end = end, .width = width };
}

static bool next_run(axl__pq_runs *r)
{
    uint64_t head, value = 0;

    if (r->packed) { /* what was packed lies before the next run; the last may be cut */
        uint64_t size = (r->bit + 7) / 8;
        r->at += size < (uint64_t)(r->end - r->at) ? size : (uint64_t)(r->end - r->at);
    }
    r->packed = false;
    if (!take_varint(&r->at, r->end, &head) || head >> 1 > UINT32_MAX)
        return false;
    r->packed = head & 1;
    r->bit = 0;
    r->left = r->packed ? (head >> 1) * 8 : head >> 1;
    if (r->packed)
        return true;
    if (!take_bits(r->at, r->end, 0, r->width, &value))
        return false;
    r->at += (r->width + 7) / 8;
    r->value = (uint32_t)value;
    return true;
}

bool axl__pq_runs_next(axl__pq_runs *r, uint32_t *value)
{
    uint64_t bits;

    *value = 0;
    if (r->width == 0)
        return true;
    while (r->left == 0)
        if (!next_run(r))
            return false;
    r->left--;
    *value = r->value;
    if (!r->packed)
        return true;
    if (!take_bits(r->at, r->end, r->bit, r->width, &bits))
        return false;
    r->bit += r->width;
    *value = (uint32_t)bits;
    return true;
}

/* ---- deltas ---- */

static bool take_zigzag(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    uint64_t v;

    if (!take_varint(at, end, &v))
        return false;
    *value = v >> 1 ^ (0 - (v & 1));
    return true;
}

static bool deltas_begin(axl__pq_deltas *d, const uint8_t *at, const uint8_t *end, uint64_t most)
{
    uint64_t block;

    memset(d, 0, sizeof *d);
    d->at = at;
    d->end = end;
    if (!take_varint(&d->at, end, &block) || !take_varint(&d->at, end, &d->n_minis) ||
        !take_varint(&d->at, end, &d->left) || !take_zigzag(&d->at, end, &d->last))
        return false;
    if (d->n_minis == 0 || block > UINT32_MAX || block % d->n_minis != 0 || d->left > most)
        return false;
    d->in_mini = block / d->n_minis;
    d->mini = d->n_minis;
    d->first = true;
    return d->in_mini > 0 && d->in_mini % 8 == 0;
}

/* To the next miniblock. */
static bool next_mini(axl__pq_deltas *d)
{
    if (d->mini == d->n_minis) {
        if (!take_zigzag(&d->at, d->end, &d->least) || d->n_minis > (uint64_t)(d->end - d->at))
            return false;
        d->widths = d->at;
        d->at += d->n_minis;
        d->mini = 0;
    }
    d->width = d->widths[d->mini++];
    d->data = d->at;
    d->bit = 0;
    d->mini_left = d->in_mini;
    uint64_t size = d->in_mini / 8 * d->width;
    if (d->width > 64)
        return false;
    d->at += size < (uint64_t)(d->end - d->at) ? size : (uint64_t)(d->end - d->at);
    return true;
}

static bool deltas_next(axl__pq_deltas *d, uint64_t *value)
{
    uint64_t delta;

    if (d->left == 0)
        return false;
    d->left--;
    if (!d->first) {
        if (d->mini_left == 0 && !next_mini(d))
            return false;
        if (!take_bits(d->data, d->end, d->bit, d->width, &delta))
            return false;
        d->bit += d->width;
        d->mini_left--;
        d->last += d->least + delta;
    }
    d->first = false;
    *value = d->last;
    return true;
}

/* Where what follows the deltas begins: without reading them, whatever number is claimed. */
static bool deltas_end(axl__pq_deltas d, const uint8_t **end)
{
    uint64_t left = d.left > 0 ? d.left - 1 : 0;

    while (left > 0) {
        if (!next_mini(&d))
            return false;
        left -= left < d.in_mini ? left : d.in_mini;
    }
    *end = d.at;
    return true;
}

/* ---- dictionaries ---- */

/* A value with its length before it. */
static bool take_counted(const uint8_t **at, const uint8_t *end, axl__pq_bytes *value)
{
    uint32_t len;

    if (end - *at < 4)
        return false;
    memcpy(&len, *at, sizeof len);
    if (len > (uint64_t)(end - *at) - 4)
        return false;
    *value = (axl__pq_bytes){ *at + 4, len };
    *at += 4 + (size_t)len;
    return true;
}

const char *axl__pq_dictionary_read(axl__pq_dictionary *d, const axl__pq_node *leaf,
                                    const uint8_t *data, size_t len, uint64_t n)
{
    static const char too_short[] = "the dictionary is shorter than it says";
    const uint8_t *at = data, *end = data + len;
    size_t width = axl__pq_width(leaf);
    axl__pq_bytes value;

    axl__str_clear(&d->offsets);
    d->data = data;
    d->n = (size_t)n;
    if (leaf->type == AXL__PQ_BOOLEAN)
        return "a dictionary of booleans";
    if (width > 0)
        return n > len / width ? too_short : NULL;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t offset = (uint32_t)(at - data);
        if (!take_counted(&at, end, &value))
            return too_short;
        axl__str_put(&d->offsets, &offset, sizeof offset);
    }
    return d->offsets.failed ? "" : NULL;
}

static bool dictionary_value(const axl__pq_values *v, uint32_t i, axl__pq_bytes *value)
{
    const axl__pq_dictionary *d = v->dictionary;
    size_t width = axl__pq_width(v->leaf);
    uint32_t offset, len;

    if (i >= d->n)
        return false;
    if (width > 0) {
        *value = (axl__pq_bytes){ d->data + i * width, width };
        return true;
    }
    memcpy(&offset, d->offsets.data + i * sizeof offset, sizeof offset);
    memcpy(&len, d->data + offset, sizeof len);
    *value = (axl__pq_bytes){ d->data + offset + sizeof len, len };
    return true;
}

/* ---- values ---- */

static const char *begin_runs(axl__pq_values *v)
{
    if (v->at == v->end)
        return NULL; /* of nulls alone; a value would fail */
    unsigned width = *v->at++;
    v->runs = axl__pq_runs_of(v->at, v->end, width);
    return width > 32 ? "indices of more than 32 bits" : NULL;
}

static const char *begin_booleans(axl__pq_values *v)
{
    uint32_t len;

    if (v->leaf->type != AXL__PQ_BOOLEAN || v->end - v->at < 4)
        return v->at == v->end ? NULL : "run lengths of what are no booleans";
    memcpy(&len, v->at, sizeof len);
    v->at += 4;
    if (len > (uint64_t)(v->end - v->at))
        return "the page ends early";
    v->runs = axl__pq_runs_of(v->at, v->at + len, 1);
    return NULL;
}

static const char *begin_deltas(axl__pq_values *v, uint64_t n)
{
    static const char broken[] = "its packed differences are malformed";

    if (v->at == v->end)
        return NULL;
    if (v->encoding == DELTA_BYTE_ARRAY &&
        (!deltas_begin(&v->prefixes, v->at, v->end, n) || !deltas_end(v->prefixes, &v->at)))
        return broken;
    if (!deltas_begin(&v->lengths, v->at, v->end, n))
        return broken;
    if (v->encoding == DELTA_BINARY_PACKED)
        return NULL;
    return deltas_end(v->lengths, &v->at) ? NULL : broken;
}

const char *axl__pq_values_begin(axl__pq_values *v, int32_t encoding, const uint8_t *at,
                                 const uint8_t *end, uint64_t n)
{
    axl__pq_type type = v->leaf->type;
    size_t width = axl__pq_width(v->leaf);
    bool integer = type == AXL__PQ_INT32 || type == AXL__PQ_INT64;
    bool bytes = type == AXL__PQ_BYTE_ARRAY || type == AXL__PQ_FIXED;

    v->encoding = encoding == PLAIN_DICTIONARY ? RLE_DICTIONARY : encoding;
    v->at = at;
    v->end = end;
    v->index = 0;
    v->n = width > 0 ? (uint64_t)(end - at) / width : 0;
    v->runs = axl__pq_runs_of(end, end, 1);
    axl__str_clear(&v->value);
    memset(&v->prefixes, 0, sizeof v->prefixes);
    memset(&v->lengths, 0, sizeof v->lengths);
    switch (v->encoding) {
    case PLAIN: return NULL;
    case RLE_DICTIONARY: return v->dictionary ? begin_runs(v) : "a dictionary is missing";
    case RLE: return begin_booleans(v);
    case DELTA_BINARY_PACKED:
        return integer ? begin_deltas(v, n) : "differences of what are no integers";
    case DELTA_LENGTH_BYTE_ARRAY:
        if (type == AXL__PQ_FIXED)
            break;
        return bytes ? begin_deltas(v, n) : "lengths of what are no texts";
    case DELTA_BYTE_ARRAY: return bytes ? begin_deltas(v, n) : "prefixes of what are no texts";
    case BYTE_STREAM_SPLIT: return width > 0 ? NULL : "bytes apart of what has no width";
    default: break;
    }
    return "its values are in an encoding that is not known";
}

/* The value is what was put together. */
static bool made(axl__pq_values *v, axl__pq_bytes *value)
{
    *value = (axl__pq_bytes){ (const uint8_t *)axl__str_text(&v->value), v->value.len };
    return !v->value.failed;
}

static bool plain_next(axl__pq_values *v, axl__pq_bytes *value)
{
    size_t width = axl__pq_width(v->leaf);
    uint64_t bit;

    if (v->leaf->type == AXL__PQ_BOOLEAN) {
        if (!take_bits(v->at, v->end, v->index++, 1, &bit))
            return false;
        axl__str_clear(&v->value);
        axl__str_putc(&v->value, (char)bit);
        return made(v, value);
    }
    if (width == 0)
        return take_counted(&v->at, v->end, value);
    if (width > (size_t)(v->end - v->at))
        return false;
    *value = (axl__pq_bytes){ v->at, width };
    v->at += width;
    return true;
}

static bool runs_value(axl__pq_values *v, axl__pq_bytes *value)
{
    uint32_t i;

    if (!axl__pq_runs_next(&v->runs, &i))
        return false;
    if (v->encoding == RLE_DICTIONARY)
        return dictionary_value(v, i, value);
    axl__str_clear(&v->value);
    axl__str_putc(&v->value, (char)i);
    return made(v, value);
}

static bool delta_value(axl__pq_values *v, axl__pq_bytes *value)
{
    uint64_t integer;

    if (!deltas_next(&v->lengths, &integer))
        return false;
    axl__str_clear(&v->value);
    axl__str_put(&v->value, &integer, axl__pq_width(v->leaf)); /* little-endian: the low bytes */
    return made(v, value);
}

static bool take_length(axl__pq_values *v, axl__pq_bytes *value)
{
    uint64_t len;

    if (!deltas_next(&v->lengths, &len) || len > (uint64_t)(v->end - v->at))
        return false;
    *value = (axl__pq_bytes){ v->at, (size_t)len };
    v->at += len;
    return true;
}

/* So many bytes of the value before, and what follows them. */
static bool prefix_value(axl__pq_values *v, axl__pq_bytes *value)
{
    uint64_t prefix;

    if (!deltas_next(&v->prefixes, &prefix) || prefix > v->value.len || !take_length(v, value))
        return false;
    v->value.len = (size_t)prefix;
    axl__str_put(&v->value, value->data, value->len);
    return made(v, value) &&
           (v->leaf->type != AXL__PQ_FIXED || value->len == axl__pq_width(v->leaf));
}

/* The first bytes of all values, then the second ones, and so on. */
static bool split_value(axl__pq_values *v, axl__pq_bytes *value)
{
    size_t width = axl__pq_width(v->leaf);

    if (v->index >= v->n)
        return false;
    axl__str_clear(&v->value);
    for (size_t i = 0; i < width; i++)
        axl__str_putc(&v->value, (char)v->at[i * v->n + v->index]);
    v->index++;
    return made(v, value);
}

bool axl__pq_values_next(axl__pq_values *v, axl__pq_bytes *value)
{
    switch (v->encoding) {
    case PLAIN: return plain_next(v, value);
    case DELTA_BINARY_PACKED: return delta_value(v, value);
    case DELTA_LENGTH_BYTE_ARRAY: return take_length(v, value);
    case DELTA_BYTE_ARRAY: return prefix_value(v, value);
    case BYTE_STREAM_SPLIT: return split_value(v, value);
    default: return runs_value(v, value);
    }
}
