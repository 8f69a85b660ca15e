/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gemm.h - the pieces that matmul and attention are made of: packing operands and multiplying a
 * tile in registers.  Included by one file per operation and compiled for each instruction set.
 *
 * Operands are brought into 4-byte units along the depth: an f32 (stored, widened, or rounded to
 * bf16 and widened), or a pair of bf16 for machines that multiply pairs.  The right operand is
 * packed in panels of VF_TILE_VECS vectors of columns, unit after unit; the left one is read row
 * by row, where it lies if it has the right form.  Every output is one chain of fused
 * multiplications over the depth in order, so its bits depend neither on the tile it falls into nor
 * on packing.
 *
 * Costs, for a tile of R rows and N columns: R N / VF_N fma per unit of depth, N / VF_N stores for
 * packing a unit of the right operand (and as many shuffles times 4 when its depth is contiguous);
 * decoding a quantised one writes and reads its elements once more, in the first cache.
 */
#ifndef AXL_CPU_GEMM_H
#define AXL_CPU_GEMM_H

#include "decode.h"

#include <stdbool.h>

typedef enum gemm_unit { GEMM_F32, GEMM_F32_ROUNDED, GEMM_PAIR } gemm_unit;

enum {
    GEMM_PANEL = VF_TILE_VECS * VF_N,
    GEMM_ROWS_MAX = 2 * VF_TILE_ROWS, /* of a tile one vector wide */
    GEMM_AMX = 16,                    /* rows, units and columns of a tile of AMX */
    GEMM_AHEAD = 8,                   /* rows of memory prefetched */
    /* Of a quantised operand decoded at a time, some 24 KiB: bytes of depth of a panel's rows, and
     * rows of depth of all panels. */
    GEMM_DECODE_DEEP = 512,
    GEMM_DECODE_FLAT = 32,
    GEMM_DECODE_MAX = 8192 /* floats of the memory for it */
};

/* Rows (of the left operand, or columns of the right one) of some depth in memory: element (r,d)
 * is data[r * stride + d] when deep, else data[d * stride + r].  A quantised operand is decoded
 * piece by piece to `decoded` and packed from there as if it had that dtype. */
typedef struct gemm_source {
    const void *data;
    axl_dtype dtype;
    int64_t stride;
    bool deep;
    const axl_weight *weight; /* NULL, or where elements come from instead of data */
    void *decoded;            /* (GEMM_DECODE_MAX) floats */
} gemm_source;

AXL_INLINE int64_t gemm_per_unit(gemm_unit unit)
{
    return unit == GEMM_PAIR ? 2 : 1;
}

/* How operands are multiplied: x and w in the given types, computed in `compute`. */
AXL_INLINE gemm_unit gemm_unit_for(axl_dtype x, axl_dtype w, axl_dtype compute)
{
    if (compute == AXL_F32 || (x == AXL_BF16 && w == AXL_BF16 && !VF_HAS_DOT_BF16))
        return GEMM_F32;
    return VF_HAS_DOT_BF16 ? GEMM_PAIR : GEMM_F32_ROUNDED;
}

/* ---- loading units ---- */

AXL_INLINE vf gemm_round(vf v, gemm_unit unit, axl_dtype t)
{
    return unit != GEMM_F32 && t == AXL_F32 ? vf_to_bf16_value(v) : v;
}

/* The units of elements [i, i + n) that follow each other in depth; zeros after them. */
AXL_INLINE vf gemm_load_deep(gemm_unit unit, axl_dtype t, const void *p, int64_t i, int64_t n)
{
    if (VF_HAS_AMX && n <= 0)
        return vf_zero();
    if (unit == GEMM_PAIR)
        return n >= 2 * VF_N ? vf_load_pairs(p, t, i) : vf_load_pairs_n(p, t, i, n);
    return gemm_round(n >= VF_N ? vf_load_t(p, t, i) : vf_load_t_n(p, t, i, n), unit, t);
}

