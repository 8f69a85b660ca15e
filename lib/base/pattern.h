/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pattern.h - Python's regular expressions over the names of things, run on PCRE2, which reads
 * them as Python's re does.  (A tokenizer's, which are Oniguruma's, are lib/text/regex.h.)
 */
#ifndef AXL_BASE_PATTERN_H
#define AXL_BASE_PATTERN_H

#include "fail.h"

#include <axl/context.h>

#include <stdbool.h>
#include <stddef.h>

typedef struct axl__pattern axl__pattern;

/* AXL_ERR_INVALID, with what is wrong in the text. */
axl_status axl__pattern_new(axl__pattern **out, axl_context *ctx, const char *text);
void axl__pattern_free(axl__pattern *p); /* NULL is fine */

/* Where a group's text lies in the name; from == to: nowhere. */
typedef struct axl__pattern_group {
    size_t from, to;
} axl__pattern_group;

/* re.match(), whole: re.fullmatch().  first is the first group's; may be NULL.  AXL_ERR_INVALID
 * when it takes too long. */
axl_status axl__pattern_match(const axl__pattern *p, const char *name, bool whole, bool *matches,
                              axl__pattern_group *first);

#endif
