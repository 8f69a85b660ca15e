/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention_backward_mma.cu - see attention.h; bf16 on the tensor cores (Dao, "FlashAttention-2",
 * 2023), without its atomic sums: dq has a kernel of its own, by query, which makes the scores once
 * more, so that every sum runs in one order.
 *
 * A block has 64 rows of one side, a warp sixteen of them, whose gradients stay in registers; the
 * other side passes by in tiles, of which the next arrives meanwhile where memory has room for
 * two.  dk and dv of heads beyond 128 are too much for the registers together, and have a kernel
 * each.
 */
#include "attention_mma.h"

template <int D> struct backward_shape {
    static constexpr int STEP = D <= 64 ? 64 : 32, STAGES = D <= 128 ? 2 : 1;
    static constexpr size_t ROW = D * sizeof(uint16_t);
    static constexpr size_t SHARED = 2 * MMA_ROWS * ROW + STAGES * 2 * STEP * (ROW + sizeof(float));
};

/* Shared memory: the block's rows of two matrices, then for each stage a tile of the other side's
 * two, then lse and delta of a stage's queries. */
template <int D> struct backward_room {
    static constexpr int STEP = backward_shape<D>::STEP, STAGES = backward_shape<D>::STAGES;
    typedef bf16_tile<D, MMA_ROWS> own_tile;
    typedef bf16_tile<D, STEP> step_tile;

    __device__ __forceinline__ own_tile own(int which) const
    {
        return { shared_memory<uint16_t>() + which * own_tile::SIZE };
    }
    __device__ __forceinline__ step_tile step(int stage, int which) const
    {
        return { shared_memory<uint16_t>() + 2 * own_tile::SIZE +
                 (stage * 2 + which) * step_tile::SIZE };
    }
    __device__ __forceinline__ float *numbers(int stage, int which) const
    {
        return (float *)(void *)step(STAGES, 0).data + (stage * 2 + which) * STEP;
    }
};

/* The n-th squares' element e of a lane, where the block's rows are keys, or queries. */
struct key_rows_at {
    int query, key; /* the lane's first of both */
    const float *lses, *deltas;

    __device__ __forceinline__ int query_of(int n, int e) const
    {
        return query + n * 8 + e % 2;
    }
    __device__ __forceinline__ int key_of(int, int e) const
    {
        return key + e / 2 * 8;
    }
    __device__ __forceinline__ float lse(int n, int e) const
    {
        return lses[n * 8 + lane_of_warp() % 4 * 2 + e % 2];
    }
    __device__ __forceinline__ float delta(int n, int e) const
    {
        return deltas[n * 8 + lane_of_warp() % 4 * 2 + e % 2];
    }
};
struct query_rows_at {
    int query, key;
    float lses[2], deltas[2];

    __device__ __forceinline__ int query_of(int, int e) const
    {
        return query + e / 2 * 8;
    }
    __device__ __forceinline__ int key_of(int n, int e) const
    {
        return key + n * 8 + e % 2;
    }
    __device__ __forceinline__ float lse(int, int e) const
    {
        return lses[e / 2];
    }
    __device__ __forceinline__ float delta(int, int e) const
    {
        return deltas[e / 2];
    }
};

/* Products of q and k to probabilities, and of dout and v (where GRADIENT) to dS, still to be
 * multiplied by the scale.  Queries beyond the last, whose numbers are all 0, add nothing: what is
 * made here of them meets rows of zeros. */
template <int N, bool GRADIENT, class At>
__device__ __forceinline__ void probabilities(float x[N][4], float dp[N][4],
                                              const score_scale &scale, const At &at)
{
    scale.cap<N>(x);
    UNROLL
    for (int n = 0; n < N; n++) {
        UNROLL
        for (int e = 0; e < 4; e++) {
            float p = ptx_exp2(fmaf(x[n][e], scale.factor, -LOG2_E * at.lse(n, e)));
            if (GRADIENT)
                dp[n][e] = p * (dp[n][e] - at.delta(n, e));
            if (GRADIENT && scale.capped)
                dp[n][e] *= scale.slope(x[n][e]);
            x[n][e] = p;
        }
    }
}

/* Both to 0 where the query does not see the key. */
template <int N, bool GRADIENT, class At>
__device__ __forceinline__ void mask_probabilities(float x[N][4], float dp[N][4],
                                                   const attention_sequence &s, int window,
                                                   const At &at)
{
    UNROLL
    for (int n = 0; n < N; n++) {
        UNROLL
        for (int e = 0; e < 4; e++) {
            bool seen = s.sees(at.query_of(n, e), at.key_of(n, e), window);
            x[n][e] = seen ? x[n][e] : 0.0f;
            if (GRADIENT)
                dp[n][e] = seen ? dp[n][e] : 0.0f;
        }
    }
}