/* One unit of each of n neighbours from element i; `more`: whether the pair's second exists. */
AXL_INLINE vf gemm_load_flat(gemm_unit unit, axl_dtype t, const void *p, int64_t i, int64_t n,
                             int64_t stride, bool more)
{
    vf v = gemm_round(n >= VF_N ? vf_load_t(p, t, i) : vf_load_t_n(p, t, i, n), unit, t);

    if (unit != GEMM_PAIR)
        return v;
    vf w = vf_zero();
    if (more)
        w = n >= VF_N ? vf_load_t(p, t, i + stride) : vf_load_t_n(p, t, i + stride, n);
    return vf_join_pairs(v, gemm_round(w, unit, t));
}

/* ---- packing ---- */

typedef struct gemm_block {
    int64_t row, n_rows;   /* of the source */
    int64_t depth, n_deep; /* elements */
} gemm_block;

/* The units that n_deep elements fill; AMX takes them by sixteen, zeros at the end. */
AXL_INLINE int64_t gemm_units(gemm_unit unit, int64_t n_deep)
{
    int64_t n = unit == GEMM_PAIR ? (n_deep + 1) / 2 : n_deep;

    return VF_HAS_AMX && unit == GEMM_PAIR ? (n + GEMM_AMX - 1) / GEMM_AMX * GEMM_AMX : n;
}

/* The same in elements. */
AXL_INLINE int64_t gemm_deep(gemm_unit unit, int64_t n_deep)
{
    return gemm_units(unit, n_deep) * gemm_per_unit(unit);
}

/* Whether rows of a left operand can be read where they lie. */
AXL_INLINE bool gemm_in_place(gemm_unit unit, axl_dtype t, int64_t n_deep)
{
    if (unit == GEMM_PAIR)
        return t == AXL_BF16 && n_deep == gemm_deep(unit, n_deep);
    return unit == GEMM_F32 && t == AXL_F32;
}

/* VF_N rows by VF_N units from (row, depth), turned so that v[u] holds unit u of every row. */
AXL_INLINE void gemm_load_square(vf *v, gemm_unit unit, axl_dtype t, const gemm_source *s,
                                 int64_t row, int64_t n_rows, int64_t depth, int64_t n_deep)
{
    AXL_UNROLL
    for (int r = 0; r < VF_N; r++)
        v[r] = r < n_rows ? gemm_load_deep(unit, t, s->data, (row + r) * s->stride + depth, n_deep)
                          : vf_zero();
    vf_transpose(v);
}

/* The number of vectors of the panel that starts at column n of n_cols.  Four that remain of panels
 * of three go two and two: one alone would leave half of the multipliers waiting. */
AXL_INLINE int64_t gemm_panel_vecs(int64_t n, int64_t n_cols)
{
    int64_t left = (n_cols - n + VF_N - 1) / VF_N;

    if (VF_TILE_VECS == 3 && left == 4)
        return 2;
    return left < VF_TILE_VECS ? left : VF_TILE_VECS;
}

/* Panels of the right operand, one behind another, each (n_units, its width), to be filled from
 * unit `first` on. */
typedef struct gemm_panels {
    float *data;
    int64_t n_units, first;
} gemm_panels;

/* Columns are the block's rows, filled up with zeros to whole vectors.  This one for sources that
 * are not deep: whole rows of memory at a time, some ahead of their use, since each may lie in
 * another page. */
