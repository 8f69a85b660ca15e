/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matmul_bench.c - GFLOP/s of the matmuls of a step, axl's own kernels beside oneDNN's.
 *
 *   AXL_PLUGIN_DIR=<build>/kernels matmul_bench [threads [isa]]
 *
 * Each line is the best of the calls that fit a third of a second; "cold" takes other copies of w
 * and y each time, as a step does, and is the median.  Shapes: T = 512 tokens through the layers of
 * SmolLM2-135M and Llama-3.2-1B, forward and backward, and generation (T = 1).
 */
#include "base/ctx.h"
#include "base/os.h"
#include "kernels/cpu/device_cpu.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct shape {
    const char *name;
    int64_t m, n, k;
    bool trans_x, trans_w;
    float beta;
    int64_t rank; /* of a pair that is added */
} shape;

static const shape shapes[] = {
    { "135M qkvo   y = x W'", 512, 576, 576, false, true, 0, 0 },
    { "135M up     y = x W'", 512, 1536, 576, false, true, 0, 0 },
    { "135M down   y = x W'", 512, 576, 1536, false, true, 0, 0 },
    { "135M up    dx = dy W", 512, 576, 1536, false, false, 0, 0 },
    { "135M up    with pair", 512, 1536, 576, false, true, 0, 16 },
    { "135M down  with pair", 512, 576, 1536, false, true, 0, 16 },
    { "135M up dx with pair", 512, 576, 1536, false, false, 0, 16 },
    { "135M head   y = x W'", 128, 49152, 576, false, true, 0, 0 },
    { "135M head  dx = dy W", 128, 576, 49152, false, false, 0, 0 },
    { "135M lora   h = x A'", 512, 16, 576, false, true, 0, 0 },
    { "135M lora  y += h B'", 512, 1536, 16, false, true, 1, 0 },
    { "135M lora dA += dh'x", 16, 576, 512, true, false, 1, 0 },
    { "135M lora dB += dy'h", 1536, 16, 512, true, false, 1, 0 },
    { "135M token  y = x W'", 1, 1536, 576, false, true, 0, 0 },
    { "1B   qkvo   y = x W'", 512, 2048, 2048, false, true, 0, 0 },
    { "1B   up     y = x W'", 512, 8192, 2048, false, true, 0, 0 },
    { "1B   down   y = x W'", 512, 2048, 8192, false, true, 0, 0 },
    { "1B   up    dx = dy W", 512, 2048, 8192, false, false, 0, 0 },
    { "1B   2048   y = x W'", 2048, 8192, 2048, false, true, 0, 0 },
    { "1B   lora   h = x A'", 512, 16, 2048, false, true, 0, 0 },
    { "1B   lora  y += h B'", 512, 8192, 16, false, true, 1, 0 },
    { "1B   token  y = x W'", 1, 8192, 2048, false, true, 0, 0 },
};

static axl_mat make(axl_device *dev, int64_t rows, int64_t cols, axl_dtype t)
{
    axl_mat m = { NULL, t, rows, cols, cols };
    size_t n = (size_t)(rows * cols);

    if (axl__backend_cpu.buffer_new(dev, &m.data, n * axl__dtype_size(t)) < 0)
        exit(1);
    for (size_t i = 0; i < n; i++) {
        float v = (float)(i * 7919 % 1024) / 1024.0f - 0.5f;
        axl__convert((char *)m.data + i * axl__dtype_size(t), t, &v, AXL_F32, 1);
    }
    return m;
}

enum { COLD_BYTES = 96 << 20, COPIES_MAX = 256, TIMES_MAX = 4096 };

