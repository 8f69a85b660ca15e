/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_peft_variants.c - adapters of PEFT that are more than plain pairs (make_peft_variants.py):
 * logits, gradients, merging, and the way there and back.
 */
#include "testing.h"

#include "base/json.h"
#include "model/adapter.h"
#include "model/dora.h"
#include "tensor/safetensors.h"

#include <math.h>

static const char *const variants[] = { "regex",
                                        "layers",
                                        "patterns",
                                        "bias_all",
                                        "bias_lora_only",
                                        "lora_bias",
                                        "dora",
                                        "dora_bias_all",
                                        "pissa",
                                        "olora",
                                        "whole",
                                        "whole_layers",
                                        "tied_apart",
                                        "tied_embedding",
                                        "tied_together",
                                        "tied_grown",
                                        "rows",
                                        "rows_of_both",
                                        "tied_rows",
                                        "tied_rows_apart",
                                        "pair_of_embedding",
                                        "tied_pair_of_embedding",
                                        "scaled_pair_of_embedding" };
enum { N_VARIANTS = sizeof variants / sizeof variants[0] };

typedef struct {
    axl_context *ctx;
    axl_model *model;
    int32_t ids[64], labels[64], cu[3];
} base;

/* The model that a variant is of. */
static const char *model_of(const char *variant)
{
    return strncmp(variant, "tied_", 5) == 0     ? "tests/golden/model_variants/phi3_tied_bf16_old"
           : strncmp(variant, "scaled_", 7) == 0 ? "tests/golden/model_variants/gemma"
                                                 : "tests/golden/model_variants/llama_biases";
}

static axl_model *open_base(axl_context *ctx, const char *variant, const char *backend,
                            uint32_t compute)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_model *model;

    o.backend = backend;
    o.compute = compute;
    assert_ok(axl_model_open(&model, ctx, test_source_path(model_of(variant)), &o));
    return model;
}

static void base_open(base *b, const char *variant, const char *backend)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    axl__arena arena;
    axl__file f;
    axl__json *root;
    char path[1100];
    int32_t n = 0;
    int s = 0;

    snprintf(path, sizeof path, "%s/expect.json", test_source_path(model_of(variant)));

    o.isa = test_isa();
    assert_ok(axl_context_new(&b->ctx, &o));
    b->model = open_base(b->ctx, variant, backend, AXL_COMPUTE_F32);
    if (strcmp(variant, "tied_grown") == 0)
        assert_ok(axl_model_resize_embeddings(b->model, NULL, 40));
    axl__arena_init(&arena, b->ctx);
    assert_ok(axl__file_open(&f, b->ctx, path, true));
    assert_ok(axl__json_parse(
        &root, &arena, axl__arena_strndup(&arena, (const char *)f.data, f.size), f.size, path));
    for (const axl__json *q = axl__json_get(root, "input_ids")->child; q; q = q->next) {
        b->cu[s++] = n;
        for (const axl__json *v = q->child; v; v = v->next)
            b->ids[n++] = (int32_t)v->integer;
    }
    b->cu[s] = n;
    memcpy(b->labels, b->ids, sizeof b->labels);
    axl__file_close(&f);
    axl__arena_free(&arena);
}

static void base_close(base *b)
{
    axl_model_free(b->model);
    axl_context_free(b->ctx);
}

/* ||a - b|| / ||b|| */
static double distance(const float *a, const float *b, size_t n)
{
    double d = 0.0, s = 0.0;

    for (size_t i = 0; i < n; i++) {
        d += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        s += (double)b[i] * b[i];
    }
    return sqrt(d / (s > 0 ? s : 1.0));
}

static const char *variant_path(const char *variant, const char *below)
{
    static char paths[4][1100];
    static int turn;
    char *p = paths[turn++ % 4];

    snprintf(p, sizeof paths[0], "%s/%s%s", test_source_path("tests/golden/peft_variants"), variant,
             below);
    return p;
}

