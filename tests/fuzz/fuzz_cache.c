/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_cache.c - the file of a prepared data set, its checksum made right. */
#include "fuzz.h"

#include "base/os.h"
#include "data/dataset_cache.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const char key[] = "key";

/* "cache/<hash>.axlrows", as axl names it. */
static const char *cache_name(const char *dir)
{
    static char name[300];
    axl_dataset_stats stats = AXL_DATASET_STATS_INIT;
    axl__store *store = axl__store_new(fuzz_context());

    if (!name[0]) {
        fuzz_must(store && axl__cache_save(store, &stats, fuzz_context(), dir, key) == AXL_OK,
                  "a cache file");
        DIR *d = opendir(dir);
        for (const struct dirent *e; d && (e = readdir(d));)
            if (e->d_name[0] != '.')
                snprintf(name, sizeof name, "cache/%s", e->d_name);
        closedir(d);
    }
    axl__store_free(store);
    return name;
}

static void write_with_crc(const char *name, const uint8_t *data, size_t size)
{
    uint32_t crc = (uint32_t)crc32_z(0, data, size);
    uint8_t *all = malloc(size + sizeof crc);

    fuzz_must(all != NULL, "memory");
    memcpy(all, data, size);
    memcpy(all + size, &crc, sizeof crc);
    fuzz_write(name, all, size + sizeof crc);
    free(all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    axl_dataset_stats stats = AXL_DATASET_STATS_INIT;
    char *dir = fuzz_path("cache");
    axl__store *store;

    write_with_crc(cache_name(dir), data, size);
    axl_status status = axl__cache_load(&store, &stats, fuzz_context(), dir, key);
    fuzz_must(status == AXL_OK || status == AXL_END, "a broken file is no failure");
    for (uint32_t i = 0; store && i < store->n; i++) {
        const axl__row *r = &store->rows[i];
        fuzz_read_all(axl__row_ids(store, r), r->length * sizeof *store->tokens);
        fuzz_read_all(axl__row_labels(store, r), r->length * sizeof *store->tokens);
        if (r->source != AXL__NO_SOURCE)
            fuzz_read_all(store->sources[r->source], strlen(store->sources[r->source]));
    }
    axl__store_free(store);
    free(dir);
    return 0;
}
