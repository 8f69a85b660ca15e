/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_trainer.c - the training step on the tiny model: packing and accumulation change nothing,
 * a call is done wholly or not at all, checkpoints, gradients, wrong use.  Cancelling is in
 * test_cancel.c.
 */
#include "tiny_model.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_SEQS = 8 };
static const uint32_t lengths[N_SEQS] = { 40, 5, 7, 64, 9, 33, 12, 90 };

/* What most tests need. */
typedef struct {
    axl_context *ctx;
    axl_model *model;
    axl_adapter *adapter;
    axl_trainer *tr;
} fixture;

static fixture setup(const axl_trainer_options *opts, double dropout)
{
    fixture f;

    f.ctx = tiny_context(2);
    f.model = tiny_model(f.ctx, "cpu", AXL_COMPUTE_F32);
    f.tr = tiny_trainer(f.model, opts, dropout, &f.adapter);
    return f;
}

static void teardown(fixture *f)
{
    axl_trainer_free(f->tr);
    axl_adapter_free(f->adapter);
    axl_model_free(f->model);
    axl_context_free(f->ctx);
}

/* The step's loss. */
static double train(axl_trainer *tr, const axl_batch *b)
{
    axl_step_stats s = AXL_STEP_STATS_INIT;

    assert_ok(axl_trainer_forward_backward(tr, b, NULL));
    assert_ok(axl_trainer_step(tr, &s));
    return s.loss;
}

static uint32_t trained(const axl_batch *b)
{
    uint32_t n = 0;

    for (uint32_t s = 0; s < b->n_seqs; s++)
        for (int32_t t = b->cu_seqlens[s] + 1; t < b->cu_seqlens[s + 1]; t++)
            n += b->labels[t] != AXL_LABEL_IGNORE;
    return n;
}

/* ---- packing and accumulation ---- */

/* One sample's loss and gradient in a packed batch, where it alone is trained, and on its own. */
static double check_sample(axl_model *model, const tiny_data *packed, uint32_t s)
{
    axl_adapter *a, *b;
    axl_trainer *in_pack = tiny_trainer(model, NULL, 0.0, &a);
    axl_trainer *alone = tiny_trainer(model, NULL, 0.0, &b);
    tiny_data *others_masked = malloc(sizeof *others_masked), *one = tiny_alone(packed, s);
    double x = -1.0, y = -1.0, worst = 0.0;

    *others_masked = *packed;
    others_masked->batch.input_ids = others_masked->ids;
    others_masked->batch.labels = others_masked->labels;
    others_masked->batch.cu_seqlens = others_masked->cu;
    for (int32_t t = 0; t < packed->cu[packed->batch.n_seqs]; t++)
        if (t < packed->cu[s] || t >= packed->cu[s + 1])
            others_masked->labels[t] = AXL_LABEL_IGNORE;
    assert_ok(axl_trainer_forward_backward(in_pack, &others_masked->batch, &x));
    assert_ok(axl_trainer_forward_backward(alone, &one->batch, &y));
    if (trained(&one->batch) == 0) {
        assert_true(x == 0.0 && y == 0.0);
    } else {
        assert_true(fabs(x - y) <= 1e-6 * y);
        worst = tiny_compare(a, in_pack, b, alone, 1e-6);
    }
    free(others_masked);
    free(one);
    axl_trainer_free(in_pack);
    axl_trainer_free(alone);
    axl_adapter_free(a);
    axl_adapter_free(b);
    return worst;
}

