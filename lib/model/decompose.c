/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decompose.c - see decompose.h.  A block of rows goes to and fro through the weight, made
 * orthonormal in double after each product, until it spans the leading singular vectors; what is
 * left is small, and Jacobi's rotations make its rows orthogonal.  A block as wide as the weight
 * gives all of it at once.
 *
 * Rows are shared among the context's threads, and each is changed by one task in an order that its
 * number alone decides: the same bits on any number of threads.
 */
#include "decompose.h"

#include "base/ctx.h"
#include "base/rng.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum {
    SWEEPS_MAX = 60,
    ITERATIONS_MAX = 96,
    LOOK_EVERY = 8,
    PANEL = 8 /* rows that the others are made orthogonal to at a time */
};

/* Rows that go through a weight: on the host and on the device. */
typedef struct {
    axl__weight_of of;
    int64_t n, in, out;
    double *x, *y;   /* host, (n, in), (n, out) */
    double *lengths; /* (n) work */
    float *stage;    /* host, (n, the longer of both) on the way */
    void *device;    /* (n, in + out) */
} block;

static void block_free(block *b)
{
    axl__free(b->of.model->ctx, b->x);
    axl__free(b->of.model->ctx, b->y);
    axl__free(b->of.model->ctx, b->lengths);
    axl__free(b->of.model->ctx, b->stage);
    b->of.model->ops->buffer_free(b->of.model->dev, b->device);
}

/* On failure it is in parts, for block_free(). */
static axl_status block_make(block *b, axl__weight_of of, int64_t n)
{
    axl_context *ctx = of.model->ctx;

    *b = (block){ .of = of, .n = n, .in = of.module->cols, .out = of.module->rows };
    b->x = axl__calloc(ctx, (size_t)(n * b->in), sizeof *b->x);
    b->y = axl__calloc(ctx, (size_t)(n * b->out), sizeof *b->y);
    b->lengths = axl__calloc(ctx, (size_t)n, sizeof *b->lengths);
    b->stage = axl__calloc(ctx, (size_t)(n * (b->in > b->out ? b->in : b->out)), sizeof(float));
    if (!b->x || !b->y || !b->lengths || !b->stage)
        return axl__fail_nomem();
    return of.model->ops->buffer_new(of.model->dev, &b->device,
                                     (size_t)(n * (b->in + b->out)) * sizeof(float));
}

/* y = x W^T, or back: x = y W. */
static axl_status through(block *b, bool back)
{
    const axl_model *m = b->of.model;
    axl_mat x = { b->device, AXL_F32, b->n, b->in, b->in };
    axl_mat y = { (float *)b->device + b->n * b->in, AXL_F32, b->n, b->out, b->out };
    axl_mat from = back ? y : x, to = back ? x : y;
    axl_matmul_args a = {
        .x = from, .w = b->of.weight, .y = to, .trans_w = !back, .alpha = 1.0f, .compute = AXL_F32
    };

    double *host = back ? b->y : b->x;
    for (int64_t i = 0; i < from.rows * from.cols; i++)
        b->stage[i] = (float)host[i];
    AXL_TRY(axl__cancelled(m->ctx));
    AXL_TRY(m->ops->upload(m->dev, from.data, b->stage,
                           (size_t)(from.rows * from.cols) * sizeof(float)));
    AXL_TRY(m->ops->matmul(m->dev, &a));
    AXL_TRY(
        m->ops->download(m->dev, b->stage, to.data, (size_t)(to.rows * to.cols) * sizeof(float)));
    host = back ? b->x : b->y;
    for (int64_t i = 0; i < to.rows * to.cols; i++)
        host[i] = (double)b->stage[i];
    return AXL_OK;
}

/* The compiler makes vectors of the sums. */
static double dot(const double *x, const double *y, int64_t n)
{
    enum { LANES = 16 };
    double sums[LANES] = { 0 }, sum = 0.0;
    int64_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            sums[k] += x[i + k] * y[i + k];
    for (; i < n; i++)
        sum += x[i] * y[i];
    for (int k = 0; k < LANES; k++)
        sum += sums[k];
    return sum;
}

