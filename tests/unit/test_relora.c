/* SPDX-License-Identifier: Apache-2.0 */
/* test_relora.c - a trainer's restarts: when they come, what they prune, and that the function of
 * the model goes on through them. */
#include "tiny_model.h"

#include "train/relora.h"

static const uint32_t lengths[] = { 24, 31 };

static axl_trainer *make_trainer(axl_model *model, uint32_t prune, double ratio, axl_adapter **a)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;

    o.learning_rate = 1e-2;
    o.relora_steps = 2;
    o.relora_prune = prune;
    o.relora_prune_ratio = ratio;
    return tiny_trainer(model, &o, 0.0, a);
}

static void step(axl_trainer *tr, const tiny_data *d)
{
    assert_ok(axl_trainer_forward_backward(tr, &d->batch, NULL));
    assert_ok(axl_trainer_step(tr, NULL));
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* The smallest |x| that torch.quantile(|x|, ratio) leaves, by sorting. */
static float limit_of(const float *x, int64_t n, double ratio)
{
    float *sorted = calloc((size_t)n, sizeof *sorted);
    double at = ratio * (double)(n - 1);
    int64_t k = (int64_t)at;

    for (int64_t i = 0; i < n; i++)
        sorted[i] = fabsf(x[i]);
    qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    double next = (double)sorted[k + 1 < n ? k + 1 : k], low = (double)sorted[k];
    free(sorted);
    return (float)(low + (at - (double)k) * (next - low));
}

/* m and v of a tensor, before and after. */
static void check_tensor(const float *m, const float *v, const float *new_m, const float *new_v,
                         int64_t n, uint32_t prune, double ratio)
{
    float m_limit = limit_of(m, n, ratio), v_limit = limit_of(v, n, ratio);

    for (int64_t k = 0; k < n; k++) {
        bool v_stays = v[k] > v_limit, m_stays = v_stays && fabsf(m[k]) > m_limit;
        if (prune == AXL_PRUNE_RANDOM)
            m_stays = v_stays = new_v[k] != 0.0f;
        assert_true(new_v[k] == (v_stays ? v[k] : 0.0f));
        assert_true(new_m[k] == (m_stays ? m[k] : 0.0f));
    }
}

static void check_pruning(uint32_t prune, double ratio)
{
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    tiny_data *d = tiny_batch(lengths, 2, 3);
    axl_adapter *a;
    axl_trainer *tr = make_trainer(model, prune, ratio, &a);
    int64_t zeros = 0, all = 0;

    step(tr, d);
    step(tr, d);
    size_t bytes = (size_t)a->n_params * sizeof(float);
    float *m = malloc(bytes), *v = malloc(bytes), *now_m, *now_v;
    for (size_t i = 0; i < a->n_tensors; i++) {
        const axl__param *t = &a->tensors[i];
        assert_true(axl__optimizer_moments(tr->optimizer, t->at, &now_m, &now_v));
        memcpy(m + t->at, now_m, (size_t)(t->rows * t->cols) * sizeof *m);
        memcpy(v + t->at, now_v, (size_t)(t->rows * t->cols) * sizeof *v);
    }
    assert_int_equal(axl__relora_restarts(tr), 0);
    assert_ok(axl_trainer_forward_backward(tr, &d->batch, NULL));
    assert_int_equal(axl__relora_restarts(tr), 1);
    for (size_t i = 0; i < a->n_tensors; i++) {
        const axl__param *t = &a->tensors[i];
        int64_t n = t->rows * t->cols;
        assert_true(axl__optimizer_moments(tr->optimizer, t->at, &now_m, &now_v));
        check_tensor(m + t->at, v + t->at, now_m, now_v, n, prune, ratio);
        for (int64_t k = 0; k < n; k++)
            zeros += now_v[k] == 0.0f;
        all += n;
    }
    assert_true(fabs((double)zeros / (double)all - ratio) < 0.01);
    free(m);
    free(v);
    axl_trainer_free(tr);
    axl_adapter_free(a);
    axl_model_free(model);
    axl_context_free(ctx);
    free(d);
}

static void test_relora__prunes_small_or_random_moments(void **state)
{
    (void)state;
    check_pruning(AXL_PRUNE_MAGNITUDE, 0.9);
    check_pruning(AXL_PRUNE_MAGNITUDE, 0.25);
    check_pruning(AXL_PRUNE_RANDOM, 0.9);
}

/* Restarts after steps 2 and 4, not at the end; the loss that follows is that of before. */
static void test_relora__goes_on_with_the_same_function(void **state)
{
    axl_context *ctx = tiny_context(2);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    tiny_data *d = tiny_batch(lengths, 2, 3);
    axl_adapter *a;
    axl_trainer *tr = make_trainer(model, AXL_PRUNE_MAGNITUDE, 0.9, &a);
    double before, after;

    (void)state;
    for (uint64_t k = 1; k <= 5; k++) {
        assert_ok(axl_trainer_evaluate(tr, &d->batch, &before));
        assert_ok(axl_trainer_forward_backward(tr, &d->batch, NULL));
        assert_ok(axl_trainer_evaluate(tr, &d->batch, &after));
        assert_true(fabs(after - before) < 1e-5 * before);
        assert_int_equal(axl__relora_restarts(tr), (k - 1) / 2);
        assert_ok(axl_trainer_step(tr, NULL));
    }
    assert_int_equal(a->frozen->opts.rank, 2 * a->opts.rank);
    axl_trainer_free(tr);
    axl_adapter_free(a);
    axl_model_free(model);
    axl_context_free(ctx);
    free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relora__prunes_small_or_random_moments),
        cmocka_unit_test(test_relora__goes_on_with_the_same_function),
    };

    return test_run(tests);
}
