/* SPDX-License-Identifier: Apache-2.0 */
/* test_pack.c - bins hold every item once, never too much, and are well filled. */
#include "testing.h"

#include "base/os.h"
#include "base/rng.h"
#include "data/pack.h"

typedef axl_status (*pack_fn)(axl__bins *, axl_context *, const uint32_t *, const uint32_t *, uint32_t,
                              uint32_t);

/* Checks the invariants and gives the fill. */
static double check(pack_fn pack, axl_context *ctx, const uint32_t *lengths, const uint32_t *order,
                    uint32_t n, uint32_t capacity)
{
    axl__bins bins;
    unsigned char *seen = calloc(n, 1);
    uint64_t total = 0;

    assert_ok(pack(&bins, ctx, lengths, order, n, capacity));
    assert_int_equal(bins.starts[0], 0);
    assert_int_equal(bins.starts[bins.n_bins], n);
    for (uint32_t b = 0; b < bins.n_bins; b++) {
        uint64_t sum = 0;
        assert_true(bins.starts[b] < bins.starts[b + 1]);
        for (uint32_t k = bins.starts[b]; k < bins.starts[b + 1]; k++) {
            assert_true(bins.items[k] < n && !seen[bins.items[k]]);
            seen[bins.items[k]] = 1;
            sum += lengths[bins.items[k]];
        }
        assert_true(sum <= capacity);
        total += sum;
    }
    double fill = (double)total / ((double)bins.n_bins * capacity);
    axl__bins_free(ctx, &bins);
    free(seen);
    return fill;
}

static void test_pack__holds_every_item_once(void **state)
{
    axl_context *ctx = test_context();

    (void)state;
    for (uint64_t round = 0; round < 300; round++) {
        uint32_t n = 1 + (uint32_t)axl__random_below(round, 9, 0, 400);
        uint32_t capacity = 1 + (uint32_t)axl__random_below(round, 9, 1, 3000);
        uint32_t *lengths = malloc(n * sizeof *lengths), *order = malloc(n * sizeof *order);
        for (uint32_t i = 0; i < n; i++)
            lengths[i] = 1 + (uint32_t)axl__random_below(round, 8, i, capacity);
        axl__shuffle(order, n, round, 7);
        check(axl__pack_first_fit, ctx, lengths, order, n, capacity);
        check(axl__pack_in_order, ctx, lengths, order, n, capacity);
        free(lengths);
        free(order);
    }
    axl_context_free(ctx);
}

/* Lengths in the shape of Alpaca's: a fixed prompt, then a skewed tail. */
static void alpaca_lengths(uint32_t *lengths, uint32_t n, uint32_t capacity)
{
    for (uint32_t i = 0; i < n; i++) {
        double u = axl__random_double(1, 6, i);
        uint32_t length = 60 + (uint32_t)(40.0 * u / (1.0 - u * 0.95));
        lengths[i] = length > capacity ? capacity : length;
    }
}

static void test_pack__fills_bins(void **state)
{
    static const uint32_t capacities[] = { 512, 1024, 2048 };
    enum { N = 52000 };
    axl_context *ctx = test_context();
    uint32_t *lengths = malloc(N * sizeof *lengths), *order = malloc(N * sizeof *order);

    (void)state;
    axl__shuffle(order, N, 3, 7);
    for (size_t c = 0; c < 3; c++) {
        alpaca_lengths(lengths, N, capacities[c]);
        assert_true(check(axl__pack_first_fit, ctx, lengths, order, N, capacities[c]) >= 0.95);
    }
    free(lengths);
    free(order);
    axl_context_free(ctx);
}

static void test_pack__keeps_order(void **state)
{
    static const uint32_t lengths[] = { 5, 5, 5, 1, 9, 2 }, order[] = { 0, 1, 2, 3, 4, 5 };
    static const uint32_t starts[] = { 0, 2, 4, 5, 6 };
    axl_context *ctx = test_context();
    axl__bins bins;

    (void)state;
    assert_ok(axl__pack_in_order(&bins, ctx, lengths, order, 6, 10));
    assert_int_equal(bins.n_bins, 4);
    assert_memory_equal(bins.starts, starts, sizeof starts);
    assert_memory_equal(bins.items, order, sizeof order);
    axl__bins_free(ctx, &bins);
    axl_context_free(ctx);
}

static void test_pack__takes_a_million(void **state)
{
    enum { N = 1000000 };
    axl_context *ctx = test_context();
    uint32_t *lengths = malloc(N * sizeof *lengths), *order = malloc(N * sizeof *order);
    double start;

    (void)state;
    alpaca_lengths(lengths, N, 2048);
    axl__shuffle(order, N, 3, 7);
    start = axl__now();
    assert_true(check(axl__pack_first_fit, ctx, lengths, order, N, 2048) >= 0.98);
    print_message("1,000,000 samples: %d ms\n", (int)((axl__now() - start) * 1e3));
    free(lengths);
    free(order);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pack__holds_every_item_once),
        cmocka_unit_test(test_pack__fills_bins),
        cmocka_unit_test(test_pack__keeps_order),
        cmocka_unit_test(test_pack__takes_a_million),
    };

    return test_run(tests);
}
