/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_adapter_kinds.c - what adapters beside plain LoRA do in training: how they begin, dropout in
 * DoRA, and going on from a checkpoint bit for bit.
 */
#include "tiny_model.h"

#include "base/rng.h"
#include "model/adapter.h"
#include "model/decompose.h"
#include "model/linear.h"
#include "tensor/safetensors.h"

static const uint32_t lengths[] = { 17, 40, 9 };
static const char *const some[] = { "q_proj", "v_proj", "down_proj" };

/* ---- going on ---- */

typedef struct {
    const char *name, *init, *bias;
    uint32_t lora_bias, use_dora;
    double dropout;
    const char *optimizer;
    const char *whole[3]; /* modules_to_save */
    uint32_t bf16, rows;  /* of tokens that are trained */
} kind;

static const kind kinds[] = {
    { "dora", NULL, NULL, 0, 1, 0.0, NULL, { NULL }, 0, 0 },
    { "dora and dropout", NULL, NULL, 0, 1, 0.2, NULL, { NULL }, 0, 0 },
    { "dora from singular values", "pissa", NULL, 0, 1, 0.1, NULL, { NULL }, 0, 0 },
    { "biases of B", "false", NULL, 1, 0, 0.1, NULL, { NULL }, 0, 0 },
    { "singular values", "pissa", NULL, 0, 0, 0.1, NULL, { NULL }, 0, 0 },
    { "some of them", "pissa_niter_2", NULL, 0, 0, 0.0, NULL, { NULL }, 0, 0 },
    { "qr", "olora", NULL, 0, 0, 0.0, NULL, { NULL }, 0, 0 },
    { "orthogonal", "orthogonal", "all", 0, 0, 0.0, NULL, { NULL }, 0, 0 },
    { "rows", NULL, NULL, 0, 0, 0.1, NULL, { NULL }, 0, 9 },
    { "rows in bf16", NULL, NULL, 0, 0, 0.0, "adamw_8bit", { "norm" }, 1, 40 },
    { "whole", NULL, NULL, 0, 0, 0.1, NULL, { "embed_tokens", "lm_head" }, 0, 0 },
    { "whole in bf16", NULL, NULL, 0, 1, 0.0, NULL, { "embed_tokens", "lm_head" }, 1, 0 },
    { "whole layers", "pissa", NULL, 0, 0, 0.0, NULL, { "norm", "1.mlp", "o_proj" }, 0, 0 },
    { "whole in 8 bits", NULL, NULL, 0, 0, 0.0, "adamw_8bit", { "embed_tokens", "o_proj" }, 0, 0 },
    { "whole without a schedule",
      NULL,
      NULL,
      0,
      0,
      0.0,
      "schedule_free_adamw",
      { "lm_head" },
      1,
      0 },
    { "8 bits", "gaussian", NULL, 0, 1, 0.0, "adamw_8bit", { NULL }, 0, 0 },
};

/* Every second token of the batch's first ones, and ones that it lacks. */
static const uint32_t *tokens_of(uint32_t n)
{
    static uint32_t tokens[64];
    tiny_data *data = tiny_batch(lengths, 3, 5);
    uint32_t made = 0;

    for (uint32_t i = 0; made < n; i++) {
        uint32_t token = made % 2 ? 700 - made : (uint32_t)data->ids[i];
        bool there = false;
        for (uint32_t k = 0; k < made; k++)
            there = there || tokens[k] == token;
        if (!there)
            tokens[made++] = token;
    }
    free(data);
    return tokens;
}

static axl_adapter *make_kind(axl_model *model, const kind *k)
{
    static const char *const patterns[] = { "v_proj" };
    static const uint32_t ranks[] = { 6 };
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    axl_adapter *a;

    o.rank = 4;
    o.alpha = 8;
    o.dropout = k->dropout;
    o.target_modules = some;
    o.n_target_modules = 3;
    o.rank_pattern = patterns;
    o.rank_pattern_ranks = ranks;
    o.n_rank_pattern = 1;
    o.init_lora_weights = k->init;
    o.bias = k->bias;
    o.lora_bias = k->lora_bias;
    o.use_dora = k->use_dora;
    o.modules_to_save = k->whole;
    o.trainable_tokens = tokens_of(k->rows);
    o.n_trainable_tokens = k->rows;
    while (o.n_modules_to_save < 3 && k->whole[o.n_modules_to_save])
        o.n_modules_to_save++;
    assert_ok(axl_adapter_new(&a, model, &o));
    return a;
}

