/* SPDX-License-Identifier: Apache-2.0 */
/*
 * factored_cpu.c - the steps of Adafactor and CAME in passes over the matrix: by rows, and by
 * strips of columns for the columns' means.  Each row and each strip is one task's, its sums in
 * double; u is computed again in each pass rather than stored.  Bound by memory: Adafactor reads g
 * four times.  The compiler makes vectors of the loops.
 */
#include "kernels/factored/factored.h"

#include "kernels/cpu/span_cpu.h"

#include <math.h>

enum { STRIP = 256, N_SUMS = 16 };

struct step {
    const axl_factored_args *a;
    double *row_sums;                                /* scratch, (rows) */
    float *row_factor, *col_factor, *res_col_factor; /* scratch, 1 / root: (rows), (cols) */
    float grad_scale, inverse;                       /* u counts times inverse */
    float beta1, rest1, keep, lr;
    double row_mean, res_mean;
};

static double total(const double *sums)
{
    double sum = 0.0;

    for (int k = 0; k < N_SUMS; k++)
        sum += sums[k];
    return sum;
}

static double mean_of(const float *x, int64_t n)
{
    double sum = 0.0;

    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

/* u of column c of a row before it is clipped. */
AXL_INLINE float update(const struct step *s, const float *g, float row, int64_t c)
{
    return row * s->col_factor[c] * (g[c] * s->grad_scale);
}

/* ---- the squares ---- */

static void square_rows(const void *args, axl_tile t)
{
    const struct step *s = args;
    const axl_factored_args *a = s->a;

    for (int64_t r = t.row; r < t.row_end; r++) {
        const float *g = a->g + r * a->cols;
        double sums[N_SUMS] = { 0 };
        for (int64_t c = 0; c < a->cols; c++) {
            double x = g[c] * s->grad_scale;
            sums[c % N_SUMS] += x * x;
        }
        double mean = total(sums) / (double)a->cols + a->eps;
        a->row[r] = (float)(a->beta2 * a->row[r] + (1.0 - a->beta2) * mean);
    }
}

static void square_strip(void *args, uint64_t index)
{
    const struct step *s = args;
    const axl_factored_args *a = s->a;
    int64_t first = (int64_t)index * STRIP, n = axl_min(STRIP, a->cols - first);
    double sums[STRIP] = { 0 };

    for (int64_t r = 0; r < a->rows; r++) {
        const float *g = a->g + r * a->cols + first;
        for (int64_t c = 0; c < n; c++) {
            double x = g[c] * s->grad_scale;
            sums[c] += x * x;
        }
    }
    for (int64_t c = 0; c < n; c++) {
        double mean = sums[c] / (double)a->rows + a->eps;
        float col = (float)(a->beta2 * a->col[first + c] + (1.0 - a->beta2) * mean);
        a->col[first + c] = col;
        s->col_factor[first + c] = 1.0f / sqrtf(col);
    }
}

/* A vector's own mean squares take the place of the columns'. */
static void square_vector(struct step *s)
{
    const axl_factored_args *a = s->a;

    for (int64_t c = 0; c < a->cols; c++) {
        double x = a->g[c] * s->grad_scale;
        a->v[c] = (float)(a->beta2 * a->v[c] + (1.0 - a->beta2) * (x * x + a->eps));
        s->col_factor[c] = 1.0f / sqrtf(a->v[c]);
    }
}

/* ---- clipping ---- */

static void update_rows(const void *args, axl_tile t)
{
    const struct step *s = args;
    const axl_factored_args *a = s->a;

    for (int64_t r = t.row; r < t.row_end; r++) {
        const float *g = a->g + r * a->cols;
        float row = a->row ? 1.0f / sqrtf((float)(a->row[r] / s->row_mean)) : 1.0f;
        double sums[N_SUMS] = { 0 };
        s->row_factor[r] = row;
        for (int64_t c = 0; c < a->cols; c++) {
            double u = update(s, g, row, c);
            sums[c % N_SUMS] += u * u;
        }
        s->row_sums[r] = total(sums);
    }
}

static void find_inverse(struct step *s)
{
    double sum = 0.0;

    for (int64_t r = 0; r < s->a->rows; r++)
        sum += s->row_sums[r];
    double over = sqrt(sum / (double)(s->a->rows * s->a->cols)) / s->a->clip_threshold;
    s->inverse = over > 1.0 ? (float)(1.0 / over) : 1.0f;
}

/* ---- CAME's residues ---- */

static void residue_rows(const void *args, axl_tile t)
{
    const struct step *s = args;
    const axl_factored_args *a = s->a;

    for (int64_t r = t.row; r < t.row_end; r++) {
        const float *g = a->g + r * a->cols;
        float *m = a->m + r * a->cols, row = s->row_factor[r];
        double sums[N_SUMS] = { 0 };
        for (int64_t c = 0; c < a->cols; c++) {
            float u = update(s, g, row, c) * s->inverse;
            m[c] = s->beta1 * m[c] + s->rest1 * u;
            double d = u - m[c];
            sums[c % N_SUMS] += d * d;
        }
        double mean = total(sums) / (double)a->cols + a->eps2;
        if (a->row)
            a->res_row[r] = (float)(a->beta3 * a->res_row[r] + (1.0 - a->beta3) * mean);
    }
}

static void residue_strip(void *args, uint64_t index)
{
    const struct step *s = args;
    const axl_factored_args *a = s->a;
    int64_t first = (int64_t)index * STRIP, n = axl_min(STRIP, a->cols - first);
    double sums[STRIP] = { 0 };

    for (int64_t r = 0; r < a->rows; r++) {
        const float *g = a->g + r * a->cols, *m = a->m + r * a->cols + first;
        float row = s->row_factor[r];
        for (int64_t c = 0; c < n; c++) {
            double d = update(s, g, row, first + c) * s->inverse - m[c];
            sums[c] += d * d;
        }
    }
    for (int64_t c = 0; c < n; c++) {
        double mean = sums[c] / (double)a->rows + a->eps2;
        float col = (float)(a->beta3 * a->res_col[first + c] + (1.0 - a->beta3) * mean);
        a->res_col[first + c] = col;
        s->res_col_factor[first + c] = 1.0f / sqrtf(col);
    }
}

/* ---- the parameters ---- */

static void move_rows(const void *args, axl_tile t)
{
    const struct step *s = args;
    const axl_factored_args *a = s->a;

    for (int64_t r = t.row; r < t.row_end; r++) {
        const float *g = a->g + r * a->cols;
        float *p = a->p + r * a->cols, row = s->row_factor[r];
        for (int64_t c = 0; c < a->cols; c++)
            p[c] = p[c] * s->keep - s->lr * (update(s, g, row, c) * s->inverse);
    }
}

static void move_rows_by_means(const void *args, axl_tile t)
{
    const struct step *s = args;
    const axl_factored_args *a = s->a;

    for (int64_t r = t.row; r < t.row_end; r++) {
        const float *m = a->m + r * a->cols;
        float *p = a->p + r * a->cols;
        float row = a->row ? 1.0f / sqrtf((float)(a->res_row[r] / s->res_mean)) : 1.0f;
        for (int64_t c = 0; c < a->cols; c++) {
            float d = a->row ? row * s->res_col_factor[c] * m[c] : m[c];
            p[c] = p[c] * s->keep - s->lr * d;
        }
    }
}

static void by_rows(axl_device *dev, struct step *s, axl_tile_fn *fn)
{
    axl_tiles_run(dev, s->a->rows, s->a->cols, true, fn, s);
}

static void by_strips(axl_device *dev, struct step *s, axl_task_fn fn)
{
    axl_loop(dev, axl_div_up(s->a->cols, STRIP), 8 * s->a->rows * s->a->cols, fn, s);
}

axl_status AXL_ISA_NAME(factored)(axl_device *dev, const axl_factored_args *a)
{
    float *rest = (float *)(void *)(a->scratch + a->rows);
    struct step s = {
        .a = a,
        .row_sums = a->scratch,
        .row_factor = rest,
        .col_factor = rest + a->rows,
        .res_col_factor = rest + a->rows + a->cols,
        .grad_scale = (float)a->grad_scale,
        .beta1 = (float)a->beta1,
        .rest1 = (float)(1.0 - a->beta1),
        .keep = (float)(1.0 - a->lr * a->weight_decay),
        .lr = (float)a->lr,
        .row_mean = 1.0,
        .res_mean = 1.0,
    };

    if (a->row) {
        by_rows(dev, &s, square_rows);
        by_strips(dev, &s, square_strip);
        s.row_mean = mean_of(a->row, a->rows);
    } else {
        square_vector(&s);
    }
    by_rows(dev, &s, update_rows);
    find_inverse(&s);
    if (!a->m) {
        by_rows(dev, &s, move_rows);
        return AXL_OK;
    }
    by_rows(dev, &s, residue_rows);
    if (a->row) {
        by_strips(dev, &s, residue_strip);
        s.res_mean = mean_of(a->res_row, a->rows);
    }
    by_rows(dev, &s, move_rows_by_means);
    return AXL_OK;
}
