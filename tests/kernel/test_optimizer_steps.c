/* SPDX-License-Identifier: Apache-2.0 */
/* test_optimizer_steps.c - a few steps of the optimizers (but AdamW, in test_adamw) against their
 * references. */
#include "kernel_testing.h"

enum { N_STEPS = 3 };

static const int64_t sizes[] = { 1, 3, 33, 4097, 200001 };
enum { N_SIZES = sizeof sizes / sizeof sizes[0] };

static float *zeros(kernel_run *run, int64_t n)
{
    float *p = kernel_alloc(run, (size_t)n * sizeof(float));

    assert_ok(run->ops->zero(run->dev, p, (size_t)n * sizeof(float)));
    return p;
}

/* The variants of a method, each on every size. */
static void check_variants(kernel_body *body, const void *variants, size_t size, size_t n)
{
    for (size_t v = 0; v < n; v++)
        for (size_t i = 0; i < N_SIZES; i++)
            kernel_check(body, &(kernel_case){ .rows = 1,
                                               .cols = sizes[i],
                                               .more = (const char *)variants + v * size });
}
#define CHECK_VARIANTS(body, variants)                                                             \
    check_variants(body, variants, sizeof(variants)[0], sizeof(variants) / sizeof(variants)[0])

static void sgd(kernel_run *run, const kernel_case *c)
{
    axl_sgd_args a = *(const axl_sgd_args *)c->more;

    a.n = c->cols;
    a.p = kernel_random_f32(run, a.n, 1);
    a.m = zeros(run, a.n);
    for (a.step = 1; a.step <= N_STEPS; a.step++) {
        a.g = kernel_random_f32(run, a.n, 1);
        assert_ok(run->ops->sgd(run->dev, &a));
        kernel_save_f32(run, "m", a.m, a.n, 1e-6);
        kernel_save_f32(run, "p", a.p, a.n, 1e-6);
    }
}

static void test_optimizer_steps__sgd(void **state)
{
    static const axl_sgd_args variants[] = {
        { .lr = 0.1, .grad_scale = 0.37 },
        { .lr = 0.1, .grad_scale = 0.37, .momentum = 0.9, .dampening = 0.2, .weight_decay = 0.1 },
        { .lr = 0.1, .grad_scale = 1.0, .momentum = 0.9, .nesterov = true },
    };

    (void)state;
    CHECK_VARIANTS(sgd, variants);
}

static void lion(kernel_run *run, const kernel_case *c)
{
    axl_lion_args a = *(const axl_lion_args *)c->more;

    a.n = c->cols;
    a.p = kernel_random_f32(run, a.n, 1);
    a.m = zeros(run, a.n);
    for (int i = 0; i < N_STEPS; i++) {
        a.g = kernel_random_f32(run, a.n, 1);
        assert_ok(run->ops->lion(run->dev, &a));
        kernel_save_f32(run, "m", a.m, a.n, 1e-6);
        kernel_save_f32(run, "p", a.p, a.n, 1e-6);
    }
}

static void test_optimizer_steps__lion(void **state)
{
    static const axl_lion_args variants[] = {
        { .lr = 1e-3, .grad_scale = 0.37, .beta1 = 0.9, .beta2 = 0.999 },
        { .lr = 1e-3, .grad_scale = 1.0, .beta1 = 0.9, .beta2 = 0.99, .weight_decay = 0.1 },
    };

    (void)state;
    CHECK_VARIANTS(lion, variants);
}

/* ---- adagrad, rmsprop, adopt, ademamix, schedule-free ---- */

static void adagrad(kernel_run *run, const kernel_case *c)
{
    axl_adagrad_args a = *(const axl_adagrad_args *)c->more;

    a.n = c->cols;
    a.p = kernel_random_f32(run, a.n, 1);
    a.v = zeros(run, a.n);
    for (int i = 0; i < N_STEPS; i++) {
        a.g = kernel_random_f32(run, a.n, 1);
        assert_ok(run->ops->adagrad(run->dev, &a));
        kernel_save_f32(run, "v", a.v, a.n, 1e-6);
        kernel_save_f32(run, "p", a.p, a.n, 1e-6);
    }
}

