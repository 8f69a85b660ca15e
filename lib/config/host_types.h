/* SPDX-License-Identifier: Apache-2.0 */
/* host_types.h - data set types that hosts have registered, by context. */
#ifndef AXL_CONFIG_HOST_TYPES_H
#define AXL_CONFIG_HOST_TYPES_H

#include "base/ctx.h"

#include <axl/dataset.h>

typedef struct axl__host_type {
    char *name;
    char *version; /* NULL: what it made may not be kept */
    axl_dataset_type_fn make;
    void *user;
    struct axl__host_type *next;
} axl__host_type;

/* In the order of registering. */
const axl__host_type *axl__host_types(const axl_context *ctx);
/* NULL: there is none; name may be NULL. */
const axl__host_type *axl__host_type_find(const axl_context *ctx, const char *name);

extern const axl__context_part axl__host_types_context_part;

#endif
