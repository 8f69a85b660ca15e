/* SPDX-License-Identifier: Apache-2.0 */
/* run_rhythm.h - when a run logs, evaluates and saves; the plan asks too. */
#ifndef AXL_RUN_RUN_RHYTHM_H
#define AXL_RUN_RUN_RHYTHM_H

#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

/* When something happens: every n steps, at each epoch's end, or never.  One of the two at most.
 * What is on also happens after the run's last step, wherever that is. */
typedef struct axl__rhythm {
    uint64_t steps; /* 0: not by steps */
    bool epochs;
} axl__rhythm;

typedef struct axl__rhythms {
    uint64_t log_steps; /* every that many; at least 1 */
    axl__rhythm save, eval;
    bool eval_on_start;
} axl__rhythms;

/* Without validation data nothing is evaluated, whatever the config says. */
void axl__rhythms_read(axl__rhythms *out, const axl_config *cfg, uint64_t total_steps,
                       bool has_valid);
bool axl__rhythm_is_on(const axl__rhythm *when);
/* After a step; epoch_ended: it was an epoch's last. */
bool axl__rhythm_due(const axl__rhythm *when, uint64_t step, bool epoch_ended);

#endif
