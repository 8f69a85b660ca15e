/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_traffic.c - what CUDA kernels move, counted on the emulated device: sectors of 32 bytes that
 * their warps touch in global memory, conflicts in shared memory, and where products are made.  The
 * bounds are those of kernels/README.md: a kernel that waits for memory alone may touch a tenth
 * more than it must.
 */
#include "kernel/kernel_testing.h"

#include "emulated_plugin.h"

enum { T = 256, C = 1024, H = 8, D = 64, V = 4096, N_OPTIM = 1 << 16 };

/* ---- bodies: each calls one operation and says what it must move ---- */

typedef double traffic_body(kernel_run *run);

static kernel_run *device(void)
{
    return kernel_target("emulated", AXL_ISA_BASELINE, 1);
}

static axl_mat rows_of(kernel_run *run, int64_t rows, int64_t cols)
{
    return kernel_random(run, rows, cols, AXL_BF16, 0, 1);
}

static double bytes_of(const axl_mat *m)
{
    return (double)(m->rows * m->cols) * (double)axl__dtype_size(m->dtype);
}

/* Counting begins once the inputs are there. */
static void begin(kernel_run *run)
{
    assert_ok(run->ops->synchronize(run->dev));
    EMULATED(reset)();
}

static double norm_forward(kernel_run *run)
{
    axl_mat x = rows_of(run, T, C), y = rows_of(run, T, C), w = rows_of(run, 1, C);
    float *rstd = kernel_random_f32(run, T, 1);
    axl_rms_norm_args a = { x, y, w.data, w.dtype, rstd, 1e-6f, false };

    begin(run);
    assert_ok(run->ops->rms_norm_forward(run->dev, &a));
    return bytes_of(&x) + bytes_of(&y) + bytes_of(&w) + 4 * T;
}

static double norm_backward(kernel_run *run)
{
    axl_mat x = rows_of(run, T, C), dy = rows_of(run, T, C), dx = rows_of(run, T, C);
    axl_mat w = rows_of(run, 1, C);
    float *rstd = kernel_random_f32(run, T, 1);
    axl_rms_norm_backward_args a = { x, dy, dx, w.data, w.dtype, rstd, false };

    begin(run);
    assert_ok(run->ops->rms_norm_backward(run->dev, &a));
    return bytes_of(&x) + bytes_of(&dy) + 2 * bytes_of(&dx) + bytes_of(&w) + 4 * T;
}

static double turning(kernel_run *run)
{
    axl_mat x = rows_of(run, T, H * D);
    float *cosines = kernel_random_f32(run, T * D / 2, 1),
          *sines = kernel_random_f32(run, T * D / 2, 1);
    int32_t positions[T];

    for (int i = 0; i < T; i++)
        positions[i] = i;
    axl_rope_args a = { x,    kernel_put(run, positions, sizeof positions), cosines, sines, H, D, D,
                        false };
    begin(run);
    assert_ok(run->ops->rope(run->dev, &a));
    return 2 * bytes_of(&x) + 4.0 * T * D + 4 * T;
}

static double unit_forward(kernel_run *run)
{
    axl_mat gate = rows_of(run, T, C), up = rows_of(run, T, C), y = rows_of(run, T, C);
    axl_glu_args a = { gate, up, y, AXL_SILU };

    begin(run);
    assert_ok(run->ops->glu_forward(run->dev, &a));
    return 3 * bytes_of(&y);
}

static double unit_backward(kernel_run *run)
{
    axl_mat gate = rows_of(run, T, C), up = rows_of(run, T, C), dy = rows_of(run, T, C);
    axl_glu_backward_args a = { gate, up, dy, gate, up, AXL_GELU_TANH };

    begin(run);
    assert_ok(run->ops->glu_backward(run->dev, &a));
    return 5 * bytes_of(&dy);
}

static double adding(kernel_run *run)
{
    axl_mat x = rows_of(run, T, C), y = rows_of(run, T, C);
    axl_unary_args a = { x, y };

    begin(run);
    assert_ok(run->ops->add(run->dev, &a));
    return 3 * bytes_of(&x);
}

static double widening(kernel_run *run)
{
    axl_mat x = rows_of(run, T, C), y = kernel_random(run, T, C, AXL_F32, 0, 1);
    axl_unary_args a = { x, y };

    begin(run);
    assert_ok(run->ops->convert(run->dev, &a));
    return bytes_of(&x) + bytes_of(&y);
}

static double drop(kernel_run *run, bool add)
{
    const uint64_t seed = 42;
    axl_mat x = rows_of(run, T, C), y = rows_of(run, T, C);
    axl_dropout_args a = { x, y, 0.1f, kernel_put(run, &seed, sizeof seed), 4, 0, add };

    begin(run);
    assert_ok(run->ops->dropout(run->dev, &a));
    return (add ? 3 : 2) * bytes_of(&x);
}

static double dropping(kernel_run *run)
{
    return drop(run, false);
}

