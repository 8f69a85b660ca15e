/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linear.h - a frozen linear layer with its LoRA pair:
 *
 *   y = x W^T + s xa B^T,   xa = drop(x) A^T
 *   dx = dy W + drop(dxa A),   dxa = s dy B,   dA += dxa^T drop(x),   dB += s dy^T xa
 *
 * x (T, in), y (T, out), W (out, in), A (r, in), B (out, r), xa (T, r), s = the adapter's scale.
 */
#ifndef AXL_MODEL_LINEAR_H
#define AXL_MODEL_LINEAR_H

#include "adapter.h"

/* What the layers of one pass share. */
typedef struct axl__pass {
    axl_model *model;
    const axl_backend_ops *ops;
    axl_device *dev;
    const axl_adapter *adapter; /* NULL: the base alone */
    float *grads;               /* device, laid out as adapter->params; NULL: no gradients */
    float dropout;              /* 0 outside training */
    uint64_t dropout_seed;      /* of this batch */
} axl__pass;

/* Scratch of the pairs, sized for the widest layer: drop (T, max in) when there is dropout, dxa
 * (T, r). */
typedef struct axl__linear_scratch {
    axl_mat drop, dxa;
} axl__linear_scratch;

/* The pair of a layer, or NULL. */
const axl__lora *axl__pass_lora(const axl__pass *p, int64_t index);

/* xa alone, for a backward that computes its layer again; nothing without a pair. */
axl_status axl__linear_xa(const axl__pass *p, int64_t index, axl_mat x, axl_mat xa,
                          const axl__linear_scratch *s);
/* xa is kept for the backward; it is written only when the layer has a pair. */
axl_status axl__linear_forward(const axl__pass *p, int64_t index, axl_mat x, axl_mat y, axl_mat xa,
                               const axl__linear_scratch *s);
/* dx is written (beta 0) or added to (beta 1); dx->data NULL leaves it out.  x is read only for a
 * pair. */
axl_status axl__linear_backward(const axl__pass *p, int64_t index, axl_mat x, axl_mat dy,
                                axl_mat xa, axl_mat dx, float beta, const axl__linear_scratch *s);

#endif
