/* SPDX-License-Identifier: Apache-2.0 */
/* test_loader.c - batches of a data set made from samples in memory. */
#include "testing.h"

#include <axl/loader.h>

enum { MAX_LENGTH = 64 };

/* n samples; sample i has ids i * 100 + k, lengths 2 .. 41, the first third masked. */
static axl_dataset *make_data(axl_context *ctx, uint32_t n)
{
    axl_sample *samples = calloc(n, sizeof *samples);
    int32_t(*ids)[MAX_LENGTH] = calloc(n, sizeof *ids);
    int32_t(*labels)[MAX_LENGTH] = calloc(n, sizeof *labels);
    axl_dataset *data;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t length = 2 + i * 7919 % 40;
        for (uint32_t k = 0; k < length; k++) {
            ids[i][k] = (int32_t)(i * 100 + k);
            labels[i][k] = k < length / 3 ? AXL_LABEL_IGNORE : ids[i][k];
        }
        samples[i] = (axl_sample)AXL_SAMPLE_INIT;
        samples[i].input_ids = ids[i];
        samples[i].labels = labels[i];
        samples[i].length = length;
        samples[i].row = i;
    }
    assert_ok(axl_dataset_from_samples(&data, ctx, samples, n));
    free(samples);
    free(ids);
    free(labels);
    return data;
}

/* A batch's own consistency; marks its samples in seen. */
static void check_batch(const axl_batch *b, axl_dataset *data, unsigned char *seen)
{
    uint32_t n_trained = 0;

    assert_true(b->n_seqs > 0);
    assert_int_equal(b->cu_seqlens[0], 0);
    assert_int_equal(b->cu_seqlens[b->n_seqs], b->n_tokens);
    for (uint32_t s = 0; s < b->n_seqs; s++) {
        int32_t lo = b->cu_seqlens[s], n = b->cu_seqlens[s + 1] - lo;
        uint32_t index = (uint32_t)b->input_ids[lo] / 100;
        axl_sample sample = AXL_SAMPLE_INIT;
        assert_ok(axl_dataset_get_sample(data, index, &sample));
        assert_int_equal(n, sample.length);
        assert_memory_equal(b->input_ids + lo, sample.input_ids, sizeof(int32_t) * (size_t)n);
        assert_memory_equal(b->labels + lo, sample.labels, sizeof(int32_t) * (size_t)n);
        for (int32_t i = 0; i < n; i++)
            assert_int_equal(b->positions[lo + i], i);
        for (int32_t i = 1; i < n; i++)
            n_trained += b->labels[lo + i] != AXL_LABEL_IGNORE;
        seen[index]++;
    }
    assert_int_equal(b->n_trained, n_trained);
}

/* Runs all epochs; every sample once in each, steps as counted. */
static void run_whole(axl_dataset *data, const axl_loader_options *o)
{
    uint32_t n = (uint32_t)axl_dataset_count(data);
    unsigned char *seen = calloc(n, 1);
    uint64_t steps = 0, total, epochs = 0, in_window = 0;
    axl_loader *loader;
    axl_batch b = AXL_BATCH_INIT;
    axl_loader_cursor c = AXL_LOADER_CURSOR_INIT;
    axl_status status;

    assert_ok(axl_loader_new(&loader, data, o));
    assert_ok(axl_loader_get_total_steps(loader, &total));
    while ((status = axl_loader_next(loader, &b)) == AXL_OK) {
        check_batch(&b, data, seen);
        if (o->sample_packing)
            assert_true(b.n_tokens <= o->micro_batch_size * o->sequence_len);
        else
            assert_true(b.n_seqs <= o->micro_batch_size);
        in_window++;
        assert_true(in_window <= o->gradient_accumulation_steps);
        steps += b.last_of_step;
        if (b.last_of_step)
            in_window = 0;
        assert_ok(axl_loader_get_cursor(loader, &c));
        if (c.epoch == epochs)
            continue;
        assert_int_equal(c.epoch, ++epochs);
        assert_int_equal(b.last_of_step, 1); /* the epoch ends its window */
        for (uint32_t i = 0; i < n; i++)
            assert_int_equal(seen[i], epochs);
    }
    assert_int_equal(status, AXL_END);
    assert_int_equal(axl_loader_next(loader, &b), AXL_END);
    assert_int_equal(b.n_tokens, 0);
    assert_int_equal(steps, total);
    assert_int_equal(epochs, (uint64_t)o->num_epochs);
    axl_loader_free(loader);
    free(seen);
}

