/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention_forward_mma.cu - see attention.h; bf16 on the tensor cores (Dao, "FlashAttention-2",
 * 2023).  A block has 64 queries of a head, a warp sixteen of them; keys pass by in tiles of 64.
 * V's tile arrives while the scores are made and the next K's during the product with V, so that a
 * tile of each is enough.  Tiles that no query of the block sees are not read, and only those that
 * some query sees in part are masked.  Bound by the tensor cores where sequences are long.
 */
#include "attention_mma.h"

/* Keys of a tile, and whether the queries stay in registers. */
template <int D> struct forward_shape {
    static constexpr int KEYS = 64;
    static constexpr bool KEPT = D <= 128;
    static constexpr size_t SHARED = (MMA_ROWS + 2 * KEYS) * D * sizeof(uint16_t);
};

/* The softmax so far of the lane's two rows: the greatest exponent, the lane's part of the sum. */
struct softmax_rows {
    float most[2], total[2];
};

/* The sink is in the sum of one of a row's lanes. */
__device__ __forceinline__ softmax_rows first_rows(const attention_batch &b, int64_t head)
{
    softmax_start start(b, head);
    float most = start.most * LOG2_E, total = lane_of_warp() % 4 == 0 ? start.total : 0.0f;

    return { { most, most }, { total, total } };
}

/* Scores to probabilities; before: what sums so far are to be multiplied by. */
template <int N>
__device__ __forceinline__ void softmax_step(float x[N][4], float factor, softmax_rows *rows,
                                             float before[2])
{
    UNROLL
    for (int half = 0; half < 2; half++) {
        float most = -INFINITY, sum = 0.0f;
        UNROLL
        for (int n = 0; n < N; n++)
            most = fmaxf(most, fmaxf(x[n][2 * half], x[n][2 * half + 1]));
        most = fmaxf(most, __shfl_xor_sync(0xFFFFFFFFu, most, 1));
        most = fmaxf(most, __shfl_xor_sync(0xFFFFFFFFu, most, 2));
        most = fmaxf(rows->most[half], most * factor);
        float base = most == -INFINITY ? 0.0f : most;
        UNROLL
        for (int n = 0; n < N; n++) {
            UNROLL
            for (int e = 2 * half; e < 2 * half + 2; e++) {
                x[n][e] = ptx_exp2(fmaf(x[n][e], factor, -base));
                sum += x[n][e];
            }
        }
        before[half] = ptx_exp2(rows->most[half] - base);
        rows->total[half] = fmaf(rows->total[half], before[half], sum);
        rows->most[half] = most;
    }
}

/* Scores of queries from i on and keys from j on that are not seen become -infinity. */
template <int N>
__device__ __forceinline__ void mask_scores(float x[N][4], const attention_sequence &s, int window,
                                            int i, int j)
{
    int lane = lane_of_warp();

    if (s.last_key(i) >= j + N * 8 - 1 && s.last_key(i + MMA_ROWS - 1) - window < j)
        return;
    UNROLL
    for (int n = 0; n < N; n++) {
        UNROLL
        for (int e = 0; e < 4; e++)
            if (!s.sees(i + row_of_warp() + lane / 4 + e / 2 * 8, j + n * 8 + lane % 4 * 2 + e % 2,
                        window))
                x[n][e] = -INFINITY;
    }
}

/* The block's queries by the keys of a tile: from shared memory, or from registers. */
template <int D, bool KEPT> struct query_rows {
    bf16_tile<D, MMA_ROWS> tile;

    __device__ __forceinline__ void take(void)
    {
    }
    template <int N>
    __device__ __forceinline__ void multiply(float x[N / 8][4], bf16_tile<D, N> keys) const
    {
        multiply_rows<D, N>(x, tile, keys);
    }
};
template <int D> struct query_rows<D, true> {
    bf16_tile<D, MMA_ROWS> tile;
    uint32_t kept[D / SQUARE][4];

    __device__ __forceinline__ void take(void)
    {
        UNROLL
        for (int k = 0; k < D / SQUARE; k++)
            load_square(kept[k], tile, k);
    }
    template <int N>
    __device__ __forceinline__ void multiply(float x[N / 8][4], bf16_tile<D, N> keys) const
    {
        clear<N / 8>(x);
        UNROLL
        for (int k = 0; k < D / SQUARE; k++)
            add_square<D, N>(x, kept[k], keys, k);
    }
};

