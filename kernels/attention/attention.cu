/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention.cu - see attention.h.  What bf16 on the tensor cores is not made for is computed here:
 * f32, heads of any size up to AXL__MAX_HEAD_DIM, rows of any alignment.
 *
 * A warp owns a few queries (of dk and dv: keys), whose rows lie in shared memory as floats; those
 * of the other side pass by in tiles of 32.  For the scores a lane has a row of the tile, for sums
 * over the tile it has elements of the head.  Every sum runs in one fixed order.
 */
#include "attention_cuda.h"

enum { PLAIN_WARPS = 4, PLAIN_THREADS = PLAIN_WARPS * WARP_SIZE, PLAIN_TILE = WARP_SIZE };
enum { DELTAS = 8 };

/* How a warp has its rows: OWN of them, and of each PIECES chunks a lane. */
template <int PIECES> struct plain_shape {
    static constexpr int OWN = PIECES == 4 ? 2 : 4, ROWS = PLAIN_WARPS * OWN;
    static constexpr int BLOCKS = PIECES == 1 ? 3 : 2; /* of a multiprocessor: no register spills */
};

/* Rows of floats in shared memory, filled up with zeros to chunks, an odd number of which is from
 * one row to the next: lanes that read a chunk each of different rows meet in no bank. */
struct plain_rows {
    float *data;
    int chunks, pitch;

    __device__ plain_rows(float *data_, int head_dim)
        : data(data_), chunks((head_dim + CHUNK - 1) / CHUNK), pitch((chunks | 1) * CHUNK)
    {
    }
    __device__ __forceinline__ float *row(int r) const
    {
        return data + r * pitch;
    }
};

static size_t plain_row_bytes(int64_t head_dim)
{
    return (size_t)(axl_div_up(head_dim, CHUNK) | 1) * CHUNK * sizeof(float);
}

template <class T> __device__ __forceinline__ chunk<CHUNK> plain_load(const T *p, int n, bool whole)
{
    if (whole)
        return load_chunk<CHUNK>(p);
    chunk<CHUNK> c = {};
    for (int i = 0; i < CHUNK; i++)
        if (i < n)
            c.v[i] = to_f32(p[i]);
    return c;
}

/* n_rows of x from (row, col) on, and zeros up to `rows`. */
template <class T>
__device__ __forceinline__ void plain_stage(plain_rows to, int rows, matrix<T> x, int64_t row,
                                            int64_t col, int n_rows, int head_dim, bool whole)
{
    for (int r = (int)threadIdx.x / WARP_SIZE; r < rows; r += PLAIN_WARPS) {
        for (int c = (int)threadIdx.x % WARP_SIZE; c < to.chunks; c += WARP_SIZE) {
            chunk<CHUNK> v = {};
            if (r < n_rows)
                v = plain_load(x.at(row + r, col + c * CHUNK), head_dim - c * CHUNK, whole);
            store_chunk(to.row(r) + c * CHUNK, v);
        }
    }
}

/* The products of the warp's rows, from `first` on, with the lane's row of the tile: in CHUNK sums
 * each, for their exactness. */
template <int OWN>
__device__ __forceinline__ void plain_dots(float out[OWN], plain_rows own, int first,
                                           plain_rows tile)
{
    const float *mine = tile.row((int)threadIdx.x % WARP_SIZE);
    float sum[OWN][CHUNK] = {};

    for (int c = 0; c < tile.chunks; c++) {
        chunk<CHUNK> x = load_chunk<CHUNK>(mine + c * CHUNK);
        UNROLL
        for (int r = 0; r < OWN; r++) {
            chunk<CHUNK> y = load_chunk<CHUNK>(own.row(first + r) + c * CHUNK);
            UNROLL
            for (int i = 0; i < CHUNK; i++)
                sum[r][i] = fmaf(x.v[i], y.v[i], sum[r][i]);
        }
    }
    UNROLL
    for (int r = 0; r < OWN; r++)
        out[r] = (sum[r][0] + sum[r][1]) + (sum[r][2] + sum[r][3]);
}

