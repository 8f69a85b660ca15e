/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step_arena.h - one device buffer that holds all of a step's activations.  The same code that lays
 * them out first runs measuring (base NULL), so that the size is known before anything is allocated
 * and no step allocates.
 */
#ifndef AXL_TENSOR_STEP_ARENA_H
#define AXL_TENSOR_STEP_ARENA_H

#include "backend.h"

typedef struct axl__step_arena {
    const axl_backend_ops *ops;
    axl_device *dev;
    char *base;  /* NULL while measuring */
    size_t size; /* of base */
    size_t used, peak;
} axl__step_arena;

void axl__step_arena_init(axl__step_arena *a, const axl_backend_ops *ops, axl_device *dev);
void axl__step_arena_free(axl__step_arena *a);
/* Makes room for `size` bytes; what was there is gone. */
axl_status axl__step_arena_reserve(axl__step_arena *a, size_t size);
/* The next `size` bytes, 64-byte aligned; NULL while measuring. */
void *axl__step_arena_take(axl__step_arena *a, size_t size);
axl_mat axl__step_arena_mat(axl__step_arena *a, axl_dtype dtype, int64_t rows, int64_t cols);

#endif
