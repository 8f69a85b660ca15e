/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network.h - a model (and adapter) at work on batches: owns the arena, the rotary tables and the
 * index buffers, and runs embedding, layers and head, forward and back.  One user at a time.
 */
#ifndef AXL_MODEL_NETWORK_H
#define AXL_MODEL_NETWORK_H

#include "batch.h"
#include "decoder.h"
#include "embedding.h"
#include "head.h"

/* What passes need besides the model.  h[l] is the input of layer l, and h[n_layers] the last
 * hidden state.  All matrices in h and acts point into the arena and are laid out anew by each
 * pass; what the arena, the rotary tables and the index buffers can hold only ever grows.  Model
 * and adapter are borrowed: the owner of the network holds the references. */
typedef struct axl__network {
    axl_model *model;
    const axl_backend_ops *ops;
    axl_device *dev;
    const axl_adapter *adapter; /* or NULL */
    bool looked_for_broken;     /* weights, after a loss that was not finite: there are none */
    bool checkpointing; /* a layer keeps its input alone and is computed again for its backward */
    axl__step_arena arena;
    axl__dora dora;
    axl__whole whole;
    axl__rope_angles ropes[AXL__ROPES_MAX]; /* (arch.n_ropes), each (n_positions, rotary_dim / 2) */
    int64_t rope_reach[AXL__ROPES_MAX];     /* of the tables (axl__rope_reach) */
    int64_t n_positions;
    axl__index index;
    axl_mat *h;            /* (n_layers + 1) */
    axl__layer_acts *acts; /* (n_layers), or the same one again */
} axl__network;

axl_status axl__network_init(axl__network *n, axl_model *model, const axl_adapter *adapter,
                             bool checkpointing);
void axl__network_free(axl__network *n);

/* Makes room for passes of that kind over batches of n_tokens whose sequences are at most max_len,
 * without running one. */
axl_status axl__network_reserve(axl__network *n, int64_t n_tokens, int64_t max_len,
                                const axl__wish *wish);

/* loss_sum: over the trained tokens of the batch, each times its weight, or the objective's value.
 * With wish->grads, gradients are added there; AXL_ERR_NUMERIC when the loss is not finite
 * (gradients are then undefined, as after every error).  The batch was taken by axl__batch_take().
 * With wish->keep_sum it is 0, and whoever reads the sum later asks axl__network_check_loss(). */
axl_status axl__network_loss(axl__network *n, const axl_batch *batch, const axl__wish *wish,
                             double *loss_sum);
/* AXL_ERR_NUMERIC where it is not finite, which tells a model of broken weights from a training
 * that went wrong. */
axl_status axl__network_check_loss(axl__network *n, double loss);

/* An evaluation of a host's batch; checks that the model's files are what they were, too. */
axl_status axl__network_evaluate(axl__network *n, const axl_batch *batch, const char *phase,
                                 double *loss_sum);

/* network_read.c: what a pass without gradients sees, f32, in host memory.  The batch was taken.
 * Logits (n_rows, V) of these rows, or with rows NULL of all; the loss (n_tokens) of each label at
 * its own place, 0 where nothing is trained; the input (n_tokens, C) of a layer, or of the last
 * norm. */
axl_status axl__network_logits(axl__network *n, const axl_batch *batch, const int32_t *rows,
                               int64_t n_rows, float *logits);
axl_status axl__network_token_losses(axl__network *n, const axl_batch *batch, float *losses);
axl_status axl__network_hidden(axl__network *n, const axl_batch *batch, int64_t layer,
                               float *hidden);

/* Keys (already rotated) and values of the tokens so far, per layer (cap, G*D).  Rows below len
 * are valid; a pass that fails writes behind them and leaves len as it was. */
typedef struct axl__kv_cache {
    axl_mat *k, *v; /* (n_layers) */
    int32_t *ids;   /* (cap) the tokens, for angles that change with the length */
    int64_t len, cap;
} axl__kv_cache;
axl_status axl__kv_cache_init(axl__kv_cache *c, axl__network *n, int64_t cap);
void axl__kv_cache_free(axl__kv_cache *c, axl__network *n);
/* Adds count tokens behind the cache's, at most its cap in all, and gives the logits (V) f32, host,
 * of the last one.  Where the angles depend on the length, transformers is followed: "dynamic"
 * turns new tokens by the length so far and leaves the cached keys; "longrope" computes all tokens
 * again where they pass original_max_position_embeddings. */
axl_status axl__network_continue(axl__network *n, axl__kv_cache *c, const int32_t *ids,
                                 int64_t count, float *logits);

#endif
