/* SPDX-License-Identifier: Apache-2.0 */
/* test_numpy_rng.c - against numpy.random.default_rng(seed).permutation(n), NumPy 2.3.5. */
#include "testing.h"

#include "data/numpy_rng.h"

#include <zlib.h>

static void test_numpy_rng__equals_numpy(void **state)
{
    static const struct {
        uint64_t seed;
        uint32_t n;
        uint32_t order[23];
    } cases[] = {
        { 42, 1, { 0 } },
        { 42, 2, { 1, 0 } },
        { 42, 10, { 5, 6, 0, 7, 3, 2, 4, 9, 1, 8 } },
        { 0, 17, { 2, 10, 3, 11, 0, 4, 7, 5, 16, 12, 13, 6, 9, 14, 8, 1, 15 } },
        { 1099511627783, 23, { 21, 19, 6, 12, 20, 3,  14, 16, 17, 13, 22, 2,
                               18, 1,  7, 5,  8,  11, 15, 4,  9,  0,  10 } },
    };
    uint32_t order[23];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        axl__numpy_permutation(order, cases[i].n, cases[i].seed);
        assert_memory_equal(order, cases[i].order, cases[i].n * sizeof *order);
    }
    axl__numpy_permutation(order, 0, 42);
}

static void test_numpy_rng__equals_numpy_on_long_orders(void **state)
{
    static const struct {
        uint64_t seed;
        uint32_t n, crc;
    } cases[] = { { 42, 1000, 0x821e2fbd }, { 42, 999, 0xbc90895e }, { 7, 70001, 0xa9a7b7e1 } };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        uint32_t *order = malloc(cases[i].n * sizeof *order);
        axl__numpy_permutation(order, cases[i].n, cases[i].seed);
        assert_int_equal(crc32(0, (const Bytef *)order, cases[i].n * (uInt)sizeof *order),
                         cases[i].crc);
        free(order);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numpy_rng__equals_numpy),
        cmocka_unit_test(test_numpy_rng__equals_numpy_on_long_orders),
    };

    return test_run(tests);
}
