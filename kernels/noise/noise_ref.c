/* SPDX-License-Identifier: Apache-2.0 */
/*
 * noise_ref.c - what noise means.  Slow on purpose; every backend is tested against this file, so
 * change it only to fix the maths.
 */
#include "noise.h"

#include "base/rng.h"
#include "kernels/mat.h"

void axl__ref_noise(const axl_noise_args *a)
{
    uint32_t word[4];

    for (int64_t r = 0; r < a->x.rows; r++) {
        for (int64_t c = 0; c < a->x.cols; c++) {
            uint64_t i = a->offset + (uint64_t)(r * a->x.cols + c);
            axl__philox(word, *a->seed, a->stream, i / 4);
            double u = (double)word[i % 4] * 0x1p-31 - 1.0;
            axl__mat_put(&a->x, r, c, axl__mat_get(&a->x, r, c) + a->scale * u);
        }
    }
}