static void test_trainer__a_sample_does_not_see_its_neighbours(void **state)
{
    axl_context *ctx = tiny_context(2);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    static const uint32_t with_short_ones[] = { 40, 1, 7, 64, 3, 33, 2, 90 };
    tiny_data *packed = tiny_batch(with_short_ones, N_SEQS, 1);
    double worst = 0.0;

    (void)state;
    for (uint32_t s = 0; s < N_SEQS; s++)
        worst = fmax(worst, check_sample(model, packed, s));
    print_message("gradients of a sample, packed and alone: at most %.2g apart\n", worst);
    free(packed);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* Steps of eight samples at once, and one by one. */
static void check_accumulation(uint32_t checkpointing)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_adapter *a, *b;
    double gradients = 0.0;

    o.learning_rate = 1e-3;
    o.gradient_accumulation_steps = 8;
    o.checkpointing = checkpointing;
    axl_context *ctx = tiny_context(2);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_trainer *whole = tiny_trainer(model, NULL, 0.0, &a);
    axl_trainer *parts = tiny_trainer(model, &o, 0.0, &b);
    assert_ok(axl_trainer_set_learning_rate(whole, o.learning_rate));
    for (uint32_t step = 0; step < 2; step++) {
        axl_step_stats x = AXL_STEP_STATS_INIT, y = AXL_STEP_STATS_INIT;
        tiny_data *d = tiny_batch(lengths, N_SEQS, 2 + step);
        assert_ok(axl_trainer_forward_backward(whole, &d->batch, NULL));
        for (uint32_t s = 0; s < N_SEQS; s++) {
            tiny_data *one = tiny_alone(d, s);
            assert_false(axl_trainer_ready(parts));
            assert_ok(axl_trainer_forward_backward(parts, &one->batch, NULL));
            free(one);
        }
        assert_true(axl_trainer_ready(parts));
        gradients = fmax(gradients, tiny_compare(a, whole, b, parts, 1e-6));
        assert_ok(axl_trainer_step(whole, &x));
        assert_ok(axl_trainer_step(parts, &y));
        assert_true(fabs(x.loss - y.loss) <= 1e-6 * x.loss);
        assert_true(fabs(x.grad_norm - y.grad_norm) <= 1e-6 * x.grad_norm);
        assert_int_equal(x.n_trained, trained(&d->batch));
        assert_int_equal(x.n_trained, y.n_trained);
        assert_int_equal(x.n_tokens, y.n_tokens);
        free(d);
    }
    print_message("8 x 1 and 1 x 8, checkpointing %u: gradients %.2g apart, adapters %.2g\n",
                  checkpointing, gradients, tiny_compare(a, NULL, b, NULL, 1e-6));
    axl_trainer_free(whole);
    axl_trainer_free(parts);
    axl_adapter_free(a);
    axl_adapter_free(b);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* A host that calls the step when it likes may give any number. */
static void test_trainer__a_step_that_is_never_due(void **state)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_step_stats stats = AXL_STEP_STATS_INIT;
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter *adapter;
    tiny_data *d = tiny_batch(lengths, 1, 0);
    double loss;

    (void)state;
    o.gradient_accumulation_steps = UINT32_MAX;
    axl_trainer *tr = tiny_trainer(model, &o, 0.0, &adapter);
    assert_ok(axl_trainer_forward_backward(tr, &d->batch, &loss));
    assert_false(axl_trainer_ready(tr));
    assert_ok(axl_trainer_step(tr, &stats));
    assert_true(stats.loss == loss);
    free(d);
    axl_trainer_free(tr);
    axl_adapter_free(adapter);
    axl_model_free(model);
    axl_context_free(ctx);
}

static void test_trainer__accumulation_equals_one_batch(void **state)
{
    (void)state;
    check_accumulation(0);
    check_accumulation(1);
}

static void test_trainer__averages_micro_batches_on_request(void **state)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_step_stats stats = AXL_STEP_STATS_INIT;
    tiny_data *d = tiny_batch(lengths, N_SEQS, 1);
    double sum = 0.0;
    uint32_t n = 0;

    (void)state;
    o.loss_average = AXL_LOSS_MICRO_BATCHES;
    fixture f = setup(&o, 0.0);
    for (uint32_t s = 0; s < N_SEQS; s++) {
        tiny_data *one = tiny_alone(d, s);
        double loss;
        assert_ok(axl_trainer_forward_backward(f.tr, &one->batch, &loss));
        sum += loss;
        n += trained(&one->batch) > 0;
        free(one);
    }
    assert_ok(axl_trainer_step(f.tr, &stats));
    assert_true(fabs(stats.loss - sum / n) < 1e-12 * stats.loss);
    free(d);
    teardown(&f);
}

static void test_trainer__checkpointing_has_the_same_bits(void **state)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    tiny_data *d = tiny_batch(lengths, N_SEQS, 1);

    (void)state;
    for (uint32_t compute = AXL_COMPUTE_F32; compute <= AXL_COMPUTE_BF16; compute++) {
        axl_adapter *a, *b;
        axl_context *ctx = tiny_context(2);
        axl_model *model = tiny_model(ctx, "cpu", compute);
        o.checkpointing = 0;
        axl_trainer *keep = tiny_trainer(model, &o, 0.1, &a);
        o.checkpointing = 1;
        axl_trainer *again = tiny_trainer(model, &o, 0.1, &b);
        for (int i = 0; i < 3; i++)
            assert_true(train(keep, &d->batch) == train(again, &d->batch));
        tiny_compare(a, NULL, b, NULL, 0.0);
        axl_trainer_free(keep);
        axl_trainer_free(again);
        axl_adapter_free(a);
        axl_adapter_free(b);
        axl_model_free(model);
        axl_context_free(ctx);
    }
    free(d);
}

/* ---- backends ---- */

static void test_trainer__backends_agree(void **state)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    tiny_data *d = tiny_batch(lengths, N_SEQS, 1);
    axl_context *ctx = tiny_context(2);
    axl_adapter *a, *b;
    double first = 0.0, last = 0.0;

    (void)state;
    o.learning_rate = 1e-3;
    axl_model *fast = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_model *plain = tiny_model(ctx, "reference", AXL_COMPUTE_F32);
    axl_trainer *x = tiny_trainer(fast, &o, 0.1, &a), *y = tiny_trainer(plain, &o, 0.1, &b);
    for (int i = 0; i < 3; i++) {
        last = train(x, &d->batch);
        assert_true(fabs(last - train(y, &d->batch)) < 1e-5 * last);
        first = i == 0 ? last : first;
    }
    assert_true(last < first);
    /* AdamW divides by a gradient's own size: in the smallest ones rounding counts whole. */
    print_message("cpu and reference after 3 steps: adapters %.2g apart\n",
                  tiny_compare(a, NULL, b, NULL, 5e-5));
    axl_trainer_free(x);
    axl_trainer_free(y);
    axl_adapter_free(a);
    axl_adapter_free(b);
    axl_model_free(fast);
    axl_model_free(plain);
    axl_context_free(ctx);
    free(d);
}

