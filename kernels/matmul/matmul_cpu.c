/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matmul_cpu.c - y = alpha op(x) op(w) + beta y, blocked and packed (Goto, van de Geijn, "Anatomy
 * of high-performance matrix multiplication", 2008) on the pieces of gemm.h.
 *
 * y is cut by shape alone into tiles that threads take from a queue.  A tile packs its part of w
 * block of depth by block of depth (it stays in the second-level cache), runs its rows over it, and
 * adds into f32 sums that go to y at the end.  The sums of an output are one chain in order of
 * depth, so its bits do not depend on tiles or threads.
 *
 * Shaped for a frozen linear layer (T = 100..2048 rows, weights of 576..8192 either way), where
 * packing w costs 3 % of the multiplications of 256 rows, and for LoRA's thin products (8..64 wide
 * or deep).  With at most four rows, as in generation, each weight is read once where it lies:
 * bound by memory.
 */
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/op_cpu.h"

#include "matmul.h"

#include <assert.h>

enum {
    TILE_ROWS = 256,
    MIN_TILE_ROWS = 128,
    MIN_THIN_ROWS = 64, /* where there are one or two panels in all */
    TILE_PANELS = 192 / GEMM_PANEL, /* columns of a tile, in panels */
    MIN_TASKS = 16,
    DEPTH_UNITS = 320, /* of a block: 240 KiB of panels */
    STRIP_ROWS = 64,   /* of x packed at a time */
    THIN_ROWS = 4,     /* the most that the dot products take */
    THIN_COLS = 64     /* of a task there */
};

typedef struct job {
    axl_device *dev;
    const axl_matmul_args *a;
    int64_t m, n, k;
    gemm_unit unit;
    int64_t block_deep;   /* elements of a block of depth, even */
    int64_t n_blocks;
    int64_t rows, cols;   /* of a tile */
    int64_t n_row_tiles;
    int64_t n_threads;    /* for prefetching alone */
    bool in_place;        /* x is read where it lies */
    atomic_bool cancelled;
} job;

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static bool give_up(job *j)
{
    if (!atomic_load_explicit(&j->cancelled, memory_order_relaxed) &&
        axl__cancelled(j->dev->ctx) == AXL_OK)
        return false;
    atomic_store_explicit(&j->cancelled, true, memory_order_relaxed);
    return true;
}

/* y rows [m0, +rows) of columns [n0, +cols) from sums c. */
static void store_sums(const axl_matmul_args *a, int64_t m0, int64_t rows, int64_t n0, int64_t cols,
                       const float *c, int64_t ldc)
{
    axl_dtype t = a->y.dtype;
    vf alpha = vf_set1(a->alpha);
    bool add = a->beta != 0.0f;

    for (int64_t r = 0; r < rows; r++) {
        void *y = axl_at_mut(a->y.data, t, (m0 + r) * a->y.stride + n0);
        const float *c_r = c + r * ldc;
        int64_t i = 0;

        for (; i + VF_N <= cols; i += VF_N) {
            vf v = vf_mul(alpha, vf_load(c_r + i));
            vf_store_t(y, t, i, add ? vf_add(v, vf_load_t(y, t, i)) : v);
        }
        if (i < cols) {
            vf v = vf_mul(alpha, vf_load(c_r + i));
            vf_store_t_n(y, t, i, add ? vf_add(v, vf_load_t_n(y, t, i, cols - i)) : v, cols - i);
        }
    }
}

/* ---- tiles ---- */

/* Rows [m0, +rows) against packed panels of one block of depth. */
static void multiply_strips(const job *j, int64_t m0, int64_t rows, int64_t cols, int64_t depth,
                            int64_t n_deep, const float *panels, float *c, float *strip,
                            bool last, int64_t n0, gemm_ahead *ahead)
{
    const axl_matmul_args *a = j->a;
    int64_t n_units = gemm_units(j->unit, n_deep), ldc = j->cols;
    gemm_source s = { a->x.data, a->x.dtype, a->x.stride, !a->trans_x };
    gemm_right right = gemm_right_whole(panels, cols, n_units);

    for (int64_t r = 0; r < rows; r += STRIP_ROWS) {
        int64_t n_rows = min64(STRIP_ROWS, rows - r);
        gemm_left left = { strip, 0, sizeof *strip };

        if (j->in_place) {
            left.data = axl_at(s.data, s.dtype, (m0 + r) * s.stride + depth);
            left.row = s.stride * (int64_t)axl__dtype_size(s.dtype);
        } else {
            int64_t ld = ceil_div(n_units, VF_N) * VF_N;
            gemm_pack_rows(j->unit, strip, ld, &s, &(gemm_block){ m0 + r, n_rows, depth, n_deep });
            left.row = ld * (int64_t)sizeof *strip;
        }
        gemm_multiply(j->unit, n_rows, n_units, left, &right, c + r * ldc, ldc, depth > 0, ahead);
        if (last)
            store_sums(a, m0 + r, n_rows, n0, cols, c + r * ldc, ldc);
    }
}

