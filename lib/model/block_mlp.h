/* SPDX-License-Identifier: Apache-2.0 */
/*
 * block_mlp.h - the gated MLP of a decoder layer (Shazeer, 2020), forward and backward:
 *
 *   y = plus + down_proj(act(gate_proj(x)) * up_proj(x))
 *
 * with the architecture's activation.  T tokens, F intermediate.  gate_proj and up_proj may be one
 * layer, gate_up_proj.
 */
#ifndef AXL_MODEL_BLOCK_MLP_H
#define AXL_MODEL_BLOCK_MLP_H

#include "linear.h"

/* What the backward needs of the forward. */
typedef struct axl__mlp_acts {
    axl_mat gate, up;            /* (T, F) */
    axl_mat gate_up;             /* of a fused architecture: (T, 2 F), these being its columns */
    axl_mat xa_gate_up, xa_down; /* (T, R) of linear.h */
} axl__mlp_acts;

/* Reused by every layer.  The product of the gate and up is computed again in the backward: it
 * would be a fifth of what a layer keeps. */
typedef struct axl__mlp_work {
    axl_mat act;  /* (T, F) */
    axl_mat dact; /* (T, F), for a backward */
} axl__mlp_work;

void axl__mlp_acts_take(axl__step_arena *a, axl__mlp_acts *out, const axl__pass *p, int64_t T);
void axl__mlp_work_take(axl__step_arena *a, axl__mlp_work *out, const axl__pass *p, int64_t T);

/* y.data NULL leaves the last product out: what is kept is computed again for a backward. */
axl_status axl__mlp_block_forward(const axl__pass *p, int64_t layer, const axl__mlp_acts *acts,
                                  axl_mat x, axl_mat plus, axl_mat y, const axl__mlp_work *w,
                                  const axl__linear_scratch *s);
/* dx is written.  Destroys acts' gate and up. */
axl_status axl__mlp_block_backward(const axl__pass *p, int64_t layer, const axl__mlp_acts *acts,
                                   axl_mat x, axl_mat dy, axl_mat dx, const axl__mlp_work *w,
                                   const axl__linear_scratch *s);

#endif
