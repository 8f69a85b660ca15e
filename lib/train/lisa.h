/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lisa.h - LISA (Pan et al., "LISA: Layerwise importance sampling", 2024) as Axolotl does it: a few
 * decoder layers at a time are trained, picked anew every so many steps and once more after the
 * first; what is no layer always is.  A layer that rests keeps its optimizer state.  The picks are
 * Axolotl's, of numpy.random.seed(seed).  After a resume Axolotl 0.19 trains all layers until the
 * next pick; here the picked ones go on.
 */
#ifndef AXL_TRAIN_LISA_H
#define AXL_TRAIN_LISA_H

#include "base/ctx.h"
#include "base/pyrandom.h"

#include <stdbool.h>

/* By part: 0 is what always trains, l + 1 decoder layer l.  Picks depend on the seed and on how
 * many there were, so the twister's state needs no place in a checkpoint: axl__lisa_at() draws
 * them again. */
typedef struct axl__lisa {
    axl_context *ctx;
    uint64_t every;
    uint32_t seed;
    uint32_t n_layers, n_picked; /* n_picked 0: there is no LISA */
    uint32_t *order;             /* (n_layers) */
    bool *rests;                 /* (n_layers + 1) */
    int64_t *steps;              /* (n_layers + 1) that moved a part */
    axl__twister twister;
    uint64_t next_pick; /* the step before which it is due */
} axl__lisa;

/* AXL_ERR_INVALID when there are fewer layers. */
axl_status axl__lisa_init(axl__lisa *l, axl_context *ctx, uint32_t n_layers, uint32_t n_picked,
                          uint64_t every, uint32_t seed);
void axl__lisa_free(axl__lisa *l);

/* The layers that train after so many steps; not fewer than at the last call. */
void axl__lisa_pick(axl__lisa *l, uint64_t step);
/* The step with the picked ones is done. */
void axl__lisa_count(axl__lisa *l);
/* One as `of` would be had that many steps been done: a draw for each pick till then, so that a far
 * step takes long and polls. */
axl_status axl__lisa_at(axl__lisa *out, const axl__lisa *of, uint64_t step);

#endif
