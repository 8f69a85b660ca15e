/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_profile.c - see op_profile.h.  Calls are told apart by operation, products also by shape.
 * Each call is waited for, so that its time is its wall time: what runs late loses some
 * microseconds a call, and what it would do beside others.  "if
 * fastest" supposes that all calls of a kind take as long as the fastest one: on a machine that
 * others use it is the better figure to compare.
 */
#include "op_profile.h"

#include "base/os.h"

#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAX = 128 };

typedef struct entry {
    char name[96];
    double seconds, flops, fastest;
    uint64_t calls;
} entry;

static entry entries[ENTRIES_MAX];
static size_t n_entries;
static const axl_backend_ops *timed; /* whose calls are timed */

static void record(const char *name, double began, double flops)
{
    double took = axl__now() - began;
    size_t i = 0;

    while (i < n_entries && strcmp(entries[i].name, name) != 0)
        i++;
    if (i == ENTRIES_MAX)
        return;
    if (i == n_entries)
        snprintf(entries[n_entries++].name, sizeof entries[i].name, "%s", name);
    if (entries[i].calls == 0 || took < entries[i].fastest)
        entries[i].fastest = took;
    entries[i].seconds += took;
    entries[i].flops += flops;
    entries[i].calls++;
}

#define TIMED(op, args, use)                                                                       \
    static axl_status timed_##op(axl_device *dev, const args *a)                                   \
    {                                                                                              \
        double began = axl__now();                                                                 \
        axl_status status = timed->op(dev, a);                                                     \
                                                                                                   \
        timed->synchronize(dev);                                                                   \
        record(#op, began, 0.0);                                                                   \
        return status;                                                                             \
    }
AXL_BACKEND_OTHER_OPS(TIMED)

static axl_status timed_matmul(axl_device *dev, const axl_matmul_args *a)
{
    char name[96];
    int64_t k = a->trans_x ? a->x.rows : a->x.cols;
    char depth[32];

    snprintf(depth, sizeof depth, a->n_more ? "%lld..." : "%lld", (long long)k);
    for (int64_t i = 0; i < a->n_more; i++)
        k += a->more[i].x.cols;
    double began = axl__now();
    axl_status status = timed->matmul(dev, a);

    timed->synchronize(dev);
    snprintf(name, sizeof name, "matmul %s %lld x %lld x %s %s%s", a->beta != 0.0f ? "+=" : " =",
             (long long)a->y.rows, (long long)a->y.cols, depth, a->trans_x ? "xT" : "",
             a->trans_w ? "wT" : "");
    record(name, began, 2.0 * (double)a->y.rows * (double)a->y.cols * (double)k);
    return status;
}

static axl_status timed_zero(axl_device *dev, void *dst, size_t size)
{
    double began = axl__now();
    axl_status status = timed->zero(dev, dst, size);

    timed->synchronize(dev);
    record("zero", began, 0.0);
    return status;
}

const axl_backend_ops *axl__op_profile(const axl_backend_ops *of)
{
    static axl_backend_ops ops;

    timed = of;
    ops = *of;
    ops.zero = timed_zero;
    ops.sequence_begin = ops.sequence_end = NULL; /* calls that wait have no time of their own */
#define SET(op, args, use) ops.op = timed_##op;
    AXL_BACKEND_OPS(SET)
    return &ops;
}

void axl__op_profile_reset(void)
{
    n_entries = 0;
    memset(entries, 0, sizeof entries);
}

double axl__op_profile_seconds(uint64_t *calls)
{
    double seconds = 0.0;

    *calls = 0;
    for (size_t i = 0; i < n_entries; i++) {
        seconds += entries[i].seconds;
        *calls += entries[i].calls;
    }
    return seconds;
}

static int longest_first(const void *a, const void *b)
{
    double x = ((const entry *)a)->seconds, y = ((const entry *)b)->seconds;

    return (x < y) - (x > y);
}

void axl__op_profile_print(FILE *f, int steps)
{
    double total = 0.0, fastest = 0.0;

    qsort(entries, n_entries, sizeof *entries, longest_first);
    for (size_t i = 0; i < n_entries; i++)
        total += entries[i].seconds;
    fprintf(f, "%-36s %8s %6s %9s %5s %8s\n", "operation", "ms/step", "share", "if fastest",
            "calls", "GFLOP/s");
    for (size_t i = 0; i < n_entries; i++) {
        const entry *e = &entries[i];
        double n = (double)e->calls / steps;
        fprintf(f, "%-36s %8.2f %5.1f%% %9.2f %6.0f %8.0f\n", e->name, 1e3 * e->seconds / steps,
                100.0 * e->seconds / total, 1e3 * e->fastest * n, n, 1e-9 * e->flops / e->seconds);
        fastest += e->fastest * n;
    }
    fprintf(f, "%-36s %8.2f %6s %9.2f\n", "total", 1e3 * total / steps, "", 1e3 * fastest);
}