/* sum += the tile's rows, times their weights for each of the warp's rows (PLAIN_TILE, CHUNK). */
template <int OWN, int PIECES>
__device__ __forceinline__ void plain_add(float sum[OWN][PIECES][CHUNK], const float *weight,
                                          plain_rows tile)
{
    for (int j = 0; j < PLAIN_TILE; j++) {
        chunk<CHUNK> w = load_chunk<CHUNK>(weight + j * CHUNK);
        UNROLL
        for (int piece = 0; piece < PIECES; piece++) {
            int c = (int)threadIdx.x % WARP_SIZE + piece * WARP_SIZE;
            if (c >= tile.chunks)
                continue;
            chunk<CHUNK> x = load_chunk<CHUNK>(tile.row(j) + c * CHUNK);
            UNROLL
            for (int r = 0; r < OWN; r++) {
                UNROLL
                for (int i = 0; i < CHUNK; i++)
                    sum[r][piece][i] = fmaf(w.v[r], x.v[i], sum[r][piece][i]);
            }
        }
    }
}

/* A row of sums, times factor, to y from (row, col) on. */
template <int PIECES, class T>
__device__ __forceinline__ void plain_write(matrix<T> y, int64_t row, int64_t col,
                                            const float sum[PIECES][CHUNK], float factor,
                                            int head_dim, bool whole)
{
    UNROLL
    for (int piece = 0; piece < PIECES; piece++) {
        int d = ((int)threadIdx.x % WARP_SIZE + piece * WARP_SIZE) * CHUNK;
        chunk<CHUNK> c;
        for (int i = 0; i < CHUNK; i++)
            c.v[i] = sum[piece][i] * factor;
        if (whole && d < head_dim)
            y.store(row, col + d, c);
        for (int i = 0; i < CHUNK; i++)
            if (!whole && d + i < head_dim)
                *y.at(row, col + d + i) = from_f32<T>(c.v[i]);
    }
}

__device__ __forceinline__ float plain_score(const attention_batch &b, float product)
{
    float s = b.scale * product;

    return b.soft_cap > 0.0f ? b.soft_cap * tanhf(s / b.soft_cap) : s;
}

/* What the score's product has of the gradient, from that of the probability. */
__device__ __forceinline__ float plain_gradient(const attention_batch &b, float s, float p,
                                                float dp, float delta)
{
    float ds = p * (dp - delta) * b.scale;

    return b.soft_cap > 0.0f ? ds * (1.0f - s / b.soft_cap * (s / b.soft_cap)) : ds;
}

/* ---- forward ---- */