static void rmsprop(kernel_run *run, const kernel_case *c)
{
    axl_rmsprop_args a = *(const axl_rmsprop_args *)c->more;
    bool all = a.momentum > 0.0;

    a.n = c->cols;
    a.p = kernel_random_f32(run, a.n, 1);
    a.v = zeros(run, a.n);
    a.mean = all ? zeros(run, a.n) : NULL;
    a.m = all ? zeros(run, a.n) : NULL;
    for (int i = 0; i < N_STEPS; i++) {
        a.g = kernel_random_f32(run, a.n, 1);
        assert_ok(run->ops->rmsprop(run->dev, &a));
        kernel_save_f32(run, "v", a.v, a.n, 1e-6);
        kernel_save_f32(run, "p", a.p, a.n, 2e-6);
        if (all) {
            kernel_save_f32(run, "mean", a.mean, a.n, 1e-6);
            kernel_save_f32(run, "m", a.m, a.n, 1e-3); /* roots of differences */
        }
    }
}

static void adopt(kernel_run *run, const kernel_case *c)
{
    axl_adopt_args a = *(const axl_adopt_args *)c->more;

    a.n = c->cols;
    a.p = kernel_random_f32(run, a.n, 1);
    a.m = zeros(run, a.n);
    a.v = zeros(run, a.n);
    for (a.step = 1; a.step <= N_STEPS; a.step++) {
        a.g = kernel_random_f32(run, a.n, 1);
        assert_ok(run->ops->adopt(run->dev, &a));
        kernel_save_f32(run, "m", a.m, a.n, 1e-6);
        kernel_save_f32(run, "v", a.v, a.n, 1e-6);
        kernel_save_f32(run, "p", a.p, a.n, 1e-6);
    }
}

static void ademamix(kernel_run *run, const kernel_case *c)
{
    axl_ademamix_args a = *(const axl_ademamix_args *)c->more;

    a.n = c->cols;
    a.p = kernel_random_f32(run, a.n, 1);
    a.m = zeros(run, a.n);
    a.slow = zeros(run, a.n);
    a.v = zeros(run, a.n);
    for (a.step = 1; a.step <= N_STEPS; a.step++) {
        a.g = kernel_random_f32(run, a.n, 1);
        assert_ok(run->ops->ademamix(run->dev, &a));
        kernel_save_f32(run, "m", a.m, a.n, 1e-6);
        kernel_save_f32(run, "slow", a.slow, a.n, 1e-6);
        kernel_save_f32(run, "v", a.v, a.n, 1e-6);
        kernel_save_f32(run, "p", a.p, a.n, 1e-6);
    }
}

static void schedule_free(kernel_run *run, const kernel_case *c)
{
    axl_schedule_free_args a = *(const axl_schedule_free_args *)c->more;

    a.n = c->cols;
    a.x = zeros(run, a.n);
    a.y = kernel_random_f32(run, a.n, 1);
    a.z = kernel_random_f32(run, a.n, 1);
    a.v = a.eps > 0.0 ? zeros(run, a.n) : NULL;
    for (a.step = 1; a.step <= N_STEPS; a.step++) {
        a.share = 1.0 / (double)a.step;
        a.g = kernel_random_f32(run, a.n, 1);
        assert_ok(run->ops->schedule_free(run->dev, &a));
        kernel_save_f32(run, "x", a.x, a.n, 2e-6);
        kernel_save_f32(run, "y", a.y, a.n, 1e-6);
        kernel_save_f32(run, "z", a.z, a.n, 1e-6);
    }
}

