/* SPDX-License-Identifier: Apache-2.0 */
/* sum.cu - see sum.h: one addition after the other, for the few numbers of a step's losses.  A warp
 * reads 32 at once and its first lane adds them. */
#include "kernels/cuda/cuda_kernel.h"

#include "sum.h"

__global__ void sum(const float *x, const float *weights, int64_t n, double *out)
{
    double total = *out;

    for (int64_t first = 0; first < n; first += WARP_SIZE) {
        int64_t i = first + threadIdx.x;
        double term = i < n ? (weights ? (double)weights[i] * x[i] : (double)x[i]) : 0.0;
        int count = n - first < WARP_SIZE ? (int)(n - first) : (int)WARP_SIZE;
        for (int lane = 0; lane < count; lane++)
            total += __shfl_sync(0xFFFFFFFFu, term, lane);
    }
    __syncwarp();
    if (threadIdx.x == 0)
        *out = total;
}

axl_status axl__cuda_sum(axl_device *dev, const axl_sum_args *a)
{
    return axl__cuda_launch(dev, sum, dim3(1), dim3(WARP_SIZE), 0, a->x, a->weights, a->n, a->out);
}
