/* SPDX-License-Identifier: Apache-2.0 */
/* run_log.h - OUTPUT_DIR/training_log.jsonl: one object a record, numbers that read back exactly.
 */
#ifndef AXL_TRAIN_RUN_LOG_H
#define AXL_TRAIN_RUN_LOG_H

#include "base/ctx.h"

#include <axl/run.h>

/* What the kept part of a log tells. */
typedef struct axl__run_log_past {
    axl_run_record last;     /* of a step, all NaN for none; with the last evaluation's loss */
    uint64_t evaluated_step; /* UINT64_MAX: none */
} axl__run_log_past;

/* Empties the file, or, to go on after `step`, cuts what follows that step's records. */
axl_status axl__run_log_begin(axl_context *ctx, const char *path, bool resume, uint64_t step,
                              axl__run_log_past *past);
axl_status axl__run_log_append(axl_context *ctx, const char *path, const axl_run_record *record);

#endif
