/* SPDX-License-Identifier: Apache-2.0 */
/* test_sum.c - the weighted sum has the reference's bits, and those of a loop on the host. */
#include "kernel_testing.h"

#include <math.h>

static void sum(kernel_run *run, const kernel_case *c)
{
    const float *x = kernel_random_f32(run, c->cols, 1);
    const float *weights = kernel_random_f32(run, c->cols, 0.3f);
    double start = 3.0, *out = kernel_put(run, &start, sizeof start);
    double *weighted = kernel_put(run, &start, sizeof start);

    assert_ok(run->ops->sum(run->dev, &(axl_sum_args){ x, NULL, c->cols, out }));
    kernel_save_f64(run, "sum", out, 1, 0);
    assert_ok(run->ops->sum(run->dev, &(axl_sum_args){ x, weights, c->cols, weighted }));
    kernel_save_f64(run, "weighted sum", weighted, 1, 0);
}

static void test_sum__adds_to_what_is_there(void **state)
{
    static const int64_t sizes[] = { 0, 1, 3, 33, 4097, 65536, 1000003 };

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        kernel_check(sum, &(kernel_case){ .rows = 1, .cols = sizes[i] });
}

/* In pieces as in one: what the running sum of a loop over all of them has. */
static void in_pieces(kernel_run *run, const kernel_case *c)
{
    float host[1000];
    double expected = 0.0, got, zero = 0.0, *out = kernel_put(run, &zero, sizeof zero);

    kernel_normals(host, c->cols, 5, 1);
    float *x = kernel_put(run, host, (size_t)c->cols * sizeof *host);
    for (int64_t i = 0; i < c->cols; i++)
        expected += (double)host[i];
    for (int64_t i = 0; i < c->cols; i += 7)
        assert_ok(run->ops->sum(
            run->dev, &(axl_sum_args){ x + i, NULL, c->cols - i < 7 ? c->cols - i : 7, out }));
    assert_ok(run->ops->download(run->dev, &got, out, sizeof got));
    assert_memory_equal(&got, &expected, sizeof got);
}

static void test_sum__in_pieces_as_in_one(void **state)
{
    (void)state;
    kernel_check(in_pieces, &(kernel_case){ .rows = 1, .cols = 1000 });
}

/* more: a number that is put at the end */
static void sum_with(kernel_run *run, const kernel_case *c)
{
    float *x = kernel_random_f32(run, c->cols, 1);
    double start = 0.0, *out = kernel_put(run, &start, sizeof start);

    assert_ok(run->ops->upload(run->dev, x + c->cols - 1, c->more, sizeof *x));
    assert_ok(run->ops->sum(run->dev, &(axl_sum_args){ x, x, c->cols, out }));
    kernel_save_f64(run, "sum", out, 1, 0);
}

static void test_sum__what_is_not_finite_stays_visible(void **state)
{
    const float ends[] = { NAN, INFINITY, -INFINITY, 3e38f, 1e-30f };

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        kernel_check(sum_with, &(kernel_case){ .rows = 1, .cols = 1001, .more = &ends[i] });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum__adds_to_what_is_there),
        cmocka_unit_test(test_sum__in_pieces_as_in_one),
        cmocka_unit_test(test_sum__what_is_not_finite_stays_visible),
    };

    return test_run(tests);
}
