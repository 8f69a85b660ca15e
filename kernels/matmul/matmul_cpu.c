/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matmul_cpu.c - y = alpha op(x) op(w) + beta y or + plus, blocked and packed (Goto, van de Geijn,
 * "Anatomy of high-performance matrix multiplication", 2008) on the pieces of gemm.h.
 *
 * y is cut into tiles that threads take from a queue.  A tile packs its part of w block of depth by
 * block of depth (it stays in the second-level cache), runs its rows over it, and adds into f32
 * sums that go to y at the end.  The sums of an output are one chain in order of depth (parts of
 * the depth are cut by shape alone), so its bits do not depend on tiles or threads.
 *
 * Several products may add up in one pass: a frozen layer and its adapter, or the gradients of
 * layers with one input.  Shaped for a frozen linear layer (T = 100..2048 rows, weights of
 * 576..8192 either way), where packing w costs 3 % of the multiplications of 256 rows (a tile has
 * up to four times as many where tiles enough are left for the threads), and for LoRA's thin
 * products (8..64 wide or deep).  The part of w that comes next is fetched while a block is
 * multiplied.  With at most four rows, as in generation, each weight is read once where it lies:
 * bound by memory.
 *
 * A quantised w is decoded while it is packed (gemm.h, decode.h), some 24 KiB at a time, to the
 * numbers that its dense weight would have: the same bits at about the same speed, since a decoded
 * element costs a quarter of a cycle with AVX-512 and comes from memory as 0.53 bytes instead of 2.
 */
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/loop_cpu.h"
#include "kernels/cpu/op_cpu.h"
#include "kernels/cpu/scratch_cpu.h"

#include "matmul.h"

#include <assert.h>

enum {
    TILE_ROWS = VF_HAS_AMX ? 512 : 256, /* AMX: packing weighs more */
    LONG_TILE_ROWS = 1024,              /* where tiles are many: w is packed less often */
    MIN_TILE_ROWS = 128,
    MIN_THIN_ROWS = 64,             /* where there are one or two panels in all */
    TILE_PANELS = 192 / GEMM_PANEL, /* columns of a tile, in panels */
    MIN_TASKS = AXL_MATMUL_PARTS,
    MANY_TASKS = 40, /* and so many of each thread */
    MANY_TASKS_EACH = 12,
    DEPTH_UNITS = 640, /* of a block: 480 KiB of panels, half of a second-level cache */
    STRIP_ROWS = 64,   /* of x packed at a time */
    THIN_ROWS = 4,     /* the most that the dot products take */
    THIN_COLS = 64,    /* of a task there */
    THIN_COST = 8      /* an element of w comes from memory */
};

/* One product of the sum, in the form that tiles see: x rows of the left operand, w columns of the
 * right one. */
typedef struct term {
    gemm_source x, w;
    gemm_unit unit;
    int64_t k;
    int64_t block_deep; /* elements of a block of depth, even */
    bool in_place;      /* x is read where it lies */
} term;

typedef struct job {
    axl_device *dev;
    const axl_matmul_args *a;
    int64_t m, n; /* of what tiles compute: y, or its transpose when turned */
    bool turned;
    term terms[AXL_MATMUL_TERMS];
    int64_t n_terms;
    int64_t rows, cols; /* of a tile */
    int64_t n_row_tiles, n_col_tiles;
    int64_t n_parts; /* of the depth, each summed in scratch memory; 1: none */
    int64_t part_deep;
    int64_t n_threads; /* for what moves no result: prefetching, rows of a tile */
    atomic_bool cancelled;
} job;

static bool give_up(job *j)
{
    if (!atomic_load_explicit(&j->cancelled, memory_order_relaxed) &&
        axl__cancelled(j->dev->ctx) == AXL_OK)
        return false;
    atomic_store_explicit(&j->cancelled, true, memory_order_relaxed);
    return true;
}

