/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c - blocks of at least 16 KiB, filled from the front. */
#include "arena.h"

#include <string.h>

enum { BLOCK_SIZE = 16 * 1024 };

struct axl__arena_block {
    axl__arena_block *next;
    size_t size; /* of the payload */
};

void axl__arena_init(axl__arena *a, axl_context *ctx)
{
    memset(a, 0, sizeof *a);
    a->ctx = ctx;
}

static void free_chain(axl_context *ctx, axl__arena_block *b)
{
    while (b) {
        axl__arena_block *next = b->next;
        axl__free(ctx, b);
        b = next;
    }
}

void axl__arena_free(axl__arena *a)
{
    if (!a->ctx)
        return;
    free_chain(a->ctx, a->blocks);
    a->blocks = NULL;
    a->left = a->used = 0;
}

/* With the newest block kept, rows of about one size take no memory anew. */
void axl__arena_reset(axl__arena *a)
{
    if (!a->blocks)
        return;
    free_chain(a->ctx, a->blocks->next);
    a->blocks->next = NULL;
    a->at = (char *)(a->blocks + 1);
    a->left = a->blocks->size;
    a->used = 0;
}

/* What does not fit begins a block, and the rest of the last one is left unused. */
void *axl__arena_alloc(axl__arena *a, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + 15) & ~(size_t)15;
    if (size > a->left) {
        size_t payload = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        axl__arena_block *b = axl__alloc(a->ctx, sizeof *b + payload);
        if (!b)
            return NULL;
        b->next = a->blocks;
        b->size = payload;
        a->blocks = b;
        a->at = (char *)(b + 1);
        a->left = payload;
    }
    void *p = a->at;
    a->at += size;
    a->left -= size;
    a->used += size;
    return memset(p, 0, size);
}

char *axl__arena_strndup(axl__arena *a, const char *text, size_t len)
{
    char *copy = axl__arena_alloc(a, len + 1);

    if (copy && len > 0) /* text may be NULL without any */
        memcpy(copy, text, len);
    return copy;
}
