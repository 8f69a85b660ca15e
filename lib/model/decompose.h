/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decompose.h - the leading singular values of a weight, and the beginning of its QR.  A weight is
 * reached through products alone, which every backend and every kind of weight has.
 */
#ifndef AXL_MODEL_DECOMPOSE_H
#define AXL_MODEL_DECOMPOSE_H

#include "model.h"

/* What is decomposed: the module's own weight, or another of its size. */
typedef struct axl__weight_of {
    axl_model *model;
    const axl__module *module;
    axl_weight weight;
} axl__weight_of;

/* W (out, in) ~ sum_i values[i] left[i]^T right[i], the n largest, falling.  Signs are as they
 * come. */
typedef struct axl__svd {
    double *values;      /* (n) */
    float *left, *right; /* (n, out), (n, in) */
} axl__svd;

/* iterations: of the subspace that a random one is refined by (Halko et al., "Finding structure
 * with randomness", 2011), which is then n wide; -1: until the values stand still. */
typedef struct axl__svd_options {
    const char *what; /* wants it, for messages */
    uint64_t seed, stream;
    int64_t iterations;
} axl__svd_options;

/* AXL_ERR_INVALID where n is more than the weight's rank can be, AXL_ERR_UNSUPPORTED for a
 * quantised one. */
axl_status axl__svd_make(axl__svd *out, axl__weight_of of, int64_t n, const axl__svd_options *opts);
void axl__svd_free(axl__svd *s, axl_context *ctx);

/* W = Q R: the first n columns of Q as rows, and the first n rows of R. */
typedef struct axl__qr {
    float *q, *r; /* (n, out), (n, in) */
} axl__qr;

axl_status axl__qr_make(axl__qr *out, axl__weight_of of, int64_t n);
void axl__qr_free(axl__qr *q, axl_context *ctx);

/* q (n, n) becomes the Q of its own QR, with the signs that Householder's reflections give it (as
 * LAPACK's); work (n + 1, n). */
void axl__orthogonalise(double *q, double *work, int64_t n);

#endif
