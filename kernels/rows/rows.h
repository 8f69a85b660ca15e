/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows.h - taking and putting back rows: the embedding and its gradient, and the trained tokens of
 * a batch.
 *
 *   gather:  y[i,:] = x[rows[i],:]    scatter: y[rows[i],:] = x[i,:]    add: y[rows[i],:] += x[i,:]
 */
#ifndef AXL_KERNELS_ROWS_H
#define AXL_KERNELS_ROWS_H

#include "kernels/reference.h"

#endif