static axl_trainer *make_trainer(axl_model *model, axl_adapter *a, const kind *k)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_optimizer_options oo = AXL_OPTIMIZER_OPTIONS_INIT;
    axl_trainer *tr;

    if (k->optimizer)
        oo.name = k->optimizer;
    o.optimizer = &oo;
    o.learning_rate = 1e-2;
    assert_ok(axl_trainer_new(&tr, model, a, &o));
    return tr;
}

static double steps(axl_trainer *tr, const tiny_data *data, int n)
{
    axl_step_stats stats = AXL_STEP_STATS_INIT;

    for (int i = 0; i < n; i++) {
        assert_ok(axl_trainer_forward_backward(tr, &data->batch, NULL));
        assert_ok(axl_trainer_step(tr, &stats));
    }
    return stats.loss;
}

static double loss_of(axl_model *model, axl_adapter *a, const tiny_data *data)
{
    axl_trainer *tr;
    double sum;

    assert_ok(axl_trainer_new(&tr, model, a, NULL));
    assert_ok(axl_trainer_evaluate(tr, &data->batch, &sum));
    axl_trainer_free(tr);
    return sum;
}

/* ||logits - logits|| / ||logits|| of the batch's first sequence; without an adapter the model's.
 */
static void check_logits(const kind *k, const char *what, axl_model *model, axl_adapter *a,
                         const float *want)
{
    enum { N = 17 };
    float *got = calloc(N * TINY_VOCAB, sizeof *got);
    tiny_data *data = tiny_batch(lengths, 3, 5);

    assert_ok(axl_model_logits(model, a, data->ids, N, got));
    double d = tiny_distance(got, want, N * TINY_VOCAB);
    if (!(d < (k->bf16 ? 2e-2 : 1e-5)))
        fail_msg("%s, %s: logits are %g off", k->name, what, d);
    free(got);
    free(data);
}

static float *logits_of(axl_model *model, axl_adapter *a)
{
    float *logits = calloc(17 * TINY_VOCAB, sizeof *logits);
    tiny_data *data = tiny_batch(lengths, 3, 5);

    assert_ok(axl_model_logits(model, a, data->ids, 17, logits));
    free(data);
    return logits;
}

/* Learns, stops, and goes on from a checkpoint with the same bits. */
static void train(axl_model *model, axl_adapter *a, const kind *k, const char *dir)
{
    axl_adapter *b = make_kind(model, k);
    axl_trainer *tr = make_trainer(model, a, k), *again = make_trainer(model, b, k);
    tiny_data *data = tiny_batch(lengths, 3, 5);
    double first = steps(tr, data, 1), last = steps(tr, data, 3);

    if (!(last < first))
        fail_msg("%s learns nothing: %g after %g", k->name, last, first);
    assert_ok(axl_trainer_save(tr, NULL, dir));
    steps(tr, data, 2);
    assert_ok(axl_trainer_load(again, NULL, dir));
    steps(again, data, 2);
    tiny_compare(a, NULL, b, NULL, 0.0);
    axl_trainer_free(tr);
    axl_trainer_free(again);
    axl_adapter_free(b);
    free(data);
}

/* It begins as the model is, learns, and comes back from a folder; merged it computes the same. */
static void check_kind(const kind *k)
{
    axl_context *ctx = tiny_context(2);
    axl_model *model = tiny_model(ctx, "cpu", k->bf16 ? AXL_COMPUTE_BF16 : AXL_COMPUTE_F32);
    axl_adapter *a = make_kind(model, k), *file;
    float *base = logits_of(model, NULL), *want;
    char dir[200];

    snprintf(dir, sizeof dir, "%s/%s", test_temp_dir(), k->name);
    if (!k->init || strcmp(k->init, "false") != 0)
        check_logits(k, "new", model, a, base);
    train(model, a, k, dir);
    want = logits_of(model, a);
    assert_true(tiny_distance(base, want, 17 * TINY_VOCAB) > 1e-3);
    assert_ok(axl_adapter_save(a, dir));
    assert_ok(axl_adapter_open(&file, model, dir));
    check_logits(k, "from its folder", model, file, want);
    if (k->lora_bias) {
        assert_fails(axl_adapter_merge(a), AXL_ERR_UNSUPPORTED, "has no bias to add");
    } else {
        assert_ok(axl_adapter_merge(a));
        check_logits(k, "merged", model, NULL, want);
    }
    axl_adapter_free(a);
    axl_adapter_free(file);
    free(base);
    free(want);
    axl_model_free(model);
    axl_context_free(ctx);
}