/* Rows [first, end), orthonormal already, are to be taken out of those behind them. */
typedef struct {
    double *rows;
    int64_t width, first, end;
} panel;

static void take_out(double *r, const double *q, int64_t width)
{
    double d = dot(r, q, width);

    for (int64_t c = 0; c < width; c++)
        r[c] -= d * q[c];
}

static void take_panel_out(void *arg, uint64_t index)
{
    const panel *p = arg;

    for (int64_t i = p->first; i < p->end; i++)
        take_out(p->rows + (p->end + (int64_t)index) * p->width, p->rows + i * p->width, p->width);
}

/* The rows of a panel, each behind those before it.  A row that nothing is left of becomes 0. */
static void finish_panel(const panel *p, const double *before)
{
    for (int64_t i = p->first; i < p->end; i++) {
        double *r = p->rows + i * p->width;
        for (int64_t j = p->first; j < i; j++)
            take_out(r, p->rows + j * p->width, p->width);
        double length = sqrt(dot(r, r, p->width));
        double scale = length > 1e-6 * before[i] ? 1.0 / length : 0.0;
        for (int64_t c = 0; c < p->width; c++)
            r[c] *= scale;
    }
}

/* Gram and Schmidt, on rows (b->n, width).  Once keeps a subspace; twice is as orthogonal as can be
 * ("twice is enough", Kahan and Parlett). */
static void orthonormalise(const block *b, double *rows, int64_t width, int times)
{
    for (int turn = 0; turn < times; turn++) {
        for (int64_t i = 0; i < b->n; i++)
            b->lengths[i] = sqrt(dot(rows + i * width, rows + i * width, width));
        for (int64_t first = 0; first < b->n; first += PANEL) {
            int64_t end = first + PANEL < b->n ? first + PANEL : b->n;
            panel p = { rows, width, first, end };
            finish_panel(&p, b->lengths);
            axl__parallel_for(b->of.model->ctx, (uint64_t)(b->n - end), take_panel_out, &p);
        }
    }
}

/* ---- Jacobi ---- */

static void rotate(double *a, double *b, int64_t n, double c, double s)
{
    for (int64_t i = 0; i < n; i++) {
        double x = a[i], y = b[i];
        a[i] = c * x - s * y;
        b[i] = s * x + c * y;
    }
}

/* Makes two rows of y orthogonal, and turns those of x along; returns whether it had to. */
static bool turn_rows(block *b, int64_t i, int64_t j)
{
    double *yi = b->y + i * b->out, *yj = b->y + j * b->out;
    double p = dot(yi, yi, b->out), q = dot(yj, yj, b->out), d = dot(yi, yj, b->out);

    if (fabs(d) <= 1e-12 * sqrt(p * q))
        return false;
    double z = (q - p) / (2.0 * d);
    double t = (z < 0.0 ? -1.0 : 1.0) / (fabs(z) + sqrt(1.0 + z * z));
    double c = 1.0 / sqrt(1.0 + t * t), s = c * t;
    rotate(yi, yj, b->out, c, s);
    rotate(b->x + i * b->in, b->x + j * b->in, b->in, c, s);
    return true;
}

/* A round of a sweep: pairs of rows that have none in common. */
typedef struct {
    block *b;
    int64_t n, round; /* n: the rows made even; the last one may be none */
    atomic_bool turned;
} tournament;

/* All rows but the last walk in a circle and meet who is across; whom nobody is across meets the
 * last. */
static int64_t player(const tournament *t, int64_t place)
{
    return place == t->n - 1 ? place : (place + t->round) % (t->n - 1);
}

