/* SPDX-License-Identifier: Apache-2.0 */
/* test_generate.c - a generation can be watched and stopped, and gives the same text every time. */
#include "tiny_model.h"

#include <unistd.h>

enum { TOKENS = 12 };

typedef struct {
    uint64_t last, total, stop_at; /* done, as reported; where the callback stops it */
    int calls;
} watcher;

static int on_progress(void *user, const axl_progress *p)
{
    watcher *w = user;

    if (strcmp(p->phase, "generate") != 0)
        return 0;
    assert_true(p->done >= w->last && p->done <= p->total);
    assert_true(w->calls == 0 || p->total == w->total);
    w->last = p->done;
    w->total = p->total;
    w->calls++;
    return w->stop_at > 0 && p->done + 1 >= w->stop_at;
}

static int on_text(void *user, const char *text, size_t length)
{
    int *n = user;

    (void)text;
    (void)length;
    return ++*n == 3;
}

static void test_generate__can_be_watched_and_stopped(void **state)
{
    axl_context_options co = AXL_CONTEXT_OPTIONS_INIT;
    axl_generate_options o = AXL_GENERATE_OPTIONS_INIT;
    axl_buffer text = AXL_BUFFER_INIT, again = AXL_BUFFER_INIT;
    watcher w = { .calls = 0 };
    int texts = 0;
    axl_context *ctx;
    axl_tokenizer *tok;
    axl_model *model;

    (void)state;
    co.isa = test_isa();
    co.progress = on_progress;
    co.progress_user = &w;
    assert_ok(axl_context_new(&ctx, &co));
    model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    assert_ok(axl_tokenizer_open(&tok, ctx, test_source_path("examples/tiny-llama"), NULL));
    o.max_new_tokens = TOKENS;
    assert_ok(axl_generate(model, NULL, tok, "Once", 4, &o, &text));
    assert_true(text.length > 0);
    w = (watcher){ .stop_at = 1 };
    usleep(150000); /* progress comes at most ten times a second */
    assert_fails(axl_generate(model, NULL, tok, "Once", 4, &o, NULL), AXL_ERR_CANCELLED,
                 "progress callback");
    assert_int_equal(w.calls, 1);
    assert_int_equal(w.total, TOKENS); /* in tokens, whatever the layers */
    w = (watcher){ .calls = 0 };
    o.text = on_text;
    o.text_user = &texts;
    assert_fails(axl_generate(model, NULL, tok, "Once", 4, &o, NULL), AXL_ERR_CANCELLED,
                 "text callback");
    o.text = NULL;
    w = (watcher){ .calls = 0 };
    assert_ok(axl_generate(model, NULL, tok, "Once", 4, &o, &again));
    assert_int_equal(again.length, text.length);
    assert_memory_equal(again.data, text.data, text.length);
    axl_buffer_free(&text);
    axl_buffer_free(&again);
    axl_tokenizer_free(tok);
    axl_model_free(model);
    axl_context_free(ctx);
}

static void test_generate__a_raised_cancel_ends_it(void **state)
{
    axl_context *ctx = tiny_context(2);
    axl_generate_options o = AXL_GENERATE_OPTIONS_INIT;
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_tokenizer *tok;
    axl_cancel *cancel;

    (void)state;
    assert_ok(axl_tokenizer_open(&tok, ctx, test_source_path("examples/tiny-llama"), NULL));
    assert_ok(axl_cancel_new(&cancel, ctx));
    axl_cancel_raise(cancel);
    o.max_new_tokens = TOKENS;
    assert_fails(axl_generate(model, NULL, tok, "Once", 4, &o, NULL), AXL_ERR_CANCELLED,
                 "cancelled");
    axl_cancel_clear(cancel);
    assert_ok(axl_generate(model, NULL, tok, "Once", 4, &o, NULL));
    axl_cancel_free(cancel);
    axl_tokenizer_free(tok);
    axl_model_free(model);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generate__can_be_watched_and_stopped),
        cmocka_unit_test(test_generate__a_raised_cancel_ends_it),
    };

    return test_run(tests);
}
