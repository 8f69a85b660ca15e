/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rope_ref.c - what the rotation of positions means.  Slow on purpose; every backend is tested
 * against this file, so change it only to fix the maths.
 */
#include "rope.h"

#include "kernels/mat.h"

static void rotate(const axl_rope_args *a, int64_t t, int64_t h, int64_t i)
{
    int64_t half = a->rotary_dim / 2, first = h * a->head_dim + i, second = first + half;
    double cos = a->cos[a->positions[t] * half + i], sin = a->sin[a->positions[t] * half + i];
    double x1 = axl__mat_get(&a->x, t, first), x2 = axl__mat_get(&a->x, t, second);

    if (a->inverse)
        sin = -sin;
    axl__mat_put(&a->x, t, first, x1 * cos - x2 * sin);
    axl__mat_put(&a->x, t, second, x2 * cos + x1 * sin);
}

void axl__ref_rope(const axl_rope_args *a)
{
    for (int64_t t = 0; t < a->x.rows; t++)
        for (int64_t h = 0; h < a->n_heads; h++)
            for (int64_t i = 0; i < a->rotary_dim / 2; i++)
                rotate(a, t, h, i);
}
