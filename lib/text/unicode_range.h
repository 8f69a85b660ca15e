/* SPDX-License-Identifier: Apache-2.0 */
/* unicode_range.h - classes of characters as sorted ranges. */
#ifndef AXL_TEXT_UNICODE_RANGE_H
#define AXL_TEXT_UNICODE_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether c lies in one of n ranges, each its first and its last character, in ascending order. */
static inline bool axl__in_ranges(const uint32_t (*ranges)[2], size_t n, uint32_t c)
{
    size_t lo = 0, hi = n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (c > ranges[mid][1])
            lo = mid + 1;
        else if (c < ranges[mid][0])
            hi = mid;
        else
            return true;
    }
    return false;
}

#define AXL__IN_RANGES(ranges, c) axl__in_ranges(ranges, sizeof(ranges) / sizeof *(ranges), c)

#endif
