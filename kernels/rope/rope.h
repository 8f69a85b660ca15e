/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rope.h - rotary position embedding (Su et al., 2021).  Of each head the first R = rotary_dim
 * elements turn, their two halves being the pairs.  x (T, n_heads * D) in place; cos, sin
 * (n_positions, R/2); p = positions[t], i < R/2:
 *
 *   x[i]       = x[i] cos[p,i] - x[i + R/2] sin[p,i]
 *   x[i + R/2] = x[i + R/2] cos[p,i] + x[i] sin[p,i]
 *
 * inverse takes -sin: the gradient of a rotation is the rotation back, also where cos and sin are
 * those of a rotation that scales.
 */
#ifndef AXL_KERNELS_ROPE_H
#define AXL_KERNELS_ROPE_H

#include "kernels/reference.h"

#endif
