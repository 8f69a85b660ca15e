/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h - the state of a run, shared by its files: run.c makes it and loops, run_rhythm.c says when
 * something is due, run_record.c records steps, run_evaluate.c evaluates, run_steer.c decides what
 * follows from it, run_save.c saves and resumes, run_report.c describes the run.
 */
#ifndef AXL_RUN_RUN_H
#define AXL_RUN_RUN_H

#include "records.h"

#include "config/config.h"
#include "data/loader.h"
#include "train/trainer.h"

#include <axl/plan.h>
#include <axl/run.h>

/* When something happens: every n steps, at each epoch's end, or never. */
typedef struct axl__rhythm {
    uint64_t steps; /* 0: not by steps */
    bool epochs;
} axl__rhythm;

/* What evaluations, losses and files may do to the run. */
typedef struct axl__steering {
    bool by_perplexity, best_is_high; /* metric_for_best_model, greater_is_better */
    bool keep_best;                   /* never prune the best checkpoint */
    bool load_best, save_best;        /* give it as the result; save only when there is a new one */
    bool save_first, only_model;
    uint64_t patience; /* early_stopping_patience; 0: none */
    double loss_limit; /* of the watchdog; infinite: none */
    uint64_t loss_patience;
    uint64_t max_skipped;    /* steps in a row that may not be finite */
    uint64_t check_interval; /* steps between looks for the trigger, */
    char *trigger;           /* a file that asks for a checkpoint; NULL: none */
} axl__steering;

struct axl_run {
    uint32_t magic;
    bool in_call;
    axl_context *ctx;
    axl_config *cfg;
    axl_run_options opts;
    char *resume, *output_dir;
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
    axl__steering steer;
    axl_plan plan;      /* memory alone */
    axl__survey survey; /* of the training batches */

    bool resumed;              /* training goes on after earlier steps */
    axl_loader_cursor at_step; /* the loader's place at the last whole step */
    uint64_t saved_step;       /* of the newest checkpoint; UINT64_MAX: none of this run */
    axl__run_state state;      /* that checkpoints keep */
    uint64_t n_skipped_now;    /* steps skipped since the last whole one */
    bool skipping;             /* the rest of such a step's batches */
    uint64_t input_tokens;     /* since then or since train was called */
    double started;            /* when that was */
    axl__records records;
};

axl_status axl__run_enter(axl_run *r);

/* run_rhythm.c */
void axl__run_read_rhythms(axl_run *r);
bool axl__rhythm_due(const axl__rhythm *when, const axl_run *r); /* after the last whole step */

/* run_record.c */
axl_status axl__run_log_step(axl_run *r, const axl_step_stats *s);
double axl__run_epoch(const axl_run *r); /* at the last whole step */

/* run_report.c: report.html from the log so far, and the model card; state is "running", "stopped"
 * or "finished". */
axl_status axl__run_write_report(axl_run *r, const char *state);
axl_status axl__run_write_card(axl_run *r);

/* run_evaluate.c.  ended: no step follows. */
axl_status axl__run_evaluate_when_due(axl_run *r, bool ended);

/* run_steer.c */
axl_status axl__run_read_steering(axl_run *r);
axl_status axl__run_note_evaluation(axl_run *r, double loss, double perplexity);
void axl__run_watch_loss(axl_run *r, double loss);
bool axl__run_stops_early(const axl_run *r);
/* A batch or step was not finite: whether the run goes on without it. */
axl_status axl__run_skip_step(axl_run *r, bool window_ended);
bool axl__run_save_is_due(axl_run *r);

/* run_save.c.  resume loads the checkpoint that was asked for; begin makes ready to train from
 * there, or from where train stopped. */
axl_status axl__run_resume(axl_run *r);
axl_status axl__run_begin(axl_run *r);
axl_status axl__run_save_checkpoint(axl_run *r, bool stopped);
/* With load_best_model_at_end: its weights, before they become the result. */
axl_status axl__run_load_best(axl_run *r);
axl_status axl__run_save_result(axl_run *r);
/* After a stop: a checkpoint of the last whole step unless there is one. */
axl_status axl__run_save_stopped(axl_run *r, axl_status stopped);

#endif