template <int D>
__global__ void __launch_bounds__(MMA_THREADS)
    attention_forward_mma(const attention_batch b, matrix<bf16> q, matrix<bf16> k, matrix<bf16> v,
                          matrix<bf16> out, float *lse)
{
    constexpr int KEYS = forward_shape<D>::KEYS;
    attention_sequence s = sequence_of_block(b);
    int first = query_tile_of_block(b) * MMA_ROWS, n = smaller(s.n_q - first, MMA_ROWS);
    int64_t head = blockIdx.y, col = head * b.head_dim, kv_col = head / b.group * b.head_dim;
    query_rows<D, forward_shape<D>::KEPT> queries;
    bf16_tile<D, KEYS> keys, values;
    score_scale scale(b);
    float sum[D / 8][4] = {}, x[KEYS / 8][4], before[2];

    if (n <= 0)
        return;
    queries.tile.data = shared_memory<uint16_t>();
    keys.data = queries.tile.data + queries.tile.SIZE;
    values.data = keys.data + keys.SIZE;
    int end = s.last_key(first + n - 1) + 1, begin = s.first_key(first, b.window) / KEYS * KEYS;
    queries.tile.copy(q, s.q + first, col, n, b.head_dim);
    keys.copy(k, s.k + begin, kv_col, end - begin, b.head_dim);
    ptx_copies_commit();
    softmax_rows rows = first_rows(b, head);
    for (int j = begin; j < end; j += KEYS) {
        ptx_copies_wait<0>();
        __syncthreads();
        values.copy(v, s.k + j, kv_col, end - j, b.head_dim);
        ptx_copies_commit();
        if (j == begin)
            queries.take();
        queries.template multiply<KEYS>(x, keys);
        scale.cap<KEYS / 8>(x);
        mask_scores<KEYS / 8>(x, s, b.window, first, j);
        softmax_step<KEYS / 8>(x, scale.factor, &rows, before);
        UNROLL
        for (int d = 0; d < D / 8; d++) {
            UNROLL
            for (int e = 0; e < 4; e++)
                sum[d][e] *= before[e / 2];
        }
        ptx_copies_wait<0>();
        __syncthreads();
        if (j + KEYS < end) {
            keys.copy(k, s.k + j + KEYS, kv_col, end - j - KEYS, b.head_dim);
            ptx_copies_commit();
        }
        add_weighted<D, KEYS>(sum, x, values);
    }
    UNROLL
    for (int half = 0; half < 2; half++) {
        float total = rows.total[half];
        int i = row_of_warp() + lane_of_warp() / 4 + half * 8;
        total += __shfl_xor_sync(0xFFFFFFFFu, total, 1);
        total += __shfl_xor_sync(0xFFFFFFFFu, total, 2);
        if (lse && lane_of_warp() % 4 == 0 && i < n)
            lse[head * b.n_queries + s.q + first + i] = fmaf(rows.most[half], LN_2, logf(total));
        before[half] = 1.0f / total;
    }
    write_rows<D>(sum, before[0], before[1], queries.tile, out, s.q + first, col, n, b.head_dim);
}

axl_status axl__cuda_attention_forward_mma(axl_device *dev, const axl_attention_args *a)
{
    attention_batch b;

    AXL_TRY(axl__cuda_attention_batch(dev, a, MMA_ROWS, &b));
    return with_width(a->head_dim, [&](auto width) {
        constexpr int D = decltype(width)::value;
        return axl__cuda_launch(
            dev, attention_forward_mma<D>, attention_grid(b, a->n_seqs, a->n_heads),
            dim3(MMA_THREADS), forward_shape<D>::SHARED, b, matrix_of<bf16>(a->q),
            matrix_of<bf16>(a->k), matrix_of<bf16>(a->v), matrix_of<bf16>(a->out), a->lse);
    });
}
