/* SPDX-License-Identifier: Apache-2.0 */
/* test_magic.c - a handle is never taken for one of another kind. */
#include "tiny_model.h"

#include "base/magic.h"

#define NUMBER(handle, number) (number),
static const uint32_t magics[] = { AXL__MAGICS(NUMBER) };

static void test_magic__all_differ(void **state)
{
    const size_t n = sizeof magics / sizeof magics[0];

    (void)state;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            assert_true(magics[i] != 0 && (i == k || magics[i] != magics[k]));
}

/* Each handle begins with its number. */
static void test_magic__a_handle_passed_as_another_is_refused(void **state)
{
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_buffer out = AXL_BUFFER_INIT;
    axl_adapter *adapter;
    axl_tokenizer *tok;
    axl_trainer *tr = tiny_trainer(model, NULL, 0.0, &adapter);
    void *as_tokenizer = tr, *as_context = model, *as_adapter = ctx;

    (void)state;
    assert_ok(axl_tokenizer_open(&tok, ctx, test_source_path("examples/tiny-llama"), NULL));
    void *as_trainer = tok;
    assert_fails(axl_tokenizer_encode(as_tokenizer, "a", 1, 0, &out), AXL_ERR_INVALID,
                 "not a live axl_tokenizer");
    assert_fails(axl_trainer_step(as_trainer, NULL), AXL_ERR_INVALID, "not a live axl_trainer");
    assert_fails(axl_describe(as_context, 0, &out), AXL_ERR_INVALID, "not a live axl_context");
    assert_fails(axl_adapter_save(as_adapter, "x"), AXL_ERR_INVALID, "not a live axl_adapter");
    axl_tokenizer_free(as_tokenizer); /* and nothing is released */
    axl_trainer_free(as_trainer);
    assert_int_equal(axl_trainer_steps(tr), 0);
    axl_tokenizer_free(tok);
    axl_trainer_free(tr);
    axl_adapter_free(adapter);
    axl_model_free(model);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_magic__all_differ),
        cmocka_unit_test(test_magic__a_handle_passed_as_another_is_refused),
    };
    return test_run(tests);
}
