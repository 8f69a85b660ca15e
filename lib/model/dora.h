/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dora.h - the norms of DoRA (Liu et al., "DoRA: Weight-decomposed low-rank adaptation", 2024), as
 * PEFT computes it: a layer with magnitudes m (out) gives
 *
 *   y = g u + b,  u = x W^T + s x A^T B^T,  g[o] = m[o] / |W[o,:] + s B[o,:] A|
 *
 * where the norm is a constant to the gradient.  It follows from the values of the moment and is
 * made anew for every pass.  With dropout (x' the dropped input) the formula is PEFT's, too:
 *
 *   y = x W^T + b + (g - 1) x' W^T + g s x' A^T B^T
 */
#ifndef AXL_MODEL_DORA_H
#define AXL_MODEL_DORA_H

#include "adapter.h"

/* Device memory: norms and gains (n_gains each), and rows of a weight in f32. */
typedef struct axl__dora {
    float *norms, *gains;
    void *piece;
    size_t piece_size;
} axl__dora;

/* Nothing for an adapter without magnitudes, or NULL. */
axl_status axl__dora_init(axl__dora *d, const axl_adapter *a);
void axl__dora_free(axl__dora *d, const axl_adapter *a);

/* Of every layer that has magnitudes. */
axl_status axl__dora_measure(axl__dora *d, const axl_adapter *a);

#endif