template <int PIECES, class T>
__global__ void __launch_bounds__(PLAIN_THREADS, plain_shape<PIECES>::BLOCKS)
    attention_forward_plain(const attention_batch b, matrix<T> q, matrix<T> k, matrix<T> v,
                            matrix<T> out, float *lse, bool whole)
{
    typedef plain_shape<PIECES> shape;
    constexpr int OWN = shape::OWN;
    attention_sequence s = sequence_of_block(b);
    int first = query_tile_of_block(b) * shape::ROWS, n = smaller(s.n_q - first, shape::ROWS);
    int warp = (int)threadIdx.x / WARP_SIZE, lane = (int)threadIdx.x % WARP_SIZE;
    int64_t head = blockIdx.y, col = head * b.head_dim, kv_col = head / b.group * b.head_dim;
    plain_rows own(shared_memory<float>(), b.head_dim), tile(own.row(shape::ROWS), b.head_dim);
    float *weight = tile.row(PLAIN_TILE) + warp * PLAIN_TILE * CHUNK;
    float sum[OWN][PIECES][CHUNK] = {}, most[OWN], total[OWN], x[OWN];

    if (n <= 0)
        return;
    softmax_start start(b, head);
    for (int r = 0; r < OWN; r++) {
        most[r] = start.most;
        total[r] = lane == 0 ? start.total : 0.0f; /* once in the sum over lanes */
    }
    plain_stage(own, shape::ROWS, q, s.q + first, col, n, b.head_dim, whole);
    int end = s.last_key(first + n - 1) + 1;
    for (int j = s.first_key(first, b.window); j < end; j += PLAIN_TILE) {
        plain_stage(tile, PLAIN_TILE, k, s.k + j, kv_col, end - j, b.head_dim, whole);
        __syncthreads();
        plain_dots<OWN>(x, own, warp * OWN, tile);
        __syncthreads();
        plain_stage(tile, PLAIN_TILE, v, s.k + j, kv_col, end - j, b.head_dim, whole);
        chunk<CHUNK> p = {};
        UNROLL
        for (int r = 0; r < OWN; r++) {
            float score = s.sees(first + warp * OWN + r, j + lane, b.window) ? plain_score(b, x[r])
                                                                             : -INFINITY;
            float max = fmaxf(most[r], warp_max(score));
            float base = max == -INFINITY ? 0.0f : max;
            float before = expf(most[r] - base);
            p.v[r] = expf(score - base);
            total[r] = total[r] * before + p.v[r];
            most[r] = max;
            UNROLL
            for (int piece = 0; piece < PIECES; piece++)
                for (int i = 0; i < CHUNK; i++)
                    sum[r][piece][i] *= before;
        }
        store_chunk(weight + lane * CHUNK, p);
        __syncthreads();
        plain_add<OWN, PIECES>(sum, weight, tile);
        __syncthreads();
    }
    UNROLL
    for (int r = 0; r < OWN; r++) {
        int i = first + warp * OWN + r;
        float all = warp_sum(total[r]);
        if (i >= s.n_q)
            continue;
        plain_write<PIECES>(out, s.q + i, col, sum[r], 1.0f / all, b.head_dim, whole);
        if (lse && lane == 0)
            lse[head * b.n_queries + s.q + i] = most[r] + logf(all);
    }
}

/* ---- backward ---- */

/* dout . out of a row, from column col on, for every lane. */
template <class T>
__device__ __forceinline__ float row_product(matrix<T> dout, matrix<T> out, int64_t row,
                                             int64_t col, int head_dim, bool whole)
{
    float sum = 0.0f;

    for (int d = (int)threadIdx.x % WARP_SIZE * CHUNK; d < head_dim; d += WARP_SIZE * CHUNK) {
        chunk<CHUNK> x = plain_load(dout.at(row, col + d), head_dim - d, whole);
        chunk<CHUNK> y = plain_load(out.at(row, col + d), head_dim - d, whole);
        for (int i = 0; i < CHUNK; i++)
            sum = fmaf(x.v[i], y.v[i], sum);
    }
    return warp_sum(sum);
}

/* delta[h,i]; a warp has DELTAS queries, so that it writes a whole sector of memory. */
template <class T>
__global__ void __launch_bounds__(PLAIN_THREADS)
    attention_delta(matrix<T> dout, matrix<T> out, float *delta, int64_t n_queries, int head_dim,
                    bool whole)
{
    int64_t warp = (int64_t)blockIdx.x * PLAIN_WARPS + threadIdx.x / WARP_SIZE;
    int64_t first = warp * DELTAS, head = blockIdx.y;
    float mine = 0.0f;

    for (unsigned n = 0; n < DELTAS && first + n < n_queries; n++) {
        float sum = row_product(dout, out, first + n, head * head_dim, head_dim, whole);
        mine = threadIdx.x % WARP_SIZE == n ? sum : mine;
    }
    int64_t i = first + threadIdx.x % WARP_SIZE;
    if (threadIdx.x % WARP_SIZE < DELTAS && i < n_queries)
        delta[head * n_queries + i] = mine;
}