/* What is added to the sums, or NULL. */
static const axl_mat *addend(const axl_matmul_args *a)
{
    if (a->plus.data)
        return &a->plus;
    return a->beta != 0.0f ? &a->y : NULL;
}

/* y rows [m0, +rows) of columns [n0, +cols) from sums c. */
static void store_sums(const axl_matmul_args *a, int64_t m0, int64_t rows, int64_t n0, int64_t cols,
                       const float *c, int64_t ldc)
{
    axl_dtype t = a->y.dtype;
    vf alpha = vf_set1(a->alpha);
    const axl_mat *add = addend(a);

    for (int64_t r = 0; r < rows; r++) {
        void *y = axl_at_mut(a->y.data, t, (m0 + r) * a->y.stride + n0);
        const void *z = add ? axl_at(add->data, t, (m0 + r) * add->stride + n0) : NULL;
        const float *c_r = c + r * ldc;
        int64_t i = 0;

        for (; i + VF_N <= cols; i += VF_N) {
            vf v = vf_mul(alpha, vf_load(c_r + i));
            vf_store_t(y, t, i, z ? vf_add(v, vf_load_t(z, t, i)) : v);
        }
        if (i < cols) {
            vf v = vf_mul(alpha, vf_load(c_r + i));
            vf_store_t_n(y, t, i, z ? vf_add(v, vf_load_t_n(z, t, i, cols - i)) : v, cols - i);
        }
    }
}

/* The same for y's transpose: sums (rows, cols) of y columns [m0, +rows), rows [n0, +cols). */
static void store_turned(const axl_matmul_args *a, int64_t m0, int64_t rows, int64_t n0,
                         int64_t cols, const float *c, int64_t ldc)
{
    axl_dtype t = a->y.dtype;
    vf alpha = vf_set1(a->alpha);
    const axl_mat *add = addend(a);

    for (int64_t r = 0; r < rows; r += VF_N) {
        int64_t n = axl_min(VF_N, rows - r);
        for (int64_t i = 0; i < cols; i += VF_N) {
            vf v[VF_N];
            for (int64_t l = 0; l < VF_N; l++)
                v[l] = l < n ? vf_load(c + (r + l) * ldc + i) : vf_zero();
            vf_transpose(v);
            for (int64_t l = 0; l < axl_min(VF_N, cols - i); l++) {
                int64_t row = n0 + i + l, col = m0 + r;
                void *y = axl_at_mut(a->y.data, t, row * a->y.stride + col);
                const void *z = add ? axl_at(add->data, t, row * add->stride + col) : NULL;
                vf sum = vf_mul(alpha, v[l]);
                if (z)
                    sum = vf_add(sum, n == VF_N ? vf_load_t(z, t, 0) : vf_load_t_n(z, t, 0, n));
                if (n == VF_N)
                    vf_store_t(y, t, 0, sum);
                else
                    vf_store_t_n(y, t, 0, sum, n);
            }
        }
    }
}

/* ---- tiles ---- */

/* A tile's place and what it works in. */
typedef struct tile {
    int64_t m0, rows, n0, cols;
    int64_t part, begin, end;  /* depth of the first term */
    float *panels, *c, *strip; /* (units, cols), (rows, cols), (STRIP_ROWS, units) */
    float *turned;             /* as strip */
    float *decoded;            /* pieces of a quantised w */
} tile;

static tile tile_at(const job *j, int64_t index)
{
    int64_t column = index / j->n_row_tiles;
    tile t = { .m0 = index % j->n_row_tiles * j->rows,
               .n0 = column % j->n_col_tiles * j->cols,
               .part = column / j->n_col_tiles };

    t.rows = axl_min(j->rows, j->m - t.m0);
    t.cols = axl_min(j->cols, j->n - t.n0);
    t.begin = t.part * j->part_deep;
    t.end = axl_min(t.begin + j->part_deep, j->terms[0].k);
    return t;
}

