/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sum_squares.h - *out += sum_i x[i]^2 in double, for the norm of the gradients.  x (n).
 */
#ifndef AXL_KERNELS_SUM_SQUARES_H
#define AXL_KERNELS_SUM_SQUARES_H

#include "kernels/reference.h"

#endif
