/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glu.h - the gated unit of the MLP (Shazeer, "GLU variants improve transformer", 2020).
 * All (T,F); s = 1 / (1 + exp(-gate)):
 *
 *   y     = gate s up
 *   dup   = dy gate s
 *   dgate = dy up s (1 + gate (1 - s))
 */
#ifndef AXL_KERNELS_GLU_H
#define AXL_KERNELS_GLU_H

#include "kernels/reference.h"

#endif
