/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optim_ops.h - the arguments of the optimizers' steps.  The formulas are in kernels/<op>/<op>.h.
 * A step moves p (n) f32 by the gradient g * grad_scale, with its state beside it, all f32 of
 * device memory unless a comment says otherwise; step counts from 1.  Decoupled weight decay is
 * p -= lr * weight_decay * p.
 */
#ifndef AXL_TENSOR_OPTIM_OPS_H
#define AXL_TENSOR_OPTIM_OPS_H

#include "device.h"
#include "quant_map.h"

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

/* Another rule for the same two moments. */
typedef axl_adamw_args axl_adopt_args;

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

/* Neighbouring elements that share a scale; n is at most 256, of 4-bit state 128 and even. */
typedef struct axl_optim_block {
    int64_t at; /* element of p and g */
    int32_t n, reserved;
} axl_optim_block;

/* Any of the rules with state of 8 or 4 bits, which all maps agree on: the first and second moment
 * and AdEMAMix's slow one; Lion and RMSprop have one.  NULL where a rule has none. */
typedef struct axl_optim_low_bit_args {
    axl_optim_rule rule;
    float *p;
    const float *g;
    const axl_optim_block *blocks; /* (n_blocks) */
    int64_t n_blocks;
    uint8_t *codes[3];            /* (n_blocks, bytes of a block: quant_map.h) */
    float *scales[3];             /* (n_blocks) */
    const axl_quant_map *maps[3]; /* host, the same ones at every step */
    double lr, beta1, beta2, beta3, alpha, eps, weight_decay, grad_scale;
    int64_t step;
} axl_optim_low_bit_args;

#endif
