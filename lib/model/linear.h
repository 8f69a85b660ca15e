/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linear.h - linear layers that share an input, each with or without a bias and a LoRA pair:
 *
 *   y_i = x W_i^T + b_i + xa_i B_i^T,   xa_i = s drop_i(x) A_i^T
 *   dx = sum_i dy_i W_i + drop_i(dxa_i A_i),   dxa_i = s dy_i B_i,
 *   dA_i += dxa_i^T drop_i(x),   dB_i += dy_i^T xa_i,
 *   dW_i += dy_i^T x and db_i += sum_t dy_i where W is trained
 *
 * x (T, in), y_i (T, out_i), W_i (out_i, in), A_i (r, in), B_i (out_i, r), s = the pair's scale.
 * Pairs that a restart froze are added likewise, without dropout and gradients of their own.  An
 * adapter may train b_i in the model's place, give B_i a bias that counts s times, or give the
 * layer magnitudes, which is DoRA (dora.h): b_i is then added behind its gains. The xa_i of a group
 * lie side by side in one matrix (T, R), R the sum of their ranks; the A_i lie one behind another,
 * so that without dropout one product makes all of it.
 */
#ifndef AXL_MODEL_LINEAR_H
#define AXL_MODEL_LINEAR_H

#include "pass.h"
#include "tensor/step_arena.h"

/* Scratch of the pairs, sized for the widest layer: drop (T, max in) when there is dropout, dxa
 * (T, max R), frozen (T, rank of the frozen pairs), wide (T, outputs of a group's DoRA layers).
 * parts, for a layer of many outputs, has what the backend wants for the product or is NULL. */
typedef struct axl__linear_scratch {
    axl_mat drop, dxa, frozen, wide;
    void *parts;
    size_t parts_size;
} axl__linear_scratch;

/* n columns of m from `first` on, where they lie. */
static inline axl_mat axl__columns(axl_mat m, int64_t first, int64_t n)
{
    if (m.data)
        m.data = (char *)m.data + (size_t)first * axl__dtype_size(m.dtype);
    m.cols = n;
    return m;
}

/* Of the frozen pairs; 0 without. */
int64_t axl__frozen_rank(const axl__pass *p);
/* R; 0 without pairs. */
int64_t axl__linears_rank(const axl__pass *p, axl__linears g);
/* The most that R is in the slot of any decoder layer: an adapter may leave some out. */
int64_t axl__slot_rank(const axl__pass *p, axl__slot slot);

/* The outputs of the group's layers that have magnitudes; and the most in the slot. */
int64_t axl__linears_gained(const axl__pass *p, axl__linears g);
int64_t axl__slot_gained(const axl__pass *p, axl__slot slot);

/* Whether their backward reads x: for a pair, or a weight's gradient. */
bool axl__linears_read_input(const axl__pass *p, axl__linears g);

/* The widest that a layer is: its input, R and the outputs with magnitudes of its group. */
typedef struct axl__linear_size {
    int64_t widest, rank, gained;
} axl__linear_size;

void axl__linear_scratch_take(axl__step_arena *a, axl__linear_scratch *out, const axl__pass *p,
                              int64_t T, axl__linear_size most);

/* xa alone, for a backward that computes its layers again; nothing without pairs. */
axl_status axl__linears_xa(const axl__pass *p, axl__linears g, axl_mat x, axl_mat xa,
                           const axl__linear_scratch *s);
/* y[g.n], plus (of y's size, or no data) added to each.  xa has room for (T, R), which is kept for
 * the backward. */
axl_status axl__linears_forward(const axl__pass *p, axl__linears g, axl_mat x, axl_mat plus,
                                const axl_mat *y, axl_mat xa, const axl__linear_scratch *s);
/* dy[g.n].  dx is written; dx.data NULL leaves it out.  x is read only for pairs and where the
 * weights are trained. */
axl_status axl__linears_backward(const axl__pass *p, axl__linears g, axl_mat x, const axl_mat *dy,
                                 axl_mat xa, axl_mat dx, const axl__linear_scratch *s);

#endif
