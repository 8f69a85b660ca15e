/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder.h - the stack of decoder layers, forward and backward, over a batch of sequences that lie
 * one behind another.  Layer:
 *
 *   h2 = h + o_proj(attention(rope(q_proj(n1)), rope(k_proj(n1)), v_proj(n1))),  n1 = rms_norm(h)
 *   h' = h2 + down_proj(silu(gate_proj(n2)) * up_proj(n2)),                      n2 = rms_norm(h2)
 *
 * T tokens, C hidden, F intermediate, H heads, G kv heads, D head size.
 */
#ifndef AXL_MODEL_DECODER_H
#define AXL_MODEL_DECODER_H

#include "linear.h"
#include "tensor/step_arena.h"

/* Where each token is. */
typedef struct axl__layout {
    int64_t n_tokens, n_seqs;
    const int32_t *cu_q, *cu_k; /* host (n_seqs + 1); see axl_attention_args */
    int64_t longest;            /* queries of a sequence */
    const int32_t *positions;   /* device (T) */
    const float *cos, *sin;     /* device (n_positions, D/2) */
} axl__layout;

/* What a layer's backward needs of its forward. */
typedef struct axl__layer_acts {
    axl_mat h;                           /* (T, C) the layer's input */
    axl_mat q, k, v, attn, h2, gate, up; /* k and v: this pass's tokens */
    axl_mat all_k, all_v;                /* what queries see: k and v, or a cache that holds them */
    float *rstd1, *rstd2, *lse;          /* (T), (T), (H, T) */
    axl_mat xa[AXL__LINEAR_GROUPS];      /* (T, R) of linear.h */
} axl__layer_acts;

/* Reused by every layer. */
typedef struct axl__layer_scratch {
    axl_mat norm;    /* (T, C) */
    axl_mat act;     /* (T, F) */
    axl_mat dnorm;   /* (T, C) */
    axl_mat dact;    /* (T, F) */
    axl_mat dattn;   /* (T, H*D) */
    axl_mat dqkv[3]; /* (T, H*D), (T, G*D), (T, G*D) */
    void *attn;      /* what the backend wants for attention's backward */
    axl__linear_scratch linear;
} axl__layer_scratch;

/* Lay out one layer's activations (not h) and the scratch; backward says whether its part is
 * wanted. */
void axl__layer_acts_take(axl__step_arena *a, axl__layer_acts *out, const axl__pass *p, int64_t T);
void axl__layer_scratch_take(axl__step_arena *a, axl__layer_scratch *out, const axl__pass *p,
                             int64_t T, int64_t longest, bool backward);

/* acts->h is given.  next (T, C) receives the output; next->data NULL leaves the last product out
 * (recomputing for a backward). */
axl_status axl__layer_forward(const axl__pass *p, int64_t layer, const axl__layout *at,
                              const axl__layer_acts *acts, axl_mat next,
                              const axl__layer_scratch *s);
/* dh (T, C): the gradient of the output on entry, of the input on return; without need_input the
 * gradient of the input is not completed (nothing below is trained).  Destroys acts' gate and up.
 */
axl_status axl__layer_backward(const axl__pass *p, int64_t layer, const axl__layout *at,
                               const axl__layer_acts *acts, axl_mat dh, bool need_input,
                               const axl__layer_scratch *s);

#endif
