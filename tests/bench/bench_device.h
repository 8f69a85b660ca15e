/* SPDX-License-Identifier: Apache-2.0 */
/* bench_device.h - what a benchmark of operations runs on: [--backend NAME] [--json] in front of
 * its own arguments. */
#ifndef AXL_TESTS_BENCH_DEVICE_H
#define AXL_TESTS_BENCH_DEVICE_H

#include "base/ctx.h"
#include "base/os.h"
#include "tensor/registry.h"

#include <axl/axl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bench_device {
    const char *name;
    axl_context *ctx;
    const axl_backend_ops *ops;
    axl_device *dev;
    axl_device_info info;
    bool json;
} bench_device;

static inline void bench_must(axl_status status)
{
    if (status >= 0)
        return;
    fprintf(stderr, "%s\n", axl_last_error());
    exit(1);
}

/* Takes its options from the arguments. */
static inline bench_device bench_options(int *argc, char ***argv)
{
    bench_device d = { .name = "cpu" };

    for (;;) {
        int taken = 0;
        if (*argc > 1 && strcmp((*argv)[1], "--json") == 0) {
            d.json = true;
            taken = 1;
        } else if (*argc > 2 && strcmp((*argv)[1], "--backend") == 0) {
            d.name = (*argv)[2];
            taken = 2;
        }
        if (taken == 0)
            return d;
        *argc -= taken;
        *argv += taken;
    }
}

static inline void bench_open(bench_device *d, const char *isa, const char *threads)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;

    o.isa = isa;
    o.threads = threads ? (uint32_t)atoi(threads) : 0;
    o.plugin_dir = getenv("AXL_PLUGIN_DIR");
    bench_must(axl_context_new(&d->ctx, &o));
    bench_must(axl__device_get_named(&d->ops, &d->dev, d->ctx, d->name));
    d->ops->device_info(d->dev, &d->info);
    if (!d->json)
        printf("%s, %s, %u threads\n", d->name, d->info.isa, (unsigned)axl_context_threads(d->ctx));
}

static inline void bench_close(bench_device *d)
{
    axl__device_put(d->ctx, d->ops, d->dev);
    axl_context_free(d->ctx);
}

/* Calls that are made before the device is waited for: the waiting has a cost of its own. */
static inline int bench_calls(const bench_device *d)
{
    return d->info.host_memory ? 1 : 8;
}

static inline void *bench_put(const bench_device *d, const void *host, size_t size)
{
    void *p;

    bench_must(d->ops->buffer_new(d->dev, &p, size));
    bench_must(d->ops->upload(d->dev, p, host, size));
    return p;
}

/* Whether the device is there to try the benchmark on. */
static inline bool bench_rehearses(const bench_device *d)
{
    return strcmp(d->name, "emulated") == 0;
}

#endif
