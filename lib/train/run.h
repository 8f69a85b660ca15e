/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h - the state of a run, shared by its files: run.c makes it and loops, run_rhythm.c says when
 * something is due, run_record.c writes records, run_evaluate.c evaluates, run_save.c saves and
 * resumes.
 */
#ifndef AXL_TRAIN_RUN_H
#define AXL_TRAIN_RUN_H

#include "trainer.h"

#include "config/config.h"

#include <axl/run.h>

/* When something happens: every n steps, at each epoch's end, or never. */
typedef struct axl__rhythm {
    uint64_t steps; /* 0: not by steps */
    bool epochs;
} axl__rhythm;

struct axl_run {
    uint32_t magic;
    bool in_call;
    axl_context *ctx;
    axl_config *cfg;
    axl_run_options opts;
    char *resume, *output_dir, *log_path;
    size_t dir_existed; /* the length of that part of output_dir that was there before */
    axl_tokenizer *tok;
    axl_dataset *train, *valid; /* valid may be NULL */
    axl_loader *loader;
    axl_model *model;
    axl_adapter *adapter;
    axl_trainer *trainer;
    uint64_t total_steps, logging_steps, save_limit;
    axl__rhythm save, eval;
    bool eval_on_start;

    bool begun;                /* train was called before: it goes on where it stopped */
    axl_loader_cursor at_step; /* the loader's place at the last whole step */
    uint64_t saved_step;       /* of the newest checkpoint; UINT64_MAX: none of this run */
    uint64_t evaluated_step;   /* of the last evaluation in the log; UINT64_MAX: none */
    axl__run_state state;      /* that checkpoints keep */
    uint64_t input_tokens;     /* since then or since train was called */
    double started;            /* when that was */
    axl_run_record last;       /* of a step; with the loss of the last evaluation */
};

axl_status axl__run_enter(axl_run *r);

/* run_rhythm.c */
void axl__run_read_rhythms(axl_run *r);
bool axl__rhythm_due(const axl__rhythm *when, const axl_run *r); /* after the last whole step */

/* run_record.c: every record of a run, of a step or an evaluation, goes through put. */
axl_status axl__run_put_record(axl_run *r, const axl_run_record *record);
axl_status axl__run_log_step(axl_run *r, const axl_step_stats *s);
double axl__run_epoch(const axl_run *r);

/* run_evaluate.c */
axl_status axl__run_evaluate_when_due(axl_run *r);

/* run_save.c.  begin finds the place to start from: a checkpoint, or where train stopped. */
axl_status axl__run_begin(axl_run *r);
axl_status axl__run_save_checkpoint(axl_run *r);
axl_status axl__run_save_result(axl_run *r);
/* After a stop: a checkpoint of the last whole step unless there is one. */
axl_status axl__run_save_stopped(axl_run *r, axl_status stopped);

#endif
