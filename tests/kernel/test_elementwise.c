/* SPDX-License-Identifier: Apache-2.0 */
/* test_elementwise.c - convert, add and scale against the reference, to the bit. */
#include "kernel_testing.h"

#include <math.h>

static void convert_and_add(kernel_run *run, const kernel_case *c)
{
    axl_mat x = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 1);
    axl_mat y = kernel_random(run, c->rows, c->cols, c->other, 2 * c->pad, 1);
    axl_mat z = kernel_mat(run, c->rows, c->cols, c->other, 0);

    assert_ok(run->ops->add(run->dev, &(axl_unary_args){ x, y }));
    kernel_save(run, "y", y, 0);
    assert_ok(run->ops->convert(run->dev, &(axl_unary_args){ x, z }));
    kernel_save(run, "z", z, 0);
}

static void test_elementwise__convert_and_add(void **state)
{
    (void)state;
    kernel_check_shapes(convert_and_add);
}

/* Into another matrix, and over itself. */
static void scale(kernel_run *run, const kernel_case *c)
{
    axl_mat x = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 1);
    axl_mat y = kernel_mat(run, c->rows, c->cols, c->other, 2 * c->pad);

    assert_ok(run->ops->scale(run->dev, &(axl_scale_args){ x, y, 50.5966f }));
    kernel_save(run, "y", y, 0);
    assert_ok(run->ops->scale(run->dev, &(axl_scale_args){ x, x, -0.3f }));
    kernel_save(run, "x", x, 0);
}

static void test_elementwise__scale(void **state)
{
    (void)state;
    kernel_check_shapes(scale);
}

/* more: floats at the edges of rounding */
static void rounding(kernel_run *run, const kernel_case *c)
{
    axl_mat x = kernel_mat(run, 1, c->cols, AXL_F32, 0);
    axl_mat y = kernel_mat(run, 1, c->cols, AXL_BF16, 0);
    axl_mat z = kernel_mat(run, 1, c->cols, AXL_F32, 0);

    assert_ok(run->ops->upload(run->dev, x.data, c->more, (size_t)c->cols * sizeof(float)));
    assert_ok(run->ops->convert(run->dev, &(axl_unary_args){ x, y }));
    assert_ok(run->ops->convert(run->dev, &(axl_unary_args){ y, z }));
    kernel_save(run, "as bf16", y, 0);
    kernel_save(run, "and back", z, 0);
}

static void test_elementwise__rounds_ties_to_even_and_keeps_nan(void **state)
{
    const float x[] = {
        1.0f + 0x1p-8f,
        1.0f + 0x3p-8f,
        1.0f + 0x1p-8f + 0x1p-23f,
        -1.0f - 0x1p-8f,
        3.4e38f,
        -3.4028235e38f,
        0x1.fep127f,
        INFINITY,
        -INFINITY,
        NAN,
        -NAN,
        0.0f,
        -0.0f,
        0x1p-126f,
        0x1p-133f,
        0x1p-134f,
        0x1.8p-133f,
        -0x1p-140f,
        1e-39f,
        axl__bits_float(0x7F800001),
        axl__bits_float(0xFF80FFFF),
        axl__bits_float(0x7FFFFFFF),
    };

    (void)state;
    for (int64_t n = 1; n <= (int64_t)(sizeof x / sizeof x[0]); n++)
        kernel_check(rounding, &(kernel_case){ .rows = 1, .cols = n, .more = x });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elementwise__convert_and_add),
        cmocka_unit_test(test_elementwise__scale),
        cmocka_unit_test(test_elementwise__rounds_ties_to_even_and_keeps_nan),
    };

    return test_run(tests);
}
