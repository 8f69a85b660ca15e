/* SPDX-License-Identifier: Apache-2.0 */
/* test_pyrandom.c - against NumPy 2.3.5 and CPython 3.11. */
#include "testing.h"

#include "base/pyrandom.h"

#include <zlib.h>

static void test_pyrandom__equals_default_rng(void **state)
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

static void test_pyrandom__equals_default_rng_on_long_orders(void **state)
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

/* random.seed(42); x = list(range(10)); random.shuffle(x), of CPython 3.11. */
static void test_pyrandom__equals_pythons_shuffle(void **state)
{
    static const uint32_t python[10] = { 7, 3, 2, 8, 5, 6, 9, 4, 0, 1 };
    uint32_t order[10];

    (void)state;
    axl__python_shuffle(order, 10, 42);
    assert_memory_equal(order, python, sizeof order);
    axl__python_shuffle(order, 1, 42);
    assert_int_equal(order[0], 0);
}

/* numpy.random.seed(42); numpy.random.permutation(10) */
static void test_pyrandom__equals_numpys_older_permutation(void **state)
{
    static const uint32_t numpy[10] = { 8, 1, 5, 0, 7, 2, 9, 4, 3, 6 };
    uint32_t order[10];
    axl__twister t;

    (void)state;
    axl__twister_seed(&t, 42);
    axl__numpy_permutation_next(order, 10, &t);
    assert_memory_equal(order, numpy, sizeof order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pyrandom__equals_default_rng),
        cmocka_unit_test(test_pyrandom__equals_default_rng_on_long_orders),
        cmocka_unit_test(test_pyrandom__equals_pythons_shuffle),
        cmocka_unit_test(test_pyrandom__equals_numpys_older_permutation),
    };

    return test_run(tests);
}
