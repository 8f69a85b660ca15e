/* SPDX-License-Identifier: Apache-2.0 */
/* arrow_schema.c - an Arrow schema as fields: how the values of each lie and what they mean. */
#include "data/read/arrow.h"

#include <string.h>

enum { DEPTH_MAX = 64, FIELDS_MAX = 10000 };

/* Numbers of Schema.fbs's union Type. */
enum {
    TYPE_NULL = 1,
    TYPE_INT,
    TYPE_FLOAT,
    TYPE_BINARY,
    TYPE_UTF8,
    TYPE_BOOL,
    TYPE_DECIMAL,
    TYPE_DATE,
    TYPE_TIME,
    TYPE_TIMESTAMP,
    TYPE_INTERVAL,
    TYPE_LIST,
    TYPE_STRUCT,
    TYPE_UNION,
    TYPE_FIXED_BINARY,
    TYPE_FIXED_LIST,
    TYPE_MAP,
    TYPE_DURATION,
    TYPE_LARGE_BINARY,
    TYPE_LARGE_UTF8,
    TYPE_LARGE_LIST,
    TYPE_RUN_END_ENCODED,
    TYPE_BINARY_VIEW,
    TYPE_UTF8_VIEW,
    TYPE_LIST_VIEW,
    TYPE_LARGE_LIST_VIEW
};

typedef struct {
    axl__arena *arena;
    const char *path;
    unsigned n_fields;
} schema;

/* A number of so many bits; false where there is none. */
static bool set_bits(axl__arrow_field *f, int64_t bits)
{
    f->layout = AXL__ARROW_FIXED;
    f->width = (uint32_t)(bits / 8);
    return bits == 8 || bits == 16 || bits == 32 || bits == 64;
}

static bool set_int(axl__arrow_field *f, const axl__flat_table *type)
{
    f->leaf.meaning = axl__flat_int(type, 1, 1, 0) ? AXL__PQ_AS_TYPE : AXL__PQ_UNSIGNED;
    f->leaf.type = AXL__PQ_INT64;
    return set_bits(f, axl__flat_int(type, 0, 4, 0));
}

static bool set_float(axl__arrow_field *f, const axl__flat_table *type)
{
    int64_t precision = axl__flat_int(type, 0, 2, 0);

    f->leaf.meaning = precision == 0 ? AXL__PQ_HALF : AXL__PQ_AS_TYPE;
    f->leaf.type = precision == 1 ? AXL__PQ_FLOAT : AXL__PQ_DOUBLE;
    return precision >= 0 && precision <= 2 && set_bits(f, 16 << precision);
}

/* Large end first, as parquet has them. */
static bool set_decimal(axl__arrow_field *f, const axl__flat_table *type)
{
    int64_t bits = axl__flat_int(type, 2, 4, 128);

    f->layout = AXL__ARROW_FIXED;
    f->width = (uint32_t)(bits / 8);
    f->leaf.meaning = AXL__PQ_DECIMAL;
    f->leaf.type = AXL__PQ_FIXED;
    f->leaf.scale = (int32_t)axl__flat_int(type, 1, 4, 0);
    return bits == 32 || bits == 64 || bits == 128 || bits == 256;
}

/* The units of a second are 0: 1, 1: 1e3, 2: 1e6, 3: 1e9. */
static bool set_time(axl__arrow_field *f, axl__pq_meaning meaning, int64_t unit, int64_t bits)
{
    f->leaf.meaning = meaning;
    f->leaf.type = AXL__PQ_INT64;
    f->leaf.scale = unit == 0 ? 3 : 3 * (int32_t)unit;
    f->units = unit == 0 ? 1000 : 1;
    return unit >= 0 && unit <= 3 && set_bits(f, bits);
}

/* Days, or milliseconds of whole days. */
static bool set_date(axl__arrow_field *f, const axl__flat_table *type)
{
    int64_t unit = axl__flat_int(type, 0, 2, 1);

    f->leaf.meaning = AXL__PQ_DATE;
    f->leaf.type = AXL__PQ_INT64;
    f->units = unit == 1 ? -86400000 : 1;
    return (unit == 0 || unit == 1) && set_bits(f, unit == 1 ? 64 : 32);
}

