/* SPDX-License-Identifier: Apache-2.0 */
/* test_relora.c - a trainer's restarts: when they come, what they prune, and that the function of
 * the model goes on through them. */
#include "tiny_model.h"

#include "train/relora.h"

static const uint32_t lengths[] = { 24, 31 };

/* Of an optimizer, NULL for AdamW, and pairs of a rank: from 64 on they have 4,096 elements, of
 * which 8-bit optimizers keep 8 bits. */
typedef struct setting {
    const char *optimizer;
    int64_t rank;
    uint32_t prune;
    double ratio;
} setting;

static axl_trainer *make_trainer(axl_model *model, const setting *s, axl_adapter **a)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_optimizer_options oo = AXL_OPTIMIZER_OPTIONS_INIT;
    axl_adapter_options ao = AXL_ADAPTER_OPTIONS_INIT;
    axl_trainer *tr;

    ao.rank = (uint32_t)s->rank;
    oo.name = s->optimizer;
    o.optimizer = &oo;
    o.learning_rate = 1e-2;
    o.relora_steps = 2;
    o.relora_prune = s->prune;
    o.relora_prune_ratio = s->ratio;
    assert_ok(axl_adapter_new(a, model, &ao));
    assert_ok(axl_trainer_new(&tr, model, *a, &o));
    return tr;
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
                         int64_t n, const setting *s)
{
    float m_limit = limit_of(m, n, s->ratio), v_limit = limit_of(v, n, s->ratio);

    for (int64_t k = 0; k < n; k++) {
        bool v_stays = v[k] > v_limit, m_stays = v_stays && fabsf(m[k]) > m_limit;
        if (s->prune == AXL_PRUNE_RANDOM)
            m_stays = v_stays = new_v[k] != 0.0f;
        assert_true(new_v[k] == (v_stays ? v[k] : 0.0f));
        assert_true(new_m[k] == (m_stays ? m[k] : 0.0f));
    }
}

/* Both moments of all tensors, laid out as the parameters: (2, n_params), for free(). */
static float *moments_of(axl_trainer *tr, const axl_adapter *a)
{
    float *m = calloc(2 * (size_t)a->n_params, sizeof *m), *v = m + a->n_params;

    assert_non_null(m);
    for (size_t i = 0; i < a->n_tensors; i++) {
        int64_t at = a->tensors[i].at;
        assert_ok(axl__optimizer_read_moments(tr->optimizer, at, m + at, v + at));
    }
    return m;
}

static int64_t count_zeros(const float *x, int64_t n)
{
    int64_t zeros = 0;

    for (int64_t k = 0; k < n; k++)
        zeros += x[k] == 0.0f;
    return zeros;
}

/* tolerance: of the share that becomes 0, which is larger where few bits make elements equal. */
static void check_pruning(const setting *s, double tolerance)
{
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    tiny_data *d = tiny_batch(lengths, 2, 3);
    axl_adapter *a;
    axl_trainer *tr = make_trainer(model, s, &a);
    int64_t zeros = 0, all = 0, N = a->n_params;

    step(tr, d);
    step(tr, d);
    float *m = moments_of(tr, a);
    assert_int_equal(axl__relora_restarts(tr), 0);
    assert_ok(axl_trainer_forward_backward(tr, &d->batch, NULL));
    assert_int_equal(axl__relora_restarts(tr), 1);
    float *now = moments_of(tr, a);
    for (size_t i = 0; i < a->n_tensors; i++) {
        const axl__param *t = &a->tensors[i];
        int64_t n = t->rows * t->cols;
        check_tensor(m + t->at, m + N + t->at, now + t->at, now + N + t->at, n, s);
        zeros += count_zeros(now + N + t->at, n);
        all += n;
    }
    assert_true(fabs((double)zeros / (double)all - s->ratio) < tolerance);
    free(m);
    free(now);
    step(tr, d); /* and it goes on */
    axl_trainer_free(tr);
    axl_adapter_free(a);
    axl_model_free(model);
    axl_context_free(ctx);
    free(d);
}

static void test_relora__prunes_small_or_random_moments(void **state)
{
    (void)state;
    check_pruning(&(setting){ NULL, 4, AXL_PRUNE_MAGNITUDE, 0.9 }, 0.01);
    check_pruning(&(setting){ NULL, 4, AXL_PRUNE_MAGNITUDE, 0.25 }, 0.01);
    check_pruning(&(setting){ NULL, 4, AXL_PRUNE_RANDOM, 0.9 }, 0.01);
    check_pruning(&(setting){ "optimi_adamw", 4, AXL_PRUNE_MAGNITUDE, 0.9 }, 0.01);
}

static void test_relora__prunes_moments_of_8_bits(void **state)
{
    (void)state;
    check_pruning(&(setting){ "adamw_bnb_8bit", 64, AXL_PRUNE_MAGNITUDE, 0.9 }, 0.1);
    check_pruning(&(setting){ "adamw_torch_8bit", 64, AXL_PRUNE_MAGNITUDE, 0.9 }, 0.1);
    check_pruning(&(setting){ "adamw_bnb_8bit", 64, AXL_PRUNE_RANDOM, 0.9 }, 0.1);
    check_pruning(&(setting){ "adamw_bnb_8bit", 4, AXL_PRUNE_MAGNITUDE, 0.9 }, 0.01);
}

/* Restarts after steps 2 and 4, not at the end; the loss that follows is that of before. */
static void test_relora__goes_on_with_the_same_function(void **state)
{
    axl_context *ctx = tiny_context(2);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    tiny_data *d = tiny_batch(lengths, 2, 3);
    axl_adapter *a;
    axl_trainer *tr = make_trainer(model, &(setting){ NULL, 4, AXL_PRUNE_MAGNITUDE, 0.9 }, &a);
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
        cmocka_unit_test(test_relora__prunes_moments_of_8_bits),
        cmocka_unit_test(test_relora__goes_on_with_the_same_function),
    };

    return test_run(tests);
}
