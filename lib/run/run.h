/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h - the state of a run, shared by its files.  A member belongs to the file that is named
 * above it: that one writes it, the others read it or call the file's functions.
 */
#ifndef AXL_RUN_RUN_H
#define AXL_RUN_RUN_H

#include "records.h"
#include "run_rhythm.h"

#include "data/loader.h"
#include "train/trainer.h"

#include <axl/plan.h>
#include <axl/run.h>

#include <stdatomic.h>

/* What evaluations, losses and files may do to the run; from the config, then constant. */
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

/* Steps whose loss or gradient was not finite, since the last whole one; those before it are in the
 * state.  While `rest` is set the window's other batches are passed over. */
typedef struct axl__skips {
    uint64_t n;
    bool rest;
} axl__skips;

/* The time and the input tokens since the last record of a step, or since train was called.  It is
 * of this process and no state: tokens a second differ from run to run and are in no checkpoint. */
typedef struct axl__pace {
    double since; /* axl__now() there, pushed on by what is not training */
    uint64_t n_tokens;
} axl__pace;

/* How the run goes on and what of it is on disk. */
typedef struct axl__saves {
    uint64_t limit;  /* checkpoints that stay */
    bool goes_on;    /* training begins after earlier steps, of a checkpoint or of this handle */
    uint64_t newest; /* the step of a checkpoint that holds all of the state; UINT64_MAX: none */
} axl__saves;

struct axl_run {
    /* run.c: the handle, */
    uint32_t magic;
    axl__claim claim;
    axl_context *ctx;
    axl_config *cfg;
    char *resume, *output_dir;
    char *from;         /* the checkpoint that it goes on from; NULL: from the beginning */
    axl__date day;      /* that chat templates see: the config's, the checkpoint's or today */
    int lock;           /* on output_dir; -1: none */
    size_t dir_existed; /* the length of that part of output_dir that was there before */
    /* The device that the config names, open from the beginning on; NULL for auto. */
    const axl_backend_ops *ops;
    axl_device *dev;

    /* what the config made, in this order; whole once axl_run_new() is done, */
    axl_tokenizer *tok;
    axl_dataset *train, *valid; /* valid may be NULL */
    axl_loader *loader;
    axl_model *model;
    axl_adapter *adapter;
    axl_trainer *trainer;

    /* what is known of the run then, */
    uint64_t total_steps;
    axl_plan plan;      /* memory alone */
    axl__survey survey; /* of the training batches */
    axl__rhythms when;

    /* and the last whole step, which a stop falls back to: the loader's place there, and what
     * checkpoints keep of the run, where each file has its numbers. */
    axl_loader_cursor at_step;
    axl__run_state state;

    axl__steering steer; /* run_steer.c */
    axl__skips skips;    /* run_steer.c */
    axl__pace pace;      /* run_record.c */
    axl__saves saves;    /* run_save.c */
    axl__records records;
};

axl_status axl__run_enter(axl_run *r);

/* run_record.c.  A record has the numbers that every event has; the others are NaN. */
double axl__run_epoch(const axl_run *r); /* at the last whole step */
/* Whether that was an epoch's last. */
bool axl__run_epoch_ended(const axl_run *r);
axl_run_record axl__run_record_of(const axl_run *r, axl_run_event event);
axl_status axl__run_put_record(axl_run *r, const axl_run_record *record);
axl_status axl__run_begin_records(axl_run *r, bool goes_on);
axl_status axl__run_log_step(axl_run *r, const axl_step_stats *s);
axl_status axl__run_put_path(axl_run *r, axl_run_event event, const char *path);
void axl__run_pace_begin(axl_run *r);
/* The time since then was not training time. */
void axl__run_pace_pause(axl_run *r, double began);

/* run_report.c: report.html from the log so far, and the model card; state is "running", "stopped"
 * or "finished". */
axl_status axl__run_write_report(axl_run *r, const char *state);
axl_status axl__run_write_card(axl_run *r);

/* run_evaluate.c.  ended: no step follows. */
axl_status axl__run_evaluate_when_due(axl_run *r, bool ended);

/* run_steer.c */
axl_status axl__run_read_steering(axl_run *r);
axl_status axl__run_note_evaluation(axl_run *r, double loss, double perplexity);
void axl__run_note_step(axl_run *r, double loss); /* a whole one */
bool axl__run_stops_early(const axl_run *r);
/* A batch or step was not finite: whether the run goes on without it. */
axl_status axl__run_skip_step(axl_run *r, bool window_ended);
/* Whether the batch belongs to a skipped step. */
bool axl__run_skips_batch(axl_run *r, const axl_batch *b);
bool axl__run_save_is_due(axl_run *r);

/* What the result does not hang on: its failure is a warning, unless memory is out or the run is to
 * stop. */
axl_status axl__run_only_warn(const axl_run *r, axl_status status);

/* run_save.c.  find looks for the checkpoint that is asked for, and for the day that its run began
 * with, before data is made; resume loads it; begin makes ready to train from
 * there, or from where train stopped. */
axl_status axl__run_find_start(axl_run *r);
axl_status axl__run_resume(axl_run *r);
axl_status axl__run_begin(axl_run *r);
axl_status axl__run_save_checkpoint(axl_run *r, bool stopped);
/* The state has changed at a step that may have been saved. */
void axl__run_outdate_save(axl_run *r);
/* With load_best_model_at_end: its weights, before they become the result. */
axl_status axl__run_load_best(axl_run *r);
axl_status axl__run_save_result(axl_run *r);
/* After a stop: a checkpoint of the last whole step unless there is one. */
axl_status axl__run_save_stopped(axl_run *r, axl_status stopped);

#endif