/* Rows [r, +n) of the tile, some of their depth. */
static gemm_left left_of(const tile *t, const term *p, int64_t r, int64_t n, int64_t depth,
                         int64_t n_deep)
{
    gemm_block b = { t->m0 + r, n, depth, n_deep };
    int64_t size = sizeof *t->strip;

    if (p->in_place)
        return (gemm_left){ axl_at(p->x.data, p->x.dtype, b.row * p->x.stride + depth),
                            p->x.stride * (int64_t)axl__dtype_size(p->x.dtype), size };
    if (!p->x.deep) { /* one panel: units apart by its width */
        int64_t width = axl_div_up(n, VF_N) * VF_N, n_units = gemm_units(p->unit, n_deep);
        gemm_pack_panels(p->unit, t->strip, &p->x, &b);
        if (!VF_HAS_AMX || p->unit != GEMM_PAIR)
            return (gemm_left){ t->strip, size, width * size };
        gemm_turn(t->turned, n_units, t->strip, width, n, n_units);
        return (gemm_left){ t->turned, n_units * size, size };
    }
    int64_t ld = axl_div_up(gemm_units(p->unit, n_deep), VF_N) * VF_N;
    gemm_pack_rows(p->unit, t->strip, ld, &p->x, &b);
    return (gemm_left){ t->strip, ld * size, size };
}

/* Finished sums of rows [r, +n) of the tile to their place. */
static void put_sums(const job *j, const tile *t, int64_t r, int64_t n, const float *c)
{
    if (j->turned) {
        store_turned(j->a, t->m0 + r, n, t->n0, t->cols, c, j->cols);
    } else if (j->n_parts > 1) {
        axl_matmul_args part = { .y = { (float *)j->a->scratch + t->part * j->m * j->n, AXL_F32,
                                        j->m, j->n, j->n },
                                 .alpha = 1.0f };
        store_sums(&part, t->m0 + r, n, t->n0, t->cols, c, j->cols);
    } else {
        store_sums(j->a, t->m0 + r, n, t->n0, t->cols, c, j->cols);
    }
}

/* A block of depth of a term. */
typedef struct step {
    const term *p;
    int64_t depth, end; /* end: of the term */
} step;

static step first_step(const job *j, const tile *t)
{
    return (step){ j->terms, t->begin, t->end };
}

/* False after the last one. */
static bool next_step(const job *j, step *s)
{
    s->depth += s->p->block_deep;
    if (s->depth < s->end)
        return true;
    if (s->p + 1 == j->terms + j->n_terms)
        return false;
    *s = (step){ s->p + 1, 0, s->p[1].k };
    return true;
}

static int64_t step_deep(const step *s)
{
    return axl_min(s->p->block_deep, s->end - s->depth);
}

/* The first step begins the sums, the last one stores them. */
static void run_step(const job *j, const tile *t, const step *s, bool first, bool last,
                     gemm_ahead *ahead)
{
    const term *p = s->p;
    int64_t depth = s->depth, n_deep = step_deep(s), n_units = gemm_units(p->unit, n_deep);
    int64_t at_a_time = p->x.deep ? STRIP_ROWS : GEMM_PANEL;
    gemm_right right = gemm_right_whole(t->panels, t->cols, n_units);
    gemm_source w = p->w;

    w.decoded = t->decoded;
    gemm_pack_panels(p->unit, t->panels, &w, &(gemm_block){ t->n0, t->cols, depth, n_deep });
    gemm_ahead_spread(ahead, t->rows, t->cols, n_units);
    for (int64_t r = 0; r < t->rows; r += at_a_time) {
        int64_t n = axl_min(at_a_time, t->rows - r);
        float *c = t->c + r * j->cols;

        gemm_multiply(p->unit, n, n_units, left_of(t, p, r, n, depth, n_deep), &right, c, j->cols,
                      !first, ahead);
        if (last)
            put_sums(j, t, r, n, c);
    }
}

static gemm_lines lines_of(const tile *t, const step *s)
{
    return gemm_lines_of(&s->p->w, &(gemm_block){ t->n0, t->cols, s->depth, step_deep(s) });
}

