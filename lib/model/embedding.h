/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedding.h - from tokens to the first hidden state, and back to the gradients of what is trained
 * of the embedding: its weight, rows of it, or a pair.
 *
 * A pair of the embedding has a column of A (r, V) for each token, where a linear layer has a
 * product with its input: h[t] = W[id] + s B A[:,id].  Nothing is dropped out of it, as in PEFT.
 */
#ifndef AXL_MODEL_EMBEDDING_H
#define AXL_MODEL_EMBEDDING_H

#include "batch.h"
#include "block_attention.h"

/* Room that a pass uses for it. */
typedef struct axl__embedding_work {
    axl_mat rows; /* (n_rows + 1, C) f32, where rows of the embedding are trained */
    axl_mat pair; /* (T, r) f32, where it has a pair: columns of A, then their gradients */
} axl__embedding_work;

static inline const axl__module *axl__embedding_of(const axl__pass *p)
{
    return axl__modules_one(&p->model->modules, -1, AXL__SLOT_EMBED);
}

/* The embedding's pair in an adapter, or NULL. */
const axl__lora *axl__embedding_pair(const axl_adapter *adapter);

void axl__embedding_work_take(axl__step_arena *a, axl__embedding_work *out, const axl__pass *p,
                              int64_t T);

/* Whether the pass has gradients of the embedding. */
bool axl__embedding_is_trained(const axl__pass *p);

/* h (T, C).  In training, noise of alpha / sqrt(L C) over a sequence of L tokens, added to what was
 * scaled. */
axl_status axl__embedding_forward(const axl__pass *p, const axl__layout *at,
                                  const axl__lookups *ids, axl_mat h, axl__embedding_work *w);

/* Adds to the gradients; destroys dh (T, C), that of h. */
axl_status axl__embedding_backward(const axl__pass *p, const axl__batch_index *x, axl_mat dh,
                                   axl__embedding_work *w);

#endif
