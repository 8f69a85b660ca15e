/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_own_loss.c - what a host computes itself: a loss on logits, gradients that it writes, and
 * what a model says of a packed batch.
 */
#include "tiny_model.h"

#include <math.h>

enum { N_SEQS = 3 };

static const uint32_t lengths[N_SEQS] = { 23, 2, 17 };

typedef struct {
    axl_context *ctx;
    axl_model *model;
    axl_adapter *adapter;
    axl_trainer *tr;
    tiny_data *data;
} rig;

static rig rig_of(uint32_t compute, const axl_trainer_options *opts)
{
    rig r;

    r.ctx = tiny_context(2);
    r.model = tiny_model(r.ctx, "cpu", compute);
    r.tr = tiny_trainer(r.model, opts, 0.0, &r.adapter);
    r.data = tiny_batch(lengths, N_SEQS, 5);
    return r;
}

/* A model whose logits have a soft cap. */
static rig capped_rig_of(uint32_t compute)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_model_info info = AXL_MODEL_INFO_INIT;
    rig r;

    r.ctx = tiny_context(2);
    o.compute = compute;
    assert_ok(axl_model_open(&r.model, r.ctx,
                             test_source_path("tests/golden/model_variants/gemma2"), &o));
    assert_ok(axl_model_get_info(r.model, &info));
    r.tr = tiny_trainer(r.model, NULL, 0.0, &r.adapter);
    r.data = tiny_batch(lengths, N_SEQS, 5);
    for (uint32_t t = 0; t < r.data->batch.n_tokens; t++) {
        r.data->ids[t] %= (int32_t)info.vocab_size;
        if (r.data->labels[t] != AXL_LABEL_IGNORE)
            r.data->labels[t] = r.data->ids[t];
    }
    return r;
}

static void rig_free(rig *r)
{
    axl_trainer_free(r->tr);
    axl_adapter_free(r->adapter);
    axl_model_free(r->model);
    axl_context_free(r->ctx);
    free(r->data);
}

static uint32_t trained(const axl_batch *b)
{
    uint32_t n = 0;

    for (uint32_t s = 0; s < b->n_seqs; s++)
        for (int32_t t = b->cu_seqlens[s] + 1; t < b->cu_seqlens[s + 1]; t++)
            n += b->labels[t] != AXL_LABEL_IGNORE;
    return n;
}

/* ---- losses of a host's own ---- */

typedef struct {
    int calls, stop_at; /* stop_at: the call that answers non-zero; 0: none */
    uint64_t rows, total;
    int descends;
} own;

/* -log softmax(logits)[label], and its derivative softmax - [label]; labels beyond a row's sequence
 * or without one give nothing. */
static int own_cross_entropy(void *user, axl_logits *l)
{
    const axl_batch *b = l->batch;
    own *o = user;

    o->descends |= l->first != o->rows;
    o->rows += l->n_rows;
    o->total = l->total;
    if (++o->calls == o->stop_at)
        return 1;
    for (uint32_t i = 0; i < l->n_rows; i++) {
        float *x = l->logits + (size_t)i * l->vocab_size;
        int32_t next = l->rows[i] + 1, label = AXL_LABEL_IGNORE;
        double max = -INFINITY, sum = 0.0;
        for (uint32_t s = 0; s < b->n_seqs; s++)
            if (next > b->cu_seqlens[s] && next < b->cu_seqlens[s + 1])
                label = b->labels[next];
        for (uint32_t v = 0; v < l->vocab_size; v++)
            max = fmax(max, (double)x[v]);
        for (uint32_t v = 0; v < l->vocab_size; v++)
            sum += exp((double)x[v] - max);
        if (label >= 0)
            l->loss += log(sum) + max - (double)x[label];
        for (uint32_t v = 0; v < l->vocab_size; v++)
            x[v] =
                label < 0 ? 0.0f : (float)(exp((double)x[v] - max) / sum - ((int32_t)v == label));
    }
    return 0;
}

static axl_loss_options own_options(own *o)
{
    axl_loss_options l = AXL_LOSS_OPTIONS_INIT;

    l.loss = own_cross_entropy;
    l.user = o;
    return l;
}

