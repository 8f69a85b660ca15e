/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linear.h - linear layers that share an input, each with or without a LoRA pair:
 *
 *   y_i = x W_i^T + xa_i B_i^T,   xa_i = s drop_i(x) A_i^T
 *   dx = sum_i dy_i W_i + drop_i(dxa_i A_i),   dxa_i = s dy_i B_i,
 *   dA_i += dxa_i^T drop_i(x),   dB_i += dy_i^T xa_i,   dW_i += dy_i^T x where W is trained
 *
 * x (T, in), y_i (T, out_i), W_i (out_i, in), A_i (r, in), B_i (out_i, r), s = the adapter's scale.
 * Pairs that a restart froze are added likewise, without dropout and gradients of their own.
 * The xa_i of a group lie side by side in one matrix (T, R), R the sum of their ranks; the A_i lie
 * one behind another, so that without dropout one product makes all of it.
 */
#ifndef AXL_MODEL_LINEAR_H
#define AXL_MODEL_LINEAR_H

#include "adapter.h"

/* What the layers of one pass share. */
typedef struct axl__pass {
    axl_model *model;
    const axl_backend_ops *ops;
    axl_device *dev;
    const axl_adapter *adapter; /* NULL: the base alone, which is trained where there are grads */
    float *grads;               /* device, laid out as what is trained; NULL: no gradients */
    const bool *frozen_layers;  /* (n_layers): those whose weights get none; NULL: all do */
    float dropout;              /* 0 outside training */
    uint64_t dropout_seed;      /* of this batch */
} axl__pass;

/* Scratch of the pairs, sized for the widest layer: drop (T, max in) when there is dropout, dxa
 * (T, max R), frozen (T, rank of the frozen pairs).  parts, for a layer of many outputs, has what
 * the backend wants for the product or is NULL. */
typedef struct axl__linear_scratch {
    axl_mat drop, dxa, frozen;
    void *parts;
    size_t parts_size;
} axl__linear_scratch;

static inline bool axl__trains_weights(const axl__pass *p)
{
    return p->grads && !p->adapter;
}

/* A decoder layer's, or at -1 and n_layers those outside. */
static inline bool axl__trains_layer(const axl__pass *p, int64_t layer)
{
    bool inside = layer >= 0 && layer < p->model->arch.n_layers;

    return axl__trains_weights(p) && !(inside && p->frozen_layers && p->frozen_layers[layer]);
}

/* Of the frozen pairs; 0 without. */
int64_t axl__frozen_rank(const axl__pass *p);
/* R; 0 without pairs. */
int64_t axl__linears_rank(const axl__pass *p, axl__linears g);
/* xa alone, for a backward that computes its layers again; nothing without pairs. */
axl_status axl__linears_xa(const axl__pass *p, axl__linears g, axl_mat x, axl_mat xa,
                           const axl__linear_scratch *s);
/* y[g.n], plus (of y's size, or no data) added to each.  xa (T, R) is kept for the backward. */
axl_status axl__linears_forward(const axl__pass *p, axl__linears g, axl_mat x, axl_mat plus,
                                const axl_mat *y, axl_mat xa, const axl__linear_scratch *s);
/* dy[g.n].  dx is written; dx.data NULL leaves it out.  x is read only for pairs and where the
 * weights are trained. */
axl_status axl__linears_backward(const axl__pass *p, axl__linears g, axl_mat x, const axl_mat *dy,
                                 axl_mat xa, axl_mat dx, const axl__linear_scratch *s);

/* Of the norm with weight w; nothing where the layer's weights are frozen. */
axl_status axl__norm_weight_gradient(const axl__pass *p, int64_t layer, axl_mat x, axl_mat w,
                                     const float *rstd, axl_mat dy);

#endif
