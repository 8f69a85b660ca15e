/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops.h - the arguments of the operations of a model and of the trainer: what each operation means
 * to its callers.
 *
 * Pointers are device memory unless a comment says host.  Outputs never alias inputs unless a
 * comment allows it.  Shapes are the caller's responsibility and asserted only.  T tokens of a
 * batch lie one behind another, the sequences marked by cu_seqlens; C hidden size, H heads, G kv
 * heads, D head size, V vocabulary.
 */
#ifndef AXL_TENSOR_OPS_H
#define AXL_TENSOR_OPS_H

#include "device.h"
#include "dtype.h"

/* A row-major matrix of f32 or bf16; row r starts at element r * stride. */
typedef struct axl_mat {
    void *data;
    axl_dtype dtype;
    int64_t rows, cols, stride;
} axl_mat;

/* How the right operand of a product lies in memory; each backend says in its matmul which kinds it
 * takes. */
typedef enum axl_weight_kind {
    AXL_WEIGHT_DENSE = 0,
    AXL_WEIGHT_NF4 = 1, /* 4 bits an element: quantiles of a normal distribution */
    AXL_WEIGHT_FP4 = 2, /* 4 bits: a sign, two of exponent, one of fraction */
    AXL_WEIGHT_INT8 = 3 /* 8 bits, a scale a row */
} axl_weight_kind;

/* The numbers of a quantised weight (R,C) as bitsandbytes keeps them (Dettmers et al.,
 * "LLM.int8()", 2022, and "QLoRA", 2023).  With e = r * C + c the value of element (r,c) is
 *
 *   NF4, FP4   table[code(e)] * absmax(e / block), the code of an even e in the upper half of byte
 *              e / 2, that of an odd one in the lower half;
 *   INT8       codes[e] * (scales[r] * (1 / 127)),
 *
 * computed in f32 and rounded to the weight's dtype.  absmax(b) is scales[b], or where the absmax
 * are quantised themselves scale_map[scale_codes[b]] * scales[b / scale_block] + offset.  A
 * rounding to f32 after each operation; this is what bitsandbytes' products in training multiply
 * with. */
typedef struct axl_quantised {
    const void *codes;          /* ((R * C + 1) / 2) bytes, or (R * C) int8 */
    const float *scales;        /* an absmax a block, or (R) */
    const uint8_t *scale_codes; /* (blocks of codes); NULL: scales are as they are */
    const float *scale_map;     /* (256), with scale_codes */
    int64_t block, scale_block; /* elements, scale_codes */
    float offset;
} axl_quantised;

/* A weight: a frozen one of a model, or any matrix, which is a dense one. */
typedef struct axl_weight {
    axl_weight_kind kind;
    axl_mat mat; /* of a dense one its elements; of others its shape, the dtype that an element is
                    rounded to (f16, too), no data */
    axl_quantised quant; /* of those that are not dense */
} axl_weight;

static inline axl_weight axl__dense(axl_mat mat)
{
    return (axl_weight){ .kind = AXL_WEIGHT_DENSE, .mat = mat };
}

/* One more product of a sum: x (m,k) as it is, op(w) (k,n). */
typedef struct axl_matmul_term {
    axl_mat x;
    axl_weight w;
    bool trans_w;
} axl_matmul_term;

enum { AXL_MATMUL_TERMS = 8 };

/* y (m,n) = alpha * (op(x) op(w) + the terms of `more`) + beta * y or + plus, accumulated in f32;
 * a backend may round a bf16 y after each product, of which x and w's own comes last.
 * op(x) is (m,k): x, or its transpose when trans_x; op(w) is (k,n) likewise.
 * compute AXL_F32 multiplies what is stored (bf16 widened); AXL_BF16 first rounds f32 operands to
 * bf16.  beta is 0 (y is not read) or 1.  x and w may be the same memory, y neither.  plus (m,n),
 * of y's dtype and in other memory, goes with beta 0; its stride may be 0, one row for all (a
 * bias); without it plus.data is NULL.  Each output's bits depend on the shapes, the dtypes and
 * whether there is scratch, not on threads.  AXL_ERR_UNSUPPORTED for a kind of weight that the
 * backend does not take. */
typedef struct axl_matmul_args {
    axl_mat x, y;
    axl_weight w;
    bool trans_x, trans_w;
    float alpha, beta;
    axl_dtype compute;
    const axl_matmul_term *more; /* host, (n_more), n_more < AXL_MATMUL_TERMS */
    int64_t n_more;
    void *scratch;       /* or NULL: it gains where outputs are few and the product is deep */
    size_t scratch_size; /* bytes, as the backend's scratch() says */
    axl_mat plus;
} axl_matmul_args;

/* y[t,c] = x[t,c] * rstd[t] * w[c];  rstd[t] = 1 / sqrt(mean_c(x^2) + eps).
 * x, y (T,C) of one dtype; w (C) of either; rstd (T) f32 is written.  With unit_offset 1 + w[c]
 * stands for w[c], in f32. */