AXL_INLINE void gemm_pack_flat_as(gemm_unit unit, axl_dtype t, gemm_panels dst,
                                  const gemm_source *s, const gemm_block *b)
{
    int64_t per = gemm_per_unit(unit), n_units = gemm_units(unit, b->n_deep);

    for (int64_t u = 0; u < n_units; u++) {
        int64_t at = (b->depth + u * per) * s->stride + b->row;
        bool more = u * per + 1 < b->n_deep, any = !VF_HAS_AMX || u * per < b->n_deep;

        for (int64_t i = 0; i < per; i++)
            for (int64_t n = 0; n < b->n_rows; n += 64 / (int64_t)axl__dtype_size(t))
                __builtin_prefetch(axl_at(s->data, t, at + (GEMM_AHEAD + i) * s->stride + n));
        for (int64_t n = 0, vecs; n < b->n_rows; n += vecs * VF_N) {
            vecs = gemm_panel_vecs(n, b->n_rows);
            float *to = dst.data + n * dst.n_units + (dst.first + u) * vecs * VF_N;

            for (int64_t r = 0; r < vecs * VF_N; r += VF_N)
                vf_store(to + r, any ? gemm_load_flat(unit, t, s->data, at + n + r,
                                                      b->n_rows - n - r, s->stride, more)
                                     : vf_zero());
        }
    }
}

/* dst[u * ld + r], one panel of a deep source. */
AXL_INLINE void gemm_pack_deep_as(gemm_unit unit, axl_dtype t, float *dst, int64_t ld,
                                  const gemm_source *s, const gemm_block *b)
{
    int64_t per = gemm_per_unit(unit), n_units = gemm_units(unit, b->n_deep);

    for (int64_t r = 0; r < b->n_rows; r += VF_N) {
        for (int64_t u = 0; u < n_units; u += VF_N) {
            vf v[VF_N];
            gemm_load_square(v, unit, t, s, b->row + r, b->n_rows - r, b->depth + u * per,
                             b->n_deep - u * per);
            int64_t n = n_units - u < VF_N ? n_units - u : VF_N;
            for (int64_t i = 0; i < n; i++)
                vf_store(dst + (u + i) * ld + r, v[i]);
        }
    }
}

AXL_INLINE void gemm_pack_panels_as(gemm_unit unit, axl_dtype t, gemm_panels dst,
                                    const gemm_source *s, const gemm_block *b)
{
    if (!s->deep) {
        gemm_pack_flat_as(unit, t, dst, s, b);
        return;
    }
    for (int64_t n = 0, width; n < b->n_rows; n += width) {
        gemm_block panel = *b;
        width = gemm_panel_vecs(n, b->n_rows) * VF_N;
        panel.row += n;
        panel.n_rows = b->n_rows - n < width ? b->n_rows - n : width;
        gemm_pack_deep_as(unit, t, dst.data + n * dst.n_units + dst.first * width, width, s,
                          &panel);
    }
}

/* dst[r * ld + u], ld a multiple of VF_N: rows of the left operand, from a deep source. */
AXL_INLINE void gemm_pack_rows_as(gemm_unit unit, axl_dtype t, float *dst, int64_t ld,
                                  const gemm_source *s, const gemm_block *b)
{
    int64_t per = gemm_per_unit(unit), n_units = gemm_units(unit, b->n_deep);

    for (int64_t r = 0; r < b->n_rows; r++)
        for (int64_t u = 0; u < n_units; u += VF_N)
            vf_store(dst + r * ld + u,
                     gemm_load_deep(unit, t, s->data, (b->row + r) * s->stride + b->depth + u * per,
                                    b->n_deep - u * per));
}

/* dst[r * ld + u] = src[u * src_ld + r]: rows of units from units of rows, both as whole squares of
 * VF_N. */
AXL_INLINE void gemm_turn(float *dst, int64_t ld, const float *src, int64_t src_ld, int64_t n_rows,
                          int64_t n_units)
{
    for (int64_t u = 0; u < n_units; u += VF_N) {
        for (int64_t r = 0; r < n_rows; r += VF_N) {
            vf v[VF_N];
            AXL_UNROLL
            for (int i = 0; i < VF_N; i++)
                v[i] = vf_load(src + (u + i) * src_ld + r);
            vf_transpose(v);
            AXL_UNROLL
            for (int i = 0; i < VF_N; i++)
                vf_store(dst + (r + i) * ld + u, v[i]);
        }
    }
}