/* The same loss as axl's own gives the same gradients: by ranges, at once, and over all rows. */
static void check_own_equals(rig a, rig b, double tolerance)
{
    double wanted, got;

    assert_ok(axl_trainer_forward_backward(a.tr, &a.data->batch, &wanted));
    axl_model_info info = AXL_MODEL_INFO_INIT;
    assert_ok(axl_model_get_info(b.model, &info));
    float *room = malloc((size_t)b.data->batch.n_tokens * info.vocab_size * sizeof *room);
    for (int way = 0; way < 3; way++) {
        own o = { 0 };
        axl_loss_options l = own_options(&o);
        l.logits = way == 1 ? room : NULL;
        l.all_rows = way == 2;
        l.terms = way == 2 ? trained(&b.data->batch) : 0;
        axl_trainer_zero_grad(b.tr);
        assert_ok(axl_trainer_forward_backward_with(b.tr, &b.data->batch, &l, &got));
        assert_true(fabs(got - wanted) < tolerance * wanted);
        tiny_compare(a.adapter, a.tr, b.adapter, b.tr, tolerance);
        assert_int_equal(o.calls, 1); /* all fit into one range */
        assert_int_equal(o.total, way == 2 ? b.data->batch.n_tokens : trained(&b.data->batch));
        assert_int_equal(o.rows, o.total);
    }
    free(room);
    rig_free(&a);
    rig_free(&b);
}

static void test_own_loss__equals_the_librarys(void **state)
{
    (void)state;
    for (int bf16 = 0; bf16 < 2; bf16++) { /* logits' gradients are rounded to bf16 */
        uint32_t compute = bf16 ? AXL_COMPUTE_BF16 : AXL_COMPUTE_F32;
        check_own_equals(rig_of(compute, NULL), rig_of(compute, NULL), bf16 ? 2e-2 : 2e-6);
    }
}

static void test_own_loss__goes_through_a_soft_cap(void **state)
{
    (void)state;
    for (int bf16 = 0; bf16 < 2; bf16++) {
        uint32_t compute = bf16 ? AXL_COMPUTE_BF16 : AXL_COMPUTE_F32;
        check_own_equals(capped_rig_of(compute), capped_rig_of(compute), bf16 ? 2e-2 : 2e-6);
    }
}

static void test_own_loss__comes_by_ranges_of_256_rows(void **state)
{
    static const uint32_t long_ones[2] = { 200, 150 };
    axl_trainer_options t = AXL_TRAINER_OPTIONS_INIT;
    double wanted, got;

    (void)state;
    t.loss_average = AXL_LOSS_MICRO_BATCHES;
    rig a = rig_of(AXL_COMPUTE_F32, &t), b = rig_of(AXL_COMPUTE_F32, &t);
    tiny_data *d = tiny_batch(long_ones, 2, 3);
    own o = { 0 };
    axl_loss_options l = own_options(&o);
    l.all_rows = 1;
    l.terms = trained(&d->batch);
    assert_ok(axl_trainer_forward_backward(a.tr, &d->batch, &wanted));
    assert_ok(axl_trainer_forward_backward_with(b.tr, &d->batch, &l, &got));
    assert_int_equal(o.calls, 2);
    assert_int_equal(o.rows, 350);
    assert_false(o.descends);
    assert_true(fabs(got - wanted) < 2e-6 * wanted);
    tiny_compare(a.adapter, a.tr, b.adapter, b.tr, 2e-6);
    rig_free(&a);
    rig_free(&b);
    free(d);
}

static void test_own_loss__stops_and_leaves_the_gradients(void **state)
{
    rig a = rig_of(AXL_COMPUTE_F32, NULL), b = rig_of(AXL_COMPUTE_F32, NULL);
    own o = { .stop_at = 1 };
    axl_loss_options l = own_options(&o), none = AXL_LOSS_OPTIONS_INIT;

    (void)state;
    assert_ok(axl_trainer_forward_backward(a.tr, &a.data->batch, NULL));
    assert_ok(axl_trainer_forward_backward(b.tr, &b.data->batch, NULL));
    assert_int_equal(axl_trainer_forward_backward_with(b.tr, &b.data->batch, &l, NULL),
                     AXL_ERR_CANCELLED);
    assert_int_equal(axl_trainer_forward_backward_with(b.tr, &b.data->batch, &none, NULL),
                     AXL_ERR_INVALID);
    tiny_compare(a.adapter, a.tr, b.adapter, b.tr, 0.0);
    rig_free(&a);
    rig_free(&b);
}