static void test_optimizer_steps__others(void **state)
{
    static const axl_adagrad_args adagrads[] = {
        { .lr = 0.05, .eps = 1e-10, .grad_scale = 0.37, .weight_decay = 0.1 },
    };
    static const axl_rmsprop_args rmsprops[] = {
        { .lr = 1e-2, .alpha = 0.99, .eps = 1e-8, .grad_scale = 0.37 },
        { .lr = 1e-3,
          .alpha = 0.9,
          .eps = 1e-6,
          .grad_scale = 1.0,
          .momentum = 0.9,
          .weight_decay = 0.1 },
    };
    static const axl_adopt_args adopts[] = {
        { .lr = 1e-2,
          .beta1 = 0.9,
          .beta2 = 0.9999,
          .eps = 1e-6,
          .grad_scale = 0.37,
          .weight_decay = 0.1 },
    };
    static const axl_ademamix_args ademamixes[] = {
        { .lr = 1e-3,
          .beta1 = 0.9,
          .beta2 = 0.999,
          .beta3 = 0.9999,
          .alpha = 5.0,
          .eps = 1e-8,
          .grad_scale = 0.37,
          .weight_decay = 0.1 },
    };
    static const axl_schedule_free_args frees[] = {
        { .lr = 1e-2,
          .beta1 = 0.9,
          .beta2 = 0.999,
          .eps = 1e-8,
          .grad_scale = 0.37,
          .weight_decay = 0.1 },
        { .lr = 1e-2, .beta1 = 0.9, .grad_scale = 1.0 },
    };

    (void)state;
    CHECK_VARIANTS(adagrad, adagrads);
    CHECK_VARIANTS(rmsprop, rmsprops);
    CHECK_VARIANTS(adopt, adopts);
    CHECK_VARIANTS(ademamix, ademamixes);
    CHECK_VARIANTS(schedule_free, frees);
}

/* ---- Adafactor and CAME, Muon ---- */

static void factored(kernel_run *run, const kernel_case *c)
{
    axl_factored_args a = *(const axl_factored_args *)c->more;
    bool came = a.beta1 > 0.0, matrix = c->rows > 1;
    int64_t n = c->rows * c->cols;

    a.rows = c->rows;
    a.cols = c->cols;
    a.p = kernel_random_f32(run, n, 1);
    a.m = came ? zeros(run, n) : NULL;
    a.row = matrix ? zeros(run, a.rows) : NULL;
    a.col = matrix ? zeros(run, a.cols) : NULL;
    a.v = matrix ? NULL : zeros(run, a.cols);
    a.res_row = came && matrix ? zeros(run, a.rows) : NULL;
    a.res_col = came && matrix ? zeros(run, a.cols) : NULL;
    a.scratch = kernel_alloc(run, (size_t)a.rows * 12 + (size_t)a.cols * 8);
    for (int i = 0; i < N_STEPS; i++) {
        a.g = kernel_random_f32(run, n, 1);
        assert_ok(run->ops->factored(run->dev, &a));
        kernel_save_f32(run, "p", a.p, n, 2e-6);
        if (matrix) {
            kernel_save_f32(run, "row", a.row, a.rows, 1e-6);
            kernel_save_f32(run, "col", a.col, a.cols, 1e-6);
        }
        if (came)
            kernel_save_f32(run, "m", a.m, n, 2e-6);
    }
}

static void test_optimizer_steps__factored(void **state)
{
    static const axl_factored_args variants[] = {
        { .lr = 1e-2, .beta2 = 0.5, .eps = 1e-30, .clip_threshold = 1.0, .grad_scale = 0.37 },
        { .lr = 1e-2,
          .beta1 = 0.9,
          .beta2 = 0.999,
          .beta3 = 0.9999,
          .eps = 1e-30,
          .eps2 = 1e-16,
          .clip_threshold = 1.0,
          .weight_decay = 0.1,
          .grad_scale = 0.37 },
    };
    static const int64_t shapes[][2] = { { 1, 1 },     { 1, 4097 },  { 3, 33 },   { 33, 3 },
                                         { 130, 257 }, { 16, 4096 }, { 4096, 16 } };

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (int v = 0; v < 2; v++)
            kernel_check(
                factored,
                &(kernel_case){ .rows = shapes[i][0], .cols = shapes[i][1], .more = &variants[v] });
}