/* ---- gradients, rates, evaluating ---- */

/* A step along one tensor's gradient changes the loss by step * ||gradient||^2. */
static void check_slope(fixture *f, const tiny_data *d, size_t index)
{
    axl_tensor_info t = AXL_TENSOR_INFO_INIT;
    double loss[2], norm_sq = 0.0;

    assert_ok(axl_adapter_get_tensor(f->adapter, index, &t));
    size_t n = t.rows * t.cols;
    float *g = malloc(n * sizeof *g), *w = malloc(n * sizeof *w), *moved = malloc(n * sizeof *w);
    assert_ok(axl_trainer_read_gradient(f->tr, index, g));
    assert_ok(axl_adapter_read(f->adapter, index, w));
    for (size_t k = 0; k < n; k++)
        norm_sq += (double)g[k] * g[k];
    assert_true(norm_sq > 0.0);
    double h = 2e-3 / norm_sq;
    for (int side = 0; side < 2; side++) {
        for (size_t k = 0; k < n; k++)
            moved[k] = (float)(w[k] + (side ? h : -h) * g[k]);
        assert_ok(axl_adapter_write(f->adapter, index, moved));
        assert_ok(axl_trainer_evaluate(f->tr, &d->batch, &loss[side]));
    }
    assert_ok(axl_adapter_write(f->adapter, index, w));
    double slope = (loss[1] - loss[0]) / trained(&d->batch) / (2.0 * h);
    if (!(fabs(slope / norm_sq - 1.0) < 0.02))
        fail_msg("%s: slope %g, gradient says %g", t.name, slope, norm_sq);
    free(g);
    free(w);
    free(moved);
}

static void test_trainer__gradients_are_the_slopes(void **state)
{
    fixture f = setup(NULL, 0.0);
    tiny_data *d = tiny_batch(lengths, N_SEQS, 1);
    size_t n;

    (void)state;
    assert_ok(axl_trainer_forward_backward(f.tr, &d->batch, NULL));
    for (size_t i = 0; i < axl_adapter_count(f.adapter); i++)
        check_slope(&f, d, i);
    axl_trainer_zero_grad(f.tr);
    float *g = tiny_values(f.adapter, f.tr, &n);
    for (size_t i = 0; i < n; i++)
        assert_true(g[i] == 0.0f);
    assert_fails(axl_trainer_read_gradient(f.tr, axl_adapter_count(f.adapter), g), AXL_ERR_INVALID,
                 "tensor 56 of 56");
    assert_fails(axl_trainer_read_gradient(f.tr, 0, NULL), AXL_ERR_INVALID, "NULL");
    free(g);
    free(d);
    teardown(&f);
}

static void test_trainer__takes_a_hosts_rate(void **state)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_schedule_options so = AXL_SCHEDULE_OPTIONS_INIT;
    axl_step_stats s = AXL_STEP_STATS_INIT;
    tiny_data *d = tiny_batch(lengths, 4, 1);
    size_t n;

    (void)state;
    so.kind = AXL_SCHEDULE_LINEAR;
    so.total_steps = 4;
    o.schedule = &so;
    o.learning_rate = 0.5;
    fixture f = setup(&o, 0.0);
    float *before = tiny_values(f.adapter, NULL, &n);
    static const double given[] = { 0.0, -1.0, 0.25, -1.0 }, used[] = { 0.0, 0.375, 0.25, 0.125 };
    for (int i = 0; i < 4; i++) {
        assert_ok(axl_trainer_set_learning_rate(f.tr, given[i]));
        assert_true(axl_trainer_learning_rate(f.tr) == used[i]);
        assert_ok(axl_trainer_forward_backward(f.tr, &d->batch, NULL));
        assert_ok(axl_trainer_step(f.tr, &s));
        assert_true(s.learning_rate == used[i]);
        assert_int_equal(s.step, i + 1);
        if (i == 0) {
            float *after = tiny_values(f.adapter, NULL, &n);
            assert_memory_equal(before, after, n * sizeof *before);
            free(after);
        }
    }
    assert_int_equal(axl_trainer_steps(f.tr), 4);
    assert_fails(axl_trainer_set_learning_rate(f.tr, NAN), AXL_ERR_INVALID, "number");
    assert_fails(axl_trainer_set_learning_rate(f.tr, INFINITY), AXL_ERR_INVALID, "number");
    free(before);
    free(d);
    teardown(&f);
}

static void test_trainer__evaluates_without_traces(void **state)
{
    fixture f = setup(NULL, 0.3), plain = setup(NULL, 0.0), other = setup(NULL, 0.3);
    tiny_data *d = tiny_batch(lengths, N_SEQS, 1), *e = tiny_batch(lengths, 5, 2);
    double sum, mean, dropped;

    (void)state;
    assert_ok(axl_trainer_evaluate(f.tr, &d->batch, &sum));
    assert_ok(axl_trainer_forward_backward(plain.tr, &d->batch, &mean));
    assert_true(fabs(sum / trained(&d->batch) - mean) < 1e-6 * mean);
    assert_ok(axl_trainer_forward_backward(f.tr, &d->batch, &dropped));
    assert_true(fabs(dropped - mean) > 1e-4 * mean); /* dropout is for training */
    assert_ok(axl_trainer_evaluate(f.tr, &e->batch, NULL));
    assert_ok(axl_trainer_forward_backward(f.tr, &e->batch, NULL));
    assert_ok(axl_trainer_forward_backward(other.tr, &d->batch, NULL));
    assert_ok(axl_trainer_forward_backward(other.tr, &e->batch, NULL));
    tiny_compare(f.adapter, f.tr, other.adapter, other.tr, 0.0);
    free(d);
    free(e);
    teardown(&f);
    teardown(&plain);
    teardown(&other);
}

