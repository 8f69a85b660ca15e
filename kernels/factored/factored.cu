/* SPDX-License-Identifier: Apache-2.0 */
/*
 * factored.cu - see factored.h.  Passes over the matrix by rows and by columns, their sums in
 * double; u is computed again in each pass rather than stored.  Bound by memory: Adafactor reads g
 * four times, and small matrices wait for the launches.  Clipping goes into the rows' factors.
 */
#include "kernels/cuda/columns_cuda.h"
#include "kernels/cuda/elementwise_cuda.h"

#include "factored.h"

#include <math.h>

enum {
    ROW_THREADS = 256,
    ONE_WARP_COLS = 512, /* up to which a row is a warp's */
    WHOLE_THREADS = 1024,
    LEAST_FOLDED_ROWS = 64,
};

/* What all passes know.  The scratch memory is cut here. */
struct factored_step {
    axl_factored_args a;
    double *row_sums;                                /* (rows); also parts of the columns' sums */
    float *row_factor, *col_factor, *res_col_factor; /* 1 / root: (rows), (cols) */
    float grad_scale, beta1, rest1, keep, lr;

    template <int N> __device__ __forceinline__ chunk<N> grads(int64_t row, int64_t col) const
    {
        chunk<N> c = load_chunk<N>(a.g + row * a.cols + col);

        for (int i = 0; i < N; i++)
            c.v[i] *= grad_scale;
        return c;
    }
    template <int N> __device__ __forceinline__ chunk<N> updates(int64_t row, int64_t col) const
    {
        chunk<N> c = grads<N>(row, col), by_col = load_chunk<N>(col_factor + col);
        float by_row = row_factor[row];

        for (int i = 0; i < N; i++)
            c.v[i] *= by_row * by_col.v[i];
        return c;
    }
};

static __device__ __forceinline__ float moved_mean(float before, double beta, double mean)
{
    return (float)(beta * before + (1.0 - beta) * mean);
}

/* ---- rows: a warp or a block has one ---- */

template <int N, class Op> __global__ void __launch_bounds__(ROW_THREADS) factored_rows(const Op op)
{
    int64_t row = (int64_t)blockIdx.x * blockDim.y + threadIdx.y, cols = op.s.a.cols;
    bool there = row < op.s.a.rows;
    double sum = 0.0;

    for (int64_t c = threadIdx.x * N; there && c < cols; c += (int64_t)blockDim.x * N)
        sum += op.template terms<N>(row, c);
    sum = blockDim.x == WARP_SIZE ? warp_sum(sum) : block_sum(sum, shared_memory<double>());
    if (there && threadIdx.x == 0)
        op.finish(row, sum);
}

struct factored_row_squares {
    factored_step s;

    template <int N> __device__ double terms(int64_t row, int64_t col) const
    {
        return chunk_squares(s.grads<N>(row, col));
    }
    __device__ void finish(int64_t row, double sum) const
    {
        s.a.row[row] = moved_mean(s.a.row[row], s.a.beta2, sum / (double)s.a.cols + s.a.eps);
    }
};

struct factored_row_updates {
    factored_step s;

    template <int N> __device__ double terms(int64_t row, int64_t col) const
    {
        return chunk_squares(s.updates<N>(row, col));
    }
    __device__ void finish(int64_t row, double sum) const
    {
        s.row_sums[row] = sum;
    }
};

/* Moves CAME's m on its way. */
struct factored_row_residues {
    factored_step s;

    template <int N> __device__ double terms(int64_t row, int64_t col) const
    {
        float *at = s.a.m + row * s.a.cols + col;
        chunk<N> u = s.updates<N>(row, col), m = load_chunk<N>(at);
        double sum = 0.0;

        for (int i = 0; i < N; i++) {
            m.v[i] = s.beta1 * m.v[i] + s.rest1 * u.v[i];
            double d = u.v[i] - m.v[i];
            sum += d * d;
        }
        store_chunk(at, m);
        return sum;
    }
    __device__ void finish(int64_t row, double sum) const
    {
        if (s.a.res_row)
            s.a.res_row[row] =
                moved_mean(s.a.res_row[row], s.a.beta3, sum / (double)s.a.cols + s.a.eps2);
    }
};