static void test_own_loss__needs_no_labels_with_all_rows(void **state)
{
    rig r = rig_of(AXL_COMPUTE_F32, NULL);
    axl_batch b = r.data->batch;
    own o = { 0 };
    axl_loss_options l = own_options(&o);

    (void)state;
    b.labels = NULL;
    assert_int_equal(axl_trainer_forward_backward_with(r.tr, &b, &l, NULL), AXL_ERR_INVALID);
    l.all_rows = 1;
    l.loss = own_cross_entropy;
    l.user = &o;
    o.stop_at = 1; /* it would read them */
    assert_int_equal(axl_trainer_forward_backward_with(r.tr, &b, &l, NULL), AXL_ERR_CANCELLED);
    assert_int_equal(o.rows, b.n_tokens);
    rig_free(&r);
}

/* ---- gradients ---- */

static void copy_gradients(axl_trainer *from, axl_trainer *to, float scale)
{
    for (size_t i = 0; i < axl_trainer_count(from); i++) {
        axl_tensor_info t = AXL_TENSOR_INFO_INIT;
        assert_ok(axl_trainer_get_tensor(from, i, &t));
        size_t n = t.rows * t.cols;
        float *g = malloc(n * sizeof *g);
        assert_ok(axl_trainer_read_gradient(from, i, g));
        for (size_t k = 0; k < n; k++)
            g[k] *= scale;
        assert_ok(axl_trainer_write_gradient(to, i, g));
        free(g);
    }
}

static void test_own_loss__written_gradients_are_what_a_step_takes(void **state)
{
    rig a = rig_of(AXL_COMPUTE_F32, NULL), b = rig_of(AXL_COMPUTE_F32, NULL);
    axl_step_stats s = AXL_STEP_STATS_INIT, t = AXL_STEP_STATS_INIT;

    (void)state;
    /* with no batch of its own, as a worker whose share of the data has nothing to train */
    assert_ok(axl_trainer_forward_backward(a.tr, &a.data->batch, NULL));
    copy_gradients(a.tr, b.tr, 1.0f);
    tiny_compare(a.adapter, a.tr, b.adapter, b.tr, 1e-6);
    assert_ok(axl_trainer_step(a.tr, &s));
    assert_ok(axl_trainer_step(b.tr, &t));
    assert_true(fabs(s.grad_norm - t.grad_norm) < 1e-6 * s.grad_norm);
    tiny_compare(a.adapter, NULL, b.adapter, NULL, 1e-6);

    /* and over those of a batch */
    assert_ok(axl_trainer_forward_backward(a.tr, &a.data->batch, NULL));
    assert_ok(axl_trainer_forward_backward(b.tr, &b.data->batch, NULL));
    copy_gradients(b.tr, b.tr, 0.5f);
    assert_ok(axl_trainer_step(a.tr, &s));
    assert_ok(axl_trainer_step(b.tr, &t));
    assert_true(fabs(0.5 * s.grad_norm - t.grad_norm) < 1e-5 * s.grad_norm);
    rig_free(&a);
    rig_free(&b);
}

static void test_own_loss__a_batch_without_labels_steps_to_nothing(void **state)
{
    rig a = rig_of(AXL_COMPUTE_F32, NULL), b = rig_of(AXL_COMPUTE_F32, NULL);
    axl_step_stats s = AXL_STEP_STATS_INIT;
    int32_t ignored[64];
    axl_batch none = a.data->batch;
    double loss = 1.0;

    (void)state;
    for (int i = 0; i < 64; i++)
        ignored[i] = AXL_LABEL_IGNORE;
    none.labels = ignored;
    assert_int_equal(axl_trainer_step(a.tr, NULL), AXL_ERR_INVALID); /* nothing has come at all */
    assert_ok(axl_trainer_forward_backward(a.tr, &none, &loss));
    assert_true(loss == 0.0);
    assert_ok(axl_trainer_step(a.tr, &s));
    assert_true(s.step == 1 && s.loss == 0.0 && s.grad_norm == 0.0 && s.n_trained == 0 &&
                s.n_tokens == none.n_tokens);
    tiny_compare(a.adapter, NULL, b.adapter, NULL, 0.0);
    assert_ok(axl_trainer_forward_backward(a.tr, &a.data->batch, NULL));
    assert_ok(axl_trainer_step(a.tr, &s));
    assert_int_equal(s.step, 2);
    rig_free(&a);
    rig_free(&b);
}