/* ---- wholly or not at all ---- */

static void test_trainer__a_cancelled_step_moves_nothing(void **state)
{
    fixture f = setup(NULL, 0.1), other = setup(NULL, 0.1);
    tiny_data *d = tiny_batch(lengths, N_SEQS, 1);
    axl_step_stats s = AXL_STEP_STATS_INIT;
    axl_cancel *cancel;
    size_t n;

    (void)state;
    assert_ok(axl_cancel_new(&cancel, f.ctx));
    for (int i = 0; i < 3; i++) {
        assert_ok(axl_trainer_forward_backward(f.tr, &d->batch, NULL));
        assert_ok(axl_trainer_forward_backward(other.tr, &d->batch, NULL));
        float *before = tiny_values(f.adapter, NULL, &n);
        axl_cancel_raise(cancel);
        assert_fails(axl_trainer_step(f.tr, &s), AXL_ERR_CANCELLED, "cancelled");
        assert_fails(axl_trainer_forward_backward(f.tr, &d->batch, NULL), AXL_ERR_CANCELLED,
                     "cancelled");
        assert_fails(axl_trainer_evaluate(f.tr, &d->batch, NULL), AXL_ERR_CANCELLED, "cancelled");
        axl_cancel_clear(cancel);
        float *after = tiny_values(f.adapter, NULL, &n);
        assert_memory_equal(before, after, n * sizeof *before);
        assert_int_equal(axl_trainer_steps(f.tr), i);
        assert_int_equal(s.step, i);
        tiny_compare(f.adapter, f.tr, other.adapter, other.tr, 0.0);
        assert_ok(axl_trainer_step(f.tr, &s));
        assert_ok(axl_trainer_step(other.tr, NULL));
        free(before);
        free(after);
    }
    tiny_compare(f.adapter, NULL, other.adapter, NULL, 0.0);
    axl_cancel_free(cancel);
    free(d);
    teardown(&f);
    teardown(&other);
}

static void fill_tensor(axl_adapter *adapter, size_t index, float value)
{
    axl_tensor_info t = AXL_TENSOR_INFO_INIT;

    assert_ok(axl_adapter_get_tensor(adapter, index, &t));
    float *w = malloc(t.rows * t.cols * sizeof *w);
    for (size_t k = 0; k < t.rows * t.cols; k++)
        w[k] = value;
    assert_ok(axl_adapter_write(adapter, index, w));
    free(w);
}

static void test_trainer__names_a_loss_that_is_not_finite(void **state)
{
    fixture f = setup(NULL, 0.0);
    tiny_data *d = tiny_batch(lengths, N_SEQS, 1);
    size_t n;

    (void)state;
    for (int batches = 0; batches < 2; batches++) { /* the first of a step, and a later one */
        axl_tensor_info t = AXL_TENSOR_INFO_INIT;
        assert_ok(axl_adapter_get_tensor(f.adapter, 3, &t));
        float *w = malloc(t.rows * t.cols * sizeof *w);
        assert_ok(axl_adapter_read(f.adapter, 3, w));
        float *before = tiny_values(f.adapter, f.tr, &n);
        fill_tensor(f.adapter, 3, NAN);
        assert_fails(axl_trainer_forward_backward(f.tr, &d->batch, NULL), AXL_ERR_NUMERIC, "NaN");
        assert_fails(axl_trainer_evaluate(f.tr, &d->batch, NULL), AXL_ERR_NUMERIC, "not finite");
        assert_ok(axl_adapter_write(f.adapter, 3, w));
        float *after = tiny_values(f.adapter, f.tr, &n);
        assert_memory_equal(before, after, n * sizeof *before);
        assert_ok(axl_trainer_forward_backward(f.tr, &d->batch, NULL));
        free(w);
        free(before);
        free(after);
    }
    assert_ok(axl_trainer_step(f.tr, NULL));
    free(d);
    teardown(&f);
}

