/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops_bench.c - the bandwidth of the small operations at the shapes of a 1-billion-parameter
 * model: ops_bench [--backend NAME] [--json] [isa [threads]].  GB/s counts each operand that the
 * operation has to read or write once; the first line, a copy of the same size, is what the machine
 * can do.
 */
#include "testing.h"

#include "bench_device.h"

#include "base/rng.h"

enum { C = 2048, F = 8192, V = 128256, HEADS = 32, ROUNDS = 15 };

static int64_t T = 2048; /* tokens; more of them where the device is faster */

typedef struct bench {
    const axl_backend_ops *ops;
    axl_device *dev;
    axl_dtype dtype;
    void *buffers[6];        /* each (T, F) of f32 */
    void *values;            /* what all of them begin with */
    int32_t *ids;            /* (T) */
    uint64_t *seed;          /* (1) */
    float *table;            /* (T, C / HEADS / 2) */
    axl_optim_block *blocks; /* (T * F / 256) */
    double copy_rate;        /* bytes a second */
} bench;

static axl_mat mat(const bench *b, int k, int64_t rows, int64_t cols)
{
    return (axl_mat){ b->buffers[k], b->dtype, rows, cols, cols };
}

static double element(const bench *b)
{
    return (double)axl__dtype_size(b->dtype);
}

/* Each runs one operation and returns the bytes that it has to move. */
typedef double operation(bench *b);

static double copy(bench *b)
{
    axl_mat x = mat(b, 0, T, F), y = mat(b, 1, T, F);

    assert_ok(b->ops->convert(b->dev, &(axl_unary_args){ x, y }));
    return 2.0 * T * F * element(b);
}

static double convert(bench *b)
{
    axl_mat x = mat(b, 0, T, F), y = mat(b, 1, T, F);

    x.dtype = AXL_F32;
    y.dtype = AXL_BF16;
    assert_ok(b->ops->convert(b->dev, &(axl_unary_args){ x, y }));
    return 6.0 * T * F;
}

static double add(bench *b)
{
    axl_mat x = mat(b, 0, T, F), y = mat(b, 1, T, F);

    assert_ok(b->ops->add(b->dev, &(axl_unary_args){ x, y }));
    return 3.0 * T * F * element(b);
}

static double rms_norm_forward(bench *b)
{
    axl_rms_norm_args a = { mat(b, 0, T, C), mat(b, 1, T, C), b->table, AXL_BF16,
                            b->buffers[2],   1e-5f,           false };

    assert_ok(b->ops->rms_norm_forward(b->dev, &a));
    return 2.0 * T * C * element(b);
}

static double rms_norm_backward(bench *b)
{
    axl_rms_norm_backward_args a = {
        mat(b, 0, T, C), mat(b, 1, T, C), mat(b, 3, T, C), b->table, AXL_BF16, b->buffers[2], false
    };

    assert_ok(b->ops->rms_norm_backward(b->dev, &a));
    return 4.0 * T * C * element(b);
}

static double rope(bench *b)
{
    axl_rope_args a = { mat(b, 0, T, C), b->ids,    b->table,  b->table,
                        HEADS,           C / HEADS, C / HEADS, false };

    assert_ok(b->ops->rope(b->dev, &a));
    return 2.0 * T * C * element(b);
}

static double glu_forward(bench *b, axl_activation act)
{
    axl_glu_args a = { mat(b, 0, T, F), mat(b, 1, T, F), mat(b, 2, T, F), act };

    assert_ok(b->ops->glu_forward(b->dev, &a));
    return 3.0 * T * F * element(b);
}

static double glu_backward(bench *b, axl_activation act)
{
    axl_glu_backward_args a = { mat(b, 0, T, F), mat(b, 1, T, F), mat(b, 2, T, F),
                                mat(b, 3, T, F), mat(b, 4, T, F), act };

    assert_ok(b->ops->glu_backward(b->dev, &a));
    return 5.0 * T * F * element(b);
}

static double silu_forward(bench *b)
{
    return glu_forward(b, AXL_SILU);
}

static double silu_backward(bench *b)
{
    return glu_backward(b, AXL_SILU);
}

static double gelu_forward(bench *b)
{
    return glu_forward(b, AXL_GELU);
}