static double dropping_and_adding(kernel_run *run)
{
    return drop(run, true);
}

static double capping(kernel_run *run)
{
    axl_mat x = rows_of(run, T, C);
    axl_soft_cap_args a = { x, x, 30.0f };

    begin(run);
    assert_ok(run->ops->soft_cap_forward(run->dev, &a));
    return 2 * bytes_of(&x);
}

static double gathering(kernel_run *run)
{
    axl_mat x = rows_of(run, T, C), y = rows_of(run, T / 2, C);
    int32_t rows[T / 2];

    for (int i = 0; i < T / 2; i++)
        rows[i] = T - 1 - 2 * i;
    axl_rows_args a = { x, y, kernel_put(run, rows, sizeof rows), T / 2 };
    begin(run);
    assert_ok(run->ops->gather_rows(run->dev, &a));
    return 2 * bytes_of(&y) + sizeof rows;
}

/* The logits are read twice, once for the sum. */
static double losing(kernel_run *run)
{
    axl_mat logits = kernel_random(run, 16, V, AXL_F32, 0, 1), d = rows_of(run, 16, V);
    int32_t targets[16] = { 1, 2, 3 };
    float *losses = kernel_random_f32(run, 16, 1);
    axl_cross_entropy_args a = { .logits = logits,
                                 .dlogits = d,
                                 .targets = kernel_put(run, targets, sizeof targets),
                                 .losses = losses,
                                 .scale = 1.0f };

    begin(run);
    assert_ok(run->ops->cross_entropy(run->dev, &a));
    return 2 * bytes_of(&logits) + bytes_of(&d);
}

static double squaring(kernel_run *run)
{
    const float *x = kernel_random_f32(run, N_OPTIM, 1);
    double zero = 0.0;
    axl_sum_squares_args a = { x, N_OPTIM, kernel_put(run, &zero, sizeof zero) };

    begin(run);
    assert_ok(run->ops->sum_squares(run->dev, &a));
    return 4.0 * N_OPTIM;
}

static double stepping(kernel_run *run)
{
    axl_adamw_args a = { .p = kernel_random_f32(run, N_OPTIM, 1),
                         .m = kernel_random_f32(run, N_OPTIM, 1),
                         .v = kernel_random_f32(run, N_OPTIM, 0),
                         .g = kernel_random_f32(run, N_OPTIM, 1),
                         .n = N_OPTIM,
                         .lr = 1e-3,
                         .beta1 = 0.9,
                         .beta2 = 0.999,
                         .eps = 1e-8,
                         .grad_scale = 1.0,
                         .step = 1 };

    begin(run);
    assert_ok(run->ops->adamw(run->dev, &a));
    return 7.0 * 4.0 * N_OPTIM;
}

/* NF4 with scales of f32. */
static double widening_codes(kernel_run *run)
{
    uint8_t *codes = calloc(1, T * C / 2);
    axl_mat y = rows_of(run, T, C);
    axl_dequantise_args a = { .y = y };

    a.w.kind = AXL_WEIGHT_NF4;
    a.w.mat = (axl_mat){ NULL, AXL_BF16, T, C, C };
    a.w.quant.codes = kernel_put(run, codes, T * C / 2);
    a.w.quant.scales = kernel_random_f32(run, T * C / 64, 1);
    a.w.quant.block = 64;
    free(codes);
    begin(run);
    assert_ok(run->ops->dequantise(run->dev, &a));
    return bytes_of(&y) + T * C / 2 + 4.0 * T * C / 64;
}

/* NF4 for one row of x, of which every block of 32 outputs reads a copy; what an instruction of a
 * warp takes of the scales is half a sector. */
static double multiplying_codes(kernel_run *run)
{
    uint8_t *codes = calloc(1, T * C / 2);
    axl_matmul_args a = { .x = rows_of(run, 1, C),
                          .y = rows_of(run, 1, T),
                          .trans_w = true,
                          .alpha = 1.0f,
                          .compute = AXL_BF16 };

    a.w.kind = AXL_WEIGHT_NF4;
    a.w.mat = (axl_mat){ NULL, AXL_BF16, T, C, C };
    a.w.quant.codes = kernel_put(run, codes, T * C / 2);
    a.w.quant.scales = kernel_random_f32(run, T * C / 64, 1);
    a.w.quant.block = 64;
    free(codes);
    begin(run);
    assert_ok(run->ops->matmul(run->dev, &a));
    return T * C / 2 + 2 * (4.0 * T * C / 64) + T / 32 * bytes_of(&a.x);
}

/* Attention's tiles are 64 queries by 64 keys: for each the kernels read K and V (forward, dQ), or
 * Q, dO and two numbers a query (dK and dV); what a block is about it reads and writes once. */
enum { TILE = 64, TILES = T / TILE, PAIRS = TILES * (TILES + 1) / 2, G = H / 2 };

/* Instructions of 16 x 8 x 16 in a product of two tiles. */
enum { PRODUCT = TILE / 16 * (TILE / 8) * (D / 16) };

