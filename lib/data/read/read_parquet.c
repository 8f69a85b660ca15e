/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_parquet.c - records out of the columns of a parquet file.  Each column says of its entries
 * at which level of the record they repeat and down to which they are there; going down the schema,
 * a field takes its entries from the columns below it, which have to agree.
 */
#include "data/read/parquet.h"
#include "data/read/reader.h"
#include "data/read/record_tree.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    axl__source *source;
    axl__pq_footer footer;
    axl__pq_column *columns; /* a leaf each; of those left out nothing is read */
    size_t held;
    size_t group; /* the next one */
    uint64_t rows_left, row, n_rows;
    /* Of the record at hand. */
    axl__arena *arena;
    size_t left;             /* bytes that it may still take */
    const axl__pq_node *bad; /* a value of this leaf is no JSON */
    const char *why;
} parquet;

/* A record takes this much at most, whatever a small page unpacks to. */
static const size_t record_max = (size_t)256 << 20;

static axl_status parquet_count(parquet *p, size_t bytes)
{
    if (bytes > p->left)
        return axl__fail(AXL_ERR_FORMAT, "%s: row %llu is longer than %zu MiB",
                         p->source->file.path, (unsigned long long)p->row, record_max >> 20);
    p->left -= bytes;
    return AXL_OK;
}

static axl_status add_item(parquet *p, axl__branch *b, const axl__pq_node *named, axl__json **out)
{
    AXL_TRY(parquet_count(p, sizeof **out));
    *out = axl__branch_add(b, named ? named->name : NULL, named ? named->name_len : 0);
    return *out ? AXL_OK : axl__fail_nomem();
}

static axl_status out_of_step(const axl__pq_column *c)
{
    return axl__pq_column_fail(c, c->ended ? "the column ends early"
                                           : "its levels do not fit the schema or the other "
                                             "columns");
}

/* The next entry of a column, which must repeat at this level. */
static axl_status peek_at(parquet *p, uint32_t leaf, uint32_t rep, axl__pq_column **out)
{
    axl__pq_column *c = *out = &p->columns[leaf];

    AXL_TRY(axl__pq_column_peek(c));
    return c->ended || c->rep != rep ? out_of_step(c) : AXL_OK;
}

/* A node that has no value here: each column below it says so once. */
static axl_status take_nothing(parquet *p, const axl__pq_node *node, uint32_t rep)
{
    for (uint32_t i = node->leaf; i < node->leaf + node->n_leaves; i++) {
        axl__pq_column *c;
        if (p->footer.leaves[i]->left_out)
            continue;
        AXL_TRY(peek_at(p, i, rep, &c));
        if (c->def >= node->max_def)
            return out_of_step(c);
        c->ready = false;
    }
    return AXL_OK;
}

static axl_status take_leaf(parquet *p, const axl__pq_node *leaf, axl__json *v, uint32_t rep)
{
    axl__pq_column *c;

    AXL_TRY(peek_at(p, leaf->leaf, rep, &c));
    if (c->def != leaf->max_def)
        return out_of_step(c);
    AXL_TRY(parquet_count(p, c->value.len));
    c->ready = false;
    const char *why = axl__pq_value_set(v, p->arena, leaf, c->value);
    if (why && !*why)
        return axl__fail_nomem();
    if (why && !p->bad) {
        p->bad = leaf;
        p->why = why;
    }
    return AXL_OK;
}

static axl_status take_field(parquet *p, const axl__pq_node *node, axl__json *v, uint32_t rep);

static axl_status take_group(parquet *p, const axl__pq_node *group, axl__json *v, uint32_t rep)
{
    axl__branch b = axl__branch_of(p->arena, v, AXL__JSON_OBJECT);
    axl__json *member;

    for (const axl__pq_node *c = group->child; c; c = c->next) {
        if (c->left_out)
            continue;
        AXL_TRY(add_item(p, &b, c, &member));
        AXL_TRY(take_field(p, c, member, rep));
    }
    return AXL_OK;
}

/* Whether what repeats in a list is only there to repeat, around the item; the names are those of
 * older writers, whose item is the group itself. */
static bool wraps_item(const axl__pq_node *list, const axl__pq_node *repeated)
{
    return list && repeated->n_children == 1 && strcmp(repeated->name, "array") != 0 &&
           !(axl__starts_with(repeated->name, list->name) &&
             strcmp(repeated->name + list->name_len, "_tuple") == 0);
}

/* list NULL: a field that repeats without being a list's. */
static axl_status take_list(parquet *p, const axl__pq_node *list, const axl__pq_node *repeated,
                            axl__json *v, uint32_t rep)
{
    axl__branch b = axl__branch_of(p->arena, v, AXL__JSON_ARRAY);
    axl__pq_column *guide;
    axl__json *item;

    AXL_TRY(peek_at(p, repeated->guide, rep, &guide));
    if (guide->def < repeated->max_def)
        return take_nothing(p, repeated, rep);
    do {
        AXL_TRY(add_item(p, &b, NULL, &item));
        if (!repeated->child)
            AXL_TRY(take_leaf(p, repeated, item, rep));
        else if (wraps_item(list, repeated))
            AXL_TRY(take_field(p, repeated->child, item, rep));
        else
            AXL_TRY(take_group(p, repeated, item, rep));
        rep = repeated->max_rep;
        AXL_TRY(axl__pq_column_peek(guide));
    } while (!guide->ended && guide->rep >= rep);
    return AXL_OK;
}