static void test_loader__visits_every_sample_once_an_epoch(void **state)
{
    static const double n_epochs[] = { 1.0, 3.0, 0.5, 2.25 };
    axl_context *ctx = test_context();
    axl_dataset *data = make_data(ctx, 103);

    (void)state;
    for (uint32_t bits = 0; bits < 64; bits++) {
        axl_loader_options o = AXL_LOADER_OPTIONS_INIT;
        o.sample_packing = bits & 1;
        o.shuffle = bits >> 1 & 1;
        o.real_batches = bits >> 2 & 1;
        o.keep_order = bits >> 3 & 1;
        o.num_epochs = n_epochs[bits >> 4];
        o.micro_batch_size = 1 + bits % 5;
        o.gradient_accumulation_steps = 1 + bits % 3;
        o.sequence_len = 50;
        run_whole(data, &o);
    }
    axl_dataset_free(data);
    axl_context_free(ctx);
}

static void test_loader__continues_from_any_cursor(void **state)
{
    axl_context *ctx = test_context();
    axl_dataset *data = make_data(ctx, 37);

    (void)state;
    for (uint32_t packing = 0; packing < 2; packing++) {
        axl_loader_options o = AXL_LOADER_OPTIONS_INIT;
        axl_loader *first, *second;
        axl_batch a = AXL_BATCH_INIT, b = AXL_BATCH_INIT;
        axl_loader_cursor c = AXL_LOADER_CURSOR_INIT;
        o.sample_packing = packing;
        o.sequence_len = 64;
        o.micro_batch_size = 2;
        o.gradient_accumulation_steps = 3;
        o.num_epochs = 2.5;
        assert_ok(axl_loader_new(&first, data, &o));
        do {
            assert_ok(axl_loader_get_cursor(first, &c));
            axl_loader_cursor back = AXL_LOADER_CURSOR_INIT;
            assert_ok(axl_loader_new(&second, data, &o));
            assert_ok(axl_loader_set_cursor(second, &c));
            assert_ok(axl_loader_get_cursor(second, &back));
            assert_memory_equal(&back, &c, sizeof c);
            axl_status s1 = axl_loader_next(first, &a), s2 = axl_loader_next(second, &b);
            assert_int_equal(s1, s2);
            if (s1 == AXL_END)
                break;
            assert_int_equal(a.n_tokens, b.n_tokens);
            assert_int_equal(a.last_of_step, b.last_of_step);
            assert_memory_equal(a.input_ids, b.input_ids, a.n_tokens * sizeof *a.input_ids);
            axl_loader_free(second);
        } while (1);
        c.batch = 1000;
        assert_fails(axl_loader_set_cursor(second, &c), AXL_ERR_INVALID, "1000");
        axl_loader_free(first);
        axl_loader_free(second);
    }
    axl_dataset_free(data);
    axl_context_free(ctx);
}

static int32_t first_ids(axl_dataset *data, uint64_t seed, uint64_t epoch, uint32_t shuffle)
{
    axl_loader_options o = AXL_LOADER_OPTIONS_INIT;
    axl_loader_cursor c = AXL_LOADER_CURSOR_INIT;
    axl_loader *loader;
    axl_batch b = AXL_BATCH_INIT;
    int32_t sum = 0;

    o.seed = seed;
    o.shuffle = shuffle;
    o.num_epochs = 0.0;
    c.epoch = epoch;
    assert_ok(axl_loader_new(&loader, data, &o));
    assert_ok(axl_loader_set_cursor(loader, &c));
    for (int i = 0; i < 4; i++) {
        assert_ok(axl_loader_next(loader, &b));
        sum = sum * 31 + b.input_ids[0];
    }
    axl_loader_free(loader);
    return sum;
}

static void test_loader__orders_by_seed_and_epoch(void **state)
{
    axl_context *ctx = test_context();
    axl_dataset *data = make_data(ctx, 100);

    (void)state;
    assert_int_equal(first_ids(data, 1, 0, 1), first_ids(data, 1, 0, 1));
    assert_int_not_equal(first_ids(data, 1, 0, 1), first_ids(data, 2, 0, 1));
    assert_int_not_equal(first_ids(data, 1, 0, 1), first_ids(data, 1, 1, 1));
    assert_int_equal(first_ids(data, 1, 0, 0), first_ids(data, 2, 5, 0));
    assert_int_equal(first_ids(data, 1, 0, 0), ((0 * 31 + 100) * 31 + 200) * 31 + 300);
    axl_dataset_free(data);
    axl_context_free(ctx);
}

