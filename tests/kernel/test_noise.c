/* SPDX-License-Identifier: Apache-2.0 */
/* test_noise.c - uniform noise against the reference: the same numbers on every backend. */
#include "kernel_testing.h"

#include "base/rng.h"

#include <math.h>

static void add_noise(kernel_run *run, const kernel_case *c)
{
    const uint64_t seed = 0x123456789abcdef;
    axl_mat x = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 1);
    axl_noise_args a = { x, 0.3f, kernel_put(run, &seed, sizeof seed), AXL__STREAM_NOISE, 0 };

    assert_ok(run->ops->noise(run->dev, &a));
    kernel_save(run, "x", x, 3e-7);
    a.scale = 1e-3f;
    a.stream += UINT64_C(7) << 40;
    a.offset = (UINT64_C(1) << 40) + 3;
    assert_ok(run->ops->noise(run->dev, &a));
    kernel_save(run, "x again", x, 3e-7);
}

static void test_noise__the_same_numbers(void **state)
{
    (void)state;
    kernel_check_shapes(add_noise);
}

static void nothing_finite(kernel_run *run, const kernel_case *c)
{
    const uint64_t seed = 1;
    axl_mat x = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, INFINITY);
    axl_noise_args a = { x, 1.0f, kernel_put(run, &seed, sizeof seed), AXL__STREAM_NOISE, 0 };

    assert_ok(run->ops->noise(run->dev, &a));
    kernel_save(run, "x", x, 0);
}

static void test_noise__keeps_what_is_not_finite(void **state)
{
    (void)state;
    kernel_check(nothing_finite, &(kernel_case){ .rows = 3, .cols = 70, .dtype = AXL_F32 });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_noise__the_same_numbers),
        cmocka_unit_test(test_noise__keeps_what_is_not_finite),
    };

    return test_run(tests);
}