/* A block has a head. */
__global__ void __launch_bounds__(PLAIN_THREADS)
    attention_dsinks(const float *sinks, const float *lse, const float *delta, int64_t n_queries,
                     float *dsinks)
{
    int64_t head = blockIdx.x;
    float sink = sinks[head];
    double sum = 0.0;

    lse += head * n_queries;
    delta += head * n_queries;
    for (int64_t i = threadIdx.x; i < n_queries; i += PLAIN_THREADS)
        sum += (double)(expf(sink - lse[i]) * delta[i]);
    sum = block_sum(sum, shared_memory<double>());
    if (threadIdx.x == 0)
        dsinks[head] = (float)(dsinks[head] - sum);
}

template <int PIECES, class T>
__global__ void __launch_bounds__(PLAIN_THREADS, plain_shape<PIECES>::BLOCKS)
    attention_queries_plain(const attention_batch b, const attention_gradient<T> g, bool whole)
{
    typedef plain_shape<PIECES> shape;
    constexpr int OWN = shape::OWN;
    attention_sequence s = sequence_of_block(b);
    int first = query_tile_of_block(b) * shape::ROWS, n = smaller(s.n_q - first, shape::ROWS);
    int warp = (int)threadIdx.x / WARP_SIZE, lane = (int)threadIdx.x % WARP_SIZE;
    int64_t head = blockIdx.y, col = head * b.head_dim, kv_col = head / b.group * b.head_dim;
    int64_t at = head * b.n_queries + s.q;
    plain_rows q(shared_memory<float>(), b.head_dim), dout(q.row(shape::ROWS), b.head_dim);
    plain_rows tile(dout.row(shape::ROWS), b.head_dim);
    float *weight = tile.row(PLAIN_TILE) + warp * PLAIN_TILE * CHUNK;
    float sum[OWN][PIECES][CHUNK] = {}, x[OWN], dp[OWN];

    if (n <= 0)
        return;
    plain_stage(q, shape::ROWS, g.q, s.q + first, col, n, b.head_dim, whole);
    plain_stage(dout, shape::ROWS, g.dout, s.q + first, col, n, b.head_dim, whole);
    int end = s.last_key(first + n - 1) + 1;
    for (int j = s.first_key(first, b.window); j < end; j += PLAIN_TILE) {
        plain_stage(tile, PLAIN_TILE, g.v, s.k + j, kv_col, end - j, b.head_dim, whole);
        __syncthreads();
        plain_dots<OWN>(dp, dout, warp * OWN, tile);
        __syncthreads();
        plain_stage(tile, PLAIN_TILE, g.k, s.k + j, kv_col, end - j, b.head_dim, whole);
        __syncthreads();
        plain_dots<OWN>(x, q, warp * OWN, tile);
        chunk<CHUNK> ds = {};
        UNROLL
        for (int r = 0; r < OWN; r++) {
            int i = first + warp * OWN + r;
            if (i < s.n_q && s.sees(i, j + lane, b.window)) {
                float score = plain_score(b, x[r]), p = expf(score - g.lse[at + i]);
                ds.v[r] = plain_gradient(b, score, p, dp[r], g.delta[at + i]);
            }
        }
        store_chunk(weight + lane * CHUNK, ds);
        __syncwarp();
        plain_add<OWN, PIECES>(sum, weight, tile);
        __syncthreads();
    }
    UNROLL
    for (int r = 0; r < OWN; r++)
        if (first + warp * OWN + r < s.n_q)
            plain_write<PIECES>(g.dq, s.q + first + warp * OWN + r, col, sum[r], 1.0f, b.head_dim,
                                whole);
}

/* p and ds of the warp's keys, from `first` on, with the lane's query i of a head, from their
 * products with q and with dout; 0 where it does not see them. */
