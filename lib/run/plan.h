/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - what a run needs, before it loads its model. */
#ifndef AXL_RUN_PLAN_H
#define AXL_RUN_PLAN_H

#include "data/loader.h"
#include "train/trainer.h"

#include <axl/plan.h>

/* The batches of a run. */
typedef struct axl__batches {
    axl__survey train, valid; /* valid all 0: no validation data */
    uint64_t total_steps, n_evals;
    bool checkpoints;  /* are written */
    uint64_t mapped;   /* bytes of prepared data that reading them makes resident */
    uint32_t n_tokens; /* of the tokenizer; 0: not known */
} axl__batches;

/* valid NULL: none. */
axl_status axl__plan_survey(axl__batches *out, const axl_config *cfg, axl_dataset *train,
                            axl_dataset *valid);

/* Room for the largest of them. */
axl_status axl__plan_reserve(const axl__batches *batches, axl_trainer *tr);

/* All but steps and time, in out.  *counted, when it is wanted, is the trainer on a counting device
 * that it was read from. */
axl_status axl__plan_memory(const axl_config *cfg, const axl__batches *batches, axl_plan *out,
                            axl_trainer **counted);

/* Whether each token that the config adds is trained where the model's embedding has no row for it
 * yet: an adapter alone trains none. */
axl_status axl__plan_tokens(const axl_config *cfg, const axl_tokenizer *tok);

/* AXL_ERR_NOMEM with the numbers when the run does not fit. */
axl_status axl__plan_fits(const axl_plan *plan);

/* plan_time.c: seconds of training and evaluating them, as two layers of the counted trainer's
 * model take on the backend (NULL: "cpu"). */
axl_status axl__plan_seconds(const axl_trainer *counted, const char *backend,
                             const axl__batches *batches, double *out);

#endif