/* One copy of a packing loop for each kind of source and unit. */
#define GEMM_PICK(pack, unit, s, ...)                                                              \
    do {                                                                                           \
        if ((unit) == GEMM_F32 && (s)->dtype == AXL_F32)                                           \
            pack(GEMM_F32, AXL_F32, __VA_ARGS__);                                                  \
        else if ((unit) != GEMM_PAIR && (s)->dtype == AXL_BF16)                                    \
            pack(GEMM_F32, AXL_BF16, __VA_ARGS__);                                                 \
        else if (!VF_HAS_DOT_BF16)                                                                 \
            pack(GEMM_F32_ROUNDED, AXL_F32, __VA_ARGS__);                                          \
        else if ((s)->dtype == AXL_F32)                                                            \
            pack(GEMM_PAIR, AXL_F32, __VA_ARGS__);                                                 \
        else                                                                                       \
            pack(GEMM_PAIR, AXL_BF16, __VA_ARGS__);                                                \
    } while (0)

static void gemm_pack_memory(gemm_unit unit, gemm_panels dst, const gemm_source *s,
                             const gemm_block *b)
{
    GEMM_PICK(gemm_pack_panels_as, unit, s, dst, s, b);
}

/* A block of a quantised source that `decoded` has room for. */
static void gemm_pack_piece(gemm_unit unit, gemm_panels dst, const gemm_source *s,
                            const gemm_block *b)
{
    int64_t row = s->deep ? b->row : b->depth, n_rows = s->deep ? b->n_rows : b->n_deep;
    int64_t col = s->deep ? b->depth : b->row, n_cols = s->deep ? b->n_deep : b->n_rows;
    gemm_source from = { .data = s->decoded, .dtype = s->dtype, .stride = n_cols, .deep = s->deep };

    for (int64_t r = 0; r < n_rows; r++)
        axl_decode(axl_at_mut(s->decoded, s->dtype, r * n_cols), s->dtype, s->weight,
                   (row + r) * s->stride + col, n_cols);
    gemm_pack_memory(unit, dst, &from, &(gemm_block){ 0, b->n_rows, 0, b->n_deep });
}

/* The block in pieces of so much depth. */
static void gemm_pack_pieces(gemm_unit unit, gemm_panels dst, const gemm_source *s,
                             const gemm_block *b, int64_t deep)
{
    gemm_block piece = *b;

    for (int64_t d = 0; d < b->n_deep; d += deep) {
        piece.depth = b->depth + d;
        piece.n_deep = b->n_deep - d < deep ? b->n_deep - d : deep;
        dst.first = gemm_units(unit, d);
        gemm_pack_piece(unit, dst, s, &piece);
    }
}

static void gemm_pack_panels(gemm_unit unit, float *data, const gemm_source *s, const gemm_block *b)
{
    gemm_panels dst = { data, gemm_units(unit, b->n_deep), 0 };

    if (!s->weight) {
        gemm_pack_memory(unit, dst, s, b);
        return;
    }
    if (!s->deep) {
        gemm_pack_pieces(unit, dst, s, b, GEMM_DECODE_FLAT);
        return;
    }
    for (int64_t n = 0, width; n < b->n_rows; n += width, dst.data += width * dst.n_units) {
        gemm_block panel = *b;
        width = gemm_panel_vecs(n, b->n_rows) * VF_N;
        panel.row += n;
        panel.n_rows = b->n_rows - n < width ? b->n_rows - n : width;
        gemm_pack_pieces(unit, dst, s, &panel,
                         GEMM_DECODE_DEEP / (int64_t)axl__dtype_size(s->dtype));
    }
}

static void gemm_pack_rows(gemm_unit unit, float *dst, int64_t ld, const gemm_source *s,
                           const gemm_block *b)
{
    GEMM_PICK(gemm_pack_rows_as, unit, s, dst, ld, s, b);
}

/* ---- multiplying ---- */

/* Lines of 64 bytes: n_across of each of n_down rows that lie stride bytes apart. */
typedef struct gemm_lines {
    const char *at;
    int64_t stride, n_across, n_down;
} gemm_lines;

