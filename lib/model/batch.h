/* SPDX-License-Identifier: Apache-2.0 */
/* batch.h - a host's batch at the front door: whether it is sound, what of it is trained, and its
 * numbers on the device. */
#ifndef AXL_MODEL_BATCH_H
#define AXL_MODEL_BATCH_H

#include "arch.h"
#include "tensor/backend.h"

#include <axl/loader.h>

#include <stdbool.h>

/* From a batch as a host or a loader made it, whatever its struct's age, to one that a pass can
 * take; its arrays stay the caller's.  AXL_ERR_INVALID names what is out of range;
 * AXL_ERR_UNSUPPORTED for roles and pairs, which no loss reads: trained as plain samples they would
 * teach the rejected answers.  Without need_labels they may be NULL. */
axl_status axl__batch_take(axl_batch *out, const axl_batch *given, const axl__arch *arch,
                           bool need_labels);
/* The same of n token ids alone. */
axl_status axl__ids_check(const int32_t *ids, size_t n, const axl__arch *arch);

/* Labels that are predicted: those of a sequence but its first, which nothing precedes; 0 where the
 * batch has no labels. */
uint32_t axl__batch_trained(const axl_batch *batch);
int64_t axl__batch_longest(const axl_batch *batch);

/* Integers (and weights, of the same size) on their way to the device: host is filled, then one
 * upload brings all of it.  used starts at 0 for each batch, so that what was taken for the last
 * one is no longer valid. */
typedef struct axl__index {
    int32_t *host, *device; /* (cap) */
    int64_t cap;
    int64_t used;
} axl__index;

/* Which of a batch's tokens the head looks at; zeroed: those that predict a trained label. */
typedef struct axl__rows_wish {
    bool all;             /* every token */
    bool weights;         /* room for weights even where the batch has none */
    const int32_t *given; /* (n_given) these, host; NULL: none are given */
    int64_t n_given;      /* at most n_tokens */
    const int32_t *known; /* (n_known) tokens that slots are wanted of, host; NULL: none */
    int64_t n_known;
    int64_t rank, vocab; /* of the A (rank, vocab) that columns are wanted of; 0: none */
    uint64_t seed;
} axl__rows_wish;

/* What the embedding looks up, on the device: tokens, and of each token's column of A (r, V) where
 * its elements lie in A. */
typedef struct axl__lookups {
    const int32_t *ids;    /* (n_tokens) */
    const int32_t *places; /* (n_tokens, r), or NULL */
} axl__lookups;

/* Where a batch's numbers lie on the device.  A row is the token that predicts; its target is what,
 * and stands for nothing where rows were not picked by their labels. */
typedef struct axl__batch_index {
    const uint64_t *seed; /* (1) */
    axl__lookups tokens;
    const int32_t *positions;      /* (n_tokens) */
    const int32_t *rows, *targets; /* (n_rows) */
    const int32_t *host_rows;      /* the same as rows, host; valid until the next load */
    float *weights;                /* (n_rows), or NULL: all 1 */
    const int32_t *cu;             /* (n_seqs + 1) */
    const int32_t *slots;          /* (n_tokens) where a token is in known, or n_known; or NULL */
    int64_t n_rows, max_position;
} axl__batch_index;

/* rank: of the embedding's pair, or 0. */
axl_status axl__index_reserve(axl__index *x, axl_context *ctx, const axl_backend_ops *ops,
                              axl_device *dev, int64_t n_tokens, int64_t rank);
void axl__index_free(axl__index *x, axl_context *ctx, const axl_backend_ops *ops, axl_device *dev);
/* The next n places of the host side; *device is where they will be. */
int32_t *axl__index_take(axl__index *x, int64_t n, const int32_t **device);
/* The lookups of n tokens, of an A (rank, vocab) where rank is not 0. */
void axl__index_lookups(axl__index *x, const int32_t *ids, int64_t n, int64_t rank, int64_t vocab,
                        axl__lookups *out);
axl_status axl__index_upload(axl__index *x, const axl_backend_ops *ops, axl_device *dev);

axl_status axl__batch_load(axl__batch_index *out, axl__index *x, const axl_batch *batch,
                           const axl__rows_wish *wish, const axl_backend_ops *ops, axl_device *dev);

#endif