static bool set_timestamp(axl__arrow_field *f, const axl__flat_table *type)
{
    f->leaf.utc = axl__flat_list(type, 1, 1).n > 0;
    return set_time(f, AXL__PQ_TIMESTAMP, axl__flat_int(type, 0, 2, 0), 64);
}

static bool set_interval(axl__arrow_field *f, const axl__flat_table *type)
{
    int64_t unit = axl__flat_int(type, 0, 2, 0);

    f->layout = AXL__ARROW_FIXED;
    f->width = unit == 0 ? 4 : unit == 1 ? 8 : 16;
    f->left_out = true;
    return unit >= 0 && unit <= 2;
}

static bool set_layout(axl__arrow_field *f, axl__arrow_layout layout, uint32_t width, bool left_out)
{
    f->layout = layout;
    f->width = width;
    f->leaf.meaning = AXL__PQ_TEXT;
    f->left_out = left_out;
    return true;
}

static bool set_sized(axl__arrow_field *f, const axl__flat_table *type, axl__arrow_layout layout)
{
    int64_t size = axl__flat_int(type, 0, 4, 0);

    return set_layout(f, layout, (uint32_t)size, layout == AXL__ARROW_FIXED) && size >= 0;
}

/* False: a type, or a size of one, that Arrow does not have. */
static bool set_type(axl__arrow_field *f, int64_t number, const axl__flat_table *type)
{
    switch (number) {
    case TYPE_NULL: return set_layout(f, AXL__ARROW_NULL, 0, false);
    case TYPE_INT: return set_int(f, type);
    case TYPE_FLOAT: return set_float(f, type);
    case TYPE_UTF8: return set_layout(f, AXL__ARROW_BYTES, 4, false);
    case TYPE_LARGE_UTF8: return set_layout(f, AXL__ARROW_BYTES, 8, false);
    case TYPE_UTF8_VIEW: return set_layout(f, AXL__ARROW_VIEWS, 16, false);
    case TYPE_BINARY: return set_layout(f, AXL__ARROW_BYTES, 4, true);
    case TYPE_LARGE_BINARY: return set_layout(f, AXL__ARROW_BYTES, 8, true);
    case TYPE_BINARY_VIEW: return set_layout(f, AXL__ARROW_VIEWS, 16, true);
    case TYPE_BOOL: return set_layout(f, AXL__ARROW_BITS, 0, false);
    case TYPE_DECIMAL: return set_decimal(f, type);
    case TYPE_DATE: return set_date(f, type);
    case TYPE_TIME:
        return set_time(f, AXL__PQ_TIME, axl__flat_int(type, 0, 2, 1),
                        axl__flat_int(type, 1, 4, 32));
    case TYPE_TIMESTAMP: return set_timestamp(f, type);
    case TYPE_INTERVAL: return set_interval(f, type);
    case TYPE_DURATION: return set_layout(f, AXL__ARROW_FIXED, 8, true);
    case TYPE_FIXED_BINARY: return set_sized(f, type, AXL__ARROW_FIXED);
    case TYPE_FIXED_LIST: return set_sized(f, type, AXL__ARROW_FIXED_LIST);
    case TYPE_LIST:
    case TYPE_MAP: return set_layout(f, AXL__ARROW_LIST, 4, false);
    case TYPE_LARGE_LIST: return set_layout(f, AXL__ARROW_LIST, 8, false);
    case TYPE_LIST_VIEW: return set_layout(f, AXL__ARROW_LIST_VIEW, 4, true);
    case TYPE_LARGE_LIST_VIEW: return set_layout(f, AXL__ARROW_LIST_VIEW, 8, true);
    case TYPE_STRUCT: return set_layout(f, AXL__ARROW_STRUCT, 0, false);
    case TYPE_UNION:
        return set_layout(f, axl__flat_int(type, 0, 2, 0) ? AXL__ARROW_DENSE : AXL__ARROW_UNION, 0,
                          true);
    case TYPE_RUN_END_ENCODED: return set_layout(f, AXL__ARROW_RUNS, 0, true);
    default: return false;
    }
}