enum { GEMM_STEP = VF_HAS_AMX ? GEMM_AMX : 8, GEMM_AHEAD_MAX = 3 };

/* Memory that will be needed next, brought near while tiles are multiplied: per_step lines for
 * every GEMM_STEP units. */
typedef struct gemm_ahead {
    gemm_lines of[GEMM_AHEAD_MAX];
    int64_t n, now; /* of them; the one whose turn it is */
    int64_t across; /* lines done of its row */
    int64_t per_step;
} gemm_ahead;

AXL_INLINE gemm_lines gemm_lines_of(const gemm_source *s, const gemm_block *b)
{
    int64_t size = (int64_t)axl__dtype_size(s->dtype), lead = s->deep ? b->row : b->depth;
    int64_t inner = s->deep ? b->depth : b->row, n = s->deep ? b->n_deep : b->n_rows;

    if (s->weight) {
        int64_t per = s->weight->kind == AXL_WEIGHT_INT8 ? 1 : 2;
        return (
            gemm_lines){ (const char *)s->weight->quant.codes + (lead * s->stride + inner) / per,
                         s->stride / per, (n / per + 63) / 64, s->deep ? b->n_rows : b->n_deep };
    }
    return (gemm_lines){ axl_at(s->data, s->dtype, lead * s->stride + inner), s->stride * size,
                         (n * size + 63) / 64, s->deep ? b->n_rows : b->n_deep };
}

AXL_INLINE void gemm_ahead_add(gemm_ahead *f, gemm_lines l)
{
    if (l.n_down > 0 && l.n_across > 0)
        f->of[f->n++] = l;
}

/* Spreads the lines over the product of so many rows, columns and units. */
AXL_INLINE void gemm_ahead_spread(gemm_ahead *f, int64_t n_rows, int64_t n_cols, int64_t n_units)
{
    int64_t rows = VF_HAS_AMX ? 2 * GEMM_AMX : VF_TILE_ROWS, lines = 0;
    int64_t steps = (n_rows + rows - 1) / rows * ((n_cols + GEMM_PANEL - 1) / GEMM_PANEL) *
                    (n_units / GEMM_STEP);

    for (int64_t i = 0; i < f->n; i++)
        lines += f->of[i].n_across * f->of[i].n_down;
    f->per_step = steps > 0 ? (lines + steps - 1) / steps : 0;
}

AXL_INLINE void gemm_fetch(gemm_ahead *f)
{
    for (int64_t i = 0; i < f->per_step && f->now < f->n; i++) {
        gemm_lines *l = &f->of[f->now];

        __builtin_prefetch(l->at + f->across * 64, 0, 2);
        if (++f->across == l->n_across) {
            f->across = 0;
            l->at += l->stride;
            f->now += --l->n_down == 0;
        }
    }
}

/* A right operand: n_cols columns of n_units units, packed; of these a product takes the panels
 * that reach into columns [begin, end), and the units from `first` on. */
typedef struct gemm_right {
    const float *panels;
    int64_t n_cols, n_units, begin, end, first;
} gemm_right;

AXL_INLINE gemm_right gemm_right_whole(const float *panels, int64_t n_cols, int64_t n_units)
{
    return (gemm_right){ panels, n_cols, n_units, 0, n_cols, 0 };
}

/* A left operand: unit u of row r lies at data + r * row + u * unit bytes. */
typedef struct gemm_left {
    const void *data;
    int64_t row, unit;
} gemm_left;

AXL_INLINE gemm_left gemm_left_from(gemm_left l, int64_t row)
{
    return (gemm_left){ (const char *)l.data + row * l.row, l.row, l.unit };
}

