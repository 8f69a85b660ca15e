/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention_cpu.c - attention by blocks of queries and keys (Dao et al., "FlashAttention", 2022),
 * the products of blocks on the pieces of gemm.h.  Scores exist for a strip of rows at a time, in
 * the first cache; nothing of size Tq x Tk does.
 *
 * Work is cut by sequence, kv head and block alone, each output is written by one task, and a task
 * adds up in a fixed order: the same bits on any number of threads.  In the backward a task owns a
 * part of a sequence's keys for all heads of a group: dk and dv are sums of its own, dq is summed
 * into a buffer per part, and the parts are added in order at the end.
 *
 * The heads of a group share packed keys and values.  bf16 inputs are multiplied as bf16 with f32
 * sums where the machine does so; probabilities are then rounded to bf16.  Shaped for packed
 * batches of T = 512..8192 tokens, D = 64..128, causal; one query with a long cache works, less
 * well.
 */
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/loop_cpu.h"
#include "kernels/cpu/op_cpu.h"
#include "kernels/cpu/scratch_cpu.h"

#include "attention.h"

#include <assert.h>
#include <math.h>

enum {
    BLOCK_K = 256, /* keys: columns of the forward, rows of the backward */
    BLOCK_Q = 96,  /* queries: columns of the backward */
    TASK_Q = 64,   /* queries of a task of the forward, for each head */
    STRIP = VF_HAS_AMX ? 2 * GEMM_AMX : VF_TILE_ROWS, /* rows whose scores exist at a time */
    TASK_HEADS = 8,
    CAP_VECTORS = 4,  /* of scores that take one way through tanh */
    QUERY_ROWS = 256, /* of a task of the forward: queries of all its heads */
    /* Larger heads get smaller blocks, for the sake of scratch memory. */
    SMALL_HEAD = 128,
    MIDDLE_HEAD = 256,
    MIDDLE_ROWS = 192, /* keys of a block of the backward */
    LARGE_HEAD = AXL__MAX_HEAD_DIM,
    LARGE_ROWS = 96 /* these and queries of a task */
};
#define LOG2_E 1.44269504f

typedef struct job {
    axl_device *dev;
    const axl_attention_args *f;
    const axl_attention_backward_args *b; /* NULL in the forward */
    gemm_unit unit;
    int64_t n_tasks;
    int64_t block;    /* queries of a task of the forward */
    int64_t group;    /* query heads of a kv head */
    int64_t heads;    /* of them in a task */
    int64_t n_chunks; /* tasks that the heads make */
    int64_t window;   /* keys that a query sees; more than there are where no window is wanted */
    float factor;     /* of scores, for the softmax: the scale, or the cap of those that have one */
    atomic_bool cancelled;
} job;

/* One task: rows [row, +n_rows) of a sequence (counted in the batch), heads [head, +n_heads). */
typedef struct span {
    int64_t seq, row, n_rows, head, n_heads, kv_head;
    int64_t part; /* which of the sequence's */
} span;

/* A block of rows of one head. */
typedef struct block {
    const axl_mat *m;
    int64_t head, row, n_rows;
} block;

static int64_t padded(int64_t n)
{
    return axl_div_up(n, VF_N) * VF_N;
}

static int64_t query_rows(int64_t head_dim)
{
    return head_dim <= MIDDLE_HEAD ? QUERY_ROWS : LARGE_ROWS;
}

static int64_t most_keys(int64_t head_dim)
{
    return head_dim <= SMALL_HEAD ? BLOCK_K : head_dim <= MIDDLE_HEAD ? MIDDLE_ROWS : LARGE_ROWS;
}

/* Keys of a block of the backward, of at most n: blocks of about one size. */
static int64_t key_rows(int64_t head_dim, int64_t n)
{
    return axl_div_up(axl_div_up(n, axl_div_up(n, most_keys(head_dim))), 16) * 16;
}

static int64_t window_of(const axl_attention_args *f)
{
    return f->window > 0 ? f->window : INT64_MAX / 2;
}

/* Capped scores are kept as their tanh. */
static float factor_of(const axl_attention_args *f)
{
    return f->soft_cap > 0.0f ? f->soft_cap : f->scale;
}

/* ---- cutting ---- */

static void cut_heads(job *j, int64_t most)
{
    j->group = j->f->n_heads / j->f->n_kv_heads;
    j->heads = axl_div_up(j->group, axl_div_up(j->group, most));
    j->n_chunks = j->f->n_kv_heads * axl_div_up(j->group, j->heads);
}

/* Rows of a task of a sequence of len tokens: queries in the forward, a part's keys in the
 * backward. */
static int64_t task_rows(const job *j, int64_t len)
{
    if (!j->b)
        return j->block;
    return axl_div_up(axl_div_up(len, axl__attention_parts(len)), 16) * 16;
}

static void count_tasks(job *j)
{
    const int32_t *cu = j->f->cu_q;
    int64_t n = 0;

    for (int64_t s = 0; s < j->f->n_seqs; s++)
        n += cu[s + 1] > cu[s] ? axl_div_up(cu[s + 1] - cu[s], task_rows(j, cu[s + 1] - cu[s])) : 0;
    j->n_tasks = n * j->n_chunks;
}

