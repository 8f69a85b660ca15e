/* SPDX-License-Identifier: Apache-2.0 */
/* parquet_footer.c - the schema and the row groups of a parquet file. */
#include "data/read/parquet.h"

#include "data/read/thrift.h"

#include <string.h>

enum { DEPTH_MAX = 64, LEAVES_MAX = 1 << 16 };

typedef struct {
    axl__pq_footer *out;
    const axl__file *file;
    axl__thrift t;
    size_t elements_left; /* of the schema's list */
    int depth;
} footer_reader;

static axl_status bad_footer(const footer_reader *r, const char *why)
{
    return axl__fail(AXL_ERR_FORMAT, "%s: not a parquet file that can be read: %s", r->file->path,
                     why);
}

/* ---- schema ---- */

/* As an element of the schema says it. */
typedef struct {
    int64_t type, width, repetition, n_children, converted, scale;
    bool has_type, has_converted;
} schema_element;

static int32_t unit_digits(axl__thrift *t, axl__thrift_field field)
{
    axl__thrift_field unit = { 0 };
    int32_t digits = 0;

    if (!axl__thrift_struct(t, field))
        return 0;
    while (axl__thrift_next(t, &unit)) {
        digits = unit.id >= 1 && unit.id <= 3 ? 3 * unit.id : 0;
        axl__thrift_skip(t, unit);
    }
    return digits;
}

/* The members of a logical type: of a decimal its scale, of a time its unit, of an integer its
 * sign. */
static void logical_members(axl__thrift *t, axl__thrift_field field, axl__pq_node *node)
{
    axl__thrift_field f = { 0 };
    int16_t kind = field.id;

    if (!axl__thrift_struct(t, field))
        return;
    while (axl__thrift_next(t, &f)) {
        if (kind == 5 && f.id == 1)
            node->scale = (int32_t)axl__thrift_int(t, f);
        else if ((kind == 7 || kind == 8) && f.id == 1)
            node->utc = axl__thrift_bool(f);
        else if ((kind == 7 || kind == 8) && f.id == 2)
            node->scale = unit_digits(t, f);
        else if (kind == 10 && f.id == 2)
            node->meaning = axl__thrift_bool(f) ? AXL__PQ_AS_TYPE : AXL__PQ_UNSIGNED;
        else
            axl__thrift_skip(t, f);
    }
}

static void logical_type(axl__thrift *t, axl__thrift_field field, axl__pq_node *node)
{
    static const axl__pq_meaning meanings[] = {
        AXL__PQ_OTHER,     AXL__PQ_TEXT,    AXL__PQ_LIST,    AXL__PQ_LIST,
        AXL__PQ_TEXT,      AXL__PQ_DECIMAL, AXL__PQ_DATE,    AXL__PQ_TIME,
        AXL__PQ_TIMESTAMP, AXL__PQ_OTHER,   AXL__PQ_AS_TYPE, AXL__PQ_AS_TYPE,
        AXL__PQ_TEXT,      AXL__PQ_OTHER,   AXL__PQ_OTHER,   AXL__PQ_HALF,
    };
    axl__thrift_field kind = { 0 };

    if (!axl__thrift_struct(t, field))
        return;
    while (axl__thrift_next(t, &kind)) {
        bool known = kind.id > 0 && kind.id < (int16_t)(sizeof meanings / sizeof meanings[0]);
        node->meaning = known ? meanings[kind.id] : AXL__PQ_OTHER;
        logical_members(t, kind, node);
    }
}

/* What files of older writers have in place of a logical type. */
static void converted_type(axl__pq_node *node, const schema_element *e)
{
    switch (e->converted) {
    case 0: /* UTF8 */
    case 4: /* ENUM */
    case 19: /* JSON */ node->meaning = AXL__PQ_TEXT; break;
    case 1: /* MAP */
    case 2: /* MAP_KEY_VALUE */
    case 3: /* LIST */ node->meaning = AXL__PQ_LIST; break;
    case 5:
        node->meaning = AXL__PQ_DECIMAL;
        node->scale = (int32_t)e->scale;
        break;
    case 6: node->meaning = AXL__PQ_DATE; break;
    case 7: /* TIME_MILLIS, TIME_MICROS */
    case 8:
        node->meaning = AXL__PQ_TIME;
        node->scale = e->converted == 7 ? 3 : 6;
        break;
    case 9: /* TIMESTAMP_MILLIS, TIMESTAMP_MICROS */
    case 10:
        node->meaning = AXL__PQ_TIMESTAMP;
        node->scale = e->converted == 9 ? 3 : 6;
        node->utc = true;
        break;
    case 11: /* UINT_8 and on */
    case 12:
    case 13:
    case 14: node->meaning = AXL__PQ_UNSIGNED; break;
    case 15: /* INT_8 and on */
    case 16:
    case 17:
    case 18: break;
    default: node->meaning = AXL__PQ_OTHER;
    }
}