static void test_loader__counts_steps(void **state)
{
    static const struct {
        uint32_t n, batch, window;
        double epochs;
        uint64_t steps;
    } cases[] = {
        { 10, 2, 2, 1.0, 3 }, { 10, 2, 2, 3.0, 9 }, { 10, 1, 1, 0.3, 3 }, { 10, 1, 1, 1.05, 11 },
        { 10, 3, 8, 2.0, 2 }, { 1, 4, 4, 1.0, 1 },  { 10, 2, 2, 0.5, 2 }, { 10, 2, 2, 0.0, 0 },
    };
    axl_context *ctx = test_context();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        axl_dataset *data = make_data(ctx, cases[i].n);
        axl_loader_options o = AXL_LOADER_OPTIONS_INIT;
        axl_loader *loader;
        uint64_t steps;
        o.micro_batch_size = cases[i].batch;
        o.gradient_accumulation_steps = cases[i].window;
        o.num_epochs = cases[i].epochs;
        assert_ok(axl_loader_new(&loader, data, &o));
        axl_dataset_free(data); /* the loader keeps its own reference */
        assert_ok(axl_loader_get_total_steps(loader, &steps));
        assert_int_equal(steps, cases[i].steps);
        axl_loader_free(loader);
    }
    axl_context_free(ctx);
}

/* Packed epochs in another order differ by a step: no number of epochs would end them all. */
static void check_max_steps(axl_dataset *data, axl_loader_options o, uint64_t max_steps)
{
    axl_loader *loader, *second;
    axl_batch b = AXL_BATCH_INIT, again = AXL_BATCH_INIT;
    uint64_t total, steps = 0;
    axl_loader_cursor c = AXL_LOADER_CURSOR_INIT;
    axl_status status;

    o.max_steps = max_steps;
    assert_ok(axl_loader_new(&loader, data, &o));
    assert_ok(axl_loader_new(&second, data, &o));
    assert_ok(axl_loader_get_total_steps(loader, &total));
    assert_int_equal(total, max_steps);
    do { /* the other one jumps, now forwards, now back */
        assert_ok(axl_loader_get_cursor(loader, &c));
        if (steps % 3 == 2)
            assert_ok(axl_loader_set_cursor(second, &(axl_loader_cursor)AXL_LOADER_CURSOR_INIT));
        assert_ok(axl_loader_set_cursor(second, &c));
        status = axl_loader_next(loader, &b);
        assert_int_equal(axl_loader_next(second, &again), status);
        assert_int_equal(again.n_tokens, b.n_tokens);
        steps += b.last_of_step;
    } while (status == AXL_OK);
    assert_int_equal(steps, max_steps);
    axl_loader_free(loader);
    axl_loader_free(second);
}

static void test_loader__ends_at_max_steps(void **state)
{
    axl_context *ctx = test_context();
    axl_dataset *data = make_data(ctx, 600);
    axl_loader_options o = AXL_LOADER_OPTIONS_INIT;
    axl_loader *loader;
    uint64_t first, others = 0;

    (void)state;
    o.sample_packing = 1;
    o.sequence_len = 43;
    assert_ok(axl_loader_new(&loader, data, &o));
    first = axl_loader_batches_per_epoch(loader);
    for (uint64_t e = 1; e < 10; e++) {
        axl_loader_cursor c = { sizeof c, e, 0 };
        assert_ok(axl_loader_set_cursor(loader, &c));
        others += axl_loader_batches_per_epoch(loader) != first;
    }
    assert_true(others > 0); /* the data shows what this is about */
    axl_loader_free(loader);
    for (uint32_t bits = 0; bits < 16; bits++) {
        o.sample_packing = bits & 1;
        o.shuffle = bits >> 1 & 1;
        o.gradient_accumulation_steps = bits & 4 ? 4 : 1;
        o.num_epochs = bits & 8 ? 1.0 : 3.5; /* says nothing then */
        for (uint64_t steps = 1; steps < 2000; steps = steps * 3 + 1)
            check_max_steps(data, o, steps);
    }
    axl_dataset_free(data);
    axl_context_free(ctx);
}

static void test_loader__packs_well(void **state)
{
    axl_context *ctx = test_context();
    axl_dataset *data = make_data(ctx, 2000);
    axl_loader_options o = AXL_LOADER_OPTIONS_INIT;
    axl_loader *loader;

    (void)state;
    o.sample_packing = 1;
    o.sequence_len = 256;
    assert_ok(axl_loader_new(&loader, data, &o));
    assert_true(axl_loader_fill(loader) > 0.95 && axl_loader_fill(loader) <= 1.0);
    axl_loader_free(loader);
    axl_dataset_free(data);
    axl_context_free(ctx);
}

