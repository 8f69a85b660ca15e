/* SPDX-License-Identifier: Apache-2.0 */
/* test_rms_norm.c - the norm and its gradient against the reference. */
#include "kernel_testing.h"

/* more: whether weights count from 1 */
static void forward_backward(kernel_run *run, const kernel_case *c)
{
    const bool *unit_offset = c->more;
    axl_mat x = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 1);
    axl_mat w = kernel_random(run, 1, c->cols, c->other, 0, 1);
    axl_mat dy = kernel_random(run, c->rows, c->cols, c->dtype, 2 * c->pad, 1);
    axl_mat dx = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 1);
    axl_mat y = kernel_mat(run, c->rows, c->cols, c->dtype, c->pad);
    float *rstd = kernel_alloc(run, (size_t)c->rows * sizeof *rstd);
    axl_rms_norm_args f = { x, y, w.data, w.dtype, rstd, 1e-5f, *unit_offset };
    axl_rms_norm_backward_args b = { x, dy, dx, w.data, w.dtype, rstd, *unit_offset };

    assert_ok(run->ops->rms_norm_forward(run->dev, &f));
    kernel_save(run, "y", y, 1e-6);
    kernel_save_f32(run, "rstd", rstd, c->rows, 1e-6);
    assert_ok(run->ops->rms_norm_backward(run->dev, &b));
    kernel_save(run, "dx", dx, 3e-6);
}

static void test_rms_norm__forward_and_backward(void **state)
{
    (void)state;
    for (int unit_offset = 0; unit_offset < 2; unit_offset++)
        kernel_check_shapes_with(forward_backward, &(bool){ unit_offset });
}

/* A gradient in f32 on the residual stream of a bf16 norm. */
static void mixed_gradient(kernel_run *run, const kernel_case *c)
{
    axl_mat x = kernel_random(run, c->rows, c->cols, AXL_BF16, 0, 1);
    axl_mat w = kernel_random(run, 1, c->cols, c->other, 0, 1);
    axl_mat dy = kernel_random(run, c->rows, c->cols, c->dtype, 0, 1);
    axl_mat dx = kernel_random(run, c->rows, c->cols, AXL_F32, 0, 1);
    float *rstd = kernel_random_f32(run, c->rows, 1);
    axl_rms_norm_backward_args b = { x, dy, dx, w.data, w.dtype, rstd, false };

    assert_ok(run->ops->rms_norm_backward(run->dev, &b));
    kernel_save(run, "dx", dx, 3e-6);
}

static void test_rms_norm__gradient_of_another_dtype(void **state)
{
    (void)state;
    kernel_check_shapes(mixed_gradient);
}

static void weight_gradient(kernel_run *run, const kernel_case *c)
{
    axl_mat x = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 1);
    axl_mat dy = kernel_random(run, c->rows, c->cols, c->other, 2 * c->pad, 1);
    float *rstd = kernel_random_f32(run, c->rows, 1), *dw = kernel_random_f32(run, c->cols, 1);
    axl_rms_norm_weight_backward_args a = { x, dy, rstd, dw };

    assert_ok(run->ops->rms_norm_weight_backward(run->dev, &a));
    kernel_save_f32(run, "dw", dw, c->cols, 3e-6);
}

static void test_rms_norm__weight_gradient(void **state)
{
    (void)state;
    kernel_check_shapes(weight_gradient);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rms_norm__forward_and_backward),
        cmocka_unit_test(test_rms_norm__gradient_of_another_dtype),
        cmocka_unit_test(test_rms_norm__weight_gradient),
    };

    return test_run(tests);
}