/* The longest come first: with causal scores the last queries, or the first keys. */
static span find_task(const job *j, uint64_t index)
{
    const int32_t *cu = j->f->cu_q;
    int64_t at = j->b ? (int64_t)index : j->n_tasks - 1 - (int64_t)index;
    int64_t chunk = at % j->n_chunks, block = at / j->n_chunks, rows = 0;
    int64_t chunks = j->n_chunks / j->f->n_kv_heads;
    span t = { 0 };

    for (;; t.seq++) {
        int64_t len = cu[t.seq + 1] - cu[t.seq];
        if (len == 0)
            continue;
        rows = task_rows(j, len);
        if (block < axl_div_up(len, rows))
            break;
        block -= axl_div_up(len, rows);
    }
    t.row = cu[t.seq] + block * rows;
    t.n_rows = axl_min(rows, cu[t.seq + 1] - t.row);
    t.part = block;
    t.kv_head = chunk / chunks;
    t.head = t.kv_head * j->group + chunk % chunks * j->heads;
    t.n_heads = axl_min(j->heads, (t.kv_head + 1) * j->group - t.head);
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

/* For each score its products and the exponential, which takes as long as some of them. */
static int64_t work_of_scores(const job *j)
{
    const axl_attention_args *f = j->f;
    int64_t scores = 0;

    for (int64_t s = 0; s < f->n_seqs; s++)
        scores += (int64_t)(f->cu_q[s + 1] - f->cu_q[s]) * (f->cu_k[s + 1] - f->cu_k[s]);
    return scores * f->n_heads * (f->head_dim + 16);
}

static axl_status run_tasks(job *j, axl_task_fn fn, int64_t n_tasks, int64_t work)
{
    axl_loop(j->dev, n_tasks, work, fn, j);
    return atomic_load(&j->cancelled) ? axl__fail(AXL_ERR_CANCELLED, "cancelled") : AXL_OK;
}

/* ---- operands ---- */

static gemm_source head_of(const block *b, int64_t head_dim, bool deep)
{
    const axl_mat *m = b->m;

    return (gemm_source){ .data = axl_at(m->data, m->dtype, b->head * head_dim),
                          .dtype = m->dtype,
                          .stride = m->stride,
                          .deep = deep };
}

/* The block as left operand with depth d, where it lies if it has the form, else packed. */
static gemm_left rows_of(const job *j, const block *b, float *space)
{
    int64_t D = j->f->head_dim, ld = padded(gemm_units(j->unit, D)), unit = sizeof(float);
    const axl_mat *m = b->m;

    if (gemm_in_place(j->unit, m->dtype, D))
        return (gemm_left){ axl_at(m->data, m->dtype, b->row * m->stride + b->head * D),
                            m->stride * (int64_t)axl__dtype_size(m->dtype), unit };
    gemm_source s = head_of(b, D, true);
    gemm_pack_rows(j->unit, space, ld, &s, &(gemm_block){ b->row, b->n_rows, 0, D });
    return (gemm_left){ space, ld * unit, unit };
}

/* As right operand with depth d: columns are the block's rows. */
static gemm_right pack_across(const job *j, const block *b, float *panels)
{
    int64_t D = j->f->head_dim;
    gemm_source s = head_of(b, D, true);

    gemm_pack_panels(j->unit, panels, &s, &(gemm_block){ b->row, b->n_rows, 0, D });
    return gemm_right_whole(panels, b->n_rows, gemm_units(j->unit, D));
}

/* As right operand with the rows as depth: columns are d. */
static gemm_right pack_along(const job *j, const block *b, float *panels)
{
    int64_t D = j->f->head_dim;
    gemm_source s = head_of(b, D, false);

    gemm_pack_panels(j->unit, panels, &s, &(gemm_block){ 0, D, b->row, b->n_rows });
    return gemm_right_whole(panels, D, gemm_units(j->unit, b->n_rows));
}

/* Lanes of a row of a left operand that is computed here, from column i on. */
AXL_INLINE void put_units(bool pair, float *row, int64_t i, vf v)
{
    if (pair)
        vf_store_rounded((uint16_t *)row + i, v);
    else
        vf_store(row + i, v);
}

static void multiply(const job *j, int64_t n_rows, int64_t n_units, const gemm_left *a,
                     const gemm_right *b, float *c, int64_t ldc, bool add)
{
    gemm_ahead none = { 0 };

    gemm_multiply(j->unit, n_rows, n_units, *a, b, c, ldc, add, &none);
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

/* n vectors of scores from column i on, of which those before `end` count, to their tanh.  Few
 * models' scores reach their cap: then it needs no division. */
AXL_INLINE void cap_vectors(float *s, int n, int64_t i, int64_t end, vf inner, bool rough)
{
    vf x[CAP_VECTORS], most = vf_zero();

    AXL_UNROLL
    for (int k = 0; k < n; k++) {
        x[k] = before(i + k * VF_N, end, vf_mul(vf_load(s + i + k * VF_N), inner), vf_zero());
        most = vf_max(most, vf_mul(x[k], x[k]));
    }
    bool small = vf_all_within(most, 1.0f);
    AXL_UNROLL
    for (int k = 0; k < n; k++)
        vf_store(s + i + k * VF_N, small ? vf_tanh_small(x[k], rough) : vf_tanh(x[k]));
}

AXL_INLINE void cap_row(float *s, int64_t begin, int64_t end, vf inner, bool rough)
{
    int64_t i = begin;

    for (; i + CAP_VECTORS * VF_N <= end; i += CAP_VECTORS * VF_N)
        cap_vectors(s, CAP_VECTORS, i, INT64_MAX, inner, rough);
    for (; i < end; i += VF_N)
        cap_vectors(s, 1, i, end, inner, rough);
}

/* Columns [begin, end) of n rows of scores, as they were multiplied, to what the softmax takes;
 * begin is a whole vector. */
static void cap_scores(const job *j, float *scores, int64_t ld, int64_t n, int64_t begin,
                       int64_t end)
{
    vf inner = vf_set1(j->f->scale / j->f->soft_cap);

    for (int64_t r = 0; r < n; r++)
        if (j->unit == GEMM_PAIR)
            cap_row(scores + r * ld, begin, end, inner, true);
        else
            cap_row(scores + r * ld, begin, end, inner, false);
}

/* ---- forward ---- */

typedef struct forward_space {
    float *k, *v;               /* panels (D, BLOCK_K), (BLOCK_K, D padded) */
    float *q;                   /* (rows, D padded): queries that had to be packed */
    float *s, *p;               /* (STRIP, BLOCK_K) scores; probabilities as units */
    float *out;                 /* (rows, D padded) */
    float *max, *sums;          /* (rows), (rows, VF_N) */
    gemm_left left[TASK_HEADS]; /* of each head */
    gemm_right keys, values;
} forward_space;

#define FORWARD_SIZE(rows, D)                                                                      \
    (((2 * BLOCK_K + 2 * (rows)) * ((D) + VF_N) + 2 * STRIP * BLOCK_K + (1 + VF_N) * (rows)) *     \
     sizeof(float))
static_assert(FORWARD_SIZE(QUERY_ROWS, MIDDLE_HEAD) <= AXL_SCRATCH_SIZE &&
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
    w->p = w->s + STRIP * BLOCK_K;
    w->max = w->p + STRIP * BLOCK_K;
    w->sums = w->max + rows;
}

/* The probabilities of a vector of scores. */
AXL_INLINE vf weights(bool pair, const float *s, vf c, vf minus_max)
{
    return vf_exp2(vf_fma(vf_load(s), c, minus_max), pair);
}

/* One row of scores, of which the first `seen` count: the running maximum and sums (one for each
 * lane) move on, earlier output is scaled to the new maximum, and the probabilities become n_cols
 * units, zeros last.  Scores are taken in powers of 2: s factor log2(e), as is the maximum. */
AXL_INLINE void softmax_row_as(const job *j, bool pair, const float *s, int64_t seen,
                               int64_t n_cols, float *p, float *max, float *sums, float *out)
{
    float c = j->factor * LOG2_E;
    vf top = vf_set1(-INFINITY), total = vf_load(sums);
    int64_t D = padded(j->f->head_dim), whole = seen - seen % VF_N, i;

    for (i = 0; i < whole; i += VF_N)
        top = vf_max(top, vf_load(s + i));
    if (i < seen)
        top = vf_max(top, before(i, seen, vf_load(s + i), vf_set1(-INFINITY)));
    float row_max = vf_hmax(top) * c, new_max = row_max > *max ? row_max : *max;
    if (new_max > *max) {
        vf shrink = vf_exp2(vf_set1(*max - new_max), false);

        total = vf_mul(total, shrink);
        *max = new_max;
        for (int64_t d = 0; d < D; d += VF_N)
            vf_store(out + d, vf_mul(vf_load(out + d), shrink));
    }
    for (i = 0; i < whole; i += VF_N) {
        vf v = weights(pair, s + i, vf_set1(c), vf_set1(-new_max));
        total = vf_add(total, v);
        put_units(pair, p, i, v);
    }
    if (i < seen) {
        vf v = weights(pair, s + i, vf_set1(c), vf_set1(-new_max));
        v = before(i, seen, v, vf_zero());
        total = vf_add(total, v);
        put_units(pair, p, i, v);
        i += VF_N;
    }
    for (; i < n_cols; i += VF_N)
        put_units(pair, p, i, vf_zero());
    vf_store(sums, total);
}

static void softmax_row(const job *j, const float *s, int64_t seen, int64_t n_cols, float *p,
                        float *max, float *sums, float *out)
{
    if (j->unit == GEMM_PAIR)
        softmax_row_as(j, true, s, seen, n_cols, p, max, sums, out);
    else
        softmax_row_as(j, false, s, seen, n_cols, p, max, sums, out);
}

/* How many of a row's scores s count, which are those of the block's keys below `end`, `most` of
 * them multiplied.  Those that the window has passed become -infinity, which weighs 0. */
static int64_t seen_scores(const job *j, float *s, int64_t end, int64_t most)
{
    int64_t begin = end - j->window, seen = axl_max(0, axl_min(most, end));

    if (begin >= seen)
        return 0;
    for (int64_t i = 0; i < begin; i++)
        s[i] = -INFINITY;
    return seen;
}

/* Rows [row, +n) of head number h of the task against the packed keys.  Row r sees the keys up to
 * first + r; the last of these rows sees some. */
static void forward_strip(const job *j, const span *t, forward_space *w, int64_t h, int64_t row,
                          int64_t n, int64_t first)
{
    int64_t D = padded(j->f->head_dim), at = h * t->n_rows + row;
    int64_t most = axl_min(w->keys.n_cols, first + row + n);
    gemm_right keys = w->keys;
    gemm_left q = gemm_left_from(w->left[h], row);
    gemm_left p = { w->p, BLOCK_K * (int64_t)sizeof(float), sizeof(float) };

    keys.end = most;
    multiply(j, n, keys.n_units, &q, &keys, w->s, BLOCK_K, false);
    if (j->f->soft_cap > 0.0f)
        cap_scores(j, w->s, BLOCK_K, n, 0, most);
    for (int64_t r = 0; r < n; r++) {
        float *s = w->s + r * BLOCK_K;

        softmax_row(j, s, seen_scores(j, s, first + row + r + 1, most), gemm_deep(j->unit, most),
                    w->p + r * BLOCK_K, w->max + at + r, w->sums + (at + r) * VF_N,
                    w->out + (at + r) * D);
    }
    multiply(j, n, gemm_units(j->unit, most), &p, &w->values, w->out + at * D, D, true);
}

/* Keys [key, +n_keys), packed, for the queries of head number h of the task. */
static void forward_block(const job *j, const span *t, forward_space *w, int64_t h, int64_t key)
{
    const axl_attention_args *f = j->f;
    /* Row r sees the keys up to first + r of the block: rows before -first none yet, those from
     * `end` on none any more. */
    int64_t first = f->cu_k[t->seq + 1] - f->cu_q[t->seq + 1] + t->row - key;
    int64_t end = axl_min(t->n_rows, w->keys.n_cols + j->window - 1 - first);

    for (int64_t row = axl_max(0, -first); row < end; row += STRIP)
        forward_strip(j, t, w, h, row, axl_min(STRIP, end - row), first);
}

static void forward_finish(const job *j, const span *t, const forward_space *w, int64_t h)
{
    const axl_attention_args *f = j->f;
    int64_t D = f->head_dim;

    for (int64_t r = 0; r < t->n_rows; r++) {
        int64_t at = h * t->n_rows + r, row = t->row + r;
        const float *from = w->out + at * padded(D);
        void *to = axl_at_mut(f->out.data, f->out.dtype, row * f->out.stride + (t->head + h) * D);
        float sum = vf_sum(vf_load(w->sums + at * VF_N));
        vf inverse = vf_set1(1.0f / sum);

        for (int64_t d = 0; d < D; d += VF_N) {
            vf v = vf_mul(vf_load(from + d), inverse);
            if (D - d >= VF_N)
                vf_store_t(to, f->out.dtype, d, v);
            else
                vf_store_t_n(to, f->out.dtype, d, v, D - d);
        }
        if (f->lse)
            f->lse[(t->head + h) * f->q.rows + row] = w->max[at] / LOG2_E + logf(sum);
    }
}

/* The maxima and sums of rows [row, +n) of the task, of a head, before their first key: all that
 * they have seen is the sink. */
static void begin_rows(const axl_attention_args *f, forward_space *w, int64_t head, int64_t row,
                       int64_t n)
{
    float max = f->sinks ? f->sinks[head] * LOG2_E : -INFINITY;
    float sum = max < INFINITY ? 1.0f : NAN; /* as an infinite score leaves NaNs */

    memset(w->sums + row * VF_N, 0, (size_t)(n * VF_N) * sizeof *w->sums);
    for (int64_t r = row; r < row + n; r++) {
        w->max[r] = max;
        w->sums[r * VF_N] = f->sinks ? sum : 0.0f;
    }
}

static void run_forward(void *arg, uint64_t index)
{
    job *j = arg;
    const axl_attention_args *f = j->f;
    span t = find_task(j, index);
    int64_t D = padded(f->head_dim), n_rows = t.n_heads * t.n_rows;
    int64_t last = f->cu_k[t.seq + 1] - (f->cu_q[t.seq + 1] - (t.row + t.n_rows));
    int64_t begin = axl_max(f->cu_k[t.seq], last - t.n_rows + 1 - j->window);
    forward_space w;

    if (give_up(j))
        return;
    float *slot = axl__scratch_acquire(j->dev);
    carve_forward(&w, slot, f->head_dim);
    amx_begin();
    for (int64_t h = 0; h < t.n_heads; h++)
        w.left[h] =
            rows_of(j, &(block){ &f->q, t.head + h, t.row, t.n_rows }, w.q + h * t.n_rows * D);
    memset(w.out, 0, (size_t)(n_rows * D) * sizeof *w.out);
    for (int64_t h = 0; h < t.n_heads; h++)
        begin_rows(f, &w, t.head + h, h * t.n_rows, t.n_rows);
    for (int64_t key = begin; key < last; key += BLOCK_K) {
        int64_t n_keys = axl_min(BLOCK_K, last - key);

        w.keys = pack_across(j, &(block){ &f->k, t.kv_head, key, n_keys }, w.k);
        w.values = pack_along(j, &(block){ &f->v, t.kv_head, key, n_keys }, w.v);
        for (int64_t h = 0; h < t.n_heads; h++)
            forward_block(j, &t, &w, h, key);
    }
    for (int64_t h = 0; h < t.n_heads; h++)
        forward_finish(j, &t, &w, h);
    amx_end();
    axl__scratch_release(j->dev, slot);
}

axl_status AXL_ISA_NAME(attention_forward)(axl_device *dev, const axl_attention_args *a)
{
    job j = { .dev = dev, .f = a, .unit = gemm_unit_for(a->q.dtype, a->k.dtype, a->q.dtype) };

    assert(a->head_dim <= AXL__MAX_HEAD_DIM && a->n_heads % a->n_kv_heads == 0);
    j.window = window_of(a);
    j.factor = factor_of(a);
    cut_heads(&j, TASK_HEADS);
    j.block = axl_min(TASK_Q, query_rows(a->head_dim) / j.heads);
    count_tasks(&j);
    return run_tasks(&j, run_forward, j.n_tasks, work_of_scores(&j));
}

/* ---- backward ---- */

/* A block of keys [key, +n_keys) against blocks of queries [row, +n_queries) of one head. */
typedef struct backward_space {
    float *k_along;             /* panels (keys, D padded) */
    float *q_across, *o_across; /* panels (D, BLOCK_Q) of queries and of dout */
    float *q_along, *o_along;   /* panels (BLOCK_Q, D padded) */
    float *s, *dp;              /* (STRIP, BLOCK_Q) products */
    float *p_units;             /* (STRIP, BLOCK_Q): P as units */
    float *ds_units;            /* (keys, BLOCK_Q): dS as units along the queries */
    float *ds_pairs;            /* (keys / 2, BLOCK_Q): pairs along the keys; or ds_units */
    float *ds_rows;             /* (BLOCK_Q, keys / 2): the same turned, for AMX */
    float *k_left, *v_left;     /* (keys, D padded): left operands that had to be packed */
    float *dk, *dv;             /* (keys, D padded) sums */
    gemm_left k, v;
    gemm_right keys, q, dout, q_rows, dout_rows;
    int64_t key, n_keys, row, n_queries;
} backward_space;

#define BACKWARD_SIZE(keys, D)                                                                     \
    (((4 * BLOCK_Q + 5 * (keys)) * ((D) + VF_N) + (3 * STRIP + 3 * (keys)) * BLOCK_Q) *            \
     sizeof(float))
static_assert(BACKWARD_SIZE(BLOCK_K, SMALL_HEAD) <= AXL_SCRATCH_SIZE &&
                  BACKWARD_SIZE(MIDDLE_ROWS, MIDDLE_HEAD) <= AXL_SCRATCH_SIZE &&
                  BACKWARD_SIZE(LARGE_ROWS, LARGE_HEAD) <= AXL_SCRATCH_SIZE,
              "a task of the backward fits a scratch slot");
static_assert(STRIP % 2 == 0, "pairs of keys lie in one strip");

static void carve_backward(backward_space *w, float *slot, int64_t head_dim)
{
    int64_t D = padded(head_dim), keys = most_keys(head_dim);
    float **const across[] = { &w->q_across, &w->o_across, &w->q_along, &w->o_along };
    float **const strips[] = { &w->s, &w->dp, &w->p_units };
    float **const squares[] = { &w->ds_units, &w->ds_pairs, &w->ds_rows };
    float **const wide[] = { &w->k_along, &w->k_left, &w->v_left, &w->dk, &w->dv };

    for (int i = 0; i < 4; i++, slot += BLOCK_Q * D)
        *across[i] = slot;
    for (int i = 0; i < 3; i++, slot += STRIP * BLOCK_Q)
        *strips[i] = slot;
    for (int i = 0; i < 3; i++, slot += keys * BLOCK_Q)
        *squares[i] = slot;
    for (int i = 0; i < 5; i++, slot += keys * D)
        *wide[i] = slot;
}

/* A sum (n_rows, D padded) times a factor to its place. */
static void put_block(const job *j, const axl_mat *m, int64_t head, int64_t row, int64_t n_rows,
                      const float *from, float factor)
{
    int64_t D = j->f->head_dim;

    for (int64_t r = 0; r < n_rows; r++) {
        void *to = axl_at_mut(m->data, m->dtype, (row + r) * m->stride + head * D);

        for (int64_t d = 0; d < D; d += VF_N) {
            vf v = vf_mul(vf_load(from + r * padded(D) + d), vf_set1(factor));
            if (D - d >= VF_N)
                vf_store_t(to, m->dtype, d, v);
            else
                vf_store_t_n(to, m->dtype, d, v, D - d);
        }
    }
}

/* The columns whose queries see the first key of a strip; each further key begins and ends one
 * later. */
typedef struct sight {
    int64_t from, until;
} sight;

/* How a block's gradients are computed: each choice is compiled by itself.  When masked, the key is
 * not seen from all columns, and there may be fewer queries than lanes. */
typedef struct manner {
    bool pair, capped, masked;
} manner;

/* Queries i.. of key r of a strip: P is stored, dS / scale returned.  lse is in powers of 2. */
AXL_INLINE vf gradient(const backward_space *w, manner m, vf factor, int64_t r, int64_t i, sight s,
                       vf lse, vf delta)
{
    vf score = vf_load(w->s + r * BLOCK_Q + i);
    vf p = vf_exp2(vf_sub(vf_mul(score, factor), lse), m.pair);

    if (m.masked)
        p = before(i, axl_min(w->n_queries, s.until + r), before(i, s.from + r, vf_zero(), p),
                   vf_zero());
    put_units(m.pair, w->p_units + r * BLOCK_Q, i, p);
    vf ds = vf_mul(p, vf_sub(vf_load(w->dp + r * BLOCK_Q + i), delta));
    return m.capped ? vf_mul(ds, vf_sub(vf_set1(1.0f), vf_mul(score, score))) : ds;
}

/* dS / scale of queries i.. of keys r and, if there is one, r + 1 of a strip to their places. */
AXL_INLINE void put_gradients(const backward_space *w, bool pair, int64_t row, int64_t i, vf a,
                              bool both, vf b)
{
    float *ds = w->ds_units + row * BLOCK_Q;

    put_units(pair, ds, i, a);
    if (both)
        put_units(pair, ds + BLOCK_Q, i, b);
    if (pair)
        vf_store(w->ds_pairs + row / 2 * BLOCK_Q + i, vf_round_pairs(a, b));
}

/* P and dS / scale of queries i.. of keys [k + r, +2) of the block, of which there are both or one;
 * the strip begins with key k, which is seen from the columns s. */
AXL_INLINE void pair_gradients(const backward_space *w, manner m, vf factor, const float *lse,
                               const float *delta, int64_t k, int64_t r, bool both, int64_t i,
                               sight s)
{
    int64_t n = m.masked ? w->n_queries - i : VF_N;
    vf l = n < VF_N ? vf_load_n(lse + i, n) : vf_load(lse + i);
    vf d = n < VF_N ? vf_load_n(delta + i, n) : vf_load(delta + i);

    l = vf_mul(l, vf_set1(LOG2_E));
    vf a = gradient(w, m, factor, r, i, s, l, d);
    vf b = both ? gradient(w, m, factor, r + 1, i, s, l, d) : vf_zero();

    put_gradients(w, m.pair, k + r, i, a, both, b);
}

/* P and dS / scale of keys [k, +n) of the block, from column `begin` on; dS is 0 before it. */
AXL_INLINE void strip_gradients_as(const job *j, const backward_space *w, bool pair, bool capped,
                                   const float *lse, const float *delta, int64_t k, int64_t n,
                                   int64_t begin)
{
    const manner clear_of = { pair, capped, false }, masked = { pair, capped, true };
    const backward_space space = *w; /* where stores cannot reach it */
    int64_t from = w->key + k - w->row, whole = w->n_queries - w->n_queries % VF_N;
    sight s = { from, from + j->window };
    vf factor = vf_set1(j->factor * LOG2_E);

    for (int64_t r = 0; r < n; r += 2) {
        bool both = r + 1 < n;
        int64_t seen =
            axl_min(axl_max(begin, axl_div_up(axl_max(0, from + r + 1), VF_N) * VF_N), whole);
        int64_t clear = axl_max(seen, axl_min(whole, (s.until + r) / VF_N * VF_N)), i = 0;

        for (; i < begin; i += VF_N)
            put_gradients(w, pair, k + r, i, vf_zero(), both, vf_zero());
        for (; i < seen; i += VF_N)
            pair_gradients(&space, masked, factor, lse, delta, k, r, both, i, s);
        for (; i < clear; i += VF_N)
            pair_gradients(&space, clear_of, factor, lse, delta, k, r, both, i, s);
        for (; i < w->n_queries; i += VF_N)
            pair_gradients(&space, masked, factor, lse, delta, k, r, both, i, s);
        for (; i < gemm_deep(j->unit, w->n_queries); i += VF_N) {
            put_units(pair, w->p_units + r * BLOCK_Q, i, vf_zero());
            if (both)
                put_units(pair, w->p_units + (r + 1) * BLOCK_Q, i, vf_zero());
            put_gradients(w, pair, k + r, i, vf_zero(), both, vf_zero());
        }
    }
}

static void strip_gradients(const job *j, const backward_space *w, const float *lse,
                            const float *delta, int64_t k, int64_t n, int64_t begin)
{
    bool capped = j->f->soft_cap > 0.0f;

    if (capped)
        cap_scores(j, w->s, BLOCK_Q, n, begin, w->n_queries);
    if (j->unit == GEMM_PAIR && capped)
        strip_gradients_as(j, w, true, true, lse, delta, k, n, begin);
    else if (j->unit == GEMM_PAIR)
        strip_gradients_as(j, w, true, false, lse, delta, k, n, begin);
    else if (capped)
        strip_gradients_as(j, w, false, true, lse, delta, k, n, begin);
    else
        strip_gradients_as(j, w, false, false, lse, delta, k, n, begin);
}

/* (H, Tq), where scratch begins. */
static float *delta_of(const job *j)
{
    return j->b->scratch;
}

/* Keys [k, +n) of the block: their scores and gradients, and what these add to dk and dv. */
static void backward_strip(const job *j, const backward_space *w, int64_t head, int64_t k,
                           int64_t n)
{
    int64_t D = padded(j->f->head_dim), at = head * j->f->q.rows + w->row;
    int64_t begin = axl_max(0, w->key + k - w->row) / GEMM_PANEL * GEMM_PANEL;
    int64_t n_deep = w->q.n_units, n_units = gemm_units(j->unit, w->n_queries);
    int64_t ld = BLOCK_Q * (int64_t)sizeof(float), per = gemm_per_unit(j->unit);
    gemm_right q = w->q, dout = w->dout, q_rows = w->q_rows, dout_rows = w->dout_rows;
    gemm_left keys = gemm_left_from(w->k, k), values = gemm_left_from(w->v, k);
    gemm_left p = { w->p_units, ld, sizeof(float) };
    gemm_left ds = { w->ds_units + k * BLOCK_Q, ld, sizeof(float) };

    q.begin = dout.begin = begin;
    q_rows.first = dout_rows.first = begin / per;
    multiply(j, n, n_deep, &keys, &q, w->s, BLOCK_Q, false);
    multiply(j, n, n_deep, &values, &dout, w->dp, BLOCK_Q, false);
    strip_gradients(j, w, j->f->lse + at, delta_of(j) + at, k, n, begin);
    multiply(j, n, n_units, &ds, &q_rows, w->dk + k * D, D, true);
    multiply(j, n, n_units, &p, &dout_rows, w->dv + k * D, D, true);
}

/* dS of the block as left operand with the keys as depth. */
static gemm_left ds_by_query(const job *j, const backward_space *w, int64_t n_keys)
{
    int64_t n_units = gemm_units(j->unit, n_keys), size = sizeof(float);

    if (j->unit != GEMM_PAIR)
        return (gemm_left){ w->ds_units, size, BLOCK_Q * size };
    if (!VF_HAS_AMX)
        return (gemm_left){ w->ds_pairs, size, BLOCK_Q * size };
    int64_t pairs = axl_div_up(n_keys, 2);
    memset(w->ds_pairs + pairs * BLOCK_Q, 0, (size_t)((n_units - pairs) * BLOCK_Q * size));
    gemm_turn(w->ds_rows, n_units, w->ds_pairs, BLOCK_Q, w->n_queries, n_units);
    return (gemm_left){ w->ds_rows, n_units * size, size };
}

static float *dq_part(const job *j, int64_t part)
{
    int64_t rows = j->f->q.rows, n = j->f->n_heads, wide = axl_div_up(j->f->head_dim, 16) * 16;

    return delta_of(j) + axl_div_up(rows * n, 16) * 16 + part * rows * n * wide;
}

/* The block of keys against the queries [row, +n) of a head; `add` to the part's dq or begin it. */
static void backward_block(const job *j, const span *t, backward_space *w, int64_t head,
                           int64_t row, int64_t n, bool add)
{
    const axl_attention_args *f = j->f;
    block q = { &f->q, head, row, n }, dout = { &j->b->dout, head, row, n };
    int64_t n_keys = axl_min(w->n_keys, row + n - w->key);
    int64_t wide = axl_div_up(f->head_dim, 16) * 16, ld = f->n_heads * wide;

    w->row = row;
    w->n_queries = n;
    w->q = pack_across(j, &q, w->q_across);
    w->dout = pack_across(j, &dout, w->o_across);
    w->q_rows = pack_along(j, &q, w->q_along);
    w->dout_rows = pack_along(j, &dout, w->o_along);
    for (int64_t k = 0; k < n_keys; k += STRIP)
        backward_strip(j, w, head, k, axl_min(STRIP, n_keys - k));
    gemm_left ds = ds_by_query(j, w, n_keys);
    multiply(j, n, gemm_units(j->unit, n_keys), &ds, &w->keys,
             dq_part(j, t->part) + row * ld + head * wide, ld, add);
}

/* Keys [key, +n_keys) of the task's part against all queries that see one of them. */
static void backward_keys(const job *j, const span *t, backward_space *w)
{
    const axl_attention_args *f = j->f;
    block k = { &f->k, t->kv_head, w->key, w->n_keys };
    block v = { &f->v, t->kv_head, w->key, w->n_keys };
    int64_t end = axl_min(f->cu_q[t->seq + 1], w->key + w->n_keys + j->window - 1);
    size_t size = (size_t)(w->n_keys * padded(f->head_dim)) * sizeof(float);

    w->k = rows_of(j, &k, w->k_left);
    w->v = rows_of(j, &v, w->v_left);
    w->keys = pack_along(j, &k, w->k_along);
    memset(w->dk, 0, size);
    memset(w->dv, 0, size);
    for (int64_t h = t->head; h < t->head + t->n_heads; h++)
        for (int64_t row = w->key; row < end; row += BLOCK_Q)
            backward_block(j, t, w, h, row, axl_min(BLOCK_Q, end - row),
                           w->key > t->row || f->window > 0);
    put_block(j, &j->b->dk, t->kv_head, w->key, w->n_keys, w->dk, f->scale);
    put_block(j, &j->b->dv, t->kv_head, w->key, w->n_keys, w->dv, 1.0f);
}

/* With a window no block of keys meets all queries that the task's part of dq has: it begins
 * with 0. */
static void zero_dq(const job *j, const span *t)
{
    const axl_attention_args *f = j->f;
    int64_t wide = axl_div_up(f->head_dim, 16) * 16, ld = f->n_heads * wide;
    int64_t end = axl_min(f->cu_q[t->seq + 1], t->row + t->n_rows + j->window - 1);

    for (int64_t row = t->row; row < end; row++)
        memset(dq_part(j, t->part) + row * ld + t->head * wide, 0,
               (size_t)(t->n_heads * wide) * sizeof(float));
}

/* dk, dv and a part of dq. */
static void run_backward(void *arg, uint64_t index)
{
    job *j = arg;
    span t = find_task(j, index);
    int64_t rows = key_rows(j->f->head_dim, t.n_rows), end = t.row + t.n_rows;
    backward_space w;

    if (give_up(j))
        return;
    float *slot = axl__scratch_acquire(j->dev);
    carve_backward(&w, slot, j->f->head_dim);
    if (j->f->window > 0)
        zero_dq(j, &t);
    amx_begin();
    for (w.key = t.row; w.key < end; w.key += rows) {
        w.n_keys = axl_min(rows, end - w.key);
        backward_keys(j, &t, &w);
    }
    amx_end();
    axl__scratch_release(j->dev, slot);
}

/* dq of TASK_Q rows of the batch from its parts: those whose keys the row sees. */
static void run_dq(void *arg, uint64_t index)
{
    const job *j = arg;
    const axl_attention_args *f = j->f;
    const axl_mat *dq = &j->b->dq;
    int64_t begin = (int64_t)index * TASK_Q, end = axl_min(begin + TASK_Q, f->q.rows), seq = 0;
    int64_t D = f->head_dim, wide = axl_div_up(D, 16) * 16, ld = f->n_heads * wide;
    int64_t next = dq_part(j, 1) - dq_part(j, 0);

    for (int64_t row = begin; row < end; row++) {
        while (row >= f->cu_q[seq + 1])
            seq++;
        int64_t len = f->cu_q[seq + 1] - f->cu_q[seq];
        int64_t at = row - f->cu_q[seq], last = at / task_rows(j, len);
        int64_t first = axl_max(0, at - j->window + 1) / task_rows(j, len);
        for (int64_t h = 0; h < f->n_heads; h++) {
            const float *from = dq_part(j, first) + row * ld + h * wide;
            void *to = axl_at_mut(dq->data, dq->dtype, row * dq->stride + h * D);
            for (int64_t d = 0; d < D; d += VF_N) {
                vf v = vf_load(from + d);
                for (int64_t p = 1; p <= last - first; p++)
                    v = vf_add(v, vf_load(from + p * next + d));
                v = vf_mul(v, vf_set1(f->scale));
                if (D - d >= VF_N)
                    vf_store_t(to, dq->dtype, d, v);
                else
                    vf_store_t_n(to, dq->dtype, d, v, D - d);
            }
        }
    }
}

/* delta of TASK_Q rows of the batch. */
static void run_delta(void *arg, uint64_t index)
{
    const job *j = arg;
    const axl_attention_args *f = j->f;
    const axl_mat *o = &f->out, *dout = &j->b->dout;
    int64_t begin = (int64_t)index * TASK_Q, end = axl_min(begin + TASK_Q, f->q.rows);
    int64_t D = f->head_dim;

    for (int64_t row = begin; row < end; row++) {
        for (int64_t h = 0; h < f->n_heads; h++) {
            const void *o_h = axl_at(o->data, o->dtype, row * o->stride + h * D);
            const void *dout_h = axl_at(dout->data, dout->dtype, row * dout->stride + h * D);
            vf sum = vf_zero();

            for (int64_t d = 0; d < D; d += VF_N) {
                int64_t n = axl_min(VF_N, D - d);
                vf x = n == VF_N ? vf_load_t(o_h, o->dtype, d) : vf_load_t_n(o_h, o->dtype, d, n);
                vf y = n == VF_N ? vf_load_t(dout_h, dout->dtype, d)
                                 : vf_load_t_n(dout_h, dout->dtype, d, n);
                sum = vf_fma(x, y, sum);
            }
            delta_of(j)[h * f->q.rows + row] = vf_sum(sum);
        }
    }
}

/* The gradient of a head's sink: sums of TASK_Q queries in f32, of these in double. */
static void run_dsink(void *arg, uint64_t index)
{
    const job *j = arg;
    const axl_attention_args *f = j->f;
    int64_t rows = f->q.rows, head = (int64_t)index;
    const float *lse = f->lse + head * rows, *delta = delta_of(j) + head * rows;
    vf sink = vf_set1(f->sinks[head] * LOG2_E), to_2 = vf_set1(-LOG2_E);
    double total = 0.0;

    for (int64_t begin = 0; begin < rows; begin += TASK_Q) {
        int64_t end = axl_min(begin + TASK_Q, rows);
        vf sum = vf_zero();

        for (int64_t i = begin; i < end; i += VF_N) {
            int64_t n = axl_min(VF_N, end - i);
            vf l = n == VF_N ? vf_load(lse + i) : vf_load_n(lse + i, n);
            vf d = n == VF_N ? vf_load(delta + i) : vf_load_n(delta + i, n);

            sum = vf_fma(vf_exp2(vf_fma(l, to_2, sink), false), d, sum);
        }
        total += (double)vf_sum(sum);
    }
    j->b->dsinks[head] = (float)((double)j->b->dsinks[head] - total);
}

axl_status AXL_ISA_NAME(attention_backward)(axl_device *dev, const axl_attention_backward_args *a)
{
    const axl_attention_args *f = &a->forward;
    job j = {
        .dev = dev, .f = f, .b = a, .unit = gemm_unit_for(f->q.dtype, f->k.dtype, f->q.dtype)
    };

    assert(f->head_dim <= AXL__MAX_HEAD_DIM && f->n_heads % f->n_kv_heads == 0);
    j.window = window_of(f);
    j.factor = factor_of(f);
    int64_t n_blocks = axl_div_up(f->q.rows, TASK_Q), size = f->q.rows * f->q.cols;
    AXL_TRY(run_tasks(&j, run_delta, n_blocks, 2 * size));
    if (a->dsinks)
        AXL_TRY(run_tasks(&j, run_dsink, f->n_heads, 16 * f->q.rows * f->n_heads));
    cut_heads(&j, f->n_heads); /* a task adds up all heads of a group */
    count_tasks(&j);
    AXL_TRY(run_tasks(&j, run_backward, j.n_tasks, 2 * work_of_scores(&j)));
    return run_tasks(&j, run_dq, n_blocks, 4 * size);
}
