/* SPDX-License-Identifier: Apache-2.0 */
/* split_spec.h - what `split` says: "train", "train[:500]", "train[10%:20%]", "train[-5:]+test", as
 * datasets' ReadInstruction reads it. */
#ifndef AXL_DATA_SPLIT_SPEC_H
#define AXL_DATA_SPLIT_SPEC_H

#include "base/fail.h"

#include <stdbool.h>
#include <stddef.h>

/* Parts of a sum. */
enum { AXL__SPLIT_PARTS_MAX = 64 };

/* Rows of one split.  name is not ended by a NUL. */
typedef struct axl__split_part {
    const char *name; /* borrowed from the spec */
    size_t name_len;
    int64_t from, to; /* below 0: counted from the end */
    bool has_from, has_to;
    bool percent;    /* from and to are */
    bool whole_ones; /* a percent is as many rows for each: (pct1_dropremainder) */
} axl__split_part;

/* parts (AXL__SPLIT_PARTS_MAX).  AXL_ERR_INVALID says what is wrong with the spec. */
axl_status axl__split_parse(const char *spec, axl__split_part *parts, size_t *n);
/* Whether the range depends on how many rows the split has. */
bool axl__split_counts(const axl__split_part *part);
/* Rows [*from, *to) of a split that has n; *to may be less than *from: none.  AXL_ERR_INVALID: a
 * rounding that does not go with so few rows. */
axl_status axl__split_range(const axl__split_part *part, uint64_t n, uint64_t *from, uint64_t *to);

#endif
