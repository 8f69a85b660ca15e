/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records.h - where the records of a run go: training_log.jsonl, TensorBoard's event file, the
 * Prometheus file, and the host's callback.  The run makes a record and puts it; which of these
 * there are, and their order, is known here alone.
 */
#ifndef AXL_RUN_RECORDS_H
#define AXL_RUN_RECORDS_H

#include "config/config.h"

#include "report/run_log.h"

#include <axl/run.h>

/* From init to free; began to step are set by begin. */
typedef struct axl__records {
    axl_context *ctx; /* these three are the run's, which outlives its records */
    const axl_config *cfg;
    const char *output_dir;
    axl_record_fn tell; /* the host's callback; NULL: none */
    void *user;         /* its own */
    char *log_path;
    char *event_path;      /* NULL without use_tensorboard */
    char *prometheus_path; /* NULL without axl.prometheus_file */
    bool log_stale;        /* what the file holds is of another run: it could not be begun */
    bool log_failed, events_failed, prometheus_failed;
    double prometheus_at;            /* axl__now() of the last writing */
    double began;                    /* axl__now() where this process begins to train */
    double seconds_before;           /* that the run took until then */
    uint64_t first_step;             /* done before this process */
    uint64_t valid_rows;             /* of the validation split */
    axl_run_record step, evaluation; /* the newest of each; blank before the first */
} axl__records;

/* Where a process begins to train. */
typedef struct axl__records_start {
    bool resumed;       /* the files go on; else they start */
    uint64_t step;      /* done before */
    uint64_t evaluated; /* the last of them with an evaluation; UINT64_MAX: none */
    double seconds;     /* that the run took until then */
    uint64_t valid_rows;
} axl__records_start;

/* The paths, from the config; fails where one is no place to write at all. */
axl_status axl__records_init(axl__records *k, const axl_config *cfg, const char *output_dir,
                             const axl_run_options *opts);
void axl__records_free(axl__records *k);

/* Before the first step: starts the files, or cuts what is in them after the step that the run goes
 * on from. */
axl_status axl__records_begin(axl__records *k, const axl__records_start *start);
/* What the log has of the run; of one that could not be begun, nothing. */
axl_status axl__records_history(const axl__records *k, axl__run_history *out);

/* That the run has taken, what went before a stop included. */
double axl__records_seconds(const axl__records *k);
/* Until the last step, at the pace since begin; NaN before a step. */
double axl__records_eta(const axl__records *k, uint64_t step, uint64_t total_steps);

/* AXL_ERR_CANCELLED when the callback asks for a stop. */
axl_status axl__records_put(axl__records *k, const axl_run_record *record);

#endif