static const float *golden(const axl__safetensors *st, const char *name, size_t *n)
{
    const axl__st_tensor *t = axl__safetensors_find(st, name);

    if (!t)
        fail_msg("the golden lacks %s", name);
    *n = t->size / sizeof(float);
    return t->data;
}

static void check_logits(const base *b, axl_adapter *a, const axl__safetensors *st,
                         const char *variant, const char *what)
{
    size_t n;
    const float *want = golden(st, "lora.1", &n);
    float *got = malloc(n * sizeof *got);

    assert_ok(axl_model_logits(b->model, a, b->ids + b->cu[1], (size_t)(b->cu[2] - b->cu[1]), got));
    double d = distance(got, want, n);
    if (!(d < 1e-5))
        fail_msg("%s: logits %s differ by %g", variant, what, d);
    free(got);
}

static axl_batch batch_of(const base *b)
{
    axl_batch batch = AXL_BATCH_INIT;

    batch.input_ids = b->ids;
    batch.labels = b->labels;
    batch.cu_seqlens = b->cu;
    batch.n_seqs = 2;
    batch.n_tokens = (uint32_t)b->cu[2];
    return batch;
}

static void check_gradients(const base *b, axl_adapter *a, const axl__safetensors *st,
                            const char *variant, uint32_t checkpointing)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_batch batch = batch_of(b);
    axl_trainer *tr;

    o.checkpointing = checkpointing;
    assert_ok(axl_trainer_new(&tr, b->model, a, &o));
    assert_ok(axl_trainer_forward_backward(tr, &batch, NULL));
    for (size_t i = 0; i < axl_trainer_count(tr); i++) {
        axl_tensor_info t = AXL_TENSOR_INFO_INIT;
        char name[256];
        size_t n;
        assert_ok(axl_trainer_get_tensor(tr, i, &t));
        snprintf(name, sizeof name, "grad.%s", t.name);
        const float *want = golden(st, name, &n);
        assert_int_equal(n, t.rows * t.cols);
        float *got = malloc(n * sizeof *got);
        assert_ok(axl_trainer_read_gradient(tr, i, got));
        double d = distance(got, want, n);
        if (!(d < 1e-5))
            fail_msg("%s: gradient of %s differs by %g", variant, t.name, d);
        free(got);
    }
    size_t grads = 0;
    for (size_t i = 0; i < st->count; i++)
        grads += strncmp(st->tensors[i].name, "grad.", 5) == 0;
    assert_int_equal(grads, axl_trainer_count(tr));
    axl_trainer_free(tr);
}

/* What was merged is written, with a head of its own where it was tied and no longer is. */
static void check_merged_folder(base *b, const char *variant)
{
    size_t n = (size_t)(b->cu[1] - b->cu[0]);
    axl_model_info info = AXL_MODEL_INFO_INIT;
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_model *again;

    o.compute = AXL_COMPUTE_F32;
    assert_ok(axl_model_get_info(b->model, &info));
    float *want = malloc(2 * n * info.vocab_size * sizeof *want), *got = want + n * info.vocab_size;
    assert_ok(axl_model_save(b->model, temp_path("merged")));
    assert_ok(axl_model_open(&again, b->ctx, temp_path("merged"), &o));
    assert_ok(axl_model_logits(b->model, NULL, b->ids, n, want));
    assert_ok(axl_model_logits(again, NULL, b->ids, n, got));
    double d = distance(got, want, n * info.vocab_size);
    if (!(d < (strncmp(variant, "tied_", 5) == 0 ? 2e-2 : 1e-6))) /* the folder's are in bf16 */
        fail_msg("%s: logits of the merged folder differ by %g", variant, d);
    free(want);
    axl_model_free(again);
}

