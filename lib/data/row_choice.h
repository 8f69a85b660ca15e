/* SPDX-License-Identifier: Apache-2.0 */
/* row_choice.h - which records of an entry are read and in which order their rows come: slices of
 * splits, shards. */
#ifndef AXL_DATA_ROW_CHOICE_H
#define AXL_DATA_ROW_CHOICE_H

#include "data/data_plan.h"
#include "data/sample_store.h"

#define AXL__NO_PLACE UINT32_MAX

typedef struct axl__row_range {
    uint64_t from, to; /* records of a part's files, counted through all of them */
} axl__row_range;

typedef struct axl__row_choice {
    axl_context *ctx;
    axl__row_range *ranges; /* (the entry's n_parts) */
    uint64_t n;             /* records in all ranges, where places says where each goes */
    uint32_t *places;       /* (n) or AXL__NO_PLACE, in the order of reading; NULL: as they come */
    uint32_t n_places;
    uint32_t *rows; /* (n_places) rows of the record at a place, which who reads them sets */
} axl__row_choice;

/* Reads the files where a choice depends on how many records they have.  AXL_ERR_DATA: shards that
 * are more than there are records. */
axl_status axl__row_choice_make(axl__row_choice *c, axl_context *ctx, const axl__data_entry *e,
                                uint64_t seed);
void axl__row_choice_free(axl__row_choice *c);
/* Puts the rows from first on, which are of the records in the order of reading, in their places.
 */
axl_status axl__row_choice_order(const axl__row_choice *c, axl__store *store, uint32_t first);
/* How many rows are before the piece of that index. */
uint32_t axl__row_choice_before(const axl__row_choice *c, uint32_t piece, uint32_t n_pieces);

#endif