static double gelu_backward(bench *b)
{
    return glu_backward(b, AXL_GELU);
}

static double gelu_tanh_forward(bench *b)
{
    return glu_forward(b, AXL_GELU_TANH);
}

static double gelu_tanh_backward(bench *b)
{
    return glu_backward(b, AXL_GELU_TANH);
}

static double scale(bench *b)
{
    axl_scale_args a = { mat(b, 0, T, F), mat(b, 1, T, F), 0.5f };

    assert_ok(b->ops->scale(b->dev, &a));
    return 2.0 * T * F * element(b);
}

static double soft_cap_forward(bench *b)
{
    axl_soft_cap_args a = { mat(b, 0, T, F), mat(b, 1, T, F), 30.0f };

    assert_ok(b->ops->soft_cap_forward(b->dev, &a));
    return 2.0 * T * F * element(b);
}

static double soft_cap_backward(bench *b)
{
    axl_soft_cap_backward_args a = { mat(b, 0, T, F), mat(b, 1, T, F), 30.0f };

    assert_ok(b->ops->soft_cap_backward(b->dev, &a));
    return 3.0 * T * F * element(b);
}

static double gather_rows(bench *b)
{
    axl_rows_args a = { mat(b, 0, T, F), mat(b, 1, T, F), b->ids, T };

    assert_ok(b->ops->gather_rows(b->dev, &a));
    return 2.0 * T * F * element(b);
}

static double cross_entropy(bench *b)
{
    int64_t rows = (int64_t)T * F / V;
    axl_mat logits = { b->buffers[0], AXL_F32, rows, V, V }, dlogits = logits;

    dlogits.data = b->buffers[1];
    if (b->dtype == AXL_BF16) {
        dlogits.dtype = AXL_BF16;
        dlogits.stride *= 2;
    }
    assert_ok(b->ops->cross_entropy(b->dev, &(axl_cross_entropy_args){ logits, dlogits, b->ids,
                                                                       b->buffers[2], 1e-3f, 0.0f,
                                                                       NULL, 0.0f }));
    return (double)(rows * V) * (4.0 + element(b));
}

static double dropout(bench *b)
{
    axl_dropout_args a = { mat(b, 0, T, C), mat(b, 1, T, C), 0.05f, b->seed, 4, 0, false };

    assert_ok(b->ops->dropout(b->dev, &a));
    return 2.0 * T * C * element(b);
}

static double noise(bench *b)
{
    assert_ok(b->ops->noise(b->dev, &(axl_noise_args){ mat(b, 0, T, C), 1e-9f, b->seed, 6, 0 }));
    return 2.0 * T * C * element(b);
}

static double dequantise(bench *b)
{
    axl_weight w = { .kind = AXL_WEIGHT_NF4,
                     .mat = { .dtype = AXL_BF16, .rows = T, .cols = F, .stride = F },
                     .quant = { .codes = b->buffers[1], .scales = b->buffers[2], .block = 64 } };
    axl_dequantise_args a = { w, mat(b, 0, T, F), 0 };

    assert_ok(b->ops->dequantise(b->dev, &a));
    return (0.5 + 4.0 / 64 + element(b)) * T * F;
}

static double sum_squares(bench *b)
{
    axl_sum_squares_args a = { b->buffers[0], (int64_t)T * F, b->buffers[5] };

    assert_ok(b->ops->sum_squares(b->dev, &a));
    return 4.0 * T * F;
}

static double adamw(bench *b)
{
    axl_adamw_args a = { b->buffers[1],  b->buffers[2], b->buffers[3], b->buffers[0],
                         (int64_t)T * F, 1e-4,          0.9,           0.999,
                         1e-8,           0.01,          1.0,           3 };

    assert_ok(b->ops->adamw(b->dev, &a));
    return 28.0 * T * F;
}

static double sgd(bench *b)
{
    axl_sgd_args a = { b->buffers[1], b->buffers[2], b->buffers[0], (int64_t)T * F, 1e-4, 0.9,
                       0.0,           0.01,          1.0,           false,          3 };

    assert_ok(b->ops->sgd(b->dev, &a));
    return 20.0 * T * F;
}