static void read_element(axl__thrift *t, schema_element *e, axl__pq_node *node)
{
    axl__thrift_field f = { 0 };
    bool logical = false;

    while (axl__thrift_next(t, &f)) {
        switch (f.id) {
        case 1:
            e->type = axl__thrift_int(t, f);
            e->has_type = true;
            break;
        case 2: e->width = axl__thrift_int(t, f); break;
        case 3: e->repetition = axl__thrift_int(t, f); break;
        case 4: node->name = axl__thrift_binary(t, f, &node->name_len); break;
        case 5: e->n_children = axl__thrift_int(t, f); break;
        case 6:
            e->converted = axl__thrift_int(t, f);
            e->has_converted = true;
            break;
        case 7: e->scale = axl__thrift_int(t, f); break;
        case 10:
            logical = true;
            logical_type(t, f, node);
            break;
        default: axl__thrift_skip(t, f);
        }
    }
    if (e->has_converted && !logical)
        converted_type(node, e);
}

/* Whether a leaf of this meaning and type can be read; how its values lie is then clear. */
static bool can_read(const axl__pq_node *n)
{
    switch (n->meaning) {
    case AXL__PQ_AS_TYPE: return n->type != AXL__PQ_BYTE_ARRAY && n->type != AXL__PQ_FIXED;
    case AXL__PQ_UNSIGNED:
    case AXL__PQ_TIME: return n->type == AXL__PQ_INT32 || n->type == AXL__PQ_INT64;
    case AXL__PQ_TIMESTAMP: return n->type == AXL__PQ_INT64;
    case AXL__PQ_TEXT: return n->type == AXL__PQ_BYTE_ARRAY;
    case AXL__PQ_HALF: return n->type == AXL__PQ_FIXED && n->width == 2;
    case AXL__PQ_DECIMAL:
        return n->type == AXL__PQ_INT32 || n->type == AXL__PQ_INT64 ||
               n->type == AXL__PQ_BYTE_ARRAY || (n->type == AXL__PQ_FIXED && n->width <= 32);
    case AXL__PQ_DATE: return n->type == AXL__PQ_INT32;
    default: return false;
    }
}

static axl_status begin_leaf(footer_reader *r, axl__pq_node *node, const schema_element *e)
{
    enum { WIDTH_MAX = 1 << 20 };

    if (e->type < AXL__PQ_BOOLEAN || e->type > AXL__PQ_FIXED)
        return bad_footer(r, "a column of an unknown type");
    node->type = (axl__pq_type)e->type;
    if (node->type == AXL__PQ_FIXED && (e->width < 1 || e->width > WIDTH_MAX))
        return bad_footer(r, "a column of values of an impossible width");
    node->width = (uint32_t)e->width;
    if (node->type == AXL__PQ_INT96) { /* nothing else was ever written so */
        node->meaning = AXL__PQ_TIMESTAMP;
        node->scale = 9;
        node->utc = false;
    }
    node->left_out = !can_read(node) && node->type != AXL__PQ_INT96;
    node->guide = node->leaf;
    node->n_leaves = 1;
    if (++r->out->n_leaves > LEAVES_MAX)
        return bad_footer(r, "more columns than 65536");
    return AXL_OK;
}

static axl_status read_node(footer_reader *r, axl__pq_node **out, const axl__pq_node *parent);

