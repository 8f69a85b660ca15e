/* SPDX-License-Identifier: Apache-2.0 */
/* test_sum_squares.c - the sum of squares against the reference. */
#include "kernel_testing.h"

#include <math.h>

static void sum(kernel_run *run, const kernel_case *c)
{
    float *x = kernel_random_f32(run, c->cols, 1);
    double start = 3.0, *out = kernel_put(run, &start, sizeof start);

    assert_ok(run->ops->sum_squares(run->dev, &(axl_sum_squares_args){ x, c->cols, out }));
    kernel_save_f64(run, "sum", out, 1, 1e-14);
}

static void test_sum_squares__adds_to_what_is_there(void **state)
{
    static const int64_t sizes[] = { 0, 1, 3, 33, 4097, 65536, 1000003 };

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        kernel_check(sum, &(kernel_case){ .rows = 1, .cols = sizes[i] });
}

/* more: a number that is put at the end */
static void sum_with(kernel_run *run, const kernel_case *c)
{
    float *x = kernel_random_f32(run, c->cols, 1);
    double start = 0.0, *out = kernel_put(run, &start, sizeof start);

    assert_ok(run->ops->upload(run->dev, x + c->cols - 1, c->more, sizeof *x));
    assert_ok(run->ops->sum_squares(run->dev, &(axl_sum_squares_args){ x, c->cols, out }));
    kernel_save_f64(run, "sum", out, 1, 1e-14);
}

static void test_sum_squares__in_double(void **state)
{
    const float ends[] = { NAN, INFINITY, -INFINITY, 3e38f, 1e-30f };

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        kernel_check(sum_with, &(kernel_case){ .rows = 1, .cols = 70001, .more = &ends[i] });
        kernel_check(sum_with, &(kernel_case){ .rows = 1, .cols = 1, .more = &ends[i] });
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum_squares__adds_to_what_is_there),
        cmocka_unit_test(test_sum_squares__in_double),
    };

    return test_run(tests);
}