static double lion(bench *b)
{
    axl_lion_args a = { b->buffers[1],  b->buffers[2], b->buffers[0],
                        (int64_t)T * F, 1e-4,          0.9,
                        0.99,           0.01,          1.0 };

    assert_ok(b->ops->lion(b->dev, &a));
    return 20.0 * T * F;
}

static double adagrad(bench *b)
{
    axl_adagrad_args a = { b->buffers[1], b->buffers[2], b->buffers[0], (int64_t)T * F,
                           1e-4,          1e-10,         0.01,          1.0 };

    assert_ok(b->ops->adagrad(b->dev, &a));
    return 20.0 * T * F;
}

static double rmsprop(bench *b)
{
    axl_rmsprop_args a = { b->buffers[1], b->buffers[2], NULL, NULL, b->buffers[0], (int64_t)T * F,
                           1e-4,          0.99,          0.0,  1e-8, 0.01,          1.0 };

    assert_ok(b->ops->rmsprop(b->dev, &a));
    return 20.0 * T * F;
}

static double adopt(bench *b)
{
    axl_adopt_args a = { b->buffers[1],  b->buffers[2], b->buffers[3], b->buffers[0],
                         (int64_t)T * F, 1e-4,          0.9,           0.99,
                         1e-6,           0.01,          1.0,           3 };

    assert_ok(b->ops->adopt(b->dev, &a));
    return 28.0 * T * F;
}

static double ademamix(bench *b)
{
    axl_ademamix_args a = { b->buffers[1], b->buffers[2], b->buffers[3],
                            b->buffers[4], b->buffers[0], (int64_t)T * F,
                            1e-4,          0.9,           0.999,
                            0.9999,        5.0,           1e-8,
                            0.01,          1.0,           3 };

    assert_ok(b->ops->ademamix(b->dev, &a));
    return 36.0 * T * F;
}

static double schedule_free(bench *b)
{
    axl_schedule_free_args a = { b->buffers[1], b->buffers[2],
                                 b->buffers[3], b->buffers[4],
                                 b->buffers[0], (int64_t)T * F,
                                 1e-4,          0.3,
                                 0.9,           0.999,
                                 1e-8,          0.01,
                                 1.0,           3 };

    assert_ok(b->ops->schedule_free(b->dev, &a));
    return 32.0 * T * F;
}

static double rms_norm_weight_backward(bench *b)
{
    axl_rms_norm_weight_backward_args a = { mat(b, 0, T, C), mat(b, 1, T, C), b->buffers[2],
                                            b->buffers[3] };

    assert_ok(b->ops->rms_norm_weight_backward(b->dev, &a));
    return 2.0 * T * C * element(b);
}

static double add_rows(bench *b)
{
    axl_mat x = mat(b, 0, T, C), y = { b->buffers[1], AXL_F32, T, C, C };
    axl_rows_args a = { x, y, b->ids, T };

    assert_ok(b->ops->add_rows(b->dev, &a));
    return T * C * (element(b) + 8.0);
}

static double scale_columns(bench *b)
{
    axl_mat x = mat(b, 0, T, C), y = mat(b, 1, T, C);
    axl_scale_columns_args a = { x, y, b->buffers[2], -1.0f, 1.0f, true };

    assert_ok(b->ops->scale_columns(b->dev, &a));
    return 3.0 * T * C * element(b);
}

static double dot_columns(bench *b)
{
    axl_mat x = mat(b, 0, T, C), y = mat(b, 1, T, C);
    axl_dot_columns_args a = { x, y, NULL, 1.0f, b->buffers[2] };

    assert_ok(b->ops->dot_columns(b->dev, &a));
    return 2.0 * T * C * element(b);
}

static double row_norms(bench *b)
{
    axl_row_norms_args a = { mat(b, 0, T, C), b->buffers[2], NULL, NULL };

    assert_ok(b->ops->row_norms(b->dev, &a));
    return T * C * element(b);
}

