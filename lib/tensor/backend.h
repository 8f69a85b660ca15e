/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend.h - the table through which the model and the trainer reach every operation.  Private:
 * the table may change with its abi number until a backend is built outside this tree.
 *
 * Pointers in the argument structs are device memory unless a comment says host.  Calls are
 * ordered: each sees what the earlier ones wrote.  Outputs never alias inputs unless a comment
 * allows it.  An operation returns AXL_OK or records an error; shapes are the caller's
 * responsibility and asserted only.  T tokens of a batch lie one behind another, the sequences
 * marked by cu_seqlens; C hidden size, H heads, G kv heads, D head size, V vocabulary.
 */
#ifndef AXL_TENSOR_BACKEND_H
#define AXL_TENSOR_BACKEND_H

#include "base/ctx.h"
#include "dtype.h"
#include "quant_map.h"

#define AXL_BACKEND_ABI 1u

typedef struct axl_device axl_device; /* each backend has its own */

/* A row-major matrix of f32 or bf16; row r starts at element r * stride. */
typedef struct axl_mat {
    void *data;
    axl_dtype dtype;
    int64_t rows, cols, stride;
} axl_mat;

typedef struct axl_device_info {
    bool native_bf16;   /* has bf16 dot products: `bf16: auto` means bf16 */
    bool host_memory;   /* device pointers are host pointers */
    bool counts_only;   /* nothing is allocated or computed, see counting.h */
    uint64_t own_bytes; /* of host memory that the device has for itself */
    const char *matmul; /* what computes large matmuls: "axl", "oneDNN 2.6.3", … */
    const char *isa;    /* "avx512_bf16", … */
} axl_device_info;

/* One more product of a sum: x (m,k) as it is, op(w) (k,n). */
typedef struct axl_matmul_term {
    axl_mat x, w;
    bool trans_w;
} axl_matmul_term;

enum { AXL_MATMUL_TERMS = 8, AXL_MATMUL_SCRATCH = 1 << 20 /* floats: more gains nothing */ };

/* y (m,n) = alpha * (op(x) op(w) + the terms of `more`) + beta * y or + plus, accumulated in f32.
 * op(x) is (m,k): x, or its transpose when trans_x; op(w) is (k,n) likewise.
 * compute AXL_F32 multiplies what is stored (bf16 widened); AXL_BF16 first rounds f32 operands to
 * bf16.  beta is 0 (y is not read) or 1.  x and w may be the same memory, y neither.  plus (m,n),
 * of y's dtype and in other memory, goes with beta 0; without it plus.data is NULL.
 * Each output's bits depend on the shapes and dtypes alone, not on threads. */
typedef struct axl_matmul_args {
    axl_mat x, w, y;
    bool trans_x, trans_w;
    float alpha, beta;
    axl_dtype compute;
    const axl_matmul_term *more; /* host, (n_more), n_more < AXL_MATMUL_TERMS */
    int64_t n_more;
    float *scratch; /* (n_scratch), or NULL: room to cut a deep product of few outputs by depth */
    int64_t n_scratch;
    axl_mat plus;
} axl_matmul_args;

/* y[t,c] = x[t,c] * rstd[t] * w[c];  rstd[t] = 1 / sqrt(mean_c(x^2) + eps).
 * x, y (T,C) of one dtype; w (C) of either; rstd (T) f32 is written. */
typedef struct axl_rms_norm_args {
    axl_mat x, y;
    const void *w;
    axl_dtype w_dtype;
    float *rstd;
    float eps;
} axl_rms_norm_args;

/* dx[t,c] += rstd (w dy - x rstd^2 mean_c(x w dy)): the gradient is added to what dx holds. */
typedef struct axl_rms_norm_backward_args {
    axl_mat x, dy, dx;
    const void *w;
    axl_dtype w_dtype;
    const float *rstd;
} axl_rms_norm_backward_args;

