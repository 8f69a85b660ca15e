/* SPDX-License-Identifier: Apache-2.0 */
/*
 * muon.h - the element-wise pieces of a Muon step (Jordan et al., 2024); matrix products between
 * them make the direction orthogonal.  m, g, x, y (n):
 *
 *   muon_momentum   m = momentum m + g grad_scale;  x = nesterov ? g grad_scale + momentum m : m
 *   muon_normalize  x /= sqrt(sum_squares) + eps
 *   muon_scale      y = factor x
 */
#ifndef AXL_KERNELS_MUON_H
#define AXL_KERNELS_MUON_H

#include "kernels/reference.h"

#endif
