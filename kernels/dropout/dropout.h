/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dropout.h - y[i] = keep(i) ? x[i] / (1 - p) : 0, i = offset + row * cols + col, where
 * keep(i) is philox(seed, stream, i / 4)[i % 4] >= round(p 2^32).  x, y (rows, cols); i does not
 * know the stride.  The backward is the same call on dy.
 */
#ifndef AXL_KERNELS_DROPOUT_H
#define AXL_KERNELS_DROPOUT_H

#include "kernels/reference.h"

/* round(p 2^32): an element is dropped when its word is below; up to 2^32 itself. */
uint64_t axl__dropout_threshold(float p);

#endif