/* Whether a row may be read in chunks from its beginning to its end. */
static bool rows_in_chunks(const factored_step &s)
{
    return s.a.cols % CHUNK == 0 && whole_chunks(s.a.g, sizeof(float)) &&
           whole_chunks(s.a.p, sizeof(float)) && whole_chunks(s.a.m, sizeof(float)) &&
           whole_chunks(s.col_factor, sizeof(float)) &&
           whole_chunks(s.res_col_factor, sizeof(float));
}

template <class Op> static axl_status by_rows(axl_device *dev, const Op &op)
{
    unsigned rows = op.s.a.cols <= ONE_WARP_COLS ? ROW_THREADS / WARP_SIZE : 1;
    dim3 block(ROW_THREADS / rows, rows);

    return axl__cuda_launch(dev,
                            rows_in_chunks(op.s) ? factored_rows<CHUNK, Op> : factored_rows<1, Op>,
                            dim3((unsigned)axl_div_up(op.s.a.rows, rows)), block,
                            ROW_THREADS / WARP_SIZE * sizeof(double), op);
}

/* ---- columns ---- */

struct factored_col_squares {
    factored_step s;

    __device__ double term(int64_t row, int64_t col) const
    {
        double x = s.grads<1>(row, col).v[0];

        return x * x;
    }
    __device__ void finish(int64_t col, double sum) const
    {
        float x = moved_mean(s.a.col[col], s.a.beta2, sum / (double)s.a.rows + s.a.eps);

        s.a.col[col] = x;
        s.col_factor[col] = 1.0f / sqrtf(x);
    }
};

struct factored_col_residues {
    factored_step s;

    __device__ double term(int64_t row, int64_t col) const
    {
        double d = s.updates<1>(row, col).v[0] - s.a.m[row * s.a.cols + col];

        return d * d;
    }
    __device__ void finish(int64_t col, double sum) const
    {
        float x = moved_mean(s.a.res_col[col], s.a.beta3, sum / (double)s.a.rows + s.a.eps2);

        s.a.res_col[col] = x;
        s.res_col_factor[col] = 1.0f / sqrtf(x);
    }
};

/* A tall matrix as a wide one: `fold` rows beside one another are a row, whose columns are parts of
 * the sums. */
template <class Op> struct factored_folded {
    Op op;
    int64_t fold;

    __device__ double term(int64_t row, int64_t col) const
    {
        int64_t r = row * fold + col / op.s.a.cols;

        return r < op.s.a.rows ? op.term(r, col % op.s.a.cols) : 0.0;
    }
    __device__ void finish(int64_t col, double sum) const
    {
        op.s.row_sums[col] = sum;
    }
};
template <class Op> struct factored_parts {
    Op op;

    __device__ double term(int64_t part, int64_t col) const
    {
        return op.s.row_sums[part * op.s.a.cols + col];
    }
    __device__ void finish(int64_t col, double sum) const
    {
        op.finish(col, sum);
    }
};

template <class Op> static axl_status by_columns(axl_device *dev, const Op &op)
{
    int64_t rows = op.s.a.rows, cols = op.s.a.cols; /* row_sums has room for fold * cols parts */
    int64_t fold = axl_min(rows / cols, rows / LEAST_FOLDED_ROWS);

    if (fold <= 1)
        return axl__cuda_sum_columns(dev, op, rows, cols);
    AXL_TRY(axl__cuda_sum_columns(dev, factored_folded<Op>{ op, fold }, axl_div_up(rows, fold),
                                  fold * cols));
    return axl__cuda_sum_columns(dev, factored_parts<Op>{ op }, fold, cols);
}

/* ---- the whole: one block ---- */

/* factor = 1 / sqrt(row / its mean). */
__global__ void __launch_bounds__(WHOLE_THREADS)
    factored_row_factors(const float *row, float *factor, int64_t rows)
{
    double sum = 0.0;

    for (int64_t r = threadIdx.x; r < rows; r += WHOLE_THREADS)
        sum += row[r];
    double mean = block_sum(sum, shared_memory<double>()) / (double)rows;
    for (int64_t r = threadIdx.x; r < rows; r += WHOLE_THREADS)
        factor[r] = 1.0f / sqrtf((float)(row[r] / mean));
}

__global__ void __launch_bounds__(WHOLE_THREADS) factored_clip(const factored_step s)
{
    double sum = 0.0;

    for (int64_t r = threadIdx.x; r < s.a.rows; r += WHOLE_THREADS)
        sum += s.row_sums[r];
    double mean = block_sum(sum, shared_memory<double>()) / (double)(s.a.rows * s.a.cols);
    double over = sqrt(mean) / s.a.clip_threshold;
    for (int64_t r = threadIdx.x; over > 1.0 && r < s.a.rows; r += WHOLE_THREADS)
        s.row_factor[r] *= (float)(1.0 / over);
}

