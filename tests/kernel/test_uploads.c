/* SPDX-License-Identifier: Apache-2.0 */
/* test_uploads.c - calls find in a buffer what was uploaded last before them, however late they
 * run, and the host's bytes are the host's again at once. */
#include "kernel_testing.h"

#include <stdlib.h>

/* One buffer that is filled anew again and again, c->cols numbers, while calls that read it may
 * still have to run. */
static void fill_and_add(kernel_run *run, const kernel_case *c)
{
    size_t size = (size_t)c->cols * sizeof(float);
    float *host = calloc(1, size), *sum = kernel_put(run, host, size);
    float *x = kernel_alloc(run, size);
    axl_unary_args add = { { x, AXL_F32, 1, c->cols, c->cols },
                           { sum, AXL_F32, 1, c->cols, c->cols } };

    assert_non_null(host);
    for (int64_t round = 1; round <= c->rows; round++) {
        for (int64_t i = 0; i < c->cols; i++)
            host[i] = (float)(round * round + i % 97);
        assert_ok(run->ops->upload(run->dev, x, host, size));
        assert_ok(run->ops->add(run->dev, &add));
    }
    memset(host, 0xFF, size);
    kernel_save_f32(run, "sum", sum, c->cols, 0);
    free(host);
}

static void test_uploads__come_in_order(void **state)
{
    (void)state;
    kernel_check(fill_and_add, &(kernel_case){ .rows = 40, .cols = 1 });
    kernel_check(fill_and_add, &(kernel_case){ .rows = 40, .cols = 5000 });
}

static void test_uploads__of_megabytes(void **state)
{
    (void)state;
    kernel_check(fill_and_add, &(kernel_case){ .rows = 10, .cols = (1 << 18) + 3 });
    kernel_check(fill_and_add, &(kernel_case){ .rows = 3, .cols = (1 << 20) + 3 });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uploads__come_in_order),
        cmocka_unit_test(test_uploads__of_megabytes),
    };

    return test_run(tests);
}
