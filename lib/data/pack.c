/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack.c - bin packing.  A tree of the room left in each bin finds the first bin that fits in
 * O(log n); a million samples take well under a second.
 *
 * Plain first-fit-decreasing would put the same samples together in every epoch, long ones with
 * long ones.  Windows of 64 bins keep its fill (0.967 / 0.987 / 0.996 on 999 Alpaca rows at 512 /
 * 1024 / 2048 tokens; first-fit in random order 0.948 / 0.976 / 0.988) and let epochs differ.
 */
#include "data/pack.h"

#include <string.h>

void axl__bins_free(axl_context *ctx, axl__bins *bins)
{
    axl__free(ctx, bins->items);
    axl__free(ctx, bins->starts);
    memset(bins, 0, sizeof *bins);
}

static axl_status bins_alloc(axl__bins *out, axl_context *ctx, uint32_t n, uint32_t n_bins)
{
    memset(out, 0, sizeof *out);
    out->items = axl__alloc(ctx, (size_t)n * sizeof *out->items);
    out->starts = axl__calloc(ctx, (size_t)n_bins + 1, sizeof *out->starts);
    out->n_bins = n_bins;
    if (out->items && out->starts)
        return AXL_OK;
    axl__bins_free(ctx, out);
    return axl__fail_nomem();
}

axl_status axl__pack_in_order(axl__bins *out, axl_context *ctx, const uint32_t *lengths,
                              const uint32_t *order, uint32_t n, uint32_t capacity)
{
    AXL_TRY(bins_alloc(out, ctx, n, n));
    uint32_t n_bins = 0, room = 0;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t length = lengths[order[i]];
        if (length > room) {
            out->starts[n_bins++] = i;
            room = capacity;
        }
        room -= length;
        out->items[i] = order[i];
    }
    out->starts[n_bins] = n;
    out->n_bins = n_bins;
    return AXL_OK;
}

/* ---- first fit ---- */

/* room[leaves + b] is what bin b still holds, a node above the larger of its two children. */
typedef struct {
    uint32_t *room;
    uint32_t leaves; /* a power of two */
    uint32_t n_bins;
} fit_tree;

/* Twice as many leaves, the new ones with all of their room. */
static axl_status tree_grow(fit_tree *t, axl_context *ctx, uint32_t capacity)
{
    uint32_t leaves = t->leaves ? t->leaves * 2 : 64;
    uint32_t *room = axl__alloc(ctx, (size_t)leaves * 2 * sizeof *room);

    if (!room)
        return axl__fail_nomem();
    for (uint32_t b = 0; b < leaves; b++)
        room[leaves + b] = b < t->leaves ? t->room[t->leaves + b] : capacity;
    for (uint32_t i = leaves - 1; i > 0; i--)
        room[i] = room[2 * i] > room[2 * i + 1] ? room[2 * i] : room[2 * i + 1];
    axl__free(ctx, t->room);
    t->room = room;
    t->leaves = leaves;
    return AXL_OK;
}

/* The first bin with room for length; the bins behind n_bins are empty, so growing makes one. */
static axl_status tree_place(fit_tree *t, axl_context *ctx, uint32_t capacity, uint32_t length,
                             uint32_t *bin)
{
    if (t->leaves == 0 || t->room[1] < length)
        AXL_TRY(tree_grow(t, ctx, capacity));
    uint32_t i = 1;
    while (i < t->leaves)
        i = t->room[2 * i] >= length ? 2 * i : 2 * i + 1;
    *bin = i - t->leaves;
    if (*bin >= t->n_bins)
        t->n_bins = *bin + 1;
    t->room[i] -= length;
    while (i /= 2)
        t->room[i] = t->room[2 * i] > t->room[2 * i + 1] ? t->room[2 * i] : t->room[2 * i + 1];
    return AXL_OK;
}

