/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optim_low_bit.h - optimizer steps whose state is 8 or 4 bits an element and a scale a block
 * (lib/tensor/quant_map.h).  A state is widened, moved, and rounded to codes with the block's new
 * largest magnitude; p moves by the state before it is rounded.  With g' = g grad_scale, c1 = 1 -
 * beta1^t, c2 = sqrt(1 - beta2^t), d = 1 - lr weight_decay, t = step:
 *
 *   AdamW      m = b1 m + (1 - b1) g',  v = b2 v + (1 - b2) g'^2,
 *              p = d p - lr / c1 m / (sqrt(v) / c2 + eps)
 *   AdEMAMix   as AdamW, with slow = b3 slow + (1 - b3) g':
 *              p = d p - lr (m / c1 + alpha slow) / (sqrt(v) / c2 + eps)
 *   Lion       p = d p - lr sign(b1 m + (1 - b1) g'),  m = b2 m + (1 - b2) g'
 *   RMSprop    g" = g' + weight_decay p,  v = b1 v + (1 - b1) g"^2,
 *              p -= lr g" / (sqrt(v) + eps)
 *
 * Unlike other operations the bits are defined, so that the bytes are those of bitsandbytes 0.50.2
 * on a CPU, and those of torchao 0.17: f32 throughout, one rounding an operation but for the fmas
 * of optim_low_bit_ref.c.
 */
#ifndef AXL_KERNELS_OPTIM_8BIT_H
#define AXL_KERNELS_OPTIM_8BIT_H

#include "kernels/reference.h"

#include <math.h>

/* The scalars of a step, folded in double and rounded once. */
typedef struct axl__optim_low_bit_numbers {
    float grad_scale, beta1, beta2, beta3, rest1, rest2, rest3; /* rest = 1 - beta */
    float keep, weight_decay, correction1, correction2, alpha, eps, minus_lr, minus_step;
} axl__optim_low_bit_numbers;

static inline axl__optim_low_bit_numbers axl__optim_low_bit_fold(const axl_optim_low_bit_args *a)
{
    double correction1 = 1.0 - pow(a->beta1, (double)a->step);

    return (axl__optim_low_bit_numbers){
        .grad_scale = (float)a->grad_scale,
        .beta1 = (float)a->beta1,
        .beta2 = (float)a->beta2,
        .beta3 = (float)a->beta3,
        .rest1 = (float)(1.0 - a->beta1),
        .rest2 = (float)(1.0 - a->beta2),
        .rest3 = (float)(1.0 - a->beta3),
        .keep = (float)(1.0 - a->lr * a->weight_decay),
        .weight_decay = (float)a->weight_decay,
        .correction1 = (float)correction1,
        .correction2 = (float)sqrt(1.0 - pow(a->beta2, (double)a->step)),
        .alpha = (float)a->alpha,
        .eps = (float)a->eps,
        .minus_lr = (float)-a->lr,
        .minus_step = (float)(-a->lr / correction1),
    };
}

#endif