/* What A and B add to the layer is small, but A's gradient is beyond f32. */
static void test_trainer__names_a_gradient_that_is_not_finite(void **state)
{
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    tiny_data *d = tiny_batch(lengths, N_SEQS, 1);
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter *adapter;
    axl_trainer *tr;
    size_t n;

    (void)state;
    o.alpha = 1e36;
    o.rank = 1;
    assert_ok(axl_adapter_new(&adapter, model, &o));
    assert_ok(axl_trainer_new(&tr, model, adapter, NULL));
    fill_tensor(adapter, 0, 1e-42f);
    fill_tensor(adapter, 1, 1e6f);
    float *before = tiny_values(adapter, NULL, &n);
    assert_ok(axl_trainer_forward_backward(tr, &d->batch, NULL));
    assert_fails(axl_trainer_step(tr, NULL), AXL_ERR_NUMERIC, "not finite at step 1");
    assert_int_equal(axl_trainer_steps(tr), 0);
    float *after = tiny_values(adapter, NULL, &n);
    assert_memory_equal(before, after, n * sizeof *before);
    assert_fails(axl_trainer_step(tr, NULL), AXL_ERR_INVALID, "needs a batch");
    fill_tensor(adapter, 0, 1e-36f);
    fill_tensor(adapter, 1, 0.0f);
    train(tr, &d->batch); /* the moments hold no trace */
    free(before);
    free(after);
    after = tiny_values(adapter, NULL, &n);
    for (size_t i = 0; i < n; i++)
        assert_true(isfinite(after[i]));
    free(after);
    free(d);
    axl_trainer_free(tr);
    axl_adapter_free(adapter);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* ---- label smoothing ---- */

/* Of the training loss; what is evaluated is the same. */
static void test_trainer__smooths_labels_in_training(void **state)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    tiny_data *d = tiny_batch(lengths, N_SEQS, 1);
    double loss[2], evaluated[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        o.label_smoothing = 0.2 * i;
        fixture f = setup(&o, 0.0);
        assert_ok(axl_trainer_evaluate(f.tr, &d->batch, &evaluated[i]));
        assert_ok(axl_trainer_forward_backward(f.tr, &d->batch, &loss[i]));
        teardown(&f);
    }
    assert_true(evaluated[0] == evaluated[1]);
    assert_true(fabs(loss[0] * trained(&d->batch) / evaluated[0] - 1.0) < 1e-12);
    assert_true(loss[1] != loss[0]); /* little on tokens that are random */
    free(d);
}

/* ---- wrong use ---- */

static void test_trainer__refuses_bad_options(void **state)
{
    fixture f = setup(NULL, 0.0), g = setup(NULL, 0.0);
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_trainer *tr;
    axl_adapter *idle = tiny_adapter(f.model, 0.0);

    (void)state;
    for (int i = 0; i < 12; i++) {
        axl_trainer_options bad = o;
        axl_schedule_options so = AXL_SCHEDULE_OPTIONS_INIT;
        axl_optimizer_options oo = AXL_OPTIMIZER_OPTIONS_INIT;
        const char *what = NULL;
        switch (i) {
        case 0: bad.learning_rate = 0.0, what = "learning_rate must be > 0, got 0"; break;
        case 1: bad.learning_rate = NAN, what = "learning_rate"; break;
        case 2: oo.beta1 = 1.0, bad.optimizer = &oo, what = "beta1"; break;
        case 3: oo.beta2 = NAN, bad.optimizer = &oo, what = "beta2"; break;
        case 4: oo.epsilon = 0.0, bad.optimizer = &oo, what = "epsilon must be > 0"; break;
        case 5: oo.weight_decay = -1.0, bad.optimizer = &oo, what = "weight_decay"; break;
        case 6: bad.max_grad_norm = -1.0, what = "max_grad_norm"; break;
        case 7: bad.gradient_accumulation_steps = 0, what = "gradient_accumulation_steps"; break;
        case 8: so.kind = 77, bad.schedule = &so, what = "77"; break;
        case 9: so.kind = AXL_SCHEDULE_COSINE, bad.schedule = &so, what = "total_steps"; break;
        case 10: bad.label_smoothing = 1.0, what = "label_smoothing"; break;
        default: bad.loss_average = 2, what = "loss_average 2"; break;
        }
        assert_fails(axl_trainer_new(&tr, f.model, idle, &bad), AXL_ERR_INVALID, what);
        assert_null(tr);
    }
    o.size = 12;
    assert_fails(axl_trainer_new(&tr, f.model, idle, &o), AXL_ERR_ABI, "size 12");
    assert_fails(axl_trainer_new(NULL, f.model, f.adapter, NULL), AXL_ERR_INVALID, "out");
    assert_fails(axl_trainer_new(&tr, NULL, f.adapter, NULL), AXL_ERR_INVALID, "axl_model");
    assert_fails(axl_trainer_new(&tr, f.model, NULL, NULL), AXL_ERR_BUSY, "adapter");
    assert_fails(axl_trainer_new(&tr, f.model, g.adapter, NULL), AXL_ERR_INVALID, "another model");
    axl_adapter_free(idle);
    teardown(&f);
    teardown(&g);
}

static void test_trainer__an_adapter_has_one(void **state)
{
    fixture f = setup(NULL, 0.0);
    axl_trainer *second;

    (void)state;
    assert_fails(axl_trainer_new(&second, f.model, f.adapter, NULL), AXL_ERR_BUSY,
                 "the adapter is being trained by another trainer");
    assert_null(second);
    axl_adapter *other = tiny_adapter(f.model, 0.0);
    assert_ok(axl_trainer_new(&second, f.model, other, NULL)); /* of one model as many as wanted */
    axl_trainer_free(second);
    axl_adapter_free(other);
    axl_trainer_free(f.tr);
    assert_ok(axl_trainer_new(&f.tr, f.model, f.adapter, NULL));
    teardown(&f);
}

