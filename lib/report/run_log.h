/* SPDX-License-Identifier: Apache-2.0 */
/* run_log.h - OUTPUT_DIR/training_log.jsonl: one object a record, numbers that read back exactly.
 */
#ifndef AXL_REPORT_RUN_LOG_H
#define AXL_REPORT_RUN_LOG_H

#include "base/ctx.h"

#include <axl/run.h>

/* Every number absent: NaN, or 0 for a count. */
axl_run_record axl__record_blank(axl_run_event event);

/* Where a run goes on: what was done before, and which of it was evaluated last.  A step whose
 * evaluation was stopped is done and not evaluated, and will be. */
typedef struct axl__log_end {
    uint64_t step, evaluated; /* evaluated UINT64_MAX: none */
} axl__log_end;
/* Empties the file, or, to go on, cuts what comes after that; kept NULL: it starts.  A link in its
 * place is replaced. */
axl_status axl__run_log_begin(axl_context *ctx, const char *path, const axl__log_end *kept);
/* A record of a step or of an evaluation; others are no lines.  But for tokens_per_second the line
 * is the same on any machine and across a stop. */
axl_status axl__run_log_append(axl_context *ctx, const char *path, const axl_run_record *record);

/* The whole run so far, as its log has it. */
typedef struct axl__run_history {
    axl_context *ctx;
    axl_run_record *records; /* of steps and evaluations, in the file's order */
    size_t n;
} axl__run_history;

axl_status axl__run_log_read(axl__run_history *out, axl_context *ctx, const char *path);
void axl__run_history_free(axl__run_history *h);
/* The last record of an event, NULL where there is none; how many there are. */
const axl_run_record *axl__run_last(const axl__run_history *h, axl_run_event event);
size_t axl__run_count(const axl__run_history *h, axl_run_event event);

#endif