static double optim_low_bit(bench *b)
{
    static axl_quant_map maps[2];
    int64_t n = T * F / 256;
    uint8_t *codes = (uint8_t *)b->buffers[2];
    float *scales = b->buffers[3];

    for (int s = 0; s < 2 && maps[s].code[255] == 0.0f; s++)
        axl__quant_map_dynamic(&maps[s], s == 0, AXL__ROUND_BITSANDBYTES);
    axl_optim_low_bit_args a = {
        .rule = AXL_RULE_ADAMW,
        .p = b->buffers[1],
        .g = b->buffers[0],
        .blocks = b->blocks,
        .n_blocks = n,
        .codes = { codes, codes + (size_t)T * F },
        .scales = { scales, scales + n },
        .maps = { &maps[0], &maps[1] },
        .lr = 1e-4,
        .beta1 = 0.9,
        .beta2 = 0.999,
        .eps = 1e-8,
        .grad_scale = 1.0,
        .step = 3,
    };

    assert_ok(b->ops->optim_low_bit(b->dev, &a));
    return 16.0 * T * F;
}

static axl_factored_args factored_args(bench *b)
{
    float *small = b->buffers[2];

    return (axl_factored_args){
        .p = b->buffers[1],
        .g = b->buffers[0],
        .rows = T,
        .cols = F,
        .row = small,
        .col = small + T,
        .scratch = b->buffers[5],
        .lr = 1e-4,
        .beta1 = 0.9,
        .beta2 = 0.999,
        .beta3 = 0.9999,
        .eps = 1e-30,
        .eps2 = 1e-16,
        .clip_threshold = 1.0,
        .grad_scale = 1.0,
    };
}

static double adafactor(bench *b)
{
    axl_factored_args a = factored_args(b);

    assert_ok(b->ops->factored(b->dev, &a));
    return 20.0 * T * F; /* g once for the means, once for the size of u, once for the step */
}

static double came(bench *b)
{
    axl_factored_args a = factored_args(b);

    a.m = b->buffers[3];
    a.res_row = a.col + F;
    a.res_col = a.res_row + T;
    assert_ok(b->ops->factored(b->dev, &a));
    return 32.0 * T * F; /* and m read and written, and read again */
}

static double muon_momentum(bench *b)
{
    axl_muon_momentum_args a = { b->buffers[1], b->buffers[2], b->buffers[0], (int64_t)T * F,
                                 0.95,          1.0,           true };

    assert_ok(b->ops->muon_momentum(b->dev, &a));
    return 16.0 * T * F;
}

static double muon_normalize(bench *b)
{
    axl_muon_normalize_args a = { b->buffers[0], (int64_t)T * F, b->buffers[5], 1e-7 };

    assert_ok(b->ops->muon_normalize(b->dev, &a));
    return 8.0 * T * F;
}

static double muon_scale(bench *b)
{
    axl_muon_scale_args a = { b->buffers[0], b->buffers[1], (int64_t)T * F, 0.5 };

    assert_ok(b->ops->muon_scale(b->dev, &a));
    return 8.0 * T * F;
}

static void print(const bench_device *d, const bench *b, const char *name, double ms, double rate)
{
    const char *dtype = axl__dtype_name(b->dtype);

    if (d->json)
        printf("{\"operation\": \"%s\", \"backend\": \"%s\", \"dtype\": \"%s\", "
               "\"milliseconds\": %.4f, \"gbytes_per_second\": %.1f, \"share_of_copy\": %.3f}\n",
               name, d->name, dtype, ms, rate * 1e-9, rate / b->copy_rate);
    else
        printf("%-18s %-5s %8.2f ms %7.1f GB/s\n", name, dtype, ms, rate * 1e-9);
    fflush(stdout);
}

/* From values in [0, 1), whatever the operations before made of them. */
static void measure(const bench_device *d, bench *b, const char *name, operation *run)
{
    int rounds = bench_rehearses(d) ? 1 : ROUNDS, calls = bench_rehearses(d) ? 1 : bench_calls(d);
    double best = 1e9, bytes = 0.0;

    for (int k = 0; k < 6; k++)
        assert_ok(b->ops->copy(b->dev, b->buffers[k], b->values, (size_t)(T * F) * sizeof(float)));
    assert_ok(b->ops->synchronize(b->dev));
    for (int i = 0; i < rounds; i++) {
        double start = axl__now();
        for (int k = 0; k < calls; k++)
            bytes = run(b);
        assert_ok(b->ops->synchronize(b->dev));
        double took = (axl__now() - start) / calls;
        best = took < best ? took : best;
    }
    if (run == copy)
        b->copy_rate = bytes / best;
    print(d, b, name, best * 1e3, bytes / best);
}

