/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_unfrozen.c - some of a model's own weights trained (unfrozen_parameters): which, and how
 * they move, against Axolotl 0.19 (unfrozen.json, make_unfrozen.py); and that all others stay as
 * files have them.
 */
#include "testing.h"

#include "base/json.h"
#include "model/write_model.h"
#include "tensor/safetensors.h"

#include <math.h>

enum { PATTERNS_MAX = 8, IDS_MAX = 256 };

typedef struct {
    int32_t ids[IDS_MAX], cu[3];
    axl_batch batch;
} sequences;

static const char *variant_path(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", test_source_path("tests/golden/model_variants"), name);
    return path;
}

static const axl__json *read_json(axl__arena *arena, const char *path)
{
    axl__file f;
    axl__json *root;

    assert_ok(axl__file_open(&f, arena->ctx, path, true));
    char *copy = axl__arena_strndup(arena, (const char *)f.data, f.size);
    assert_ok(axl__json_parse(&root, arena, copy, f.size, path));
    axl__file_close(&f);
    return root;
}

/* The two of a variant's expect.json, every token a label. */
static void read_sequences(axl__arena *arena, const char *dir, sequences *s)
{
    char path[600];
    int32_t n = 0, i = 0;

    snprintf(path, sizeof path, "%s/expect.json", dir);
    const axl__json *lists = axl__json_get(read_json(arena, path), "input_ids");
    *s = (sequences){ .batch = AXL_BATCH_INIT };
    for (const axl__json *list = lists->child; list; list = list->next) {
        for (const axl__json *v = list->child; v; v = v->next)
            s->ids[n++] = (int32_t)v->integer;
        s->cu[++i] = n;
    }
    s->batch.input_ids = s->batch.labels = s->ids;
    s->batch.cu_seqlens = s->cu;
    s->batch.n_seqs = 2;
    s->batch.n_tokens = (uint32_t)n;
}

typedef struct {
    axl_context *ctx;
    axl__arena arena;
    axl_model *model;
    sequences data;
    char dir[512];
} fixture;

static void setup_in(fixture *f, axl_context *ctx, const char *variant, uint32_t compute)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;

    f->ctx = ctx;
    axl__arena_init(&f->arena, ctx);
    snprintf(f->dir, sizeof f->dir, "%s", variant_path(variant));
    read_sequences(&f->arena, f->dir, &f->data);
    o.compute = compute;
    assert_ok(axl_model_open(&f->model, ctx, f->dir, &o));
}

static void setup(fixture *f, const char *variant, uint32_t compute)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    axl_context *ctx;

    o.isa = test_isa();
    assert_ok(axl_context_new(&ctx, &o));
    setup_in(f, ctx, variant, compute);
}

static void teardown(fixture *f)
{
    axl_model_free(f->model);
    axl__arena_free(&f->arena);
    axl_context_free(f->ctx);
}

static axl_status new_trainer(axl_trainer **out, fixture *f, const char *const *patterns, size_t n)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_optimizer_options rule = AXL_OPTIMIZER_OPTIONS_INIT;

    rule.weight_decay = 0.5;
    o.optimizer = &rule;
    o.learning_rate = 0.01;
    o.max_grad_norm = 0.0;
    o.unfrozen_parameters = patterns;
    o.n_unfrozen_parameters = n;
    return axl_trainer_new(out, f->model, NULL, &o);
}

static double step(axl_trainer *tr, fixture *f)
{
    double loss;

    assert_ok(axl_trainer_forward_backward(tr, &f->data.batch, &loss));
    assert_ok(axl_trainer_step(tr, NULL));
    return loss;
}

static float *read_all(axl_trainer *tr, size_t i, axl_tensor_info *t)
{
    *t = (axl_tensor_info)AXL_TENSOR_INFO_INIT;
    assert_ok(axl_trainer_get_tensor(tr, i, t));
    float *values = malloc(t->rows * t->cols * sizeof *values);
    assert_ok(axl_trainer_read(tr, i, values));
    return values;
}

