/* SPDX-License-Identifier: Apache-2.0 */
/* test_context.c - making contexts, cancelling, errors, forks. */
#include "testing.h"

#include <sys/wait.h>
#include <unistd.h>

static void test_context__refuses_bad_options(void **state)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    axl_context *ctx;
    unsigned char big[sizeof o + 8] = { 0 };
    size_t big_size = sizeof big;

    (void)state;
    o.isa = "sse9";
    assert_fails(axl_context_new(&ctx, &o), AXL_ERR_INVALID, "sse9");
    assert_null(ctx);
    o.isa = NULL;
    o.threads = 100000;
    assert_fails(axl_context_new(&ctx, &o), AXL_ERR_INVALID, "threads");
    o.threads = 1;
    o.log_level = 5;
    assert_fails(axl_context_new(&ctx, &o), AXL_ERR_INVALID, "log_level");
    o.log_level = AXL_LOG_DEBUG;
    memcpy(big, &o, sizeof o);
    memcpy(big, &big_size, sizeof big_size);
    assert_ok(axl_context_new(&ctx, (axl_context_options *)(void *)big)); /* a newer host */
    axl_context_free(ctx);
    big[sizeof big - 1] = 1;
    assert_fails(axl_context_new(&ctx, (axl_context_options *)(void *)big), AXL_ERR_ABI, "newer");
    o.size = 3;
    assert_fails(axl_context_new(&ctx, &o), AXL_ERR_ABI, "_INIT");
    assert_fails(axl_context_new(NULL, NULL), AXL_ERR_INVALID, "out");
}

static void test_context__caps_the_instruction_set(void **state)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    axl_context *ctx;

    (void)state;
    o.isa = "baseline";
    assert_ok(axl_context_new(&ctx, &o));
    assert_string_equal(axl_context_isa(ctx), "baseline");
    axl_context_free(ctx);
}

static void test_context__frees_in_any_order(void **state)
{
    axl_context *ctx = test_context();
    axl_cancel *first, *second;

    (void)state;
    assert_ok(axl_cancel_new(&first, ctx));
    assert_ok(axl_cancel_new(&second, ctx));
    axl_context_free(ctx);
    axl_cancel_raise(first);
    axl_cancel_free(first);
    axl_cancel_clear(second);
    axl_cancel_free(second);
    axl_cancel_free(NULL);
    axl_context_free(NULL);
}

static void test_context__is_dead_in_a_forked_child(void **state)
{
    axl_context *ctx = test_context();
    int status = 0;

    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
        axl_context *own = NULL;
        axl_cancel *c;
        int ok = axl_cancel_new(&c, ctx) == AXL_ERR_FORKED;
        o.threads = test_child_threads();
        ok = ok && axl_context_new(&own, &o) == AXL_OK;
        axl_context_free(own);
        axl_context_free(ctx);
        _exit(ok ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
    axl_context_free(ctx);
}

static void test_status__has_names_and_versions(void **state)
{
    (void)state;
    assert_string_equal(axl_status_name(AXL_ERR_CONFIG), "AXL_ERR_CONFIG");
    assert_string_equal(axl_status_name((axl_status)-99), "AXL_ERR_UNKNOWN");
    assert_string_equal(axl_version(), AXL_VERSION);
    assert_int_equal(axl_abi_version(), AXL_ABI_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_context__refuses_bad_options),
        cmocka_unit_test(test_context__caps_the_instruction_set),
        cmocka_unit_test(test_context__frees_in_any_order),
        cmocka_unit_test(test_context__is_dead_in_a_forked_child),
        cmocka_unit_test(test_status__has_names_and_versions),
    };

    return test_run(tests);
}
