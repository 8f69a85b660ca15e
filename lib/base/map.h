/* SPDX-License-Identifier: Apache-2.0 */
/* map.h - byte strings to 64-bit values, open addressing.  Keys are borrowed and must live as long
 * as the map. */
#ifndef AXL_BASE_MAP_H
#define AXL_BASE_MAP_H

#include "fail.h"
#include "mem.h"

#include <stdbool.h>

typedef struct axl__map_slot {
    const char *key; /* NULL: free */
    size_t len;
    int64_t value;
} axl__map_slot;

typedef struct axl__map {
    axl_context *ctx;
    axl__map_slot *slots;
    size_t cap, count;
} axl__map;

void axl__map_init(axl__map *m, axl_context *ctx);
void axl__map_free(axl__map *m);
/* Sets or replaces; AXL_ERR_NOMEM. */
axl_status axl__map_set(axl__map *m, const char *key, size_t len, int64_t value);
bool axl__map_get(const axl__map *m, const char *key, size_t len, int64_t *value);
uint64_t axl__hash_bytes(const void *bytes, size_t len); /* FNV-1a, 64 bit */

#endif