/* Merged a tensor at a time into a folder it is as merged in memory, but for being rounded. */
static void check_streamed(base *b, const axl_adapter *a, const axl__safetensors *st,
                           const char *variant)
{
    bool rounded = strncmp(variant, "tied_", 5) == 0; /* the folder's are in bf16 */
    size_t n, T = (size_t)(b->cu[2] - b->cu[1]);
    const float *want = golden(st, "lora.1", &n);
    float *got = malloc(n * sizeof *got);
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_model *streamed;

    o.compute = AXL_COMPUTE_F32;
    assert_ok(axl_adapter_save_merged(a, temp_path("streamed")));
    assert_ok(axl_model_open(&streamed, b->ctx, temp_path("streamed"), &o));
    assert_ok(axl_model_logits(streamed, NULL, b->ids + b->cu[1], T, got));
    double d = distance(got, want, n);
    if (!(d < (rounded ? 2e-2 : 1e-5)))
        fail_msg("%s: logits of the streamed folder differ by %g", variant, d);
    free(got);
    axl_model_free(streamed);
}

/* What lora_model_dir makes of it is the same, and learns. */
static void check_going_on(base *b, const axl_adapter *like, const axl_batch *batch,
                           const char *variant)
{
    axl_adapter *a;
    axl_trainer *tr;
    axl_config *cfg;
    double first, last;
    char text[4096];

    snprintf(text, sizeof text,
             "base_model: %s\ndatasets: [{path: x, type: alpaca}]\nadapter: lora\n"
             "micro_batch_size: 1\ngradient_accumulation_steps: 1\nlearning_rate: 1e-3\n"
             "output_dir: out\nlora_model_dir: %s\n",
             test_source_path(model_of(variant)), variant_path(variant, ""));
    assert_ok(axl_config_parse(&cfg, b->ctx, text, strlen(text), NULL, NULL));
    assert_ok(axl_adapter_from_config(&a, cfg, b->model));
    assert_int_equal(a->n_params, like->n_params);
    assert_memory_equal(a->params, like->params, (size_t)a->n_params * sizeof *a->params);
    assert_ok(axl_trainer_from_config(&tr, cfg, b->model, a, 4));
    assert_ok(axl_trainer_evaluate(tr, batch, &first));
    for (int i = 0; i < 4; i++) {
        assert_ok(axl_trainer_forward_backward(tr, batch, NULL));
        assert_ok(axl_trainer_step(tr, NULL));
    }
    assert_ok(axl_trainer_evaluate(tr, batch, &last));
    if (!(last < first))
        fail_msg("%s learns nothing when it goes on: %g after %g", variant, last, first);
    axl_trainer_free(tr);
    axl_adapter_free(a);
    axl_config_free(cfg);
}

static void check_variant(const char *variant, const char *backend)
{
    axl__safetensors st;
    axl_adapter *a, *again;
    axl_batch batch;
    base b;

    base_open(&b, variant, backend);
    assert_ok(
        axl__safetensors_open(&st, b.ctx, variant_path(variant, "/expect.safetensors"), true));
    assert_ok(axl_adapter_open(&a, b.model, variant_path(variant, "")));
    check_logits(&b, a, &st, variant, "as loaded");
    check_gradients(&b, a, &st, variant, 0);
    check_gradients(&b, a, &st, variant, 1);
    batch = batch_of(&b);
    check_going_on(&b, a, &batch, variant);
    assert_ok(axl_adapter_save(a, temp_path(variant)));
    assert_ok(axl_adapter_open(&again, b.model, temp_path(variant)));
    check_logits(&b, again, &st, variant, "as saved");
    check_streamed(&b, a, &st, variant);
    assert_ok(axl_adapter_merge(a));
    check_logits(&b, NULL, &st, variant, "as merged");
    check_merged_folder(&b, variant);
    axl_adapter_free(a);
    axl_adapter_free(again);
    axl__safetensors_close(&st);
    base_close(&b);
}

static void test_peft_variants__equal_peft(void **state)
{
    (void)state;
    for (size_t v = 0; v < N_VARIANTS; v++) {
        check_variant(variants[v], "reference");
        check_variant(variants[v], "cpu");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peft_variants__equal_peft),
    };

    return test_run(tests);
}