/* ---- the golden ---- */

static size_t read_patterns(const axl__json *list, const char **out)
{
    size_t n = 0;

    for (const axl__json *v = list->child; v; v = v->next)
        out[n++] = v->text;
    return n;
}

/* How far a row has moved; of a vector an element. */
static double row_moved(const float *now, const float *before, const axl_tensor_info *t, int64_t r)
{
    uint64_t width = t->rows == 1 ? 1 : t->cols;
    double sum = 0.0;

    for (uint64_t c = 0; c < width; c++) {
        double d = (double)now[(uint64_t)r * width + c] - before[(uint64_t)r * width + c];
        sum += d * d;
    }
    return sqrt(sum);
}

static void check_moved(axl_trainer *tr, float *const *before, const axl__json *rows,
                        const axl__json *moved)
{
    assert_int_equal(axl_trainer_count(tr), moved->count);
    for (size_t i = 0; i < axl_trainer_count(tr); i++) {
        axl_tensor_info t;
        float *now = read_all(tr, i, &t);
        const axl__json *want = axl__json_get(moved, t.name), *row = rows->child;
        assert_non_null(want);
        for (const axl__json *w = want->child; w; w = w->next, row = row->next) {
            double got = row_moved(now, before[i], &t, row->integer);
            if (!(fabs(got - w->number) <= 2e-3 * w->number + 1e-7))
                fail_msg("%s, row %lld: moved by %g, not %g", t.name, (long long)row->integer, got,
                         w->number);
        }
        free(now);
    }
}

static void check_case(const axl__json *golden, const axl__json *c)
{
    const char *patterns[PATTERNS_MAX];
    size_t n = read_patterns(axl__json_get(c, "patterns"), patterns);
    float *before[64];
    axl_tensor_info t;
    axl_trainer *tr;
    fixture f;

    setup(&f, axl__json_string(c, "model", ""), AXL_COMPUTE_F32);
    assert_ok(new_trainer(&tr, &f, patterns, n));
    assert_true(axl_trainer_count(tr) < 64);
    for (size_t i = 0; i < axl_trainer_count(tr); i++)
        before[i] = read_all(tr, i, &t);
    for (const axl__json *want = axl__json_get(c, "losses")->child; want; want = want->next) {
        double loss = step(tr, &f);
        if (!(fabs(loss - want->number) < 1e-5 * loss))
            fail_msg("%s: loss %.9g, not %.9g", patterns[0], loss, want->number);
    }
    check_moved(tr, before, axl__json_get(golden, "rows"), axl__json_get(c, "moved"));
    for (size_t i = 0; i < axl_trainer_count(tr); i++)
        free(before[i]);
    axl_trainer_free(tr);
    teardown(&f);
}

static void test_unfrozen__trains_what_axolotl_does(void **state)
{
    axl__arena arena;
    axl_context *ctx;

    (void)state;
    assert_ok(axl_context_new(&ctx, NULL));
    axl__arena_init(&arena, ctx);
    const axl__json *golden = read_json(&arena, test_source_path("tests/golden/unfrozen.json"));
    for (const axl__json *c = axl__json_get(golden, "cases")->child; c; c = c->next)
        check_case(golden, c);
    axl__arena_free(&arena);
    axl_context_free(ctx);
}

/* ---- results ---- */

/* Of files in one or more pieces. */
static const axl__st_tensor *find_in(axl__safetensors *files, size_t n, const char *name)
{
    const axl__st_tensor *t = NULL;

    for (size_t i = 0; i < n && !t; i++)
        t = axl__safetensors_find(&files[i], name);
    return t;
}

