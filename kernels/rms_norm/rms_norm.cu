/* SPDX-License-Identifier: Apache-2.0 */
/* rms_norm.cu - see rms_norm.h.  Bound by the bytes of x and y: a block has a row at a time and
 * keeps it in registers between the sum and what is made of it, and the weights for all its rows.
 */
#include "kernels/cuda/columns_cuda.h"

#include "rms_norm.h"

/* Registers suffice for rows of 16,384 elements in chunks, of 8,192 one by one. */
enum { NORM_THREADS_WANTED = 256, NORM_PER_MAX = 16, NORM_BLOCKS = 8 };

template <int N> constexpr int norm_threads_max(void)
{
    return N == 1 ? 512 : 256;
}

/* A thread's chunks of a row, and of the weights: w, or 1 + w. */
template <int N, int PER> struct norm_row {
    chunk<N> v[PER];

    static __device__ __forceinline__ int64_t col(int p)
    {
        return ((int64_t)p * blockDim.x + threadIdx.x) * N;
    }
    __device__ __forceinline__ void load(const any_matrix &m, int64_t row, int64_t cols)
    {
        UNROLL
        for (int p = 0; p < PER; p++)
            if (col(p) < cols)
                v[p] = m.load<N>(row, col(p));
    }
    __device__ __forceinline__ void shift(float by)
    {
        UNROLL
        for (int p = 0; p < PER; p++)
            for (int i = 0; i < N; i++)
                v[p].v[i] += by;
    }
};

template <int N, int PER>
__global__ void __launch_bounds__(norm_threads_max<N>())
    rms_norm_forward(any_matrix x, any_matrix y, any_matrix w, float *rstd, int64_t rows,
                     int64_t cols, float eps, float offset)
{
    norm_row<N, PER> g = {}, r = {};
    double *room = shared_memory<double>();

    g.load(w, 0, cols);
    g.shift(offset);
    for (int64_t row = blockIdx.x; row < rows; row += gridDim.x, room = other_room(room)) {
        float sum = 0.0f;
        r.load(x, row, cols);
        UNROLL
        for (int p = 0; p < PER; p++)
            for (int i = 0; i < N; i++)
                sum = fmaf(r.v[p].v[i], r.v[p].v[i], sum);
        double total = block_sum((double)sum, room);
        float s = (float)(1.0 / sqrt(total / (double)cols + eps));
        UNROLL
        for (int p = 0; p < PER; p++) {
            chunk<N> out;
            for (int i = 0; i < N; i++)
                out.v[i] = r.v[p].v[i] * s * g.v[p].v[i];
            if (r.col(p) < cols)
                y.store(row, r.col(p), out);
        }
        if (threadIdx.x == 0)
            rstd[row] = s;
    }
}

template <int N, int PER>
__global__ void __launch_bounds__(norm_threads_max<N>())
    rms_norm_backward(any_matrix x, any_matrix dy, any_matrix dx, any_matrix w, const float *rstd,
                      int64_t rows, int64_t cols, float offset)
{
    constexpr bool kept = PER < NORM_PER_MAX; /* of the widest rows registers are too few */
    norm_row<N, kept ? PER : 1> g = {};
    norm_row<N, PER> r = {}, d = {};
    double *room = shared_memory<double>();

    if (kept) {
        g.load(w, 0, cols);
        g.shift(offset);
    }
    for (int64_t row = blockIdx.x; row < rows; row += gridDim.x, room = other_room(room)) {
        float sum = 0.0f, s = rstd[row];
        r.load(x, row, cols);
        d.load(dy, row, cols);
        UNROLL
        for (int p = 0; p < PER; p++) {
            norm_row<N, 1> one = { { g.v[kept ? p : 0] } };
            if (!kept && r.col(p) < cols) {
                one.v[0] = w.load<N>(0, r.col(p));
                one.shift(offset);
            }
            for (int i = 0; i < N; i++) {
                d.v[p].v[i] *= one.v[0].v[i];
                sum = fmaf(r.v[p].v[i], d.v[p].v[i], sum);
            }
        }
        double total = block_sum((double)sum, room);
        float factor = (float)((double)s * s * s * total / (double)cols);
        UNROLL
        for (int p = 0; p < PER; p++) {
            if (r.col(p) >= cols)
                continue;
            chunk<N> out = dx.load<N>(row, r.col(p));
            for (int i = 0; i < N; i++)
                out.v[i] += s * d.v[p].v[i] - r.v[p].v[i] * factor;
            dx.store(row, r.col(p), out);
        }
    }
}

/* How rows are cut: threads a row, chunks a thread, rows at a time. */
struct norm_shape {
    unsigned threads, blocks;
    int per;
};

