/* SPDX-License-Identifier: Apache-2.0 */
/* counted_memory.h - an allocator that counts the blocks alive, and fails after so many calls. */
#ifndef AXL_TESTS_COUNTED_MEMORY_H
#define AXL_TESTS_COUNTED_MEMORY_H

#include <stdlib.h>

static long blocks, left; /* blocks alive; allocations that still succeed */

static inline void *counted_realloc(void *user, void *block, size_t size)
{
    (void)user;
    if (left-- <= 0)
        return NULL;
    blocks += block == NULL;
    return realloc(block, size);
}

static inline void *counted_alloc(void *user, size_t size)
{
    return counted_realloc(user, NULL, size);
}

static inline void counted_free(void *user, void *block)
{
    (void)user;
    blocks -= block != NULL;
    free(block);
}

#endif
