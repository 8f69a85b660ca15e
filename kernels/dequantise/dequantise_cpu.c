/* SPDX-License-Identifier: Apache-2.0 */
/* dequantise_cpu.c - elements of a quantised weight, bound by writing them; see decode.h. */
#include "kernels/dequantise/dequantise.h"

#include "kernels/cpu/decode.h"
#include "kernels/cpu/span_cpu.h"

static void decode_tile(const void *args, axl_tile t)
{
    const axl_dequantise_args *a = args;

    for (int64_t r = t.row; r < t.row_end; r++)
        axl_decode(axl_at_mut(a->y.data, a->y.dtype, r * a->y.stride + t.col), a->y.dtype, &a->w,
                   (a->first + r) * a->w.mat.cols + t.col, t.col_end - t.col);
}

axl_status AXL_ISA_NAME(dequantise)(axl_device *dev, const axl_dequantise_args *a)
{
    axl_tiles_run(dev, a->y.rows, a->y.cols, false, decode_tile, a);
    return AXL_OK;
}