/* ---- what a model says ---- */

static void test_own_loss__packed_logits_are_those_of_each_sequence(void **state)
{
    rig r = rig_of(AXL_COMPUTE_F32, NULL);
    const axl_batch *b = &r.data->batch;
    axl_model_info info = AXL_MODEL_INFO_INIT;

    (void)state;
    assert_ok(axl_model_get_info(r.model, &info));
    size_t V = info.vocab_size;
    float *packed = malloc(b->n_tokens * V * sizeof *packed),
          *alone = malloc(23 * V * sizeof *alone);
    assert_ok(axl_model_batch_logits(r.model, r.adapter, b, NULL, 0, packed));
    for (uint32_t s = 0; s < N_SEQS; s++) {
        assert_ok(axl_model_logits(r.model, r.adapter, b->input_ids + b->cu_seqlens[s], lengths[s],
                                   alone));
        assert_true(tiny_distance(packed + (size_t)b->cu_seqlens[s] * V, alone, lengths[s] * V) <
                    1e-6);
    }
    const int32_t rows[] = { 3, 24, 41 };
    assert_ok(axl_model_batch_logits(r.model, r.adapter, b, rows, 3, alone));
    for (int i = 0; i < 3; i++)
        assert_true(tiny_distance(alone + i * V, packed + (size_t)rows[i] * V, V) < 1e-6);
    const int32_t wrong[] = { 3, 3 }, outside[] = { 42 };
    assert_int_equal(axl_model_batch_logits(r.model, NULL, b, wrong, 2, alone), AXL_ERR_INVALID);
    assert_int_equal(axl_model_batch_logits(r.model, NULL, b, outside, 1, alone), AXL_ERR_INVALID);
    free(packed);
    free(alone);
    rig_free(&r);
}

static void test_own_loss__losses_lie_at_their_labels(void **state)
{
    rig r = rig_of(AXL_COMPUTE_F32, NULL);
    axl_batch b = r.data->batch;
    int32_t labels[64];
    float losses[64], all[64];
    double sum = 0.0, wanted;

    (void)state;
    assert_ok(axl_model_batch_losses(r.model, r.adapter, &b, all));
    memcpy(labels, b.labels, b.n_tokens * sizeof *labels);
    labels[4] = labels[5] = labels[24] = AXL_LABEL_IGNORE;
    b.labels = labels;
    assert_ok(axl_model_batch_losses(r.model, r.adapter, &b, losses));
    assert_ok(axl_trainer_evaluate(r.tr, &b, &wanted));
    for (uint32_t t = 0; t < b.n_tokens; t++) {
        int starts = t == 0 || t == 23 || t == 25;
        int counts = !starts && labels[t] != AXL_LABEL_IGNORE;
        assert_true(counts ? losses[t] > 0.0f : losses[t] == 0.0f);
        if (counts)
            assert_true(fabsf(losses[t] - all[t]) < 1e-5f * all[t]);
        sum += (double)losses[t];
    }
    assert_true(fabs(sum - wanted) < 1e-5 * wanted);
    rig_free(&r);
}

static void read_weight(axl_trainer *all, const char *name, float *values)
{
    axl_tensor_info t = AXL_TENSOR_INFO_INIT;
    size_t i = 0;

    do
        assert_ok(axl_trainer_get_tensor(all, i++, &t));
    while (strcmp(t.name, name) != 0);
    assert_ok(axl_trainer_read(all, i - 1, values));
}

