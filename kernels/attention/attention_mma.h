/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention_mma.h - what attention on the tensor cores is put together from: tiles of bf16 in
 * shared memory, their products, the scores' softmax.  Four warps have sixteen rows of a tile each;
 * lane l has of a product's 16 x 8 squares the rows g = l / 4 and g + 8, columns 2 (l % 4)...
 */
#ifndef AXL_KERNELS_ATTENTION_MMA_H
#define AXL_KERNELS_ATTENTION_MMA_H

#include "attention_cuda.h"

enum { MMA_THREADS = 128, MMA_ROWS = 64, SQUARE = 16, UNIT = 8 /* elements that move as one */ };

static const float LOG2_E = 1.4426950408889634f, LN_2 = 0.69314718055994531f;

__device__ __forceinline__ int lane_of_warp(void)
{
    return (int)threadIdx.x % WARP_SIZE;
}
/* The first of the warp's rows. */
__device__ __forceinline__ int row_of_warp(void)
{
    return (int)threadIdx.x / WARP_SIZE * SQUARE;
}

/* ---- tiles ---- */

/* ROWS x D elements.  They lie in columns of 64, whose rows are 128 bytes and so all banks, and one
 * of the rest (32 or 16).  Units are permuted within 128 bytes by the row, so that the same unit
 * of eight rows is in all banks too. */
template <int D, int ROWS> struct bf16_tile {
    static constexpr int SIZE = ROWS * D, FULL = D / 64 * 8, REST = D % 64 / UNIT;
    static_assert(REST == 0 || REST == 2 || REST == 4, "columns of 64, 32 or 16");
    uint16_t *data;

    /* Unit base + more of a row, where base alone says which column. */
    __device__ __forceinline__ uint16_t *at(int row, int base, int more) const
    {
        constexpr int IN_LINE = REST ? 8 / REST : 1;

        if (base < FULL)
            return data + (base / 8 * ROWS + row) * 64 + (((base + more) ^ row) & 7) * UNIT;
        return data + (FULL * ROWS + row * REST +
                       (((base - FULL + more) ^ (row / IN_LINE)) & (REST - 1))) *
                          UNIT;
    }
    /* How far it is from there to the same unit so many rows on, a multiple of 8: no more than a
     * constant in an instruction. */
    __device__ __forceinline__ static constexpr int down(int rows, int base)
    {
        return rows * (base < FULL ? 64 : REST * UNIT);
    }

    /* Begins to copy x from (row, col) on; zeros beyond n_rows and head_dim. */
    __device__ __forceinline__ void copy(matrix<bf16> x, int64_t row, int64_t col, int n_rows,
                                         int head_dim) const
    {
        if (FULL)
            copy_columns<8, 0, FULL>(x.at(row, col), x.stride, n_rows, head_dim);
        if (REST)
            copy_columns<REST ? REST : 1, FULL, FULL + 1>(x.at(row, col), x.stride, n_rows,
                                                          head_dim);
    }
    template <int WIDE, int BEGIN, int END>
    __device__ __forceinline__ void copy_columns(const bf16 *from, int64_t stride, int n_rows,
                                                 int head_dim) const
    {
        constexpr int AT_ONCE = MMA_THREADS / WIDE;
        int r = (int)threadIdx.x / WIDE, c = (int)threadIdx.x % WIDE;

        from += r * stride + c * UNIT;
        UNROLL
        for (int rows = 0; rows < ROWS; rows += AT_ONCE, from += AT_ONCE * stride) {
            UNROLL
            for (int base = BEGIN; base < END; base += 8)
                if (AT_ONCE <= ROWS || r < ROWS)
                    ptx_copy16(at(r, base, c) + down(rows, base), from + base * UNIT,
                               r + rows < n_rows && (base + c) * UNIT < head_dim);
        }
    }

    /* Writes the warp's rows from `first` on to y, of the tile's n_rows. */
    __device__ __forceinline__ void put(matrix<bf16> y, int64_t row, int64_t col, int first,
                                        int n_rows, int head_dim) const
    {
        if (FULL)
            put_columns<8, 0, FULL>(y.at(row, col), y.stride, first, n_rows, head_dim);
        if (REST)
            put_columns<REST ? REST : 1, FULL, FULL + 1>(y.at(row, col), y.stride, first, n_rows,
                                                         head_dim);
    }
    template <int WIDE, int BEGIN, int END>
    __device__ __forceinline__ void put_columns(bf16 *to, int64_t stride, int first, int n_rows,
                                                int head_dim) const
    {
        constexpr int AT_ONCE = WARP_SIZE / WIDE;
        int lane = (int)threadIdx.x % WARP_SIZE, c = lane % WIDE;

        UNROLL
        for (int base = BEGIN; base < END; base += 8)
            for (int r = first + lane / WIDE; r < first + SQUARE; r += AT_ONCE)
                if (r < n_rows && (base + c) * UNIT < head_dim)
                    ptx_store16(to + r * stride + (base + c) * UNIT, ptx_load16(at(r, base, c)));
    }
};

/* ---- products ---- */

template <int N> __device__ __forceinline__ void clear(float x[N][4])
{
    UNROLL
    for (int n = 0; n < N; n++) {
        UNROLL
        for (int e = 0; e < 4; e++)
            x[n][e] = 0.0f;
    }
}

