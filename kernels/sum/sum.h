/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sum.h - *out += sum_i weights[i] x[i] in double, one addition after the other: the sum of a
 * step's losses, whose bits a log shows and which no one may add in another order.  x, weights (n).
 */
#ifndef AXL_KERNELS_SUM_H
#define AXL_KERNELS_SUM_H

#include "kernels/reference.h"

#endif
