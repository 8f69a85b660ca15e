/* SPDX-License-Identifier: Apache-2.0 */
/* test_rope.c - the rotation and its inverse against the reference. */
#include "kernel_testing.h"

#include <math.h>

enum { POSITIONS = 300 };

typedef struct {
    int64_t head_dim, rotary_dim;
} head_shape;

/* more: the head's shape */
static void rotate(kernel_run *run, const kernel_case *c)
{
    const head_shape *shape = c->more;
    int64_t head_dim = shape->head_dim, half = shape->rotary_dim / 2;
    axl_mat x = kernel_random(run, c->rows, c->cols * head_dim, c->dtype, c->pad, 1);
    int32_t positions[POSITIONS];
    static float cos_table[POSITIONS * 128], sin_table[POSITIONS * 128];

    for (int64_t i = 0; i < POSITIONS * half; i++) {
        double angle = (double)(i / half) * pow(1e4, -(double)(i % half) / (double)half);
        cos_table[i] = (float)cos(angle);
        sin_table[i] = (float)sin(angle);
    }
    for (int64_t t = 0; t < c->rows; t++)
        positions[t] = (int32_t)(t * 7 % POSITIONS);
    size_t size = (size_t)(POSITIONS * half) * sizeof(float);
    axl_rope_args a = {
        .x = x,
        .positions = kernel_put(run, positions, (size_t)c->rows * sizeof *positions),
        .cos = kernel_put(run, cos_table, size),
        .sin = kernel_put(run, sin_table, size),
        .n_heads = c->cols,
        .head_dim = head_dim,
        .rotary_dim = shape->rotary_dim,
    };
    assert_ok(run->ops->rope(run->dev, &a));
    kernel_save(run, "x", x, 1e-6);
    a.x = kernel_random(run, c->rows, c->cols * head_dim, c->dtype, 0, 1);
    a.inverse = true;
    assert_ok(run->ops->rope(run->dev, &a));
    kernel_save(run, "x back", a.x, 1e-6);
}

static void test_rope__there_and_back(void **state)
{
    static const head_shape heads[] = {
        { 2, 2 },     { 6, 6 }, { 16, 16 }, { 64, 64 }, { 80, 80 },  { 128, 128 },
        { 256, 256 }, { 5, 2 }, { 32, 24 }, { 96, 72 }, { 128, 96 },
    };
    static const int64_t shapes[][2] = { { 1, 1 }, { 3, 2 }, { 33, 3 }, { 130, 1 } };

    (void)state;
    for (size_t d = 0; d < sizeof heads / sizeof heads[0]; d++) {
        for (int i = 0; i < 8; i++) {
            kernel_case c = { shapes[i / 2][0], shapes[i / 2][1], i & 1 ? AXL_BF16 : AXL_F32,
                              AXL_F32,          i & 2 ? 3 : 0,    &heads[d] };
            kernel_check(rotate, &c);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rope__there_and_back),
    };

    return test_run(tests);
}
