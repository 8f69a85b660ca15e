/* SPDX-License-Identifier: Apache-2.0 */
/* step_arena.c - see step_arena.h. */
#include "step_arena.h"

#include <assert.h>
#include <string.h>

void axl__step_arena_init(axl__step_arena *a, const axl_backend_ops *ops, axl_device *dev)
{
    memset(a, 0, sizeof *a);
    a->ops = ops;
    a->dev = dev;
}

void axl__step_arena_free(axl__step_arena *a)
{
    if (a->ops)
        a->ops->buffer_free(a->dev, a->base);
    a->base = NULL;
    a->size = a->used = a->peak = 0;
}

axl_status axl__step_arena_reserve(axl__step_arena *a, size_t size)
{
    void *base;

    if (size <= a->size)
        return AXL_OK;
    axl__step_arena_free(a);
    AXL_TRY(a->ops->buffer_new(a->dev, &base, size));
    a->base = base;
    a->size = size;
    return AXL_OK;
}

void *axl__step_arena_take(axl__step_arena *a, size_t size)
{
    char *p = a->base ? a->base + a->used : NULL;

    a->used += (size + 63) & ~(size_t)63;
    if (a->used > a->peak)
        a->peak = a->used;
    assert(!a->base || a->used <= a->size);
    return p;
}

axl_mat axl__step_arena_mat(axl__step_arena *a, axl_dtype dtype, int64_t rows, int64_t cols)
{
    axl_mat m = { NULL, dtype, rows, cols, cols };

    m.data = axl__step_arena_take(a, (size_t)rows * (size_t)cols * axl__dtype_size(dtype));
    return m;
}