/* dw[c] += sum_t dy[t,c] x[t,c] rstd[t].  dw (C) f32. */
typedef struct axl_rms_norm_weight_backward_args {
    axl_mat x, dy;
    const float *rstd;
    float *dw;
} axl_rms_norm_weight_backward_args;

/* Rotates the pairs (i, i + D/2) of every head of x (T, n_heads * D) in place by the angle of the
 * token's position: cos, sin (n_positions, D/2) f32.  inverse is the backward. */
typedef struct axl_rope_args {
    axl_mat x;
    const int32_t *positions; /* (T) < n_positions */
    const float *cos, *sin;
    int64_t n_heads, head_dim;
    bool inverse;
} axl_rope_args;

/* Softmax attention within sequences.  q, out (Tq, H*D); k, v (Tk, G*D) of one dtype; query head h
 * reads kv head h / (H/G).  Sequence s has queries [cu_q[s], cu_q[s+1]) and keys [cu_k[s],
 * cu_k[s+1]), no fewer keys than queries, aligned at their ends; a query sees the keys at or before
 * its place.  lse (H, Tq) f32 is the log of the softmax's denominator, maximum included; may be
 * NULL.  Softmax and sums in f32; nothing of size Tq x Tk is stored. */
typedef struct axl_attention_args {
    axl_mat q, k, v, out;
    float *lse;
    const int32_t *cu_q, *cu_k; /* host, (n_seqs + 1) */
    int64_t n_seqs, n_heads, n_kv_heads, head_dim;
    float scale;
} axl_attention_args;

/* cu_k == cu_q.  dq, dk, dv are written.  scratch has axl__attention_scratch() floats, 64-byte
 * aligned. */
typedef struct axl_attention_backward_args {
    axl_attention_args forward; /* as it was, out and lse filled */
    axl_mat dout, dq, dk, dv;
    float *scratch;
} axl_attention_backward_args;

/* dq may be summed in so many parts, each of a range of keys of a sequence. */
enum { AXL__ATTENTION_PARTS = 4, AXL__ATTENTION_PART_MIN = 128 };

/* The most parts that a sequence of n tokens is cut into. */
static inline int64_t axl__attention_parts(int64_t n)
{
    int64_t parts = (n + AXL__ATTENTION_PART_MIN - 1) / AXL__ATTENTION_PART_MIN;

    return parts < AXL__ATTENTION_PARTS ? parts : AXL__ATTENTION_PARTS;
}

/* delta (H, Tq), and the parts of dq (parts, Tq, H, D filled up to a multiple of 16), as many as
 * the longest sequence has. */
static inline int64_t axl__attention_scratch(int64_t n_tokens, int64_t longest, int64_t n_heads,
                                             int64_t head_dim)
{
    int64_t wide = (head_dim + 15) / 16 * 16;

    return (n_tokens * n_heads + 15) / 16 * 16 +
           axl__attention_parts(longest) * n_tokens * n_heads * wide;
}

/* y = gate * sigmoid(gate) * up, all (T, F). */
typedef struct axl_swiglu_args {
    axl_mat gate, up, y;
} axl_swiglu_args;

/* dgate may be gate, dup may be up: each element is read before it is written. */
typedef struct axl_swiglu_backward_args {
    axl_mat gate, up, dy, dgate, dup;
} axl_swiglu_backward_args;

/* gather: y[i,:] = x[rows[i],:];  scatter: y[rows[i],:] = x[i,:], rows all different.  x and y may
 * differ in dtype.  n = number of rows taken.  add: y[rows[i],:] += x[i,:], i in order, y f32; a
 * row may come again. */
typedef struct axl_rows_args {
    axl_mat x, y;
    const int32_t *rows; /* (n) */
    int64_t n;
} axl_rows_args;

