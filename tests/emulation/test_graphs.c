/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_graphs.c - batches that come again run as CUDA graphs: their launches are one, and every
 * value is the one of a run without graphs, whatever comes between them.
 */
#include "rig.h"

#include "emulated_plugin.h"

#include <pthread.h>

typedef struct lengths {
    uint32_t of[N_SEQS], n;
} lengths;

static const lengths usual = { { 9, 1, 14 }, 3 }, other = { { 5, 8 }, 2 },
                     large = { { 16, 30 }, 2 };

static uint64_t graphs(void)
{
    return emulated_counts_of("").graphs;
}

static double step_of(rig *r, const lengths *l, uint32_t seed)
{
    axl_step_stats stats = AXL_STEP_STATS_INIT;
    tiny_data *d = tiny_batch(l->of, l->n, seed);

    assert_ok(axl_trainer_forward_backward(r->tr, &d->batch, NULL));
    assert_ok(axl_trainer_step(r->tr, &stats));
    free(d);
    return stats.loss;
}

static double evaluate(rig *r, const lengths *l)
{
    tiny_data *d = tiny_batch(l->of, l->n, 99);
    double sum;

    assert_ok(axl_trainer_evaluate(r->tr, &d->batch, &sum));
    free(d);
    return sum;
}

static void assert_graphs(uint64_t before, uint64_t expected)
{
    if (emulated_device_counts())
        assert_int_equal(graphs() - before, expected);
}

/* The same steps with graphs and without. */
static void check(setting s, const lengths *const *batches, size_t n, uint64_t expected)
{
    rig x = rig_begin(emulated_device(), &s), y;
    uint64_t before = graphs();

    s.plain = true;
    y = rig_begin(emulated_device(), &s);
    for (size_t i = 0; i < n; i++) {
        assert_true(step_of(&x, batches[i], (uint32_t)i) == step_of(&y, batches[i], (uint32_t)i));
        if (i == n / 2) /* of what is trained, by passes of another kind */
            assert_true(evaluate(&x, &usual) == evaluate(&y, &usual));
    }
    rig_assert_same_values(&x, &y);
    assert_graphs(before, expected);
    rig_end(&x);
    rig_end(&y);
}

static const lengths *const alike[] = { &usual, &usual, &usual };

static void test_graphs__same_results(void **state)
{
    enum { N = sizeof alike / sizeof alike[0] };

    (void)state;
    check((setting){ .compute = AXL_COMPUTE_BF16, .weights = AXL_WEIGHTS_INT8 }, alike, N, N - 1);
    check((setting){ .compute = AXL_COMPUTE_F32, .weights = AXL_WEIGHTS_NF4, .checkpointing = 1 },
          alike, N, N - 1);
    check((setting){ .compute = AXL_COMPUTE_BF16, .full = true }, alike, N, N - 1);
    check((setting){ .compute = AXL_COMPUTE_F32, .embedding = true }, alike, N, N - 1);
}

/* Of every shape the first runs as it comes.  The large one makes the arena anew. */
static void test_graphs__batches_of_several_shapes(void **state)
{
    static const lengths *const mixed[] = { &usual, &other, &usual, &large, &usual, &large };
    enum { N = sizeof mixed / sizeof mixed[0] };

    (void)state;
    check((setting){ .compute = AXL_COMPUTE_F32, .weights = AXL_WEIGHTS_NF4 }, mixed, N, 2);
}

/* Elements of f32 need more of the device's own memory, which a graph has the address of. */
static void test_graphs__another_model_needs_more_memory(void **state)
{
    const setting narrow = { .compute = AXL_COMPUTE_BF16, .weights = AXL_WEIGHTS_NF4 };
    const setting wide = { .compute = AXL_COMPUTE_F32, .weights = AXL_WEIGHTS_NF4 };
    axl_context *ctx = rig_context(emulated_device());
    rig x = rig_begin_on(ctx, emulated_device(), &narrow),
        y = rig_begin(emulated_device(), &narrow);

    (void)state;
    for (uint32_t i = 0; i < STEPS; i++)
        assert_true(step_of(&x, &usual, i) == step_of(&y, &usual, i));
    rig z = rig_begin_on(ctx, emulated_device(), &wide);
    step_of(&z, &usual, 0);
    assert_true(step_of(&x, &usual, STEPS) == step_of(&y, &usual, STEPS));
    rig_end_on(&x);
    rig_end_on(&z);
    rig_end(&y);
    axl_context_free(ctx);
}

