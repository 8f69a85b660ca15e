/* SPDX-License-Identifier: Apache-2.0 */
/* dataset.h - what the loader reads of a data set. */
#ifndef AXL_DATA_DATASET_H
#define AXL_DATA_DATASET_H

#include "base/os_time.h"
#include "data/sample_store.h"

#include <axl/dataset.h>

/* A new reference; returns data. */
axl_dataset *axl__dataset_ref(axl_dataset *data);
/* AXL_ERR_INVALID unless it is a live data set, AXL_ERR_FORKED in a child of its maker. */
axl_status axl__dataset_enter(const axl_dataset *data);
axl_context *axl__dataset_context(const axl_dataset *data);
/* (axl_dataset_count) rows, as long as the data set lives. */
const axl__row *axl__dataset_rows(const axl_dataset *data);

/* Where the rows' tokens are. */
const axl__store *axl__dataset_store(const axl_dataset *data);

/* Bytes of the prepared file that is mapped, if any, unless `other` (NULL: none) has it too. */
uint64_t axl__dataset_mapped(const axl_dataset *data, const axl_dataset *other);

/* A data set of rows [first, first + n) of the store; takes its own reference.  stats.rows, tokens
 * and trained_tokens are counted here. */
axl_status axl__dataset_wrap(axl_dataset **out, axl__store *store, uint32_t first, uint32_t n,
                             const axl_dataset_stats *stats);

/* The stream of which these rows are the first window that has any; NULL: they are all. */
struct axl__data_stream *axl__dataset_stream(const axl_dataset *data);
/* That window's number. */
uint64_t axl__dataset_window(const axl_dataset *data);
/* Takes its own reference; of a data set that nobody else has yet. */
void axl__dataset_set_stream(axl_dataset *data, struct axl__data_stream *stream, uint64_t window);

/* What data is made for. */
typedef struct axl__data_use {
    bool for_run;  /* what is prepared goes below output_dir, unless dataset_prepared_path is set,
                    * when it is told to be kept */
    axl__date day; /* that chat templates see where axl.date names none; year 0: today */
    struct axl__str *said; /* warnings of the config's other lists; NULL: this one's alone */
} axl__data_use;

/* Both splits of a config at once, tokenised once.  *validation is NULL when the config has none;
 * it may be NULL itself when it is not wanted, as may train.  use NULL: for nothing in
 * particular. */
axl_status axl__datasets_from_config(axl_dataset **train, axl_dataset **validation,
                                     const axl_config *cfg, const axl_tokenizer *tok,
                                     const axl__data_use *use);

/* Writes what was prepared and is to be kept, once; data may be NULL.  See axl__rows_keep(). */
axl_status axl__dataset_keep(axl_dataset *data, bool must);

#endif