static norm_shape shape_of_rows(const axl_device *dev, const axl_mat &x, bool chunks)
{
    int64_t n = axl_div_up(x.cols, chunks ? CHUNK : 1), per = 1;

    while (per < NORM_PER_MAX && per * NORM_THREADS_WANTED < n)
        per *= 2;
    return { (unsigned)(axl_div_up(axl_div_up(n, per), WARP_SIZE) * WARP_SIZE),
             (unsigned)axl_min(x.rows, dev->properties.multiProcessorCount * NORM_BLOCKS),
             (int)per };
}

/* fn(constant chunk, constant per): the kernel for a shape. */
template <class Fn> static axl_status with_shape(bool chunks, int per, Fn fn)
{
    switch (per) {
    case 1:
        return chunks ? fn(constant<int, CHUNK>(), constant<int, 1>())
                      : fn(constant<int, 1>(), constant<int, 1>());
    case 2:
        return chunks ? fn(constant<int, CHUNK>(), constant<int, 2>())
                      : fn(constant<int, 1>(), constant<int, 2>());
    case 4:
        return chunks ? fn(constant<int, CHUNK>(), constant<int, 4>())
                      : fn(constant<int, 1>(), constant<int, 4>());
    case 8:
        return chunks ? fn(constant<int, CHUNK>(), constant<int, 8>())
                      : fn(constant<int, 1>(), constant<int, 8>());
    default:
        return chunks ? fn(constant<int, CHUNK>(), constant<int, NORM_PER_MAX>())
                      : fn(constant<int, 1>(), constant<int, NORM_PER_MAX>());
    }
}

static axl_status check_row(const axl_mat &x, const norm_shape &s, bool chunks)
{
    int most = chunks ? norm_threads_max<CHUNK>() : norm_threads_max<1>();

    if (s.threads <= (unsigned)most)
        return AXL_OK;
    return axl__cuda_host->fail(AXL_ERR_UNSUPPORTED,
                                "rms_norm: rows of %lld elements: %d are the most on CUDA",
                                (long long)x.cols, most * NORM_PER_MAX * (chunks ? (int)CHUNK : 1));
}

static any_matrix weight_of(const void *w, axl_dtype dtype)
{
    return { (void *)(uintptr_t)w, 0, dtype == AXL_F32 };
}

axl_status axl__cuda_rms_norm_forward(axl_device *dev, const axl_rms_norm_args *a)
{
    bool chunks = whole_chunks(a->x) && whole_chunks(a->y) && a->x.cols % CHUNK == 0 &&
                  whole_chunks(a->w, axl__dtype_size(a->w_dtype));
    norm_shape s = shape_of_rows(dev, a->x, chunks);

    AXL_TRY(check_row(a->x, s, chunks));
    if (a->x.rows == 0)
        return AXL_OK;
    return with_shape(chunks, s.per, [&](auto n, auto per) {
        return axl__cuda_launch(dev, rms_norm_forward<n.value, per.value>, dim3(s.blocks),
                                dim3(s.threads), 2 * s.threads / WARP_SIZE * sizeof(double),
                                any_of(a->x), any_of(a->y), weight_of(a->w, a->w_dtype), a->rstd,
                                a->x.rows, a->x.cols, a->eps, a->unit_offset ? 1.0f : 0.0f);
    });
}

axl_status axl__cuda_rms_norm_backward(axl_device *dev, const axl_rms_norm_backward_args *a)
{
    bool chunks = whole_chunks(a->x) && whole_chunks(a->dy) && whole_chunks(a->dx) &&
                  a->x.cols % CHUNK == 0 && whole_chunks(a->w, axl__dtype_size(a->w_dtype));
    norm_shape s = shape_of_rows(dev, a->x, chunks);

    AXL_TRY(check_row(a->x, s, chunks));
    if (a->x.rows == 0)
        return AXL_OK;
    return with_shape(chunks, s.per, [&](auto n, auto per) {
        return axl__cuda_launch(dev, rms_norm_backward<n.value, per.value>, dim3(s.blocks),
                                dim3(s.threads), 2 * s.threads / WARP_SIZE * sizeof(double),
                                any_of(a->x), any_of(a->dy), any_of(a->dx),
                                weight_of(a->w, a->w_dtype), a->rstd, a->x.rows, a->x.cols,
                                a->unit_offset ? 1.0f : 0.0f);
    });
}

struct norm_weight {
    any_matrix x, dy;
    const float *rstd;
    float *dw;

    __device__ double term(int64_t row, int64_t col) const
    {
        return (double)dy.load<1>(row, col).v[0] * x.load<1>(row, col).v[0] * rstd[row];
    }
    __device__ void finish(int64_t col, double sum) const
    {
        dw[col] = (float)(dw[col] + sum);
    }
};

axl_status axl__cuda_rms_norm_weight_backward(axl_device *dev,
                                              const axl_rms_norm_weight_backward_args *a)
{
    return axl__cuda_sum_columns(dev, norm_weight{ any_of(a->x), any_of(a->dy), a->rstd, a->dw },
                                 a->x.rows, a->x.cols);
}
