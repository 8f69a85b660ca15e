/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_objective.c - the two phases of the head: weights of single labels, and an objective that
 * looks at the losses of whole sequences before gradients begin.
 */
#include "tiny_model.h"

#include "model/network.h"

enum { N_SEQS = 3 };

static const uint32_t lengths[N_SEQS] = { 23, 2, 17 };

typedef struct {
    axl_context *ctx;
    axl_model *model;
    axl_adapter *adapter;
    axl__network net;
    tiny_data *data;
    float *grads; /* (n_params) host memory of the CPU's device */
} rig;

static void rig_make(rig *r)
{
    r->ctx = tiny_context(2);
    r->model = tiny_model(r->ctx, "cpu", AXL_COMPUTE_F32);
    r->adapter = tiny_adapter(r->model, 0.0);
    r->data = tiny_batch(lengths, N_SEQS, 5);
    r->grads = calloc((size_t)r->adapter->n_params, sizeof *r->grads);
    assert_ok(axl__network_init(&r->net, r->model, r->adapter, false));
}

static void rig_free(rig *r)
{
    axl__network_free(&r->net);
    axl_adapter_free(r->adapter);
    axl_model_free(r->model);
    axl_context_free(r->ctx);
    free(r->data);
    free(r->grads);
}

/* The loss of the batch; its gradients are copied into grads, for free(), unless that is NULL. */
static double run(rig *r, const axl__objective *objective, const float *weights, float **grads)
{
    size_t bytes = (size_t)r->adapter->n_params * sizeof **grads;
    axl__wish wish = { .grads = grads ? r->grads : NULL, .scale = 1.0, .objective = objective };
    axl_batch b = r->data->batch;
    double loss;

    b.weights = weights;
    memset(r->grads, 0, bytes);
    assert_ok(axl__network_loss(&r->net, &b, &wish, &loss));
    if (grads) {
        *grads = malloc(bytes);
        memcpy(*grads, r->grads, bytes);
    }
    return loss;
}

/* ---- objectives ---- */

static axl_status plain_sum(void *user, const axl_batch *b, const float *losses, int64_t n,
                            float *scales, double *value)
{
    (void)user;
    (void)b;
    *value = 0.0;
    for (int64_t i = 0; i < n; i++) {
        scales[i] = 1.0f;
        *value += (double)losses[i];
    }
    return AXL_OK;
}

/* Half the sum of the squares of the sequences' losses: the derivative of each label's loss is the
 * loss of its sequence. */
static axl_status half_squares(void *user, const axl_batch *b, const float *losses, int64_t n,
                               float *scales, double *value)
{
    double *sums = user;
    int64_t at = 0;

    *value = 0.0;
    for (uint32_t s = 0; s < b->n_seqs; s++) {
        int64_t first = at;
        sums[s] = 0.0;
        for (int32_t t = b->cu_seqlens[s] + 1; t < b->cu_seqlens[s + 1]; t++)
            if (b->labels[t] != AXL_LABEL_IGNORE)
                sums[s] += (double)losses[at++];
        for (int64_t i = first; i < at; i++)
            scales[i] = (float)sums[s];
        *value += 0.5 * sums[s] * sums[s];
    }
    return at == n ? AXL_OK : AXL_ERR_INTERNAL;
}

static axl_status refuses_itself(void *user, const axl_batch *b, const float *losses, int64_t n,
                                 float *scales, double *value)
{
    (void)user, (void)b, (void)losses, (void)n, (void)scales, (void)value;
    return axl__fail(AXL_ERR_NUMERIC, "no objective today");
}

/* ---- cases ---- */

static void test_objective__the_sum_has_the_bits_of_one_phase(void **state)
{
    const axl__objective sum = { plain_sum, NULL };
    float *one, *two;
    rig r;

    (void)state;
    rig_make(&r);
    assert_true(run(&r, NULL, NULL, &one) == run(&r, &sum, NULL, &two));
    assert_memory_equal(one, two, (size_t)r.adapter->n_params * sizeof *one);
    assert_true(run(&r, &sum, NULL, NULL) == run(&r, NULL, NULL, NULL));
    free(one);
    free(two);
    rig_free(&r);
}

