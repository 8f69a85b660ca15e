/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem.h - memory from a context's allocator.  The lowest floor: all that it knows of a context is
 * what every context begins with.
 */
#ifndef AXL_BASE_MEM_H
#define AXL_BASE_MEM_H

#include <axl/context.h>

#include <stddef.h>
#include <stdint.h>

/* As the host gave it; malloc and its like where alloc is NULL. */
typedef struct axl__allocator {
    void *(*alloc)(void *user, size_t size);
    void *(*realloc)(void *user, void *block, size_t size);
    void (*free)(void *user, void *block);
    void *user;
} axl__allocator;

typedef struct axl__context_head {
    uint32_t magic;
    axl__allocator memory;
} axl__context_head;

void *axl__allocator_alloc(const axl__allocator *memory, size_t size);
void axl__allocator_free(const axl__allocator *memory, void *block);

/* alloc gives uninitialised bytes, calloc zeroes; both return NULL without recording an error, and
 * a size of 0 gives a block.  aligned gives 64-byte alignment, released only with free_aligned. */
void *axl__alloc(axl_context *ctx, size_t size);
void *axl__calloc(axl_context *ctx, size_t count, size_t size);
void *axl__realloc(axl_context *ctx, void *block, size_t size);
void axl__free(axl_context *ctx, void *block);
void *axl__alloc_aligned(axl_context *ctx, size_t size);
void axl__free_aligned(axl_context *ctx, void *block);
char *axl__strdup(axl_context *ctx, const char *text); /* NULL text gives NULL */
char *axl__strndup(axl_context *ctx, const char *text, size_t len);

#endif