/* What of w the tile after this one begins with, for the thread that is likely to take it.  A
 * guess: it moves memory, never a result. */
static gemm_lines next_tile(const job *j, const tile *t, int64_t index)
{
    if (index + j->n_threads >= j->n_row_tiles * j->n_col_tiles * j->n_parts)
        return (gemm_lines){ 0 };
    tile next = tile_at(j, index + j->n_threads);
    if (next.n0 == t->n0 && next.part == t->part)
        return (gemm_lines){ 0 };
    step s = first_step(j, &next);
    return lines_of(&next, &s);
}

/* Where the tile's sums go. */
static gemm_lines output_of(const job *j, const tile *t)
{
    const axl_mat *y = &j->a->y;
    gemm_source s = { .data = y->data, .dtype = y->dtype, .stride = y->stride, .deep = !j->turned };

    if (j->n_parts > 1)
        return (gemm_lines){ 0 };
    return gemm_lines_of(&s, &(gemm_block){ t->m0, t->rows, t->n0, t->cols });
}

/* The number of the last step that is long enough to hide fetching what comes after the tile. */
static int64_t last_long_step(const job *j, const tile *t)
{
    step s = first_step(j, t);
    int64_t deep = step_deep(&s), last = 0;

    for (int64_t i = 1; next_step(j, &s); i++)
        last = 2 * step_deep(&s) >= deep ? i : last;
    return last;
}

static void run_steps(const job *j, const tile *t, int64_t index)
{
    int64_t last_long = last_long_step(j, t);
    step s = first_step(j, t), next = s;
    bool more = true;

    for (int64_t i = 0; more; i++, s = next) {
        gemm_ahead ahead = { 0 };

        more = next_step(j, &next);
        if (more)
            gemm_ahead_add(&ahead, lines_of(t, &next));
        if (i == last_long) {
            gemm_ahead_add(&ahead, output_of(j, t));
            gemm_ahead_add(&ahead, next_tile(j, t, index));
        }
        run_step(j, t, &s, i == 0, !more, &ahead);
    }
}

static void run_tile(void *arg, uint64_t index)
{
    job *j = arg;
    tile t = tile_at(j, (int64_t)index);

    if (give_up(j))
        return;
    t.panels = axl__scratch_acquire(j->dev);
    t.c = t.panels + DEPTH_UNITS * TILE_PANELS * GEMM_PANEL;
    t.strip = t.c + LONG_TILE_ROWS * TILE_PANELS * GEMM_PANEL;
    t.turned = t.strip + STRIP_ROWS * (DEPTH_UNITS + VF_N);
    t.decoded = t.turned + STRIP_ROWS * (DEPTH_UNITS + VF_N);
    amx_begin();
    run_steps(j, &t, (int64_t)index);
    amx_end();
    axl__scratch_release(j->dev, t.panels);
}

/* y of some rows from its parts. */
static void add_parts(void *arg, uint64_t index)
{
    job *j = arg;
    const axl_matmul_args *a = j->a;
    float sums[256];

    for (int64_t i = 0; i < j->n; i += 256) {
        int64_t n = axl_min(256, j->n - i), at = (int64_t)index * j->n + i;
        for (int64_t l = 0; l < n; l += VF_N) {
            int64_t lanes = axl_min(VF_N, n - l);
            vf v = vf_zero();
            for (int64_t p = 0; p < j->n_parts; p++) {
                const float *from = (const float *)a->scratch + p * j->m * j->n + at + l;
                v = vf_add(v, lanes == VF_N ? vf_load(from) : vf_load_n(from, lanes));
            }
            vf_store(sums + l, v);
        }
        store_sums(a, (int64_t)index, 1, i, n, sums, 256);
    }
}

/* The tiles that y makes, of the rows chosen and so many panels of columns. */
static int64_t count_tiles(const job *j, int64_t panels)
{
    return axl_div_up(j->m, j->rows) * axl_div_up(j->n, panels * GEMM_PANEL);
}