static size_t open_all(axl__safetensors *out, axl_context *ctx, const char *dir)
{
    static const char *const names[] = { "model.safetensors", "model-00001-of-00002.safetensors",
                                         "model-00002-of-00002.safetensors" };
    size_t n = 0;

    for (size_t i = 0; i < 3; i++) {
        char path[700];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        if (axl__path_kind_of(path) == AXL__PATH_FILE)
            assert_ok(axl__safetensors_open(&out[n++], ctx, path, true));
    }
    return n;
}

/* Every tensor of the model is in the result, of the same type; its bytes differ where its name has
 * the text. */
static void check_result(fixture *f, const char *dir, const char *trained)
{
    axl__safetensors base[2], made[2];
    size_t n = open_all(base, f->ctx, f->dir), m = open_all(made, f->ctx, dir), seen = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < base[i].count; j++) {
            const axl__st_tensor *was = &base[i].tensors[j];
            const axl__st_tensor *now = find_in(made, m, was->name);
            assert_non_null(now);
            assert_int_equal(now->dtype, was->dtype);
            assert_int_equal(now->size, was->size);
            bool same = memcmp(now->data, was->data, was->size) == 0;
            assert_int_equal(same, strstr(was->name, trained) == NULL);
            seen++;
        }
    for (size_t i = 0; i < m; i++)
        seen -= made[i].count;
    assert_int_equal(seen, 0);
    for (size_t i = 0; i < n; i++)
        axl__safetensors_close(&base[i]);
    for (size_t i = 0; i < m; i++)
        axl__safetensors_close(&made[i]);
}

static int count_tensor(void *user, const char *name, const axl_tensor_data *data)
{
    (void)name;
    (void)data;
    ++*(size_t *)user;
    return 0;
}

static int ignore_file(void *user, const axl_file *file)
{
    (void)user;
    (void)file;
    return 0;
}

static void check_files(const char *variant, uint32_t compute)
{
    static const char *const patterns[] = { "model.layers.1.mlp" };
    axl_trainer *tr;
    size_t handed = 0;
    fixture f;

    setup(&f, variant, compute);
    assert_ok(new_trainer(&tr, &f, patterns, 1));
    for (int n = 0; n < 3; n++)
        step(tr, &f);
    assert_ok(axl_trainer_export(tr, temp_path("exported")));
    check_result(&f, temp_path("exported"), "layers.1.mlp");
    axl_trainer_free(tr);
    assert_ok(axl_model_save(f.model, temp_path("saved")));
    check_result(&f, temp_path("saved"), "layers.1.mlp");
    assert_ok(axl_model_save_tensors(f.model, ignore_file, count_tensor, &handed));
    assert_true(handed > 10);
    teardown(&f);
}

static void test_unfrozen__what_is_frozen_keeps_its_bytes(void **state)
{
    (void)state;
    check_files("qwen2_bias", AXL_COMPUTE_F32);
    check_files("qwen2_bias", AXL_COMPUTE_BF16);
    check_files("tied_gqa_bf16_sharded", AXL_COMPUTE_BF16);
    check_files("head_dim_f16_llama3_old", AXL_COMPUTE_BF16);
    check_files("gemma3", AXL_COMPUTE_F32);
}

/* Shards of at most so many bytes, and the index that a model is opened by. */
static void test_unfrozen__results_may_be_shards(void **state)
{
    static const char *const patterns[] = { "model.layers.1.mlp" };
    enum { LIMIT = 60000, N = 12 };
    static float logits[2][N * 96];
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_model *again;
    axl_trainer *tr;
    fixture f;

    (void)state;
    setup(&f, "qwen2_bias", AXL_COMPUTE_F32);
    assert_ok(new_trainer(&tr, &f, patterns, 1));
    step(tr, &f);
    axl_trainer_free(tr);
    assert_ok(axl_model_save(f.model, temp_path("shards"))); /* of which nothing may stay */
    assert_ok(axl__model_write_trained(f.model, temp_path("shards"), false, LIMIT, NULL));
    assert_false(axl__has_file(temp_path("shards"), "model.safetensors"));
    assert_true(axl__has_file(temp_path("shards"), "model.safetensors.index.json"));
    check_result(&f, temp_path("shards"), "layers.1.mlp");
    o.compute = AXL_COMPUTE_F32;
    assert_ok(axl_model_open(&again, f.ctx, temp_path("shards"), &o));
    assert_ok(axl_model_logits(f.model, NULL, f.data.ids, N, logits[0]));
    assert_ok(axl_model_logits(again, NULL, f.data.ids, N, logits[1]));
    assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
    axl_model_free(again);
    teardown(&f);
}