typedef struct axl_rms_norm_args {
    axl_mat x, y;
    const void *w;
    axl_dtype w_dtype;
    float *rstd;
    float eps;
    bool unit_offset;
} axl_rms_norm_args;

/* dx[t,c] += rstd (w dy - x rstd^2 mean_c(x w dy)): the gradient is added to what dx holds. */
typedef struct axl_rms_norm_backward_args {
    axl_mat x, dy, dx;
    const void *w;
    axl_dtype w_dtype;
    const float *rstd;
    bool unit_offset;
} axl_rms_norm_backward_args;

/* dw[c] += sum_t dy[t,c] x[t,c] rstd[t].  dw (C) f32. */
typedef struct axl_rms_norm_weight_backward_args {
    axl_mat x, dy;
    const float *rstd;
    float *dw;
} axl_rms_norm_weight_backward_args;

/* Rotates the pairs (i, i + R/2), i < R/2, of every head of x (T, n_heads * D) in place by the
 * angle of the token's position: cos, sin (n_positions, R/2) f32, R = rotary_dim, even and at most
 * D.  The rest of a head stays as it is.  inverse is the backward. */
typedef struct axl_rope_args {
    axl_mat x;
    const int32_t *positions; /* (T) < n_positions */
    const float *cos, *sin;
    int64_t n_heads, head_dim, rotary_dim;
    bool inverse;
} axl_rope_args;

/* Softmax attention within sequences.  q, out (Tq, H*D); k, v (Tk, G*D) of one dtype; query head h
 * reads kv head h / (H/G).  Sequence s has queries [cu_q[s], cu_q[s+1]) and keys [cu_k[s],
 * cu_k[s+1]), no fewer keys than queries, aligned at their ends; a query sees the keys at or before
 * its place, with a window only the last `window` of these.  lse (H, Tq) f32 is the log of the
 * softmax's denominator, maximum included; may be NULL.  Softmax and sums in f32; nothing of size
 * Tq x Tk is stored.  With a soft cap (Gemma Team, "Gemma 2", 2024) each score s, scaled, becomes
 * soft_cap * tanh(s / soft_cap).  With sinks (Xiao et al., "Efficient streaming language models
 * with attention sinks", 2023) the denominator of head h, and so lse, has exp(sinks[h]) besides: a
 * weight that no value receives. */
typedef struct axl_attention_args {
    axl_mat q, k, v, out;
    float *lse;
    const int32_t *cu_q, *cu_k; /* host, (n_seqs + 1) */
    /* The same numbers in device memory; may be NULL where that is host memory. */
    const int32_t *device_cu_q, *device_cu_k;
    int64_t n_seqs, n_heads, n_kv_heads, head_dim;
    int64_t longest; /* queries of the longest sequence, or more */
    int64_t window;  /* 0: none */
    float scale;
    float soft_cap;     /* 0: none */
    const float *sinks; /* (H), neither scaled nor capped; or NULL: none */
} axl_attention_args;

/* cu_k == cu_q.  dq, dk, dv are written.  scratch has the size that the backend's scratch() says,
 * 64-byte aligned. */
typedef struct axl_attention_backward_args {
    axl_attention_args forward; /* as it was, out and lse filled */
    axl_mat dout, dq, dk, dv;
    void *scratch;
    float *dsinks; /* (H), += the gradient of the sinks that there are; or NULL */
} axl_attention_backward_args;

/* What a gated unit makes of its gate. */
typedef enum axl_activation {
    AXL_SILU = 0,      /* x sigmoid(x) */
    AXL_GELU = 1,      /* x Phi(x), the normal distribution's (Hendrycks and Gimpel, 2016) */
    AXL_GELU_TANH = 2, /* x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, which is near it */
    AXL_ACTIVATIONS
} axl_activation;

/* y = act(gate) * up, all (T, F). */
typedef struct axl_glu_args {
    axl_mat gate, up, y;
    axl_activation act;
} axl_glu_args;

/* dgate may be gate, dup may be up: each element is read before it is written. */
typedef struct axl_glu_backward_args {
    axl_mat gate, up, dy, dgate, dup;
    axl_activation act;
} axl_glu_backward_args;

/* gather: y[i,:] = x[rows[i],:];  scatter: y[rows[i],:] = x[i,:], rows all different.  x and y may
 * differ in dtype.  n = number of rows taken.  add: y[rows[i],:] += x[i,:], i in order, y f32; a
 * row may come again, and rows NULL means that all of them are row 0. */
typedef struct axl_rows_args {
    axl_mat x, y;
    const int32_t *rows; /* (n) */
    int64_t n;
} axl_rows_args;

