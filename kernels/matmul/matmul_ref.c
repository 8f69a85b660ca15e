/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matmul_ref.c - what the matmul means: one dot product in double for each output.  Slow on
 * purpose; every backend is tested against this file, so change it only to fix the maths.
 */
#include "matmul.h"

#include "kernels/mat.h"

/* The operand as the product sees it: element (r,c) of op(m). */
static double operand(const axl_mat *m, bool trans, axl_dtype compute, int64_t r, int64_t c)
{
    double v = trans ? axl__mat_get(m, c, r) : axl__mat_get(m, r, c);

    return compute == AXL_BF16 ? axl__bf16_to_f32(axl__f32_to_bf16((float)v)) : v;
}

void axl__ref_matmul(const axl_matmul_args *a)
{
    int64_t depth = a->trans_x ? a->x.rows : a->x.cols;

    for (int64_t i = 0; i < a->y.rows; i++) {
        for (int64_t j = 0; j < a->y.cols; j++) {
            double sum = 0.0;

            for (int64_t l = 0; l < depth; l++)
                sum += operand(&a->x, a->trans_x, a->compute, i, l) *
                       operand(&a->w, a->trans_w, a->compute, l, j);
            sum *= a->alpha;
            if (a->beta != 0.0f)
                sum += a->beta * axl__mat_get(&a->y, i, j);
            axl__mat_put(&a->y, i, j, sum);
        }
    }
}