/* Roles and pairs come with the samples, and only where there are some. */
static void test_loader__tells_roles(void **state)
{
    static const uint32_t role[] = { AXL_ROLE_PLAIN,    AXL_ROLE_PLAIN,     AXL_ROLE_CHOSEN,
                                     AXL_ROLE_REJECTED, AXL_ROLE_DESIRABLE, AXL_ROLE_PLAIN };
    static const uint32_t pair[] = { 0, 0, 7, 7, 0, 0 };
    static const int32_t ids[] = { 1, 2 };
    axl_loader_options o = AXL_LOADER_OPTIONS_INIT;
    axl_context *ctx = test_context();
    axl_batch b = AXL_BATCH_INIT;
    axl_sample samples[6];
    axl_dataset *data;
    axl_loader *loader;

    (void)state;
    for (int i = 0; i < 6; i++) {
        samples[i] = (axl_sample)AXL_SAMPLE_INIT;
        samples[i].input_ids = samples[i].labels = ids;
        samples[i].length = 2;
        samples[i].role = role[i];
        samples[i].pair = pair[i];
    }
    assert_ok(axl_dataset_from_samples(&data, ctx, samples, 6));
    o.micro_batch_size = 2;
    o.shuffle = 0;
    assert_ok(axl_loader_new(&loader, data, &o));
    assert_ok(axl_loader_next(loader, &b));
    assert_true(!b.roles && !b.pairs && !b.weights);
    assert_ok(axl_loader_next(loader, &b));
    assert_memory_equal(b.roles, role + 2, 2 * sizeof *role);
    assert_memory_equal(b.pairs, pair + 2, 2 * sizeof *pair);
    assert_ok(axl_loader_next(loader, &b));
    assert_memory_equal(b.roles, role + 4, 2 * sizeof *role);
    assert_null(b.pairs);
    axl_loader_free(loader);
    axl_dataset_free(data);
    samples[1].role = AXL_ROLE_STEPS + 1;
    assert_fails(axl_dataset_from_samples(&data, ctx, samples, 6), AXL_ERR_INVALID, "role 6");
    axl_context_free(ctx);
}

static void test_loader__refuses_what_cannot_be(void **state)
{
    axl_context *ctx = test_context();
    axl_dataset *data = make_data(ctx, 50);
    axl_loader_options o = AXL_LOADER_OPTIONS_INIT;
    axl_loader *loader;
    axl_batch b = AXL_BATCH_INIT;

    (void)state;
    o.micro_batch_size = 0;
    assert_fails(axl_loader_new(&loader, data, &o), AXL_ERR_INVALID, "micro_batch_size");
    assert_null(loader);
    o.micro_batch_size = 1;
    o.num_epochs = -1.0;
    assert_fails(axl_loader_new(&loader, data, &o), AXL_ERR_INVALID, "num_epochs");
    o.num_epochs = 1.0;
    o.sample_packing = 1;
    o.sequence_len = 40;
    assert_fails(axl_loader_new(&loader, data, &o), AXL_ERR_INVALID, "41 tokens, a bin holds 40");
    o.size = 1;
    assert_fails(axl_loader_new(&loader, data, &o), AXL_ERR_ABI, "size");
    assert_fails(axl_loader_new(&loader, NULL, NULL), AXL_ERR_INVALID, "axl_dataset");
    assert_ok(axl_loader_new(&loader, data, NULL));
    b.size = 0;
    assert_fails(axl_loader_next(loader, &b), AXL_ERR_ABI, "axl_batch");
    assert_fails(axl_loader_next(loader, NULL), AXL_ERR_INVALID, "axl_batch");
    axl_loader_free(loader);
    axl_loader_free(NULL);
    axl_dataset_free(data);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loader__visits_every_sample_once_an_epoch),
        cmocka_unit_test(test_loader__continues_from_any_cursor),
        cmocka_unit_test(test_loader__orders_by_seed_and_epoch),
        cmocka_unit_test(test_loader__counts_steps),
        cmocka_unit_test(test_loader__ends_at_max_steps),
        cmocka_unit_test(test_loader__packs_well),
        cmocka_unit_test(test_loader__tells_roles),
        cmocka_unit_test(test_loader__refuses_what_cannot_be),
    };

    return test_run(tests);
}
