/* SPDX-License-Identifier: Apache-2.0 */
/*
 * span_cpu.h - what the element-wise and row-wise kernels share: cutting a matrix into tiles, and
 * spans of f32 or bf16.  Tiles follow from the shape alone, so that the same elements meet in the
 * same instructions at any number of threads.
 */
#ifndef AXL_CPU_SPAN_CPU_H
#define AXL_CPU_SPAN_CPU_H

#include "loop_cpu.h"
#include "op_cpu.h"

/* Elements of a tile: some ten microseconds of work, and a few of them fit the caches. */
#define AXL_TILE_SIZE ((int64_t)1 << 15)

/* What an element takes, in multiplications of a product. */
#define AXL_ELEMENT_COST ((int64_t)16)

/* Rows [row, row_end), columns [col, col_end). */
typedef struct axl_tile {
    int64_t row, row_end, col, col_end;
} axl_tile;

typedef void axl_tile_fn(const void *args, axl_tile tile);

typedef struct axl_tiles {
    axl_tile_fn *fn;
    const void *args;
    int64_t rows, cols, tile_rows, tile_cols, n_across;
} axl_tiles;

__attribute__((unused)) static void axl_tile_task(void *arg, uint64_t index)
{
    const axl_tiles *t = arg;
    int64_t row = (int64_t)index / t->n_across * t->tile_rows;
    int64_t col = (int64_t)index % t->n_across * t->tile_cols;

    t->fn(t->args, (axl_tile){ row, axl_min(row + t->tile_rows, t->rows), col,
                               axl_min(col + t->tile_cols, t->cols) });
}

/* Calls fn on every tile.  whole_rows keeps rows together however long they are. */
AXL_INLINE void axl_tiles_run(axl_device *dev, int64_t rows, int64_t cols, bool whole_rows,
                              axl_tile_fn *fn, const void *args)
{
    axl_tiles t = { fn, args, rows, cols, 1, cols, 1 };

    if (rows <= 0 || cols <= 0)
        return;
    if (!whole_rows)
        t.tile_cols = axl_min(cols, AXL_TILE_SIZE);
    t.tile_rows = axl_div_up(AXL_TILE_SIZE, t.tile_cols);
    t.n_across = axl_div_up(cols, t.tile_cols);
    axl_loop(dev, t.n_across * axl_div_up(rows, t.tile_rows), AXL_ELEMENT_COST * rows * cols,
             axl_tile_task, &t);
}

/* Whether the rows follow each other without gaps, so that the matrix may be walked as one row. */
AXL_INLINE bool axl_is_flat(const axl_mat *m)
{
    return m->stride == m->cols || m->rows <= 1;
}

AXL_INLINE void axl_flatten(axl_mat *m)
{
    m->cols *= m->rows;
    m->stride = m->cols;
    m->rows = 1;
}

/* The lanes at element i: all of them, or the first n < VF_N.  Loops pass VF_N, a constant. */
AXL_INLINE vf axl_load(const void *p, axl_dtype t, int64_t i, int64_t n)
{
    return n >= VF_N ? vf_load_t(p, t, i) : vf_load_t_n(p, t, i, n);
}

AXL_INLINE void axl_store(void *p, axl_dtype t, int64_t i, vf v, int64_t n)
{
    if (n >= VF_N)
        vf_store_t(p, t, i, v);
    else
        vf_store_t_n(p, t, i, v, n);
}

/* An axl_tile_fn of one row that walks its columns by lanes(args, i, n). */
#define AXL_SPAN_FN(name, type, lanes)                                                             \
    static void name(const void *args, axl_tile t)                                                 \
    {                                                                                              \
        const type s = *(const type *)args;                                                        \
        int64_t i = t.col;                                                                         \
                                                                                                   \
        for (; i + VF_N <= t.col_end; i += VF_N)                                                   \
            lanes(&s, i, VF_N);                                                                    \
        if (i < t.col_end)                                                                         \
            lanes(&s, i, t.col_end - i);                                                           \
    }

/* y = x */
AXL_INLINE void axl_convert_span(void *y, axl_dtype y_type, const void *x, axl_dtype x_type,
                                 int64_t n)
{
    int64_t i = 0;

    if (y_type == x_type) {
        memcpy(y, x, (size_t)n * axl__dtype_size(x_type));
        return;
    }
    for (; i + VF_N <= n; i += VF_N)
        axl_store(y, y_type, i, axl_load(x, x_type, i, VF_N), VF_N);
    if (i < n)
        axl_store(y, y_type, i, axl_load(x, x_type, i, n - i), n - i);
}

#endif
