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

/* ---- families ---- */

static int32_t likeliest(const axl_model *model, const int32_t *ids, size_t n)
{
    axl_model_info info = AXL_MODEL_INFO_INIT;
    int32_t best = 0;

    assert_ok(axl_model_get_info(model, &info));
    float *logits = malloc(n * info.vocab_size * sizeof *logits);
    assert_non_null(logits);
    assert_ok(axl_model_logits(model, NULL, ids, n, logits));
    const float *last = logits + (n - 1) * info.vocab_size;
    for (uint32_t i = 1; i < info.vocab_size; i++)
        if (last[i] > last[best])
            best = (int32_t)i;
    free(logits);
    return best;
}

/* Token by token over the cache of keys and values as over the whole text. */
static void test_generate__goes_on_as_the_whole_text_would(void **state)
{
    static const char *const variants[] = { "llama_biases",
                                            "mistral_window",
                                            "qwen2_bias",
                                            "qwen3",
                                            "qwen3_bias_window_bf16_old",
                                            "gemma",
                                            "gemma2",
                                            "gemma3",
                                            "gemma3_pattern_bf16_old" };
    axl_context *ctx = tiny_context(2);

    (void)state;
    for (size_t v = 0; v < sizeof variants / sizeof variants[0]; v++) {
        char path[200];
        int32_t ids[6 + TOKENS] = { 5, 9, 30, 11, 62, 8 };
        axl_generate_options o = AXL_GENERATE_OPTIONS_INIT;
        axl_model_options mo = AXL_MODEL_OPTIONS_INIT;
        axl_model_info info = AXL_MODEL_INFO_INIT;
        axl_buffer out = AXL_BUFFER_INIT;
        axl_model *model;
        mo.compute = AXL_COMPUTE_F32;
        snprintf(path, sizeof path, "tests/golden/model_variants/%s", variants[v]);
        assert_ok(axl_model_open(&model, ctx, test_source_path(path), &mo));
        assert_ok(axl_model_get_info(model, &info));
        for (int i = 0; i < 6; i++)
            ids[i] %= (int32_t)info.vocab_size;
        o.greedy = 1;
        o.repetition_penalty = 1.0;
        o.max_new_tokens = TOKENS;
        assert_ok(axl_generate_ids(model, NULL, NULL, ids, 6, &o, &out));
        size_t n = out.length / sizeof *ids;
        for (size_t i = 0; i < n; i++) {
            ids[6 + i] = ((const int32_t *)out.data)[i];
            assert_int_equal(ids[6 + i], likeliest(model, ids, 6 + i));
        }
        axl_buffer_free(&out);
        axl_model_free(model);
    }
    axl_context_free(ctx);
}

/* ---- ids, stop strings and how it ended ---- */

typedef struct {
    axl_context *ctx;
    axl_model *model;
    axl_tokenizer *tok;
    axl_generate_options o;
    axl_generation how;
} rig;

static void rig_make(rig *r)
{
    *r =
        (rig){ .ctx = tiny_context(1), .o = AXL_GENERATE_OPTIONS_INIT, .how = AXL_GENERATION_INIT };
    r->model = tiny_model(r->ctx, "cpu", AXL_COMPUTE_F32);
    assert_ok(axl_tokenizer_open(&r->tok, r->ctx, test_source_path("examples/tiny-llama"), NULL));
    r->o.greedy = 1;
    r->o.max_new_tokens = 40;
    r->o.result = &r->how;
}

static void rig_free(rig *r)
{
    axl_tokenizer_free(r->tok);
    axl_model_free(r->model);
    axl_context_free(r->ctx);
}

static void generate_text(rig *r, axl_buffer *out)
{
    assert_ok(axl_generate(r->model, NULL, r->tok, "Once upon a time", 16, &r->o, out));
}

static int on_piece(void *user, const char *text, size_t length)
{
    strncat(user, text, length);
    return 0;
}

static void test_generate__goes_from_ids_to_ids(void **state)
{
    axl_buffer text = AXL_BUFFER_INIT, prompt = AXL_BUFFER_INIT, ids = AXL_BUFFER_INIT;
    axl_buffer same = AXL_BUFFER_INIT;
    rig r;

    (void)state;
    rig_make(&r);
    generate_text(&r, &text);
    assert_int_equal(r.how.finish, AXL_FINISH_LENGTH);
    assert_int_equal(r.how.n_new, 40);
    assert_ok(axl_tokenizer_encode(r.tok, "Once upon a time", 16, 0, &prompt));
    assert_int_equal(r.how.n_prompt, prompt.length / 4);
    r.how = (axl_generation)AXL_GENERATION_INIT;
    assert_ok(axl_generate_ids(r.model, NULL, NULL, prompt.data, prompt.length / 4, &r.o, &ids));
    assert_int_equal(ids.length, 40 * 4);
    assert_int_equal(r.how.n_new, 40);
    size_t n = prompt.length / 4;
    int32_t all[64];
    memcpy(all, prompt.data, prompt.length);
    memcpy(all + n, ids.data, ids.length);
    assert_ok(axl_tokenizer_decode(r.tok, all, n + 40, AXL_DECODE_SKIP_SPECIAL, &same));
    assert_string_equal((char *)same.data + 16, text.data);
    const int32_t outside = 1 << 20;
    assert_fails(axl_generate_ids(r.model, NULL, NULL, &outside, 1, &r.o, NULL), AXL_ERR_INVALID,
                 "outside");
    assert_fails(axl_generate_ids(r.model, NULL, NULL, NULL, 0, &r.o, NULL), AXL_ERR_INVALID,
                 "no tokenizer");
    axl_buffer_free(&text);
    axl_buffer_free(&prompt);
    axl_buffer_free(&ids);
    axl_buffer_free(&same);
    rig_free(&r);
}

