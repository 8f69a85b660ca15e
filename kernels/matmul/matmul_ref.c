/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matmul_ref.c - what the matmul means: one dot product in double for each output.  Slow on
 * purpose; every backend is tested against this file, so change it only to fix the maths.
 */
#include "matmul.h"

#include "kernels/mat.h"
#include "tensor/quantise.h"

static double multiplied(double v, axl_dtype compute)
{
    return compute == AXL_BF16 ? axl__bf16_to_f32(axl__f32_to_bf16((float)v)) : v;
}

/* The operands as the product sees them: elements (r,c) of op(x) and of op(w). */
static double left(const axl_mat *x, bool trans, axl_dtype compute, int64_t r, int64_t c)
{
    return multiplied(trans ? axl__mat_get(x, c, r) : axl__mat_get(x, r, c), compute);
}

static double right(const axl_weight *w, bool trans, axl_dtype compute, int64_t r, int64_t c)
{
    int64_t row = trans ? c : r, col = trans ? r : c;
    float v;

    if (w->kind == AXL_WEIGHT_DENSE)
        return multiplied(axl__mat_get(&w->mat, row, col), compute);
    axl__dequantise(&v, w, row * w->mat.cols + col, 1);
    return multiplied(v, compute);
}

static double dot(const axl_mat *x, bool trans_x, const axl_weight *w, bool trans_w,
                  axl_dtype compute, int64_t i, int64_t j)
{
    int64_t depth = trans_x ? x->rows : x->cols;
    double sum = 0.0;

    for (int64_t l = 0; l < depth; l++)
        sum += left(x, trans_x, compute, i, l) * right(w, trans_w, compute, l, j);
    return sum;
}

void axl__ref_matmul(const axl_matmul_args *a)
{
    for (int64_t i = 0; i < a->y.rows; i++) {
        for (int64_t j = 0; j < a->y.cols; j++) {
            double sum = dot(&a->x, a->trans_x, &a->w, a->trans_w, a->compute, i, j);

            for (int64_t t = 0; t < a->n_more; t++)
                sum +=
                    dot(&a->more[t].x, false, &a->more[t].w, a->more[t].trans_w, a->compute, i, j);
            sum *= a->alpha;
            if (a->beta != 0.0f)
                sum += a->beta * axl__mat_get(&a->y, i, j);
            if (a->plus.data)
                sum += axl__mat_get(&a->plus, i, j);
            axl__mat_put(&a->y, i, j, sum);
        }
    }
}
