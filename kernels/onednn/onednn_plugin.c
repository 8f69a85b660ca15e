/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onednn_plugin.c - axl-onednn.so: single tiles through oneDNN's matmul primitive on the calling
 * thread.  oneDNN would start OpenMP threads of its own; each call sets the thread's OpenMP limit
 * to 1 and puts it back, whoever made the thread.  Primitives are kept per device, made under a
 * lock, the longest unused dropped beyond CACHE_MAX: batches without padding come in many row
 * counts.
 */
#include "onednn_api.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_MAX = 256 };

/* From the OpenMP library that oneDNN is linked with; absent where oneDNN has no OpenMP. */
extern void omp_set_num_threads(int n) __attribute__((weak));
extern int omp_get_max_threads(void) __attribute__((weak));

struct axl_matmul_product {
    axl_matmul_shape shape;
    onednn_matmul *mm;
    size_t scratch;
    uint64_t last_use;
    uint32_t users;
};

struct axl_matmul_library {
    pthread_mutex_t lock;
    dnnl_engine_t engine;
    char name[48];
    uint64_t uses;
    axl_matmul_product *products[CACHE_MAX];
    size_t n_products;
};

static int one_thread(void)
{
    int before = omp_get_max_threads ? omp_get_max_threads() : 0;

    if (omp_set_num_threads)
        omp_set_num_threads(1);
    return before;
}

static void restore_threads(int before)
{
    if (omp_set_num_threads)
        omp_set_num_threads(before);
}

static axl_matmul_library *plugin_open(void)
{
    axl_matmul_library *lib = calloc(1, sizeof *lib);
    const dnnl_version_t *v = dnnl_version();

    if (!lib)
        return NULL;
    if (dnnl_engine_create(&lib->engine, dnnl_cpu, 0) != dnnl_success) {
        free(lib);
        return NULL;
    }
    pthread_mutex_init(&lib->lock, NULL);
    snprintf(lib->name, sizeof lib->name, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
    return lib;
}

static void drop_product(axl_matmul_product *p)
{
    onednn_matmul_free(p->mm);
    free(p);
}

static void plugin_close(axl_matmul_library *lib)
{
    for (size_t i = 0; i < lib->n_products; i++)
        drop_product(lib->products[i]);
    dnnl_engine_destroy(lib->engine);
    pthread_mutex_destroy(&lib->lock);
    free(lib);
}

static const char *plugin_name(axl_matmul_library *lib)
{
    return lib->name;
}

static axl_matmul_product *find(axl_matmul_library *lib, const axl_matmul_shape *shape)
{
    for (size_t i = 0; i < lib->n_products; i++)
        if (memcmp(&lib->products[i]->shape, shape, sizeof *shape) == 0)
            return lib->products[i];
    return NULL;
}

/* Room for one more; false when all are in use. */
static bool make_room(axl_matmul_library *lib)
{
    size_t oldest = CACHE_MAX;

    if (lib->n_products < CACHE_MAX)
        return true;
    for (size_t i = 0; i < CACHE_MAX; i++)
        if (lib->products[i]->users == 0 &&
            (oldest == CACHE_MAX || lib->products[i]->last_use < lib->products[oldest]->last_use))
            oldest = i;
    if (oldest == CACHE_MAX)
        return false;
    drop_product(lib->products[oldest]);
    lib->products[oldest] = lib->products[--lib->n_products];
    return true;
}

static axl_matmul_product *make(axl_matmul_library *lib, const axl_matmul_shape *shape)
{
    axl_matmul_product *p;

    if (!make_room(lib))
        return NULL;
    p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    int before = one_thread(); /* the scratchpad is then for one */
    dnnl_status_t status = onednn_matmul_new(&p->mm, lib->engine, shape);
    restore_threads(before);
    if (status != dnnl_success) {
        free(p);
        return NULL;
    }
    p->shape = *shape;
    p->scratch = onednn_matmul_scratch(p->mm);
    lib->products[lib->n_products++] = p;
    return p;
}

static axl_matmul_product *plugin_acquire(axl_matmul_library *lib, const axl_matmul_shape *shape)
{
    pthread_mutex_lock(&lib->lock);
    axl_matmul_product *p = find(lib, shape);
    if (!p)
        p = make(lib, shape);
    if (p) {
        p->users++;
        p->last_use = ++lib->uses;
    }
    pthread_mutex_unlock(&lib->lock);
    return p;
}

static void plugin_release(axl_matmul_library *lib, axl_matmul_product *p)
{
    pthread_mutex_lock(&lib->lock);
    p->users--;
    pthread_mutex_unlock(&lib->lock);
}

static size_t plugin_scratch_size(const axl_matmul_product *p)
{
    return p->scratch;
}

static bool plugin_run(axl_matmul_library *lib, axl_matmul_product *p, const void *x, const void *w,
                       void *y, void *scratch)
{
    int before = one_thread();
    dnnl_status_t status = onednn_matmul_run(p->mm, lib->engine, x, w, y, scratch);

    restore_threads(before);
    return status == dnnl_success;
}

extern __attribute__((visibility("default"))) const axl_matmul_plugin axl_matmul_plugin_table;

/* AXL_MATMUL_PLUGIN_SYMBOL */
const axl_matmul_plugin axl_matmul_plugin_table = {
    .abi = AXL_MATMUL_PLUGIN_ABI,
    .size = sizeof(axl_matmul_plugin),
    .version = AXL_VERSION,
    .open = plugin_open,
    .close = plugin_close,
    .name = plugin_name,
    .acquire = plugin_acquire,
    .release = plugin_release,
    .scratch_size = plugin_scratch_size,
    .run = plugin_run,
};