/* Weighting each label by the loss of its sequence is the same derivative, made in one phase. */
static void test_objective__sees_whole_sequences(void **state)
{
    double sums[N_SEQS];
    const axl__objective squares = { half_squares, sums };
    float weights[64], *seen, *weighted;
    rig r;

    (void)state;
    rig_make(&r);
    double value = run(&r, &squares, NULL, &seen), expected = 0.0, weighted_sum = 0.0;
    for (uint32_t s = 0; s < N_SEQS; s++) {
        expected += 0.5 * sums[s] * sums[s];
        weighted_sum += (double)(float)sums[s] * sums[s];
        for (int32_t t = r.data->cu[s]; t < r.data->cu[s + 1]; t++)
            weights[t] = (float)sums[s];
    }
    assert_true(value == expected);
    double loss = run(&r, NULL, weights, &weighted);
    assert_true(fabs(loss - weighted_sum) < 1e-6 * weighted_sum);
    assert_memory_equal(seen, weighted, (size_t)r.adapter->n_params * sizeof *seen);
    free(seen);
    free(weighted);
    rig_free(&r);
}

/* The derivative itself, by a step along it: the first-order change of the value is that of the
 * gradient's square. */
static void test_objective__its_gradient_is_its_derivative(void **state)
{
    double sums[N_SEQS], square = 0.0;
    const axl__objective squares = { half_squares, sums };
    float *grads;
    rig r;

    (void)state;
    rig_make(&r);
    (void)run(&r, &squares, NULL, &grads);
    for (int64_t i = 0; i < r.adapter->n_params; i++)
        square += (double)grads[i] * grads[i];
    double step = 1e-3 / sqrt(square), value[2];
    for (int side = 0; side < 2; side++) {
        for (int64_t i = 0; i < r.adapter->n_params; i++)
            r.adapter->params[i] += (float)((side ? -2.0 : 1.0) * step * grads[i]);
        value[side] = run(&r, &squares, NULL, NULL);
    }
    assert_true(fabs((value[0] - value[1]) / (2.0 * step) - square) < 1e-3 * square);
    free(grads);
    rig_free(&r);
}

static void test_objective__its_error_ends_the_pass(void **state)
{
    const axl__objective refuses = { refuses_itself, NULL };
    axl__wish wish = { .scale = 1.0, .objective = &refuses };
    double loss;
    rig r;

    (void)state;
    rig_make(&r);
    wish.grads = r.grads;
    assert_fails(axl__network_loss(&r.net, &r.data->batch, &wish, &loss), AXL_ERR_NUMERIC,
                 "no objective today");
    rig_free(&r);
}

/* A weight of 0 is a label that is not trained, and of 2 one that counts twice. */
static void test_objective__weights_scale_single_labels(void **state)
{
    float weights[64], *weighted, *by_labels;
    rig r;

    (void)state;
    rig_make(&r);
    for (uint32_t t = 0; t < r.data->batch.n_tokens; t++)
        weights[t] = t % 3 == 0 ? 0.0f : 2.0f;
    double loss = run(&r, NULL, weights, &weighted);
    for (uint32_t t = 0; t < r.data->batch.n_tokens; t++)
        if (t % 3 == 0)
            r.data->labels[t] = AXL_LABEL_IGNORE;
    double half = run(&r, NULL, NULL, &by_labels);
    assert_true(fabs(loss - 2.0 * half) < 1e-6 * loss);
    for (int64_t i = 0; i < r.adapter->n_params; i++)
        by_labels[i] *= 2.0f;
    assert_true(tiny_distance(weighted, by_labels, (size_t)r.adapter->n_params) < 1e-5);
    free(weighted);
    free(by_labels);
    rig_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objective__the_sum_has_the_bits_of_one_phase),
        cmocka_unit_test(test_objective__sees_whole_sequences),
        cmocka_unit_test(test_objective__its_gradient_is_its_derivative),
        cmocka_unit_test(test_objective__its_error_ends_the_pass),
        cmocka_unit_test(test_objective__weights_scale_single_labels),
    };

    return test_run(tests);
}
