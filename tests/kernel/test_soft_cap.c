/* SPDX-License-Identifier: Apache-2.0 */
/* test_soft_cap.c - the soft cap and its gradient against the reference. */
#include "kernel_testing.h"

#include <math.h>

/* From where the cap does nothing to where it does everything. */
static void forward_backward(kernel_run *run, const kernel_case *c)
{
    axl_mat x = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 20);
    axl_mat d = kernel_random(run, c->rows, c->cols, c->other, 2 * c->pad, 1);
    axl_mat y = kernel_mat(run, c->rows, c->cols, c->dtype, c->pad);

    assert_ok(run->ops->soft_cap_forward(run->dev, &(axl_soft_cap_args){ x, y, 30.0f }));
    kernel_save(run, "y", y, 1e-6);
    assert_ok(run->ops->soft_cap_backward(run->dev, &(axl_soft_cap_backward_args){ x, d, 90.0f }));
    kernel_save(run, "d", d, 1e-6);
    assert_ok(run->ops->soft_cap_forward(run->dev, &(axl_soft_cap_args){ x, x, 30.0f }));
    kernel_save(run, "y in place", x, 1e-6);
}

static void test_soft_cap__forward_and_backward(void **state)
{
    (void)state;
    kernel_check_shapes(forward_backward);
}

/* more: the numbers */
static void given(kernel_run *run, const kernel_case *c)
{
    axl_mat x = kernel_mat(run, 1, c->cols, AXL_F32, 0);

    assert_ok(run->ops->upload(run->dev, x.data, c->more, (size_t)c->cols * sizeof(float)));
    assert_ok(run->ops->soft_cap_forward(run->dev, &(axl_soft_cap_args){ x, x, 50.0f }));
    kernel_save(run, "y", x, 1e-6);
}

static void test_soft_cap__what_is_not_finite_stays_visible(void **state)
{
    static const float x[] = { 0.0f, -0.0f, 1e-30f, 1e30f, -1e30f, INFINITY, -INFINITY, NAN };

    (void)state;
    for (int64_t n = 1; n <= 8; n++)
        kernel_check(given, &(kernel_case){ .rows = 1, .cols = n, .more = x });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_soft_cap__forward_and_backward),
        cmocka_unit_test(test_soft_cap__what_is_not_finite_stays_visible),
    };

    return test_run(tests);
}