template <int OWN, class T>
__device__ __forceinline__ void plain_probabilities(const attention_batch &b,
                                                    const attention_gradient<T> &g,
                                                    const attention_sequence &s, int64_t head,
                                                    int i, int first, const float with_q[OWN],
                                                    const float with_dout[OWN], chunk<CHUNK> *p,
                                                    chunk<CHUNK> *ds)
{
    int64_t at = head * b.n_queries + s.q + i;

    *p = *ds = {};
    UNROLL
    for (int r = 0; r < OWN; r++) {
        if (i >= s.n_q || !s.sees(i, first + r, b.window))
            continue;
        float score = plain_score(b, with_q[r]);
        p->v[r] = expf(score - g.lse[at]);
        ds->v[r] = plain_gradient(b, score, p->v[r], with_dout[r], g.delta[at]);
    }
}

template <int PIECES, class T>
__global__ void __launch_bounds__(PLAIN_THREADS, plain_shape<PIECES>::BLOCKS)
    attention_keys_plain(const attention_batch b, const attention_gradient<T> g, bool whole)
{
    typedef plain_shape<PIECES> shape;
    constexpr int OWN = shape::OWN;
    attention_sequence s = sequence_of_block(b);
    int first = key_tile_of_block(b) * shape::ROWS, n = smaller(s.n_k - first, shape::ROWS);
    int warp = (int)threadIdx.x / WARP_SIZE, lane = (int)threadIdx.x % WARP_SIZE;
    int64_t kv_col = (int64_t)blockIdx.y * b.head_dim;
    plain_rows k(shared_memory<float>(), b.head_dim), v(k.row(shape::ROWS), b.head_dim);
    plain_rows tile(v.row(shape::ROWS), b.head_dim);
    float *weight = tile.row(PLAIN_TILE) + warp * PLAIN_TILE * CHUNK;
    float dk[OWN][PIECES][CHUNK] = {}, dv[OWN][PIECES][CHUNK] = {}, x[OWN], dp[OWN];
    chunk<CHUNK> p, ds;

    if (n <= 0)
        return;
    plain_stage(k, shape::ROWS, g.k, s.k + first, kv_col, n, b.head_dim, whole);
    plain_stage(v, shape::ROWS, g.v, s.k + first, kv_col, n, b.head_dim, whole);
    int begin = s.first_query(first), end = s.end_of_queries(first + n - 1, b.window);
    int steps = larger(end - begin + PLAIN_TILE - 1, 0) / PLAIN_TILE;
    for (int step = 0; step < steps * b.group; step++) {
        int64_t head = (int64_t)blockIdx.y * b.group + step / steps, col = head * b.head_dim;
        int i = begin + step % steps * PLAIN_TILE;
        plain_stage(tile, PLAIN_TILE, g.dout, s.q + i, col, end - i, b.head_dim, whole);
        __syncthreads();
        plain_dots<OWN>(dp, v, warp * OWN, tile);
        __syncthreads();
        plain_stage(tile, PLAIN_TILE, g.q, s.q + i, col, end - i, b.head_dim, whole);
        __syncthreads();
        plain_dots<OWN>(x, k, warp * OWN, tile);
        plain_probabilities<OWN>(b, g, s, head, i + lane, first + warp * OWN, x, dp, &p, &ds);
        store_chunk(weight + lane * CHUNK, ds);
        __syncwarp();
        plain_add<OWN, PIECES>(dk, weight, tile);
        __syncthreads();
        plain_stage(tile, PLAIN_TILE, g.dout, s.q + i, col, end - i, b.head_dim, whole);
        store_chunk(weight + lane * CHUNK, p);
        __syncthreads();
        plain_add<OWN, PIECES>(dv, weight, tile);
        __syncthreads();
    }
    UNROLL
    for (int r = 0; r < OWN; r++) {
        int j = first + warp * OWN + r;
        if (j >= s.n_k)
            continue;
        plain_write<PIECES>(g.dk, s.k + j, kv_col, dk[r], 1.0f, b.head_dim, whole);
        plain_write<PIECES>(g.dv, s.k + j, kv_col, dv[r], 1.0f, b.head_dim, whole);
    }
}

