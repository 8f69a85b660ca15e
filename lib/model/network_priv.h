/* SPDX-License-Identifier: Apache-2.0 */
/* network_priv.h - what network.c lends to kv_cache.c and network_read.c. */
#ifndef AXL_MODEL_NETWORK_PRIV_H
#define AXL_MODEL_NETWORK_PRIV_H

#include "network.h"

/* What a pass lays out besides the layers' activations.  It lives on the caller's stack; its
 * matrices are valid until the next axl__network_room() on the same network. */
typedef struct axl__network_work {
    axl__layer_scratch layer;
    axl__head_work head;
    axl__embedding_work embedding;
    axl_mat dh; /* (T, C), with gradients */
} axl__network_work;

axl__pass axl__network_pass(const axl__network *n, const axl__wish *wish);

/* Room for the numbers of so many tokens. */
axl_status axl__network_index(axl__network *n, int64_t n_tokens);
/* Tables for positions below `positions`, as a batch has them whose longest sequence has `length`
 * tokens; room for T tokens in sequences of at most `longest`. */
axl_status axl__network_positions(axl__network *n, int64_t positions, int64_t length);
axl_status axl__network_room(axl__network *n, axl__network_work *w, const axl__pass *p, int64_t T,
                             int64_t longest);

/* A batch on the device, and the room for a pass over it. */
typedef struct axl__network_batch {
    axl__batch_index x;
    axl__layout at;
    axl__network_work work;
} axl__network_batch;
axl_status axl__network_begin(axl__network *n, const axl__pass *p, const axl_batch *b,
                              const axl__rows_wish *rows, axl__network_batch *out);

/* Embedding and the first `count` layers, forward: n->h[count] is what comes out of the last. */
axl_status axl__network_layers(axl__network *n, const axl__pass *p, const axl__layout *at,
                               const axl__lookups *ids, int64_t count, axl__network_work *w);

#endif
