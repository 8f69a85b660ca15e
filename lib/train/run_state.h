/* SPDX-License-Identifier: Apache-2.0 */
/* run_state.h - what a run keeps in its checkpoints beside the trainer's own. */
#ifndef AXL_TRAIN_RUN_STATE_H
#define AXL_TRAIN_RUN_STATE_H

#include "base/json.h"
#include "base/json_write.h"
#include "base/os_time.h"

#include <stdbool.h>
#include <stdint.h>

/* All of the last whole step.  A resumed run decides by them what the whole run
 * would have decided: when it is the best, when it stops early, what it logs next. */
typedef struct axl__run_state {
    uint64_t serial; /* of the checkpoint among all that were saved into its output_dir */
    double loss_sum; /* since the last record */
    uint64_t loss_tokens;
    double seconds;               /* that the run has taken */
    uint64_t n_tokens, n_trained; /* of all its steps */
    uint64_t evaluated_step;      /* of the last evaluation; UINT64_MAX: none */
    bool has_best;
    double best;        /* metric_for_best_model's best value, */
    uint64_t best_step; /* where it was */
    uint64_t n_worse;   /* evaluations since then */
    uint64_t n_high;    /* steps in a row whose loss was above loss_watchdog_threshold */
    axl__date day;      /* that its chat templates see; year 0: not known */
    uint64_t n_skipped; /* steps whose loss or gradient was not finite, in all */
} axl__run_state;

/* Of a run that has not begun, and of a host's own loop. */
void axl__run_state_init(axl__run_state *s);
void axl__run_state_put(axl__jw *j, const axl__run_state *s);
/* Of a state that was checked (checkpoint_state.h). */
void axl__run_state_read(axl__run_state *s, const axl__json *object);
axl__date axl__run_state_day(const axl__json *object); /* alone, which data is made by */

#endif
