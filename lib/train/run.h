/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h - the state of a run, shared by its files: run.c makes it and loops, run_rhythm.c says when
 * something is due, run_record.c writes records, run_evaluate.c evaluates, run_save.c saves and
 * resumes.
 */
#ifndef AXL_TRAIN_RUN_H
#define AXL_TRAIN_RUN_H

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

    axl_loader_cursor at_step; /* the loader's place at the last whole step */
    uint64_t saved_step;       /* of the newest checkpoint; UINT64_MAX: none of this run */
    double loss_sum, started;
    uint64_t loss_tokens, input_tokens; /* since the last record */
    axl_run_record last;
};

axl_status axl__run_enter(axl_run *r);

/* run_rhythm.c */
void axl__run_read_rhythms(axl_run *r);
bool axl__rhythm_due(const axl__rhythm *when, uint64_t step, bool epoch_ended);

/* run_record.c: every record of a run, of a step or an evaluation, goes through put. */
axl_status axl__run_put_record(axl_run *r, const axl_run_record *record);
axl_status axl__run_log_step(axl_run *r, const axl_step_stats *s);
double axl__run_epoch(const axl_run *r);

/* run_evaluate.c */
axl_status axl__run_evaluate_and_log(axl_run *r);

/* run_save.c */
axl_status axl__run_resume(axl_run *r);
axl_status axl__run_save_checkpoint(axl_run *r);
axl_status axl__run_save_result(axl_run *r);
/* After a stop: back to the last whole step, and a checkpoint of it unless there is one. */
axl_status axl__run_save_stopped(axl_run *r, axl_status stopped);

#endif
