/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dropout_ref.c - what dropout means.  Slow on purpose; every backend is tested against this file,
 * so change it only to fix the maths.
 */
#include "dropout.h"

#include "base/rng.h"
#include "kernels/mat.h"

#include <math.h>

uint64_t axl__dropout_threshold(float p)
{
    return (uint64_t)llrint((double)p * 0x1p32);
}

void axl__ref_dropout(const axl_dropout_args *a)
{
    uint64_t threshold = axl__dropout_threshold(a->p);
    uint32_t word[4];

    for (int64_t r = 0; r < a->x.rows; r++) {
        for (int64_t c = 0; c < a->x.cols; c++) {
            uint64_t i = a->offset + (uint64_t)(r * a->x.cols + c);
            axl__philox(word, *a->seed, a->stream, i / 4);
            double kept = word[i % 4] >= threshold ? axl__mat_get(&a->x, r, c) / (1.0 - a->p) : 0.0;
            axl__mat_put(&a->y, r, c, a->add ? axl__mat_get(&a->y, r, c) + kept : kept);
        }
    }
}
