/* SPDX-License-Identifier: Apache-2.0 */
/* test_glu.c - the gated unit and its gradient against the reference. */
#include "kernel_testing.h"

static void forward_backward(kernel_run *run, const kernel_case *c)
{
    axl_mat gate = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 3);
    axl_mat up = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 1);
    axl_mat dy = kernel_random(run, c->rows, c->cols, c->dtype, 2 * c->pad, 1);
    axl_mat y = kernel_mat(run, c->rows, c->cols, c->dtype, c->pad);
    axl_mat dgate = kernel_mat(run, c->rows, c->cols, c->dtype, c->pad);
    axl_mat dup = kernel_mat(run, c->rows, c->cols, c->dtype, 0);

    assert_ok(run->ops->glu_forward(run->dev, &(axl_glu_args){ gate, up, y }));
    kernel_save(run, "y", y, 1e-6);
    assert_ok(
        run->ops->glu_backward(run->dev, &(axl_glu_backward_args){ gate, up, dy, dgate, dup }));
    kernel_save(run, "dgate", dgate, 1e-6);
    kernel_save(run, "dup", dup, 1e-6);
    assert_ok(run->ops->glu_backward(run->dev, &(axl_glu_backward_args){ gate, up, dy, gate, up }));
    kernel_save(run, "dgate in place", gate, 1e-6);
    kernel_save(run, "dup in place", up, 1e-6);
}

static void test_glu__forward_and_backward(void **state)
{
    (void)state;
    kernel_check_shapes(forward_backward);
}

/* Where exp overflows or vanishes; more: the gates. */
static void extremes(kernel_run *run, const kernel_case *c)
{
    axl_mat gate = kernel_mat(run, 1, c->cols, AXL_F32, 0);
    axl_mat up = kernel_random(run, 1, c->cols, AXL_F32, 0, 1);
    axl_mat dy = kernel_random(run, 1, c->cols, AXL_F32, 0, 1);
    axl_mat y = kernel_mat(run, 1, c->cols, AXL_F32, 0);
    axl_glu_backward_args b = { gate, up, dy, gate, up };

    assert_ok(run->ops->upload(run->dev, gate.data, c->more, (size_t)c->cols * sizeof(float)));
    assert_ok(run->ops->glu_forward(run->dev, &(axl_glu_args){ gate, up, y }));
    kernel_save(run, "y", y, 1e-6);
    assert_ok(run->ops->glu_backward(run->dev, &b));
    kernel_save(run, "dgate", gate, 1e-6);
    kernel_save(run, "dup", up, 1e-6);
}

static void test_glu__extreme_gates(void **state)
{
    static const float gates[] = { 0.0f,   -0.0f,  1e-30f, 20.0f,   -20.0f, 87.0f, -87.0f, 88.5f,
                                   -88.5f, -90.0f, 104.0f, -104.0f, 1e4f,   -1e4f, 1e30f,  -1e30f };

    (void)state;
    kernel_check(extremes, &(kernel_case){ .rows = 1, .cols = 16, .more = gates });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_glu__forward_and_backward),
        cmocka_unit_test(test_glu__extreme_gates),
    };

    return test_run(tests);
}