/* Wherever a stop string lies, across pieces or not, the text ends right before it, and neither
 * it nor a part of it was told. */
static void test_generate__ends_before_a_stop_string(void **state)
{
    axl_buffer whole = AXL_BUFFER_INIT, text = AXL_BUFFER_INIT;
    rig r;

    (void)state;
    rig_make(&r);
    generate_text(&r, &whole);
    r.o.text = on_piece;
    for (size_t at = 1; at + 7 < whole.length; at += 3) {
        char stop[8] = { 0 }, told[512] = { 0 };
        memcpy(stop, (char *)whole.data + at, 7);
        const char *const stops[] = { "never comes \xE2\x82\xAC", stop };
        const char *found = strstr(whole.data, stop);
        r.o.stop = stops;
        r.o.n_stop = 2;
        r.o.text_user = told;
        generate_text(&r, &text);
        assert_int_equal(r.how.finish, AXL_FINISH_STOP);
        assert_int_equal(text.length, found - (char *)whole.data);
        assert_memory_equal(text.data, whole.data, text.length);
        assert_string_equal(told, text.data);
    }
    char half[16] = { 0 }, told[512] = { 0 }; /* held back to the end, and then said */
    memcpy(half, (char *)whole.data + whole.length - 3, 3);
    strcat(half, "#");
    r.o.stop = &(const char *const){ half };
    r.o.n_stop = 1;
    r.o.text_user = told;
    generate_text(&r, &text);
    assert_int_equal(r.how.finish, AXL_FINISH_LENGTH);
    assert_string_equal(text.data, whole.data);
    assert_string_equal(told, whole.data);
    axl_buffer_free(&whole);
    axl_buffer_free(&text);
    rig_free(&r);
}

static void test_generate__refuses_wrong_stop_strings(void **state)
{
    rig r;

    (void)state;
    rig_make(&r);
    static const char *const wrong[] = { "", "\xC3" };
    for (int i = 0; i < 2; i++) {
        r.o.stop = &wrong[i];
        r.o.n_stop = 1;
        assert_fails(axl_generate(r.model, NULL, r.tok, "a", 1, &r.o, NULL), AXL_ERR_INVALID,
                     "stop string 0");
    }
    static const char *const right[] = { "." };
    r.o.stop = right;
    const int32_t id = 5;
    assert_fails(axl_generate_ids(r.model, NULL, NULL, &id, 1, &r.o, NULL), AXL_ERR_INVALID,
                 "needs a tokenizer");
    rig_free(&r);
}

/* The model's EOS comes after a while. */
static void test_generate__says_that_the_model_ended_it(void **state)
{
    axl_buffer ids = AXL_BUFFER_INIT;
    rig r;

    (void)state;
    rig_make(&r);
    r.o.max_new_tokens = 500;
    r.o.greedy = 0;
    r.o.temperature = 0.7;
    for (r.o.seed = 0; r.o.seed < 20 && r.how.finish != AXL_FINISH_EOS; r.o.seed++)
        assert_ok(axl_generate_ids(r.model, NULL, r.tok, NULL, 0, &r.o, &ids));
    assert_int_equal(r.how.finish, AXL_FINISH_EOS);
    assert_int_equal(r.how.n_prompt, 1);
    assert_int_equal(r.how.n_new * 4, ids.length);
    for (size_t i = 0; i < r.how.n_new; i++)
        assert_int_not_equal(((int32_t *)ids.data)[i], axl_tokenizer_eos(r.tok));
    axl_buffer_free(&ids);
    rig_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generate__can_be_watched_and_stopped),
        cmocka_unit_test(test_generate__a_raised_cancel_ends_it),
        cmocka_unit_test(test_generate__goes_on_as_the_whole_text_would),
        cmocka_unit_test(test_generate__goes_from_ids_to_ids),
        cmocka_unit_test(test_generate__ends_before_a_stop_string),
        cmocka_unit_test(test_generate__refuses_wrong_stop_strings),
        cmocka_unit_test(test_generate__says_that_the_model_ended_it),
    };

    return test_run(tests);
}
