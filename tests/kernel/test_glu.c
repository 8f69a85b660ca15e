/* SPDX-License-Identifier: Apache-2.0 */
/* test_glu.c - the gated unit and its gradient against the reference. */
#include "kernel_testing.h"

static double tolerance_of_gradient(axl_activation act)
{
    return act == AXL_SILU ? 1e-6 : 3e-6;
}

/* more: the activation */
static void forward_backward(kernel_run *run, const kernel_case *c)
{
    const axl_activation act = *(const axl_activation *)c->more;
    axl_mat gate = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 3);
    axl_mat up = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 1);
    axl_mat dy = kernel_random(run, c->rows, c->cols, c->dtype, 2 * c->pad, 1);
    axl_mat y = kernel_mat(run, c->rows, c->cols, c->dtype, c->pad);
    axl_mat dgate = kernel_mat(run, c->rows, c->cols, c->dtype, c->pad);
    axl_mat dup = kernel_mat(run, c->rows, c->cols, c->dtype, 0);

    assert_ok(run->ops->glu_forward(run->dev, &(axl_glu_args){ gate, up, y, act }));
    kernel_save(run, "y", y, 1e-6);
    assert_ok(run->ops->glu_backward(run->dev,
                                     &(axl_glu_backward_args){ gate, up, dy, dgate, dup, act }));
    kernel_save(run, "dgate", dgate, tolerance_of_gradient(act));
    kernel_save(run, "dup", dup, 1e-6);
    assert_ok(
        run->ops->glu_backward(run->dev, &(axl_glu_backward_args){ gate, up, dy, gate, up, act }));
    kernel_save(run, "dgate in place", gate, tolerance_of_gradient(act));
    kernel_save(run, "dup in place", up, 1e-6);
}

static void test_glu__forward_and_backward(void **state)
{
    (void)state;
    for (axl_activation act = 0; act < AXL_ACTIVATIONS; act++)
        kernel_check_shapes_with(forward_backward, &act);
}

struct gates {
    axl_activation act;
    float x[26];
};

/* Where exp overflows or vanishes, and a cube or a square does; in their order, for the rms of
 * outputs of one size is what the tolerance is taken of. */
static void extremes(kernel_run *run, const kernel_case *c)
{
    const struct gates *g = c->more;
    axl_mat gate = kernel_mat(run, 1, c->cols, AXL_F32, 0);
    axl_mat up = kernel_random(run, 1, c->cols, AXL_F32, 0, 1);
    axl_mat dy = kernel_random(run, 1, c->cols, AXL_F32, 0, 1);
    axl_mat y = kernel_mat(run, 1, c->cols, AXL_F32, 0);
    axl_glu_backward_args b = { gate, up, dy, gate, up, g->act };

    assert_ok(run->ops->upload(run->dev, gate.data, g->x, (size_t)c->cols * sizeof(float)));
    assert_ok(run->ops->glu_forward(run->dev, &(axl_glu_args){ gate, up, y, g->act }));
    kernel_save(run, "y", y, 1e-6);
    assert_ok(run->ops->glu_backward(run->dev, &b));
    kernel_save(run, "dgate", gate, tolerance_of_gradient(g->act));
    kernel_save(run, "dup", up, 1e-6);
}

static void test_glu__extreme_gates(void **state)
{
    struct gates g = { .x = { 0.0f,   -0.0f,   1e-30f, 5.6f,   -5.6f, 5.8f,   -5.8f, 11.0f,  -11.0f,
                              13.0f,  -13.0f,  20.0f,  -20.0f, 87.0f, -87.0f, 88.5f, -88.5f, -90.0f,
                              104.0f, -104.0f, 1e4f,   -1e4f,  1e30f, -1e30f, 3e38f, -3e38f } };

    (void)state;
    for (g.act = 0; g.act < AXL_ACTIVATIONS; g.act++)
        for (int64_t n = 10; n <= 26; n += 8) /* small gates alone, too */
            kernel_check(extremes, &(kernel_case){ .rows = 1, .cols = n, .more = &g });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_glu__forward_and_backward),
        cmocka_unit_test(test_glu__extreme_gates),
    };

    return test_run(tests);
}
