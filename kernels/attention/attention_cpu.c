/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention_cpu.c - attention by blocks of queries and keys (Dao et al., "FlashAttention", 2022),
 * the products of blocks on the pieces of gemm.h.  Scores of one block of one head live in a
 * scratch slot; nothing of size Tq x Tk exists.
 *
 * Work is cut by sequence, head and block alone, each output is written by one task, and a task
 * adds up in a fixed order: the same bits on any number of threads.  The price is in the backward,
 * where one kind of task owns keys (dk, dv) and the other queries (dq), and both compute the
 * scores: seven products of blocks instead of five.
 *
 * The heads of a group share packed keys and values.  bf16 inputs are multiplied as bf16 with f32
 * sums where the machine does so; probabilities are then rounded to bf16.  Shaped for packed
 * batches of T = 512..8192 tokens, D = 64..128, causal; one query with a long cache works, less
 * well.
 */
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/op_cpu.h"

#include "attention.h"

#include <assert.h>
#include <math.h>

enum {
    BLOCK_K = 96, /* keys as columns: two panels of AVX-512, twelve of plain C */
    BLOCK_Q = 64, /* queries as columns, and the most as rows */
    TASK_HEADS = 8,
    SMALL_HEAD = 256, /* larger heads get smaller tasks, for the sake of scratch memory */
    LARGE_HEAD = AXL__MAX_HEAD_DIM,
    /* Rows of a task: queries of all its heads, or keys. */
    QUERY_ROWS = 256,
    KEY_ROWS = 192,
    LARGE_ROWS = 96
};

typedef struct job {
    axl_device *dev;
    const axl_attention_args *f;
    const axl_attention_backward_args *b; /* NULL in the forward */
    gemm_unit unit;
    int64_t n_tasks;
    int64_t block;       /* queries or keys of a task */
    int64_t group;       /* query heads of a kv head */
    int64_t heads;       /* of them in a task */
    int64_t n_chunks;    /* tasks that the heads make */
    atomic_bool cancelled;
} job;

/* One task: rows [row, +n_rows) of a sequence (counted in the batch), heads [head, +n_heads). */
typedef struct span {
    int64_t seq, row, n_rows, head, n_heads, kv_head;
} span;

/* A block of rows of one head. */
typedef struct block {
    const axl_mat *m;
    int64_t head, row, n_rows;
} block;

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t padded(int64_t n)
{
    return ceil_div(n, VF_N) * VF_N;
}

static int64_t query_rows(int64_t head_dim)
{
    return head_dim <= SMALL_HEAD ? QUERY_ROWS : LARGE_ROWS;
}

static int64_t key_rows(int64_t head_dim)
{
    return head_dim <= SMALL_HEAD ? KEY_ROWS : LARGE_ROWS;
}

/* ---- cutting ---- */

static void cut_heads(job *j, int64_t most)
{
    j->group = j->f->n_heads / j->f->n_kv_heads;
    j->heads = ceil_div(j->group, ceil_div(j->group, most));
    j->n_chunks = j->f->n_kv_heads * ceil_div(j->group, j->heads);
}

static void count_tasks(job *j, const int32_t *cu)
{
    int64_t n = 0;

    for (int64_t s = 0; s < j->f->n_seqs; s++)
        n += ceil_div(cu[s + 1] - cu[s], j->block);
    j->n_tasks = n * j->n_chunks;
}

/* The last blocks come first: with causal scores they are the longest. */
static span find_task(const job *j, const int32_t *cu, uint64_t index)
{
    int64_t at = j->n_tasks - 1 - (int64_t)index, chunk = at % j->n_chunks;
    int64_t chunks = j->n_chunks / j->f->n_kv_heads, block = at / j->n_chunks;
    span t = { 0 };

    for (;; t.seq++) {
        int64_t n = ceil_div(cu[t.seq + 1] - cu[t.seq], j->block);
        if (block < n)
            break;
        block -= n;
    }
    t.row = cu[t.seq] + block * j->block;
    t.n_rows = min64(j->block, cu[t.seq + 1] - t.row);
    t.kv_head = chunk / chunks;
    t.head = t.kv_head * j->group + chunk % chunks * j->heads;
    t.n_heads = min64(j->heads, (t.kv_head + 1) * j->group - t.head);
    return t;
}