/* Tiles as large as the caches like, smaller while there are few. */
static void choose_tiles(job *j)
{
    int64_t panels = TILE_PANELS;
    int64_t many = axl_max(MANY_TASKS, MANY_TASKS_EACH * j->n_threads);
    int64_t min_rows = j->n > 2 * GEMM_PANEL ? MIN_TILE_ROWS : MIN_THIN_ROWS;

    j->rows = LONG_TILE_ROWS;
    while (j->rows > TILE_ROWS && count_tiles(j, panels) < many)
        j->rows /= 2;
    while (panels > 1 && count_tiles(j, panels) < MIN_TASKS)
        panels = (panels + 1) / 2;
    while (j->rows > min_rows && count_tiles(j, panels) < MIN_TASKS)
        j->rows /= 2;
    j->cols = panels * GEMM_PANEL;
    j->n_row_tiles = axl_div_up(j->m, j->rows);
    j->n_col_tiles = axl_div_up(j->n, j->cols);
    j->n_parts = 1;
    j->part_deep = j->terms[0].k;
}

/* Whole tiles and the depth in parts, where that makes enough tasks of a deep product. */
static bool choose_parts(job *j)
{
    int64_t k = j->terms[0].k, size = j->m * j->n, cols = TILE_PANELS * GEMM_PANEL;
    int64_t room = axl_min(AXL_MATMUL_SCRATCH, (int64_t)(j->a->scratch_size / sizeof(float)));
    int64_t n_tiles = axl_div_up(j->m, TILE_ROWS) * axl_div_up(j->n, cols);
    int64_t n = axl_min(axl_div_up(MIN_TASKS, n_tiles), axl__matmul_parts(k));

    n = size > 0 ? axl_min(n, room / size) : 0;
    if (j->turned || j->n_terms > 1 || n < 2)
        return false;
    j->rows = TILE_ROWS;
    j->cols = cols;
    j->n_row_tiles = axl_div_up(j->m, j->rows);
    j->n_col_tiles = axl_div_up(j->n, j->cols);
    j->part_deep = axl_div_up(axl_div_up(k, n), j->terms[0].block_deep) * j->terms[0].block_deep;
    j->n_parts = axl_div_up(k, j->part_deep);
    return true;
}

static int64_t multiplications(const job *j)
{
    int64_t deep = 0;

    for (int64_t i = 0; i < j->n_terms; i++)
        deep += j->terms[i].k;
    return j->m * j->n * deep;
}

static axl_status run_tiled(job *j)
{
    static_assert(((DEPTH_UNITS + LONG_TILE_ROWS) * TILE_PANELS * GEMM_PANEL +
                   2 * STRIP_ROWS * (DEPTH_UNITS + VF_N) + GEMM_DECODE_MAX) *
                              sizeof(float) <=
                          AXL_SCRATCH_SIZE &&
                      (int)GEMM_PANEL <= (int)STRIP_ROWS,
                  "a tile fits a scratch slot");
    static_assert(GEMM_PANEL * GEMM_DECODE_DEEP / sizeof(float) <= GEMM_DECODE_MAX &&
                      TILE_PANELS * GEMM_PANEL * GEMM_DECODE_FLAT <= GEMM_DECODE_MAX,
                  "a piece fits its memory");
    j->n_threads = axl_context_threads(j->dev->ctx);
    if (!choose_parts(j))
        choose_tiles(j);
    axl_loop(j->dev, j->n_row_tiles * j->n_col_tiles * j->n_parts, multiplications(j), run_tile, j);
    if (j->n_parts > 1 && !atomic_load(&j->cancelled))
        axl_loop(j->dev, j->m, j->m * j->n * j->n_parts, add_parts, j);
    return atomic_load(&j->cancelled) ? axl__fail(AXL_ERR_CANCELLED, "cancelled") : AXL_OK;
}

/* ---- few rows ---- */

/* Rows of x are filled up with zeros to whole vectors. */
static int64_t thin_stride(int64_t k)
{
    return axl_div_up(k, VF_N) * VF_N;
}

