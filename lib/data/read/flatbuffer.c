/* SPDX-License-Identifier: Apache-2.0 */
/* flatbuffer.c - see flatbuffer.h.  Numbers are little-endian, as on every machine that axl is
 * built for. */
#include "data/read/flatbuffer.h"

#include <string.h>

static const axl__flat_table absent;

int64_t axl__flat_i64(const uint8_t *at)
{
    int64_t v;

    memcpy(&v, at, sizeof v);
    return v;
}

int32_t axl__flat_i32(const uint8_t *at)
{
    int32_t v;

    memcpy(&v, at, sizeof v);
    return v;
}

static bool has(axl__flat *flat, size_t at, size_t n)
{
    if (at <= flat->len && n <= flat->len - at)
        return true;
    flat->broken = true;
    return false;
}

static uint16_t u16_at(const axl__flat *flat, size_t at)
{
    return (uint16_t)(flat->data[at] | flat->data[at + 1] << 8);
}

/* Where the offset that stands there leads; it only leads forward. */
static bool follow(axl__flat *flat, size_t at, size_t *out)
{
    if (!has(flat, at, 4))
        return false;
    *out = at + (uint32_t)axl__flat_i32(flat->data + at);
    return has(flat, *out, 4);
}

static axl__flat_table table_at(axl__flat *flat, size_t at)
{
    axl__flat_table t = { flat, at, 0, 0 };

    if (!has(flat, at, 4))
        return absent;
    int64_t fields = (int64_t)at - axl__flat_i32(flat->data + at);
    if (fields < 0 || !has(flat, (size_t)fields, 4)) {
        flat->broken = true;
        return absent;
    }
    t.fields = (size_t)fields;
    t.n = u16_at(flat, t.fields);
    return t.n >= 4 && has(flat, t.fields, t.n) ? t : absent;
}

axl__flat_table axl__flat_root(axl__flat *flat)
{
    size_t at;

    return follow(flat, 0, &at) ? table_at(flat, at) : absent;
}

/* Where a field of n bytes lies; 0: it is absent. */
static size_t field_at(const axl__flat_table *t, unsigned field, size_t n)
{
    size_t entry = 4 + 2 * (size_t)field;

    if (!t->flat || entry + 2 > t->n)
        return 0;
    uint16_t offset = u16_at(t->flat, t->fields + entry);
    return offset > 0 && has(t->flat, t->at + offset, n) ? t->at + offset : 0;
}

int64_t axl__flat_int(const axl__flat_table *t, unsigned field, unsigned width, int64_t otherwise)
{
    size_t at = field_at(t, field, width);
    int64_t v = 0;

    if (at == 0)
        return otherwise;
    memcpy(&v, t->flat->data + at, width);
    unsigned unused = 64 - 8 * width;
    return (int64_t)((uint64_t)v << unused) >> unused;
}

axl__flat_table axl__flat_sub(const axl__flat_table *t, unsigned field)
{
    size_t at = field_at(t, field, 4), to;

    return at > 0 && follow(t->flat, at, &to) ? table_at(t->flat, to) : absent;
}

axl__flat_vector axl__flat_list(const axl__flat_table *t, unsigned field, size_t width)
{
    axl__flat_vector v = { 0 };
    size_t at = field_at(t, field, 4), to;

    if (at == 0 || !follow(t->flat, at, &to))
        return v;
    size_t n = (uint32_t)axl__flat_i32(t->flat->data + to);
    if (!has(t->flat, to + 4, n * width))
        return v;
    return (axl__flat_vector){ t->flat->data + to + 4, to + 4, n };
}

axl__flat_table axl__flat_item(const axl__flat_table *owner, const axl__flat_vector *v, size_t i)
{
    size_t to;

    return follow(owner->flat, v->at + 4 * i, &to) ? table_at(owner->flat, to) : absent;
}
