/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_search.c - see token_search.h.  A text is gone through in stretches from left to right, and
 * each stretch backwards, from as far behind it as the longest pattern reaches; a stretch is at
 * least that long, so that no byte is read more than twice.  Where no pattern is at hand a byte
 * costs one look into a table.
 */
#include "token_search.h"

#include <string.h>

enum { STRETCH = 4096 };

void axl__search_free(axl__search *s, axl_context *ctx)
{
    if (s->n_nodes > 0)
        axl__pairs_free(&s->edges);
    axl__free(ctx, s->nodes);
    memset(s, 0, sizeof *s);
}

/* ---- building ---- */

static axl_status search_node(axl__search *s, axl_context *ctx, uint32_t parent, unsigned char byte,
                              uint32_t *out)
{
    if (s->n_nodes == s->cap_nodes) {
        uint32_t cap = s->cap_nodes ? s->cap_nodes * 2 : 64;
        axl__search_node *nodes = axl__realloc(ctx, s->nodes, cap * sizeof *nodes);
        if (!nodes)
            return axl__fail_nomem();
        s->nodes = nodes;
        s->cap_nodes = cap;
    }
    *out = s->n_nodes;
    s->nodes[s->n_nodes++] = (axl__search_node){ .entry = -1,
                                                 .parent = parent,
                                                 .depth = *out > 0 ? s->nodes[parent].depth + 1 : 0,
                                                 .byte = byte };
    return AXL_OK;
}

static bool search_edge(const axl__search *s, uint32_t node, unsigned char byte, uint32_t *out)
{
    uint64_t next;

    if (!axl__pairs_get(&s->edges, axl__pair_key(node, byte), &next))
        return false;
    *out = (uint32_t)next;
    return true;
}

/* Patterns go in backwards, from the root along their last byte first. */
axl_status axl__search_add(axl__search *s, axl_context *ctx, axl__slice pattern, uint32_t entry)
{
    uint32_t node = 0;

    if (pattern.len == 0)
        return axl__fail(AXL_ERR_FORMAT, "the normalizer leaves nothing of an added token");
    if (s->n_nodes == 0) {
        axl__pairs_init(&s->edges, ctx);
        AXL_TRY(search_node(s, ctx, 0, 0, &node));
    }
    s->last[(unsigned char)pattern.text[pattern.len - 1]] = true;
    for (size_t i = pattern.len; i-- > 0;) {
        unsigned char byte = (unsigned char)pattern.text[i];
        uint32_t from = node;
        if (search_edge(s, from, byte, &node))
            continue;
        AXL_TRY(search_node(s, ctx, from, byte, &node));
        AXL_TRY(axl__pairs_set(&s->edges, axl__pair_key(from, byte), node));
    }
    if (s->nodes[node].entry >= 0)
        return axl__fail(AXL_ERR_FORMAT, "two added tokens are searched as the same text \"%.*s\"",
                         (int)(pattern.len < 64 ? pattern.len : 64), pattern.text);
    s->nodes[node].entry = (int32_t)entry;
    if (s->nodes[node].depth > s->longest)
        s->longest = s->nodes[node].depth;
    return AXL_OK;
}

/* The place that a byte before the text at hand leads to. */
static uint32_t search_step(const axl__search *s, uint32_t node, unsigned char byte)
{
    uint32_t next;

    while (!search_edge(s, node, byte, &next)) {
        if (node == 0)
            return 0;
        node = s->nodes[node].fail;
    }
    return next;
}

/* What a node falls back to is less deep, so that the nodes are gone through by depth, in a
 * counting sort.  A node without a pattern of its own takes the one that it falls back to: the text
 * begins with that too, and it is the longest that is left. */
static axl_status search_link(axl__search *s, axl_context *ctx, uint32_t *order, uint32_t *ends)
{
    for (uint32_t i = 0; i < s->n_nodes; i++)
        ends[s->nodes[i].depth]++;
    for (uint32_t d = 1; d <= s->longest; d++)
        ends[d] += ends[d - 1];
    for (uint32_t i = s->n_nodes; i-- > 0;)
        order[--ends[s->nodes[i].depth]] = i;
    for (uint32_t i = 1; i < s->n_nodes; i++) {
        axl__search_node *n = &s->nodes[order[i]];
        if (i % STRETCH == 0)
            AXL_TRY(axl__cancelled(ctx));
        n->fail = n->parent ? search_step(s, s->nodes[n->parent].fail, n->byte) : 0;
        if (n->entry < 0)
            n->entry = s->nodes[n->fail].entry;
    }
    return AXL_OK;
}

axl_status axl__search_finish(axl__search *s, axl_context *ctx)
{
    if (s->n_nodes == 0)
        return AXL_OK;
    uint32_t *order = axl__calloc(ctx, s->n_nodes, sizeof *order);
    uint32_t *ends = axl__calloc(ctx, (size_t)s->longest + 1, sizeof *ends);
    axl_status status = order && ends ? search_link(s, ctx, order, ends) : axl__fail_nomem();

    axl__free(ctx, order);
    axl__free(ctx, ends);
    return status;
}

/* ---- searching ---- */

static axl_status search_put_hit(axl__search_walk *w, axl__hit hit)
{
    axl__hits *h = w->hits;

    if (h->count == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 64;
        axl__hit *items = axl__realloc(w->ctx, h->items, cap * sizeof *items);
        if (!items)
            return axl__fail_nomem();
        h->items = items;
        h->cap = cap;
    }
    h->items[h->count++] = hit;
    return AXL_OK;
}

/* The hits of the stretch from w->done on.  The walk begins as far behind the stretch as a pattern
 * may reach; hits there belong to the next stretch and are passed over. */
static axl_status search_stretch(axl__search_walk *w)
{
    const axl__search *s = w->search;
    size_t from = w->done, size = s->longest > STRETCH ? s->longest : STRETCH, left = w->len - from;
    size_t to = from + (left < size ? left : size), i = left < 2 * size ? w->len : from + 2 * size;
    uint32_t node = 0;

    AXL_TRY(axl__cancelled(w->ctx));
    while (i-- > from) {
        unsigned char byte = (unsigned char)w->text[i];
        if (node == 0 && !s->last[byte])
            continue;
        node = search_step(s, node, byte);
        if (s->nodes[node].entry >= 0 && i < to)
            AXL_TRY(search_put_hit(w, (axl__hit){ i, s->nodes[node].entry }));
    }
    w->done = to;
    return AXL_OK;
}

axl_status axl__search_next(axl__search_walk *w, axl__hit *out)
{
    if (w->search->n_nodes == 0)
        return AXL_END;
    while (w->hits->count == 0) {
        if (w->done >= w->len)
            return AXL_END;
        AXL_TRY(search_stretch(w));
    }
    *out = w->hits->items[--w->hits->count];
    return AXL_OK;
}