static bool give_up(job *j)
{
    if (!atomic_load_explicit(&j->cancelled, memory_order_relaxed) &&
        axl__cancelled(j->dev->ctx) == AXL_OK)
        return false;
    atomic_store_explicit(&j->cancelled, true, memory_order_relaxed);
    return true;
}

static axl_status run_tasks(job *j, axl_task_fn fn, int64_t n_tasks)
{
    if (n_tasks > 0)
        axl__parallel_for(j->dev->ctx, (uint64_t)n_tasks, fn, j);
    return atomic_load(&j->cancelled) ? axl__fail(AXL_ERR_CANCELLED, "cancelled") : AXL_OK;
}

/* ---- operands ---- */

typedef struct left {
    const void *rows;
    int64_t stride; /* bytes */
} left;

static gemm_source head_of(const block *b, int64_t head_dim, bool deep)
{
    const axl_mat *m = b->m;

    return (gemm_source){ axl_at(m->data, m->dtype, b->head * head_dim), m->dtype, m->stride,
                          deep };
}

/* The block as left operand with depth d, where it lies if it has the form, else packed. */
static left rows_of(const job *j, const block *b, float *space)
{
    int64_t D = j->f->head_dim, ld = padded(gemm_units(j->unit, D));
    const axl_mat *m = b->m;

    if ((j->unit == GEMM_F32 && m->dtype == AXL_F32) ||
        (j->unit == GEMM_PAIR && m->dtype == AXL_BF16 && D % 2 == 0))
        return (left){ axl_at(m->data, m->dtype, b->row * m->stride + b->head * D),
                       m->stride * (int64_t)axl__dtype_size(m->dtype) };
    gemm_source s = head_of(b, D, true);
    gemm_pack_rows(j->unit, space, ld, &s, &(gemm_block){ b->row, b->n_rows, 0, D });
    return (left){ space, ld * (int64_t)sizeof *space };
}

static left rows_from(left l, int64_t row)
{
    return (left){ (const char *)l.rows + row * l.stride, l.stride };
}

/* As right operand with depth d: columns are the block's rows. */
static void pack_across(const job *j, const block *b, float *panels)
{
    gemm_source s = head_of(b, j->f->head_dim, true);

    gemm_pack_panels(j->unit, panels, &s, &(gemm_block){ b->row, b->n_rows, 0, j->f->head_dim });
}

/* As right operand with the rows as depth: columns are d. */
static void pack_along(const job *j, const block *b, float *panels)
{
    gemm_source s = head_of(b, j->f->head_dim, false);

    gemm_pack_panels(j->unit, panels, &s, &(gemm_block){ 0, j->f->head_dim, b->row, b->n_rows });
}

/* Lanes of row `row` of a left operand that is computed here, from column i on; rows are BLOCK_K
 * units apart. */
static inline void put_units(gemm_unit unit, void *rows, int64_t row, int64_t i, vf v)
{
    if (unit == GEMM_PAIR)
        vf_store_bf16((uint16_t *)((float *)rows + row * BLOCK_K) + i, v);
    else
        vf_store((float *)rows + row * BLOCK_K + i, v);
}

/* c (n_rows, D padded) += rows (n_rows, n_deep) by panels of width D. */
static void add_product(const job *j, const void *rows, int64_t n_rows, int64_t n_deep,
                        const float *panels, float *c)
{
    int64_t D = j->f->head_dim;

    gemm_multiply(j->unit, n_rows, D, gemm_units(j->unit, n_deep), rows,
                  BLOCK_K * (int64_t)sizeof(float), panels, c, padded(D), true);
}

/* c (n_rows, BLOCK_K) = rows by panels with depth d. */
static void score_product(const job *j, left rows, int64_t n_rows, int64_t n_cols,
                          const float *panels, float *c)
{
    gemm_multiply(j->unit, n_rows, n_cols, gemm_units(j->unit, j->f->head_dim), rows.rows,
                  rows.stride, panels, c, BLOCK_K, false);
}

