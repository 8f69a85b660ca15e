/* SPDX-License-Identifier: Apache-2.0 */
/* soft_cap_cpu.c - the soft cap: one pass, bound by vf_tanh forwards and by memory backwards. */
#include "kernels/soft_cap/soft_cap.h"

#include "kernels/cpu/span_cpu.h"

#include <assert.h>

/* ---- forward ---- */

AXL_INLINE void forward_lanes(const axl_soft_cap_args *a, int64_t r, int64_t i, int64_t n)
{
    vf x = axl_load(a->x.data, a->x.dtype, r * a->x.stride + i, n);
    vf t = vf_tanh(vf_mul(x, vf_set1(1.0f / a->cap)));

    axl_store(a->y.data, a->y.dtype, r * a->y.stride + i, vf_mul(t, vf_set1(a->cap)), n);
}

static void forward_tile(const void *args, axl_tile t)
{
    const axl_soft_cap_args a = *(const axl_soft_cap_args *)args;

    for (int64_t r = t.row; r < t.row_end; r++) {
        int64_t i = t.col;

        for (; i + VF_N <= t.col_end; i += VF_N)
            forward_lanes(&a, r, i, VF_N);
        if (i < t.col_end)
            forward_lanes(&a, r, i, t.col_end - i);
    }
}

axl_status AXL_ISA_NAME(soft_cap_forward)(axl_device *dev, const axl_soft_cap_args *a)
{
    assert(a->x.dtype == a->y.dtype && a->cap > 0.0f);
    axl_tiles_run(dev, a->x.rows, a->x.cols, false, forward_tile, a);
    return AXL_OK;
}

/* ---- backward ---- */

AXL_INLINE void backward_lanes(const axl_soft_cap_backward_args *a, int64_t r, int64_t i, int64_t n)
{
    vf y = axl_load(a->y.data, a->y.dtype, r * a->y.stride + i, n);
    vf d = axl_load(a->d.data, a->d.dtype, r * a->d.stride + i, n);
    vf t = vf_mul(y, vf_set1(1.0f / a->cap));

    d = vf_mul(d, vf_sub(vf_set1(1.0f), vf_mul(t, t)));
    axl_store(a->d.data, a->d.dtype, r * a->d.stride + i, d, n);
}

static void backward_tile(const void *args, axl_tile t)
{
    const axl_soft_cap_backward_args a = *(const axl_soft_cap_backward_args *)args;

    for (int64_t r = t.row; r < t.row_end; r++) {
        int64_t i = t.col;

        for (; i + VF_N <= t.col_end; i += VF_N)
            backward_lanes(&a, r, i, VF_N);
        if (i < t.col_end)
            backward_lanes(&a, r, i, t.col_end - i);
    }
}

axl_status AXL_ISA_NAME(soft_cap_backward)(axl_device *dev, const axl_soft_cap_backward_args *a)
{
    assert(a->cap > 0.0f);
    axl_tiles_run(dev, a->y.rows, a->y.cols, false, backward_tile, a);
    return AXL_OK;
}
