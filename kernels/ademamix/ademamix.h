/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ademamix.h - one step of AdEMAMix (Pagliardini et al., 2024) in the order of bitsandbytes.
 * p, m, slow, v, g (n), t = step:
 *
 *   g'   = g grad_scale
 *   m    = beta1 m + (1 - beta1) g'
 *   slow = beta3 slow + (1 - beta3) g'
 *   v    = beta2 v + (1 - beta2) g'^2
 *   p    = p (1 - lr weight_decay)
 *          - lr (m / (1 - beta1^t) + alpha slow) / (sqrt(v) / sqrt(1 - beta2^t) + eps)
 */
#ifndef AXL_KERNELS_ADEMAMIX_H
#define AXL_KERNELS_ADEMAMIX_H

#include "kernels/reference.h"

#endif
