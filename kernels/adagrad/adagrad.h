/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adagrad.h - one step of Adagrad (Duchi et al., 2011) in the order of torch.optim.Adagrad.
 * p, v, g (n):
 *
 *   g' = g grad_scale + weight_decay p
 *   v += g'^2
 *   p -= lr g' / (sqrt(v) + eps)
 */
#ifndef AXL_KERNELS_ADAGRAD_H
#define AXL_KERNELS_ADAGRAD_H

#include "kernels/reference.h"

#endif
