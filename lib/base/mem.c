/* SPDX-License-Identifier: Apache-2.0 */
/* mem.c - see mem.h. */
#include "mem.h"

#include <stdlib.h>
#include <string.h>

static const axl__allocator *memory_of(const axl_context *ctx)
{
    return &((const axl__context_head *)(const void *)ctx)->memory;
}

void *axl__allocator_alloc(const axl__allocator *m, size_t size)
{
    if (size == 0)
        size = 1;
    return m->alloc ? m->alloc(m->user, size) : malloc(size);
}

void axl__allocator_free(const axl__allocator *m, void *block)
{
    if (!block)
        return;
    if (m->alloc)
        m->free(m->user, block);
    else
        free(block);
}

void *axl__alloc(axl_context *ctx, size_t size)
{
    return axl__allocator_alloc(memory_of(ctx), size);
}

/* calloc() itself where it is the allocator: large blocks come zeroed from the system. */
void *axl__calloc(axl_context *ctx, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    if (!memory_of(ctx)->alloc)
        return calloc(count ? count : 1, size ? size : 1);
    void *p = axl__alloc(ctx, count * size);
    if (p)
        memset(p, 0, count * size);
    return p;
}

void *axl__realloc(axl_context *ctx, void *block, size_t size)
{
    const axl__allocator *m = memory_of(ctx);

    if (size == 0)
        size = 1;
    return m->alloc ? m->realloc(m->user, block, size) : realloc(block, size);
}

void axl__free(axl_context *ctx, void *block)
{
    if (block) /* without one there may be no context either */
        axl__allocator_free(memory_of(ctx), block);
}

enum { ALIGNMENT = 64 };

/* The block's own address stands right before the aligned one. */
void *axl__alloc_aligned(axl_context *ctx, size_t size)
{
    if (size > SIZE_MAX - ALIGNMENT - sizeof(void *))
        return NULL;
    void *block = axl__alloc(ctx, size + ALIGNMENT + sizeof(void *));
    if (!block)
        return NULL;
    uintptr_t at = (uintptr_t)block + sizeof(void *) + ALIGNMENT - 1;
    at &= ~(uintptr_t)(ALIGNMENT - 1);
    memcpy((void *)(at - sizeof(void *)), &block, sizeof block);
    return (void *)at;
}

void axl__free_aligned(axl_context *ctx, void *p)
{
    void *block;

    if (!p)
        return;
    memcpy(&block, (char *)p - sizeof(void *), sizeof block);
    axl__free(ctx, block);
}

char *axl__strndup(axl_context *ctx, const char *text, size_t len)
{
    char *copy = axl__alloc(ctx, len + 1);

    if (!copy)
        return NULL;
    if (len > 0) /* text may be NULL without any */
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *axl__strdup(axl_context *ctx, const char *text)
{
    return text ? axl__strndup(ctx, text, strlen(text)) : NULL;
}