/* What of w comes after a block: the next one of the tile, or the first one of the tile that this
 * thread is likely to take next.  A guess: it moves memory, never a result. */
static gemm_ahead next_block(const job *j, const gemm_source *w, uint64_t index, int64_t b)
{
    int64_t tile = (int64_t)index / j->n_row_tiles, depth = (b + 1) * j->block_deep;

    if (b == j->n_blocks - 1) {
        int64_t next = ((int64_t)index + j->n_threads) / j->n_row_tiles;
        if (next == tile)
            return (gemm_ahead){ 0 };
        tile = next;
        depth = 0;
    }
    int64_t n0 = tile * j->cols, cols = min64(j->cols, j->n - n0);
    if (cols <= 0)
        return (gemm_ahead){ 0 };
    return gemm_ahead_of(w, &(gemm_block){ n0, cols, depth, min64(j->block_deep, j->k - depth) });
}

static void run_tile(void *arg, uint64_t index)
{
    job *j = arg;
    const axl_matmul_args *a = j->a;
    int64_t m0 = (int64_t)index % j->n_row_tiles * j->rows;
    int64_t n0 = (int64_t)index / j->n_row_tiles * j->cols;
    int64_t rows = min64(j->rows, j->m - m0), cols = min64(j->cols, j->n - n0);
    gemm_source w = { a->w.data, a->w.dtype, a->w.stride, a->trans_w };

    if (give_up(j))
        return;
    float *panels = axl__scratch_acquire(j->dev);                       /* (units, cols) */
    float *c = panels + DEPTH_UNITS * TILE_PANELS * GEMM_PANEL;         /* (rows, cols) */
    float *strip = c + TILE_ROWS * TILE_PANELS * GEMM_PANEL;            /* (STRIP_ROWS, units) */
    for (int64_t b = 0; b < j->n_blocks; b++) {
        int64_t depth = b * j->block_deep, n_deep = min64(j->block_deep, j->k - depth);

        gemm_ahead ahead = next_block(j, &w, index, b);
        gemm_pack_panels(j->unit, panels, &w, &(gemm_block){ n0, cols, depth, n_deep });
        multiply_strips(j, m0, rows, cols, depth, n_deep, panels, c, strip, b == j->n_blocks - 1,
                        n0, &ahead);
    }
    axl__scratch_release(j->dev, panels);
}

/* Tiles as large as the caches like, smaller while there are few. */
static void choose_tiles(job *j)
{
    int64_t panels = TILE_PANELS, n_panels = ceil_div(j->n, GEMM_PANEL);
    int64_t units = gemm_units(j->unit, j->k);

    j->rows = TILE_ROWS;
    while (panels > 1 && ceil_div(j->m, j->rows) * ceil_div(n_panels, panels) < MIN_TASKS)
        panels = (panels + 1) / 2;
    while (j->rows > (n_panels > 2 ? MIN_TILE_ROWS : MIN_THIN_ROWS) &&
           ceil_div(j->m, j->rows) * ceil_div(n_panels, panels) < MIN_TASKS)
        j->rows /= 2;
    j->cols = panels * GEMM_PANEL;
    j->n_row_tiles = ceil_div(j->m, j->rows);
    j->n_blocks = units > 0 ? ceil_div(units, DEPTH_UNITS) : 1;
    j->block_deep = ceil_div(units, j->n_blocks) * gemm_per_unit(j->unit);
}

static axl_status run_tiled(job *j)
{
    const axl_matmul_args *a = j->a;

    static_assert((DEPTH_UNITS + TILE_ROWS) * TILE_PANELS * GEMM_PANEL * sizeof(float) +
                          STRIP_ROWS * (DEPTH_UNITS + VF_N) * sizeof(float) <= AXL_SCRATCH_SIZE,
                  "a tile fits a scratch slot");
    choose_tiles(j);
    j->n_threads = axl_context_threads(j->dev->ctx);
    j->in_place =
        !a->trans_x && ((j->unit == GEMM_F32 && a->x.dtype == AXL_F32) ||
                        (j->unit == GEMM_PAIR && a->x.dtype == AXL_BF16 && j->k % 2 == 0));
    axl__parallel_for(j->dev->ctx, (uint64_t)(j->n_row_tiles * ceil_div(j->n, j->cols)), run_tile,
                      j);
    return atomic_load(&j->cancelled) ? axl__fail(AXL_ERR_CANCELLED, "cancelled") : AXL_OK;
}

/* ---- few rows ---- */

/* Rows of x are filled up with zeros to whole vectors. */
static int64_t thin_stride(int64_t k)
{
    return ceil_div(k, VF_N) * VF_N;
}