static axl_status broken(const schema *s, const char *why)
{
    return axl__fail(AXL_ERR_FORMAT, "%s: broken schema: %s", s->path, why);
}

static bool set_dictionary(axl__arrow_field *f, const axl__flat_table *t)
{
    axl__flat_table encoding = axl__flat_sub(t, 4), index;

    f->encoded = encoding.flat != NULL;
    if (!f->encoded)
        return true;
    f->dictionary = axl__flat_int(&encoding, 0, 8, 0);
    index = axl__flat_sub(&encoding, 1);
    int64_t bits = axl__flat_int(&index, 0, 4, 32);
    f->index_width = (uint32_t)(bits / 8);
    f->index_signed = !index.flat || axl__flat_int(&index, 1, 1, 0);
    return bits == 8 || bits == 16 || bits == 32 || bits == 64;
}

static axl_status read_fields(schema *s, axl__arrow_field *owner, const axl__flat_table *t,
                              unsigned field, int depth);

static axl_status read_field(schema *s, axl__arrow_field *f, const axl__flat_table *t, int depth)
{
    axl__flat_vector name = axl__flat_list(t, 0, 1);
    axl__flat_table type = axl__flat_sub(t, 3);

    f->name = axl__arena_strndup(s->arena, name.n ? (const char *)name.data : "", name.n);
    f->name_len = name.n;
    f->units = 1;
    if (!f->name)
        return axl__fail_nomem();
    if (!t->flat || !set_type(f, axl__flat_int(t, 2, 1, 0), &type) || !set_dictionary(f, t))
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s: the column \"%.60s\" is of a type that is not known", s->path,
                         f->name);
    AXL_TRY(read_fields(s, f, t, 5, depth));
    bool list = f->layout == AXL__ARROW_LIST || f->layout == AXL__ARROW_FIXED_LIST ||
                f->layout == AXL__ARROW_LIST_VIEW;
    if (list && f->n_children != 1)
        return broken(s, "a list without one kind of items");
    f->left_out |= list && f->child->left_out;
    return AXL_OK;
}

static axl_status read_fields(schema *s, axl__arrow_field *owner, const axl__flat_table *t,
                              unsigned field, int depth)
{
    axl__flat_vector list = axl__flat_list(t, field, 4);
    axl__arrow_field **tail = &owner->child;

    if (list.n > 0 && depth == DEPTH_MAX)
        return broken(s, "it is too deep");
    for (size_t i = 0; i < list.n; i++) {
        axl__flat_table item = axl__flat_item(t, &list, i);
        if (++s->n_fields > FIELDS_MAX)
            return broken(s, "more than 10000 fields");
        *tail = axl__arena_alloc(s->arena, sizeof **tail);
        if (!*tail)
            return axl__fail_nomem();
        owner->n_children++;
        AXL_TRY(read_field(s, *tail, &item, depth + 1));
        tail = &(*tail)->next;
    }
    return AXL_OK;
}

axl_status axl__arrow_schema_read(axl__arrow_field *out, axl__arena *arena,
                                  const axl__flat_table *t, const char *path)
{
    schema s = { arena, path, 0 };

    memset(out, 0, sizeof *out);
    out->layout = AXL__ARROW_STRUCT;
    if (axl__flat_int(t, 0, 2, 0) != 0)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s: its numbers are big-endian; write it on another machine", path);
    AXL_TRY(read_fields(&s, out, t, 1, 0));
    if (t->flat->broken)
        return broken(&s, "an offset leads out of it");
    return AXL_OK;
}

const axl__arrow_field *axl__arrow_dictionary_field(const axl__arrow_field *root, int64_t id)
{
    for (const axl__arrow_field *f = root->child; f; f = f->next) {
        if (f->encoded && f->dictionary == id)
            return f;
        const axl__arrow_field *below = axl__arrow_dictionary_field(f, id);
        if (below)
            return below;
    }
    return NULL;
}