/* Weights of a trainer that was stopped and gone on with are those of one that was not. */
static void test_unfrozen__goes_on_from_a_checkpoint(void **state)
{
    static const char *const patterns[] = { "model.layers.1.self_attn",
                                            "model.embed_tokens.weight[3:9]" };
    axl_trainer *whole, *first, *then;
    fixture f, g;

    (void)state;
    setup(&f, "tied_gqa_bf16_sharded", AXL_COMPUTE_BF16);
    setup(&g, "tied_gqa_bf16_sharded", AXL_COMPUTE_BF16);
    assert_ok(new_trainer(&first, &f, patterns, 2));
    step(first, &f);
    step(first, &f);
    assert_ok(axl_trainer_save(first, NULL, temp_path("checkpoint")));
    assert_ok(new_trainer(&then, &g, patterns, 2));
    assert_ok(axl_trainer_load(then, NULL, temp_path("checkpoint")));
    whole = first;
    assert_true(step(whole, &f) == step(then, &g));
    for (size_t i = 0; i < axl_trainer_count(whole); i++) {
        axl_tensor_info t;
        float *a = read_all(whole, i, &t), *b = read_all(then, i, &t);
        assert_memory_equal(a, b, t.rows * t.cols * sizeof *a);
        free(a);
        free(b);
    }
    axl_trainer_free(whole);
    axl_trainer_free(then);
    teardown(&f);
    teardown(&g);
}

/* All weights, moved by gradients that are theirs alone, end where these tensors do: what is frozen
 * changes nothing for the rest but what it would have changed itself. */
static void test_unfrozen__gradients_are_those_of_all_weights(void **state)
{
    static const char *const patterns[] = { "model.layers.2", "model.norm" };
    axl_trainer *some, *all;
    fixture f, g;
    double loss;

    (void)state;
    setup(&f, "gemma3", AXL_COMPUTE_F32);
    setup(&g, "gemma3", AXL_COMPUTE_F32);
    assert_ok(new_trainer(&some, &f, patterns, 2));
    assert_ok(new_trainer(&all, &g, NULL, 0));
    assert_ok(axl_trainer_forward_backward(some, &f.data.batch, &loss));
    assert_ok(axl_trainer_forward_backward(all, &g.data.batch, &loss));
    for (size_t i = 0, k = 0; i < axl_trainer_count(some); i++) {
        axl_tensor_info t = AXL_TENSOR_INFO_INIT, of = AXL_TENSOR_INFO_INIT;
        assert_ok(axl_trainer_get_tensor(some, i, &t));
        do
            assert_ok(axl_trainer_get_tensor(all, k++, &of));
        while (strcmp(of.name, t.name) != 0);
        size_t n = t.rows * t.cols;
        float *a = malloc(2 * n * sizeof *a);
        assert_ok(axl_trainer_read_gradient(some, i, a));
        assert_ok(axl_trainer_read_gradient(all, k - 1, a + n));
        assert_memory_equal(a, a + n, n * sizeof *a);
        free(a);
    }
    axl_trainer_free(some);
    axl_trainer_free(all);
    teardown(&f);
    teardown(&g);
}

/* ---- other uses of the model ---- */

