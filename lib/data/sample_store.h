/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample_store.h - tokenised samples in an order that may be changed: rows, which say where in the
 * pile of tokens, or in the mapped prepared file that they were read from, a sample's ids lie.
 */
#ifndef AXL_DATA_SAMPLE_STORE_H
#define AXL_DATA_SAMPLE_STORE_H

#include "data/token_pile.h"

#include <axl/dataset.h>

#include <stdatomic.h>

#define AXL__NO_SOURCE UINT32_MAX

/* A sample, in memory as in the prepared file: ids (length), and behind them labels (length); what
 * each label says is of the token at its own place, not of the next.  While a data set is built
 * there are rows of which fewer tokens are stored, or none: those that the rules cut or drop. */
typedef struct axl__row {
    uint64_t at;     /* of its ids among the store's tokens */
    uint64_t record; /* 0-based in the source */
    uint32_t length;
    uint32_t n_trained; /* labels without the first token's that are not AXL_LABEL_IGNORE */
    uint32_t source;    /* index into sources, or AXL__NO_SOURCE */
    uint32_t part;
    uint32_t pair;
    uint16_t role;          /* an axl_role */
    uint16_t first_trained; /* 1: the first token has a label */
} axl__row;

_Static_assert(sizeof(axl__row) == 40, "as the prepared file has it");

/* Changed only while it is built, by one thread; then several data sets share it.  rows may move
 * when it grows, and sources too: indices stay, pointers do not. */
typedef struct axl__store {
    axl_context *ctx;
    atomic_int refs;
    axl__pile pile;
    const int32_t *tokens; /* of all rows, from axl__store_seal() on */
    axl__row *rows;        /* a file's, which is only read, where cap is 0 */
    uint32_t n, cap;
    char **sources;
    uint32_t n_sources;
    axl__file file; /* the tokens lie here when it is open (file.ctx set) */
    /* Where and as what rows that were prepared are to be kept; NULL: they are, or not. */
    char *keep_dir, *keep_key;
    bool keep_failed;
    axl_dataset_stats keep_stats; /* of all rows that were read */
} axl__store;

axl__store *axl__store_new(axl_context *ctx); /* one reference; NULL when memory is out */
axl__store *axl__store_ref(axl__store *store);
void axl__store_free(axl__store *store); /* drops a reference; NULL is fine */

/* Copies a sample to the end, of its ids and labels the first `kept`; at and what is trained of
 * those is found here, the rest is the row's.  AXL_ERR_DATA past 2^31 - 1 samples. */
axl_status axl__store_add(axl__store *store, const axl__row *row, const int32_t *ids,
                          const int32_t *labels, uint32_t kept);
/* Behind the last sample; before it no row's tokens can be read. */
axl_status axl__store_seal(axl__store *store);
/* The index of a source's name, added when it is new to the store's end. */
axl_status axl__store_add_source(axl__store *store, const char *name, uint32_t *index);
/* Row i becomes what order[i] was, within [first, first + n); the indices count from first.  The
 * order is used up. */
void axl__store_reorder(axl__store *store, uint32_t first, uint32_t n, uint32_t *order);

/* dataset_build.c: writes them there, after which keep_dir is NULL.  That they cannot be is an
 * error where they must, else a warning, once. */
axl_status axl__rows_keep(axl__store *store, bool must);

static inline const int32_t *axl__row_ids(const axl__store *store, const axl__row *row)
{
    return store->tokens + row->at;
}

static inline const int32_t *axl__row_labels(const axl__store *store, const axl__row *row)
{
    return store->tokens + row->at + row->length;
}

#endif