/* Whether a group is a list or map: what is annotated so and has one child that repeats. */
static bool is_list(const axl__pq_node *node)
{
    return node->meaning == AXL__PQ_LIST && node->n_children == 1 &&
           node->child->repetition == AXL__PQ_REPEATED;
}

/* A member of an object, or what an item of a list wraps. */
static axl_status take_field(parquet *p, const axl__pq_node *node, axl__json *v, uint32_t rep)
{
    axl__pq_column *guide;

    if (node->repetition == AXL__PQ_REPEATED)
        return take_list(p, NULL, node, v, rep);
    AXL_TRY(peek_at(p, node->guide, rep, &guide));
    if (guide->def < node->max_def && node->repetition == AXL__PQ_OPTIONAL)
        return take_nothing(p, node, rep);
    if (!node->child)
        return take_leaf(p, node, v, rep);
    if (is_list(node))
        return take_list(p, node, node->child, v, rep);
    return take_group(p, node, v, rep);
}

/* ---- the file ---- */

static axl_status begin_group(parquet *p)
{
    const axl__pq_group *group = &p->footer.groups[p->group++];

    p->rows_left = group->n_rows;
    for (uint32_t i = 0; i < p->footer.n_leaves; i++)
        if (!p->footer.leaves[i]->left_out)
            AXL_TRY(axl__pq_column_begin(&p->columns[i], &group->chunks[i]));
    return AXL_OK;
}

static axl_status parquet_next(axl__source *s, axl__arena *arena, const axl__json **record,
                               axl__record_error *e)
{
    parquet *p = s->state;

    while (p->rows_left == 0) {
        if (p->group == p->footer.n_groups)
            return AXL_END;
        AXL_TRY(begin_group(p));
    }
    axl__json *v = axl__arena_alloc(arena, sizeof *v);
    if (!v)
        return axl__fail_nomem();
    p->rows_left--;
    e->at = ++p->row;
    p->arena = arena;
    p->left = record_max;
    p->bad = NULL;
    AXL_TRY(take_group(p, p->footer.root, v, 0));
    *record = v;
    if (!p->bad)
        return AXL_OK;
    snprintf(e->why.text, sizeof e->why.text, "\"%.60s\": %s", p->bad->name, p->why);
    return AXL_ERR_DATA;
}

static void parquet_close(axl__source *s)
{
    parquet *p = s->state;

    for (uint32_t i = 0; p->columns && i < p->footer.n_leaves; i++)
        axl__pq_column_free(&p->columns[i]);
    axl__free(s->ctx, p->columns);
    axl__pq_footer_free(&p->footer);
    axl__free(s->ctx, p);
}

/* Said once, for a type that is taken in by none of what was read. */
static void tell_left_out(const parquet *p)
{
    for (uint32_t i = 0; i < p->footer.n_leaves; i++)
        if (p->footer.leaves[i]->left_out)
            axl__log(p->source->ctx, AXL_LOG_WARNING,
                     "%s: the column \"%s\" is left out: it holds bytes, or values that a record "
                     "cannot have",
                     p->source->file.path, p->footer.leaves[i]->name);
}

static axl_status parquet_begin(parquet *p)
{
    axl__source *s = p->source;

    AXL_TRY(axl__pq_footer_read(&p->footer, &s->file));
    p->columns = axl__calloc(s->ctx, p->footer.n_leaves, sizeof *p->columns);
    if (!p->columns)
        return axl__fail_nomem();
    for (uint32_t i = 0; i < p->footer.n_leaves; i++)
        axl__pq_column_init(&p->columns[i], &s->file, p->footer.leaves[i], &p->held);
    for (size_t i = 0; i < p->footer.n_groups; i++) {
        uint64_t n = p->footer.groups[i].n_rows;
        p->n_rows = p->n_rows > UINT64_MAX - n ? UINT64_MAX : p->n_rows + n;
    }
    tell_left_out(p);
    return AXL_OK;
}

static axl_status parquet_open(axl__source *s)
{
    parquet *p = s->state = axl__calloc(s->ctx, 1, sizeof *p);

    if (!p)
        return axl__fail_nomem();
    p->source = s;
    axl_status status = parquet_begin(p);
    if (status != AXL_OK)
        parquet_close(s);
    return status;
}

/* As a share of the rows. */
static size_t parquet_progress(const axl__source *s)
{
    const parquet *p = s->state;
    double share = p->n_rows > 0 ? (double)p->row / (double)p->n_rows : 1.0;

    return (size_t)(share * (double)s->len);
}

const axl__reader axl__read_parquet = {
    .format = "parquet",
    .suffix = ".parquet",
    .place = "row",
    .binary = true,
    .open = parquet_open,
    .next = parquet_next,
    .close = parquet_close,
    .progress = parquet_progress,
};