static void test_adapter_kinds__train_and_go_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        check_kind(&kinds[i]);
}

/* ---- restarts ---- */

static void test_adapter_kinds__restarts_are_of_pairs(void **state)
{
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    const kind plain = { .name = "plain" };
    axl_adapter *a = make_kind(model, &plain), *joined;
    tiny_data *data = tiny_batch(lengths, 3, 5);
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_trainer *tr;

    (void)state;
    tr = make_trainer(model, a, &plain);
    steps(tr, data, 2);
    axl_trainer_free(tr);
    double before = loss_of(model, a, data);
    assert_ok(axl__adapter_restart(a, 7)); /* ranks of 4 and of 6 */
    assert_true(fabs(loss_of(model, a, data) - before) < 1e-6 * before);
    assert_ok(axl__adapter_joined(&joined, a));
    assert_true(fabs(loss_of(model, joined, data) - before) < 1e-6 * before);
    axl_adapter_free(joined);
    axl_adapter_free(a);
    o.relora_steps = 2;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] - 1; i++) {
        a = make_kind(model, &kinds[i]);
        assert_fails(axl_trainer_new(&tr, model, a, &o), AXL_ERR_UNSUPPORTED, "leave out relora");
        axl_adapter_free(a);
    }
    free(data);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* ---- the formula of DoRA with dropout ---- */

enum { T = 7, IN = 128, OUT = 128, R = 4 };

/* What axl__linears_forward() and backward() are given and give, of one layer. */
typedef struct {
    float x[T * IN], y[T * OUT], dy[T * OUT], dx[T * IN], mask[T * IN];
} layer_io;

/* dora.h's y, and gradients of <dy, y> with the gains held constant, in double. */
static void naive(const axl_adapter *a, const float *w, const float *params, const layer_io *io,
                  double *y, double *dm, double *da, double *db, double *dx)
{
    const axl__lora *l = &a->loras[axl__modules_in(&a->model->modules, 0, AXL__SLOT_QKV).first];
    const float *A = params + l->at[AXL__PART_A], *B = params + l->at[AXL__PART_B];
    const float *m = params + l->at[AXL__PART_MAGNITUDE];
    double s = (double)l->scale;

    for (int o = 0; o < OUT; o++) {
        double norm = 0.0;
        for (int c = 0; c < IN; c++) {
            double v = w[o * IN + c];
            for (int k = 0; k < R; k++)
                v += s * (double)B[o * R + k] * A[k * IN + c];
            norm += v * v;
        }
        norm = sqrt(norm);
        double g = m[o] / norm;
        for (int t = 0; t < T; t++) {
            double plain = 0.0, base = 0.0, pair = 0.0, d = io->dy[t * OUT + o];
            for (int c = 0; c < IN; c++) {
                double dropped = (double)io->x[t * IN + c] * io->mask[t * IN + c];
                plain += (double)io->x[t * IN + c] * w[o * IN + c];
                base += dropped * w[o * IN + c];
            }
            for (int k = 0; k < R; k++) {
                double xa = 0.0;
                for (int c = 0; c < IN; c++)
                    xa += (double)io->x[t * IN + c] * io->mask[t * IN + c] * A[k * IN + c];
                pair += s * xa * B[o * R + k];
                db[o * R + k] += d * g * s * xa;
                for (int c = 0; c < IN; c++) {
                    double dropped = (double)io->x[t * IN + c] * io->mask[t * IN + c];
                    da[k * IN + c] += d * g * s * B[o * R + k] * dropped;
                    dx[t * IN + c] +=
                        d * g * s * (double)B[o * R + k] * A[k * IN + c] * io->mask[t * IN + c];
                }
            }
            for (int c = 0; c < IN; c++)
                dx[t * IN + c] +=
                    d * (double)w[o * IN + c] * (1.0 + (g - 1.0) * io->mask[t * IN + c]);
            y[t * OUT + o] = plain + (g - 1.0) * base + g * pair;
            dm[o] += d * (base + pair) / norm;
        }
    }
}

