/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sgd.h - one step of stochastic gradient descent with momentum, in the order of torch.optim.SGD.
 * p, m, g (n), t = step:
 *
 *   g' = g grad_scale + weight_decay p
 *   m  = t == 1 ? g' : momentum m + (1 - dampening) g'
 *   p -= lr (nesterov ? g' + momentum m : m)
 *
 * Without momentum m is not touched and p -= lr g'.
 */
#ifndef AXL_KERNELS_SGD_H
#define AXL_KERNELS_SGD_H

#include "kernels/reference.h"

#endif