/* Four columns' dot products with each of `rows` rows of x f32. */
AXL_INLINE void dot_columns(int rows, axl_dtype t, bool round, const float *x, const axl_mat *w,
                            int64_t n0, int n_cols, int64_t k, float sums[THIN_ROWS][4])
{
    vf acc[THIN_ROWS][4];
    const void *w_row[4];
    int64_t ldx = thin_stride(k), i = 0;

    AXL_UNROLL
    for (int c = 0; c < 4; c++) {
        w_row[c] = axl_at(w->data, t, (n0 + (c < n_cols ? c : 0)) * w->stride);
        AXL_UNROLL
        for (int r = 0; r < rows; r++)
            acc[r][c] = vf_zero();
    }
    for (; i < k; i += VF_N) {
        AXL_UNROLL
        for (int c = 0; c < 4; c++) {
            vf v = k - i >= VF_N ? vf_load_t(w_row[c], t, i) : vf_load_t_n(w_row[c], t, i, k - i);
            v = round ? vf_to_bf16_value(v) : v;
            AXL_UNROLL
            for (int r = 0; r < rows; r++)
                acc[r][c] = vf_fma(v, vf_load(x + r * ldx + i), acc[r][c]);
        }
    }
    AXL_UNROLL
    for (int r = 0; r < rows; r++)
        AXL_UNROLL
        for (int c = 0; c < 4; c++)
            sums[r][c] = vf_sum(acc[r][c]);
}

#define DOT_COLUMNS(rows)                                                                          \
    static void dot_columns_##rows(axl_dtype t, bool round, const float *x, const axl_mat *w,      \
                                   int64_t n0, int n_cols, int64_t k, float sums[THIN_ROWS][4])    \
    {                                                                                              \
        if (t == AXL_BF16)                                                                         \
            dot_columns(rows, AXL_BF16, false, x, w, n0, n_cols, k, sums);                         \
        else                                                                                       \
            dot_columns(rows, AXL_F32, round, x, w, n0, n_cols, k, sums);                          \
    }
DOT_COLUMNS(1)
DOT_COLUMNS(2)
DOT_COLUMNS(3)
DOT_COLUMNS(4)

static void (*const dot_columns_of[THIN_ROWS])(axl_dtype, bool, const float *, const axl_mat *,
                                               int64_t, int, int64_t, float[THIN_ROWS][4]) = {
    dot_columns_1, dot_columns_2, dot_columns_3, dot_columns_4
};

/* x as f32, rounded where the product asks for it. */
static void widen_rows(const job *j, float *dst)
{
    const axl_mat *x = &j->a->x;
    bool round = j->a->compute == AXL_BF16 && x->dtype == AXL_F32;
    int64_t ldx = thin_stride(j->k);

    for (int64_t r = 0; r < j->m; r++) {
        const void *x_r = axl_at(x->data, x->dtype, r * x->stride);
        int64_t i = 0;

        for (; i < j->k; i += VF_N) {
            vf v = j->k - i >= VF_N ? vf_load_t(x_r, x->dtype, i)
                                    : vf_load_t_n(x_r, x->dtype, i, j->k - i);
            vf_store(dst + r * ldx + i, round ? vf_to_bf16_value(v) : v);
        }
    }
}

static void run_thin(void *arg, uint64_t index)
{
    job *j = arg;
    const axl_matmul_args *a = j->a;
    int64_t n0 = (int64_t)index * THIN_COLS, n1 = min64(n0 + THIN_COLS, j->n);
    bool round = a->compute == AXL_BF16;
    float c[THIN_ROWS][THIN_COLS], sums[THIN_ROWS][4];

    if (give_up(j))
        return;
    float *x = axl__scratch_acquire(j->dev);
    widen_rows(j, x);
    for (int64_t n = n0; n < n1; n += 4) {
        dot_columns_of[j->m - 1](a->w.dtype, round, x, &a->w, n, (int)min64(4, n1 - n), j->k, sums);
        for (int64_t r = 0; r < j->m; r++)
            memcpy(&c[r][n - n0], sums[r], sizeof sums[r]);
    }
    store_sums(a, 0, j->m, n0, n1 - n0, c[0], THIN_COLS);
    axl__scratch_release(j->dev, x);
}

static bool is_thin(const job *j)
{
    return j->m <= THIN_ROWS && !j->a->trans_x && j->a->trans_w &&
           (size_t)(j->m * thin_stride(j->k)) * sizeof(float) <= AXL_SCRATCH_SIZE;
}

axl_status AXL_ISA_NAME(matmul)(axl_device *dev, const axl_matmul_args *a)
{
    job j = {
        .dev = dev,
        .a = a,
        .m = a->y.rows,
        .n = a->y.cols,
        .k = a->trans_x ? a->x.rows : a->x.cols,
        .unit = gemm_unit_for(a->x.dtype, a->w.dtype, a->compute),
    };

    assert((a->trans_x ? a->x.cols : a->x.rows) == j.m);
    assert((a->trans_w ? a->w.rows : a->w.cols) == j.n);
    assert((a->trans_w ? a->w.cols : a->w.rows) == j.k);
    assert(a->beta == 0.0f || a->beta == 1.0f);
    if (j.m == 0 || j.n == 0)
        return AXL_OK;
    if (!is_thin(&j))
        return run_tiled(&j);
    axl__parallel_for(dev->ctx, (uint64_t)ceil_div(j.n, THIN_COLS), run_thin, &j);
    return atomic_load(&j.cancelled) ? axl__fail(AXL_ERR_CANCELLED, "cancelled") : AXL_OK;
}
