/* SPDX-License-Identifier: Apache-2.0 */
/*
 * columns_cuda.h - a sum over the rows of each column, in double and always in the same order.  An
 * Op is a struct with
 *
 *   __device__ double term(int64_t row, int64_t col) const;
 *   __device__ void finish(int64_t col, double sum) const;
 *
 * A block has 32 columns, so that a warp reads whole sectors of a row, and up to 32 warps share the
 * rows: columns alone make few blocks.
 */
#ifndef AXL_KERNELS_CUDA_COLUMNS_H
#define AXL_KERNELS_CUDA_COLUMNS_H

#include "cuda_kernel.h"

enum { COLUMN_WARPS = 32, COLUMN_THREADS = COLUMN_WARPS * WARP_SIZE, LEAST_WARP_ROWS = 8 };

template <class Op>
__global__ void __launch_bounds__(COLUMN_THREADS)
    sum_columns(const Op op, int64_t rows, int64_t cols)
{
    double *part = shared_memory<double>(), sum = 0.0; /* (warps, 32) */
    int64_t col = (int64_t)blockIdx.x * WARP_SIZE + threadIdx.x;

    for (int64_t row = threadIdx.y; row < rows && col < cols; row += blockDim.y)
        sum += op.term(row, col);
    part[threadIdx.y * WARP_SIZE + threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || col >= cols)
        return;
    for (unsigned w = 1; w < blockDim.y; w++)
        sum += part[w * WARP_SIZE + threadIdx.x];
    op.finish(col, sum);
}

template <class Op>
axl_status axl__cuda_sum_columns(axl_device *dev, const Op &op, int64_t rows, int64_t cols)
{
    unsigned warps = 1;

    if (cols == 0)
        return AXL_OK;
    while (warps < COLUMN_WARPS && warps * LEAST_WARP_ROWS < rows)
        warps *= 2;
    return axl__cuda_launch(dev, sum_columns<Op>, dim3((unsigned)axl_div_up(cols, WARP_SIZE)),
                            dim3(WARP_SIZE, warps), warps * WARP_SIZE * sizeof(double), op, rows,
                            cols);
}

#endif
