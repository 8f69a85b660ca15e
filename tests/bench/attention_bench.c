/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention_bench.c - GFLOP/s of causal attention, counted as 2 D for each score and each weighted
 * value that is not masked (forward), 5/2 of that for the backward.
 *
 *   attention_bench [--backend NAME] [--json] [threads [isa [f32|bf16]]]
 */
#include "bench_device.h"

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

static axl_mat make(const bench_device *d, int64_t rows, int64_t cols, axl_dtype t)
{
    axl_mat m = { NULL, t, rows, cols, cols };
    size_t n = (size_t)(rows * cols), size = axl__dtype_size(t);
    char *host = malloc(n * size);

    if (!host)
        exit(1);
    for (size_t i = 0; i < n; i++) {
        float v = (float)(i * 7919 % 1024) / 512.0f - 1.0f;
        axl__convert(host + i * size, t, &v, AXL_F32, 1);
    }
    m.data = bench_put(d, host, n * size);
    free(host);
    return m;
}

static axl_status run(const bench_device *d, const axl_attention_backward_args *a, bool backward)
{
    return backward ? d->ops->attention_backward(d->dev, a)
                    : d->ops->attention_forward(d->dev, &a->forward);
}

static double seconds(const bench_device *d, const axl_attention_backward_args *a, bool backward)
{
    int least = bench_rehearses(d) ? 1 : 3, calls = bench_rehearses(d) ? 1 : bench_calls(d);
    double best = 1e9, begin = axl__now();

    for (int i = 0; i < least || axl__now() - begin < 0.33; i++) {
        double t0 = axl__now();
        for (int k = 0; k < calls; k++)
            bench_must(run(d, a, backward));
        bench_must(d->ops->synchronize(d->dev));
        double took = (axl__now() - t0) / calls;
        if (took < best)
            best = took;
    }
    return best;
}

static void print(const bench_device *d, const shape *s, axl_dtype t, const char *pass, double took,
                  double gflops)
{
    if (d->json)
        printf("{\"operation\": \"attention %s\", \"shape\": \"%s\", \"backend\": \"%s\", "
               "\"dtype\": \"%s\", \"milliseconds\": %.4f, \"gflops\": %.1f}\n",
               pass, s->name, d->name, axl__dtype_name(t), took * 1e3, gflops / took);
    else
        printf(" %8.2f %8.1f", took * 1e3, gflops / took);
}

static void bench(const bench_device *d, const shape *s, axl_dtype t)
{
    int32_t length = bench_rehearses(d) ? s->length / 32 : s->length;
    int32_t cu_q[65], cu_k[65], n_q = s->n_queries ? s->n_queries : length;
    int64_t rows_q = n_q * s->n_seqs, rows_k = length * s->n_seqs;
    int64_t wide = s->n_heads * s->head_dim, narrow = s->n_kv_heads * s->head_dim;
    axl_mat lse = make(d, s->n_heads, rows_q, AXL_F32), scratch;

    for (int i = 0; i <= s->n_seqs; i++) {
        cu_q[i] = i * n_q;
        cu_k[i] = i * length;
    }
    int32_t *device_cu_q = bench_put(d, cu_q, sizeof cu_q);
    int32_t *device_cu_k = bench_put(d, cu_k, sizeof cu_k);
    axl_attention_backward_args a = {
        .forward = { .q = make(d, rows_q, wide, t),
                     .k = make(d, rows_k, narrow, t),
                     .v = make(d, rows_k, narrow, t),
                     .out = make(d, rows_q, wide, t),
                     .lse = lse.data,
                     .cu_q = cu_q,
                     .cu_k = cu_k,
                     .device_cu_q = device_cu_q,
                     .device_cu_k = device_cu_k,
                     .n_seqs = s->n_seqs,
                     .n_heads = s->n_heads,
                     .n_kv_heads = s->n_kv_heads,
                     .head_dim = s->head_dim,
                     .longest = n_q,
                     .scale = 0.125f,
                     .soft_cap = s->soft_cap },
        .dout = make(d, rows_q, wide, t),
        .dq = make(d, rows_q, wide, t),
        .dk = make(d, rows_k, narrow, t),
        .dv = make(d, rows_k, narrow, t),
    };
    scratch =
        make(d, 1, (int64_t)d->ops->scratch(d->dev, AXL_OP_attention_backward, &a) / 4, AXL_F32);
    a.scratch = scratch.data;
    void *all[] = { a.forward.q.data, a.forward.k.data, a.forward.v.data, a.forward.out.data,
                    a.dout.data,      a.dq.data,        a.dk.data,        a.dv.data,
                    lse.data,         scratch.data,     device_cu_q,      device_cu_k };

    double pairs = (double)s->n_seqs * n_q * (length - (n_q - 1) / 2.0);
    double gflop = 4e-9 * pairs * (double)wide;
    print(d, s, t, "forward", seconds(d, &a, false), gflop);
    if (n_q == length)
        print(d, s, t, "backward", seconds(d, &a, true), 2.5 * gflop);
    else if (!d->json)
        printf(" %8s %8s", "-", "-");
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        d->ops->buffer_free(d->dev, all[i]);
}

int main(int argc, char **argv)
{
    bench_device d = bench_options(&argc, &argv);

    bench_open(&d, argc > 2 ? argv[2] : NULL, argc > 1 ? argv[1] : NULL);
    if (!d.json)
        printf("%-18s %35s %35s\n", "", "f32: forward ms, GFLOP/s, backward", "bf16: the same");
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        if (!d.json)
            printf("%-18s", shapes[i].name);
        for (int t = 0; t < 2; t++)
            if (argc <= 3 || strcmp(argv[3], axl__dtype_name(t ? AXL_BF16 : AXL_F32)) == 0)
                bench(&d, &shapes[i], t ? AXL_BF16 : AXL_F32);
        if (!d.json)
            printf("\n");
        fflush(stdout);
    }
    bench_close(&d);
    return 0;
}
