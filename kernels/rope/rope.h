/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rope.h - rotary position embedding (Su et al., 2021), the two halves of a head being the pairs.
 * x (T, n_heads * D) in place; cos, sin (n_positions, D/2); p = positions[t], i < D/2:
 *
 *   x[i]       = x[i] cos[p,i] - x[i + D/2] sin[p,i]
 *   x[i + D/2] = x[i + D/2] cos[p,i] + x[i] sin[p,i]
 *
 * inverse takes -sin: the gradient of a rotation is the rotation back.
 */
#ifndef AXL_KERNELS_ROPE_H
#define AXL_KERNELS_ROPE_H

#include "kernels/reference.h"

#endif