static void test_trainer__refuses_bad_batches(void **state)
{
    fixture f = setup(NULL, 0.0);
    const uint32_t two[] = { 4, 5 };
    tiny_data *good = tiny_batch(two, 2, 1);

    (void)state;
    for (int i = 0; i < 11; i++) {
        tiny_data d = *good;
        int32_t positions[9] = { 0 };
        axl_batch b = d.batch;
        axl_status want = AXL_ERR_INVALID;
        const char *text = "NULL";
        b.input_ids = d.ids;
        b.labels = d.labels;
        b.cu_seqlens = d.cu;
        b.positions = positions;
        switch (i) {
        case 0: b.input_ids = NULL; break;
        case 1: b.labels = NULL; break;
        case 2: b.cu_seqlens = NULL; break;
        case 3: b.n_tokens = 0; break;
        case 4: b.size = 0, want = AXL_ERR_ABI, text = "AXL_BATCH_INIT"; break;
        case 5: d.ids[3] = TINY_VOCAB, text = "token id 768 at 3"; break;
        case 6: d.labels[4] = -1, text = "label -1 at 4"; break;
        case 7: d.cu[1] = 0, text = "sequence 0 of the batch is empty"; break;
        case 8: d.cu[1] = 20, text = "sequence 1 of the batch is empty"; break;
        case 9: b.n_tokens = 8, text = "cu_seqlens"; break;
        default: positions[2] = -1, text = "position -1 at 2"; break;
        }
        assert_fails(axl_trainer_forward_backward(f.tr, &b, NULL), want, text);
        assert_fails(axl_trainer_evaluate(f.tr, &b, NULL), want, text);
    }
    assert_fails(axl_trainer_forward_backward(f.tr, NULL, NULL), AXL_ERR_INVALID, "axl_batch");
    for (int t = 0; t < 9; t++)
        good->labels[t] = AXL_LABEL_IGNORE;
    double loss = 1.0;
    assert_ok(axl_trainer_forward_backward(f.tr, &good->batch, &loss));
    assert_true(loss == 0.0);
    free(good);
    teardown(&f);
}

static void test_trainer__refuses_preferences(void **state)
{
    fixture f = setup(NULL, 0.0);
    tiny_data *d = tiny_batch(lengths, 2, 1);
    const uint32_t roles[] = { AXL_ROLE_CHOSEN, AXL_ROLE_REJECTED }, pairs[] = { 4, 4 };

    (void)state;
    d->batch.roles = roles;
    d->batch.pairs = pairs;
    assert_fails(axl_trainer_forward_backward(f.tr, &d->batch, NULL), AXL_ERR_UNSUPPORTED,
                 "the batch has roles");
    d->batch.roles = NULL;
    assert_fails(axl_trainer_evaluate(f.tr, &d->batch, NULL), AXL_ERR_UNSUPPORTED,
                 "the batch has pairs");
    d->batch.pairs = NULL;
    assert_ok(axl_trainer_forward_backward(f.tr, &d->batch, NULL));
    free(d);
    teardown(&f);
}

static void test_trainer__refuses_what_is_no_trainer(void **state)
{
    fixture f = setup(NULL, 0.0);
    tiny_data *d = tiny_batch(lengths, 1, 1);
    axl_step_stats s = { 8, 0, 0.0, 0.0, 0.0, 0, 0 };

    (void)state;
    assert_fails(axl_trainer_forward_backward(NULL, &d->batch, NULL), AXL_ERR_INVALID, "live");
    assert_fails(axl_trainer_step(NULL, NULL), AXL_ERR_INVALID, "live");
    assert_fails(axl_trainer_load(NULL, NULL, "x"), AXL_ERR_INVALID, "live");
    assert_fails(axl_trainer_step(f.tr, NULL), AXL_ERR_INVALID, "needs a batch");
    assert_ok(axl_trainer_forward_backward(f.tr, &d->batch, NULL));
    assert_fails(axl_trainer_step(f.tr, &s), AXL_ERR_ABI, "AXL_STEP_STATS_INIT");
    assert_ok(axl_trainer_step(f.tr, NULL));
    assert_int_equal(axl_trainer_ready(NULL), 0);
    assert_int_equal(axl_trainer_steps(NULL), 0);
    axl_trainer_zero_grad(NULL);
    axl_trainer_free(NULL);
    free(d);
    teardown(&f);
}

static void test_trainer__handles_are_freed_in_any_order(void **state)
{
    tiny_data *d = tiny_batch(lengths, 3, 1);

    (void)state;
    for (int order = 0; order < 6; order++) {
        fixture f = setup(NULL, 0.0);
        for (int k = 0; k < 3; k++) { /* each permutation of three */
            int which = k == 0   ? order / 2
                        : k == 1 ? (order / 2 + 1 + order % 2) % 3
                                 : (order / 2 + 2 - order % 2) % 3;
            if (which == 0)
                axl_context_free(f.ctx);
            else if (which == 1)
                axl_model_free(f.model);
            else
                axl_adapter_free(f.adapter);
            train(f.tr, &d->batch);
        }
        axl_trainer_free(f.tr);
    }
    free(d);
}

/* ---- callbacks ---- */