/* The last hidden state, normalised and multiplied with the head by hand, is the logits. */
static void test_own_loss__hidden_states_lead_to_the_logits(void **state)
{
    rig r = rig_of(AXL_COMPUTE_F32, NULL);
    const axl_batch *b = &r.data->batch;
    axl_model_info info = AXL_MODEL_INFO_INIT;
    axl_trainer *all;

    (void)state;
    assert_ok(axl_model_get_info(r.model, &info));
    size_t V = info.vocab_size, C = info.hidden_size;
    float *h = malloc(b->n_tokens * C * sizeof *h), *embed = malloc(V * C * sizeof *embed);
    float *norm = malloc(C * sizeof *norm), *logits = malloc(V * sizeof *logits);
    const int32_t row = 30;
    assert_ok(axl_model_batch_logits(r.model, NULL, b, &row, 1, logits));
    assert_ok(axl_model_batch_hidden(r.model, NULL, b, info.n_layers, h));
    assert_int_equal(axl_model_batch_hidden(r.model, NULL, b, info.n_layers + 1, h),
                     AXL_ERR_INVALID);
    axl_trainer_free(r.tr);
    r.tr = NULL;
    assert_ok(axl_trainer_new(&all, r.model, NULL, NULL)); /* to read the weights */
    read_weight(all, "model.embed_tokens.weight", embed);
    read_weight(all, "model.norm.weight", norm);
    double squares = 0.0;
    for (size_t c = 0; c < C; c++)
        squares += (double)h[row * C + c] * (double)h[row * C + c];
    for (size_t v = 0; v < V; v++) {
        double sum = 0.0;
        for (size_t c = 0; c < C; c++)
            sum += (double)h[row * C + c] / sqrt(squares / (double)C + 1e-5) * (double)norm[c] *
                   (double)embed[v * C + c];
        assert_true(fabs(sum - (double)logits[v]) < 1e-4);
    }
    assert_int_equal(axl_model_batch_hidden(r.model, NULL, b, 0, h), AXL_ERR_BUSY);
    axl_trainer_free(all);
    assert_ok(axl_model_batch_hidden(r.model, NULL, b, 0, h));
    for (uint32_t t = 0; t < b->n_tokens; t++)
        assert_memory_equal(h + t * C, embed + (size_t)b->input_ids[t] * C, C * sizeof *h);
    free(h);
    free(embed);
    free(norm);
    free(logits);
    rig_free(&r);
}

static void test_own_loss__bf16_hidden_states_are_widened(void **state)
{
    rig r = rig_of(AXL_COMPUTE_BF16, NULL), f = rig_of(AXL_COMPUTE_F32, NULL);
    axl_model_info info = AXL_MODEL_INFO_INIT;

    (void)state;
    assert_ok(axl_model_get_info(r.model, &info));
    size_t n = (size_t)r.data->batch.n_tokens * info.hidden_size;
    float *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b);
    for (uint32_t l = 0; l <= info.n_layers; l++) {
        assert_ok(axl_model_batch_hidden(r.model, r.adapter, &r.data->batch, l, a));
        assert_ok(axl_model_batch_hidden(f.model, f.adapter, &f.data->batch, l, b));
        assert_true(tiny_distance(a, b, n) < 3e-2);
    }
    free(a);
    free(b);
    rig_free(&r);
    rig_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_loss__equals_the_librarys),
        cmocka_unit_test(test_own_loss__goes_through_a_soft_cap),
        cmocka_unit_test(test_own_loss__comes_by_ranges_of_256_rows),
        cmocka_unit_test(test_own_loss__stops_and_leaves_the_gradients),
        cmocka_unit_test(test_own_loss__needs_no_labels_with_all_rows),
        cmocka_unit_test(test_own_loss__written_gradients_are_what_a_step_takes),
        cmocka_unit_test(test_own_loss__a_batch_without_labels_steps_to_nothing),
        cmocka_unit_test(test_own_loss__packed_logits_are_those_of_each_sequence),
        cmocka_unit_test(test_own_loss__losses_lie_at_their_labels),
        cmocka_unit_test(test_own_loss__hidden_states_lead_to_the_logits),
        cmocka_unit_test(test_own_loss__bf16_hidden_states_are_widened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