/* With e = smoothing (Szegedy et al., "Rethinking the Inception architecture", 2016):
 * losses[i] = log(sum_v exp(logits[i,v])) - (1 - e) logits[i,targets[i]] - e mean_v(logits[i,v]),
 * f32 with the sums in f32 or better;
 * dlogits[i,v] = scale * (softmax(logits)[i,v] - (1 - e) [v == targets[i]] - e / V).
 * logits (n,V) f32; dlogits (n,V) f32 or bf16.  It may lie over logits: as f32 with that stride,
 * as bf16 with twice the stride in elements, so that a row only overwrites itself.
 * dlogits.data NULL: no gradient. */
typedef struct axl_cross_entropy_args {
    axl_mat logits, dlogits;
    const int32_t *targets; /* (n) in [0, V) */
    float *losses;          /* (n) */
    float scale, smoothing; /* smoothing in [0, 1) */
} axl_cross_entropy_args;

/* y[i] = keep(i) ? x[i] / (1 - p) : 0, i = offset + row * cols + col, where keep(i) is
 * philox(seed, stream, i / 4)[i % 4] >= round(p * 2^32): the same mask again for the backward.
 * y may be x.  x and y of one dtype. */
typedef struct axl_dropout_args {
    axl_mat x, y;
    float p;
    uint64_t seed, stream, offset; /* offset a multiple of 4 */
} axl_dropout_args;

/* y = x (convert), y += x (add): f32 sums, rounded once.  Any two dtypes. */
typedef struct axl_unary_args {
    axl_mat x, y;
} axl_unary_args;

/* *out += sum_i x[i]^2 in double (a NaN or infinity stays visible).  x (n) f32; out f64. */
typedef struct axl_sum_squares_args {
    const float *x;
    int64_t n;
    double *out;
} axl_sum_squares_args;

/* Decoupled weight decay (Loshchilov, Hutter, "Decoupled weight decay regularization", 2019), in
 * the order of torch.optim.AdamW: g' = g * grad_scale; p -= lr * weight_decay * p;
 * m = beta1 m + (1 - beta1) g'; v = beta2 v + (1 - beta2) g'^2;
 * p -= lr / (1 - beta1^step) * m / (sqrt(v) / sqrt(1 - beta2^step) + eps).  All (n) f32. */
typedef struct axl_adamw_args {
    float *p, *m, *v;
    const float *g;
    int64_t n;
    double lr, beta1, beta2, eps, weight_decay, grad_scale;
    int64_t step; /* from 1 */
} axl_adamw_args;

/* x[i] += scale * (philox(seed, stream, i / 4)[i % 4] / 2^31 - 1), i = offset + row * cols + col:
 * noise, uniform in [-scale, scale).  x (rows, cols) f32 or bf16. */
typedef struct axl_noise_args {
    axl_mat x;
    float scale;
    uint64_t seed, stream, offset;
} axl_noise_args;

/* The steps of the other optimizers: formulas in kernels/<op>/<op>.h.  Each moves p (n) f32 by the
 * gradient g * grad_scale, with its state beside it, all f32 of device memory unless a comment says
 * otherwise; step counts from 1.  Decoupled weight decay is p -= lr * weight_decay * p. */

/* m (n): read and written with momentum > 0 only. */
typedef struct axl_sgd_args {
    float *p, *m;
    const float *g;
    int64_t n;
    double lr, momentum, dampening, weight_decay, grad_scale;
    bool nesterov;
    int64_t step;
} axl_sgd_args;

/* m (n). */
typedef struct axl_lion_args {
    float *p, *m;
    const float *g;
    int64_t n;
    double lr, beta1, beta2, weight_decay, grad_scale;
} axl_lion_args;

/* v (n). */
typedef struct axl_adagrad_args {
    float *p, *v;
    const float *g;
    int64_t n;
    double lr, eps, weight_decay, grad_scale;
} axl_adagrad_args;

/* v (n); mean, m (n) may be NULL. */
typedef struct axl_rmsprop_args {
    float *p, *v, *mean, *m;
    const float *g;
    int64_t n;
    double lr, alpha, momentum, eps, weight_decay, grad_scale;
} axl_rmsprop_args;

