/* SPDX-License-Identifier: Apache-2.0 */
/* test_model_files.c - a model's weights in one file, or in shards with their index, each tensor
 * asked for when its turn comes. */
#include "testing.h"

#include "base/json.h"
#include "model/model_files.h"

#include <string.h>

enum { N = 5, COLS = 8 };

static const char *const names[N] = { "e", "a", "c", "b", "d" };
static const uint64_t rows[N] = { 1, 2, 9, 1, 1 };

/* Every element of an entry is its number. */
typedef struct {
    float values[9 * COLS];
    size_t asked;
    axl_status fails_at[N];
} source;

static axl_status fetch(void *user, size_t index, const void **data)
{
    source *s = user;

    s->asked++;
    for (size_t i = 0; i < 9 * COLS; i++)
        s->values[i] = (float)index;
    *data = s->values;
    return s->fails_at[index];
}

static axl_status write_in(axl_context *ctx, const char *dir, uint64_t room, source *s)
{
    axl__st_entry entries[N];

    for (size_t i = 0; i < N; i++)
        entries[i] = (axl__st_entry){
            .name = names[i], .dtype = AXL_F32, .n_dims = 2, .dims = { rows[i], COLS }
        };
    return axl__model_files_write(ctx, dir, entries, N, room, fetch, s, NULL);
}

static void check_file(axl_context *ctx, const char *path, const char *tensors)
{
    axl__safetensors st;

    assert_ok(axl__safetensors_open(&st, ctx, path, true));
    assert_int_equal(st.count, strlen(tensors));
    for (const char *t = tensors; *t; t++) {
        const char name[2] = { *t, '\0' };
        size_t i = 0;
        const axl__st_tensor *found = axl__safetensors_find(&st, name);
        while (strcmp(names[i], name) != 0)
            i++;
        assert_non_null(found);
        assert_int_equal(found->dims[0], rows[i]);
        assert_true(((const float *)found->data)[found->size / 4 - 1] == (float)i);
    }
    axl__safetensors_close(&st);
}

static void test_model_files__is_one_file_where_there_is_room(void **state)
{
    axl_context *ctx = test_context();
    source s = { .asked = 0 };

    (void)state;
    assert_ok(axl__make_dirs(ctx, temp_path("one")));
    assert_ok(write_in(ctx, temp_path("one"), AXL__SHARD_BYTES, &s));
    assert_int_equal(s.asked, N);
    check_file(ctx, temp_path("one/model.safetensors"), "eacbd");
    assert_false(axl__has_file(temp_path("one"), "model.safetensors.index.json"));
    axl_context_free(ctx);
}

static void test_model_files__is_shards_and_an_index(void **state)
{
    axl_context *ctx = test_context();
    source s = { .asked = 0 };
    axl__arena arena;
    axl__json *root;

    (void)state;
    assert_ok(axl__make_dirs(ctx, temp_path("many")));
    assert_ok(write_in(ctx, temp_path("many"), AXL__SHARD_BYTES, &s)); /* it will be replaced */
    assert_ok(write_in(ctx, temp_path("many"), 3 * COLS * sizeof(float), &s));
    check_file(ctx, temp_path("many/model-00001-of-00003.safetensors"), "ea");
    check_file(ctx, temp_path("many/model-00002-of-00003.safetensors"), "c");
    check_file(ctx, temp_path("many/model-00003-of-00003.safetensors"), "bd");
    assert_false(axl__has_file(temp_path("many"), "model.safetensors"));
    axl__arena_init(&arena, ctx);
    assert_ok(axl__json_read_file(&root, &arena, temp_path("many/model.safetensors.index.json")));
    const axl__json *map = axl__json_get(root, "weight_map");
    assert_int_equal(map->count, N);
    assert_string_equal(axl__json_string(map, "c", ""), "model-00002-of-00003.safetensors");
    assert_int_equal(axl__json_int(axl__json_get(root, "metadata"), "total_size", 0),
                     14 * COLS * 4);
    axl__arena_free(&arena);
    axl_context_free(ctx);
}

static void test_model_files__leaves_nothing_of_what_fails(void **state)
{
    axl_context *ctx = test_context();
    source s = { .fails_at = { [3] = AXL_ERR_IO } };

    (void)state;
    assert_ok(axl__make_dirs(ctx, temp_path("none")));
    assert_int_equal(write_in(ctx, temp_path("none"), AXL__SHARD_BYTES, &s), AXL_ERR_IO);
    assert_false(axl__has_file(temp_path("none"), "model.safetensors"));
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model_files__is_one_file_where_there_is_room),
        cmocka_unit_test(test_model_files__is_shards_and_an_index),
        cmocka_unit_test(test_model_files__leaves_nothing_of_what_fails),
    };

    return test_run(tests);
}
