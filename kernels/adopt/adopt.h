/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adopt.h - one step of ADOPT (Taniguchi et al., 2024) with decoupled weight decay.
 * p, m, v, g (n), t = step: the first one only sets v = g'^2, then
 *
 *   g' = g grad_scale
 *   p  = p (1 - lr weight_decay)
 *   m  = beta1 m + (1 - beta1) clamp(g' / max(sqrt(v), eps), (t - 1)^0.25)
 *   p -= lr m
 *   v  = beta2 v + (1 - beta2) g'^2
 */
#ifndef AXL_KERNELS_ADOPT_H
#define AXL_KERNELS_ADOPT_H

#include "kernels/reference.h"

#endif