/* m, v (n). */
typedef struct axl_adopt_args {
    float *p, *m, *v;
    const float *g;
    int64_t n;
    double lr, beta1, beta2, eps, weight_decay, grad_scale;
    int64_t step;
} axl_adopt_args;

/* m, slow, v (n). */
typedef struct axl_ademamix_args {
    float *p, *m, *slow, *v;
    const float *g;
    int64_t n;
    double lr, beta1, beta2, beta3, alpha, eps, weight_decay, grad_scale;
    int64_t step;
} axl_ademamix_args;

/* x, y, z (n); v (n) may be NULL.  x is written only. */
typedef struct axl_schedule_free_args {
    float *x, *y, *z, *v;
    const float *g;
    int64_t n;
    double lr, share, beta1, beta2, eps, weight_decay, grad_scale;
    int64_t step;
} axl_schedule_free_args;

/* g, p, m (rows, cols) without gaps; row, res_row (rows), col, res_col (cols), or v (cols) of a
 * vector of one row, where row and col are NULL.  m is NULL for Adafactor, which reads no res_.
 * scratch: rows doubles and rows + 2 cols floats. */
typedef struct axl_factored_args {
    float *p;
    const float *g;
    int64_t rows, cols;
    float *row, *col, *v;
    float *m, *res_row, *res_col;
    double *scratch;
    double lr, beta1, beta2, beta3, eps, eps2, clip_threshold, weight_decay, grad_scale;
} axl_factored_args;

/* m, g, x (n); x is written. */
typedef struct axl_muon_momentum_args {
    float *m, *x;
    const float *g;
    int64_t n;
    double momentum, grad_scale;
    bool nesterov;
} axl_muon_momentum_args;

/* x (n). */
typedef struct axl_muon_normalize_args {
    float *x;
    int64_t n;
    const double *sum_squares; /* (1) */
    double eps;
} axl_muon_normalize_args;

/* x, y (n); y is written. */
typedef struct axl_muon_scale_args {
    const float *x;
    float *y;
    int64_t n;
    double factor;
} axl_muon_scale_args;

typedef enum axl_optim_rule {
    AXL_RULE_ADAMW,
    AXL_RULE_ADEMAMIX,
    AXL_RULE_LION,
    AXL_RULE_RMSPROP
} axl_optim_rule;

/* Neighbouring elements that share a scale; n is at most 256. */
typedef struct axl_optim_block {
    int64_t at; /* element of p and g */
    int32_t n, reserved;
} axl_optim_block;

/* Any of the rules with 8-bit state: the first and second moment and AdEMAMix's slow one; Lion and
 * RMSprop have one.  NULL where a rule has none. */
typedef struct axl_optim_8bit_args {
    axl_optim_rule rule;
    float *p;
    const float *g;
    const axl_optim_block *blocks; /* (n_blocks) */
    int64_t n_blocks;
    uint8_t *codes[3];            /* (n_blocks, 256) */
    float *scales[3];             /* (n_blocks) */
    const axl_quant_map *maps[3]; /* host, the same ones at every step */
    double lr, beta1, beta2, beta3, alpha, eps, weight_decay, grad_scale;
    int64_t step;
} axl_optim_8bit_args;

