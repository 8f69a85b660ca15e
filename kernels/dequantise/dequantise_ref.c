/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dequantise_ref.c - what dequantising means.  Slow on purpose; every backend is tested against
 * this file, so change it only to fix the maths.
 */
#include "dequantise.h"

#include "kernels/mat.h"
#include "tensor/quantise.h"

void axl__ref_dequantise(const axl_dequantise_args *a)
{
    for (int64_t r = 0; r < a->y.rows; r++) {
        for (int64_t c = 0; c < a->y.cols; c++) {
            float v;
            axl__dequantise(&v, &a->w, (a->first + r) * a->w.mat.cols + c, 1);
            axl__mat_put(&a->y, r, c, v);
        }
    }
}
