/* SPDX-License-Identifier: Apache-2.0 */
/* sampler.c - see sampler.h. */
#include "sampler.h"

#include "base/rng.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static int32_t best(const float *logits, int64_t n)
{
    int64_t at = 0;

    for (int64_t i = 1; i < n; i++)
        if (logits[i] > logits[at])
            at = i;
    return (int32_t)at;
}

/* Each id that has come counts once, however often it came: transformers' rule (Keskar et al.,
 * 2019), which pushes a logit down whatever its sign. */
static void penalise(float *logits, int64_t n, const int32_t *seen, int64_t n_seen, float penalty)
{
    for (int64_t i = 0; i < n_seen; i++) {
        bool again = false;
        if (seen[i] < 0 || seen[i] >= n)
            continue;
        for (int64_t j = 0; j < i && !again; j++)
            again = seen[j] == seen[i];
        if (!again)
            logits[seen[i]] =
                logits[seen[i]] > 0 ? logits[seen[i]] / penalty : logits[seen[i]] * penalty;
    }
}

/* Equal logits by id, so that the order and what is drawn from it do not depend on qsort(). */
static int by_logit(const void *a_, const void *b_)
{
    const axl__candidate *a = a_, *b = b_;

    if (a->logit != b->logit)
        return a->logit > b->logit ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

/* The fewest of the likeliest whose sum reaches top_p, and at least one. */
static int64_t keep_top_p(axl__candidate *c, int64_t n, double top_p)
{
    double sum = 0.0;
    int64_t kept = 0;

    while (kept < n && (kept == 0 || sum < top_p))
        sum += (double)c[kept++].p;
    return kept;
}

/* Over the first n, which are sorted: c[0] has the largest logit.  Returns n. */
static int64_t softmax(axl__candidate *c, int64_t n)
{
    double sum = 0.0;

    for (int64_t i = 0; i < n; i++)
        sum += exp((double)c[i].logit - (double)c[0].logit);
    for (int64_t i = 0; i < n; i++)
        c[i].p = (float)(exp((double)c[i].logit - (double)c[0].logit) / sum);
    return n;
}

/* Each filter works on the distribution that the one before left, renormalised.  The number that
 * decides is of the seed and the token's count alone.  The last line is for sums that end just
 * below 1 by rounding. */
int32_t axl__sample(float *logits, int64_t n, const int32_t *seen, int64_t n_seen,
                    const axl_generate_options *o, uint64_t draw, axl__candidate *c)
{
    if (o->repetition_penalty != 1.0)
        penalise(logits, n, seen, n_seen, (float)o->repetition_penalty);
    if (o->greedy)
        return best(logits, n);
    for (int64_t i = 0; i < n; i++)
        c[i] = (axl__candidate){ logits[i] / (float)o->temperature, 0.0f, (int32_t)i };
    qsort(c, (size_t)n, sizeof *c, by_logit);
    if (o->top_k > 0 && (int64_t)o->top_k < n)
        n = (int64_t)o->top_k;
    softmax(c, n);
    if (o->top_p < 1.0) {
        n = keep_top_p(c, n, o->top_p);
        softmax(c, n);
    }
    if (o->min_p > 0.0) {
        int64_t kept = 1;
        while (kept < n && (double)c[kept].p >= o->min_p * (double)c[0].p)
            kept++;
        n = kept;
        softmax(c, n);
    }
    double u = axl__random_double(o->seed, AXL__STREAM_SAMPLE, draw), sum = 0.0;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)c[i].p;
        if (u < sum)
            return c[i].id;
    }
    return c[n - 1].id;
}