/* acc (rows, vecs) += the unit `at` bytes into the rows, times b. */
AXL_INLINE void gemm_unit_step(int rows, int vecs, bool pair, const char *const *row, int64_t at,
                               const float *b, vf (*acc)[VF_TILE_VECS])
{
    vf right[VF_TILE_VECS];

    AXL_UNROLL
    for (int v = 0; v < vecs; v++)
        right[v] = vf_load(b + v * VF_N);
    AXL_UNROLL
    for (int r = 0; r < rows; r++) {
        float bits;
        memcpy(&bits, row[r] + at, sizeof bits);
        vf left = vf_set1(bits);
        AXL_UNROLL
        for (int v = 0; v < vecs; v++)
            acc[r][v] =
                pair ? vf_dot_bf16(acc[r][v], left, right[v]) : vf_fma(left, right[v], acc[r][v]);
    }
}

/* c (rows, vecs * VF_N) = a b, or += when `add`; b is a panel of vecs vectors. */
AXL_INLINE void gemm_tile_of(int rows, int vecs, bool pair, int64_t unit, int64_t n_units,
                             gemm_left a, const float *b, float *c, int64_t ldc, bool add,
                             gemm_ahead *ahead)
{
    vf acc[GEMM_ROWS_MAX][VF_TILE_VECS];
    const char *row[GEMM_ROWS_MAX];

    AXL_UNROLL
    for (int r = 0; r < rows; r++) {
        row[r] = (const char *)a.data + r * a.row;
        AXL_UNROLL
        for (int v = 0; v < vecs; v++)
            acc[r][v] = add ? vf_load(c + r * ldc + v * VF_N) : vf_zero();
    }
    int64_t u = 0, at = 0;
    for (; u + GEMM_STEP <= n_units; u += GEMM_STEP) {
        gemm_fetch(ahead);
        for (int i = 0; i < GEMM_STEP; i++, at += unit, b += vecs * VF_N)
            gemm_unit_step(rows, vecs, pair, row, at, b, acc);
    }
    for (; u < n_units; u++, at += unit, b += vecs * VF_N)
        gemm_unit_step(rows, vecs, pair, row, at, b, acc);
    AXL_UNROLL
    for (int r = 0; r < rows; r++)
        AXL_UNROLL
    for (int v = 0; v < vecs; v++)
        vf_store(c + r * ldc + v * VF_N, acc[r][v]);
}

/* Units that lie one behind another need no register for their distance. */
AXL_INLINE void gemm_tile_as(int rows, int vecs, bool pair, int64_t n_units, gemm_left a,
                             const float *b, float *c, int64_t ldc, bool add, gemm_ahead *ahead)
{
    if (a.unit == (int64_t)sizeof(float))
        gemm_tile_of(rows, vecs, pair, (int64_t)sizeof(float), n_units, a, b, c, ldc, add, ahead);
    else
        gemm_tile_of(rows, vecs, pair, a.unit, n_units, a, b, c, ldc, add, ahead);
}

/* The left operand comes by address: a copy on the stack is read in other pieces than it was
 * written in, and waits. */
typedef void gemm_tile_fn(int64_t n_units, const gemm_left *a, const float *b, float *c,
                          int64_t ldc, bool add, gemm_ahead *ahead);

#define GEMM_TILE(kind, pair, rows, vecs)                                                          \
    static void gemm_tile_##kind##_##rows##x##vecs(int64_t n_units, const gemm_left *a,            \
                                                   const float *b, float *c, int64_t ldc,          \
                                                   bool add, gemm_ahead *ahead)                    \
    {                                                                                              \
        gemm_tile_as(rows, vecs, pair, n_units, *a, b, c, ldc, add, ahead);                        \
    }
#define GEMM_NAME(kind, pair, rows, vecs) gemm_tile_##kind##_##rows##x##vecs,

/* X(kind, pair, rows, vecs) for all sizes; a row of the table for each vecs. */
#if VF_TILE_ROWS == 8
#define GEMM_ROWS(X, k, p, v)                                                                      \
    X(k, p, 1, v)                                                                                  \
    X(k, p, 2, v)                                                                                  \
    X(k, p, 3, v) X(k, p, 4, v) X(k, p, 5, v) X(k, p, 6, v) X(k, p, 7, v) X(k, p, 8, v)
