/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dequantise.cu - see dequantise.h and ops.h.  Bound by the bytes it writes, if an element costs
 * some ten instructions: a thread makes eight at a time, which share an absmax and one access to
 * the codes, and the table lies in shared memory, where 16 words are never in one bank.  What is
 * not aligned for that goes element by element.
 */
#include "kernels/cuda/dequantise_cuda.h"
#include "kernels/cuda/elementwise_cuda.h"

#include "dequantise.h"

enum { OCTET_THREADS = 256 };

template <class Y> struct dequantise_op {
    quantised_weight w;
    matrix<Y> y;
    int64_t first;

    template <int N> __device__ void run(int64_t row, int64_t col) const
    {
        chunk<N> v;

        for (int i = 0; i < N; i++)
            v.v[i] = w.element(first + row, col + i);
        y.store(row, col, v);
    }
};

static __device__ __forceinline__ void store_octet(float *p, const octet &o)
{
    store_chunk(p, chunk<CHUNK>{ { o.v[0], o.v[1], o.v[2], o.v[3] } });
    store_chunk(p + CHUNK, chunk<CHUNK>{ { o.v[4], o.v[5], o.v[6], o.v[7] } });
}
static __device__ __forceinline__ void store_octet(bf16 *p, const octet &o)
{
    ptx_store16(p, uint4{ ptx_bf16_pair(o.v[0], o.v[1]), ptx_bf16_pair(o.v[2], o.v[3]),
                          ptx_bf16_pair(o.v[4], o.v[5]), ptx_bf16_pair(o.v[6], o.v[7]) });
}

template <class Y, bool of_8_bits>
__global__ void __launch_bounds__(OCTET_THREADS)
    dequantise_octets(const octet_weight w, matrix<Y> y, int64_t rows, int64_t cols)
{
    int64_t col = ((int64_t)blockIdx.x * blockDim.x + threadIdx.x) * OCTET;
    float *table = shared_memory<float>();

    if (threadIdx.y == 0 && threadIdx.x < 16)
        table[threadIdx.x] = w.w.table[threadIdx.x];
    __syncthreads();
    if (col >= cols)
        return;
    for (int64_t row = (int64_t)blockIdx.y * blockDim.y + threadIdx.y; row < rows;
         row += (int64_t)gridDim.y * blockDim.y) {
        octet o = of_8_bits ? w.of_8_bits(row, col) : w.of_4_bits(row, col, table);
        w.round<Y>(o);
        store_octet(y.at(row, col), o);
    }
}

static bool in_octets(const axl_dequantise_args *a, const octet_weight &w)
{
    size_t unit = OCTET * axl__dtype_size(a->y.dtype);

    return w.whole() && a->y.stride % OCTET == 0 && (uintptr_t)a->y.data % axl_min(unit, 16) == 0;
}

template <class Y>
static axl_status run_octets(axl_device *dev, const octet_weight &w, const axl_mat &y)
{
    int64_t n = y.cols / OCTET;
    unsigned wide = 16; /* at least, which fill the table */

    while (wide < OCTET_THREADS && wide < n)
        wide *= 2;
    dim3 block(wide, OCTET_THREADS / wide);
    dim3 grid((unsigned)axl_div_up(n, wide), (unsigned)axl_min(axl_div_up(y.rows, block.y), 65535));
    return axl__cuda_launch(
        dev, w.w.kind == AXL_WEIGHT_INT8 ? dequantise_octets<Y, true> : dequantise_octets<Y, false>,
        grid, block, 16 * sizeof(float), w, matrix_of<Y>(y), y.rows, y.cols);
}

axl_status axl__cuda_dequantise(axl_device *dev, const axl_dequantise_args *a)
{
    octet_weight w = octets_of(a->w, a->first);

    if (a->y.rows == 0 || a->y.cols == 0)
        return AXL_OK;
    return axl__cuda_with_type(a->y.dtype, [&](auto t) {
        typedef decltype(t) Y;
        if (in_octets(a, w))
            return run_octets<Y>(dev, w, a->y);
        return axl__cuda_elementwise(dev, dequantise_op<Y>{ w.w, matrix_of<Y>(a->y), a->first },
                                     a->y.rows, a->y.cols, whole_chunks(a->y));
    });
}
