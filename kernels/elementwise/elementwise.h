/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elementwise.h - convert: y = x;  add: y = y + x;  scale: y = factor x; computed in f32 or better
 * and rounded once.
 * x, y (rows, cols), any two dtypes.
 */
#ifndef AXL_KERNELS_ELEMENTWISE_H
#define AXL_KERNELS_ELEMENTWISE_H

#include "kernels/reference.h"

#endif