static void muon_pieces(kernel_run *run, const kernel_case *c)
{
    int64_t n = c->cols;
    float *x = zeros(run, n), *y = zeros(run, n);
    double *norm = kernel_alloc(run, sizeof *norm);
    axl_muon_momentum_args a = *(const axl_muon_momentum_args *)c->more;

    a.n = n;
    a.x = x;
    a.m = kernel_random_f32(run, n, 1);
    a.g = kernel_random_f32(run, n, 1);
    assert_ok(run->ops->muon_momentum(run->dev, &a));
    kernel_save_f32(run, "m", a.m, n, 1e-6);
    kernel_save_f32(run, "x", x, n, 1e-6);
    axl_sum_squares_args sum = { x, n, norm };
    axl_muon_normalize_args normalize = { x, n, norm, 1e-7 };
    axl_muon_scale_args scale = { x, y, n, -4.775 };
    assert_ok(run->ops->zero(run->dev, norm, sizeof *norm));
    assert_ok(run->ops->sum_squares(run->dev, &sum));
    assert_ok(run->ops->muon_normalize(run->dev, &normalize));
    assert_ok(run->ops->muon_scale(run->dev, &scale));
    kernel_save_f32(run, "normalized", x, n, 1e-6);
    kernel_save_f32(run, "y", y, n, 1e-6);
}

static void test_optimizer_steps__muon(void **state)
{
    static const axl_muon_momentum_args variants[] = {
        { .momentum = 0.95, .grad_scale = 0.37, .nesterov = true },
        { .momentum = 0.9, .grad_scale = 1.0 },
    };

    (void)state;
    CHECK_VARIANTS(muon_pieces, variants);
}

/* ---- state of few bits: the same bits on every backend and instruction set ---- */

enum { MAX_BLOCKS = 200001 / 128 + 8 };

/* One tensor of c->cols elements behind another of 300, so that two blocks are not full. */
static const axl_optim_block *blocks_of(kernel_run *run, int64_t n, int64_t block,
                                        int64_t *n_blocks)
{
    static axl_optim_block host[MAX_BLOCKS];
    int64_t b = 0;

    for (int64_t at = 0, size; at < 300 + n; at += size) {
        int64_t end = at < 300 ? 300 : 300 + n;
        size = end - at < block ? end - at : block;
        host[b++] = (axl_optim_block){ at, (int32_t)size, 0 };
    }
    *n_blocks = b;
    return kernel_put(run, host, (size_t)b * sizeof *host);
}

/* Bytes of 4 as f32 would be NaNs; as numbers they can be compared. */
static void save_codes(kernel_run *run, const char *name, const uint8_t *codes, int64_t n)
{
    uint8_t *host = malloc((size_t)n);
    float *wide = malloc((size_t)n * sizeof *wide);

    assert_ok(run->ops->download(run->dev, host, codes, (size_t)n));
    for (int64_t i = 0; i < n; i++)
        wide[i] = host[i];
    kernel_save_f32(run, name, kernel_put(run, wide, (size_t)n * sizeof *wide), n, 0);
    free(wide);
    free(host);
}

