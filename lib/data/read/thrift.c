/* SPDX-License-Identifier: Apache-2.0 */
/* thrift.c - see thrift.h. */
#include "data/read/thrift.h"

enum { DEPTH_MAX = 32 };

static uint8_t thrift_byte(axl__thrift *t)
{
    if (t->at < t->end)
        return *t->at++;
    t->bad = true;
    return 0;
}

static uint64_t thrift_varint(axl__thrift *t)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = thrift_byte(t);
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return value;
    }
    t->bad = true;
    return 0;
}

static int64_t thrift_zigzag(axl__thrift *t)
{
    uint64_t v = thrift_varint(t);

    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

static void thrift_pass(axl__thrift *t, uint64_t n)
{
    if (n <= (uint64_t)(t->end - t->at))
        t->at += n;
    else
        t->bad = true;
}

bool axl__thrift_next(axl__thrift *t, axl__thrift_field *field)
{
    uint8_t head = t->bad ? 0 : thrift_byte(t);

    field->type = head & 0x0F;
    if (field->type == AXL__THRIFT_STOP)
        return false;
    field->id = (int16_t)(head >> 4 ? field->id + (head >> 4) : thrift_zigzag(t));
    return !t->bad;
}

/* The size of a list and the type of its items. */
static uint64_t list_head(axl__thrift *t, uint8_t *type)
{
    uint8_t head = thrift_byte(t);
    uint64_t n = head >> 4 == 15 ? thrift_varint(t) : head >> 4;

    *type = head & 0x0F;
    if (n > (uint64_t)(t->end - t->at))
        t->bad = true;
    return t->bad ? 0 : n;
}

static void skip_value(axl__thrift *t, uint8_t type, bool item, int depth);

static void skip_items(axl__thrift *t, uint8_t type, uint64_t n, int depth)
{
    for (uint64_t i = 0; i < n && !t->bad; i++)
        skip_value(t, type, true, depth);
}

static void skip_map(axl__thrift *t, int depth)
{
    uint64_t n = thrift_varint(t);
    uint8_t types = n > 0 ? thrift_byte(t) : 0;

    for (uint64_t i = 0; i < n && !t->bad; i++) {
        skip_value(t, types >> 4, true, depth);
        skip_value(t, types & 0x0F, true, depth);
    }
}

/* A boolean takes a byte as an item, and none as a field, whose type says it. */
static void skip_value(axl__thrift *t, uint8_t type, bool item, int depth)
{
    axl__thrift_field field = { 0 };
    uint8_t items;
    uint64_t n;

    if (depth > DEPTH_MAX)
        t->bad = true;
    if (t->bad)
        return;
    switch (type) {
    case AXL__THRIFT_TRUE:
    case AXL__THRIFT_FALSE: thrift_pass(t, item); break;
    case AXL__THRIFT_BYTE: thrift_pass(t, 1); break;
    case AXL__THRIFT_I16:
    case AXL__THRIFT_I32:
    case AXL__THRIFT_I64: thrift_varint(t); break;
    case AXL__THRIFT_DOUBLE: thrift_pass(t, 8); break;
    case AXL__THRIFT_BINARY: thrift_pass(t, thrift_varint(t)); break;
    case AXL__THRIFT_LIST:
    case AXL__THRIFT_SET:
        n = list_head(t, &items);
        skip_items(t, items, n, depth + 1);
        break;
    case AXL__THRIFT_MAP: skip_map(t, depth + 1); break;
    case AXL__THRIFT_STRUCT:
        while (axl__thrift_next(t, &field))
            skip_value(t, field.type, false, depth + 1);
        break;
    default: t->bad = true;
    }
}

void axl__thrift_skip(axl__thrift *t, axl__thrift_field field)
{
    skip_value(t, field.type, false, 0);
}

int64_t axl__thrift_int(axl__thrift *t, axl__thrift_field field)
{
    if (field.type == AXL__THRIFT_BYTE)
        return (int8_t)thrift_byte(t);
    if (field.type >= AXL__THRIFT_I16 && field.type <= AXL__THRIFT_I64)
        return thrift_zigzag(t);
    axl__thrift_skip(t, field);
    return 0;
}

bool axl__thrift_bool(axl__thrift_field field)
{
    return field.type == AXL__THRIFT_TRUE;
}

const char *axl__thrift_binary(axl__thrift *t, axl__thrift_field field, size_t *len)
{
    *len = 0;
    if (field.type != AXL__THRIFT_BINARY) {
        axl__thrift_skip(t, field);
        return "";
    }
    uint64_t n = thrift_varint(t);
    const char *text = (const char *)t->at;
    thrift_pass(t, n);
    *len = t->bad ? 0 : (size_t)n;
    return text;
}

bool axl__thrift_struct(axl__thrift *t, axl__thrift_field field)
{
    if (field.type != AXL__THRIFT_STRUCT)
        axl__thrift_skip(t, field);
    return field.type == AXL__THRIFT_STRUCT && !t->bad;
}

size_t axl__thrift_list(axl__thrift *t, axl__thrift_field field, axl__thrift_type type)
{
    uint8_t items;

    if (field.type != AXL__THRIFT_LIST) {
        axl__thrift_skip(t, field);
        return 0;
    }
    uint64_t n = list_head(t, &items);
    if (items == type)
        return (size_t)n;
    skip_items(t, items, n, 1);
    return 0;
}
