/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records.h - where the records of a run go: training_log.jsonl, TensorBoard's event file, the
 * Prometheus file, report.html, and the host's callback.  The run makes a record and puts it; which
 * of these there are, and their order, is known here alone.
 */
#ifndef AXL_RUN_RECORDS_H
#define AXL_RUN_RECORDS_H

#include "base/ctx.h"

#include <axl/run.h>

typedef struct axl__records {
    char *log_path;
    char *event_path;      /* NULL without use_tensorboard */
    char *prometheus_path; /* NULL without axl.prometheus_file */
    bool prometheus_failed;
    double prometheus_at;            /* axl__now() of the last writing */
    double began;                    /* axl__now() where this process begins to train */
    double seconds_before;           /* that the run took until then */
    uint64_t first_step;             /* done before this process */
    axl_run_record step, evaluation; /* the newest of each; blank before the first */
} axl__records;

/* The paths, from config and output_dir; fails where one cannot be written. */
axl_status axl__records_init(axl_run *r);
void axl__records_free(axl_run *r);

/* Before the first step, with the trainer at the step that it goes on from: starts the files, or
 * cuts what is in them after that step, and tells of AXL_RUN_BEGIN. */
axl_status axl__records_begin(axl_run *r, bool resumed);

/* That the run has taken, what went before a stop included. */
double axl__records_seconds(const axl_run *r);

/* A record of the event with the numbers that every event has; the others are NaN. */
axl_run_record axl__record_of(const axl_run *r, axl_run_event event);
axl_status axl__records_put(axl_run *r, const axl_run_record *record);
axl_status axl__records_put_path(axl_run *r, axl_run_event event, const char *path);

#endif