typedef struct axl_backend_ops {
    uint32_t abi;     /* AXL_BACKEND_ABI: bumped for a break */
    uint32_t size;    /* sizeof(axl_backend_ops) where it was compiled */
    const char *name; /* "cpu", "reference"; static storage */

    /* ---- device and memory ---- */
    axl_status (*device_open)(axl_device **out, axl_context *ctx, int32_t ordinal);
    void (*device_close)(axl_device *dev);
    void (*device_info)(axl_device *dev, axl_device_info *out);
    /* 64-byte aligned at least, contents undefined. */
    axl_status (*buffer_new)(axl_device *dev, void **out, size_t size);
    void (*buffer_free)(axl_device *dev, void *buffer); /* NULL is fine */
    /* Host bytes that stay valid and unchanged until weights_unmap: the same pointer where device
     * and host share memory, else a copy. */
    axl_status (*weights_map)(axl_device *dev, void **out, const void *host, size_t size);
    void (*weights_unmap)(axl_device *dev, void *mapped);
    axl_status (*upload)(axl_device *dev, void *dst, const void *host, size_t size);
    axl_status (*download)(axl_device *dev, void *host, const void *src, size_t size); /* waits */
    axl_status (*copy)(axl_device *dev, void *dst, const void *src, size_t size);
    axl_status (*zero)(axl_device *dev, void *dst, size_t size);
    axl_status (*synchronize)(axl_device *dev);

    /* ---- operations ---- */
    axl_status (*matmul)(axl_device *dev, const axl_matmul_args *a);
    axl_status (*rms_norm_forward)(axl_device *dev, const axl_rms_norm_args *a);
    axl_status (*rms_norm_backward)(axl_device *dev, const axl_rms_norm_backward_args *a);
    axl_status (*rope)(axl_device *dev, const axl_rope_args *a);
    axl_status (*attention_forward)(axl_device *dev, const axl_attention_args *a);
    axl_status (*attention_backward)(axl_device *dev, const axl_attention_backward_args *a);
    axl_status (*swiglu_forward)(axl_device *dev, const axl_swiglu_args *a);
    axl_status (*swiglu_backward)(axl_device *dev, const axl_swiglu_backward_args *a);
    axl_status (*gather_rows)(axl_device *dev, const axl_rows_args *a);
    axl_status (*scatter_rows)(axl_device *dev, const axl_rows_args *a);
    axl_status (*cross_entropy)(axl_device *dev, const axl_cross_entropy_args *a);
    axl_status (*dropout)(axl_device *dev, const axl_dropout_args *a);
    axl_status (*convert)(axl_device *dev, const axl_unary_args *a);
    axl_status (*add)(axl_device *dev, const axl_unary_args *a);
    axl_status (*sum_squares)(axl_device *dev, const axl_sum_squares_args *a);
    axl_status (*adamw)(axl_device *dev, const axl_adamw_args *a);
    axl_status (*noise)(axl_device *dev, const axl_noise_args *a);
    axl_status (*sgd)(axl_device *dev, const axl_sgd_args *a);
    axl_status (*lion)(axl_device *dev, const axl_lion_args *a);
    axl_status (*optim_8bit)(axl_device *dev, const axl_optim_8bit_args *a);
    axl_status (*adagrad)(axl_device *dev, const axl_adagrad_args *a);
    axl_status (*rmsprop)(axl_device *dev, const axl_rmsprop_args *a);
    axl_status (*adopt)(axl_device *dev, const axl_adopt_args *a);
    axl_status (*ademamix)(axl_device *dev, const axl_ademamix_args *a);
    axl_status (*schedule_free)(axl_device *dev, const axl_schedule_free_args *a);
    axl_status (*factored)(axl_device *dev, const axl_factored_args *a);
    axl_status (*muon_momentum)(axl_device *dev, const axl_muon_momentum_args *a);
    axl_status (*muon_normalize)(axl_device *dev, const axl_muon_normalize_args *a);
    axl_status (*muon_scale)(axl_device *dev, const axl_muon_scale_args *a);
    axl_status (*rms_norm_weight_backward)(axl_device *dev,
                                           const axl_rms_norm_weight_backward_args *a);
    axl_status (*add_rows)(axl_device *dev, const axl_rows_args *a);
    /* Append above this line. */
} axl_backend_ops;

/* The built-in tables, defined under kernels/. */
extern const axl_backend_ops axl__backend_cpu;
extern const axl_backend_ops axl__backend_reference;

/* A backend by name; AXL_ERR_NOT_FOUND names the ones there are. */
axl_status axl__backend_find(const axl_backend_ops **out, const char *name);

#endif