static void check_close(const char *what, const float *got, const double *want, size_t n)
{
    double d = 0.0, s = 0.0;

    for (size_t i = 0; i < n; i++) {
        d += (got[i] - want[i]) * (got[i] - want[i]);
        s += want[i] * want[i];
    }
    if (!(sqrt(d / s) < 1e-5))
        fail_msg("%s is %g off", what, sqrt(d / s));
}

static void fill(float *x, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++)
        x[i] = ((float)(tiny_hash(seed + (uint32_t)i) % 2001) - 1000.0f) * 1e-3f;
}

static axl_mat mat(float *data, int64_t rows, int64_t cols)
{
    return (axl_mat){ data, AXL_F32, rows, cols, cols };
}

/* Runs the layer forward and backward, with the mask that it draws in io. */
static void run_layer(axl_model *model, axl_adapter *a, axl__linears g, layer_io *io, float *grads)
{
    axl__step_arena arena;
    axl__linear_scratch scratch = { 0 };
    axl__dora dora;
    const uint64_t seed = 3;
    float xa[T * R];

    assert_ok(axl__dora_init(&dora, a));
    assert_ok(axl__dora_measure(&dora, a));
    axl__pass p = { model, model->ops, model->dev, a, { .grads = grads, .dropout = 0.4f },
                    &seed, &dora,      NULL };
    axl_dropout_args drop = { mat(io->mask, T, IN),
                              mat(io->mask, T, IN),
                              0.4f,
                              &seed,
                              (uint64_t)AXL__STREAM_DROPOUT | (uint64_t)g.first << 8,
                              0,
                              false };
    assert_ok(model->ops->dropout(model->dev, &drop));
    axl__step_arena_init(&arena, model->ops, model->dev);
    assert_ok(axl__step_arena_reserve(&arena, 1 << 20));
    axl__linear_scratch_take(&arena, &scratch, &p, T, (axl__linear_size){ IN, R, OUT });
    axl_mat y = mat(io->y, T, OUT), dy = mat(io->dy, T, OUT), x = mat(io->x, T, IN);
    axl_mat kept = mat(xa, T, R);
    assert_ok(axl__linears_forward(&p, g, x, (axl_mat){ 0 }, &y, kept, &scratch));
    assert_ok(axl__linears_backward(&p, g, x, &dy, kept, mat(io->dx, T, IN), &scratch));
    axl__step_arena_free(&arena);
    axl__dora_free(&dora, a);
}

static axl_adapter *dora_of_q(axl_model *model)
{
    static const char *const q[] = { "0.self_attn.q_proj" };
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    axl_adapter *a;

    o.rank = R;
    o.target_modules = q;
    o.n_target_modules = 1;
    o.use_dora = 1;
    o.init_lora_weights = "false";
    assert_ok(axl_adapter_new(&a, model, &o));
    return a;
}

