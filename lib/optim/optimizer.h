/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optimizer.h - moves flat parameters by their gradients.  An optimizer's state lies in one device
 * buffer and is saved by name, so that a run resumes with the same bits; the rules themselves are
 * operations of the backend.
 */
#ifndef AXL_OPTIM_OPTIMIZER_H
#define AXL_OPTIM_OPTIMIZER_H

#include "tensor/safetensors.h"
#include "tensor/backend.h"

#include <axl/optimizer.h>

typedef struct axl__optimizer axl__optimizer;

/* A tensor that is trained: elements [at, at + rows * cols) of the parameters. */
typedef struct axl__optim_tensor {
    const char *name; /* as files have it; outlives the optimizer */
    int64_t at, rows, cols;
    bool vector;    /* of one dimension: a norm's weight, a bias */
    bool embedding; /* of the embedding or the output head, which may have a rate of their own */
    bool lookup;    /* the embedding's own weight, of which a step moves few rows */
    uint32_t part;  /* what may rest on its own in a step; 0 never does */
} axl__optim_tensor;

typedef struct axl__optim_target {
    axl_context *ctx;
    const axl_backend_ops *ops;
    axl_device *dev;
    axl_dtype compute;                /* of matrix products */
    const axl__optim_tensor *tensors; /* (n_tensors) in any order */
    size_t n_tensors;
    float *params;        /* device; what lies between tensors is 0 and stays so */
    double learning_rate; /* the peak that groups' rates relate to */
} axl__optim_target;

/* Everything but the parameters, the context and the device is copied.  AXL_ERR_INVALID names the
 * option that is out of range. */
axl_status axl__optimizer_new(axl__optimizer **out, const axl__optim_target *target,
                              const axl_optimizer_options *opts);
void axl__optimizer_free(axl__optimizer *o); /* NULL is fine */

typedef struct axl__optim_step {
    const float *grads;   /* device, laid out as the parameters */
    double rate;          /* of the tensors that have no rate of their own */
    double grad_scale;    /* gradients count times this */
    double beta1;         /* a schedule may move it */
    int64_t step;         /* from 1 */
    const bool *rests;    /* by part: not moved in this step; NULL: all are */
    const int64_t *steps; /* by part, with rests: the steps that moved it so far */
} axl__optim_step;

double axl__optimizer_beta1(const axl__optimizer *o); /* the usual one */
axl_status axl__optimizer_step(axl__optimizer *o, const axl__optim_step *step);
/* Whether parts may rest: the method keeps nothing that all have in common. */
bool axl__optimizer_may_rest(const axl__optimizer *o);

/* What batches are trained with, laid out as the parameters; the parameters but for schedule-free
 * optimizers. */
float *axl__optimizer_train_params(const axl__optimizer *o);

/* Whether the method keeps AdamW's two moments, so that they can be read and pruned, which is for
 * nobody else. */
bool axl__optimizer_has_moments(const axl__optimizer *o);
/* Those of the tensor of n elements at an element: m, v (n), host. */
axl_status axl__optimizer_read_moments(axl__optimizer *o, int64_t at, float *m, float *v);
/* Where m or v is 0 the state becomes 0; the rest of them is what was read.  work: n bytes. */
axl_status axl__optimizer_prune_moments(axl__optimizer *o, int64_t at, const float *m,
                                        const float *v, void *work);

/* The name that checkpoints carry: several of the public names may mean one method. */
const char *axl__optimizer_method(const axl__optimizer *o);

/* Writes the state into one file; reads a file into host memory of state_size bytes, which load
 * then takes over, step steps having been done.  AXL_ERR_FORMAT when a tensor is missing or has
 * another type or shape. */
size_t axl__optimizer_state_size(const axl__optimizer *o);
axl_status axl__optimizer_save(axl__optimizer *o, const char *path, axl__checksum *sum);
axl_status axl__optimizer_read(const axl__optimizer *o, const axl__safetensors *st, void *host);
axl_status axl__optimizer_load(axl__optimizer *o, const void *host, int64_t step);

#endif
