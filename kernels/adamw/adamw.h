/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adamw.h - one step of AdamW (Loshchilov, Hutter, 2019).  p, m, v, g (n), t = step:
 *
 *   g' = g grad_scale
 *   m  = beta1 m + (1 - beta1) g'
 *   v  = beta2 v + (1 - beta2) g'^2
 *   p  = p (1 - lr weight_decay) - lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
 */
#ifndef AXL_KERNELS_ADAMW_H
#define AXL_KERNELS_ADAMW_H

#include "kernels/reference.h"

#endif
