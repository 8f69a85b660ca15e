/* SPDX-License-Identifier: Apache-2.0 */
/* test_rows.c - gathering, scattering and adding rows against the reference, to the bit. */
#include "kernel_testing.h"

enum { SOURCE_ROWS = 5000 };

/* Different rows out of SOURCE_ROWS (a prime step away from each other). */
static const int32_t *some_rows(kernel_run *run, int64_t n)
{
    int32_t rows[SOURCE_ROWS];

    for (int64_t i = 0; i < n; i++)
        rows[i] = (int32_t)((17 + i * 3571) % SOURCE_ROWS);
    return kernel_put(run, rows, (size_t)n * sizeof *rows);
}

static void gather(kernel_run *run, const kernel_case *c)
{
    int64_t n_source = c->cols > 100 ? SOURCE_ROWS / 10 : SOURCE_ROWS;
    axl_mat x = kernel_random(run, n_source, c->cols, c->dtype, c->pad, 1);
    axl_mat y = kernel_mat(run, c->rows, c->cols, c->other, c->pad);
    int32_t rows[SOURCE_ROWS];

    for (int64_t i = 0; i < c->rows; i++)
        rows[i] = (int32_t)((17 + i * 3571) % n_source); /* repeats are allowed */
    axl_rows_args a = { x, y, kernel_put(run, rows, (size_t)c->rows * sizeof *rows), c->rows };
    assert_ok(run->ops->gather_rows(run->dev, &a));
    kernel_save(run, "y", y, 0);
}

static void scatter(kernel_run *run, const kernel_case *c)
{
    axl_mat x = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 1);
    axl_mat y = kernel_random(run, SOURCE_ROWS, c->cols, c->other, c->pad, 1);
    axl_rows_args a = { x, y, some_rows(run, c->rows), c->rows };

    assert_ok(run->ops->scatter_rows(run->dev, &a));
    kernel_save(run, "y", y, 0);
}

static void add(kernel_run *run, const kernel_case *c)
{
    axl_mat x = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 1);
    axl_mat y = kernel_random(run, 41, c->cols, AXL_F32, c->pad, 1);
    int32_t rows[SOURCE_ROWS];

    for (int64_t i = 0; i < c->rows; i++)
        rows[i] = (int32_t)(i * i % 41); /* most come again */
    axl_rows_args a = { x, y, kernel_put(run, rows, (size_t)c->rows * sizeof *rows), c->rows };
    assert_ok(run->ops->add_rows(run->dev, &a));
    kernel_save(run, "y", y, 0);
}

static void sum(kernel_run *run, const kernel_case *c)
{
    axl_mat x = kernel_random(run, c->rows, c->cols, c->dtype, c->pad, 1);
    axl_mat y = kernel_random(run, 1, c->cols, AXL_F32, 0, 1);
    axl_rows_args a = { x, y, NULL, c->rows };

    assert_ok(run->ops->add_rows(run->dev, &a));
    kernel_save(run, "y", y, 0);
}

static void test_rows__add(void **state)
{
    (void)state;
    kernel_check_shapes(add);
    kernel_check_shapes(sum);
}

static void test_rows__gather(void **state)
{
    (void)state;
    kernel_check_shapes(gather);
}

static void test_rows__scatter(void **state)
{
    static const int64_t shapes[][2] = { { 1, 1 }, { 33, 3 }, { 500, 65 }, { 4097, 8 } };

    (void)state;
    for (int i = 0; i < 16; i++) {
        kernel_case c = { shapes[i / 4][0],           shapes[i / 4][1], i & 1 ? AXL_BF16 : AXL_F32,
                          i & 2 ? AXL_BF16 : AXL_F32, i & 3 ? 0 : 3,    NULL };
        kernel_check(scatter, &c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows__gather),
        cmocka_unit_test(test_rows__scatter),
        cmocka_unit_test(test_rows__add),
    };

    return test_run(tests);
}
