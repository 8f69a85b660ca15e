/* SPDX-License-Identifier: Apache-2.0 */
/* map.c - linear probing, at most half full. */
#include "map.h"

#include <string.h>

uint64_t axl__hash_bytes(const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    uint64_t h = 0xCBF29CE484222325u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 0x100000001B3u;
    return h;
}

void axl__map_init(axl__map *m, axl_context *ctx)
{
    memset(m, 0, sizeof *m);
    m->ctx = ctx;
}

void axl__map_free(axl__map *m)
{
    if (m->ctx)
        axl__free(m->ctx, m->slots);
    m->slots = NULL;
    m->cap = m->count = 0;
}

/* The slot that has the key, or the free one where it belongs; at most half of them are taken, so
 * that one is found. */
static axl__map_slot *find(axl__map_slot *slots, size_t cap, const char *key, size_t len)
{
    size_t i = (size_t)(axl__hash_bytes(key, len) * 0x9E3779B97F4A7C15u >> 20) & (cap - 1);

    while (slots[i].key && !(slots[i].len == len && memcmp(slots[i].key, key, len) == 0))
        i = (i + 1) & (cap - 1);
    return &slots[i];
}

static axl_status grow(axl__map *m)
{
    size_t cap = m->cap ? m->cap * 2 : 64;
    axl__map_slot *slots = axl__calloc(m->ctx, cap, sizeof *slots);

    if (!slots)
        return axl__fail_nomem();
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].key)
            *find(slots, cap, m->slots[i].key, m->slots[i].len) = m->slots[i];
    axl__free(m->ctx, m->slots);
    m->slots = slots;
    m->cap = cap;
    return AXL_OK;
}

axl_status axl__map_set(axl__map *m, const char *key, size_t len, int64_t value)
{
    if ((m->count + 1) * 2 > m->cap)
        AXL_TRY(grow(m));
    axl__map_slot *s = find(m->slots, m->cap, key, len);
    if (!s->key) {
        s->key = key;
        s->len = len;
        m->count++;
    }
    s->value = value;
    return AXL_OK;
}

bool axl__map_get(const axl__map *m, const char *key, size_t len, int64_t *value)
{
    if (m->count == 0)
        return false;
    const axl__map_slot *s = find(m->slots, m->cap, key, len);
    if (s->key)
        *value = s->value;
    return s->key != NULL;
}
