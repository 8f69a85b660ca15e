/* SPDX-License-Identifier: Apache-2.0 */
/* pairs.h - 64-bit keys to 64-bit values: merges by their two ids, characters, trie edges.  The key
 * UINT64_MAX is not allowed. */
#ifndef AXL_TEXT_PAIRS_H
#define AXL_TEXT_PAIRS_H

#include "base/ctx.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct axl__pair_slot {
    uint64_t key, value;
} axl__pair_slot;

typedef struct axl__pairs {
    axl_context *ctx;
    axl__pair_slot *slots;
    size_t cap, count; /* cap is 0 or a power of two, at most half full */
} axl__pairs;

void axl__pairs_init(axl__pairs *p, axl_context *ctx);
void axl__pairs_free(axl__pairs *p);
axl_status axl__pairs_reserve(axl__pairs *p, size_t count);
/* Sets or replaces. */
axl_status axl__pairs_set(axl__pairs *p, uint64_t key, uint64_t value);

static inline uint64_t axl__pair_key(uint32_t a, uint32_t b)
{
    return (uint64_t)a << 32 | b;
}

static inline size_t axl__pairs_home(const axl__pairs *p, uint64_t key)
{
    uint64_t h = key * 0x9E3779B97F4A7C15u;

    return (size_t)(h ^ h >> 32) & (p->cap - 1);
}

/* Inline: the inner loop of BPE asks a few times for each byte of text. */
static inline bool axl__pairs_get(const axl__pairs *p, uint64_t key, uint64_t *value)
{
    if (p->count == 0)
        return false;
    for (size_t i = axl__pairs_home(p, key);; i = (i + 1) & (p->cap - 1)) {
        if (p->slots[i].key == key) {
            *value = p->slots[i].value;
            return true;
        }
        if (p->slots[i].key == UINT64_MAX)
            return false;
    }
}

#endif