/* Whether all queries of [i, i + n_i) see all keys of [j, j + n_j). */
__device__ __forceinline__ bool all_seen(const attention_sequence &s, int window, int i, int n_i,
                                         int j, int n_j)
{
    return s.last_key(i) >= j + n_j - 1 && s.last_key(i + n_i - 1) - window < j;
}

/* ---- dk and dv ---- */

/* The queries that see the block's keys, of each of `group` heads, and the tiles that they are cut
 * into, all together. */
struct query_range {
    int begin, end, tiles;
};

template <int STEP>
__device__ __forceinline__ query_range queries_of_keys(const attention_sequence &s,
                                                       const attention_batch &b, int first, int n)
{
    int begin = s.first_query(first) / STEP * STEP;
    int end = s.end_of_queries(first + n - 1, b.window);

    return { begin, end, end > begin ? (end - begin + STEP - 1) / STEP * b.group : 0 };
}

/* A tile of them. */
struct query_tile {
    int head, first;
};

template <int STEP>
__device__ __forceinline__ query_tile tile_after(query_tile t, const query_range &r)
{
    bool more = t.first + STEP < r.end;

    return { more ? t.head : t.head + 1, more ? t.first + STEP : r.begin };
}

template <int D, bool DK>
__device__ __forceinline__ void load_queries(const attention_batch &b,
                                             const attention_gradient<bf16> &g,
                                             const attention_sequence &s, query_tile tile, int end,
                                             int stage)
{
    constexpr int STEP = backward_shape<D>::STEP;
    backward_room<D> room;
    int64_t head = tile.head, row = s.q + tile.first;
    int n = end - tile.first;

    room.step(stage, 0).copy(g.q, row, head * b.head_dim, n, b.head_dim);
    room.step(stage, 1).copy(g.dout, row, head * b.head_dim, n, b.head_dim);
    if (threadIdx.x < STEP) {
        int t = (int)threadIdx.x;
        int64_t at = head * b.n_queries + row + t;
        ptx_copy4(room.numbers(stage, 0) + t, g.lse + at, t < n);
        if (DK)
            ptx_copy4(room.numbers(stage, 1) + t, g.delta + at, t < n);
    }
}

template <int D, bool DK, bool DV>
__global__ void __launch_bounds__(MMA_THREADS, 2)
    attention_keys_mma(const attention_batch b, const attention_gradient<bf16> g)
{
    constexpr int STEP = backward_shape<D>::STEP, STAGES = backward_shape<D>::STAGES;
    attention_sequence s = sequence_of_block(b);
    int first = key_tile_of_block(b) * MMA_ROWS, n = smaller(s.n_k - first, MMA_ROWS);
    int lane = lane_of_warp();
    int64_t col = (int64_t)blockIdx.y * b.head_dim;
    backward_room<D> room;
    score_scale scale(b);
    float dk[D / 8][4] = {}, dv[D / 8][4] = {}, x[STEP / 8][4], dp[STEP / 8][4];

    if (n <= 0)
        return;
    query_range range = queries_of_keys<STEP>(s, b, first, n);
    query_tile tile = { (int)blockIdx.y * b.group, range.begin }, ahead = tile;
    room.own(0).copy(g.k, s.k + first, col, n, b.head_dim);
    if (DK)
        room.own(1).copy(g.v, s.k + first, col, n, b.head_dim);
    for (int step = 1 - STAGES; step < range.tiles; step++) {
        int stage = step % STAGES, next = step + STAGES - 1;
        if (next < range.tiles)
            load_queries<D, DK>(b, g, s, ahead, range.end, next % STAGES);
        ahead = tile_after<STEP>(ahead, range);
        ptx_copies_commit();
        if (step < 0)
            continue;
        ptx_copies_wait<STAGES - 1>();
        __syncthreads();
        int i = tile.first;
        key_rows_at at = { i + lane % 4 * 2, first + row_of_warp() + lane / 4,
                           room.numbers(stage, 0), room.numbers(stage, 1) };
        multiply_rows<D, STEP>(x, room.own(0), room.step(stage, 0));
        if (DK)
            multiply_rows<D, STEP>(dp, room.own(1), room.step(stage, 1));
        probabilities<STEP / 8, DK>(x, dp, scale, at);
        if (!all_seen(s, b.window, i, STEP, first, MMA_ROWS))
            mask_probabilities<STEP / 8, DK>(x, dp, s, b.window, at);
        if (DV)
            add_weighted<D, STEP>(dv, x, room.step(stage, 1));
        if (DK)
            add_weighted<D, STEP>(dk, dp, room.step(stage, 0));
        tile = tile_after<STEP>(tile, range);
        __syncthreads();
    }
    ptx_copies_wait<0>(); /* of keys that no query sees */
    __syncthreads();
    if (DK)
        write_rows<D>(dk, b.scale, b.scale, room.own(0), g.dk, s.k + first, col, n, b.head_dim);
    if (DV)
        write_rows<D>(dv, 1.0f, 1.0f, room.own(1), g.dv, s.k + first, col, n, b.head_dim);
}

