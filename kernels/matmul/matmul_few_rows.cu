/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matmul_few_rows.cu - x w^T for a few rows of x and a weight of codes, as a model generates: bound
 * by the codes' bytes, which are read once and become elements in registers.  A warp has some rows
 * of the weight; the block's rows of x come into shared memory by pieces, laid out so that the
 * lanes' octets lie in banks of their own.
 */
#include "kernels/cuda/dequantise_cuda.h"
#include "kernels/matmul/matmul_cuda.h"

enum { FEW_THREADS = 256, FEW_PER_WARP = 4, FEW_PIECE = 1024 };
enum { FEW_OUTPUTS = FEW_THREADS / WARP_SIZE * FEW_PER_WARP };

struct few_rows_args {
    octet_weight w;
    any_matrix x, y, onto; /* onto.data NULL: none */
    int64_t m, n, k;
    float alpha;
    bool narrow; /* operands are rounded to bf16 */
};

__device__ __forceinline__ float few_operand(float v, bool narrow)
{
    return narrow ? to_f32(from_f32<bf16>(v)) : v;
}

/* The place in a row's piece of element c: the first halves of all octets, then the second ones. */
__device__ __forceinline__ int few_place(int c)
{
    return c % OCTET / CHUNK * (FEW_PIECE / 2) + c / OCTET * CHUNK + c % CHUNK;
}

/* Columns [from, from + FEW_PIECE) of x; zeros behind its end. */
template <int M> __device__ void few_load(float *piece, const few_rows_args &a, int64_t from)
{
    for (int at = (int)threadIdx.x; at < M * FEW_PIECE; at += FEW_THREADS) {
        int row = at / FEW_PIECE, c = at % FEW_PIECE;
        float v = 0.0f;
        if (row < a.m && from + c < a.k)
            v = few_operand(a.x.load<1>(row, from + c).v[0], a.narrow);
        piece[row * FEW_PIECE + few_place(c)] = v;
    }
}

template <int M, bool of_8_bits>
__device__ __forceinline__ void few_add(float sum[M], const few_rows_args &a, const float *piece,
                                        const float *table, int64_t row, int64_t from)
{
    for (int c = (int)threadIdx.x % WARP_SIZE * OCTET; c < FEW_PIECE && from + c < a.k;
         c += WARP_SIZE * OCTET) {
        octet o = of_8_bits ? a.w.of_8_bits(row, from + c) : a.w.of_4_bits(row, from + c, table);
        a.w.round<float>(o);
        for (int e = 0; e < OCTET; e++)
            o.v[e] = few_operand(o.v[e], a.narrow);
        UNROLL
        for (int i = 0; i < M; i++) {
            const float *x = piece + i * FEW_PIECE + few_place(c);
            chunk<CHUNK> lo = load_chunk<CHUNK>(x), hi = load_chunk<CHUNK>(x + FEW_PIECE / 2);
            for (int e = 0; e < CHUNK; e++)
                sum[i] = fmaf(hi.v[e], o.v[CHUNK + e], fmaf(lo.v[e], o.v[e], sum[i]));
        }
    }
}

template <int M, bool of_8_bits>
__global__ void __launch_bounds__(FEW_THREADS, 1) matmul_few_rows(const few_rows_args a)
{
    float *table = shared_memory<float>(), *piece = table + WARP_SIZE;
    int64_t first = (int64_t)blockIdx.x * FEW_OUTPUTS + threadIdx.x / WARP_SIZE * FEW_PER_WARP;
    float sum[FEW_PER_WARP][M] = {};

    if (threadIdx.x < 16)
        table[threadIdx.x] = a.w.w.table[threadIdx.x];
    for (int64_t from = 0; from < a.k; from += FEW_PIECE) {
        few_load<M>(piece, a, from);
        __syncthreads();
        UNROLL
        for (int r = 0; r < FEW_PER_WARP; r++)
            if (first + r < a.n)
                few_add<M, of_8_bits>(sum[r], a, piece, table, first + r, from);
        __syncthreads();
    }
    UNROLL
    for (int r = 0; r < FEW_PER_WARP; r++) {
        UNROLL
        for (int i = 0; i < M; i++) {
            chunk<1> out = { { a.alpha * warp_sum(sum[r][i]) } };
            if (threadIdx.x % WARP_SIZE > 0 || first + r >= a.n || i >= a.m)
                continue;
            if (a.onto.data)
                out.v[0] += a.onto.load<1>(i, first + r).v[0];
            a.y.store(i, first + r, out);
        }
    }
}

template <int M> static axl_status run_few_rows(axl_device *dev, const few_rows_args &a)
{
    return axl__cuda_launch(
        dev, a.w.w.kind == AXL_WEIGHT_INT8 ? matmul_few_rows<M, true> : matmul_few_rows<M, false>,
        dim3((unsigned)axl_div_up(a.n, FEW_OUTPUTS)), dim3(FEW_THREADS),
        (WARP_SIZE + M * FEW_PIECE) * sizeof(float), a);
}

bool axl__cuda_takes_few_rows(const axl_mat &x, const axl_weight &w)
{
    return w.kind != AXL_WEIGHT_DENSE && x.rows <= AXL__CUDA_FEW_ROWS && octets_of(w, 0).whole();
}

axl_status axl__cuda_few_rows(axl_device *dev, const axl_mat &x, const axl_weight &w,
                              const axl_mat &y, const axl_mat &onto, float alpha, bool narrow)
{
    few_rows_args a = { octets_of(w, 0), any_of(x), any_of(y), any_of(onto), x.rows,
                        w.mat.rows,      x.cols,    alpha,     narrow };

    if (x.rows <= 1)
        return run_few_rows<1>(dev, a);
    return x.rows <= 4 ? run_few_rows<4>(dev, a) : run_few_rows<AXL__CUDA_FEW_ROWS>(dev, a);
}