static void turn_pair(void *arg, uint64_t index)
{
    tournament *t = arg;
    int64_t k = (int64_t)index, top = t->n / 2 - 1;
    int64_t i = player(t, k == 0 ? t->n - 1 : top - k), j = player(t, top + k);

    if (i < t->b->n && j < t->b->n && turn_rows(t->b, i < j ? i : j, i < j ? j : i))
        atomic_store_explicit(&t->turned, true, memory_order_relaxed);
}

/* One-sided (Hestenes, 1958), every pair once a sweep, in rounds. */
static void make_orthogonal(block *b)
{
    tournament t = { .b = b, .n = b->n + b->n % 2 };

    atomic_init(&t.turned, true);
    for (int sweep = 0; sweep < SWEEPS_MAX && atomic_load(&t.turned); sweep++) {
        atomic_store(&t.turned, false);
        for (t.round = 0; t.round < t.n - 1; t.round++)
            axl__parallel_for(b->of.model->ctx, (uint64_t)t.n / 2, turn_pair, &t);
    }
}

/* ---- singular values ---- */

static double normal(const axl__svd_options *o, int64_t i)
{
    uint64_t stream = (uint64_t)AXL__STREAM_INIT | o->stream << 8;
    double u = 1.0 - axl__random_double(o->seed, stream, 2 * (uint64_t)i);
    double v = axl__random_double(o->seed, stream, 2 * (uint64_t)i + 1);

    return sqrt(-2.0 * log(u)) * cos(2.0 * 3.14159265358979323846 * v);
}

/* A turn to the weight's other side and back.  The products of orthonormal rows of x are left in
 * y. */
static axl_status refine(block *b)
{
    orthonormalise(b, b->y, b->out, 1);
    AXL_TRY(through(b, true));
    orthonormalise(b, b->x, b->in, 2);
    return through(b, false);
}

/* ---- how far it is ---- */

typedef struct {
    const block *b;
    double *gram;
} gram;

static void gram_row(void *arg, uint64_t index)
{
    const gram *g = arg;
    const block *b = g->b;
    int64_t i = (int64_t)index;

    for (int64_t j = 0; j <= i; j++)
        g->gram[i * b->n + j] = g->gram[j * b->n + i] =
            dot(b->y + i * b->out, b->y + j * b->out, b->out);
}

/* Rows and columns i and j of a symmetric matrix, so that (i,j) becomes 0. */
static void turn_symmetric(double *g, int64_t n, int64_t i, int64_t j)
{
    double z = (g[j * n + j] - g[i * n + i]) / (2.0 * g[i * n + j]);
    double t = (z < 0.0 ? -1.0 : 1.0) / (fabs(z) + sqrt(1.0 + z * z));
    double c = 1.0 / sqrt(1.0 + t * t), s = c * t;

    rotate(g + i * n, g + j * n, n, c, s);
    for (int64_t k = 0; k < n; k++) {
        double x = g[k * n + i], y = g[k * n + j];
        g[k * n + i] = c * x - s * y;
        g[k * n + j] = s * x + c * y;
    }
}

/* The sum of the `most` largest squares of the values so far, which only grows: when it stands, so
 * do they.  work (b->n, b->n). */
static double leading_squares(const block *b, double *work, int64_t most)
{
    int64_t n = b->n;
    double sum = 0.0;

    axl__parallel_for(b->of.model->ctx, (uint64_t)n, gram_row, &(gram){ b, work });
    for (int sweep = 0; sweep < 12; sweep++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = i + 1; j < n; j++)
                if (fabs(work[i * n + j]) > 1e-13 * sqrt(fabs(work[i * n + i] * work[j * n + j])))
                    turn_symmetric(work, n, i, j);
    for (int64_t k = 0; k < most; k++) {
        int64_t best = 0;
        for (int64_t i = 1; i < n; i++)
            best = work[i * n + i] > work[best * n + best] ? i : best;
        sum += work[best * n + best];
        work[best * n + best] = -1.0;
    }
    return sum;
}

/* Until the n leading ones stand, or ITERATIONS_MAX: values that close cannot be told apart, and
 * any subspace of theirs is as good. */
