/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optimizer_cuda.h - steps of the optimizers, which move n elements each by its own gradient and
 * state: an Op of elementwise_cuda.h with one row.  The scalars are folded in double on the host
 * and rounded once, where and as PyTorch does it, and the fmas are those of the CPU's kernels.
 */
#ifndef AXL_KERNELS_CUDA_OPTIMIZER_H
#define AXL_KERNELS_CUDA_OPTIMIZER_H

#include "elementwise_cuda.h"

#include <math.h>

template <int N> __device__ __forceinline__ chunk<N> scaled_chunk(const float *p, float factor)
{
    chunk<N> c = load_chunk<N>(p);

    for (int i = 0; i < N; i++)
        c.v[i] *= factor;
    return c;
}

/* arrays: every one that op reads or writes, NULL for what is not there. */
template <class Op, class... Array>
axl_status axl__cuda_step(axl_device *dev, const Op &op, int64_t n, Array... arrays)
{
    return axl__cuda_elementwise(dev, op, 1, n, (whole_chunks(arrays, sizeof(float)) && ...));
}

#endif
