/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head.h - from the last hidden state to logits and losses, and back.  It works on some rows at a
 * time, so that a batch's logits never exist.
 *
 * Losses and gradients are two phases, so that an objective may look at whole sequences between
 * them; where the scale of each loss is known beforehand, one phase gives both.
 * T tokens, C hidden, V vocabulary.
 */
#ifndef AXL_MODEL_HEAD_H
#define AXL_MODEL_HEAD_H

#include "batch.h"
#include "linear.h"

enum { AXL__HEAD_ROWS = 256 };

/* Memory for HEAD_ROWS trained rows at a time.  losses alone is as long as the batch, for an
 * objective sees all of them.  The gradient of the logits lies over the logits themselves, and
 * in bf16 takes the first half of each row's bytes. */
typedef struct axl__head_work {
    axl_mat rows, norm, dnorm, drows; /* (HEAD_ROWS, C); the last two for a backward */
    axl_mat logits, xa;               /* (HEAD_ROWS, V) f32, (HEAD_ROWS, r) */
    axl_mat capped; /* (HEAD_ROWS, V) f32: the logits again, for a soft cap under a host's loss */
    float *rstd;    /* (HEAD_ROWS) */
    float *losses;  /* (T) of the trained labels */
    double *sum;    /* (1) of the losses */
    axl__linear_scratch linear;
} axl__head_work;

/* For T tokens. */
void axl__head_work_take(axl__step_arena *a, axl__head_work *out, const axl__pass *p, int64_t T);

/* The logits of rows (count <= HEAD_ROWS) of h (T, C), under their soft cap, into w->logits. */
axl_status axl__head_logits(const axl__pass *p, axl__head_work *w, axl_mat h, const int32_t *rows,
                            int64_t count);

/* The first phase: w->losses of every trained label. */
axl_status axl__head_losses(const axl__pass *p, axl__head_work *w, axl_mat h,
                            const axl__batch_index *x);
/* The second: dh (T, C) receives the gradient of wish.scale * sum_i weights[i] * losses[i], and
 * what is trained its part.  w->losses are written too. */
axl_status axl__head_gradients(const axl__pass *p, axl__head_work *w, axl_mat h,
                               const axl__batch_index *x, axl_mat dh);
/* head_own.c: both phases with a host's own loss, wish.own; *value: what it says. */
axl_status axl__head_own_gradients(const axl__pass *p, axl__head_work *w, axl_mat h,
                                   const axl__batch_index *x, const axl_batch *batch, axl_mat dh,
                                   double *value);
/* What it is made of: where gradients of w->logits lie, and the way from there to dh, zeroed.  Of
 * logits with a soft cap they are gradients of what it was put on. */
axl_mat axl__head_over_logits(const axl__pass *p, const axl__head_work *w);
axl_status axl__head_rows_backward(const axl__pass *p, axl__head_work *w, const int32_t *rows,
                                   axl_mat dlogits, axl_mat dh);

/* w->sum: sum_i weights[i] * losses[i], in order. */
axl_status axl__head_sum(const axl__pass *p, axl__head_work *w, const axl__batch_index *x);

#endif
