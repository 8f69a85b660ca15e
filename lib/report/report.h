/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - a run as one HTML page that needs nothing beside itself. */
#ifndef AXL_REPORT_REPORT_H
#define AXL_REPORT_REPORT_H

#include "run_log.h"

#include "base/str.h"
#include "config/config.h"

#include <axl/plan.h>
#include <axl/trainer.h>

/* Of all batches of the training. */
typedef struct axl__batch_counts {
    uint64_t longest, max_tokens; /* sample and batch, in tokens */
    uint64_t n_batches, n_steps, n_seqs, n_tokens;
} axl__batch_counts;

/* What a run is and has come to, for the report and the model card.  All pointers are borrowed for
 * the call that is given it: these pages know neither the run nor its trainer. */
typedef struct axl__run_summary {
    const axl_config *cfg;
    const char *output_dir;
    const char *state; /* "running", "stopped", "finished" */
    uint64_t step, total_steps;
    uint64_t result_step; /* whose weights the result has */
    double epoch, seconds;
    uint64_t peak_rss_bytes;
    const axl__run_history *history;
    axl_dataset_stats train, valid; /* valid.rows is 0 where there is none */
    axl_model_info model;
    const axl_trainer_options *trainer;
    uint64_t warmup_steps;
    uint64_t trained_params;
    axl_plan plan;
    axl__batch_counts batches;
    const char *backend, *isa, *matmul; /* static or the model's */
    uint32_t threads;
    int64_t now; /* seconds since 1970 */
} axl__run_summary;

/* The part of a path or Hub id behind its last slash. */
const char *axl__last_name(const char *path);

void axl__report_put(axl__str *out, const axl__run_summary *run);

#endif