static axl_status iterate(block *b, const axl__svd_options *o, int64_t n, int64_t least,
                          double *work)
{
    int64_t most = o->iterations >= 0 ? o->iterations : b->n == least ? 1 : ITERATIONS_MAX;
    double before = 0.0;

    for (int64_t i = 0; i < b->n * b->in; i++)
        b->x[i] = normal(o, i);
    orthonormalise(b, b->x, b->in, 2);
    AXL_TRY(through(b, false));
    for (int64_t k = 0; k < most; k++) {
        AXL_TRY(refine(b));
        if (o->iterations >= 0 || k % LOOK_EVERY != LOOK_EVERY - 1)
            continue;
        double now = leading_squares(b, work, n);
        if (fabs(now - before) <= 1e-9 * now)
            break;
        before = now;
    }
    return AXL_OK;
}

/* The n longest rows, falling. */
static void pick(axl__svd *out, const block *b, int64_t n, double *lengths)
{
    for (int64_t i = 0; i < b->n; i++)
        lengths[i] = sqrt(dot(b->y + i * b->out, b->y + i * b->out, b->out));
    for (int64_t k = 0; k < n; k++) {
        int64_t best = 0;
        for (int64_t i = 1; i < b->n; i++)
            best = lengths[i] > lengths[best] ? i : best;
        double scale = lengths[best] > 0.0 ? 1.0 / lengths[best] : 0.0;
        out->values[k] = lengths[best];
        for (int64_t c = 0; c < b->out; c++)
            out->left[k * b->out + c] = (float)(b->y[best * b->out + c] * scale);
        for (int64_t c = 0; c < b->in; c++)
            out->right[k * b->in + c] = (float)b->x[best * b->in + c];
        lengths[best] = -1.0;
    }
}

static axl_status svd_fill(axl__svd *out, block *b, int64_t n, const axl__svd_options *opts,
                           int64_t least)
{
    axl_context *ctx = b->of.model->ctx;
    double *work = axl__calloc(ctx, (size_t)(b->n * b->n), sizeof *work);
    axl_status status = work ? iterate(b, opts, n, least, work) : axl__fail_nomem();

    out->values = axl__calloc(ctx, (size_t)n, sizeof *out->values);
    out->left = axl__calloc(ctx, (size_t)(n * b->out), sizeof *out->left);
    out->right = axl__calloc(ctx, (size_t)(n * b->in), sizeof *out->right);
    if (status == AXL_OK && !(out->values && out->left && out->right))
        status = axl__fail_nomem();
    if (status == AXL_OK) {
        make_orthogonal(b);
        pick(out, b, n, work);
    }
    axl__free(ctx, work);
    return status;
}

/* A quantised weight without a part of it is to be quantised anew, which is not done. */
static axl_status check_weight(axl__weight_of of, int64_t n, const char *what)
{
    int64_t least = of.module->rows < of.module->cols ? of.module->rows : of.module->cols;

    if (of.weight.kind != AXL_WEIGHT_DENSE)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "peft_init_lora_weights: %s wants weights that are not quantised; leave "
                         "it out, or load_in_4bit and load_in_8bit",
                         what);
    if (n <= least)
        return AXL_OK;
    return axl__fail(AXL_ERR_INVALID,
                     "peft_init_lora_weights: %s wants a rank of at most %lld for %s, and it is "
                     "%lld",
                     what, (long long)least, of.module->name, (long long)n);
}

axl_status axl__svd_make(axl__svd *out, axl__weight_of of, int64_t n, const axl__svd_options *opts)
{
    int64_t least = of.module->rows < of.module->cols ? of.module->rows : of.module->cols;
    int64_t wide = opts->iterations >= 0 ? n : 2 * n + 16; /* what is over makes it quicker */
    block b;

    *out = (axl__svd){ 0 };
    AXL_TRY(check_weight(of, n, opts->what));
    axl_status status = block_make(&b, of, wide < least ? wide : least);
    if (status == AXL_OK)
        status = svd_fill(out, &b, n, opts, least);
    block_free(&b);
    if (status < 0)
        axl__svd_free(out, of.model->ctx);
    return status;
}

