/* SPDX-License-Identifier: Apache-2.0 */
/* tokenize_rows.h - all records of a plan's files into a store, in the order of the files. */
#ifndef AXL_DATA_TOKENIZE_ROWS_H
#define AXL_DATA_TOKENIZE_ROWS_H

#include "data/data_plan.h"
#include "data/sample_store.h"

/*
 * Appends the samples of every record as rows; one without anything to train on may have length 0.
 * starts (n_sets + 1) receives where each data set's rows begin, *n_without how many records gave
 * no row at all.  AXL_ERR_DATA: malformed records
 * or values of a wrong type (the first ten are named, all are counted), a column that no record
 * has, or no record at all.
 */
axl_status axl__tokenize_rows(axl__store *store, const axl__data_plan *plan, uint32_t *starts,
                              uint64_t *n_without);

#endif