#elif VF_TILE_ROWS == 6
#define GEMM_ROWS(X, k, p, v)                                                                      \
    X(k, p, 1, v) X(k, p, 2, v) X(k, p, 3, v) X(k, p, 4, v) X(k, p, 5, v) X(k, p, 6, v)
#else
#define GEMM_ROWS(X, k, p, v) X(k, p, 1, v) X(k, p, 2, v) X(k, p, 3, v) X(k, p, 4, v)
#endif

#if VF_TILE_VECS == 3
#define GEMM_VECS(X, Y, k, p) Y(X, k, p, 1) Y(X, k, p, 2) Y(X, k, p, 3)
#else
#define GEMM_VECS(X, Y, k, p) Y(X, k, p, 1) Y(X, k, p, 2)
#endif

#define GEMM_TABLE_ROW(X, k, p, v) { GEMM_ROWS(X, k, p, v) },

GEMM_VECS(GEMM_TILE, GEMM_ROWS, f32, false)
static gemm_tile_fn *const gemm_tiles_f32[VF_TILE_VECS][VF_TILE_ROWS] = { GEMM_VECS(
    GEMM_NAME, GEMM_TABLE_ROW, f32, false) };

#if VF_HAS_DOT_BF16
GEMM_VECS(GEMM_TILE, GEMM_ROWS, pair, true)
static gemm_tile_fn *const gemm_tiles_pair[VF_TILE_VECS][VF_TILE_ROWS] = { GEMM_VECS(
    GEMM_NAME, GEMM_TABLE_ROW, pair, true) };
#else
#define gemm_tiles_pair gemm_tiles_f32
#endif

/* Where all columns are one vector, twice the rows keep the multipliers as busy. */
static void gemm_tile_tall(gemm_unit unit, int64_t n_units, gemm_left a, const float *b, float *c,
                           int64_t ldc, bool add, gemm_ahead *ahead)
{
    if (unit == GEMM_PAIR)
        gemm_tile_as(GEMM_ROWS_MAX, 1, true, n_units, a, b, c, ldc, add, ahead);
    else
        gemm_tile_as(GEMM_ROWS_MAX, 1, false, n_units, a, b, c, ldc, add, ahead);
}

/* ---- AMX ---- */

/* c (16 row_tiles, 16 vecs) = or += a b; b is a panel of vecs vectors. */
AXL_INLINE void gemm_amx_as(int row_tiles, int vecs, int64_t n_units, gemm_left a, const float *b,
                            float *c, int64_t ldc, bool add, gemm_ahead *ahead)
{
    const char *top = a.data, *low = top + GEMM_AMX * a.row;
    float *c_low = c + GEMM_AMX * ldc;
    int64_t ld = ldc * (int64_t)sizeof *c, ldb = vecs * VF_N * (int64_t)sizeof *b;

    (void)ld; /* no AMX: nothing is left of this */
    (void)c_low;
    amx_zero(0);
    amx_zero(1);
    amx_zero(2);
    amx_zero(3);
    if (add) {
        amx_load(0, c, ld);
        if (vecs > 1)
            amx_load(1, c + VF_N, ld);
        if (row_tiles > 1)
            amx_load(2, c_low, ld);
        if (row_tiles > 1 && vecs > 1)
            amx_load(3, c_low + VF_N, ld);
    }
    for (int64_t u = 0; u < n_units; u += GEMM_AMX) {
        gemm_fetch(ahead);
        amx_load(4, top + u * 4, a.row);
        amx_load(6, b + u * vecs * VF_N, ldb);
        amx_dot(0, 4, 6);
        if (vecs > 1) {
            amx_load(7, b + u * vecs * VF_N + VF_N, ldb);
            amx_dot(1, 4, 7);
        }
        if (row_tiles > 1) {
            amx_load(5, low + u * 4, a.row);
            amx_dot(2, 5, 6);
        }
        if (row_tiles > 1 && vecs > 1)
            amx_dot(3, 5, 7);
    }
    (void)low;
    (void)ldb;
    amx_store(0, c, ld);
    if (vecs > 1)
        amx_store(1, c + VF_N, ld);
    if (row_tiles > 1)
        amx_store(2, c_low, ld);
    if (row_tiles > 1 && vecs > 1)
        amx_store(3, c_low + VF_N, ld);
}

