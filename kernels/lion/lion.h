/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lion.h - one step of Lion (Chen et al., "Symbolic discovery of optimization algorithms", 2023).
 * p, m, g (n):
 *
 *   g' = g grad_scale
 *   p  = p (1 - lr weight_decay) - lr sign(beta1 m + (1 - beta1) g')
 *   m  = beta2 m + (1 - beta2) g'
 */
#ifndef AXL_KERNELS_LION_H
#define AXL_KERNELS_LION_H

#include "kernels/reference.h"

#endif
