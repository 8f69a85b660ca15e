/* SPDX-License-Identifier: Apache-2.0 */
/* pack.h - whole samples into bins of a fixed number of tokens. */
#ifndef AXL_DATA_PACK_H
#define AXL_DATA_PACK_H

#include "base/ctx.h"

/* Bin b holds items[starts[b] .. starts[b + 1]). */
typedef struct axl__bins {
    uint32_t *items;  /* (n) each index once */
    uint32_t *starts; /* (n_bins + 1) */
    uint32_t n_bins;
} axl__bins;

void axl__bins_free(axl_context *ctx, axl__bins *bins);

/* Next-fit: a bin is closed by the first item that does not fit, so items stay in order.
 * order (n) is the visiting order of indices into lengths; 1 <= lengths[i] <= capacity. */
axl_status axl__pack_in_order(axl__bins *out, axl_context *ctx, const uint32_t *lengths,
                              const uint32_t *order, uint32_t n, uint32_t capacity);

/* First-fit-decreasing over windows of the order, each about AXL__PACK_WINDOW bins long: the
 * lengths of a window are visited from the longest, and every bin that still has room may take
 * one.  Ties and the windows follow the order, so another order gives other bins. */
axl_status axl__pack_first_fit(axl__bins *out, axl_context *ctx, const uint32_t *lengths,
                               const uint32_t *order, uint32_t n, uint32_t capacity);

enum { AXL__PACK_WINDOW = 64 };

/* Stable, by falling length; tmp (n). */
void axl__sort_falling(uint32_t *items, uint32_t *tmp, uint32_t n, const uint32_t *lengths);

/*
 * Puts indices of similar length near each other, as transformers' LengthGroupedSampler: the order
 * is cut into stretches of up to 50 steps (a quarter of all, where that is less), each sorted by
 * falling length; then the longest of all comes first, so that what needs the most memory does.
 */
axl_status axl__group_by_length(axl_context *ctx, const uint32_t *lengths, uint32_t *order,
                                uint32_t n, uint64_t step_items);

#endif
