/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder.h - a decoder layer, forward and backward: it strings the blocks,
 *
 *   h2 = h + attention(norm(h)),  h' = h2 + mlp(norm(h2)),
 *
 * or, with post_norms, h2 = h + norm(attention(norm(h))), h' likewise; and keeps what lies between
 * them.  T tokens, C hidden.
 */
#ifndef AXL_MODEL_DECODER_H
#define AXL_MODEL_DECODER_H

#include "block_attention.h"
#include "block_mlp.h"

/* What a layer's backward needs of its forward.  With checkpointing, and in a pass without
 * gradients, all layers share one of these but for h; then only the layer that was computed last
 * is valid. */
typedef struct axl__layer_acts {
    axl_mat h, h2;        /* (T, C) the layer's input, and what the MLP is added to */
    float *rstd1, *rstd2; /* (T) of the norms */
    /* With post_norms: what came out of attention and of the MLP, (T, C), and of their norms. */
    axl_mat attn_out, mlp_out;
    float *attn_rstd, *mlp_rstd;
    axl__attention_acts attn;
    axl__mlp_acts mlp;
} axl__layer_acts;

/* Reused by every layer: nothing in it outlives a call of layer_forward or layer_backward. */
typedef struct axl__layer_scratch {
    axl_mat norm;  /* (T, C) a block's input */
    axl_mat dnorm; /* (T, C) its gradient, for a backward */
    axl_mat dout;  /* (T, C) that of a block's output, likewise with post_norms */
    axl__attention_work attn;
    axl__mlp_work mlp;
    axl__linear_scratch linear;
} axl__layer_scratch;

/* Lay out one layer's activations (not h) and the scratch, whose sequences are at most `longest`.
 */
void axl__layer_acts_take(axl__step_arena *a, axl__layer_acts *out, const axl__pass *p, int64_t T);
void axl__layer_scratch_take(axl__step_arena *a, axl__layer_scratch *out, const axl__pass *p,
                             int64_t T, int64_t longest);

/* acts->h is given.  next (T, C) receives the output; next->data NULL leaves the last product out
 * (recomputing for a backward). */
axl_status axl__layer_forward(const axl__pass *p, int64_t layer, const axl__layout *at,
                              const axl__layer_acts *acts, axl_mat next,
                              const axl__layer_scratch *s);
/* dh (T, C): the gradient of the output on entry, of the input on return; without need_input the
 * gradient of the input is not completed (nothing below is trained).  Destroys what the MLP kept.
 */
axl_status axl__layer_backward(const axl__pass *p, int64_t layer, const axl__layout *at,
                               const axl__layer_acts *acts, axl_mat dh, bool need_input,
                               const axl__layer_scratch *s);

#endif
