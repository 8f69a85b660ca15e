/* SPDX-License-Identifier: Apache-2.0 */
/* name_pattern.h - a pattern of unfrozen_parameters, as Axolotl 0.19 reads it: a regular expression
 * in which a dot is literal but before a +, and maybe a range of rows, "name[2:7]". */
#ifndef AXL_CONFIG_NAME_PATTERN_H
#define AXL_CONFIG_NAME_PATTERN_H

#include "base/pattern.h"

#include <stdint.h>

typedef struct axl__name_pattern {
    axl__pattern *name; /* owned */
    bool ranged, open;  /* rows [first, end), or where open to the last one */
    int64_t first, end;
} axl__name_pattern;

/* AXL_ERR_INVALID says what is wrong with the text; then there is nothing to free. */
axl_status axl__name_pattern_read(axl__name_pattern *p, axl_context *ctx, const char *text);

#endif
