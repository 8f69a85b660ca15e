/* SPDX-License-Identifier: Apache-2.0 */
/* test_dropout.c - masked numbers against the reference: the same mask on every backend. */
#include "kernel_testing.h"

#include "base/rng.h"

static const uint64_t seed = 0x123456789abcdef;

static void drop(kernel_run *run, const kernel_case *c)
{
    const float *p = c->more;
    axl_mat x = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 1);
    axl_mat y = kernel_mat(run, c->rows, c->cols, c->dtype, 2 * c->pad);
    axl_dropout_args a = {
        x, y, *p, kernel_put(run, &seed, sizeof seed), AXL__STREAM_DROPOUT, 0xfffffff8, false
    };

    assert_ok(run->ops->dropout(run->dev, &a));
    kernel_save(run, "y", y, 1.3e-7);
    a.y = a.x;
    a.stream += UINT64_C(7) << 40;
    a.offset = UINT64_C(1) << 40;
    assert_ok(run->ops->dropout(run->dev, &a));
    kernel_save(run, "x in place", x, 1.3e-7);
    a.y = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 3);
    a.add = true;
    assert_ok(run->ops->dropout(run->dev, &a));
    kernel_save(run, "added", a.y, 3e-7);
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
            kernel_check(drop,
                         &(kernel_case){ 7, 129, t ? AXL_BF16 : AXL_F32, AXL_F32, 3, &rates[i] });
}

/* A rate such that one element's word lies just below its threshold, or at it. */
static void test_dropout__the_word_at_the_threshold(void **state)
{
    const kernel_case shape = { .rows = 1, .cols = 4096, .dtype = AXL_F32 };
    uint32_t word[4], least = UINT32_MAX;

    (void)state;
    for (uint64_t i = 0; i < 1024; i++) { /* as drop() draws */
        axl__philox(word, seed, AXL__STREAM_DROPOUT, 0xfffffff8 / 4 + i);
        for (int k = 0; k < 4; k++)
            least = word[k] < least ? word[k] : least;
    }
    assert_true(least < 1u << 24); /* so that the rates are exact */
    for (uint32_t k = 0; k < 2; k++) {
        float p = (float)(least + k) * 0x1p-32f;
        kernel_case c = shape;
        c.more = &p;
        kernel_check(drop, &c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dropout__the_same_mask),
        cmocka_unit_test(test_dropout__every_rate),
        cmocka_unit_test(test_dropout__the_word_at_the_threshold),
    };

    return test_run(tests);
}
