/* SPDX-License-Identifier: Apache-2.0 */
/* test_columns.c - norms of rows, scaled columns and their dot products against the reference. */
#include "kernel_testing.h"

static void norms(kernel_run *run, const kernel_case *c)
{
    axl_mat x = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 1);
    axl_mat norm = kernel_mat(run, 1, c->rows, AXL_F32, 0);
    axl_mat gain = kernel_mat(run, 1, c->rows, AXL_F32, 0);
    axl_mat magnitude = kernel_random(run, 1, c->rows, AXL_F32, 0, 1);
    axl_row_norms_args a = { x, norm.data, magnitude.data, gain.data };
    assert_ok(run->ops->row_norms(run->dev, &a));
    kernel_save(run, "norms", norm, 1e-6);
    kernel_save(run, "gains", gain, 1e-6);
}

static void norms_alone(kernel_run *run, const kernel_case *c)
{
    axl_mat x = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 1);
    axl_mat norm = kernel_mat(run, 1, c->rows, AXL_F32, 0);
    axl_row_norms_args a = { x, norm.data, NULL, NULL };

    assert_ok(run->ops->row_norms(run->dev, &a));
    kernel_save(run, "norms", norm, 1e-6);
}

static void scale(kernel_run *run, const kernel_case *c)
{
    axl_mat x = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 1);
    axl_mat y = kernel_random(run, c->rows, c->cols, c->other, c->pad, 1);
    axl_mat gains = kernel_random(run, 1, c->cols, AXL_F32, 0, 1);
    axl_scale_columns_args a = { x, y, gains.data, -1.0f, 0.5f, true };

    assert_ok(run->ops->scale_columns(run->dev, &a));
    kernel_save(run, "y", y, 1e-6);
}

/* In place, and one row for all. */
static void scale_in_place(kernel_run *run, const kernel_case *c)
{
    axl_mat y = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 1);
    axl_mat gains = kernel_random(run, 1, c->cols, AXL_F32, 0, 1);
    axl_mat row = gains;
    axl_scale_columns_args a = { y, y, gains.data, 0.0f, 1.0f, false };

    assert_ok(run->ops->scale_columns(run->dev, &a));
    row.rows = c->rows;
    row.stride = 0;
    a = (axl_scale_columns_args){ row, y, NULL, 0.0f, 2.0f, true };
    assert_ok(run->ops->scale_columns(run->dev, &a));
    kernel_save(run, "y", y, 1e-6);
}

static void dot(kernel_run *run, const kernel_case *c)
{
    axl_mat x = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 1);
    axl_mat y = kernel_random(run, c->rows, c->cols, c->other, c->pad, 1);
    axl_mat out = kernel_random(run, 1, c->cols, AXL_F32, 0, 1);
    axl_mat norm = kernel_mat(run, 1, c->cols, AXL_F32, 0), rows = out;

    rows.rows = c->cols;
    rows.cols = rows.stride = 1;
    assert_ok(run->ops->row_norms(run->dev, &(axl_row_norms_args){ rows, norm.data, NULL, NULL }));
    axl_dot_columns_args a = { x, y, norm.data, 3.0f, out.data };
    assert_ok(run->ops->dot_columns(run->dev, &a));
    kernel_save(run, "out", out, 1e-6);
}

static void sum(kernel_run *run, const kernel_case *c)
{
    axl_mat x = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 1);
    axl_mat out = kernel_random(run, 1, c->cols, AXL_F32, 0, 1);
    axl_dot_columns_args a = { x, { 0 }, NULL, 0.25f, out.data };

    assert_ok(run->ops->dot_columns(run->dev, &a));
    kernel_save(run, "out", out, 1e-6);
}

static void test_columns__norms_of_rows(void **state)
{
    (void)state;
    kernel_check_shapes(norms);
    kernel_check_shapes(norms_alone);
}

static void test_columns__scaled_columns(void **state)
{
    (void)state;
    kernel_check_shapes(scale);
    kernel_check_shapes(scale_in_place);
}

static void test_columns__dot_products_of_columns(void **state)
{
    (void)state;
    kernel_check_shapes(dot);
    kernel_check_shapes(sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns__norms_of_rows),
        cmocka_unit_test(test_columns__scaled_columns),
        cmocka_unit_test(test_columns__dot_products_of_columns),
    };

    return test_run(tests);
}
