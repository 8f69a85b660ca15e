/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swiglu.h - the gated unit of the MLP (Shazeer, "GLU variants improve transformer", 2020).
 * All (T,F); s = 1 / (1 + exp(-gate)):
 *
 *   y     = gate s up
 *   dup   = dy gate s
 *   dgate = dy up s (1 + gate (1 - s))
 */
#ifndef AXL_KERNELS_SWIGLU_H
#define AXL_KERNELS_SWIGLU_H

#include "tensor/backend.h"

void axl__ref_swiglu_forward(const axl_swiglu_args *a);
void axl__ref_swiglu_backward(const axl_swiglu_backward_args *a);

#endif
