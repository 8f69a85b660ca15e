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
            kernel_check(body, &(kernel_case){ .rows = 1, .cols = sizes[i],
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_optimizer_steps__sgd),
    };

    return test_run(tests);
}
