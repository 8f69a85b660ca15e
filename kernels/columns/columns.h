/* SPDX-License-Identifier: Apache-2.0 */
/*
 * columns.h - what DoRA (Liu et al., "DoRA: Weight-decomposed low-rank adaptation", 2024) adds to
 * products, and vectors that are added to every row, with their gradients:
 *
 *   row_norms:      norms[r] = |x[r,:]|,  gains[r] = magnitudes[r] / norms[r]
 *   scale_columns:  y[t,c] (+)= scale * (gains[c] + shift) * x[t,c]
 *   dot_columns:    out[c] += scale * sum_t x[t,c] * y[t,c] / divisors[c]
 */
#ifndef AXL_KERNELS_COLUMNS_H
#define AXL_KERNELS_COLUMNS_H

#include "kernels/reference.h"

#endif