/* The panel's product with rows by tiles of AMX; returns the rows done, what is left is fewer than
 * sixteen. */
AXL_INLINE int64_t gemm_amx(int64_t n_rows, int64_t vecs, int64_t n_units, gemm_left a,
                            const float *b, float *c, int64_t ldc, bool add, gemm_ahead *ahead)
{
    int64_t r = 0;

    for (; r + 2 * GEMM_AMX <= n_rows; r += 2 * GEMM_AMX) {
        if (vecs == 1)
            gemm_amx_as(2, 1, n_units, gemm_left_from(a, r), b, c + r * ldc, ldc, add, ahead);
        else
            gemm_amx_as(2, 2, n_units, gemm_left_from(a, r), b, c + r * ldc, ldc, add, ahead);
    }
    if (r + GEMM_AMX > n_rows)
        return r;
    if (vecs == 1)
        gemm_amx_as(1, 1, n_units, gemm_left_from(a, r), b, c + r * ldc, ldc, add, ahead);
    else
        gemm_amx_as(1, 2, n_units, gemm_left_from(a, r), b, c + r * ldc, ldc, add, ahead);
    return r + GEMM_AMX;
}

/* c (n_rows, n_cols filled up to vectors) = or += a b over units [b->first, n_units): one strip of
 * at most VF_TILE_ROWS rows after another, each over all panels while its rows are in the first
 * cache.  With AMX the left operand's units lie one behind another, and the caller stands between
 * amx_begin and amx_end. */
AXL_INLINE void gemm_multiply(gemm_unit unit, int64_t n_rows, int64_t n_units, gemm_left a,
                              const gemm_right *b, float *c, int64_t ldc, bool add,
                              gemm_ahead *ahead)
{
    int64_t r = 0;

    a.data = (const char *)a.data + b->first * a.unit;
    if (VF_HAS_AMX && unit == GEMM_PAIR) {
        int64_t done = 0;
        for (int64_t n = 0, vecs; n < b->end; n += vecs * VF_N) {
            vecs = gemm_panel_vecs(n, b->n_cols);
            if (n + vecs * VF_N > b->begin)
                done = gemm_amx(n_rows, vecs, n_units - b->first, a,
                                b->panels + n * b->n_units + b->first * vecs * VF_N, c + n, ldc,
                                add, ahead);
        }
        r = done;
    }
    for (; b->n_cols <= VF_N && r + GEMM_ROWS_MAX <= n_rows; r += GEMM_ROWS_MAX)
        gemm_tile_tall(unit, n_units - b->first, gemm_left_from(a, r), b->panels + b->first * VF_N,
                       c + r * ldc, ldc, add, ahead);
    for (; r < n_rows; r += VF_TILE_ROWS) {
        int64_t rows = n_rows - r < VF_TILE_ROWS ? n_rows - r : VF_TILE_ROWS;
        gemm_left from = gemm_left_from(a, r);

        for (int64_t n = 0, vecs; n < b->end; n += vecs * VF_N) {
            vecs = gemm_panel_vecs(n, b->n_cols);
            if (n + vecs * VF_N <= b->begin)
                continue;
            gemm_tile_fn *tile = unit == GEMM_PAIR ? gemm_tiles_pair[vecs - 1][rows - 1]
                                                   : gemm_tiles_f32[vecs - 1][rows - 1];
            tile(n_units - b->first, &from, b->panels + n * b->n_units + b->first * vecs * VF_N,
                 c + r * ldc + n, ldc, add, ahead);
        }
    }
}

#endif