/* ---- dq ---- */

template <int D>
__device__ __forceinline__ void load_keys(const attention_gradient<bf16> &g, int64_t row,
                                          int64_t col, int n, int head_dim, int stage)
{
    backward_room<D> room;

    room.step(stage, 0).copy(g.k, row, col, n, head_dim);
    room.step(stage, 1).copy(g.v, row, col, n, head_dim);
}

/* lse and delta of the lane's rows. */
__device__ __forceinline__ void load_row_numbers(query_rows_at *at,
                                                 const attention_gradient<bf16> &g, int64_t first,
                                                 int n)
{
    UNROLL
    for (int half = 0; half < 2; half++) {
        int i = row_of_warp() + lane_of_warp() / 4 + half * 8;
        at->lses[half] = i < n ? g.lse[first + i] : 0.0f;
        at->deltas[half] = i < n ? g.delta[first + i] : 0.0f;
    }
}

template <int D>
__global__ void __launch_bounds__(MMA_THREADS)
    attention_queries_mma(const attention_batch b, const attention_gradient<bf16> g)
{
    constexpr int STEP = backward_shape<D>::STEP, STAGES = backward_shape<D>::STAGES;
    attention_sequence s = sequence_of_block(b);
    int first = query_tile_of_block(b) * MMA_ROWS, n = smaller(s.n_q - first, MMA_ROWS);
    int lane = lane_of_warp();
    int64_t head = blockIdx.y, col = head * b.head_dim, kv_col = head / b.group * b.head_dim;
    backward_room<D> room;
    score_scale scale(b);
    query_rows_at at = { first + row_of_warp() + lane / 4, 0, {}, {} };
    float dq[D / 8][4] = {}, x[STEP / 8][4], dp[STEP / 8][4];

    if (n <= 0)
        return;
    room.own(0).copy(g.q, s.q + first, col, n, b.head_dim);
    room.own(1).copy(g.dout, s.q + first, col, n, b.head_dim);
    load_row_numbers(&at, g, head * b.n_queries + s.q + first, n);
    int begin = s.first_key(first, b.window) / STEP * STEP, end = s.last_key(first + n - 1) + 1;
    int steps = (end - begin + STEP - 1) / STEP;
    for (int step = 1 - STAGES; step < steps; step++) {
        int stage = step % STAGES, next = step + STAGES - 1;
        if (next < steps) {
            int j = begin + next * STEP;
            load_keys<D>(g, s.k + j, kv_col, end - j, b.head_dim, next % STAGES);
        }
        ptx_copies_commit();
        if (step < 0)
            continue;
        ptx_copies_wait<STAGES - 1>();
        __syncthreads();
        int j = begin + step * STEP;
        at.key = j + lane % 4 * 2;
        multiply_rows<D, STEP>(x, room.own(0), room.step(stage, 0));
        multiply_rows<D, STEP>(dp, room.own(1), room.step(stage, 1));
        probabilities<STEP / 8, true>(x, dp, scale, at);
        if (!all_seen(s, b.window, first, MMA_ROWS, j, STEP))
            mask_probabilities<STEP / 8, true>(x, dp, s, b.window, at);
        add_weighted<D, STEP>(dq, dp, room.step(stage, 0));
        __syncthreads();
    }
    write_rows<D>(dq, b.scale, b.scale, room.own(0), g.dq, s.q + first, col, n, b.head_dim);
}

/* ---- launching ---- */

template <int D, bool DK, bool DV>
static axl_status launch_keys(axl_device *dev, const axl_attention_args *f, attention_batch b,
                              attention_gradient<bf16> g)
{
    return axl__cuda_launch(dev, attention_keys_mma<D, DK, DV>,
                            attention_grid(b, f->n_seqs, f->n_kv_heads), dim3(MMA_THREADS),
                            backward_shape<D>::SHARED, b, g);
}

axl_status axl__cuda_attention_backward_mma(axl_device *dev, const axl_attention_backward_args *a)
{
    const axl_attention_args *f = &a->forward;
    attention_gradient<bf16> g = gradient_of<bf16>(a);
    attention_batch b;

    AXL_TRY(axl__cuda_attention_batch(dev, f, MMA_ROWS, &b));
    return with_width(f->head_dim, [&](auto width) {
        constexpr int D = decltype(width)::value;
        AXL_TRY(axl__cuda_launch(dev, attention_queries_mma<D>,
                                 attention_grid(b, f->n_seqs, f->n_heads), dim3(MMA_THREADS),
                                 backward_shape<D>::SHARED, b, g));
        if constexpr (D <= 128) {
            return launch_keys<D, true, true>(dev, f, b, g);
        } else {
            AXL_TRY((launch_keys<D, true, false>(dev, f, b, g)));
            return launch_keys<D, false, true>(dev, f, b, g);
        }
    });
}