static void optim_low_bit(kernel_run *run, const kernel_case *c)
{
    static axl_quant_map maps[2];
    axl_optim_low_bit_args a = *(const axl_optim_low_bit_args *)c->more;
    bool four_bits = a.beta3 == 4.0, nearest = a.alpha == 0.0; /* either rounding */
    int64_t n = 300 + (four_bits ? c->cols / 2 * 2 : c->cols);

    for (int i = 0; i < 2; i++)
        if (four_bits)
            axl__quant_map_4bit(&maps[i], i == 0);
        else
            axl__quant_map_dynamic(&maps[i], i == 0,
                                   nearest ? AXL__ROUND_TORCHAO : AXL__ROUND_BITSANDBYTES);
    a.p = kernel_random_f32(run, n, 1);
    a.blocks = blocks_of(run, n - 300, axl__quant_map_block(&maps[0]), &a.n_blocks);
    int64_t bytes = axl__quant_map_bytes(&maps[0]);
    bool single = a.rule == AXL_RULE_LION || a.rule == AXL_RULE_RMSPROP;
    for (int s = 0; s < (single ? 1 : a.rule == AXL_RULE_ADAMW ? 2 : 3); s++) {
        a.codes[s] = kernel_alloc(run, (size_t)(a.n_blocks * bytes));
        assert_ok(run->ops->zero(run->dev, a.codes[s], (size_t)(a.n_blocks * bytes)));
        a.scales[s] = zeros(run, a.n_blocks);
        a.maps[s] = &maps[s == 1];
    }
    for (a.step = 1; a.step <= N_STEPS; a.step++) {
        a.g = a.step == 1 ? zeros(run, n) : kernel_random_f32(run, n, 1);
        assert_ok(run->ops->optim_low_bit(run->dev, &a));
        kernel_save_f32(run, "p", a.p, n, 0);
        for (int s = 0; s < 3 && a.codes[s]; s++) {
            save_codes(run, "codes", a.codes[s], a.n_blocks * bytes);
            kernel_save_f32(run, "scales", a.scales[s], a.n_blocks, 0);
        }
    }
}

static void test_optimizer_steps__low_bit(void **state)
{
    static const axl_optim_low_bit_args variants[] = {
        { .rule = AXL_RULE_ADAMW,
          .lr = 1e-2,
          .beta1 = 0.9,
          .beta2 = 0.999,
          .beta3 = 4.0, /* bits */
          .eps = 1e-8,
          .grad_scale = 0.37 },
        { .rule = AXL_RULE_ADAMW,
          .lr = 1e-2,
          .beta1 = 0.9,
          .beta2 = 0.999,
          .eps = 1e-8,
          .grad_scale = 0.37 },
        { .rule = AXL_RULE_ADAMW,
          .lr = 1e-2,
          .beta1 = 0.9,
          .beta2 = 0.999,
          .eps = 1e-8,
          .grad_scale = 1.0,
          .weight_decay = 0.1,
          .alpha = 1.0 },
        { .rule = AXL_RULE_ADEMAMIX,
          .lr = 1e-2,
          .beta1 = 0.9,
          .beta2 = 0.999,
          .beta3 = 0.9999,
          .eps = 1e-8,
          .grad_scale = 0.37,
          .weight_decay = 0.1,
          .alpha = 5.0 },
        { .rule = AXL_RULE_LION,
          .lr = 1e-3,
          .beta1 = 0.9,
          .beta2 = 0.999,
          .grad_scale = 0.37,
          .weight_decay = 0.1,
          .alpha = 1.0 },
        { .rule = AXL_RULE_RMSPROP,
          .lr = 1e-3,
          .beta1 = 0.9,
          .eps = 1e-8,
          .grad_scale = 0.37,
          .weight_decay = 0.1,
          .alpha = 1.0 },
    };

    (void)state;
    CHECK_VARIANTS(optim_low_bit, variants);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_optimizer_steps__sgd),
        cmocka_unit_test(test_optimizer_steps__lion),
        cmocka_unit_test(test_optimizer_steps__others),
        cmocka_unit_test(test_optimizer_steps__factored),
        cmocka_unit_test(test_optimizer_steps__muon),
        cmocka_unit_test(test_optimizer_steps__low_bit),
    };

    return test_run(tests);
}
