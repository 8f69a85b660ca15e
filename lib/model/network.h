/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network.h - a model (and adapter) at work on batches: owns the arena, the rotary tables and the
 * index buffers, and runs embedding, layers and loss, forward and back.  One user at a time.
 */
#ifndef AXL_MODEL_NETWORK_H
#define AXL_MODEL_NETWORK_H

#include "decoder.h"

#include <axl/loader.h>

/* The output head works on this many rows at a time, so that a batch's logits never exist. */
enum { AXL__HEAD_ROWS = 256 };

typedef struct axl__network {
    axl__pass pass;
    bool checkpointing;
    double smoothing;   /* of labels, while there are grads */
    double noise_alpha; /* NEFTune's (Jain et al., 2023), while there are grads; 0: none */
    axl__step_arena arena;
    float *cos, *sin; /* device, (n_positions, D/2) */
    int64_t n_positions;
    int32_t *host, *index; /* staging and its device copy: ids, positions, rows, targets */
    int64_t index_cap;     /* tokens that the two have room for */
    axl_mat *h;            /* (n_layers + 1) */
    axl__layer_acts *acts; /* (n_layers), or the same one again */
} axl__network;

axl_status axl__network_init(axl__network *n, axl_model *model, const axl_adapter *adapter,
                             bool checkpointing);
void axl__network_free(axl__network *n);

/* Makes room for batches of n_tokens whose sequences are at most max_len, to train on or to
 * evaluate, without running one. */
axl_status axl__network_reserve(axl__network *n, int64_t n_tokens, int64_t max_len, bool train);

/* AXL_ERR_INVALID naming what is out of range in a host's batch. */
axl_status axl__batch_check(const axl_batch *batch, const axl__arch *arch);

/* loss_sum: over the trained tokens of the batch.  With n->pass.grads, gradients of scale *
 * loss_sum are added there; AXL_ERR_NUMERIC when the loss is not finite (gradients are then
 * undefined, as after every error).  phase names the progress in layers; NULL: none. */
axl_status axl__network_loss(axl__network *n, const axl_batch *batch, double scale,
                             const char *phase, double *loss_sum);

/* logits (n, V) f32, host, of every token of one sequence. */
axl_status axl__network_logits(axl__network *n, const int32_t *ids, int64_t count, float *logits);

/* Keys and values of the tokens so far, per layer (cap, G*D). */
typedef struct axl__kv_cache {
    axl_mat *k, *v; /* (n_layers) */
    int64_t len, cap;
} axl__kv_cache;
axl_status axl__kv_cache_init(axl__kv_cache *c, axl__network *n, int64_t cap);
void axl__kv_cache_free(axl__kv_cache *c, axl__network *n);
/* Adds count tokens behind the cache's and gives the logits (V) f32, host, of the last one. */
axl_status axl__network_continue(axl__network *n, axl__kv_cache *c, const int32_t *ids,
                                 int64_t count, float *logits);

#endif