/* Four columns' dot products with each of `rows` rows of x f32. */
AXL_INLINE void dot_columns(int rows, axl_dtype t, bool round, const float *x, const axl_mat *w,
                            int n_cols, int64_t k, float sums[THIN_ROWS][4])
{
    vf acc[THIN_ROWS][4];
    const void *w_row[4];
    int64_t ldx = thin_stride(k), i = 0;

    AXL_UNROLL
    for (int c = 0; c < 4; c++) {
        w_row[c] = axl_at(w->data, t, (c < n_cols ? c : 0) * w->stride);
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
                                   int n_cols, int64_t k, float sums[THIN_ROWS][4])                \
    {                                                                                              \
        if (t == AXL_BF16)                                                                         \
            dot_columns(rows, AXL_BF16, false, x, w, n_cols, k, sums);                             \
        else                                                                                       \
            dot_columns(rows, AXL_F32, round, x, w, n_cols, k, sums);                              \
    }
DOT_COLUMNS(1)
DOT_COLUMNS(2)
DOT_COLUMNS(3)
DOT_COLUMNS(4)

static void (*const dot_columns_of[THIN_ROWS])(axl_dtype, bool, const float *, const axl_mat *, int,
                                               int64_t, float[THIN_ROWS][4]) = {
    dot_columns_1, dot_columns_2, dot_columns_3, dot_columns_4
};

/* A decoded weight's elements: those of bf16 are f32 where only f32 are multiplied. */
static axl_dtype decoded_dtype(const axl_weight *w, gemm_unit unit)
{
    if (w->kind == AXL_WEIGHT_DENSE)
        return w->mat.dtype;
    return unit == GEMM_PAIR ? AXL_BF16 : AXL_F32;
}

/* Columns [n, n + n_cols) of op(w) as rows of memory, decoded to `room` where w is quantised. */
static axl_mat thin_columns(const axl_weight *w, int64_t n, int64_t n_cols, float *room)
{
    axl_mat m = w->mat;

    m.rows = n_cols;
    if (w->kind == AXL_WEIGHT_DENSE) {
        m.data = (void *)(uintptr_t)axl_at(m.data, m.dtype, n * m.stride);
        return m;
    }
    m.data = room;
    m.dtype = VF_HAS_DOT_BF16 && m.dtype == AXL_BF16 ? AXL_BF16 : AXL_F32;
    for (int64_t r = 0; r < n_cols; r++)
        axl_decode(axl_at_mut(room, m.dtype, r * m.stride), m.dtype, w, (n + r) * m.stride, m.cols);
    return m;
}

/* x as f32, rounded where the product asks for it. */
static void widen_rows(const job *j, float *dst)
{
    const axl_mat *x = &j->a->x;
    bool round = j->a->compute == AXL_BF16 && x->dtype == AXL_F32;
    int64_t k = x->cols, ldx = thin_stride(k);

    for (int64_t r = 0; r < j->m; r++) {
        const void *x_r = axl_at(x->data, x->dtype, r * x->stride);
        int64_t i = 0;

        for (; i < k; i += VF_N) {
            vf v =
                k - i >= VF_N ? vf_load_t(x_r, x->dtype, i) : vf_load_t_n(x_r, x->dtype, i, k - i);
            vf_store(dst + r * ldx + i, round ? vf_to_bf16_value(v) : v);
        }
    }
}

static void run_thin(void *arg, uint64_t index)
{
    job *j = arg;
    const axl_matmul_args *a = j->a;
    int64_t n0 = (int64_t)index * THIN_COLS, n1 = axl_min(n0 + THIN_COLS, j->n);
    bool round = a->compute == AXL_BF16 && a->w.mat.dtype != AXL_BF16;
    float c[THIN_ROWS][THIN_COLS], sums[THIN_ROWS][4];

    if (give_up(j))
        return;
    float *x = axl__scratch_acquire(j->dev);
    widen_rows(j, x);
    for (int64_t n = n0; n < n1; n += 4) {
        axl_mat w = thin_columns(&a->w, n, axl_min(4, n1 - n), x + j->m * thin_stride(a->x.cols));
        dot_columns_of[j->m - 1](w.dtype, round, x, &w, (int)w.rows, a->x.cols, sums);
        for (int64_t r = 0; r < j->m; r++)
            memcpy(&c[r][n - n0], sums[r], sizeof sums[r]);
    }
    store_sums(a, 0, j->m, n0, n1 - n0, c[0], THIN_COLS);
    axl__scratch_release(j->dev, x);
}

static bool is_thin(const axl_matmul_args *a)
{
    return a->y.rows <= THIN_ROWS && !a->trans_x && a->trans_w && a->n_more == 0 &&
           (size_t)((a->y.rows + 4) * thin_stride(a->x.cols)) * sizeof(float) <= AXL_SCRATCH_SIZE;
}

/* ---- the product ---- */

static void add_term(job *j, const axl_mat *x, bool trans_x, const axl_weight *weight, bool trans_w)
{
    term *p = &j->terms[j->n_terms++];
    const axl_mat *w = &weight->mat;
    axl_dtype w_dtype = w->dtype == AXL_BF16 ? AXL_BF16 : AXL_F32;
    gemm_source left = {
        .data = x->data, .dtype = x->dtype, .stride = x->stride, .deep = !trans_x
    };
    gemm_source right = { .data = w->data, .stride = w->stride, .deep = trans_w };

    assert((trans_x ? x->cols : x->rows) == j->a->y.rows);
    assert((trans_w ? w->rows : w->cols) == j->a->y.cols);
    assert((trans_x ? x->rows : x->cols) == (trans_w ? w->cols : w->rows));
    right.weight = weight->kind == AXL_WEIGHT_DENSE ? NULL : weight;
    p->unit = gemm_unit_for(x->dtype, w_dtype, j->a->compute);
    right.dtype = decoded_dtype(weight, p->unit);
    p->x = j->turned ? right : left;
    p->w = j->turned ? left : right;
    p->k = trans_x ? x->rows : x->cols;
    p->in_place = p->x.deep && gemm_in_place(p->unit, p->x.dtype, p->k);
    int64_t units = gemm_units(p->unit, p->k);
    int64_t n_blocks = units > 0 ? axl_div_up(units, DEPTH_UNITS) : 1;
    p->block_deep =
        gemm_deep(p->unit, axl_max(1, axl_div_up(units, n_blocks)) * gemm_per_unit(p->unit));
}

axl_status AXL_ISA_NAME(matmul)(axl_device *dev, const axl_matmul_args *a)
{
    job j = { .dev = dev, .a = a, .m = a->y.rows, .n = a->y.cols };

    assert(a->beta == 0.0f || (a->beta == 1.0f && !a->plus.data));
    assert(a->n_more < AXL_MATMUL_TERMS);
    if (j.m == 0 || j.n == 0)
        return AXL_OK;
    if (is_thin(a)) {
        axl_loop(dev, axl_div_up(j.n, THIN_COLS), THIN_COST * j.n * a->x.cols, run_thin, &j);
        return atomic_load(&j.cancelled) ? axl__fail(AXL_ERR_CANCELLED, "cancelled") : AXL_OK;
    }
    /* Few columns and many rows, both operands depth by depth: what is wide gets packed. */
    j.turned = a->w.kind == AXL_WEIGHT_DENSE && a->trans_x && !a->trans_w && a->n_more == 0 &&
               j.n <= GEMM_PANEL && j.m > j.n;
    if (j.turned) {
        j.m = a->y.cols;
        j.n = a->y.rows;
    }
    add_term(&j, &a->x, a->trans_x, &a->w, a->trans_w);
    for (int64_t i = 0; i < a->n_more; i++)
        add_term(&j, &a->more[i].x, false, &a->more[i].w, a->more[i].trans_w);
    return run_tiled(&j);
}
