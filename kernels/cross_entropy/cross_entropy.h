/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cross_entropy.h - the loss of the next token, and its gradient over the logits.
 * logits, dlogits (n,V); targets, losses, scales (n); t = targets[i]; e the label smoothing, 0 for
 * none; r = scale scales[i]:
 *
 *   losses[i]    = log(sum_v exp(logits[i,v])) - (1 - e) logits[i,t] - e mean_v(logits[i,v])
 *   dlogits[i,v] = r (exp(logits[i,v]) / sum_v exp(logits[i,v]) - (1 - e) [v == t] - e / V)
 *
 * and, where the logits y were made by soft_cap_forward, dlogits[i,v] (1 - (y[i,v] / soft_cap)^2).
 * The gradient may lie over the logits (ops.h says how); both are walked from v = 0 upwards,
 * so that an element is read before its place is written.
 */
#ifndef AXL_KERNELS_CROSS_ENTROPY_H
#define AXL_KERNELS_CROSS_ENTROPY_H

#include "kernels/reference.h"

#endif
