/* SPDX-License-Identifier: Apache-2.0 */
/* sum_squares.cu - see sum_squares.h.  Bound by its bytes; each block adds a stretch that depends
 * on n alone, and one warp the blocks' sums in their order. */
#include "kernels/cuda/cuda_kernel.h"

#include "sum_squares.h"

enum { SUM_THREADS = 256, LEAST_STRETCH = 4096 };

__global__ void __launch_bounds__(SUM_THREADS)
    sum_squares_parts(const float *x, int64_t n, int64_t stretch, double *parts)
{
    int64_t first = (int64_t)blockIdx.x * stretch;
    int64_t end = first + stretch < n ? first + stretch : n;
    double sum = 0.0;

    for (int64_t i = first + threadIdx.x; i < end; i += SUM_THREADS)
        sum += (double)x[i] * x[i];
    sum = block_sum(sum, shared_memory<double>());
    if (threadIdx.x == 0)
        parts[blockIdx.x] = sum;
}

__global__ void sum_squares_total(const double *parts, int n_parts, double *out)
{
    double sum = 0.0;

    for (int i = (int)threadIdx.x; i < n_parts; i += WARP_SIZE)
        sum += parts[i];
    sum = warp_sum(sum);
    if (threadIdx.x == 0)
        *out += sum;
}

axl_status axl__cuda_sum_squares(axl_device *dev, const axl_sum_squares_args *a)
{
    int64_t stretch = axl_max(axl_div_up(a->n, AXL__CUDA_PARTIALS), LEAST_STRETCH);
    int64_t n_parts = axl_div_up(a->n, stretch);

    if (n_parts == 0)
        return AXL_OK;
    AXL_TRY(axl__cuda_launch(dev, sum_squares_parts, dim3((unsigned)n_parts), dim3(SUM_THREADS),
                             SUM_THREADS / WARP_SIZE * sizeof(double), a->x, a->n, stretch,
                             dev->partial));
    return axl__cuda_launch(dev, sum_squares_total, dim3(1), dim3(WARP_SIZE), 0, dev->partial,
                            (int)n_parts, a->out);
}
