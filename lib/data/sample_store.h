/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample_store.h - tokenised samples in memory, in an order that may be changed.  The ids of a
 * sample lie in an arena, or in the mapped cache file that they were read from.
 */
#ifndef AXL_DATA_SAMPLE_STORE_H
#define AXL_DATA_SAMPLE_STORE_H

#include "base/arena.h"
#include "base/os.h"

#include <axl/dataset.h>

#include <stdatomic.h>

#define AXL__NO_SOURCE UINT32_MAX

/* A sample.  ids and labels lie one behind the other in one piece of memory; what each label says
 * is of the token at its own place, not of the next.  A row of length 0 (no ids) is there only
 * while a data set is built. */
typedef struct axl__row {
    const int32_t *ids;    /* (length) */
    const int32_t *labels; /* (length) */
    uint64_t record;       /* 0-based in the source */
    uint32_t length;
    uint32_t n_trained; /* labels without the first token's that are not AXL_LABEL_IGNORE */
    uint32_t source;    /* index into sources, or AXL__NO_SOURCE */
    uint32_t part;
    uint32_t role; /* an axl_role */
    uint32_t pair;
} axl__row;

/* Changed only while it is built, by one thread; then several data sets share it.  rows may move
 * when it grows, and sources too: indices stay, pointers do not. */
typedef struct axl__store {
    axl_context *ctx;
    atomic_int refs;
    axl__arena arena;
    axl__row *rows;
    uint32_t n, cap;
    char **sources;
    uint32_t n_sources;
    axl__file file; /* ids lie here when it is open (file.ctx set) */
    /* Where and as what rows that were prepared for a run will be kept; NULL: they are, or not. */
    char *keep_dir, *keep_key;
    axl_dataset_stats keep_stats; /* of all rows that were read */
} axl__store;

axl__store *axl__store_new(axl_context *ctx); /* one reference; NULL when memory is out */
axl__store *axl__store_ref(axl__store *store);
void axl__store_free(axl__store *store); /* drops a reference; NULL is fine */

/* Copies a sample to the end; n_trained is counted.  AXL_ERR_DATA past 2^31 - 1 samples. */
axl_status axl__store_add(axl__store *store, const int32_t *ids, const int32_t *labels,
                          uint32_t length, uint32_t source, uint64_t record, uint32_t part);
/* Adds a row whose ids live as long as the store (in its file). */
axl_status axl__store_add_row(axl__store *store, const axl__row *row);
/* The index of a source's name, added when it is new to the store's end. */
axl_status axl__store_add_source(axl__store *store, const char *name, uint32_t *index);
/* Row i becomes what order[i] was, within [first, first + n); the indices count from first. */
axl_status axl__store_reorder(axl__store *store, uint32_t first, uint32_t n, const uint32_t *order);

/* dataset_build.c: writes them there, after which keep_dir is NULL; that they cannot be is a
 * warning.
 */
axl_status axl__rows_keep(axl__store *store);

uint32_t axl__count_trained(const int32_t *labels, uint32_t length);

#endif
