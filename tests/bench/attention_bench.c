/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention_bench.c - GFLOP/s of causal attention, counted as 2 D for each score and each weighted
 * value that is not masked (forward), 5/2 of that for the backward.
 *
 *   attention_bench [threads [isa [f32|bf16]]]
 */
#include "base/ctx.h"
#include "base/os.h"
#include "tensor/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct shape {
    const char *name;
    int32_t n_seqs, length, n_queries; /* n_queries 0: as many as keys */
    int64_t n_heads, n_kv_heads, head_dim;
    float soft_cap;
} shape;

static const shape shapes[] = {
    { "135M one sequence", 1, 2048, 0, 9, 3, 64, 0 },
    { "135M packed", 8, 256, 0, 9, 3, 64, 0 },
    { "1B one sequence", 1, 2048, 0, 32, 8, 64, 0 },
    { "8B one sequence", 1, 2048, 0, 32, 8, 128, 0 },
    { "135M token", 1, 2048, 1, 9, 3, 64, 0 },
    { "heads of 256", 1, 2048, 0, 8, 4, 256, 0 },
    { "the same, capped", 1, 2048, 0, 8, 4, 256, 50 },
};

static axl_mat make(axl_device *dev, int64_t rows, int64_t cols, axl_dtype t)
{
    axl_mat m = { NULL, t, rows, cols, cols };
    size_t n = (size_t)(rows * cols);

    if (axl__backend_cpu.buffer_new(dev, &m.data, n * axl__dtype_size(t)) < 0)
        exit(1);
    for (size_t i = 0; i < n; i++) {
        float v = (float)(i * 7919 % 1024) / 512.0f - 1.0f;
        axl__convert((char *)m.data + i * axl__dtype_size(t), t, &v, AXL_F32, 1);
    }
    return m;
}

typedef axl_status call_fn(axl_device *dev, const axl_attention_backward_args *a);

static axl_status forward(axl_device *dev, const axl_attention_backward_args *a)
{
    return axl__backend_cpu.attention_forward(dev, &a->forward);
}

static double seconds(axl_device *dev, call_fn *call, const axl_attention_backward_args *a)
{
    double best = 1e9, begin = axl__now();

    for (int i = 0; i < 3 || axl__now() - begin < 0.33; i++) {
        double t0 = axl__now();
        if (call(dev, a) < 0)
            exit(1);
        double took = axl__now() - t0;
        if (took < best)
            best = took;
    }
    return best;
}

static void bench(axl_device *dev, const shape *s, axl_dtype t)
{
    int32_t cu_q[65], cu_k[65], n_q = s->n_queries ? s->n_queries : s->length;
    int64_t rows_q = n_q * s->n_seqs, rows_k = s->length * s->n_seqs;
    int64_t wide = s->n_heads * s->head_dim, narrow = s->n_kv_heads * s->head_dim;
    axl_mat lse = make(dev, s->n_heads, rows_q, AXL_F32), scratch;
    axl_attention_backward_args a = {
        .forward = { .q = make(dev, rows_q, wide, t),
                     .k = make(dev, rows_k, narrow, t),
                     .v = make(dev, rows_k, narrow, t),
                     .out = make(dev, rows_q, wide, t),
                     .lse = lse.data,
                     .cu_q = cu_q,
                     .cu_k = cu_k,
                     .n_seqs = s->n_seqs,
                     .n_heads = s->n_heads,
                     .n_kv_heads = s->n_kv_heads,
                     .head_dim = s->head_dim,
                     .longest = n_q,
                     .scale = 0.125f,
                     .soft_cap = s->soft_cap },
        .dout = make(dev, rows_q, wide, t),
        .dq = make(dev, rows_q, wide, t),
        .dk = make(dev, rows_k, narrow, t),
        .dv = make(dev, rows_k, narrow, t),
    };
    scratch = make(
        dev, 1, (int64_t)axl__backend_cpu.scratch(dev, AXL_OP_attention_backward, &a) / 4, AXL_F32);
    a.scratch = scratch.data;
    axl_mat *all[] = { &a.forward.q, &a.forward.k, &a.forward.v, &a.forward.out, &a.dout,
                       &a.dq,        &a.dk,        &a.dv,        &lse,           &scratch };

    for (int i = 0; i <= s->n_seqs; i++) {
        cu_q[i] = i * n_q;
        cu_k[i] = i * s->length;
    }
    double pairs = (double)s->n_seqs * n_q * (s->length - (n_q - 1) / 2.0);
    double flops = 4e-9 * pairs * (double)wide;
    double took = seconds(dev, forward, &a);
    printf(" %8.2f %8.1f", took * 1e3, flops / took);
    if (n_q == s->length) {
        took = seconds(dev, axl__backend_cpu.attention_backward, &a);
        printf(" %8.2f %8.1f", took * 1e3, 2.5 * flops / took);
    } else {
        printf(" %8s %8s", "-", "-");
    }
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        axl__backend_cpu.buffer_free(dev, all[i]->data);
}

int main(int argc, char **argv)
{
    axl_context_options opts = AXL_CONTEXT_OPTIONS_INIT;
    axl_context *ctx;
    axl_device *dev;

    opts.threads = argc > 1 ? (uint32_t)atoi(argv[1]) : 0;
    opts.isa = argc > 2 ? argv[2] : NULL;
    if (axl_context_new(&ctx, &opts) < 0 || axl__backend_cpu.device_open(&dev, ctx, 0) < 0) {
        fprintf(stderr, "attention_bench: %s\n", axl_last_error());
        return 1;
    }
    printf("%s, %u threads\n", axl_context_isa(ctx), (unsigned)axl_context_threads(ctx));
    printf("%-18s %35s %35s\n", "", "f32: forward ms, GFLOP/s, backward", "bf16: the same");
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        printf("%-18s", shapes[i].name);
        for (int t = 0; t < 2; t++)
            if (argc <= 3 || strcmp(argv[3], axl__dtype_name(t ? AXL_BF16 : AXL_F32)) == 0)
                bench(dev, &shapes[i], t ? AXL_BF16 : AXL_F32);
        printf("\n");
        fflush(stdout);
    }
    axl__backend_cpu.device_close(dev);
    axl_context_free(ctx);
    return 0;
}
