/* SPDX-License-Identifier: Apache-2.0 */
/* pairs.c - linear probing; see pairs.h. */
#include "pairs.h"

#include <string.h>

void axl__pairs_init(axl__pairs *p, axl_context *ctx)
{
    memset(p, 0, sizeof *p);
    p->ctx = ctx;
}

void axl__pairs_free(axl__pairs *p)
{
    if (p->ctx)
        axl__free(p->ctx, p->slots);
    p->slots = NULL;
    p->cap = p->count = 0;
}

/* There is room: axl__pairs_reserve() came before. */
static void put(axl__pairs *p, uint64_t key, uint64_t value)
{
    size_t i = axl__pairs_home(p, key);

    while (p->slots[i].key != UINT64_MAX && p->slots[i].key != key)
        i = (i + 1) & (p->cap - 1);
    if (p->slots[i].key != key)
        p->count++;
    p->slots[i].key = key;
    p->slots[i].value = value;
}

/* On failure the table is as it was.  Slots of all ones are empty, hence the key that is not
 * allowed. */
axl_status axl__pairs_reserve(axl__pairs *p, size_t count)
{
    size_t cap = p->cap ? p->cap : 64;
    axl__pairs old = *p;

    if (count > SIZE_MAX / 64)
        return axl__fail_nomem();
    while (cap < count * 2)
        cap *= 2;
    if (cap == p->cap)
        return AXL_OK;
    axl__pair_slot *slots = axl__alloc(p->ctx, cap * sizeof *slots);
    if (!slots)
        return axl__fail_nomem();
    memset(slots, 0xFF, cap * sizeof *slots);
    p->slots = slots;
    p->cap = cap;
    p->count = 0;
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].key != UINT64_MAX)
            put(p, old.slots[i].key, old.slots[i].value);
    axl__free(p->ctx, old.slots);
    return AXL_OK;
}

axl_status axl__pairs_set(axl__pairs *p, uint64_t key, uint64_t value)
{
    AXL_TRY(axl__pairs_reserve(p, p->count + 1));
    put(p, key, value);
    return AXL_OK;
}
