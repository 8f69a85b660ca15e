/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_structs.c - a struct that has grown since its first release, given by hosts of every age.
 * (The public structs as they are: api/test_struct_sizes.c.)
 */
#include "testing.h"

#include "base/structs.h"

/* As this library has it; of the first release are size and first. */
typedef struct {
    size_t size;
    double first;
    uint32_t second, third;
} axl_grown;

enum { AXL__V1_axl_grown = offsetof(axl_grown, second) };
#define DEFAULTS                                                                                   \
    {                                                                                              \
        sizeof(axl_grown), 1.5, 0, 0                                                               \
    }

typedef struct {
    axl_grown known;
    uint64_t newer;
} later;

static void test_structs__an_older_host_keeps_the_defaults(void **state)
{
    axl_grown dst = { sizeof dst, 0.5, 7, 8 }, old = { AXL__V1(axl_grown), 2.5, 98, 99 };

    (void)state;
    assert_ok(AXL__IMPORT(axl_grown, &dst, &old));
    assert_true(dst.size == sizeof dst && dst.first == 2.5);
    assert_true(dst.second == 7 && dst.third == 8); /* what lies behind the host's is not its own */
    old.size = offsetof(axl_grown, third);
    assert_ok(AXL__IMPORT(axl_grown, &dst, &old));
    assert_true(dst.second == 98 && dst.third == 8);
}

static void test_structs__an_older_host_gets_what_it_knows(void **state)
{
    axl_grown src = { sizeof src, 2.5, 7, 8 }, old = { AXL__V1(axl_grown), 0.5, 98, 99 };

    (void)state;
    assert_ok(AXL__EXPORT(axl_grown, &old, &src));
    assert_true(old.size == AXL__V1(axl_grown) && old.first == 2.5);
    assert_true(old.second == 98 && old.third == 99);
}

static void test_structs__a_newer_host_must_not_be_ignored(void **state)
{
    axl_grown dst = DEFAULTS;
    later given = { { sizeof given, 2.5, 7, 8 }, 0 };

    (void)state;
    assert_ok(AXL__IMPORT(axl_grown, &dst, &given.known));
    assert_true(dst.size == sizeof dst && dst.third == 8);
    given.newer = 1;
    assert_fails(AXL__IMPORT(axl_grown, &dst, &given.known), AXL_ERR_ABI, "newer than this libaxl");
    given.newer = 5;
    assert_ok(AXL__EXPORT(axl_grown, &given.known, &dst));
    assert_true(given.known.size == sizeof given && given.newer == 5);
}

static void test_structs__refuses_sizes_that_cannot_be(void **state)
{
    static const size_t wrong[] = { 0, AXL__V1(axl_grown) - 1, 4097, SIZE_MAX };
    axl_grown dst = DEFAULTS, given = DEFAULTS;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        given.size = wrong[i];
        assert_fails(AXL__IMPORT(axl_grown, &dst, &given), AXL_ERR_ABI, "use AXL_GROWN_INIT");
        assert_fails(AXL__IMPORT_OPTIONS(axl_grown, &dst, &given), AXL_ERR_ABI, "axl_grown");
        assert_fails(AXL__EXPORT(axl_grown, &given, &dst), AXL_ERR_ABI, "axl_grown");
        assert_fails(AXL__CHECK_STRUCT(axl_grown, &given), AXL_ERR_ABI, "axl_grown");
    }
    assert_ok(AXL__IMPORT_OPTIONS(axl_grown, &dst, NULL));
    assert_fails(AXL__IMPORT(axl_grown, &dst, NULL), AXL_ERR_INVALID, "axl_grown");
    assert_fails(AXL__EXPORT(axl_grown, NULL, &dst), AXL_ERR_INVALID, "axl_grown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structs__an_older_host_keeps_the_defaults),
        cmocka_unit_test(test_structs__an_older_host_gets_what_it_knows),
        cmocka_unit_test(test_structs__a_newer_host_must_not_be_ignored),
        cmocka_unit_test(test_structs__refuses_sizes_that_cannot_be),
    };
    return test_run(tests);
}
