/* SPDX-License-Identifier: Apache-2.0 */
/*
 * soft_cap.h - numbers held within a cap by a smooth function (Gemma Team, "Gemma 2", 2024), and
 * its gradient from the outputs alone.  x, y, d (rows, cols):
 *
 *   y = cap tanh(x / cap)
 *   d = d (1 - (y / cap)^2)
 */
#ifndef AXL_KERNELS_SOFT_CAP_H
#define AXL_KERNELS_SOFT_CAP_H

#include "kernels/reference.h"

#endif
