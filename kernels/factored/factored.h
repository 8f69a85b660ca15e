/* SPDX-License-Identifier: Apache-2.0 */
/*
 * factored.h - one step of Adafactor (Shazeer, Stern, 2018) or CAME (Luo et al., 2023) on one
 * matrix p, g (rows, cols), whose mean squares are kept as the means of its rows and of its
 * columns.  g' = g grad_scale:
 *
 *   row[r]  = beta2 row[r] + (1 - beta2) mean_c(g'^2 + eps)
 *   col[c]  = beta2 col[c] + (1 - beta2) mean_r(g'^2 + eps)
 *   u[r,c]  = g'[r,c] / sqrt(row[r] / mean(row) col[c])
 *   u      /= max(1, rms(u) / clip_threshold)
 *
 * Adafactor then steps p = p (1 - lr weight_decay) - lr u.  CAME smooths u, and divides by how far
 * the smooth one is from it:
 *
 *   m       = beta1 m + (1 - beta1) u
 *   res_row, res_col: as row, col, of (u - m)^2 + eps2 and with beta3
 *   p       = p (1 - lr weight_decay) - lr m / sqrt(res_row[r] / mean(res_row) res_col[c])
 *
 * Without row and col, p is a vector of one row with a mean square v of its own, and CAME steps by
 * m.
 */
#ifndef AXL_KERNELS_FACTORED_H
#define AXL_KERNELS_FACTORED_H

#include "kernels/reference.h"

#endif