/* The first batch of a step adds to other memory than the rest. */
static void test_graphs__accumulation(void **state)
{
    setting s = { .compute = AXL_COMPUTE_F32, .accumulation = 3 };
    rig x = rig_begin(emulated_device(), &s), y;
    uint64_t before = graphs();

    (void)state;
    s.plain = true;
    y = rig_begin(emulated_device(), &s);
    for (uint32_t i = 0; i < STEPS; i++)
        assert_true(rig_step(&x, &s, i) == rig_step(&y, &s, i));
    rig_assert_same_values(&x, &y);
    assert_graphs(before, 3 * STEPS - 2);
    rig_end(&x);
    rig_end(&y);
}

static void test_graphs__launches_are_one(void **state)
{
    setting s = { .compute = AXL_COMPUTE_BF16 };
    double loss;
    size_t n;

    (void)state;
    skip_without_counts();
    rig r = rig_begin(emulated_device(), &s);
    step_of(&r, &usual, 0);
    step_of(&r, &usual, 1);
    free(rig_values(&r, &n)); /* waits for all of it */
    tiny_data *d = tiny_batch(usual.of, usual.n, 2);
    EMULATED(reset)();
    assert_ok(axl_trainer_forward_backward(r.tr, &d->batch, &loss));
    assert_int_equal(emulated_counts_of("").launches, 1);
    assert_int_equal(emulated_counts_of("").waits, 1);
    free(d);
    rig_end(&r);
}

/* Where the device has no room for a graph the calls run one by one. */
static void test_graphs__no_memory_for_a_graph(void **state)
{
    const setting s = { .compute = AXL_COMPUTE_BF16 };
    const setting plain = { .compute = AXL_COMPUTE_BF16, .plain = true };
    uint64_t before;

    (void)state;
    skip_without_counts();
    rig x = rig_begin(emulated_device(), &s), y = rig_begin(emulated_device(), &plain);
    assert_true(step_of(&x, &usual, 0) == step_of(&y, &usual, 0));
    before = graphs();
    EMULATED(limit)(1);
    assert_true(step_of(&x, &usual, 1) == step_of(&y, &usual, 1));
    assert_true(step_of(&x, &usual, 2) == step_of(&y, &usual, 2));
    EMULATED(limit)(0);
    assert_graphs(before, 0);
    rig_end(&x);
    rig_end(&y);
}

/* Every pass draws other numbers. */
static void test_graphs__with_dropout_and_noise(void **state)
{
    enum { N = sizeof alike / sizeof alike[0] };

    (void)state;
    check((setting){ .compute = AXL_COMPUTE_F32, .dropout = 0.1 }, alike, N, N - 1);
    check((setting){ .compute = AXL_COMPUTE_F32, .noise = 5.0 }, alike, N, N - 1);
}

/* Pairs that begin anew are other values in the same places. */
static void test_graphs__restarts(void **state)
{
    const setting s = { .compute = AXL_COMPUTE_F32, .relora_steps = 2 };
    rig x = rig_begin(emulated_device(), &s), y = rig_begin("cpu", &s);

    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        double loss = step_of(&x, &usual, i), expected = step_of(&y, &usual, i);
        assert_true(fabs(loss - expected) <= 1e-5 * expected);
    }
    rig_end(&x);
    rig_end(&y);
}

/* ---- several at a time ---- */

static const setting shared = { .compute = AXL_COMPUTE_F32, .weights = AXL_WEIGHTS_NF4 };

typedef struct worker {
    rig r;
    double losses[2 * STEPS];
    pthread_t thread;
} worker;

static void *work(void *arg)
{
    worker *w = arg;

    for (uint32_t i = 0; i < 2 * STEPS; i++)
        w->losses[i] = step_of(&w->r, i == 2 ? &large : &usual, i);
    return NULL;
}

static void test_graphs__two_threads_on_a_device(void **state)
{
    axl_context *ctx = rig_context(emulated_device());
    worker workers[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        workers[i].r = rig_begin_on(ctx, emulated_device(), &shared);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    work(&workers[2]);
    for (int i = 0; i < 3; i++) {
        assert_memory_equal(workers[i].losses, workers[2].losses, sizeof workers[2].losses);
        rig_end_on(&workers[i].r);
    }
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_graphs__same_results),
        cmocka_unit_test(test_graphs__batches_of_several_shapes),
        cmocka_unit_test(test_graphs__another_model_needs_more_memory),
        cmocka_unit_test(test_graphs__accumulation),
        cmocka_unit_test(test_graphs__launches_are_one),
        cmocka_unit_test(test_graphs__no_memory_for_a_graph),
        cmocka_unit_test(test_graphs__with_dropout_and_noise),
        cmocka_unit_test(test_graphs__restarts),
        cmocka_unit_test(test_graphs__two_threads_on_a_device),
    };

    return test_run(tests);
}