static axl_status read_children(footer_reader *r, axl__pq_node *node, uint64_t n)
{
    axl__pq_node **tail = &node->child;

    if (++r->depth > DEPTH_MAX)
        return bad_footer(r, "its columns are nested too deep");
    node->left_out = true;
    for (uint64_t i = 0; i < n; i++) {
        AXL_TRY(read_node(r, tail, node));
        axl__pq_node *child = *tail;
        if (!child->left_out && node->left_out) {
            node->left_out = false;
            node->guide = child->guide;
        }
        node->n_children++;
        tail = &child->next;
    }
    r->depth--;
    node->n_leaves = r->out->n_leaves - node->leaf;
    return AXL_OK;
}

/* parent NULL: the root, whose repetition says nothing. */
static axl_status read_node(footer_reader *r, axl__pq_node **out, const axl__pq_node *parent)
{
    axl__pq_node *node = axl__arena_alloc(&r->out->arena, sizeof *node);
    schema_element e = { 0 };

    *out = NULL;
    if (!node)
        return axl__fail_nomem();
    if (r->elements_left == 0)
        return bad_footer(r, "its schema ends early");
    r->elements_left--;
    read_element(&r->t, &e, node);
    if (r->t.bad || e.repetition < 0 || e.repetition > AXL__PQ_REPEATED)
        return bad_footer(r, "its schema is malformed");
    char *name = axl__arena_strndup(&r->out->arena, node->name ? node->name : "", node->name_len);
    if (!name)
        return axl__fail_nomem();
    node->name = name;
    node->leaf = r->out->n_leaves;
    node->repetition = parent ? (axl__pq_repetition)e.repetition : AXL__PQ_REQUIRED;
    node->max_def = parent ? parent->max_def + (node->repetition != AXL__PQ_REQUIRED) : 0;
    node->max_rep = parent ? parent->max_rep + (node->repetition == AXL__PQ_REPEATED) : 0;
    *out = node;
    if (e.has_type && parent && e.n_children == 0)
        return begin_leaf(r, node, &e);
    if (e.n_children < 1 || (uint64_t)e.n_children > r->elements_left)
        return bad_footer(r, "a group of its schema has no columns");
    return read_children(r, node, (uint64_t)e.n_children);
}

static axl_status read_schema(footer_reader *r, size_t n)
{
    r->elements_left = n;
    AXL_TRY(read_node(r, &r->out->root, NULL));
    return r->elements_left == 0 ? AXL_OK : bad_footer(r, "its schema has more than one root");
}

static void list_leaves(const axl__pq_node **leaves, const axl__pq_node *node)
{
    if (!node->child)
        leaves[node->leaf] = node;
    for (const axl__pq_node *c = node->child; c; c = c->next)
        list_leaves(leaves, c);
}

/* ---- row groups ---- */

typedef struct {
    int64_t codec, n_values, size, data_at, dictionary_at;
} chunk_head;

static void read_chunk_data(axl__thrift *t, axl__thrift_field field, chunk_head *h)
{
    axl__thrift_field f = { 0 };

    if (!axl__thrift_struct(t, field))
        return;
    while (axl__thrift_next(t, &f)) {
        switch (f.id) {
        case 4: h->codec = axl__thrift_int(t, f); break;
        case 5: h->n_values = axl__thrift_int(t, f); break;
        case 7: h->size = axl__thrift_int(t, f); break;
        case 9: h->data_at = axl__thrift_int(t, f); break;
        case 11: h->dictionary_at = axl__thrift_int(t, f); break;
        default: axl__thrift_skip(t, f);
        }
    }
}

static axl_status read_chunk(footer_reader *r, axl__pq_chunk *chunk)
{
    axl__thrift_field f = { 0 };
    chunk_head h = { .size = -1 };
    uint64_t end = r->file->size;
    bool elsewhere = false;

    while (axl__thrift_next(&r->t, &f)) {
        elsewhere |= f.id == 1;
        if (f.id == 3)
            read_chunk_data(&r->t, f, &h);
        else
            axl__thrift_skip(&r->t, f);
    }
    if (elsewhere)
        return bad_footer(r, "a column is in another file");
    int64_t at = h.dictionary_at > 0 && h.dictionary_at < h.data_at ? h.dictionary_at : h.data_at;
    if (h.n_values == 0) { /* no data page, and no place */
        at = 4;
        h.size = 0;
    }
    if (r->t.bad || h.size < 0 || h.n_values < 0 || at < 4 || (uint64_t)at > end ||
        (uint64_t)h.size > end - (uint64_t)at || h.codec < 0 || h.codec > INT32_MAX)
        return bad_footer(r, "a column of a row group lies outside of the file");
    *chunk =
        (axl__pq_chunk){ (uint64_t)at, (uint64_t)h.size, (uint64_t)h.n_values, (int32_t)h.codec };
    return AXL_OK;
}

