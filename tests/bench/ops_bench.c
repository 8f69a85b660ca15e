/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops_bench.c - the bandwidth of the small operations at the shapes of a 1-billion-parameter
 * model: ops_bench [isa [threads]].  GB/s counts each operand that the operation has to read
 * or write once; the first line, a copy of the same size, is what the machine can do.
 */
#include "testing.h"

#include "base/rng.h"
#include "tensor/backend.h"

#include <time.h>

enum { T = 2048, C = 2048, F = 8192, V = 128256, HEADS = 32, ROUNDS = 15 };

typedef struct bench {
    const axl_backend_ops *ops;
    axl_device *dev;
    axl_dtype dtype;
    void *buffers[6]; /* each (T, F) of f32 */
    void *values;     /* what all of them begin with */
    int32_t *ids;     /* (T) */
    float *table;     /* (T, C / HEADS / 2) */
} bench;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

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
    axl_dropout_args a = { mat(b, 0, T, C), mat(b, 1, T, C), 0.05f, 1, 4, 0 };

    assert_ok(b->ops->dropout(b->dev, &a));
    return 2.0 * T * C * element(b);
}

static double noise(bench *b)
{
    assert_ok(b->ops->noise(b->dev, &(axl_noise_args){ mat(b, 0, T, C), 1e-9f, 1, 6, 0 }));
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
    static axl_optim_block blocks[T * F / 256];
    enum { N = T * F / 256 };
    uint8_t *codes = (uint8_t *)b->buffers[2];
    float *scales = b->buffers[3];

    for (int64_t i = 0; maps[0].code[255] == 0.0f && i < N; i++)
        blocks[i] = (axl_optim_block){ i * 256, 256, 0 };
    for (int s = 0; s < 2 && maps[s].code[255] == 0.0f; s++)
        axl__quant_map_dynamic(&maps[s], s == 0, AXL__ROUND_BITSANDBYTES);
    axl_optim_low_bit_args a = {
        .rule = AXL_RULE_ADAMW,
        .p = b->buffers[1],
        .g = b->buffers[0],
        .blocks = blocks,
        .n_blocks = N,
        .codes = { codes, codes + (size_t)T * F },
        .scales = { scales, scales + N },
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

/* From values in [0, 1), whatever the operations before made of them. */
static void measure(bench *b, const char *name, operation *run)
{
    double best = 1e9, bytes = 0.0;

    for (int k = 0; k < 6; k++)
        memcpy(b->buffers[k], b->values, (size_t)T * F * sizeof(float));

    for (int i = 0; i < ROUNDS; i++) {
        double start = now();
        bytes = run(b);
        double took = now() - start;
        best = took < best ? took : best;
    }
    printf("%-18s %-5s %8.2f ms %7.1f GB/s\n", name, axl__dtype_name(b->dtype), best * 1e3,
           bytes / best * 1e-9);
}

static void fill(bench *b)
{
    size_t size = (size_t)T * F * sizeof(float);

    for (int k = 0; k < 6; k++)
        assert_ok(b->ops->buffer_new(b->dev, &b->buffers[k], size));
    assert_ok(b->ops->buffer_new(b->dev, &b->values, size));
    for (int64_t i = 0; i < 2 * (int64_t)T * F; i++) /* f32, or bf16 */
        ((uint16_t *)b->values)[i] = axl__f32_to_bf16((float)(i / 2 * 7919 % 1000) * 1e-3f);
    assert_ok(b->ops->buffer_new(b->dev, (void **)&b->ids, T * sizeof *b->ids));
    assert_ok(b->ops->buffer_new(b->dev, (void **)&b->table, (size_t)T * C * sizeof *b->table));
    for (int64_t i = 0; i < T; i++)
        b->ids[i] = (int32_t)(i * 1021 % T);
    for (int64_t i = 0; i < (int64_t)T * C; i++)
        b->table[i] = 0.75f;
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
    axl_context_options opts = AXL_CONTEXT_OPTIONS_INIT;
    axl_context *ctx;
    bench b = { .ops = &axl__backend_cpu };

    opts.isa = argc > 1 ? argv[1] : NULL;
    opts.threads = argc > 2 ? (uint32_t)atoi(argv[2]) : 0;
    assert_ok(axl_context_new(&ctx, &opts));
    assert_ok(b.ops->device_open(&b.dev, ctx, 0));
    printf("%s, %u threads\n", axl_context_isa(ctx), (unsigned)axl_context_threads(ctx));
    fill(&b);
    for (b.dtype = AXL_F32; b.dtype <= AXL_BF16; b.dtype++)
        for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
            measure(&b, operations[i].name, operations[i].run);
    for (int k = 0; k < 6; k++)
        b.ops->buffer_free(b.dev, b.buffers[k]);
    b.ops->buffer_free(b.dev, b.values);
    b.ops->buffer_free(b.dev, b.ids);
    b.ops->buffer_free(b.dev, b.table);
    b.ops->device_close(b.dev);
    axl_context_free(ctx);
    return 0;
}
