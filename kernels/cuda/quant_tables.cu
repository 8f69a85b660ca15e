/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quant_tables.cu - the maps of optim_low_bit as the device looks them up.  A map's rounding is a
 * step function that never falls, since start rises with x and so does above: the 256 places where
 * it rises say all that the 64 KiB of start do, and a warp finds 32 of them in shared memory faster
 * than in a table of that size.
 *
 * A table is kept until the device closes.  It is found by what is in the map and not by the map's
 * address, which another optimizer's maps may get; there are six different ones in quant_map.c.
 */
#include "cuda_device.h"

#include <math.h>
#include <pthread.h>

struct quant_entry {
    struct quant_entry *next;
    axl_quant_map map;
    axl_quant_table *table; /* device memory */
};

struct axl_quant_tables {
    pthread_mutex_t lock;
    quant_entry *first;
};

axl_status axl__quant_tables_open(axl_device *dev)
{
    struct axl_quant_tables *t;

    AXL_TRY(axl__cuda_host_new(dev->ctx, (void **)&t, sizeof *t));
    pthread_mutex_init(&t->lock, NULL);
    dev->tables = t;
    return AXL_OK;
}

static void free_entry(axl_device *dev, quant_entry *e)
{
    if (e->table)
        cudaFreeAsync(e->table, dev->stream);
    axl__cuda_host->free(dev->ctx, e);
}

void axl__quant_tables_close(axl_device *dev)
{
    struct axl_quant_tables *t = dev->tables;

    if (!t)
        return;
    while (t->first) {
        quant_entry *e = t->first;
        t->first = e->next;
        free_entry(dev, e);
    }
    pthread_mutex_destroy(&t->lock);
    axl__cuda_host->free(dev->ctx, t);
    dev->tables = NULL;
}

/* ---- a table from a map ---- */

/* Floats in the order of their values. */
static float of_rank(int32_t i)
{
    return axl__bits_float((uint32_t)(i < 0 ? INT32_MIN - i : i));
}

/* The smallest x of [-1, 1] whose code is above c; infinity where there is none. */
static float border_above(const axl_quant_map *map, int c)
{
    int32_t high = (int32_t)axl__float_bits(1.0f), low = -high;

    if (axl__quant_code(map, 1.0f) <= c)
        return INFINITY;
    while (low < high) {
        int32_t mid = low + (int32_t)(((int64_t)high - low) / 2);
        if (axl__quant_code(map, of_rank(mid)) > c)
            high = mid;
        else
            low = mid + 1;
    }
    return of_rank(low);
}

static void make_table(axl_quant_table *t, const axl_quant_map *map)
{
    memset((void *)t, 0, sizeof *t);
    memcpy(t->code, map->code, sizeof(float) << map->bits);
    for (int level = 0; level < map->bits; level++) {
        int below = 1 << (map->bits - level); /* codes under a node of the level */
        for (int i = 0; i < 1 << level; i++)
            t->border[(1 << level) + i] = border_above(map, i * below + below / 2 - 1);
    }
}

/* ---- finding one ---- */

static bool same_map(const axl_quant_map *a, const axl_quant_map *b)
{
    size_t n = sizeof(float) << a->bits;

    return a->bits == b->bits && memcmp(a->code, b->code, n) == 0 &&
           memcmp(a->above, b->above, n) == 0 && memcmp(a->start, b->start, sizeof a->start) == 0;
}

static axl_status fill_entry(axl_device *dev, quant_entry *e, const axl_quant_map *map)
{
    axl_quant_table host;

    e->map = *map;
    e->table = NULL;
    make_table(&host, map);
    AXL_TRY(axl__cuda_buffer_new(dev, (void **)&e->table, sizeof host));
    return axl__staging_upload(dev, e->table, &host, sizeof host);
}

/* Called locked. */
static axl_status add_entry(axl_device *dev, quant_entry **out, const axl_quant_map *map)
{
    quant_entry *e;

    *out = NULL;
    AXL_TRY(axl__cuda_host_new(dev->ctx, (void **)&e, sizeof *e));
    axl_status status = fill_entry(dev, e, map);
    if (status < 0) {
        free_entry(dev, e);
        return status;
    }
    e->next = dev->tables->first;
    dev->tables->first = *out = e;
    return AXL_OK;
}

axl_status axl__quant_table_of(axl_device *dev, const axl_quant_table **out,
                               const axl_quant_map *map)
{
    axl_status status = AXL_OK;

    pthread_mutex_lock(&dev->tables->lock);
    quant_entry *e = dev->tables->first;
    while (e && !same_map(&e->map, map))
        e = e->next;
    if (!e)
        status = add_entry(dev, &e, map);
    pthread_mutex_unlock(&dev->tables->lock);
    *out = e ? e->table : NULL;
    return status;
}