static int shortest_first(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double gflops(axl_device *dev, const shape *s, axl_dtype t, bool cold)
{
    const axl_backend_ops *cpu = &axl__backend_cpu;
    axl_matmul_args a = {
        .x = s->trans_x ? make(dev, s->k, s->m, t) : make(dev, s->m, s->k, t),
        .w = axl__dense(s->trans_w ? make(dev, s->n, s->k, t) : make(dev, s->k, s->n, t)),
        .y = make(dev, s->m, s->n, t),
        .trans_x = s->trans_x,
        .trans_w = s->trans_w,
        .alpha = 1,
        .beta = s->beta,
        .compute = t,
    };
    axl_matmul_term pair = { make(dev, s->m, s->rank, t),
                             axl__dense(s->trans_w ? make(dev, s->n, s->rank, AXL_F32)
                                                   : make(dev, s->rank, s->n, AXL_F32)),
                             s->trans_w };
    axl_mat w[COPIES_MAX] = { a.w.mat }, y[COPIES_MAX] = { a.y };
    int64_t size = (s->n * s->k + s->m * s->n) * (int64_t)axl__dtype_size(t), copies = 1, n = 0;

    a.more = &pair;
    a.n_more = s->rank > 0;
    for (; cold && copies < COPIES_MAX && copies * size < COLD_BYTES; copies++) {
        w[copies] = make(dev, a.w.mat.rows, a.w.mat.cols, t);
        y[copies] = make(dev, s->m, s->n, t);
    }
    static double times[TIMES_MAX];
    double best, begin = axl__now();
    for (; n < 3 || (n < TIMES_MAX && axl__now() - begin < 0.33); n++) {
        double t0 = axl__now();
        a.w = axl__dense(w[n % copies]);
        a.y = y[n % copies];
        if (cpu->matmul(dev, &a) < 0)
            exit(1);
        times[n] = axl__now() - t0;
    }
    qsort(times, (size_t)n, sizeof *times, shortest_first);
    best = times[cold ? n / 2 : 0];
    for (int64_t i = 0; i < copies; i++) {
        cpu->buffer_free(dev, w[i].data);
        cpu->buffer_free(dev, y[i].data);
    }
    cpu->buffer_free(dev, a.x.data);
    cpu->buffer_free(dev, pair.x.data);
    cpu->buffer_free(dev, pair.w.mat.data);
    return 2e-9 * (double)s->m * (double)s->n * (double)(s->k + s->rank) / best;
}

static axl_device *open_device(uint32_t threads, const char *isa, bool own)
{
    axl_context_options opts = AXL_CONTEXT_OPTIONS_INIT;
    axl_context *ctx;
    axl_device *dev;
    axl_device_info info;

    opts.threads = threads;
    opts.isa = isa;
    opts.no_onednn = own;
    opts.plugin_dir = getenv("AXL_PLUGIN_DIR");
    if (axl_context_new(&ctx, &opts) < 0 || axl__backend_cpu.device_open(&dev, ctx, 0) < 0) {
        fprintf(stderr, "matmul_bench: %s\n", axl_last_error());
        exit(1);
    }
    if (!own && !dev->plugin)
        axl__matmul_plugin_open(dev);
    axl__backend_cpu.device_info(dev, &info);
    printf("%s: %s, %u threads\n", own ? "own" : "other", info.matmul,
           (unsigned)axl_context_threads(ctx));
    axl_context_free(ctx);
    return dev;
}

int main(int argc, char **argv)
{
    uint32_t threads = argc > 1 ? (uint32_t)atoi(argv[1]) : 0;
    const char *isa = argc > 2 ? argv[2] : NULL;
    axl_device *own = open_device(threads, isa, true), *other = open_device(threads, isa, false);

    printf("%-22s %6s %6s %6s %9s %9s %9s %9s %9s %9s\n", "", "m", "n", "k", "f32 own", "cold",
           "oneDNN", "bf16 own", "cold", "oneDNN");
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const shape *s = &shapes[i];
        printf("%-22s %6ld %6ld %6ld", s->name, (long)s->m, (long)s->n, (long)s->k);
        for (int t = 0; t < 2; t++) {
            axl_dtype dtype = t ? AXL_BF16 : AXL_F32;
            printf(" %9.1f", gflops(own, s, dtype, false));
            printf(" %9.1f", gflops(own, s, dtype, true));
            printf(" %9.1f", gflops(other, s, dtype, false));
            fflush(stdout);
        }
        printf("\n");
    }
    axl__backend_cpu.device_close(own);
    axl__backend_cpu.device_close(other);
    return 0;
}
