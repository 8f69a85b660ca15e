/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relora.c - see relora.h.  Of each moment of each tensor the smallest share, or a random one,
 * becomes 0, as in Axolotl; but a mean without its mean square goes too.  New pairs begin with
 * B = 0 and thus without a gradient of A: Axolotl's next step divides such a mean by epsilon.
 * What is random follows from the seed and the restart's number.
 */
#include "relora.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

/* A restart appends its pairs to the frozen ones, so that the count is in their rank: it needs no
 * counter, and the adapter's file is enough to know it. */
uint64_t axl__relora_restarts(const axl_trainer *tr)
{
    const axl_adapter *a = tr->adapter, *frozen = a ? a->frozen : NULL;

    if (a && axl__init_is_residual(a->opts.init_lora_weights))
        return 0; /* what is frozen is what it began with */
    return frozen ? (uint64_t)(frozen->opts.rank / a->opts.rank) : 0;
}

static void swap_floats(float *a, float *b)
{
    float t = *a;

    *a = *b;
    *b = t;
}

/* Moves x so that x[k] is what it would be sorted, with nothing larger before it.  Hoare's
 * selection: linear on average, where sorting a large tensor for one value would be felt. */
static void relora_select_kth(float *x, int64_t n, int64_t k)
{
    int64_t lo = 0, hi = n - 1;

    while (lo < hi) {
        float pivot = x[lo + (hi - lo) / 2];
        int64_t i = lo, j = hi;
        while (i <= j) {
            while (x[i] < pivot)
                i++;
            while (x[j] > pivot)
                j--;
            if (i <= j)
                swap_floats(&x[i++], &x[j--]);
        }
        if (k <= j)
            hi = j;
        else if (k >= i)
            lo = i;
        else
            return;
    }
}

/* torch.quantile: between the two nearest of the sorted values; x is moved about. */
static double relora_quantile(float *x, int64_t n, double q)
{
    double at = q * (double)(n - 1);
    int64_t k = (int64_t)floor(at);

    relora_select_kth(x, n, k);
    if (k == n - 1)
        return (double)x[k];
    float next = x[k + 1];
    for (int64_t i = k + 2; i < n; i++)
        next = x[i] < next ? x[i] : next;
    return (double)x[k] + (at - (double)k) * ((double)next - (double)x[k]);
}

/* What equals the limit goes too, as in Axolotl's comparison. */
static void relora_prune_small(float *x, int64_t n, double ratio, float *work)
{
    for (int64_t i = 0; i < n; i++)
        work[i] = fabsf(x[i]);
    float limit = (float)relora_quantile(work, n, ratio);
    for (int64_t i = 0; i < n; i++)
        x[i] = fabsf(x[i]) > limit ? x[i] : 0.0f;
}

static void relora_prune_random(float *x, int64_t n, double ratio, uint64_t seed, uint64_t stream)
{
    for (int64_t i = 0; i < n; i++)
        if (!(axl__random_double(seed, stream, (uint64_t)i) > ratio))
            x[i] = 0.0f;
}

/* m, v, work (n) of tensor i.  By magnitude each moment has a limit of its own; at random both lose
 * the same elements.  The last loop takes means whose mean square went. */
static void relora_prune_tensor(const axl_trainer *tr, size_t i, float *m, float *v, int64_t n,
                                float *work)
{
    uint64_t stream = AXL__STREAM_PRUNE | (axl__relora_restarts(tr) << 32 | (uint64_t)i) << 8;
    double ratio = tr->opts.relora_prune_ratio;

    if (tr->opts.relora_prune == AXL_PRUNE_MAGNITUDE) {
        relora_prune_small(m, n, ratio, work);
        relora_prune_small(v, n, ratio, work);
    } else {
        relora_prune_random(v, n, ratio, tr->opts.seed, stream);
    }
    for (int64_t k = 0; k < n; k++)
        m[k] = v[k] > 0.0f ? m[k] : 0.0f;
}

/* Both moments on the host, pruned: m, v (n_params), laid out as the parameters. */
static axl_status relora_pruned(axl_trainer *tr, float *m, float *v, float *work)
{
    const axl_adapter *a = tr->adapter;

    for (size_t i = 0; i < a->n_tensors; i++) {
        const axl__param *t = &a->tensors[i];
        AXL_TRY(axl__cancelled(tr->ctx));
        AXL_TRY(axl__optimizer_read_moments(tr->optimizer, t->at, m + t->at, v + t->at));
        relora_prune_tensor(tr, i, m + t->at, v + t->at, t->rows * t->cols, work);
    }
    return AXL_OK;
}

static axl_status relora_put(axl_trainer *tr, const float *m, const float *v, float *work)
{
    const axl_adapter *a = tr->adapter;

    for (size_t i = 0; i < a->n_tensors; i++) {
        int64_t at = a->tensors[i].at;
        AXL_TRY(axl__optimizer_prune_moments(tr->optimizer, at, m + at, v + at, work));
    }
    return AXL_OK;
}

/* What can be cancelled or run out of memory works on the host's copies; then the adapter gets its
 * new pairs, of another seed at each restart, and only then the pruned moments go back. */
static axl_status relora_restart(axl_trainer *tr)
{
    int64_t n = tr->adapter->n_params;
    float *host = axl__alloc_aligned(tr->ctx, 3 * (size_t)n * sizeof(float));
    axl_status status = host ? relora_pruned(tr, host, host + n, host + 2 * n) : axl__fail_nomem();

    if (status == AXL_OK)
        status = axl__adapter_restart(tr->adapter, tr->opts.seed + 1 + axl__relora_restarts(tr));
    if (status == AXL_OK)
        status = relora_put(tr, host, host + n, host + 2 * n);
    axl__free_aligned(tr->ctx, host);
    if (status == AXL_OK)
        axl__log(tr->ctx, AXL_LOG_INFO, "ReLoRA: restart %llu after step %llu",
                 (unsigned long long)axl__relora_restarts(tr), (unsigned long long)tr->step);
    return status;
}

/* Not in the middle of a window, whose gradients are of the old pairs. */
axl_status axl__relora_when_due(axl_trainer *tr)
{
    uint64_t every = tr->opts.relora_steps;

    if (every == 0 || tr->batches > 0 || axl__relora_restarts(tr) >= tr->step / every)
        return AXL_OK;
    return relora_restart(tr);
}
