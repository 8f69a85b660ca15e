/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dequantise.h - y[r,c] = w[first + r, c], the elements of a quantised weight (R,C) as ops.h says
 * what they are, rounded to w's dtype and then to y's.  y (n,C) of f32 or bf16, first + n <= R.
 */
#ifndef AXL_KERNELS_DEQUANTISE_H
#define AXL_KERNELS_DEQUANTISE_H

#include "kernels/reference.h"

#endif