/* A merge sort. */
void axl__sort_falling(uint32_t *items, uint32_t *tmp, uint32_t n, const uint32_t *lengths)
{
    for (uint64_t width = 1; width < n; width *= 2) {
        for (uint64_t lo = 0; lo < n; lo += 2 * width) {
            uint64_t mid = lo + width < n ? lo + width : n, hi = mid + width < n ? mid + width : n;
            uint64_t a = lo, b = mid;
            for (uint64_t k = lo; k < hi; k++)
                tmp[k] = b >= hi || (a < mid && lengths[items[a]] >= lengths[items[b]])
                             ? items[a++]
                             : items[b++];
        }
        memcpy(items, tmp, (size_t)n * sizeof *items);
    }
}

/* bin_of[k] is where items[k] goes; items holds the order on entry and the windows sorted after. */
static axl_status place_all(fit_tree *t, axl_context *ctx, const uint32_t *lengths, uint32_t *items,
                            uint32_t *bin_of, uint32_t n, uint32_t capacity)
{
    uint64_t window_tokens = (uint64_t)AXL__PACK_WINDOW * capacity;

    for (uint32_t lo = 0, hi = 0; lo < n; lo = hi) {
        AXL_TRY(axl__cancelled(ctx));
        for (uint64_t sum = 0; hi < n && sum < window_tokens; hi++)
            sum += lengths[items[hi]];
        axl__sort_falling(items + lo, bin_of + lo, hi - lo, lengths);
        for (uint32_t k = lo; k < hi; k++)
            AXL_TRY(tree_place(t, ctx, capacity, lengths[items[k]], &bin_of[k]));
    }
    return AXL_OK;
}

/* A counting sort by bin at the end: starts first holds counts, then where the next item of a bin
 * goes, and is moved up by one when all are placed. */
axl_status axl__pack_first_fit(axl__bins *out, axl_context *ctx, const uint32_t *lengths,
                               const uint32_t *order, uint32_t n, uint32_t capacity)
{
    fit_tree t = { 0 };
    uint32_t *items = axl__alloc(ctx, (size_t)n * sizeof *items);
    uint32_t *bin_of = axl__alloc(ctx, (size_t)n * sizeof *bin_of);
    axl_status status = AXL_ERR_NOMEM;

    memset(out, 0, sizeof *out);
    if (!items || !bin_of) {
        status = axl__fail_nomem();
        goto done;
    }
    memcpy(items, order, (size_t)n * sizeof *items);
    status = place_all(&t, ctx, lengths, items, bin_of, n, capacity);
    if (status == AXL_OK)
        status = bins_alloc(out, ctx, n, t.n_bins);
    if (status != AXL_OK)
        goto done;
    for (uint32_t k = 0; k < n; k++)
        out->starts[bin_of[k]]++;
    for (uint32_t b = 0, at = 0; b <= t.n_bins; b++) {
        uint32_t count = out->starts[b];
        out->starts[b] = at;
        at += count;
    }
    for (uint32_t k = 0; k < n; k++)
        out->items[out->starts[bin_of[k]]++] = items[k];
    memmove(out->starts + 1, out->starts, (size_t)t.n_bins * sizeof *out->starts);
    out->starts[0] = 0;
done:
    axl__free(ctx, items);
    axl__free(ctx, bin_of);
    axl__free(ctx, t.room);
    return status;
}

/* ---- similar lengths ---- */

axl_status axl__group_by_length(axl_context *ctx, const uint32_t *lengths, uint32_t *order,
                                uint32_t n, uint64_t step_items)
{
    enum { STRETCHES = 4, STEPS_MOST = 50 };
    uint64_t steps = n / (step_items * STRETCHES), longest = 0;
    uint32_t *tmp = axl__alloc(ctx, ((size_t)n + 1) * sizeof *tmp);

    if (!tmp)
        return axl__fail_nomem();
    steps = steps > STEPS_MOST ? STEPS_MOST : steps > 0 ? steps : 1;
    uint64_t each = steps * step_items;
    for (uint64_t at = 0; at < n; at += each) {
        axl__sort_falling(order + at, tmp, (uint32_t)(n - at < each ? n - at : each), lengths);
        if (lengths[order[at]] > lengths[order[longest]])
            longest = at;
    }
    axl__free(ctx, tmp);
    if (n > 0) {
        uint32_t first = order[0];
        order[0] = order[longest];
        order[longest] = first;
    }
    return AXL_OK;
}