/* sum += a b^T of the k-th square of a's rows. */
template <int D, int N>
__device__ __forceinline__ void add_square(float sum[N / 8][4], const uint32_t a[4],
                                           bf16_tile<D, N> b, int k)
{
    int lane = lane_of_warp();

    UNROLL
    for (int n = 0; n < N / SQUARE; n++) {
        uint32_t of_b[4];
        ptx_load_matrices(of_b, b.at(lane / 16 * 8 + lane % 8, 2 * k, lane / 8 % 2) +
                                    b.down(n * SQUARE, 2 * k));
        ptx_mma_16816(sum[2 * n], a, of_b);
        ptx_mma_16816(sum[2 * n + 1], a, of_b + 2);
    }
}

template <int D, int ROWS>
__device__ __forceinline__ void load_square(uint32_t out[4], bf16_tile<D, ROWS> a, int k)
{
    int lane = lane_of_warp();

    ptx_load_matrices(out, a.at(row_of_warp() + lane % 16, 2 * k, lane / 16));
}

/* product = the warp's rows of a times b^T. */
template <int D, int N>
__device__ __forceinline__ void multiply_rows(float product[N / 8][4], bf16_tile<D, MMA_ROWS> a,
                                              bf16_tile<D, N> b)
{
    clear<N / 8>(product);
    UNROLL
    for (int k = 0; k < D / SQUARE; k++) {
        uint32_t of_a[4];
        load_square(of_a, a, k);
        add_square<D, N>(product, of_a, b, k);
    }
}

/* sum += w b, of weights of the warp's rows for those of b. */
template <int D, int N>
__device__ __forceinline__ void add_weighted(float sum[D / 8][4], const float w[N / 8][4],
                                             bf16_tile<D, N> b)
{
    int lane = lane_of_warp();

    UNROLL
    for (int n = 0; n < N / SQUARE; n++) {
        const float(*pair)[4] = w + 2 * n;
        uint32_t a[4] = { ptx_bf16_pair(pair[0][0], pair[0][1]),
                          ptx_bf16_pair(pair[0][2], pair[0][3]),
                          ptx_bf16_pair(pair[1][0], pair[1][1]),
                          ptx_bf16_pair(pair[1][2], pair[1][3]) };
        UNROLL
        for (int d = 0; d < D / SQUARE; d++) {
            uint32_t of_b[4];
            ptx_load_matrices_transposed(of_b, b.at(lane % 16, 2 * d, lane / 16) +
                                                   b.down(n * SQUARE, 2 * d));
            ptx_mma_16816(sum[2 * d], a, of_b);
            ptx_mma_16816(sum[2 * d + 1], a, of_b + 2);
        }
    }
}

/* The warp's rows of sums, times a factor for each of the lane's two, to y from (row, col) on, of
 * the tile's n_rows; by way of the tile, of which no other warp uses these rows. */
template <int D>
__device__ __forceinline__ void write_rows(const float sum[D / 8][4], float factor, float factor_8,
                                           bf16_tile<D, MMA_ROWS> tile, matrix<bf16> y, int64_t row,
                                           int64_t col, int n_rows, int head_dim)
{
    int lane = lane_of_warp(), first = row_of_warp(), g = first + lane / 4, i = lane % 4;

    __syncwarp();
    UNROLL
    for (int n = 0; n < D / 8; n++) {
        uint16_t *to = tile.at(g, n & ~1, n & 1) + 2 * i;
        *(uint32_t *)(void *)to = ptx_bf16_pair(sum[n][0] * factor, sum[n][1] * factor);
        *(uint32_t *)(void *)(to + tile.down(8, n & ~1)) =
            ptx_bf16_pair(sum[n][2] * factor_8, sum[n][3] * factor_8);
    }
    __syncwarp();
    tile.put(y, row, col, first, n_rows, head_dim);
}

/* ---- scores ---- */

/* From a product to the exponent of two that its probability has: factor x, and before that, with
 * a cap, x = out tanh(in x). */
struct score_scale {
    float factor, in, out, inverse;
    bool capped;

    __device__ __forceinline__ score_scale(const attention_batch &b)
        : factor(b.scale * LOG2_E), in(0.0f), out(0.0f), inverse(0.0f), capped(b.soft_cap > 0.0f)
    {
        if (capped) {
            in = b.scale / b.soft_cap * 2.0f * LOG2_E;
            out = b.soft_cap * LOG2_E;
            inverse = 1.0f / out;
            factor = 1.0f;
        }
    }
    /* tanh y = 1 - 2 / (e^2y + 1), exact to a few units of 1. */
    template <int N> __device__ __forceinline__ void cap(float x[N][4]) const
    {
        if (!capped)
            return;
        UNROLL
        for (int n = 0; n < N; n++) {
            UNROLL
            for (int e = 0; e < 4; e++)
                x[n][e] = out * fmaf(-2.0f, ptx_reciprocal(ptx_exp2(x[n][e] * in) + 1.0f), 1.0f);
        }
    }
    /* The derivative, of what cap() made. */
    __device__ __forceinline__ float slope(float x) const
    {
        float t = x * inverse;

        return fmaf(-t, t, 1.0f);
    }
};

/* fn(constant of D), the least width of tiles that holds a head. */
template <class Fn> axl_status with_width(int64_t head_dim, Fn fn)
{
    if (head_dim <= 32)
        return fn(constant<int, 32>());
    if (head_dim <= 64)
        return fn(constant<int, 64>());
    if (head_dim <= 80)
        return fn(constant<int, 80>());
    if (head_dim <= 96)
        return fn(constant<int, 96>());
    if (head_dim <= 128)
        return fn(constant<int, 128>());
    return fn(constant<int, 256>());
}

#endif
