/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glu.h - the gated unit of the MLP (Shazeer, "GLU variants improve transformer", 2020).
 * All (T,F):
 *
 *   y     = act(gate) up
 *   dup   = dy act(gate)
 *   dgate = dy up act'(gate)
 *
 * Each activation is act(x) = x s(x), so that act'(x) = s(x) + x s'(x):
 *
 *   silu       s = 1 / (1 + exp(-x))
 *   gelu       s = (1 + erf(x / sqrt(2))) / 2
 *   gelu_tanh  s = 1 / (1 + exp(-2 u)),  u = sqrt(2 / pi) (x + 0.044715 x^3)
 */
#ifndef AXL_KERNELS_GLU_H
#define AXL_KERNELS_GLU_H

#include "kernels/reference.h"

#endif
