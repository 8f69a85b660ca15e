/* SPDX-License-Identifier: Apache-2.0 */
/* tokenize_rows.h - all records of a plan's files, or of a host, into a store, in their order. */
#ifndef AXL_DATA_TOKENIZE_ROWS_H
#define AXL_DATA_TOKENIZE_ROWS_H

#include "data/data_plan.h"
#include "data/sample_store.h"

/*
 * Appends the samples of every record as rows; one without anything to train on may have length 0.
 * starts (n_sets + 1) receives where each data set's rows begin, *n_without how many records gave
 * no row at all, *n_too_long how many samples those had that were dropped for the length of their
 * texts.  AXL_ERR_DATA: malformed records or values of a wrong type (the first ten are named, all
 * are counted), a column that no record has, or no record at all.
 */
axl_status axl__tokenize_rows(axl__store *store, const axl__data_plan *plan, uint32_t *starts,
                              uint64_t *n_without, uint64_t *n_too_long);

/*
 * The same records a stretch at a time, for data that is never whole in memory: where the last file
 * ends the first begins again, and where a host's records end they are rewound.  Shards, which need
 * all records at once, are none of its.
 */
typedef struct axl__row_stream axl__row_stream;

/* The plan must live as long.  AXL_ERR_UNSUPPORTED: shards. */
axl_status axl__row_stream_open(axl__row_stream **out, const axl__data_plan *plan);
void axl__row_stream_close(axl__row_stream *s); /* NULL is fine */
/* Goes over n records, or fewer where the data ends, and appends their samples; store NULL: passes
 * them over.  *n_without receives how many gave no row.  AXL_END: behind the last record of a host
 * that cannot go back.  AXL_ERR_DATA as axl__tokenize_rows(). */
axl_status axl__row_stream_read(axl__row_stream *s, axl__store *store, uint64_t n,
                                uint64_t *n_without);
/* How often the data's end was reached. */
uint64_t axl__row_stream_passes(const axl__row_stream *s);

#endif