template <class... Formal, class... Given>
static axl_status by_one_block(axl_device *dev, void (*kernel)(Formal...), Given... given)
{
    return axl__cuda_launch(dev, kernel, dim3(1), dim3(WHOLE_THREADS),
                            WHOLE_THREADS / WARP_SIZE * sizeof(double), given...);
}

/* ---- elements ---- */

/* A vector's own mean squares take the place of the columns'. */
struct factored_vector {
    factored_step s;

    template <int N> __device__ void run(int64_t, int64_t col) const
    {
        chunk<N> g = s.grads<N>(0, col), v = load_chunk<N>(s.a.v + col), factor;

        for (int i = 0; i < N; i++) {
            double x = g.v[i];
            v.v[i] = moved_mean(v.v[i], s.a.beta2, x * x + s.a.eps);
            factor.v[i] = 1.0f / sqrtf(v.v[i]);
        }
        store_chunk(s.a.v + col, v);
        store_chunk(s.col_factor + col, factor);
        if (col == 0)
            s.row_factor[0] = 1.0f;
    }
};

/* By u, or where means is set by m over the residues' factors, which a vector has none of. */
template <bool means> struct factored_move {
    factored_step s;

    template <int N> __device__ __forceinline__ chunk<N> direction(int64_t row, int64_t col) const
    {
        if (!means)
            return s.updates<N>(row, col);
        chunk<N> d = load_chunk<N>(s.a.m + row * s.a.cols + col);
        if (!s.a.row)
            return d;
        chunk<N> by_col = load_chunk<N>(s.res_col_factor + col);
        for (int i = 0; i < N; i++)
            d.v[i] *= s.row_factor[row] * by_col.v[i];
        return d;
    }
    template <int N> __device__ void run(int64_t row, int64_t col) const
    {
        float *at = s.a.p + row * s.a.cols + col;
        chunk<N> p = load_chunk<N>(at), d = direction<N>(row, col);

        for (int i = 0; i < N; i++)
            p.v[i] = p.v[i] * s.keep - s.lr * d.v[i];
        store_chunk(at, p);
    }
};

static factored_step factored_of(const axl_factored_args *a)
{
    factored_step s = { *a, a->scratch };

    s.col_factor = (float *)(void *)(a->scratch + a->rows);
    s.res_col_factor = s.col_factor + a->cols;
    s.row_factor = s.res_col_factor + a->cols;
    s.grad_scale = (float)a->grad_scale;
    s.beta1 = (float)a->beta1;
    s.rest1 = (float)(1.0 - a->beta1);
    s.keep = (float)(1.0 - a->lr * a->weight_decay);
    s.lr = (float)a->lr;
    return s;
}

static axl_status move_by_means(axl_device *dev, const factored_step &s)
{
    AXL_TRY(by_rows(dev, factored_row_residues{ s }));
    if (s.a.row) {
        AXL_TRY(by_columns(dev, factored_col_residues{ s }));
        AXL_TRY(by_one_block(dev, factored_row_factors, s.a.res_row, s.row_factor, s.a.rows));
    }
    return axl__cuda_elementwise(dev, factored_move<true>{ s }, s.a.rows, s.a.cols,
                                 rows_in_chunks(s));
}

axl_status axl__cuda_factored(axl_device *dev, const axl_factored_args *a)
{
    factored_step s = factored_of(a);

    if (a->rows == 0 || a->cols == 0)
        return AXL_OK;
    if (a->row) {
        AXL_TRY(by_rows(dev, factored_row_squares{ s }));
        AXL_TRY(by_columns(dev, factored_col_squares{ s }));
        AXL_TRY(by_one_block(dev, factored_row_factors, a->row, s.row_factor, a->rows));
    } else {
        AXL_TRY(axl__cuda_elementwise(dev, factored_vector{ s }, 1, a->cols,
                                      rows_in_chunks(s) && whole_chunks(a->v, sizeof(float))));
    }
    AXL_TRY(by_rows(dev, factored_row_updates{ s }));
    AXL_TRY(by_one_block(dev, factored_clip, s));
    if (a->m)
        return move_by_means(dev, s);
    return axl__cuda_elementwise(dev, factored_move<false>{ s }, a->rows, a->cols,
                                 rows_in_chunks(s));
}
