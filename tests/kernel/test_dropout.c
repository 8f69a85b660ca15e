/* SPDX-License-Identifier: Apache-2.0 */
/* test_dropout.c - masked numbers against the reference: the same mask on every backend. */
#include "kernel_testing.h"

#include "base/rng.h"

static void drop(kernel_run *run, const kernel_case *c)
{
    const float *p = c->more;
    axl_mat x = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 1);
    axl_mat y = kernel_mat(run, c->rows, c->cols, c->dtype, 2 * c->pad);
    axl_dropout_args a = { x, y, *p, 0x123456789abcdef, AXL__STREAM_DROPOUT, 0xfffffff8 };

    assert_ok(run->ops->dropout(run->dev, &a));
    kernel_save(run, "y", y, 1.3e-7);
    a.y = a.x;
    a.stream += UINT64_C(7) << 40;
    a.offset = UINT64_C(1) << 40;
    assert_ok(run->ops->dropout(run->dev, &a));
    kernel_save(run, "x in place", x, 1.3e-7);
}

static void with_a_tenth(kernel_run *run, const kernel_case *c)
{
    kernel_case with = *c;
    float p = 0.1f;

    with.more = &p;
    drop(run, &with);
}

static void test_dropout__the_same_mask(void **state)
{
    (void)state;
    kernel_check_shapes(with_a_tenth);
}

static void test_dropout__every_rate(void **state)
{
    static const float rates[] = { 0.0f, 1e-9f, 0.05f, 0.5f, 0.999f, 1.0f };

    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
        for (int t = 0; t < 2; t++)
            kernel_check(drop, &(kernel_case){ 7, 129, t ? AXL_BF16 : AXL_F32, AXL_F32, 3,
                                               &rates[i] });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dropout__the_same_mask),
        cmocka_unit_test(test_dropout__every_rate),
    };

    return test_run(tests);
}
