/* SPDX-License-Identifier: Apache-2.0 */
/* test_sample_store.c - samples in memory and, when they are many, in a file without a name that
 * becomes the prepared one. */
#include "testing.h"

#include "base/os.h"
#include "base/rng.h"
#include "data/dataset_cache.h"

#include <dirent.h>
#include <unistd.h>

enum { LENGTH = 1 << 16, MANY = 80 }; /* 80 samples are 42 MB: more than stays in memory */

static int32_t id_of(uint32_t sample, uint32_t i)
{
    return (int32_t)(sample * 1000003u + i * 7919u) & 0xFFFF;
}

/* Samples whose labels are the ids but for the first i. */
static axl__store *fill(axl_context *ctx, uint32_t n, uint32_t length, const char *near)
{
    axl__store *store = axl__store_new(ctx);
    int32_t *ids = malloc(length * sizeof *ids), *labels = malloc(length * sizeof *labels);
    uint32_t source;

    assert_non_null(store);
    if (near)
        assert_ok(axl__pile_spill(&store->pile, near));
    assert_ok(axl__store_add_source(store, "a file", &source));
    for (uint32_t s = 0; s < n; s++) {
        axl__row row = { .record = s, .length = length, .source = source, .pair = s };
        for (uint32_t i = 0; i < length; i++) {
            ids[i] = id_of(s, i);
            labels[i] = i < s ? AXL_LABEL_IGNORE : ids[i];
        }
        assert_ok(axl__store_add(store, &row, ids, labels, length));
    }
    assert_ok(axl__store_seal(store));
    free(ids);
    free(labels);
    return store;
}

static void check_row(const axl__store *store, const axl__row *row, uint32_t length)
{
    const int32_t *ids = axl__row_ids(store, row), *labels = axl__row_labels(store, row);
    uint32_t s = (uint32_t)row->record;

    assert_int_equal(row->length, length);
    assert_int_equal(row->pair, s);
    assert_int_equal(row->first_trained, s == 0);
    assert_int_equal(row->n_trained, s == 0 ? length - 1 : length - s);
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < length; i++)
        wrong += ids[i] != id_of(s, i) || labels[i] != (i < s ? AXL_LABEL_IGNORE : ids[i]);
    assert_int_equal(wrong, 0);
}

/* In the order that they were put into. */
static void check_rows(const axl__store *store, const uint32_t *order, uint32_t n, uint32_t length)
{
    assert_int_equal(store->n, n);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(store->rows[i].record, order[i]);
        check_row(store, &store->rows[i], length);
    }
}

static uint32_t *shuffled(axl__store *store)
{
    uint32_t *order = malloc(store->n * sizeof *order), *used = malloc(store->n * sizeof *used);

    axl__shuffle(order, store->n, 7, 7);
    memcpy(used, order, store->n * sizeof *used);
    axl__store_reorder(store, 0, store->n, used);
    free(used);
    return order;
}

static uint32_t count_names(const char *dir)
{
    DIR *d = opendir(dir);
    uint32_t n = 0;

    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void save_and_load(axl_context *ctx, uint32_t n, uint32_t length, const char *near,
                          const char *dir)
{
    axl_dataset_stats stats = AXL_DATASET_STATS_INIT, read = AXL_DATASET_STATS_INIT;
    axl__store *store = fill(ctx, n, length, near), *loaded;
    uint32_t *order = shuffled(store);

    stats.rows_read = n;
    stats.dropped_duplicates = 3;
    check_rows(store, order, n, length);
    assert_ok(axl__cache_save(store, &stats, ctx, dir, "key"));
    check_rows(store, order, n, length);
    axl__store_free(store);
    assert_int_equal(count_names(dir), 1);
    assert_int_equal(axl__cache_load(&loaded, &read, ctx, dir, "another"), AXL_END);
    assert_ok(axl__cache_load(&loaded, &read, ctx, dir, "key"));
    assert_int_equal(read.rows_read, n);
    assert_int_equal(read.dropped_duplicates, 3);
    assert_string_equal(loaded->sources[0], "a file");
    check_rows(loaded, order, n, length);
    axl__store_free(loaded);
    free(order);
}

static void test_sample_store__keeps_few_samples(void **state)
{
    axl_context *ctx = test_context();

    (void)state;
    save_and_load(ctx, 50, 100, NULL, temp_path("few"));
    save_and_load(ctx, 1, 1, temp_path("few"), temp_path("few"));
    axl_context_free(ctx);
}

/* A file in the same file system becomes the prepared one, one in another is copied. */
static void test_sample_store__keeps_many_samples(void **state)
{
    axl_context *ctx = test_context();
    char *near = axl__strdup(ctx, temp_path("not/yet"));

    (void)state;
    uint32_t n_names = count_names(test_temp_dir());
    axl__store *store = fill(ctx, MANY, LENGTH, near);
    assert_non_null(store->pile.file.ctx);
    assert_true(store->pile.cap < LENGTH * MANY / 4);
    assert_int_equal(count_names(test_temp_dir()), n_names);
    axl__store_free(store);
    save_and_load(ctx, MANY, LENGTH, near, near);
    if (access("/dev/shm", W_OK) == 0)
        save_and_load(ctx, MANY, LENGTH, "/dev/shm", near);
    axl__free(ctx, near);
    axl_context_free(ctx);
}

/* Of a process that is gone; another file's name is not ours. */
static void test_sample_store__removes_what_was_left(void **state)
{
    axl_context *ctx = test_context();
    char *dir = axl__strdup(ctx, temp_path("left"));
    const char *names[] = { "0123.axlrows.tmp2147483647", "mine.tmp2147483647" };
    char path[600];

    (void)state;
    assert_ok(axl__make_dirs(ctx, dir));
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        assert_ok(axl__write_file(ctx, path, "x", 1));
    }
    axl_dataset_stats stats = AXL_DATASET_STATS_INIT;
    axl__store *store = fill(ctx, 2, 2, NULL);
    assert_ok(axl__cache_save(store, &stats, ctx, dir, "key"));
    assert_int_equal(count_names(dir), 2);
    assert_true(axl__has_file(dir, names[1]));
    axl__store_free(store);
    axl__free(ctx, dir);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample_store__keeps_few_samples),
        cmocka_unit_test(test_sample_store__keeps_many_samples),
        cmocka_unit_test(test_sample_store__removes_what_was_left),
    };
    return test_run(tests);
}
