/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rms_norm.h - root mean square norm (Zhang, Sennrich, 2019).  x, y, dy, dx (T,C); w (C); rstd (T).
 *
 *   rstd[t] = 1 / sqrt(mean_c(x[t,c]^2) + eps)
 *   y[t,c]  = x[t,c] rstd[t] w[c]
 *   dx[t,c] += rstd[t] (w[c] dy[t,c] - x[t,c] rstd[t]^2 mean_c(x[t,c] w[c] dy[t,c]))
 *   dw[c]   += sum_t dy[t,c] x[t,c] rstd[t]
 *
 * or, with unit_offset, with 1 + w[c] for w[c], as Gemma has it: its weights lie around 0.
 * dx is added since the residual stream goes around the norm.
 */
#ifndef AXL_KERNELS_RMS_NORM_H
#define AXL_KERNELS_RMS_NORM_H

#include "kernels/reference.h"

#endif
