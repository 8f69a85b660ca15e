/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_search.h - the longest of many patterns at each place of a text, in time that grows with
 * the text and the patterns by themselves, not with their product.
 */
#ifndef AXL_TEXT_TOKEN_SEARCH_H
#define AXL_TEXT_TOKEN_SEARCH_H

#include "base/str.h"
#include "pairs.h"
#include "pipeline.h"

/* A place of the tree: the text from some place on begins with these bytes, read backwards. */
typedef struct axl__search_node {
    int32_t entry;   /* the longest pattern that the text begins with here; -1: none */
    uint32_t fail;   /* the longest place that is a beginning of this one's text */
    uint32_t parent; /* 0 is the root, which has none */
    uint32_t depth;
    unsigned char byte;
} axl__search_node;

/* The tree of the patterns read backwards (Aho and Corasick's automaton), so that a walk from a
 * text's end to its beginning knows at each place which patterns begin there. */
typedef struct axl__search {
    axl__pairs edges; /* (node, byte) to node */
    axl__search_node *nodes;
    uint32_t n_nodes, cap_nodes;
    uint32_t longest; /* of the patterns, in bytes */
    bool last[256];   /* bytes that end a pattern */
} axl__search;

void axl__search_free(axl__search *s, axl_context *ctx);
/* Entries are numbers from 0 on.  AXL_ERR_FORMAT for an empty pattern, or one that is there. */
axl_status axl__search_add(axl__search *s, axl_context *ctx, axl__slice pattern, uint32_t entry);
/* After the last pattern. */
axl_status axl__search_finish(axl__search *s, axl_context *ctx);

/* Where patterns begin in a stretch of a text, last place first; memory that is used again. */
typedef struct axl__hit {
    size_t at;
    int32_t entry;
} axl__hit;
typedef struct axl__hits {
    axl__hit *items;
    size_t count, cap;
} axl__hits;

/* Where a walk over a text has come to: hits are those from `done` back. */
typedef struct axl__search_walk {
    const axl__search *search;
    axl__hits *hits; /* borrowed */
    axl_context *ctx;
    const char *text;
    size_t len, done;
} axl__search_walk;

/* The next place, from left to right, where a pattern begins, and the longest there; AXL_END. */
axl_status axl__search_next(axl__search_walk *w, axl__hit *out);

#endif
