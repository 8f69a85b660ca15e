/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_adapters.c - several adapters of one model: each call takes one, and what it computes is
 * what that one would give alone, whatever the others are and whoever was asked before.
 */
#include "tiny_model.h"

enum { N = 9, NEW = 12, ADAPTERS = 4 };

static const int32_t prompt[N] = { 5, 90, 300, 11, 620, 8, 77, 401, 3 };

/* Another kind each; values have moved from where they began. */
static axl_adapter *make_adapter(axl_model *model, int kind)
{
    static const char *const some[] = { "q_proj", "down_proj" };
    static const char *const ends[] = { "embed_tokens", "lm_head", "norm" };
    static const uint32_t tokens[] = { 300, 301, 8, 5 };
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    axl_adapter *a;

    o.rank = (uint32_t)(2 + kind);
    o.target_modules = some;
    o.n_target_modules = 2;
    o.use_dora = kind == 1;
    o.modules_to_save = ends;
    o.n_modules_to_save = kind == 2 ? 3 : 0;
    o.trainable_tokens = tokens;
    o.n_trainable_tokens = kind == 3 ? 4 : 0;
    assert_ok(axl_adapter_new(&a, model, &o));
    for (size_t i = 0; i < axl_adapter_count(a); i++) {
        axl_tensor_info t = AXL_TENSOR_INFO_INIT;
        assert_ok(axl_adapter_get_tensor(a, i, &t));
        size_t n = (size_t)(t.rows * t.cols);
        float *values = malloc(n * sizeof *values);
        assert_ok(axl_adapter_read(a, i, values));
        for (size_t k = 0; k < n; k++)
            values[k] +=
                ((float)(tiny_hash((uint32_t)(kind * 7919 + (int)i * 104729) + (uint32_t)k) %
                         2001) -
                 1000.0f) *
                5e-5f;
        assert_ok(axl_adapter_write(a, i, values));
        free(values);
    }
    return a;
}

/* What an adapter gives of the prompt. */
typedef struct {
    float logits[N * TINY_VOCAB];
    int32_t ids[NEW];
    size_t n_ids;
} answer;

static void ask(axl_model *model, const axl_adapter *a, answer *out)
{
    axl_generate_options o = AXL_GENERATE_OPTIONS_INIT;
    axl_buffer ids = AXL_BUFFER_INIT;

    memset(out, 0, sizeof *out);
    assert_ok(axl_model_logits(model, a, prompt, N, out->logits));
    o.greedy = 1;
    o.repetition_penalty = 1.0;
    o.max_new_tokens = NEW;
    assert_ok(axl_generate_ids(model, a, NULL, prompt, N, &o, &ids));
    memcpy(out->ids, ids.data, ids.length);
    out->n_ids = ids.length / sizeof *out->ids;
    axl_buffer_free(&ids);
}

/* The token that the whole text's logits say. */
static int32_t likeliest(axl_model *model, const axl_adapter *a, const int32_t *ids, size_t n)
{
    float *logits = malloc(n * TINY_VOCAB * sizeof *logits), *last = logits + (n - 1) * TINY_VOCAB;
    int32_t best = 0;

    assert_ok(axl_model_logits(model, a, ids, n, logits));
    for (int32_t v = 1; v < TINY_VOCAB; v++)
        if (last[v] > last[best])
            best = v;
    free(logits);
    return best;
}

static void check_continuation(axl_model *model, const axl_adapter *a, const answer *got)
{
    int32_t ids[N + NEW];

    memcpy(ids, prompt, sizeof prompt);
    for (size_t i = 0; i < got->n_ids; i++) {
        assert_int_equal(likeliest(model, a, ids, N + i), got->ids[i]);
        ids[N + i] = got->ids[i];
    }
}

/* Each alone on a model of its own. */
static void ask_alone(axl_context *ctx, uint32_t compute, answer *out)
{
    for (int k = 0; k <= ADAPTERS; k++) {
        axl_model *model = tiny_model(ctx, "cpu", compute);
        axl_adapter *a = k < ADAPTERS ? make_adapter(model, k) : NULL;
        ask(model, a, &out[k]);
        if (compute == AXL_COMPUTE_F32)
            check_continuation(model, a, &out[k]);
        axl_adapter_free(a);
        axl_model_free(model);
    }
    for (int k = 1; k <= ADAPTERS; k++)
        assert_true(tiny_distance(out[k].logits, out[0].logits, N * TINY_VOCAB) > 1e-3);
}

static void test_adapters__take_turns_on_one_model(void **state)
{
    static const uint32_t computes[] = { AXL_COMPUTE_F32, AXL_COMPUTE_BF16 };
    static const int turns[] = { 0, 1, 4, 2, 3, 0, 4, 3, 2, 1, 1, 2, 0 };
    axl_context *ctx = tiny_context(2);
    answer *want = malloc((ADAPTERS + 1) * sizeof *want), *got = malloc(sizeof *got);

    (void)state;
    for (int c = 0; c < 2; c++) {
        axl_model *model = tiny_model(ctx, "cpu", computes[c]);
        axl_adapter *a[ADAPTERS + 1] = { NULL };
        ask_alone(ctx, computes[c], want);
        for (int k = 0; k < ADAPTERS; k++)
            a[k] = make_adapter(model, k);
        for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
            ask(model, a[turns[i]], got);
            assert_memory_equal(got, &want[turns[i]], sizeof *got);
        }
        for (int k = 0; k < ADAPTERS; k++)
            axl_adapter_free(a[k]);
        axl_model_free(model);
    }
    free(want);
    free(got);
    axl_context_free(ctx);
}

/* Others can be asked while one is trained, and do not change with it. */
static void test_adapters__are_asked_while_another_is_trained(void **state)
{
    static const uint32_t lengths[] = { 17, 20 };
    axl_context *ctx = tiny_context(2);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter *trained = make_adapter(model, 2), *other = make_adapter(model, 3);
    tiny_data *data = tiny_batch(lengths, 2, 5);
    answer *before = malloc(sizeof *before), *got = malloc(sizeof *got);
    axl_trainer *tr;

    (void)state;
    ask(model, other, before);
    assert_ok(axl_trainer_new(&tr, model, trained, NULL));
    for (int i = 0; i < 3; i++) {
        assert_ok(axl_trainer_forward_backward(tr, &data->batch, NULL));
        assert_ok(axl_trainer_step(tr, NULL));
        ask(model, other, got);
        assert_memory_equal(got, before, sizeof *got);
    }
    axl_trainer_free(tr);
    axl_adapter_free(trained);
    axl_adapter_free(other);
    axl_model_free(model);
    free(before);
    free(got);
    free(data);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adapters__take_turns_on_one_model),
        cmocka_unit_test(test_adapters__are_asked_while_another_is_trained),
    };

    return test_run(tests);
}
