/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_adapter_restart.c - a restart changes nothing of what the model computes, and what is
 * trained after it has the gradients that it has in one adapter of all pairs.
 */
#include "tiny_model.h"

#include "model/adapter.h"

enum { RANK = 4 };

static const uint32_t lengths[] = { 17, 40, 9 };

static double loss_of(axl_trainer *tr, const tiny_data *d)
{
    double sum;

    assert_ok(axl_trainer_evaluate(tr, &d->batch, &sum));
    return sum;
}

/* Moves every B, so that the pairs after a restart count too. */
static void fill_b(axl_adapter *a, uint32_t seed)
{
    for (size_t i = 1; i < axl_adapter_count(a); i += 2) {
        axl_tensor_info t = AXL_TENSOR_INFO_INIT;
        assert_ok(axl_adapter_get_tensor(a, i, &t));
        float *b = calloc(t.rows * t.cols, sizeof *b);
        for (uint32_t k = 0; k < t.rows * t.cols; k++)
            b[k] = ((float)(tiny_hash(seed + ((uint32_t)i << 20 | k)) % 2001) - 1000.0f) * 5e-5f;
        assert_ok(axl_adapter_write(a, i, b));
        free(b);
    }
}

/* The last RANK ranks of a joined adapter's gradients against those of the pairs trained alone. */
static void compare_gradients(axl_adapter *a, axl_trainer *a_tr, axl_adapter *joined,
                              axl_trainer *joined_tr)
{
    int64_t first = (int64_t)(joined->opts.rank - a->opts.rank);

    for (size_t i = 0; i < a->n_tensors; i++) {
        const axl__param *t = &a->tensors[i], *w = &joined->tensors[i];
        size_t n = (size_t)(t->rows * t->cols);
        float *x = calloc(n, sizeof *x), *y = calloc(n, sizeof *y);
        float *all = calloc((size_t)(w->rows * w->cols), sizeof *all);
        bool is_a = i % 2 == 0;
        assert_string_equal(t->name, w->name);
        assert_ok(axl_trainer_read_gradient(a_tr, i, x));
        assert_ok(axl_trainer_read_gradient(joined_tr, i, all));
        for (int64_t r = 0; r < t->rows; r++)
            for (int64_t c = 0; c < t->cols; c++)
                y[r * t->cols + c] =
                    all[is_a ? (r + first) * w->cols + c : r * w->cols + c + first];
        double d = tiny_distance(x, y, n);
        if (!(d < 1e-5))
            fail_msg("the gradient of %s is %g off", t->name, d);
        free(x);
        free(y);
        free(all);
    }
}

static void check_restarts(const char *backend, uint32_t checkpointing)
{
    axl_context *ctx = tiny_context(2);
    axl_model *model = tiny_model(ctx, backend, AXL_COMPUTE_F32);
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    tiny_data *data = tiny_batch(lengths, 3, 5);
    axl_adapter *a, *joined;
    axl_trainer *tr, *joined_tr;

    o.checkpointing = checkpointing;
    tr = tiny_trainer(model, &o, 0.0, &a);
    for (int k = 1; k <= 2; k++) {
        double before = loss_of(tr, data);
        assert_ok(axl__adapter_restart(a, 100 + (uint64_t)k));
        assert_int_equal(a->frozen->opts.rank, k * RANK);
        assert_true(fabs(loss_of(tr, data) - before) < 1e-5 * before);
        fill_b(a, (uint32_t)k * 77);
        assert_true(fabs(loss_of(tr, data) - before) > 1e-4 * before);
    }
    assert_ok(axl__adapter_joined(&joined, a));
    assert_int_equal(joined->opts.rank, 3 * RANK);
    assert_ok(axl_trainer_new(&joined_tr, model, joined, &o));
    double loss = loss_of(joined_tr, data);
    assert_true(fabs(loss_of(tr, data) - loss) < 1e-5 * loss);
    assert_ok(axl_trainer_forward_backward(tr, &data->batch, NULL));
    assert_ok(axl_trainer_forward_backward(joined_tr, &data->batch, NULL));
    compare_gradients(a, tr, joined, joined_tr);
    axl_trainer_free(tr);
    axl_trainer_free(joined_tr);
    axl_adapter_free(a);
    axl_adapter_free(joined);
    axl_model_free(model);
    axl_context_free(ctx);
    free(data);
}

static void test_adapter_restart__is_one_adapter_of_all_pairs(void **state)
{
    (void)state;
    check_restarts("cpu", 0);
    check_restarts("cpu", 1);
    check_restarts("reference", 0);
}

/* Saved, the pairs are one adapter; read back they are again what they were, bit for bit. */
static void test_adapter_restart__comes_back_from_a_file(void **state)
{
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter *a = tiny_adapter(model, 0.1), *b = tiny_adapter(model, 0.1), *file;

    (void)state;
    assert_ok(axl__adapter_restart(a, 7));
    fill_b(a, 9);
    assert_ok(axl_adapter_save(a, test_temp_dir()));
    assert_ok(axl_adapter_open(&file, model, test_temp_dir()));
    assert_int_equal(file->opts.rank, 2 * RANK);
    assert_true(file->loras[2].scale == a->loras[2].scale);
    assert_ok(axl__adapter_take(b, file));
    tiny_compare(a, NULL, b, NULL, 0.0);
    tiny_compare(a->frozen, NULL, b->frozen, NULL, 0.0);
    axl_adapter_free(file);
    axl_adapter_free(a);
    axl_adapter_free(b);
    axl_model_free(model);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adapter_restart__is_one_adapter_of_all_pairs),
        cmocka_unit_test(test_adapter_restart__comes_back_from_a_file),
    };

    return test_run(tests);
}
