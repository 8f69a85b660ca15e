/* SPDX-License-Identifier: Apache-2.0 */
/* loader.h - what a plan asks of a loader: the batches to come, without making them. */
#ifndef AXL_DATA_LOADER_H
#define AXL_DATA_LOADER_H

#include <axl/loader.h>

/* Of all batches until the end; of the first AXL__SURVEY_EPOCHS epochs when there are more, and of
 * one when there is no end. */
typedef struct axl__survey {
    uint64_t max_tokens; /* of the largest batch */
    uint64_t longest;    /* sequence */
    uint64_t n_batches, n_steps, n_seqs, n_tokens, n_trained;
    double squares; /* sum over the sequences of length^2 */
} axl__survey;

enum { AXL__SURVEY_EPOCHS = 16 };

axl_status axl__loader_survey(const axl_loader *loader, axl__survey *out);

/* What says which rows each step gets: loaders of equal prints give the same rows in the same
 * steps, however a step is cut into batches. */
typedef struct axl__loader_print {
    uint64_t seed;
    uint64_t n_rows, rows_hash; /* of ids, labels and roles */
    uint64_t step_items;        /* samples, or bins of bin_tokens, in a step */
    uint64_t bin_tokens;        /* 0: not packed */
    uint64_t order;             /* whether samples and bins are shuffled, samples grouped */
} axl__loader_print;

/* Goes through all rows the first time. */
axl_status axl__loader_print_of(const axl_loader *loader, axl__loader_print *out);

/* Samples or bins of an epoch before a batch, and the first batch after so many. */
uint64_t axl__loader_items_before(const axl_loader *loader, uint64_t batch);
uint64_t axl__loader_batch_after(const axl_loader *loader, uint64_t items);

#endif
