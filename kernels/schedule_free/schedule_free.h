/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule_free.h - one step of schedule-free AdamW, or SGD where there is no v (Defazio et al.,
 * 2024).  Gradients are of y; x is what is evaluated and saved.  x, y, z, v, g (n), t = step:
 *
 *   g' = g grad_scale
 *   v  = beta2 v + (1 - beta2) g'^2
 *   d  = g' / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay y     (without v: g' + …)
 *   y  = y + share (z - y) - lr (1 - beta1 (1 - share)) d
 *   z -= lr d
 *   x  = y + (1 - 1 / beta1) (z - y)
 */
#ifndef AXL_KERNELS_SCHEDULE_FREE_H
#define AXL_KERNELS_SCHEDULE_FREE_H

#include "kernels/reference.h"

#endif