static void test_adapter_kinds__dora_with_dropout(void **state)
{
    static layer_io io;
    static double y[T * OUT], dm[OUT], da[R * IN], db[OUT * R], dx[T * IN];
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter *a = dora_of_q(model);
    axl__linears g = { axl__modules_in(&model->modules, 0, AXL__SLOT_QKV).first, 1 };
    const axl__lora *l = &a->loras[g.first];
    float *grads = calloc((size_t)a->n_params, sizeof *grads), *w = calloc(OUT * IN, sizeof *w);

    (void)state;
    for (int i = 0; i < OUT; i++)
        a->params[l->at[AXL__PART_MAGNITUDE] + i] *= 1.0f + 0.01f * (float)(i % 40);
    fill(io.x, T * IN, 1);
    fill(io.dy, T * OUT, 99999);
    for (int i = 0; i < T * IN; i++)
        io.mask[i] = 1.0f;
    run_layer(model, a, g, &io, grads);
    axl_unary_args widen = { model->modules.list[g.first].weight.mat, mat(w, OUT, IN) };
    assert_ok(model->ops->convert(model->dev, &widen));
    naive(a, w, a->params, &io, y, dm, da, db, dx);
    check_close("y", io.y, y, T * OUT);
    check_close("dm", grads + l->at[AXL__PART_MAGNITUDE], dm, OUT);
    check_close("dA", grads + l->at[AXL__PART_A], da, R * IN);
    check_close("dB", grads + l->at[AXL__PART_B], db, OUT * R);
    check_close("dx", io.dx, dx, T * IN);
    free(w);
    free(grads);
    axl_adapter_free(a);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* ---- how they begin ---- */

static float *values_of(axl_adapter *a, const char *part, uint64_t *rows, uint64_t *cols)
{
    for (size_t i = 0; i < axl_adapter_count(a); i++) {
        axl_tensor_info t = AXL_TENSOR_INFO_INIT;
        assert_ok(axl_adapter_get_tensor(a, i, &t));
        if (!strstr(t.name, part))
            continue;
        float *v = calloc(t.rows * t.cols, sizeof *v);
        assert_ok(axl_adapter_read(a, i, v));
        *rows = t.rows;
        *cols = t.cols;
        return v;
    }
    fail_msg("no %s", part);
    return NULL;
}

/* Mean, deviation and largest of a tensor. */
static void moments(axl_adapter *a, const char *part, double *deviation, double *largest)
{
    uint64_t rows, cols;
    float *v = values_of(a, part, &rows, &cols);
    double sum = 0.0, squares = 0.0;

    *largest = 0.0;
    for (uint64_t i = 0; i < rows * cols; i++) {
        sum += v[i];
        squares += (double)v[i] * v[i];
        *largest = fmax(*largest, fabs((double)v[i]));
    }
    *deviation = sqrt(squares / (double)(rows * cols));
    assert_true(fabs(sum / (double)(rows * cols)) < 0.1 * *deviation + 1e-12);
    free(v);
}

static axl_adapter *begin(axl_model *model, const char *init)
{
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    axl_adapter *a;

    o.rank = 8;
    o.init_lora_weights = init;
    assert_ok(axl_adapter_new(&a, model, &o));
    return a;
}

static void test_adapter_kinds__begin_in_pefts_distributions(void **state)
{
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    double deviation, largest;
    uint64_t rows, cols;

    (void)state;
    axl_adapter *a = begin(model, "false");
    moments(a, "down_proj.lora_A", &deviation, &largest);
    assert_true(largest <= 1.0 / sqrt(352.0) && largest > 0.95 / sqrt(352.0));
    moments(a, "down_proj.lora_B", &deviation, &largest);
    assert_true(largest <= 1.0 / sqrt(8.0) && largest > 0.95 / sqrt(8.0));
    axl_adapter_free(a);
    a = begin(model, "gaussian");
    moments(a, "down_proj.lora_A", &deviation, &largest);
    assert_true(fabs(deviation - 1.0 / 8) < 0.05 / 8 && largest > 3.0 / 8);
    moments(a, "down_proj.lora_B", &deviation, &largest);
    assert_true(largest == 0.0);
    axl_adapter_free(a);
    a = begin(model, "orthogonal");
    float *A = values_of(a, "down_proj.lora_A", &rows, &cols);
    assert_int_equal(rows, 8);
    double sum = 0.0;
    for (uint64_t i = 0; i < rows * cols; i++)
        sum += (double)A[i] * A[i];
    assert_true(fabs(sum / (352 * 4) - 0.01) < 0.001); /* four normal numbers a column, over ten */
    uint64_t out, r;
    float *B = values_of(a, "down_proj.lora_B", &out, &r);
    double apart = 0.0;
    for (uint64_t i = 0; i < out; i++)
        for (uint64_t c = 0; c < cols; c++) {
            double v = 0.0;
            for (uint64_t k = 0; k < r; k++)
                v += (double)B[i * r + k] * A[k * cols + c];
            apart = fmax(apart, fabs(v));
        }
    assert_true(apart < 1e-6); /* B A = 0 */
    free(A);
    free(B);
    axl_adapter_free(a);
    axl_model_free(model);
    axl_context_free(ctx);
}

static const float *golden(const axl__safetensors *st, const char *init, const char *what,
                           size_t *n)
{
    char name[64];

    snprintf(name, sizeof name, "%s.%s", init, what);
    const axl__st_tensor *t = axl__safetensors_find(st, name);
    assert_non_null(t);
    *n = t->size / sizeof(float);
    return t->data;
}

/* s B A, which has no signs that could differ. */
static void check_product(const axl_adapter *a, const axl__safetensors *st, const char *init,
                          const char *what)
{
    size_t n;
    const float *want = golden(st, init, what, &n);

    for (int64_t i = 0; i < a->model->modules.n; i++) {
        const axl__lora *l = &a->loras[i];
        if (!l->on || !strstr(a->model->modules.list[i].name, what))
            continue;
        double *got = calloc(n, sizeof *got);
        assert_int_equal(n, l->out * l->in);
        for (int64_t o = 0; o < l->out; o++)
            for (int64_t c = 0; c < l->in; c++)
                for (int64_t k = 0; k < l->rank; k++)
                    got[o * l->in + c] += (double)l->scale *
                                          a->params[l->at[AXL__PART_B] + o * l->rank + k] *
                                          a->params[l->at[AXL__PART_A] + k * l->in + c];
        check_close(what, want, got, n);
        free(got);
    }
}

static void test_adapter_kinds__begin_with_pefts_part_of_the_weight(void **state)
{
    static const char *const inits[] = { "pissa", "olora" };
    static const char *const targets[] = { "q_proj", "down_proj" };
    static const uint32_t layers[] = { 1 };
    axl_context *ctx = tiny_context(1);
    axl__safetensors st;
    axl_model_options mo = AXL_MODEL_OPTIONS_INIT;
    axl_model *model;

    (void)state;
    mo.compute = AXL_COMPUTE_F32;
    assert_ok(axl_model_open(&model, ctx,
                             test_source_path("tests/golden/model_variants/llama_biases"), &mo));
    assert_ok(axl__safetensors_open(
        &st, ctx, test_source_path("tests/golden/peft_variants/new/expect.safetensors"), true));
    for (int i = 0; i < 2; i++) {
        axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
        axl_adapter *a;
        o.rank = 4;
        o.alpha = 8;
        o.target_modules = targets;
        o.n_target_modules = 2;
        o.layers_to_transform = layers;
        o.n_layers_to_transform = 1;
        o.init_lora_weights = inits[i];
        assert_ok(axl_adapter_new(&a, model, &o));
        check_product(a, &st, inits[i], "q_proj");
        check_product(a, &st, inits[i], "down_proj");
        axl_adapter_free(a);
        o.rank = 64;
        assert_fails(axl_adapter_new(&a, model, &o), AXL_ERR_INVALID, "a rank of at most 32");
    }
    axl__safetensors_close(&st);
    axl_model_free(model);
    axl_context_free(ctx);
}

/* Rows go to the context's threads: the caller frees what the adapter's values are copied to. */
static float *begun_on_threads(uint32_t n_threads, const char *init, size_t *bytes)
{
    static const char *const targets[] = { "q_proj", "down_proj" };
    axl_context *ctx = tiny_context(n_threads);
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    axl_model *model;
    axl_adapter *a;

    o.rank = 9;
    o.target_modules = targets;
    o.n_target_modules = 2;
    o.init_lora_weights = init;
    assert_ok(axl_model_open(&model, ctx,
                             test_source_path("tests/golden/model_variants/llama_biases"), NULL));
    assert_ok(axl_adapter_new(&a, model, &o));
    *bytes = (size_t)a->n_params * sizeof(float);
    float *values = malloc(*bytes);
    assert_non_null(values);
    assert_ok(model->ops->download(model->dev, values, a->params, *bytes));
    axl_adapter_free(a);
    axl_model_free(model);
    axl_context_free(ctx);
    return values;
}

static void test_adapter_kinds__begin_alike_on_any_threads(void **state)
{
    static const char *const inits[] = { "pissa", "pissa_niter_2", "olora" };
    static const uint32_t threads[] = { 2, 5 };
    size_t bytes, n;

    (void)state;
    for (int i = 0; i < 3; i++) {
        float *alone = begun_on_threads(1, inits[i], &bytes);
        for (int k = 0; k < 2; k++) {
            float *shared = begun_on_threads(threads[k], inits[i], &n);
            assert_int_equal(n, bytes);
            assert_memory_equal(shared, alone, bytes);
            free(shared);
        }
        free(alone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adapter_kinds__train_and_go_on),
        cmocka_unit_test(test_adapter_kinds__restarts_are_of_pairs),
        cmocka_unit_test(test_adapter_kinds__dora_with_dropout),
        cmocka_unit_test(test_adapter_kinds__begin_in_pefts_distributions),
        cmocka_unit_test(test_adapter_kinds__begin_with_pefts_part_of_the_weight),
        cmocka_unit_test(test_adapter_kinds__begin_alike_on_any_threads),
    };

    return test_run(tests);
}
