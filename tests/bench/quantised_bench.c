/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quantised_bench.c - GFLOP of products with quantised weights in a second of a processor, beside
 * those with dense ones.
 *
 *   AXL_PLUGIN_DIR=<build>/kernels quantised_bench [threads [isa [rows at most]]]
 *
 * The forms of a weight take turns, other copies of it each time, as a step does; the best of some
 * rounds counts.  "library" is bf16 through oneDNN where the machine has AMX.
 */
#define _POSIX_C_SOURCE 200809L

#include "base/ctx.h"
#include "kernels/cpu/device_cpu.h"
#include "tensor/quantise.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 15, COPIES = 8, N_FORMS = 6 };

static const struct {
    const char *name;
    axl_weight_kind kind;
    axl_dtype compute;
    bool library;
} forms[N_FORMS] = {
    { "f32", AXL_WEIGHT_DENSE, AXL_F32, false },   { "nf4", AXL_WEIGHT_NF4, AXL_F32, false },
    { "bf16", AXL_WEIGHT_DENSE, AXL_BF16, false }, { "library", AXL_WEIGHT_DENSE, AXL_BF16, true },
    { "nf4", AXL_WEIGHT_NF4, AXL_BF16, false },    { "int8", AXL_WEIGHT_INT8, AXL_BF16, false },
};

static const struct {
    int64_t rows, out, in;
    bool forward;
} shapes[] = {
    { 1, 5632, 2048, true },     { 512, 2048, 2048, true },   { 512, 2048, 2048, false },
    { 512, 5632, 2048, true },   { 512, 5632, 2048, false },  { 512, 2048, 5632, true },
    { 512, 2048, 5632, false },  { 2048, 2048, 2048, true },  { 2048, 2048, 2048, false },
    { 2048, 5632, 2048, true },  { 2048, 5632, 2048, false }, { 2048, 2048, 5632, true },
    { 2048, 2048, 5632, false },
};

static void *must(void *p)
{
    if (!p)
        exit(1);
    return p;
}

static axl_mat random_mat(int64_t rows, int64_t cols, axl_dtype t)
{
    axl_mat m = { NULL, t, rows, cols, cols };
    size_t n = (size_t)(rows * cols);

    m.data = must(aligned_alloc(64, (n * axl__dtype_size(t) + 63) / 64 * 64));
    for (size_t i = 0; i < n; i++) {
        float v = (float)(i * 2654435761u % 1024) / 1024.0f - 0.5f;
        axl__convert((char *)m.data + i * axl__dtype_size(t), t, &v, AXL_F32, 1);
    }
    return m;
}

static axl_weight make_weight(axl_weight_kind kind, axl_dtype dtype, int64_t rows, int64_t cols)
{
    axl_mat m = random_mat(rows, cols, dtype);
    int64_t n = rows * cols, n_scales = kind == AXL_WEIGHT_INT8 ? rows : n / 64;
    axl_weight w = axl__dense(m);

    if (kind == AXL_WEIGHT_DENSE)
        return w;
    float *scales = must(malloc((size_t)n_scales * sizeof *scales));
    uint8_t *codes = must(aligned_alloc(64, (size_t)n));
    w.kind = kind;
    w.quant = (axl_quantised){ .codes = codes, .scales = scales, .block = 64, .scale_block = 256 };
    if (kind == AXL_WEIGHT_INT8) {
        axl__quantise_int8((int8_t *)codes, scales, m.data, dtype, rows, cols);
    } else {
        float *outer = must(malloc((size_t)(n_scales / 256 + 1) * sizeof *outer));
        uint8_t *inner = must(malloc((size_t)n_scales));
        axl__quantise_4bit(kind, codes, scales, m.data, dtype, n, 64);
        axl__quantise_scales(inner, outer, &w.quant.offset, scales, n_scales, 256);
        free(scales);
        w.quant.scales = outer;
        w.quant.scale_codes = inner;
        w.quant.scale_map = axl__quant_scale_map();
    }
    free(m.data);
    w.mat.data = NULL;
    return w;
}

static void free_weight(axl_weight *w)
{
    free(w->mat.data);
    free((void *)(uintptr_t)w->quant.codes);
    free((void *)(uintptr_t)w->quant.scales);
    free((void *)(uintptr_t)w->quant.scale_codes);
}

static axl_device *open_device(uint32_t threads, const char *isa, bool own)
{
    axl_context_options opts = AXL_CONTEXT_OPTIONS_INIT;
    axl_context *ctx;
    axl_device *dev;

    opts.threads = threads;
    opts.isa = isa;
    opts.no_onednn = own;
    opts.plugin_dir = getenv("AXL_PLUGIN_DIR");
    if (axl_context_new(&ctx, &opts) < 0 || axl__backend_cpu.device_open(&dev, ctx, 0) < 0) {
        fprintf(stderr, "quantised_bench: %s\n", axl_last_error());
        exit(1);
    }
    axl_context_free(ctx);
    return dev;
}

typedef struct bed {
    axl_weight w[N_FORMS][COPIES];
    axl_mat x[N_FORMS], y[N_FORMS];
} bed;

/* What other processes take is not counted. */
static double processor_time(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double run(axl_device *dev, const bed *b, int form, int copy, bool forward)
{
    axl_matmul_args a = { .x = b->x[form],
                          .w = b->w[form][copy],
                          .y = b->y[form],
                          .trans_w = forward,
                          .alpha = 1,
                          .compute = forms[form].compute };
    double begin = processor_time();

    if (axl__backend_cpu.matmul(dev, &a) < 0)
        exit(1);
    return processor_time() - begin;
}

static void measure(axl_device *own, axl_device *library, int64_t rows, int64_t out, int64_t in,
                    bool forward)
{
    double best[N_FORMS];
    bed b;

    for (int f = 0; f < N_FORMS; f++) {
        best[f] = 1e9;
        b.x[f] = random_mat(rows, forward ? in : out, forms[f].compute);
        b.y[f] = random_mat(rows, forward ? out : in, forms[f].compute);
        for (int c = 0; c < COPIES; c++)
            b.w[f][c] = make_weight(forms[f].kind, forms[f].compute, out, in);
    }
    for (int i = 0; i < ROUNDS; i++) {
        for (int f = 0; f < N_FORMS; f++) {
            if (forms[f].library && !library->plugin)
                continue;
            double t = run(forms[f].library ? library : own, &b, f, i % COPIES, forward);
            best[f] = t < best[f] ? t : best[f];
        }
    }
    printf("%5ld rows, %5ld x %5ld %s", (long)rows, (long)out, (long)in, forward ? "y " : "dx");
    for (int f = 0; f < N_FORMS; f++) {
        printf("  %s %7.0f", forms[f].name, 2e-9 * (double)(rows * out * in) / best[f]);
        free(b.x[f].data);
        free(b.y[f].data);
        for (int c = 0; c < COPIES; c++)
            free_weight(&b.w[f][c]);
    }
    printf("  nf4/f32 %.2f, nf4/bf16 %.2f\n", best[0] / best[1], best[2] / best[4]);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    uint32_t threads = argc > 1 ? (uint32_t)atoi(argv[1]) : 0;
    const char *isa = argc > 2 ? argv[2] : NULL;
    int64_t most = argc > 3 ? atoi(argv[3]) : INT64_MAX;
    axl_device *own = open_device(threads, isa, true), *library = open_device(threads, isa, false);

    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (shapes[i].rows <= most)
            measure(own, library, shapes[i].rows, shapes[i].out, shapes[i].in, shapes[i].forward);
    axl__backend_cpu.device_close(own);
    axl__backend_cpu.device_close(library);
    return 0;
}
