/* SPDX-License-Identifier: Apache-2.0 */
/* test_adamw.c - three steps against the reference. */
#include "kernel_testing.h"

static void three_steps(kernel_run *run, const kernel_case *c)
{
    const double *weight_decay = c->more;
    int64_t n = c->cols;
    float *p = kernel_random_f32(run, n, 1);
    axl_adamw_args a = {
        .p = p,
        .n = n,
        .lr = 1e-3,
        .beta1 = 0.9,
        .beta2 = 0.999,
        .eps = 1e-8,
        .weight_decay = *weight_decay,
        .grad_scale = 0.37,
    };

    a.m = kernel_alloc(run, (size_t)n * sizeof(float));
    a.v = kernel_alloc(run, (size_t)n * sizeof(float));
    assert_ok(run->ops->zero(run->dev, a.m, (size_t)n * sizeof(float)));
    assert_ok(run->ops->zero(run->dev, a.v, (size_t)n * sizeof(float)));
    for (a.step = 1; a.step <= 3; a.step++) {
        a.g = kernel_random_f32(run, n, 1);
        assert_ok(run->ops->adamw(run->dev, &a));
        kernel_save_f32(run, "m", a.m, n, 1e-6);
        kernel_save_f32(run, "v", a.v, n, 1e-6);
        kernel_save_f32(run, "p", a.p, n, 1e-6);
    }
}

static void test_adamw__three_steps(void **state)
{
    static const int64_t sizes[] = { 1, 3, 33, 4097, 200001 };
    static const double weight_decays[] = { 0.0, 0.01 };

    (void)state;
    for (int i = 0; i < 10; i++)
        kernel_check(
            three_steps,
            &(kernel_case){ .rows = 1, .cols = sizes[i / 2], .more = &weight_decays[i & 1] });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adamw__three_steps),
    };

    return test_run(tests);
}