void axl__svd_free(axl__svd *s, axl_context *ctx)
{
    axl__free(ctx, s->values);
    axl__free(ctx, s->left);
    axl__free(ctx, s->right);
    *s = (axl__svd){ 0 };
}

/* ---- QR ---- */

static axl_status qr_fill(axl__qr *out, block *b)
{
    axl_context *ctx = b->of.model->ctx;

    /* The first columns of W are the products of the first unit vectors, R's rows those of Q. */
    for (int64_t i = 0; i < b->n; i++)
        b->x[i * b->in + i] = 1.0;
    AXL_TRY(through(b, false));
    orthonormalise(b, b->y, b->out, 2);
    AXL_TRY(through(b, true));
    out->q = axl__calloc(ctx, (size_t)(b->n * b->out), sizeof *out->q);
    out->r = axl__calloc(ctx, (size_t)(b->n * b->in), sizeof *out->r);
    if (!out->q || !out->r)
        return axl__fail_nomem();
    for (int64_t i = 0; i < b->n * b->out; i++)
        out->q[i] = (float)b->y[i];
    for (int64_t i = 0; i < b->n * b->in; i++)
        out->r[i] = (float)b->x[i];
    return AXL_OK;
}

axl_status axl__qr_make(axl__qr *out, axl__weight_of of, int64_t n)
{
    block b;

    *out = (axl__qr){ 0 };
    AXL_TRY(check_weight(of, n, "olora"));
    axl_status status = block_make(&b, of, n);
    if (status == AXL_OK)
        status = qr_fill(out, &b);
    block_free(&b);
    if (status < 0)
        axl__qr_free(out, of.model->ctx);
    return status;
}

void axl__qr_free(axl__qr *q, axl_context *ctx)
{
    axl__free(ctx, q->q);
    axl__free(ctx, q->r);
    *q = (axl__qr){ 0 };
}

/* ---- an orthogonal matrix ---- */

/* x -= tau v v^T x on columns [first, n) of x; v (n) is column k of a below its diagonal, with 1 on
 * it. */
static void reflect(double *x, const double *a, double tau, int64_t k, int64_t first, int64_t n)
{
    for (int64_t c = first; c < n; c++) {
        double sum = x[k * n + c];
        for (int64_t r = k + 1; r < n; r++)
            sum += a[r * n + k] * x[r * n + c];
        x[k * n + c] -= tau * sum;
        for (int64_t r = k + 1; r < n; r++)
            x[r * n + c] -= tau * a[r * n + k] * sum;
    }
}

/* Column k of a becomes its reflection's v below the diagonal; returns tau, 0 where there is
 * nothing to reflect. */
static double reflection(double *a, int64_t k, int64_t n)
{
    double alpha = a[k * n + k], below = 0.0;

    for (int64_t r = k + 1; r < n; r++)
        below += a[r * n + k] * a[r * n + k];
    if (below == 0.0)
        return 0.0;
    double beta = -copysign(sqrt(alpha * alpha + below), alpha);
    for (int64_t r = k + 1; r < n; r++)
        a[r * n + k] /= alpha - beta;
    return (beta - alpha) / beta;
}

void axl__orthogonalise(double *q, double *work, int64_t n)
{
    double *a = work, *tau = work + n * n;

    memcpy(a, q, (size_t)(n * n) * sizeof *a);
    for (int64_t k = 0; k < n; k++) {
        tau[k] = reflection(a, k, n);
        reflect(a, a, tau[k], k, k + 1, n);
    }
    memset(q, 0, (size_t)(n * n) * sizeof *q);
    for (int64_t k = 0; k < n; k++)
        q[k * n + k] = 1.0;
    for (int64_t k = n - 1; k >= 0; k--)
        reflect(q, a, tau[k], k, k, n);
}