static axl_status read_group(footer_reader *r, axl__pq_group *group)
{
    axl__thrift_field f = { 0 };
    int64_t n_rows = -1;

    while (axl__thrift_next(&r->t, &f)) {
        if (f.id == 3) {
            n_rows = axl__thrift_int(&r->t, f);
        } else if (f.id == 1 && !group->chunks) {
            size_t n = axl__thrift_list(&r->t, f, AXL__THRIFT_STRUCT);
            if (n != r->out->n_leaves)
                return bad_footer(r, "a row group has other columns than the schema");
            group->chunks = axl__arena_alloc(&r->out->arena, n * sizeof *group->chunks);
            if (!group->chunks)
                return axl__fail_nomem();
            for (size_t i = 0; i < n; i++)
                AXL_TRY(read_chunk(r, &group->chunks[i]));
        } else {
            axl__thrift_skip(&r->t, f);
        }
    }
    if (n_rows < 0 || !group->chunks)
        return bad_footer(r, "a row group is malformed");
    group->n_rows = (uint64_t)n_rows;
    return AXL_OK;
}

static axl_status read_groups(footer_reader *r, size_t n)
{
    axl__pq_footer *out = r->out;

    out->groups = axl__arena_alloc(&out->arena, (n + 1) * sizeof *out->groups);
    if (!out->groups)
        return axl__fail_nomem();
    for (; out->n_groups < n; out->n_groups++)
        AXL_TRY(read_group(r, &out->groups[out->n_groups]));
    return AXL_OK;
}

/* ---- the footer ---- */

static axl_status read_metadata(footer_reader *r)
{
    axl__pq_footer *out = r->out;
    axl__thrift_field f = { 0 };

    while (axl__thrift_next(&r->t, &f)) {
        size_t n = f.id == 2 || f.id == 4 ? axl__thrift_list(&r->t, f, AXL__THRIFT_STRUCT) : 0;
        if (f.id == 2 && !out->root)
            AXL_TRY(read_schema(r, n));
        else if (f.id == 4 && out->root && !out->groups)
            AXL_TRY(read_groups(r, n));
        else if (f.id == 2 || f.id == 4)
            return bad_footer(r, "its metadata is out of order");
        else
            axl__thrift_skip(&r->t, f);
    }
    if (r->t.bad || !out->root || !out->groups)
        return bad_footer(r, "its metadata is malformed");
    if (out->root->left_out)
        return axl__fail(AXL_ERR_UNSUPPORTED, "%s: none of its columns can be read", r->file->path);
    out->leaves = axl__arena_alloc(&out->arena, out->n_leaves * sizeof *out->leaves);
    if (!out->leaves)
        return axl__fail_nomem();
    list_leaves(out->leaves, out->root);
    return AXL_OK;
}

axl_status axl__pq_footer_read(axl__pq_footer *out, const axl__file *file)
{
    footer_reader r = { .out = out, .file = file };
    const uint8_t *end = file->data + file->size;
    uint32_t len;

    memset(out, 0, sizeof *out);
    axl__arena_init(&out->arena, file->ctx);
    if (file->size >= 12 && memcmp(end - 4, "PARE", 4) == 0)
        return axl__fail(AXL_ERR_UNSUPPORTED, "%s: an encrypted parquet file", file->path);
    if (file->size < 12 || memcmp(file->data, "PAR1", 4) != 0 || memcmp(end - 4, "PAR1", 4) != 0)
        return bad_footer(&r, "it does not begin and end with PAR1");
    memcpy(&len, end - 8, sizeof len);
    if (len > file->size - 12)
        return bad_footer(&r, "its footer is longer than the file");
    r.t = (axl__thrift){ end - 8 - len, end - 8, false };
    axl_status status = read_metadata(&r);
    if (status != AXL_OK)
        axl__pq_footer_free(out);
    return status;
}

void axl__pq_footer_free(axl__pq_footer *footer)
{
    axl__arena_free(&footer->arena);
    memset(footer, 0, sizeof *footer);
}
