/* SPDX-License-Identifier: Apache-2.0 */
/* run_log.h - OUTPUT_DIR/training_log.jsonl: one object a record, numbers that read back exactly.
 */
#ifndef AXL_TRAIN_RUN_LOG_H
#define AXL_TRAIN_RUN_LOG_H

#include "base/ctx.h"

#include <axl/run.h>

/* Empties the file, or, to go on after `step`, cuts what follows that step's records.  last: the
 * last record of a step that is kept, all NaN for none, with the last evaluation's loss. */
axl_status axl__run_log_begin(axl_context *ctx, const char *path, bool resume, uint64_t step,
                              axl_run_record *last);
axl_status axl__run_log_append(axl_context *ctx, const char *path, const axl_run_record *record);

#endif