static uint64_t tensor_products; /* that the body's operation takes */

static axl_attention_args attending(kernel_run *run)
{
    static const int32_t cu[2] = { 0, T };
    const int32_t *device_cu = kernel_put(run, cu, sizeof cu);

    return (axl_attention_args){ .q = rows_of(run, T, H * D),
                                 .k = rows_of(run, T, G * D),
                                 .v = rows_of(run, T, G * D),
                                 .out = rows_of(run, T, H * D),
                                 .lse = kernel_random_f32(run, T * H, 1),
                                 .cu_q = cu,
                                 .cu_k = cu,
                                 .device_cu_q = device_cu,
                                 .device_cu_k = device_cu,
                                 .n_seqs = 1,
                                 .n_heads = H,
                                 .n_kv_heads = G,
                                 .head_dim = D,
                                 .longest = T,
                                 .scale = 0.125f };
}

static double attending_forward(kernel_run *run)
{
    axl_attention_args a = attending(run);
    double row = 2.0 * D, streamed = PAIRS * TILE * 2 * row; /* K and V for a head */

    begin(run);
    assert_ok(run->ops->attention_forward(run->dev, &a));
    tensor_products = (uint64_t)H * PAIRS * 2 * PRODUCT;
    return H * (streamed + 2 * T * row + 4 * T);
}

static double attending_backward(kernel_run *run)
{
    axl_attention_backward_args a = { .forward = attending(run) };
    double row = 2.0 * D, numbers = 8.0; /* lse and delta */

    a.dout = rows_of(run, T, H * D);
    a.dq = rows_of(run, T, H * D);
    a.dk = rows_of(run, T, G * D);
    a.dv = rows_of(run, T, G * D);
    a.scratch = kernel_scratch(run, AXL_OP_attention_backward, &a, NULL);
    begin(run);
    assert_ok(run->ops->attention_backward(run->dev, &a));
    tensor_products = (uint64_t)H * PAIRS * 7 * PRODUCT;
    double delta = H * T * (2 * row + 4);
    double queries = H * (PAIRS * TILE * 2 * row + T * (3 * row + numbers));
    double keys = H * PAIRS * TILE * (2 * row + numbers) + G * T * 4 * row;
    return delta + queries + keys;
}

/* ---- the bound ---- */

static const struct {
    const char *name;
    traffic_body *body;
} bodies[] = {
    { "rms_norm_forward", norm_forward },
    { "rms_norm_backward", norm_backward },
    { "rope", turning },
    { "glu_forward", unit_forward },
    { "glu_backward", unit_backward },
    { "add", adding },
    { "convert", widening },
    { "dropout", dropping },
    { "dropout, added", dropping_and_adding },
    { "soft_cap_forward", capping },
    { "gather_rows", gathering },
    { "cross_entropy", losing },
    { "sum_squares", squaring },
    { "adamw", stepping },
    { "dequantise", widening_codes },
    { "matmul_few_rows", multiplying_codes },
    { "attention_forward", attending_forward },
    { "attention_backward", attending_backward },
};

static void print_counts(const char *name, double ratio, const axl_emulated_counts *c)
{
    printf(
        "%-20s %.3f of its bytes, %llu launches, %llu of %llu shared in conflict, %llu products\n",
        name, ratio, (unsigned long long)c->launches, (unsigned long long)c->bank_conflicts,
        (unsigned long long)c->shared_accesses, (unsigned long long)c->tensor_products);
}

static void check_counts(const char *name, double must, const axl_emulated_counts *c)
{
    double moved = 32.0 * (double)(c->read_sectors + c->written_sectors);

    if (getenv("AXL_TEST_VERBOSE"))
        print_counts(name, moved / must, c);
    if (moved > 1.1 * must)
        fail_msg("%s moves %.0f bytes, %.2f times the %.0f that it must", name, moved, moved / must,
                 must);
    if (moved < must / 1.01)
        fail_msg("%s: only %.0f of %.0f bytes were counted", name, moved, must);
    if (c->tensor_products != tensor_products)
        fail_msg("%s: %llu products on the tensor cores, not %llu", name,
                 (unsigned long long)c->tensor_products, (unsigned long long)tensor_products);
    if ((double)c->bank_conflicts > 0.05 * (double)c->shared_accesses)
        fail_msg("%s: %llu of %llu accesses to shared memory wait for another's bank", name,
                 (unsigned long long)c->bank_conflicts, (unsigned long long)c->shared_accesses);
}

static void test_traffic__bytes_that_must_move(void **state)
{
    kernel_run *run = device();
    axl_emulated_counts c;

    (void)state;
    EMULATED(watch)(1);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        tensor_products = 0;
        double must = bodies[i].body(run);
        assert_ok(run->ops->synchronize(run->dev));
        EMULATED(read)(&c, "");
        check_counts(bodies[i].name, must, &c);
    }
    EMULATED(watch)(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traffic__bytes_that_must_move),
    };

    return test_run(tests);
}
