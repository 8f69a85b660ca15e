/* SPDX-License-Identifier: Apache-2.0 */
/* lisa.c - see lisa.h.  All follows from the seed and the step: checkpoints need nothing. */
#include "lisa.h"

#include <string.h>

axl_status axl__lisa_init(axl__lisa *l, axl_context *ctx, uint32_t n_layers, uint32_t n_picked,
                          uint64_t every, uint32_t seed)
{
    memset(l, 0, sizeof *l);
    if (n_picked == 0)
        return AXL_OK;
    if (n_picked > n_layers)
        return axl__fail(AXL_ERR_INVALID, "lisa_n_layers is %u, the model has %u layers", n_picked,
                         n_layers);
    l->ctx = ctx;
    l->every = every;
    l->seed = seed;
    l->n_layers = n_layers;
    l->n_picked = n_picked;
    axl__twister_seed(&l->twister, seed);
    l->order = axl__calloc(ctx, n_layers, sizeof *l->order);
    l->rests = axl__calloc(ctx, n_layers + 1, sizeof *l->rests);
    l->steps = axl__calloc(ctx, n_layers + 1, sizeof *l->steps);
    return l->order && l->rests && l->steps ? AXL_OK : axl__fail_nomem();
}

void axl__lisa_free(axl__lisa *l)
{
    if (!l->ctx)
        return;
    axl__free(l->ctx, l->order);
    axl__free(l->ctx, l->rests);
    axl__free(l->ctx, l->steps);
    memset(l, 0, sizeof *l);
}

/* numpy.random.choice(n_layers, n_picked, replace=False): the first so many of a permutation.  Part
 * 0 is not in it and never rests. */
static void lisa_draw_layers(axl__lisa *l)
{
    axl__numpy_permutation_next(l->order, l->n_layers, &l->twister);
    for (uint32_t i = 0; i < l->n_layers; i++)
        l->rests[l->order[i] + 1] = i >= l->n_picked;
}

/* Draws for steps 0 and 1, then for every multiple of `every`: Axolotl's callback asks for the
 * multiples and for global_step 1 (utils/callbacks/lisa.py).  A draw that was missed is made up
 * for, because the twister must be as far as if it had not been. */
void axl__lisa_pick(axl__lisa *l, uint64_t step)
{
    while (l->n_picked > 0 && l->next_pick <= step) {
        lisa_draw_layers(l);
        l->next_pick = l->next_pick == 0 ? 1 : (l->next_pick / l->every + 1) * l->every;
    }
}

void axl__lisa_count(axl__lisa *l)
{
    for (uint32_t i = 0; l->n_picked > 0 && i <= l->n_layers; i++)
        l->steps[i] += !l->rests[i];
}

/* Counts from pick to pick instead of step by step. */
axl_status axl__lisa_at(axl__lisa *out, const axl__lisa *of, uint64_t step)
{
    axl__lisa l;

    memset(out, 0, sizeof *out);
    if (of->n_picked == 0)
        return AXL_OK;
    axl_status status =
        axl__lisa_init(&l, of->ctx, of->n_layers, of->n_picked, of->every, of->seed);
    for (uint64_t s = 0; s < step && status == AXL_OK;) {
        axl__lisa_pick(&l, s);
        uint64_t next = l.next_pick < step ? l.next_pick : step;
        for (uint32_t i = 0; i <= l.n_layers; i++)
            l.steps[i] += l.rests[i] ? 0 : (int64_t)(next - s);
        s = next;
        status = axl__cancelled(of->ctx);
    }
    if (status == AXL_OK)
        *out = l;
    else
        axl__lisa_free(&l);
    return status;
}
