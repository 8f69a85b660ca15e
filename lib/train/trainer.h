/* SPDX-License-Identifier: Apache-2.0 */
/* trainer.h - the trainer's state, shared with checkpoint.c. */
#ifndef AXL_TRAIN_TRAINER_H
#define AXL_TRAIN_TRAINER_H

#include "lisa.h"
#include "run_state.h"

#include "base/call.h"
#include "model/network.h"
#include "model/weights.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"

#include <axl/trainer.h>

#include <stdatomic.h>

/* Between calls either terms is 0 and grads are all 0, or grads hold the sum of so many losses of
 * the window's batches (or of what a host wrote), not yet divided.  A step divides, moves, and
 * empties the window.  loss_sum, n_tokens and n_trained are of the window too.
 *
 * A batch's loss stays on a device with memory of its own until something asks for it, at last the
 * step, which reads all of them with the gradients' norm: so nothing waits in between. */
struct axl_trainer {
    uint32_t magic;
    atomic_int refs;
    axl__claim claim;
    bool took_model, took_adapter; /* see axl__model_take(), axl__adapter_own() */
    axl_context *ctx;
    axl_model *model;
    axl_adapter *adapter;     /* NULL: the model's own weights are trained */
    axl__trained trained;     /* the adapter's tensors, or the model's */
    int64_t first_layer;      /* of the model's own weights: none below it is trained */
    axl_trainer_options opts; /* what was the caller's memory is NULL here */
    axl_schedule_options schedule;
    axl__plateau plateau;
    axl__lisa lisa;
    axl__network net;
    const float *used; /* without adapter: what the model computes with; NULL: it is moved */
    float *grads;      /* device, (n_params): of the step so far */
    float *fresh;      /* device: of the batch in work, from the second batch of a step on: it is
                          added to grads when it is whole; NULL until there was one */
    axl__optimizer *optimizer;
    double *sums;   /* device, (1 + n_slots): the norm's square; losses that are not read */
    double *read;   /* (1 + n_slots): where those are read to */
    uint64_t *late; /* (n_slots): of how many losses each is the sum */
    uint32_t n_late, n_slots;
    double rate_override; /* negative: the schedule's */

    _Atomic uint64_t step;        /* optimizer steps done; other threads may ask */
    uint64_t batches;             /* since the last step */
    bool window_closed;           /* the last batch said last_of_step */
    uint64_t n_tokens, n_trained; /* since the last step */
    double loss_sum;              /* of tokens, or of batch means */
    double terms;                 /* how many of them: what the sums are divided by */
};

/* What a checkpoint holds and how it is written. */
typedef struct axl__save_options {
    const axl_loader *loader;    /* NULL: there is none */
    const axl_loader_cursor *at; /* its place */
    axl__run_state run;          /* a run's own */
    bool only_model;             /* no optimizer state: it cannot be resumed */
} axl__save_options;

/* checkpoint.c */
axl_status axl__trainer_save_run(axl_trainer *tr, const axl__save_options *opts, const char *dir);
axl_status axl__trainer_load_run(axl_trainer *tr, axl_loader *loader, axl__run_state *state,
                                 const char *dir);
/* A checkpoint's trained weights alone; the step and the optimizer stay as they are. */
axl_status axl__trainer_load_weights(axl_trainer *tr, const char *dir);

/* axl_trainer_evaluate() with its progress under a name; NULL: none. */
axl_status axl__trainer_loss(axl_trainer *tr, const axl_batch *batch, const char *phase,
                             double *loss_sum);

/* Makes room for the largest batches to come, so that no step or evaluation allocates; 0: none of
 * that kind. */
axl_status axl__trainer_reserve(axl_trainer *tr, int64_t train_tokens, int64_t eval_tokens,
                                int64_t longest);

/* Host memory that writing a checkpoint, or the adapter alone, takes on top. */
uint64_t axl__trainer_save_bytes(const axl_trainer *tr, bool checkpoint);

/* A model's own weights: it computes with the trained values, as evaluations and results do. */
axl_status axl__trainer_use_trained(axl_trainer *tr);

axl_status axl__trainer_enter(axl_trainer *tr);
void axl__trainer_leave(axl_trainer *tr);

#endif
