/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elementwise_cuda.h - kernels that make each output element of the inputs at its place.  Such a
 * one is bound by its bytes: an Op is a struct with its matrices and
 *
 *   template <int N> __device__ void run(int64_t row, int64_t col) const;
 *
 * which does N neighbouring columns, 4 where all operands are aligned for it, else 1: a warp then
 * touches whole sectors, and each of them once.
 */
#ifndef AXL_KERNELS_CUDA_ELEMENTWISE_H
#define AXL_KERNELS_CUDA_ELEMENTWISE_H

#include "cuda_kernel.h"

/* Four blocks of a multiprocessor are enough to hide its memory's latency.  Where no number is
 * asked for, the compiler would rather spill than use a 33rd register. */
enum { ELEMENTWISE_THREADS = 256, ELEMENTWISE_BLOCKS = 4 };

template <int N, class Op>
__global__ void __launch_bounds__(ELEMENTWISE_THREADS, ELEMENTWISE_BLOCKS)
    elementwise(const Op op, int64_t rows, int64_t cols)
{
    int64_t col = ((int64_t)blockIdx.x * blockDim.x + threadIdx.x) * N;
    int64_t row = (int64_t)blockIdx.y * blockDim.y + threadIdx.y;

    for (; row < rows; row += (int64_t)gridDim.y * blockDim.y) {
        if (col + N <= cols)
            op.template run<N>(row, col);
        else
            for (int64_t c = col; c < cols; c++)
                op.template run<1>(row, c);
    }
}

/* chunks: whole_chunks of all operands. */
template <class Op>
axl_status axl__cuda_elementwise(axl_device *dev, const Op &op, int64_t rows, int64_t cols,
                                 bool chunks)
{
    int64_t n = axl_div_up(cols, chunks ? CHUNK : 1);
    unsigned wide = 1;

    if (rows == 0 || cols == 0)
        return AXL_OK;
    while (wide < ELEMENTWISE_THREADS && wide < n)
        wide *= 2;
    dim3 block(wide, ELEMENTWISE_THREADS / wide);
    dim3 grid((unsigned)axl_div_up(n, wide), (unsigned)axl_min(axl_div_up(rows, block.y), 65535));
    return axl__cuda_launch(dev, chunks ? elementwise<CHUNK, Op> : elementwise<1, Op>, grid, block,
                            0, op, rows, cols);
}

#endif