typedef struct {
    axl_trainer *tr;
    const axl_batch *batch;
    int calls, forked;
    pid_t child;
} callback;

static int on_progress_re_enter(void *user, const axl_progress *p)
{
    callback *c = user;
    float value;

    if (!c->tr || strcmp(p->phase, "train") != 0)
        return 0;
    c->calls++;
    assert_fails(axl_trainer_forward_backward(c->tr, c->batch, NULL), AXL_ERR_BUSY, "callback");
    assert_fails(axl_trainer_step(c->tr, NULL), AXL_ERR_BUSY, "callback");
    assert_fails(axl_trainer_evaluate(c->tr, c->batch, NULL), AXL_ERR_BUSY, "callback");
    assert_fails(axl_trainer_set_learning_rate(c->tr, 1.0), AXL_ERR_BUSY, "callback");
    assert_fails(axl_trainer_read_gradient(c->tr, 0, &value), AXL_ERR_BUSY, "callback");
    assert_fails(axl_trainer_save(c->tr, NULL, "x"), AXL_ERR_BUSY, "callback");
    assert_fails(axl_trainer_load(c->tr, NULL, "x"), AXL_ERR_BUSY, "callback");
    axl_trainer_zero_grad(c->tr);
    return 0;
}

static fixture setup_with_progress(axl_progress_fn fn, void *user)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    fixture f;

    o.threads = 2;
    o.isa = test_isa();
    o.progress = fn;
    o.progress_user = user;
    assert_ok(axl_context_new(&f.ctx, &o));
    f.model = tiny_model(f.ctx, "cpu", AXL_COMPUTE_F32);
    f.tr = tiny_trainer(f.model, NULL, 0.0, &f.adapter);
    return f;
}

static void test_trainer__is_busy_in_its_own_callback(void **state)
{
    tiny_data *d = tiny_batch(lengths, N_SEQS, 1);
    callback c = { NULL, &d->batch, 0, 0, 0 };
    fixture f = setup_with_progress(on_progress_re_enter, &c), other = setup(NULL, 0.0);

    (void)state;
    c.tr = f.tr;
    for (int i = 0; i < 2; i++)
        assert_true(train(f.tr, &d->batch) == train(other.tr, &d->batch));
    assert_true(c.calls >= 2);
    tiny_compare(f.adapter, NULL, other.adapter, NULL, 0.0);
    free(d);
    teardown(&f);
    teardown(&other);
}

/* A thread that goes into the trainer while another is in it. */
typedef struct {
    axl_trainer *tr;
    axl_status status;
    char text[256];
} intruder;

static void *intrude(void *arg)
{
    intruder *x = arg;

    x->status = axl_trainer_step(x->tr, NULL);
    snprintf(x->text, sizeof x->text, "%s", axl_last_error());
    return NULL;
}

