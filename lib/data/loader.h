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

#endif