/* ---- launching ---- */

/* The bounds of sequences in device memory: the caller's, or copied to the device's room. */
static axl_status device_bounds(axl_device *dev, const axl_attention_args *f, attention_batch *b)
{
    size_t size = (size_t)(f->n_seqs + 1) * sizeof(int32_t);

    b->cu_q = f->device_cu_q;
    b->cu_k = f->device_cu_k;
    if (b->cu_q && b->cu_k)
        return AXL_OK;
    AXL_TRY(axl__cuda_room(dev, 2 * size));
    b->cu_q = (const int32_t *)dev->room;
    b->cu_k = b->cu_q + f->n_seqs + 1;
    AXL_TRY(axl__staging_upload(dev, (void *)b->cu_q, f->cu_q, size));
    return axl__staging_upload(dev, (void *)b->cu_k, f->cu_k, size);
}

axl_status axl__cuda_attention_batch(axl_device *dev, const axl_attention_args *f, int rows,
                                     attention_batch *out)
{
    *out = attention_batch();
    out->n_queries = f->q.rows;
    out->group = (int)(f->n_heads / f->n_kv_heads);
    out->head_dim = (int)f->head_dim;
    out->window = f->window > 0 ? (int)axl_min(f->window, NO_WINDOW) : (int)NO_WINDOW;
    out->tiles = (int)axl_div_up(f->longest, rows);
    out->scale = f->scale;
    out->soft_cap = f->soft_cap;
    out->sinks = f->sinks;
    return device_bounds(dev, f, out);
}

/* fn(constant of PIECES) */
template <class Fn> static axl_status with_pieces(int64_t head_dim, Fn fn)
{
    if (head_dim <= WARP_SIZE * CHUNK)
        return fn(constant<int, 1>());
    if (head_dim <= WARP_SIZE * CHUNK * 2)
        return fn(constant<int, 2>());
    return fn(constant<int, 4>());
}

/* Shared memory for that many rows of floats, and the weights of a tile. */
static size_t plain_shared(int64_t rows, int64_t head_dim)
{
    return (size_t)rows * plain_row_bytes(head_dim) +
           (size_t)PLAIN_WARPS * PLAIN_TILE * CHUNK * sizeof(float);
}

static bool whole_rows(const axl_attention_args *f, const axl_mat &x)
{
    return f->head_dim % CHUNK == 0 && whole_chunks(x);
}

static axl_status forward_plain(axl_device *dev, const axl_attention_args *a)
{
    bool whole =
        whole_rows(a, a->q) && whole_rows(a, a->k) && whole_rows(a, a->v) && whole_rows(a, a->out);

    return axl__cuda_with_type(a->q.dtype, [&](auto t) {
        typedef decltype(t) T;
        return with_pieces(a->head_dim, [&](auto pieces) {
            constexpr int PIECES = decltype(pieces)::value, ROWS = plain_shape<PIECES>::ROWS;
            attention_batch b;
            AXL_TRY(axl__cuda_attention_batch(dev, a, ROWS, &b));
            return axl__cuda_launch(dev, attention_forward_plain<PIECES, T>,
                                    attention_grid(b, a->n_seqs, a->n_heads), dim3(PLAIN_THREADS),
                                    plain_shared(ROWS + PLAIN_TILE, a->head_dim), b,
                                    matrix_of<T>(a->q), matrix_of<T>(a->k), matrix_of<T>(a->v),
                                    matrix_of<T>(a->out), a->lse, whole);
        });
    });
}