/* With e = smoothing (Szegedy et al., "Rethinking the Inception architecture", 2016):
 * losses[i] = log(sum_v exp(logits[i,v])) - (1 - e) logits[i,targets[i]] - e mean_v(logits[i,v]),
 * f32 with the sums in f32 or better;
 * dlogits[i,v] = scale * scales[i] * (softmax(logits)[i,v] - (1 - e) [v == targets[i]] - e / V).
 * logits (n,V) f32; dlogits (n,V) f32 or bf16.  It may lie over logits: as f32 with that stride,
 * as bf16 with twice the stride in elements, so that a row only overwrites itself.
 * dlogits.data NULL: no gradient.  With a soft cap logits are what soft_cap_forward made, and
 * dlogits the gradient of what it was made from: times 1 - (logits[i,v] / soft_cap)^2. */
typedef struct axl_cross_entropy_args {
    axl_mat logits, dlogits;
    const int32_t *targets; /* (n) in [0, V) */
    float *losses;          /* (n) */
    float scale, smoothing; /* smoothing in [0, 1) */
    const float *scales;    /* (n), or NULL: all 1 */
    float soft_cap;         /* 0: none */
} axl_cross_entropy_args;

/* y = cap * tanh(x / cap), between -cap and cap.  x and y of one dtype; y may be x. */
typedef struct axl_soft_cap_args {
    axl_mat x, y;
    float cap; /* > 0 */
} axl_soft_cap_args;

/* d = d * (1 - (y / cap)^2): from the gradient of y = cap * tanh(x / cap) to that of x, in place.
 * y and d may differ in dtype. */
typedef struct axl_soft_cap_backward_args {
    axl_mat y, d;
    float cap;
} axl_soft_cap_backward_args;

/* y[i] = keep(i) ? x[i] / (1 - p) : 0, i = offset + row * cols + col, where keep(i) is
 * philox(*seed, stream, i / 4)[i % 4] >= round(p * 2^32): the same mask again for the backward.
 * Added to y where `add` says so, in f32 and rounded once.  y may be x, x and y are of one dtype.
 * The seed is in the device's memory, so that the calls of one batch are those of the next. */
typedef struct axl_dropout_args {
    axl_mat x, y;
    float p;
    const uint64_t *seed;    /* (1) */
    uint64_t stream, offset; /* offset a multiple of 4 */
    bool add;
} axl_dropout_args;

/* y = x (convert), y += x (add): f32 sums, rounded once.  Any two dtypes. */
typedef struct axl_unary_args {
    axl_mat x, y;
} axl_unary_args;

/* y = factor * x, rounded once.  Any two dtypes; y may be x. */
typedef struct axl_scale_args {
    axl_mat x, y;
    float factor;
} axl_scale_args;

/* *out += sum_i weights[i] * x[i] in double, one addition after the other in the order of i.
 * x (n) f32; out f64. */
typedef struct axl_sum_args {
    const float *x;
    const float *weights; /* (n), or NULL: all 1 */
    int64_t n;
    double *out;
} axl_sum_args;

/* norms[r] = sqrt(sum_c x[r,c]^2), the sum in double;  gains[r] = magnitudes[r] / norms[r] where
 * there are magnitudes.  x (R,C); norms, magnitudes, gains (R) f32. */
typedef struct axl_row_norms_args {
    axl_mat x;
    float *norms;
    const float *magnitudes; /* or NULL, and gains too */
    float *gains;
} axl_row_norms_args;

/* y[t,c] = scale * (gains[c] + shift) * x[t,c], added to y where `add` says so; without gains
 * y[t,c] = scale * x[t,c].  In f32, rounded once.  Any two dtypes; x may be y, and its stride may
 * be 0, one row for all. */
typedef struct axl_scale_columns_args {
    axl_mat x, y;
    const float *gains; /* (C), or NULL */
    float shift, scale;
    bool add;
} axl_scale_columns_args;

/* out[c] += scale * sum_t x[t,c] * y[t,c] / divisors[c], the sum in double.  x, y (T,C); out,
 * divisors (C) f32.  y.data NULL: as if all of it were 1; divisors NULL likewise. */
typedef struct axl_dot_columns_args {
    axl_mat x, y;
    const float *divisors;
    float scale;
    float *out;
} axl_dot_columns_args;

/* *out += sum_i x[i]^2 in double (a NaN or infinity stays visible).  x (n) f32; out f64. */
typedef struct axl_sum_squares_args {
    const float *x;
    int64_t n;
    double *out;
} axl_sum_squares_args;

/* x[i] += scale * (philox(*seed, stream, i / 4)[i % 4] / 2^31 - 1), i = offset + row * cols + col:
 * noise, uniform in [-scale, scale).  x (rows, cols) f32 or bf16. */
typedef struct axl_noise_args {
    axl_mat x;
    float scale;
    const uint64_t *seed; /* (1) */
    uint64_t stream, offset;
} axl_noise_args;

/* y[r,:] = w[first + r,:], elements of a weight that is not dense; y (n,C) f32 or bf16. */
typedef struct axl_dequantise_args {
    axl_weight w;
    axl_mat y;
    int64_t first;
} axl_dequantise_args;

#endif
