/* SPDX-License-Identifier: Apache-2.0 */
/* testing.h - what every test file starts with: cmocka, a context, a temporary folder, paths. */
#ifndef AXL_TESTING_H
#define AXL_TESTING_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <axl/axl.h>

/* A host may run under any locale: AXL_TEST_LOCALE=de_DE.UTF-8 is set or the program fails. */
static inline void test_locale(void)
{
    const char *name = getenv("AXL_TEST_LOCALE");

    if (name && !setlocale(LC_ALL, name)) {
        fprintf(stderr, "there is no locale %s\n", name);
        exit(1);
    }
}

/* AXL_SLOW is set under valgrind and sanitizers: what only repeats on other machines is left out,
 * and limits on time are wide. */
static inline int test_is_slow(void)
{
    return getenv("AXL_SLOW") != NULL;
}

/* AXL_TEST_LONG is set in the suite slow, where a test does all that it can rather than what is
 * quick. */
static inline int test_is_long(void)
{
    return getenv("AXL_TEST_LONG") != NULL;
}

/* AXL_TEST_ISA caps the instruction set where a test does not choose one itself: under valgrind the
 * plain kernels are eight times as fast as those of AVX2. */
static inline const char *test_isa(void)
{
    return getenv("AXL_TEST_ISA");
}

/* AXL_TEST_BACKEND names the one backend that tests of backends are about: "cuda" on a GPU, or
 * "emulated" for all cases of what the rest of the tests run in part. */
static inline const char *test_backend(void)
{
    return getenv("AXL_TEST_BACKEND");
}

/* Where the build has a backend's plugin; NULL of those that are built in. */
static inline const char *test_plugin_dir(const char *backend)
{
    static const char *const places[][2] = { { "guarded", "tests/guarded" },
                                             { "emulated", "tests/emulation" },
                                             { "cuda", "kernels/cuda" } };
    static char path[1024];
    const char *build = getenv("AXL_BUILD_DIR");

    for (size_t i = 0; backend && i < sizeof places / sizeof places[0]; i++) {
        if (strcmp(backend, places[i][0]) == 0) {
            snprintf(path, sizeof path, "%s/%s", build ? build : ".", places[i][1]);
            return path;
        }
    }
    return NULL;
}

/* AXL_TEST=part_of_a_name runs the matching cases only; it may hold * and ? of its own. */
static inline void test_filter(void)
{
    static char pattern[128];
    const char *part = getenv("AXL_TEST");

    snprintf(pattern, sizeof pattern, "*%s*", part ? part : "");
    cmocka_set_test_filter(pattern);
}

#define test_run(tests)                                                                            \
    (test_locale(), test_filter(), test_done(cmocka_run_group_tests(tests, NULL, NULL)))

#define assert_ok(expr)                                                                            \
    do {                                                                                           \
        axl_status status_ = (expr);                                                               \
        if (status_ != AXL_OK)                                                                     \
            fail_msg("%s: %s: %s", #expr, axl_status_name(status_), axl_last_error());             \
    } while (0)

/* The failure's status, and that its line holds a text. */
#define assert_fails(expr, status, text)                                                           \
    do {                                                                                           \
        axl_status status_ = (expr);                                                               \
        if (status_ != (status) || !strstr(axl_last_error(), text))                                \
            fail_msg("%s: %s: %s", #expr, axl_status_name(status_), axl_last_error());             \
    } while (0)

/* A context's threads in a child of fork(): the thread sanitizer cannot join one there, whose id is
 * that of a thread of the parent's. */
static inline uint32_t test_child_threads(void)
{
    return test_is_slow() ? 1 : 2;
}

static inline axl_context *test_context(void)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    axl_context *ctx;

    o.isa = test_isa();
    assert_ok(axl_context_new(&ctx, &o));
    return ctx;
}

static char test_temp_path[64];

/* A folder of this process, made at the first call and removed by test_run. */
static inline const char *test_temp_dir(void)
{
    if (!test_temp_path[0]) {
        strcpy(test_temp_path, "/tmp/axl-test-XXXXXX");
        if (!mkdtemp(test_temp_path))
            fail_msg("mkdtemp failed");
    }
    return test_temp_path;
}

/* A path in there; four at a time. */
static inline const char *temp_path(const char *name)
{
    static char paths[4][512];
    static int turn;
    char *p = paths[turn++ % 4];

    snprintf(p, sizeof paths[0], "%s/%s", test_temp_dir(), name);
    return p;
}

static inline int test_done(int result)
{
    char command[96];

    if (!test_temp_path[0])
        return result;
    snprintf(command, sizeof command, "rm -rf %s", test_temp_path);
    return system(command) == 0 ? result : 1;
}

/* A path below the source tree. */
static inline const char *test_source_path(const char *relative)
{
    static char paths[4][1024];
    static int turn;
    const char *root = getenv("AXL_SOURCE_DIR");
    char *p = paths[turn++ % 4];

    snprintf(p, sizeof paths[0], "%s/%s", root ? root : ".", relative);
    return p;
}

/* A path below the folder of shared test data beside the source tree (AXL_SHARED_DIR, else
 * ../shared); NULL when it is not there, and the caller skips. */
static inline const char *test_shared_path(const char *relative)
{
    static char paths[4][1024];
    static int turn;
    const char *root = getenv("AXL_SHARED_DIR"), *source = getenv("AXL_SOURCE_DIR");
    char *p = paths[turn++ % 4];
    FILE *f;

    if (root)
        snprintf(p, sizeof paths[0], "%s/%s", root, relative);
    else
        snprintf(p, sizeof paths[0], "%s/../shared/%s", source ? source : ".", relative);
    f = fopen(p, "r");
    if (!f)
        return NULL;
    fclose(f);
    return p;
}

#endif
