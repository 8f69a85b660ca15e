/* SPDX-License-Identifier: Apache-2.0 */
/*
 * block_attention.h - self-attention of a decoder layer, forward and backward:
 *
 *   y = plus + o_proj(attention(rope(q_proj(x)), rope(k_proj(x)), v_proj(x)))
 *
 * where each head of q and k is normalised before it is turned, if the architecture says so,
 * over sequences that lie one behind another.  The three layers may be one, qkv_proj.  T tokens, C
 * hidden, H heads, G kv heads, D head size.
 */
#ifndef AXL_MODEL_BLOCK_ATTENTION_H
#define AXL_MODEL_BLOCK_ATTENTION_H

#include "linear.h"

/* A set of rotary angles: device, (n_positions, rotary_dim / 2).  Queries have others than keys
 * where their position scales them. */
typedef struct axl__rope_angles {
    float *cos, *sin;
    float *query_cos, *query_sin; /* the same as cos and sin where nothing scales */
} axl__rope_angles;

/* Where each token is.  The offsets lie on both sides: the host cuts the work by them, a kernel on
 * a device reads them there.  Queries and keys have offsets of their own because a cache holds
 * keys of tokens that are no part of this pass; in training the two are the same. */
typedef struct axl__layout {
    int64_t n_tokens, n_seqs;
    int64_t longest;                          /* queries of a sequence */
    const int32_t *cu_q, *cu_k;               /* host (n_seqs + 1); see axl_attention_args */
    const int32_t *device_cu_q, *device_cu_k; /* the same on the device */
    const int32_t *positions;                 /* device (T) */
    const axl__rope_angles *ropes;            /* (n_ropes) of the architecture */
} axl__layout;

/* What the backward needs of the forward.  The scores are not among it: they are computed again
 * from q, k and lse, the logarithm of each row's sum of exponentials (Dao et al., 2022). */
typedef struct axl__attention_acts {
    axl_mat q, k, v, out; /* (T, H*D), (T, G*D) of this pass's tokens, the same, (T, H*D) */
    axl_mat qkv; /* of a fused architecture: (T, (H + 2 G) * D), q, k and v being its columns */
    axl_mat cached_k, cached_v; /* where its keys and values go, too; no data without a cache */
    axl_mat raw_q, raw_k; /* before their norms, of the shapes of q and k; only with qk_norm */
    float *rstd_q, *rstd_k;
    axl_mat all_k, all_v; /* what queries see: k and v, or a cache that holds them */
    float *lse;           /* (H, T) */
    axl_mat xa_qkv, xa_o; /* (T, R) of linear.h */
} axl__attention_acts;

/* Reused by every layer's backward. */
typedef struct axl__attention_work {
    axl_mat dout;    /* (T, H*D) */
    axl_mat dqkv[3]; /* (T, H*D), (T, G*D), (T, G*D) */
    axl_mat fused;   /* of which these are columns, in a fused architecture */
    axl_mat draw[2]; /* of raw_q and raw_k; only with qk_norm */
    void *kernel;    /* what the backend asks for */
} axl__attention_work;

void axl__attention_acts_take(axl__step_arena *a, axl__attention_acts *out, const axl__pass *p,
                              int64_t T);
void axl__attention_work_take(axl__step_arena *a, axl__attention_work *out, const axl__pass *p,
                              int64_t T, int64_t longest);

axl_status axl__attention_block_forward(const axl__pass *p, int64_t layer, const axl__layout *at,
                                        const axl__attention_acts *acts, axl_mat x, axl_mat plus,
                                        axl_mat y, const axl__linear_scratch *s);
/* dx is written; dx.data NULL leaves it out. */
axl_status axl__attention_block_backward(const axl__pass *p, int64_t layer, const axl__layout *at,
                                         const axl__attention_acts *acts, axl_mat x, axl_mat dy,
                                         axl_mat dx, const axl__attention_work *w,
                                         const axl__linear_scratch *s);

#endif