static vf lane_numbers(void)
{
    static const float lanes[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

    return vf_load(lanes);
}

/* v where the column i + lane < end, else instead. */
static inline vf before(int64_t i, int64_t end, vf v, vf instead)
{
    if (i + VF_N <= end)
        return v;
    return vf_blend_lt(lane_numbers(), vf_set1((float)(end - i)), v, instead);
}

/* ---- forward ---- */

typedef struct forward_space {
    float *k, *v;          /* panels (D, BLOCK_K), (BLOCK_K, D padded) */
    float *q;              /* (rows, D padded): queries that had to be packed */
    float *s, *p;          /* (BLOCK_Q, BLOCK_K) scores; probabilities as units */
    float *out;            /* (rows, D padded) */
    float *max, *sum;      /* (rows) */
    left left[TASK_HEADS]; /* of each head */
} forward_space;

#define FORWARD_SIZE(rows, D)                                                                      \
    (((2 * BLOCK_K + 2 * (rows)) * ((D) + VF_N) + 2 * BLOCK_Q * BLOCK_K + 2 * (rows)) *            \
     sizeof(float))
static_assert(FORWARD_SIZE(QUERY_ROWS, SMALL_HEAD) <= AXL_SCRATCH_SIZE &&
                  FORWARD_SIZE(LARGE_ROWS, LARGE_HEAD) <= AXL_SCRATCH_SIZE,
              "a task of the forward fits a scratch slot");

static void carve_forward(forward_space *w, float *slot, int64_t head_dim)
{
    int64_t D = padded(head_dim), rows = query_rows(head_dim);

    w->k = slot;
    w->v = w->k + BLOCK_K * D;
    w->q = w->v + BLOCK_K * D;
    w->out = w->q + rows * D;
    w->s = w->out + rows * D;
    w->p = w->s + BLOCK_Q * BLOCK_K;
    w->max = w->p + BLOCK_Q * BLOCK_K;
    w->sum = w->max + rows;
}

/* One row of scores, of which the first `seen` count: the running maximum and sum move on, earlier
 * output is scaled to the new maximum, and the probabilities become a row of units. */
static void softmax_row(const job *j, float *s, int64_t seen, int64_t n_cols, void *p, int64_t row,
                        float *max, float *sum, float *out)
{
    vf scale = vf_set1(j->f->scale), top = vf_set1(-INFINITY), total = vf_zero();
    int64_t D = padded(j->f->head_dim);

    for (int64_t i = 0; i < seen; i += VF_N) {
        vf v = before(i, seen, vf_mul(vf_load(s + i), scale), vf_set1(-INFINITY));
        vf_store(s + i, v);
        top = vf_max(top, v);
    }
    float new_max = vf_hmax(top) > *max ? vf_hmax(top) : *max;
    for (int64_t i = 0; i < n_cols; i += VF_N) {
        vf v = vf_zero();
        if (i < seen)
            v = vf_exp(vf_sub(vf_load(s + i), vf_set1(new_max)));
        total = vf_add(total, v);
        put_units(j->unit, p, row, i, v);
    }
    if (new_max > *max) {
        vf shrink = vf_exp(vf_set1(*max - new_max));
        float lane[VF_N];

        vf_store(lane, shrink);
        *sum *= lane[0];
        *max = new_max;
        for (int64_t d = 0; d < D; d += VF_N)
            vf_store(out + d, vf_mul(vf_load(out + d), shrink));
    }
    *sum += vf_sum(total);
}

/* Keys [key, +n_keys), packed, for the queries of head number h of the task. */
static void forward_block(const job *j, const span *t, forward_space *w, int64_t h, int64_t key,
                          int64_t n_keys)
{
    const axl_attention_args *f = j->f;
    int64_t D = padded(f->head_dim), n_cols = padded(n_keys);
    /* Row r sees the keys up to first + r of the block; earlier rows than `begin` see none. */
    int64_t first = f->cu_k[t->seq + 1] - f->cu_q[t->seq + 1] + t->row - key;
    int64_t begin = max64(0, -first), n_rows = t->n_rows - begin;
    float *out = w->out + h * t->n_rows * D;

    score_product(j, rows_from(w->left[h], begin), n_rows, n_keys, w->k, w->s);
    for (int64_t r = 0; r < n_rows; r++) {
        int64_t seen = min64(n_keys, first + begin + r + 1), at = h * t->n_rows + begin + r;
        softmax_row(j, w->s + r * BLOCK_K, seen, n_cols, w->p, r, w->max + at, w->sum + at,
                    out + (begin + r) * D);
    }
    add_product(j, w->p, n_rows, n_keys, w->v, out + begin * D);
}

static void forward_finish(const job *j, const span *t, const forward_space *w, int64_t h)
{
    const axl_attention_args *f = j->f;
    int64_t D = f->head_dim;

    for (int64_t r = 0; r < t->n_rows; r++) {
        int64_t at = h * t->n_rows + r, row = t->row + r;
        const float *from = w->out + at * padded(D);
        void *to = axl_at_mut(f->out.data, f->out.dtype, row * f->out.stride + (t->head + h) * D);
        vf inverse = vf_set1(1.0f / w->sum[at]);

        for (int64_t d = 0; d < D; d += VF_N) {
            vf v = vf_mul(vf_load(from + d), inverse);
            if (D - d >= VF_N)
                vf_store_t(to, f->out.dtype, d, v);
            else
                vf_store_t_n(to, f->out.dtype, d, v, D - d);
        }
        if (f->lse)
            f->lse[(t->head + h) * f->q.rows + row] = w->max[at] + logf(w->sum[at]);
    }
}

static void run_forward(void *arg, uint64_t index)
{
    job *j = arg;
    const axl_attention_args *f = j->f;
    span t = find_task(j, f->cu_q, index);
    int64_t D = padded(f->head_dim), n_rows = t.n_heads * t.n_rows;
    int64_t last = f->cu_k[t.seq + 1] - (f->cu_q[t.seq + 1] - (t.row + t.n_rows));
    forward_space w;

    if (give_up(j))
        return;
    float *slot = axl__scratch_acquire(j->dev);
    carve_forward(&w, slot, f->head_dim);
    for (int64_t h = 0; h < t.n_heads; h++)
        w.left[h] = rows_of(j, &(block){ &f->q, t.head + h, t.row, t.n_rows },
                            w.q + h * t.n_rows * D);
    memset(w.out, 0, (size_t)(n_rows * D) * sizeof *w.out);
    for (int64_t i = 0; i < n_rows; i++) {
        w.max[i] = -INFINITY;
        w.sum[i] = 0.0f;
    }
    for (int64_t key = f->cu_k[t.seq]; key < last; key += BLOCK_K) {
        int64_t n_keys = min64(BLOCK_K, last - key);

        pack_across(j, &(block){ &f->k, t.kv_head, key, n_keys }, w.k);
        pack_along(j, &(block){ &f->v, t.kv_head, key, n_keys }, w.v);
        for (int64_t h = 0; h < t.n_heads; h++)
            forward_block(j, &t, &w, h, key, n_keys);
    }
    for (int64_t h = 0; h < t.n_heads; h++)
        forward_finish(j, &t, &w, h);
    axl__scratch_release(j->dev, slot);
}

axl_status AXL_ISA_NAME(attention_forward)(axl_device *dev, const axl_attention_args *a)
{
    job j = { .dev = dev, .f = a, .unit = gemm_unit_for(a->q.dtype, a->k.dtype, a->q.dtype) };

    assert(a->head_dim <= AXL__MAX_HEAD_DIM && a->n_heads % a->n_kv_heads == 0);
    cut_heads(&j, TASK_HEADS);
    j.block = min64(BLOCK_Q, query_rows(a->head_dim) / j.heads);
    count_tasks(&j, a->cu_q);
    return run_tasks(&j, run_forward, j.n_tasks);
}

/* ---- backward ---- */

/* The two kinds of task: of keys, whose rows stand against blocks of queries, and the other way. */
typedef struct backward_space {
    float *x_across, *y_across;  /* panels with depth d: (D, BLOCK_K) */
    float *x_along, *y_along;    /* panels with the rows as depth: (BLOCK_K, D padded) */
    float *s, *ds;               /* (KEY_ROWS or BLOCK_Q, BLOCK_K) products */
    float *p_units, *ds_units;   /* the same size: P and dS as units */
    float *x_left, *y_left;      /* (rows, D padded): left operands that had to be packed */
    float *dx, *dy;              /* (rows, D padded) sums; dy for tasks of keys */
} backward_space;

#define BACKWARD_SIZE(rows, sums, D)                                                               \
    (((4 * BLOCK_K + (2 + (sums)) * (rows)) * ((D) + VF_N) + 4 * KEY_ROWS * BLOCK_K) *             \
     sizeof(float))
static_assert(BACKWARD_SIZE(KEY_ROWS, 2, SMALL_HEAD) <= AXL_SCRATCH_SIZE &&
                  BACKWARD_SIZE(QUERY_ROWS, 1, SMALL_HEAD) <= AXL_SCRATCH_SIZE &&
                  BACKWARD_SIZE(LARGE_ROWS, 2, LARGE_HEAD) <= AXL_SCRATCH_SIZE,
              "a task of the backward fits a scratch slot");

static void carve_backward(backward_space *w, float *slot, int64_t head_dim, int64_t rows)
{
    int64_t D = padded(head_dim);
    float **const panels[] = { &w->x_across, &w->y_across, &w->x_along, &w->y_along };
    float **const squares[] = { &w->s, &w->ds, &w->p_units, &w->ds_units };
    float **const wide[] = { &w->x_left, &w->y_left, &w->dx, &w->dy }; /* dy last: not always */

    for (int i = 0; i < 4; i++, slot += BLOCK_K * D)
        *panels[i] = slot;
    for (int i = 0; i < 4; i++, slot += KEY_ROWS * BLOCK_K)
        *squares[i] = slot;
    for (int i = 0; i < 4; i++, slot += rows * D)
        *wide[i] = slot;
}

/* A sum (n_rows, D padded) to its place. */
static void put_block(const job *j, const axl_mat *m, int64_t head, int64_t row, int64_t n_rows,
                      const float *from)
{
    int64_t D = j->f->head_dim;

    for (int64_t r = 0; r < n_rows; r++) {
        void *to = axl_at_mut(m->data, m->dtype, (row + r) * m->stride + head * D);

        for (int64_t d = 0; d < D; d += VF_N) {
            vf v = vf_load(from + r * padded(D) + d);
            if (D - d >= VF_N)
                vf_store_t(to, m->dtype, d, v);
            else
                vf_store_t_n(to, m->dtype, d, v, D - d);
        }
    }
}

static vf load_some(const float *p, int64_t n)
{
    return n >= VF_N ? vf_load(p) : vf_load_n(p, n);
}

/* P and dS of the block as units, rows keys and columns queries; key r is seen from column
 * first + r on. */
static void gradients_by_key(const job *j, const backward_space *w, const float *lse,
                             const float *delta, int64_t n_keys, int64_t n_queries, int64_t first)
{
    vf scale = vf_set1(j->f->scale);

    for (int64_t r = 0; r < n_keys; r++) {
        for (int64_t i = 0; i < padded(n_queries); i += VF_N) {
            vf s = vf_mul(vf_load(w->s + r * BLOCK_K + i), scale);
            vf p = vf_exp(vf_sub(s, load_some(lse + i, n_queries - i)));
            p = before(i, n_queries, before(i, first + r, vf_zero(), p), vf_zero());
            vf dp = vf_sub(vf_load(w->ds + r * BLOCK_K + i), load_some(delta + i, n_queries - i));
            put_units(j->unit, w->p_units, r, i, p);
            put_units(j->unit, w->ds_units, r, i, vf_mul(vf_mul(p, dp), scale));
        }
    }
}

/* Queries [row, +n) of a head for the keys of the task, as far as one of them sees them. */
static void backward_keys_block(const job *j, const span *t, const backward_space *w, left k,
                                left v, int64_t head, int64_t row, int64_t n)
{
    const axl_attention_args *f = j->f;
    block q = { &f->q, head, row, n }, dout = { &j->b->dout, head, row, n };
    int64_t at = head * f->q.rows + row, n_keys = min64(t->n_rows, row + n - t->row);

    pack_across(j, &q, w->x_across);
    pack_across(j, &dout, w->y_across);
    score_product(j, k, n_keys, n, w->x_across, w->s);
    score_product(j, v, n_keys, n, w->y_across, w->ds);
    gradients_by_key(j, w, f->lse + at, j->b->delta + at, n_keys, n, t->row - row);
    pack_along(j, &q, w->x_along);
    pack_along(j, &dout, w->y_along);
    add_product(j, w->ds_units, n_keys, n, w->x_along, w->dx);
    add_product(j, w->p_units, n_keys, n, w->y_along, w->dy);
}

/* dk, dv of a block of keys. */
static void run_backward_keys(void *arg, uint64_t index)
{
    job *j = arg;
    const axl_attention_args *f = j->f;
    span t = find_task(j, f->cu_q, (uint64_t)j->n_tasks - 1 - index); /* first keys first */
    int64_t end = f->cu_q[t.seq + 1];
    size_t size = (size_t)(t.n_rows * padded(f->head_dim)) * sizeof(float);
    backward_space w;

    if (give_up(j))
        return;
    float *slot = axl__scratch_acquire(j->dev);
    carve_backward(&w, slot, f->head_dim, key_rows(f->head_dim));
    left k = rows_of(j, &(block){ &f->k, t.kv_head, t.row, t.n_rows }, w.x_left);
    left v = rows_of(j, &(block){ &f->v, t.kv_head, t.row, t.n_rows }, w.y_left);
    memset(w.dx, 0, size);
    memset(w.dy, 0, size);
    for (int64_t h = t.head; h < t.head + t.n_heads; h++)
        for (int64_t row = t.row; row < end; row += BLOCK_Q)
            backward_keys_block(j, &t, &w, k, v, h, row, min64(BLOCK_Q, end - row));
    put_block(j, &j->b->dk, t.kv_head, t.row, t.n_rows, w.dx);
    put_block(j, &j->b->dv, t.kv_head, t.row, t.n_rows, w.dy);
    axl__scratch_release(j->dev, slot);
}

/* dS of the block as units, rows queries and columns keys; query r sees columns up to first + r. */
static void gradients_by_query(const job *j, const backward_space *w, const float *lse,
                               const float *delta, int64_t n_queries, int64_t n_keys, int64_t first)
{
    vf scale = vf_set1(j->f->scale);

    for (int64_t r = 0; r < n_queries; r++) {
        int64_t seen = min64(n_keys, first + r + 1);
        for (int64_t i = 0; i < padded(n_keys); i += VF_N) {
            vf s = vf_mul(vf_load(w->s + r * BLOCK_K + i), scale);
            vf p = vf_exp(vf_sub(s, vf_set1(lse[r])));
            vf dp = vf_sub(vf_load(w->ds + r * BLOCK_K + i), vf_set1(delta[r]));
            put_units(j->unit, w->ds_units, r, i,
                      before(i, seen, vf_mul(vf_mul(p, dp), scale), vf_zero()));
        }
    }
}

/* Keys [key, +n_keys), packed, for the queries of head number h of the task. */
static void backward_queries_block(const job *j, const span *t, const backward_space *w, int64_t h,
                                   left q, left dout, int64_t key, int64_t n_keys)
{
    const axl_attention_args *f = j->f;
    int64_t D = padded(f->head_dim), begin = max64(0, key - t->row), n_rows = t->n_rows - begin;
    int64_t at = (t->head + h) * f->q.rows + t->row + begin;

    score_product(j, rows_from(q, begin), n_rows, n_keys, w->x_across, w->s);
    score_product(j, rows_from(dout, begin), n_rows, n_keys, w->y_across, w->ds);
    gradients_by_query(j, w, f->lse + at, j->b->delta + at, n_rows, n_keys, t->row + begin - key);
    add_product(j, w->ds_units, n_rows, n_keys, w->x_along, w->dx + (h * t->n_rows + begin) * D);
}

/* dq of a block of queries for some heads of a group, which share the packed keys. */
static void run_backward_queries(void *arg, uint64_t index)
{
    job *j = arg;
    const axl_attention_args *f = j->f;
    span t = find_task(j, f->cu_q, index);
    int64_t end = t.row + t.n_rows, rows = t.n_rows * padded(f->head_dim);
    left q[TASK_HEADS], dout[TASK_HEADS];
    backward_space w;

    if (give_up(j))
        return;
    float *slot = axl__scratch_acquire(j->dev);
    carve_backward(&w, slot, f->head_dim, query_rows(f->head_dim));
    for (int64_t h = 0; h < t.n_heads; h++) {
        q[h] = rows_of(j, &(block){ &f->q, t.head + h, t.row, t.n_rows }, w.x_left + h * rows);
        dout[h] = rows_of(j, &(block){ &j->b->dout, t.head + h, t.row, t.n_rows },
                          w.y_left + h * rows);
    }
    memset(w.dx, 0, (size_t)(t.n_heads * rows) * sizeof *w.dx);
    for (int64_t key = f->cu_k[t.seq]; key < end; key += BLOCK_K) {
        int64_t n_keys = min64(BLOCK_K, end - key);
        block k = { &f->k, t.kv_head, key, n_keys }, v = { &f->v, t.kv_head, key, n_keys };

        pack_across(j, &k, w.x_across);
        pack_across(j, &v, w.y_across);
        pack_along(j, &k, w.x_along);
        for (int64_t h = 0; h < t.n_heads; h++)
            backward_queries_block(j, &t, &w, h, q[h], dout[h], key, n_keys);
    }
    for (int64_t h = 0; h < t.n_heads; h++)
        put_block(j, &j->b->dq, t.head + h, t.row, t.n_rows, w.dx + h * rows);
    axl__scratch_release(j->dev, slot);
}

/* delta of BLOCK_Q rows of the batch. */
static void run_delta(void *arg, uint64_t index)
{
    const job *j = arg;
    const axl_attention_args *f = j->f;
    const axl_mat *o = &f->out, *dout = &j->b->dout;
    int64_t begin = (int64_t)index * BLOCK_Q, end = min64(begin + BLOCK_Q, f->q.rows);
    int64_t D = f->head_dim;

    for (int64_t row = begin; row < end; row++) {
        for (int64_t h = 0; h < f->n_heads; h++) {
            const void *o_h = axl_at(o->data, o->dtype, row * o->stride + h * D);
            const void *dout_h = axl_at(dout->data, dout->dtype, row * dout->stride + h * D);
            vf sum = vf_zero();

            for (int64_t d = 0; d < D; d += VF_N) {
                int64_t n = min64(VF_N, D - d);
                vf x = n == VF_N ? vf_load_t(o_h, o->dtype, d) : vf_load_t_n(o_h, o->dtype, d, n);
                vf y = n == VF_N ? vf_load_t(dout_h, dout->dtype, d)
                                 : vf_load_t_n(dout_h, dout->dtype, d, n);
                sum = vf_fma(x, y, sum);
            }
            j->b->delta[h * f->q.rows + row] = vf_sum(sum);
        }
    }
}

axl_status AXL_ISA_NAME(attention_backward)(axl_device *dev, const axl_attention_backward_args *a)
{
    const axl_attention_args *f = &a->forward;
    job j = { .dev = dev, .f = f, .b = a,
              .unit = gemm_unit_for(f->q.dtype, f->k.dtype, f->q.dtype) };

    assert(f->head_dim <= AXL__MAX_HEAD_DIM && f->n_heads % f->n_kv_heads == 0);
    AXL_TRY(run_tasks(&j, run_delta, ceil_div(f->q.rows, BLOCK_Q)));
    cut_heads(&j, f->n_heads); /* a task adds up all heads of a group */
    j.block = key_rows(f->head_dim);
    count_tasks(&j, f->cu_q);
    AXL_TRY(run_tasks(&j, run_backward_keys, j.n_tasks));
    cut_heads(&j, TASK_HEADS);
    j.block = min64(BLOCK_Q, query_rows(f->head_dim) / j.heads);
    count_tasks(&j, f->cu_q);
    return run_tasks(&j, run_backward_queries, j.n_tasks);
}
