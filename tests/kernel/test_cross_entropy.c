/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cross_entropy.c - the loss and its gradient against the reference, the gradient in memory
 * of its own and over the logits.
 */
#include "kernel_testing.h"

#include <math.h>

enum { APART, OVER_F32, OVER_BF16, NO_GRADIENT, N_LAYOUTS };

struct ce_case {
    int layout;
    float scale_of_logits, smoothing;
    bool scales; /* a factor for each row */
    float soft_cap;
};

static const int32_t *some_targets(kernel_run *run, const kernel_case *c)
{
    int32_t targets[256];

    assert_true(c->rows <= 256);
    for (int64_t i = 0; i < c->rows; i++)
        targets[i] = (int32_t)(i % 3 == 0 ? c->cols - 1 : i * 7919 % c->cols);
    return kernel_put(run, targets, (size_t)c->rows * sizeof *targets);
}

static void loss(kernel_run *run, const kernel_case *c)
{
    const struct ce_case *more = c->more;
    axl_mat logits = kernel_random(run, c->rows, c->cols, AXL_F32, c->pad, more->scale_of_logits);
    axl_mat dlogits = { NULL, AXL_F32, c->rows, c->cols, logits.stride };
    float *losses = kernel_alloc(run, (size_t)c->rows * sizeof *losses);

    if (more->layout == APART)
        dlogits = kernel_mat(run, c->rows, c->cols, c->dtype, c->pad);
    if (more->layout == OVER_F32 || more->layout == OVER_BF16)
        dlogits.data = logits.data;
    if (more->layout == OVER_BF16) {
        dlogits.dtype = AXL_BF16;
        dlogits.stride *= 2;
    }
    axl_cross_entropy_args a = { logits,          dlogits, some_targets(run, c), losses, 0.125f,
                                 more->smoothing, NULL,    more->soft_cap };
    if (more->scales)
        a.scales = kernel_random_f32(run, c->rows, 3);
    assert_ok(run->ops->cross_entropy(run->dev, &a));
    kernel_save_f32(run, "losses", losses, c->rows, 1e-6);
    if (more->layout == OVER_BF16) { /* behind the gradients lie the last logits */
        for (int64_t r = 0; r < c->rows; r++) {
            axl_mat row = { (uint16_t *)dlogits.data + r * dlogits.stride, AXL_BF16, 1, c->cols,
                            c->cols };
            kernel_save(run, "a row of dlogits", row, 3e-6);
        }
    } else if (dlogits.data) {
        kernel_save(run, "dlogits", dlogits, 3e-6);
    }
}

static void test_cross_entropy__loss_and_gradient(void **state)
{
    static const int64_t shapes[][2] = { { 1, 1 },    { 3, 3 },     { 33, 33 },
                                         { 5, 4097 }, { 2, 32000 }, { 130, 257 } };

    (void)state;
    for (int i = 0; i < 6; i++) {
        for (int layout = 0; layout < N_LAYOUTS; layout++) {
            struct ce_case more = { layout, 3, i % 3 == 1 ? 0.2f : 0.0f, i % 2 == 1, 0 };
            kernel_case c = { shapes[i][0], shapes[i][1],  i & 1 ? AXL_BF16 : AXL_F32,
                              AXL_F32,      i & 2 ? 7 : 0, &more };
            kernel_check(loss, &c);
            more.soft_cap = 13; /* over four standard deviations */
            kernel_check(loss, &c);
        }
    }
}

static void test_cross_entropy__a_large_vocabulary(void **state)
{
    struct ce_case more = { OVER_BF16, 5, 0.1f, false, 0 };

    (void)state;
    kernel_check(loss, &(kernel_case){ .rows = 2, .cols = 262144, .more = &more });
    more = (struct ce_case){ APART, 300, 0, false, 0 }; /* far beyond the range of exp */
    kernel_check(loss, &(kernel_case){ .rows = 3, .cols = 1001, .more = &more });
}

/* more: the rows of 5 logits */
static void given_logits(kernel_run *run, const kernel_case *c)
{
    axl_mat logits = kernel_mat(run, c->rows, 5, AXL_F32, 0);
    axl_mat dlogits = kernel_mat(run, c->rows, 5, AXL_F32, 0);
    float *losses = kernel_alloc(run, (size_t)c->rows * sizeof *losses);
    axl_cross_entropy_args a = { logits, dlogits, some_targets(run, c), losses, 1, 0, NULL, 0 };

    assert_ok(run->ops->upload(run->dev, logits.data, c->more, (size_t)c->rows * 5 * 4));
    assert_ok(run->ops->cross_entropy(run->dev, &a));
    kernel_save_f32(run, "losses", losses, c->rows, 1e-6);
    kernel_save(run, "dlogits", dlogits, 3e-6);
}

static void test_cross_entropy__what_is_not_finite_stays_visible(void **state)
{
    const float logits[][5] = {
        { 1, 2, -INFINITY, 3, 4 },      { 1, 2, 3, NAN, 4 },
        { 1, INFINITY, 2, 3, 4 },       { -3e38f, 3e38f, 0, 1, 2 },
        { 1e4f, -1e4f, 1e4f, 0, 1e4f }, { -200, -300, -400, -500, -600 },
    };

    (void)state;
    kernel_check(given_logits, &(kernel_case){ .rows = 6, .cols = 5, .more = logits });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cross_entropy__loss_and_gradient),
        cmocka_unit_test(test_cross_entropy__a_large_vocabulary),
        cmocka_unit_test(test_cross_entropy__what_is_not_finite_stays_visible),
    };

    return test_run(tests);
}
