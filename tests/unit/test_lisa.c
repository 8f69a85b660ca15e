/* SPDX-License-Identifier: Apache-2.0 */
/* test_lisa.c - the picks of LISA at a step, as if all steps before had been done. */
#include "testing.h"

#include "train/lisa.h"

enum { LAYERS = 7, PICKED = 2, EVERY = 3 };

static void test_lisa__a_step_is_reached_by_its_picks(void **state)
{
    axl_context *ctx = test_context();
    axl__lisa done, there;

    (void)state;
    assert_ok(axl__lisa_init(&done, ctx, LAYERS, PICKED, EVERY, 11));
    for (uint64_t step = 0; step < 40; step++) {
        assert_ok(axl__lisa_at(&there, &done, step));
        axl__lisa_pick(&done, step);
        axl__lisa_pick(&there, step);
        assert_memory_equal(there.rests, done.rests, sizeof *done.rests * (LAYERS + 1));
        assert_memory_equal(there.steps, done.steps, sizeof *done.steps * (LAYERS + 1));
        axl__lisa_count(&done);
        axl__lisa_free(&there);
    }
    axl__lisa_free(&done);
    axl_context_free(ctx);
}

static void test_lisa__a_far_step_can_be_stopped(void **state)
{
    axl_context *ctx = test_context();
    axl__lisa first, there;
    axl_cancel *cancel;

    (void)state;
    assert_ok(axl_cancel_new(&cancel, ctx));
    assert_ok(axl__lisa_init(&first, ctx, LAYERS, PICKED, EVERY, 11));
    axl_cancel_raise(cancel);
    assert_fails(axl__lisa_at(&there, &first, UINT64_C(1) << 53), AXL_ERR_CANCELLED, "cancelled");
    assert_null(there.order);
    axl__lisa_free(&first);
    axl_cancel_free(cancel);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lisa__a_step_is_reached_by_its_picks),
        cmocka_unit_test(test_lisa__a_far_step_can_be_stopped),
    };

    return test_run(tests);
}