static void fill(const bench_device *d, bench *b)
{
    size_t n = (size_t)(T * F), size = n * sizeof(float);
    float *host = malloc(size);

    assert_non_null(host);
    for (size_t i = 0; i < 2 * n; i++) /* f32, or bf16 */
        ((uint16_t *)host)[i] = axl__f32_to_bf16((float)(i / 2 * 7919 % 1000) * 1e-3f);
    b->values = bench_put(d, host, size);
    for (int k = 0; k < 6; k++)
        assert_ok(b->ops->buffer_new(b->dev, &b->buffers[k], size));
    for (size_t i = 0; i < n / 256; i++)
        ((axl_optim_block *)host)[i] = (axl_optim_block){ (int64_t)i * 256, 256, 0 };
    b->blocks = bench_put(d, host, n / 256 * sizeof *b->blocks);
    for (int64_t i = 0; i < T; i++)
        ((int32_t *)host)[i] = (int32_t)(i * 1021 % T);
    b->ids = bench_put(d, host, (size_t)T * sizeof *b->ids);
    b->seed = bench_put(d, host, sizeof *b->seed); /* any will do */
    for (int64_t i = 0; i < T * C; i++)
        host[i] = 0.75f;
    b->table = bench_put(d, host, (size_t)(T * C) * sizeof *b->table);
    free(host);
}

static void drop(bench *b)
{
    void *all[] = { b->values, b->ids, b->seed, b->table, b->blocks };

    for (int k = 0; k < 6; k++)
        b->ops->buffer_free(b->dev, b->buffers[k]);
    for (size_t k = 0; k < sizeof all / sizeof all[0]; k++)
        b->ops->buffer_free(b->dev, all[k]);
}

static const struct {
    const char *name;
    operation *run;
} operations[] = {
    { "copy", copy },
    { "convert f32 bf16", convert },
    { "add", add },
    { "rms_norm_forward", rms_norm_forward },
    { "rms_norm_backward", rms_norm_backward },
    { "rope", rope },
    { "silu_forward", silu_forward },
    { "silu_backward", silu_backward },
    { "gelu_forward", gelu_forward },
    { "gelu_backward", gelu_backward },
    { "gelu_tanh_forward", gelu_tanh_forward },
    { "gelu_tanh_backward", gelu_tanh_backward },
    { "scale", scale },
    { "soft_cap_forward", soft_cap_forward },
    { "soft_cap_backward", soft_cap_backward },
    { "gather_rows", gather_rows },
    { "add_rows", add_rows },
    { "scale_columns", scale_columns },
    { "dot_columns", dot_columns },
    { "row_norms", row_norms },
    { "rms_norm_weight", rms_norm_weight_backward },
    { "cross_entropy", cross_entropy },
    { "dropout", dropout },
    { "noise", noise },
    { "dequantise", dequantise },
    { "sum_squares", sum_squares },
    { "adamw", adamw },
    { "sgd", sgd },
    { "lion", lion },
    { "adagrad", adagrad },
    { "rmsprop", rmsprop },
    { "adopt", adopt },
    { "ademamix", ademamix },
    { "schedule_free", schedule_free },
    { "optim_low_bit", optim_low_bit },
    { "adafactor", adafactor },
    { "came", came },
    { "muon_momentum", muon_momentum },
    { "muon_normalize", muon_normalize },
    { "muon_scale", muon_scale },
};

int main(int argc, char **argv)
{
    bench_device d = bench_options(&argc, &argv);
    bench b = { 0 };

    bench_open(&d, argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : NULL);
    b.ops = d.ops;
    b.dev = d.dev;
    T = bench_rehearses(&d) ? 16 : d.info.host_memory ? T : 8 * T;
    fill(&d, &b);
    for (b.dtype = AXL_F32; b.dtype <= AXL_BF16; b.dtype++)
        for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
            measure(&d, &b, operations[i].name, operations[i].run);
    drop(&b);
    bench_close(&d);
    return 0;
}
