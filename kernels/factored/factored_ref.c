/* SPDX-License-Identifier: Apache-2.0 */
/*
 * factored_ref.c - what a step of Adafactor or CAME means.  Slow on purpose; every backend is
 * tested against this file, so change it only to fix the maths.  Each output is rounded to f32
 * once.
 */
#include "factored.h"

#include <math.h>

typedef struct {
    const axl_factored_args *a;
    double row_mean, res_mean; /* of row and res_row */
    double divisor;            /* of u */
} factored;

typedef double square_fn(const factored *f, int64_t r, int64_t c);

static double mean_of(const float *x, int64_t n)
{
    double sum = 0.0;

    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

static double grad(const factored *f, int64_t r, int64_t c)
{
    return f->a->g[r * f->a->cols + c] * f->a->grad_scale;
}

/* u before it is clipped. */
static double update(const factored *f, int64_t r, int64_t c)
{
    const axl_factored_args *a = f->a;

    if (!a->row)
        return grad(f, r, c) / sqrt(a->v[c]);
    return grad(f, r, c) / (sqrt(a->row[r] / f->row_mean) * sqrt(a->col[c]));
}

static double squared_grad(const factored *f, int64_t r, int64_t c)
{
    return grad(f, r, c) * grad(f, r, c) + f->a->eps;
}

static double squared_residue(const factored *f, int64_t r, int64_t c)
{
    double d = update(f, r, c) / f->divisor - f->a->m[r * f->a->cols + c];

    return d * d + f->a->eps2;
}

/* Moves the means by rows and by columns. */
static void move_means(const factored *f, float *row, float *col, double beta, square_fn *square)
{
    const axl_factored_args *a = f->a;

    for (int64_t r = 0; r < a->rows; r++) {
        double sum = 0.0;
        for (int64_t c = 0; c < a->cols; c++)
            sum += square(f, r, c);
        row[r] = (float)(beta * row[r] + (1.0 - beta) * sum / (double)a->cols);
    }
    for (int64_t c = 0; c < a->cols; c++) {
        double sum = 0.0;
        for (int64_t r = 0; r < a->rows; r++)
            sum += square(f, r, c);
        col[c] = (float)(beta * col[c] + (1.0 - beta) * sum / (double)a->rows);
    }
}

static void move_squares(factored *f)
{
    const axl_factored_args *a = f->a;
    double sum = 0.0;

    if (a->row) {
        move_means(f, a->row, a->col, a->beta2, squared_grad);
        f->row_mean = mean_of(a->row, a->rows);
    }
    for (int64_t c = 0; c < a->cols && !a->row; c++)
        a->v[c] = (float)(a->beta2 * a->v[c] + (1.0 - a->beta2) * squared_grad(f, 0, c));
    for (int64_t i = 0; i < a->rows * a->cols; i++) {
        double u = update(f, i / a->cols, i % a->cols);
        sum += u * u;
    }
    f->divisor = fmax(1.0, sqrt(sum / (double)(a->rows * a->cols)) / a->clip_threshold);
}

static void move_residues(factored *f)
{
    const axl_factored_args *a = f->a;

    for (int64_t i = 0; i < a->rows * a->cols; i++) {
        double u = update(f, i / a->cols, i % a->cols) / f->divisor;
        a->m[i] = (float)(a->beta1 * a->m[i] + (1.0 - a->beta1) * u);
    }
    if (!a->row)
        return;
    move_means(f, a->res_row, a->res_col, a->beta3, squared_residue);
    f->res_mean = mean_of(a->res_row, a->rows);
}

void axl__ref_factored(const axl_factored_args *a)
{
    factored f = { a, 1.0, 1.0, 1.0 };

    move_squares(&f);
    if (a->m)
        move_residues(&f);
    for (int64_t i = 0; i < a->rows * a->cols; i++) {
        int64_t r = i / a->cols, c = i % a->cols;
        double d = a->m ? a->m[i] : update(&f, r, c) / f.divisor;
        if (a->m && a->row)
            d /= sqrt(a->res_row[r] / f.res_mean) * sqrt(a->res_col[c]);
        a->p[i] = (float)(a->p[i] * (1.0 - a->lr * a->weight_decay) - a->lr * d);
    }
}