template <class T>
static axl_status launch_delta(axl_device *dev, const axl_attention_backward_args *a)
{
    const axl_attention_args *f = &a->forward;
    dim3 grid((unsigned)axl_div_up(f->q.rows, PLAIN_WARPS * DELTAS), (unsigned)f->n_heads);

    return axl__cuda_launch(dev, attention_delta<T>, grid, dim3(PLAIN_THREADS), 0,
                            matrix_of<T>(a->dout), matrix_of<T>(f->out), (float *)a->scratch,
                            f->q.rows, (int)f->head_dim,
                            whole_rows(f, a->dout) && whole_rows(f, f->out));
}

static axl_status launch_dsinks(axl_device *dev, const axl_attention_backward_args *a)
{
    const axl_attention_args *f = &a->forward;

    return axl__cuda_launch(dev, attention_dsinks, dim3((unsigned)f->n_heads), dim3(PLAIN_THREADS),
                            PLAIN_WARPS * sizeof(double), f->sinks, (const float *)f->lse,
                            (const float *)a->scratch, f->q.rows, a->dsinks);
}

static axl_status backward_plain(axl_device *dev, const axl_attention_backward_args *a)
{
    const axl_attention_args *f = &a->forward;
    bool whole = whole_rows(f, f->q) && whole_rows(f, f->k) && whole_rows(f, f->v) &&
                 whole_rows(f, a->dout) && whole_rows(f, a->dq) && whole_rows(f, a->dk) &&
                 whole_rows(f, a->dv);

    return axl__cuda_with_type(f->q.dtype, [&](auto t) {
        typedef decltype(t) T;
        return with_pieces(f->head_dim, [&](auto pieces) {
            constexpr int PIECES = decltype(pieces)::value, ROWS = plain_shape<PIECES>::ROWS;
            size_t shared = plain_shared(2 * ROWS + PLAIN_TILE, f->head_dim);
            attention_gradient<T> g = gradient_of<T>(a);
            attention_batch b;
            AXL_TRY(axl__cuda_attention_batch(dev, f, ROWS, &b));
            AXL_TRY(axl__cuda_launch(dev, attention_queries_plain<PIECES, T>,
                                     attention_grid(b, f->n_seqs, f->n_heads), dim3(PLAIN_THREADS),
                                     shared, b, g, whole));
            return axl__cuda_launch(dev, attention_keys_plain<PIECES, T>,
                                    attention_grid(b, f->n_seqs, f->n_kv_heads),
                                    dim3(PLAIN_THREADS), shared, b, g, whole);
        });
    });
}

/* Whether 16 bytes may be read anywhere in rows of heads. */
static bool in_units(const axl_mat &x)
{
    return (uintptr_t)x.data % 16 == 0 && x.stride % 8 == 0;
}

static bool on_tensor_cores(const axl_attention_args *f)
{
    return f->q.dtype == AXL_BF16 && f->head_dim % 8 == 0 && f->head_dim <= 256 && in_units(f->q) &&
           in_units(f->k) && in_units(f->v) && in_units(f->out);
}

axl_status axl__cuda_attention_forward(axl_device *dev, const axl_attention_args *a)
{
    if (a->q.rows == 0)
        return AXL_OK;
    return on_tensor_cores(a) ? axl__cuda_attention_forward_mma(dev, a) : forward_plain(dev, a);
}

axl_status axl__cuda_attention_backward(axl_device *dev, const axl_attention_backward_args *a)
{
    if (a->forward.q.rows == 0)
        return AXL_OK;
    AXL_TRY(axl__cuda_with_type(a->forward.q.dtype,
                                [&](auto t) { return launch_delta<decltype(t)>(dev, a); }));
    if (a->dsinks)
        AXL_TRY(launch_dsinks(dev, a));
    if (on_tensor_cores(&a->forward) && in_units(a->dout) && in_units(a->dq) && in_units(a->dk) &&
        in_units(a->dv))
        return axl__cuda_attention_backward_mma(dev, a);
    return backward_plain(dev, a);
}

size_t axl__cuda_attention_scratch(const axl_attention_backward_args *a)
{
    return (size_t)(a->forward.q.rows * a->forward.n_heads) * sizeof(float);
}