static void test_unfrozen__an_adapter_is_merged_into_what_was_trained(void **state)
{
    static const char *const patterns[] = { "model.layers.1.mlp" };
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    axl_adapter *adapter;
    axl_trainer *tr;
    fixture f;

    (void)state;
    setup(&f, "qwen2_bias", AXL_COMPUTE_F32);
    assert_ok(new_trainer(&tr, &f, patterns, 1));
    step(tr, &f);
    axl_trainer_free(tr);
    assert_ok(axl_adapter_new(&adapter, f.model, &o)); /* B is 0: it adds nothing */
    assert_ok(axl_adapter_save_merged(adapter, temp_path("streamed")));
    check_result(&f, temp_path("streamed"), "layers.1.mlp");
    assert_ok(axl_adapter_merge(adapter));
    assert_ok(axl_model_save(f.model, temp_path("merged")));
    check_result(&f, temp_path("merged"), "layers.1.mlp");
    axl_adapter_free(adapter);
    teardown(&f);
}

static void test_unfrozen__the_same_may_be_trained_again(void **state)
{
    static const char *const patterns[] = { "model.layers.1.mlp", "model.norm" };
    axl_trainer *tr;
    fixture f;

    (void)state;
    setup(&f, "qwen2_bias", AXL_COMPUTE_BF16);
    for (int i = 0; i < 2; i++) {
        assert_ok(new_trainer(&tr, &f, patterns, 1));
        step(tr, &f);
        axl_trainer_free(tr);
    }
    assert_fails(new_trainer(&tr, &f, patterns, 2), AXL_ERR_INVALID,
                 "save it, and open the result");
    assert_fails(new_trainer(&tr, &f, NULL, 0), AXL_ERR_INVALID, "save it, and open the result");
    teardown(&f);
}

static void test_unfrozen__refuses_what_cannot_be_meant(void **state)
{
    static const struct {
        const char *pattern, *why;
    } cases[] = {
        { "model.layers.7", "no parameter's name begins with any of its patterns" },
        { "model\\.norm", "no parameter's name begins with any of its patterns" },
        { "norm", "no parameter's name begins with any of its patterns" },
        { "model.(norm", "unfrozen_parameters: \"model\\.(norm\" is no regular expression" },
        { "model.norm.weight[5:5]", "has a range without a row" },
        { "model.norm.weight[7:2]", "has a range without a row" },
        { "model.norm.weight[0:33]",
          "\"model.norm.weight[0:33]\" has rows that model.norm.weight, of 32 rows, has not" },
        { "model.norm.weight[32:]", "of 32 rows, has not" },
        { "model.norm.weight[99999999999999999999]", "of 32 rows, has not" },
    };
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    static const char *const norm[] = { "model.norm" };
    axl_trainer *tr;
    fixture f;

    (void)state;
    setup(&f, "qwen2_bias", AXL_COMPUTE_F32);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_fails(new_trainer(&tr, &f, &cases[i].pattern, 1), AXL_ERR_INVALID, cases[i].why);
    o.unfrozen_parameters = norm;
    o.n_unfrozen_parameters = 1;
    o.lisa_layers = 1;
    o.lisa_steps = 1;
    assert_fails(axl_trainer_new(&tr, f.model, NULL, &o), AXL_ERR_INVALID, "LISA");
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unfrozen__trains_what_axolotl_does),
        cmocka_unit_test(test_unfrozen__what_is_frozen_keeps_its_bytes),
        cmocka_unit_test(test_unfrozen__results_may_be_shards),
        cmocka_unit_test(test_unfrozen__goes_on_from_a_checkpoint),
        cmocka_unit_test(test_unfrozen__gradients_are_those_of_all_weights),
        cmocka_unit_test(test_unfrozen__an_adapter_is_merged_into_what_was_trained),
        cmocka_unit_test(test_unfrozen__the_same_may_be_trained_again),
        cmocka_unit_test(test_unfrozen__refuses_what_cannot_be_meant),
    };

    return test_run(tests);
}