static int on_progress_intrude(void *user, const axl_progress *p)
{
    intruder *x = user;
    pthread_t thread;

    (void)p;
    if (!x->tr)
        return 0;
    assert_int_equal(pthread_create(&thread, NULL, intrude, x), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    x->tr = NULL;
    return 0;
}

static void test_trainer__two_threads_are_told(void **state)
{
    tiny_data *d = tiny_batch(lengths, N_SEQS, 1);
    intruder x = { NULL, AXL_OK, "" };
    fixture f = setup_with_progress(on_progress_intrude, &x);

    (void)state;
    x.tr = f.tr;
    assert_ok(axl_trainer_forward_backward(f.tr, &d->batch, NULL));
    assert_null(x.tr);
    assert_int_equal(x.status, AXL_ERR_BUSY);
    assert_non_null(strstr(x.text, "in use by another thread"));
    assert_ok(axl_trainer_step(f.tr, NULL));
    free(d);
    teardown(&f);
}

static int on_progress_stop(void *user, const axl_progress *p)
{
    callback *c = user;

    return c->tr && strcmp(p->phase, "train") == 0 && p->done == p->total && c->calls++ == 0;
}

static void test_trainer__stops_when_its_callback_says_so(void **state)
{
    tiny_data *d = tiny_batch(lengths, N_SEQS, 1);
    callback c = { NULL, &d->batch, 0, 0, 0 };
    fixture f = setup_with_progress(on_progress_stop, &c), other = setup(NULL, 0.0);

    (void)state;
    train(f.tr, &d->batch);
    train(other.tr, &d->batch);
    c.tr = f.tr;
    assert_fails(axl_trainer_forward_backward(f.tr, &d->batch, NULL), AXL_ERR_CANCELLED,
                 "progress callback");
    assert_true(train(f.tr, &d->batch) == train(other.tr, &d->batch));
    tiny_compare(f.adapter, NULL, other.adapter, NULL, 0.0);
    free(d);
    teardown(&f);
    teardown(&other);
}

/* In the child: old handles say so, and a context of its own works. */
static int child_is_right(fixture *f, const axl_batch *b)
{
    axl_trainer *tr = NULL;
    axl_adapter *adapter = NULL;
    axl_model *model = NULL;
    axl_context_options co = AXL_CONTEXT_OPTIONS_INIT;
    axl_context *ctx = NULL;
    float value;
    double loss;

    co.isa = test_isa();
    co.threads = test_child_threads();
    int ok = axl_trainer_forward_backward(f->tr, b, NULL) == AXL_ERR_FORKED &&
             strstr(axl_last_error(), "fork") != NULL &&
             axl_trainer_step(f->tr, NULL) == AXL_ERR_FORKED &&
             axl_adapter_read(f->adapter, 0, &value) == AXL_ERR_FORKED &&
             axl_model_logits(f->model, NULL, b->input_ids, 1, &value) == AXL_ERR_FORKED;
    axl_trainer_free(f->tr);
    axl_adapter_free(f->adapter);
    axl_model_free(f->model);
    axl_context_free(f->ctx);
    ok = ok && axl_context_new(&ctx, &co) == AXL_OK &&
         axl_model_open(&model, ctx, test_source_path("examples/tiny-llama"), NULL) == AXL_OK &&
         axl_adapter_new(&adapter, model, NULL) == AXL_OK &&
         axl_trainer_new(&tr, model, adapter, NULL) == AXL_OK &&
         axl_trainer_forward_backward(tr, b, &loss) == AXL_OK && loss > 0.0 &&
         axl_trainer_step(tr, NULL) == AXL_OK;
    axl_trainer_free(tr);
    axl_adapter_free(adapter);
    axl_model_free(model);
    axl_context_free(ctx);
    return ok;
}

static int exit_of(pid_t child)
{
    int status = -1;

    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_trainer__is_dead_in_a_forked_child(void **state)
{
    fixture f = setup(NULL, 0.0);
    tiny_data *d = tiny_batch(lengths, N_SEQS, 1);

    (void)state;
    assert_ok(axl_trainer_forward_backward(f.tr, &d->batch, NULL));
    pid_t child = fork();
    if (child == 0)
        _exit(child_is_right(&f, &d->batch) ? 0 : 1);
    assert_int_equal(exit_of(child), 0);
    assert_ok(axl_trainer_step(f.tr, NULL)); /* the parent goes on */
    free(d);
    teardown(&f);
}

static int on_progress_fork(void *user, const axl_progress *p)
{
    callback *c = user;

    if (!c->tr || strcmp(p->phase, "train") != 0 || c->forked)
        return 0;
    c->forked = 1;
    c->child = fork();
    return 0;
}

/* The call that the child is in ends with AXL_ERR_FORKED, too: its threads are the parent's. */
static void test_trainer__a_fork_in_its_callback_ends_the_childs_call(void **state)
{
    tiny_data *d = tiny_batch(lengths, N_SEQS, 1);
    callback c = { NULL, &d->batch, 0, 0, 0 };
    fixture f = setup_with_progress(on_progress_fork, &c), other = setup(NULL, 0.0);

    (void)state;
    c.tr = f.tr;
    axl_status status = axl_trainer_forward_backward(f.tr, &d->batch, NULL);
    if (c.forked && c.child == 0)
        _exit(status == AXL_ERR_FORKED && child_is_right(&f, &d->batch) ? 0 : 1);
    assert_int_equal(status, AXL_OK);
    assert_true(c.forked);
    assert_int_equal(exit_of(c.child), 0);
    assert_ok(axl_trainer_step(f.tr, NULL));
    train(other.tr, &d->batch);
    tiny_compare(f.adapter, NULL, other.adapter, NULL, 0.0);
    free(d);
    teardown(&f);
    teardown(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trainer__a_sample_does_not_see_its_neighbours),
        cmocka_unit_test(test_trainer__a_step_that_is_never_due),
        cmocka_unit_test(test_trainer__accumulation_equals_one_batch),
        cmocka_unit_test(test_trainer__averages_micro_batches_on_request),
        cmocka_unit_test(test_trainer__checkpointing_has_the_same_bits),
        cmocka_unit_test(test_trainer__backends_agree),
        cmocka_unit_test(test_trainer__gradients_are_the_slopes),
        cmocka_unit_test(test_trainer__takes_a_hosts_rate),
        cmocka_unit_test(test_trainer__evaluates_without_traces),
        cmocka_unit_test(test_trainer__a_cancelled_step_moves_nothing),
        cmocka_unit_test(test_trainer__names_a_loss_that_is_not_finite),
        cmocka_unit_test(test_trainer__names_a_gradient_that_is_not_finite),
        cmocka_unit_test(test_trainer__smooths_labels_in_training),
        cmocka_unit_test(test_trainer__refuses_bad_options),
        cmocka_unit_test(test_trainer__an_adapter_has_one),
        cmocka_unit_test(test_trainer__two_threads_are_told),
        cmocka_unit_test(test_trainer__refuses_bad_batches),
        cmocka_unit_test(test_trainer__refuses_preferences),
        cmocka_unit_test(test_trainer__refuses_what_is_no_trainer),
        cmocka_unit_test(test_trainer__handles_are_freed_in_any_order),
        cmocka_unit_test(test_trainer__is_busy_in_its_own_callback),
        cmocka_unit_test(test_trainer__stops_when_its_callback_says_so),
        cmocka_unit_test(test_trainer__is_dead_in_a_forked_child),
        cmocka_unit_test(test_trainer__a_fork_in_its_callback_ends_the_childs_call),
    };

    return test_run(tests);
}
