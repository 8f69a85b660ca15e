/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matmul.h - y = alpha (op(x) op(w) + further products) + beta y or + plus.  x (m,k) or
 * transposed (k,m); w (k,n) or transposed (n,k), which is how a linear layer stores it; y (m,n).
 *
 * The uses in a step, T tokens, r the LoRA rank, W (out,in), A (r,in), B (out,r), s the scale:
 *   h = s x A^T         (T,r)     trans_w      y = x W^T + h B^T        (T,out)  trans_w
 *   dh = s dy B         (T,r)                  dB += dy^T h             (out,r)  trans_x
 *   dx = sum dy W + dh A  (T,in)               dA += dh^T x             (r,in)   trans_x
 */
#ifndef AXL_KERNELS_MATMUL_H
#define AXL_KERNELS_MATMUL_H

#include "kernels/reference.h"

/* The built-in backends take every kind of ops.h. */
static inline axl_status axl__matmul_check(const axl_matmul_args *a)
{
    int kind = (int)a->w.kind;

    for (int64_t i = 0; i < a->n_more && kind <= AXL_WEIGHT_INT8; i++)
        kind = (int)a->more[i].w.kind;
    return kind <= AXL_WEIGHT_INT8
               ? AXL_OK
               : axl__fail(AXL_ERR_UNSUPPORTED,
                           "matmul: this backend takes dense, nf4, fp4 and int8 weights, not %d",
                           kind);
}

#endif
