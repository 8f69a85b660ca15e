/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rmsprop.h - one step of RMSprop in the order of torch.optim.RMSprop.  p, v, mean, m, g (n):
 *
 *   g'   = g grad_scale + weight_decay p
 *   v    = alpha v + (1 - alpha) g'^2
 *   mean = alpha mean + (1 - alpha) g'          (when it is there: centered)
 *   d    = g' / (sqrt(v - mean^2) + eps)
 *   m    = momentum m + d                       (when it is there)
 *   p   -= lr m, or lr d
 *
 * A difference under the root that rounding makes negative counts as 0.
 */
#ifndef AXL_KERNELS_RMSPROP_H
#define AXL_KERNELS_RMSPROP_H

#include "kernels/reference.h"

#endif
