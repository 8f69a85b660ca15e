/* SPDX-License-Identifier: Apache-2.0 */
/*
 * noise.h - x[i] += scale * u(i), i = offset + row * cols + col, where u(i) =
 * philox(seed, stream, i / 4)[i % 4] / 2^31 - 1 is uniform in [-1, 1).  x (rows, cols); i does not
 * know the stride.  Its gradient is the identity.
 */
#ifndef AXL_KERNELS_NOISE_H
#define AXL_KERNELS_NOISE_H

#include "kernels/reference.h"

#endif
