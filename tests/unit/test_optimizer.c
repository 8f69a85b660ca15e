/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_optimizer.c - every optimizer against the implementation that Axolotl uses: parameters and
 * state after 100 steps (the goldens of make_optimizers.py), on both backends and every instruction
 * set; stopping and resuming; groups.
 */
#include "testing.h"

#include "base/json.h"
#include "optim/optim_method.h"
#include "tensor/registry.h"

#include <math.h>

typedef struct {
    const char *backend, *isa;
} machine;

static const machine machines[] = {
    { "reference", NULL }, { "cpu", "baseline" }, { "cpu", "avx2" },
    { "cpu", "avx512" },   { "cpu", NULL },
};
enum { N_MACHINES = sizeof machines / sizeof machines[0], MAX_TENSORS = 8, WARMUP = 10 };

/* What is trained, on one machine. */
typedef struct {
    axl_context *ctx;
    const axl_backend_ops *ops;
    axl_device *dev;
    axl__optim_tensor tensors[MAX_TENSORS];
    size_t n_tensors;
    int64_t n_params;
    float *params, *grads; /* device, which is the host here */
    axl__optim_target target;
} bed;

static void bed_open(bed *b, const machine *m, uint32_t threads)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;

    o.isa = m->isa ? m->isa : test_isa();
    o.threads = threads;
    assert_ok(axl_context_new(&b->ctx, &o));
    assert_ok(axl__backend_find(&b->ops, b->ctx, m->backend));
    assert_ok(b->ops->device_open(&b->dev, b->ctx, 0));
}

/* What a model's module table says of such a tensor. */
static axl__optim_tensor tensor_of(const char *name, int64_t at, int64_t rows, int64_t cols,
                                   bool vector)
{
    bool lookup = strcmp(name, "model.embed_tokens.weight") == 0;
    bool whole = strncmp(name, "base_model.", 11) == 0 && !strstr(name, "lora_") &&
                 !strstr(name, ".bias"); /* PEFT's modules_to_save */

    return (axl__optim_tensor){ .name = name,
                                .at = at,
                                .rows = rows,
                                .cols = cols,
                                .vector = vector,
                                .embedding = lookup || whole || strstr(name, "lm_head"),
                                .lookup = lookup };
}

static void bed_add(bed *b, const char *name, int64_t rows, int64_t cols, bool vector)
{
    assert_true(b->n_tensors < MAX_TENSORS);
    b->tensors[b->n_tensors++] = tensor_of(name, b->n_params, rows, cols, vector);
    b->n_params += (rows * cols + 15) & ~(int64_t)15;
}

static void bed_fill(bed *b)
{
    size_t bytes = (size_t)b->n_params * sizeof(float);
    void *p;

    assert_ok(b->ops->buffer_new(b->dev, &p, bytes));
    b->params = p;
    assert_ok(b->ops->zero(b->dev, p, bytes));
    assert_ok(b->ops->buffer_new(b->dev, &p, bytes));
    b->grads = p;
    assert_ok(b->ops->zero(b->dev, p, bytes));
    b->target = (axl__optim_target){ b->ctx,     b->ops,       b->dev,    AXL_F32,
                                     b->tensors, b->n_tensors, b->params, 1e-3 };
}

static void bed_close(bed *b)
{
    b->ops->buffer_free(b->dev, b->params);
    b->ops->buffer_free(b->dev, b->grads);
    b->ops->device_close(b->dev);
    axl_context_free(b->ctx);
}

/* ---- the numbers of make_optimizers.py ---- */

static float uniform(uint32_t k)
{
    uint32_t h = k * 2654435761u;

    h ^= h >> 16;
    h *= 0x45D9F3Bu;
    h ^= h >> 16;
    return (float)((h >> 8) * 0x1p-24 - 0.5);
}

static void set_params(bed *b)
{
    for (uint32_t t = 0; t < b->n_tensors; t++)
        for (uint32_t i = 0; i < b->tensors[t].rows * b->tensors[t].cols; i++)
            b->params[b->tensors[t].at + i] = uniform(7919u + t * 65536u + i);
}

static void set_grads(bed *b, int64_t step)
{
    for (uint32_t t = 0; t < b->n_tensors; t++)
        for (uint32_t i = 0; i < b->tensors[t].rows * b->tensors[t].cols; i++) {
            uint32_t k = t * 65536u + i;
            float g = uniform((uint32_t)step * 1000003u + k) + 0.125f * uniform(k);
            g *= ldexpf(1.0f, -(int)(i % 12));
            b->grads[b->tensors[t].at + i] = step == 1 && t == 0 ? 0.0f : g;
        }
}

static void run_steps(bed *b, axl__optimizer *o, double lr, int64_t from, int64_t to)
{
    for (int64_t step = from; step <= to; step++) {
        axl__optim_step s = { b->grads, lr * (double)(step < WARMUP ? step : WARMUP) / WARMUP,
                              1.0,      axl__optimizer_beta1(o),
                              step,     NULL,
                              NULL };
        set_grads(b, step);
        assert_ok(axl__optimizer_step(o, &s));
    }
}

/* ---- the goldens ---- */

typedef struct {
    axl_context *ctx;
    axl__arena arena;
    axl__file file;
    axl__json *root;
    axl__safetensors tensors;
    char state_path[128];
} goldens;

static void goldens_read(goldens *g, const char *relative)
{
    const char *path = test_source_path(relative);

    g->ctx = test_context();
    axl__arena_init(&g->arena, g->ctx);
    assert_ok(axl__file_open(&g->file, g->ctx, path, true));
    assert_ok(axl__json_parse(&g->root, &g->arena, (const char *)g->file.data, g->file.size, path));
}

static void goldens_open(goldens *g)
{
    const char *path = test_source_path("tests/golden/optimizers/states.safetensors");

    goldens_read(g, "tests/golden/optimizers/cases.json");
    assert_ok(axl__safetensors_open(&g->tensors, g->ctx, path, true));
    snprintf(g->state_path, sizeof g->state_path, "%s/state.safetensors", test_temp_dir());
}

static void goldens_close(goldens *g)
{
    remove(g->state_path);
    axl__safetensors_close(&g->tensors);
    axl__file_close(&g->file);
    axl__arena_free(&g->arena);
    axl_context_free(g->ctx);
}

static void add_tensors(bed *b, const goldens *g)
{
    for (const axl__json *t = axl__json_get(g->root, "tensors")->child; t; t = t->next) {
        const axl__json *dim = axl__json_get(t, "shape")->child;
        bool vector = dim->next == NULL;
        bed_add(b, axl__json_string(t, "name", ""), vector ? 1 : dim->integer,
                vector ? dim->integer : dim->next->integer, vector);
    }
}

static axl_optimizer_options case_options(const axl__json *c)
{
    axl_optimizer_options o = AXL_OPTIMIZER_OPTIONS_INIT;
    const axl__json *set = axl__json_get(c, "options");

    o.name = axl__json_string(c, "optimizer", NULL);
    o.args = axl__json_string(c, "args", NULL);
    o.beta1 = axl__json_double(set, "beta1", o.beta1);
    o.beta2 = axl__json_double(set, "beta2", o.beta2);
    o.beta3 = axl__json_double(set, "beta3", o.beta3);
    o.epsilon = axl__json_double(set, "epsilon", o.epsilon);
    o.epsilon2 = axl__json_double(set, "epsilon2", o.epsilon2);
    o.weight_decay = axl__json_double(set, "weight_decay", o.weight_decay);
    o.warmup_steps = (uint64_t)axl__json_int(set, "warmup_steps", 0);
    return o;
}

typedef struct {
    const char *label;
    const machine *machine;
    double worst_param, worst_state;
    size_t n_bytes, n_other; /* of 8-bit states: all, and those that differ */
    size_t n_scales;         /* tensors with a scale that differs */
} outcome;

static double rms(const float *x, size_t n)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return n ? sqrt(sum / (double)n) : 0.0;
}

/* The largest |y - want| / (|want| + rms(want)) over every stride-th y. */
static double distance(const float *y, const axl__st_tensor *want, size_t stride)
{
    size_t n = want->size / sizeof(float);
    float *w = malloc(want->size);
    double worst = 0.0;

    memcpy(w, want->data, want->size);
    double scale = rms(w, n);
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)y[i * stride] - w[i]) / (fabs((double)w[i]) + scale);
        worst = d > worst || isnan(d) ? d : worst;
    }
    free(w);
    return worst;
}

static const axl__st_tensor *wanted(const goldens *g, const char *label, const char *part,
                                    const char *name)
{
    char full[256];

    snprintf(full, sizeof full, "%s/%s%s%s", label, part, *part ? "." : "", name);
    return axl__safetensors_find(&g->tensors, full);
}

static void check_params(const bed *b, const goldens *g, outcome *out)
{
    size_t stride = (size_t)axl__json_int(g->root, "stride", 0);

    for (size_t i = 0; i < b->n_tensors; i++) {
        const axl__st_tensor *want = wanted(g, out->label, "param", b->tensors[i].name);
        assert_non_null(want);
        double d = distance(b->params + b->tensors[i].at, want, stride);
        out->worst_param = fmax(out->worst_param, d);
    }
}

static void count_bytes(const axl__st_tensor *t, const axl__st_tensor *want, outcome *out)
{
    const uint8_t *y = t->data, *w = want->data;

    assert_int_equal(t->size, want->size);
    for (size_t i = 0; i < t->size; i++)
        out->n_other += y[i] != w[i];
    out->n_bytes += t->size;
}

static void check_state(const goldens *g, axl__optimizer *o, outcome *out)
{
    size_t stride = (size_t)axl__json_int(g->root, "stride", 0);
    axl__safetensors st;

    assert_ok(axl__optimizer_save(o, g->state_path, NULL));
    assert_ok(axl__safetensors_open(&st, g->ctx, g->state_path, true));
    for (size_t i = 0; i < st.count; i++) {
        const axl__st_tensor *t = &st.tensors[i], *want = wanted(g, out->label, "", t->name);
        if (!want)
            fail_msg("%s: no golden for %s", out->label, t->name);
        assert_string_equal(t->dtype_name, want->dtype_name);
        if (strcmp(t->dtype_name, "U8") == 0) {
            count_bytes(t, want, out);
            continue;
        }
        if (strcmp(t->dtype_name, "F64") == 0) {
            double y, w;
            memcpy(&y, t->data, sizeof y);
            memcpy(&w, want->data, sizeof w);
            out->worst_state = fmax(out->worst_state, fabs(y - w) / fabs(w));
            continue;
        }
        float *y = malloc(t->size);
        memcpy(y, t->data, t->size);
        double d = distance(y, want, stride);
        out->worst_state = fmax(out->worst_state, d);
        out->n_scales += strstr(t->name, ".absmax.") && d != 0.0;
        free(y);
    }
    axl__safetensors_close(&st);
}

static void check_case(const goldens *g, const axl__json *c, const machine *m)
{
    outcome out = { axl__json_string(c, "label", ""), m, 0.0, 0.0, 0, 0, 0 };
    axl_optimizer_options opts = case_options(c);
    double lr = axl__json_double(c, "learning_rate", 0.0);
    bed b = { 0 };
    axl__optimizer *o;

    bed_open(&b, m, 1);
    add_tensors(&b, g);
    bed_fill(&b);
    set_params(&b);
    b.target.learning_rate = lr;
    assert_ok(axl__optimizer_new(&o, &b.target, &opts));
    run_steps(&b, o, lr, 1, axl__json_int(g->root, "steps", 0));
    check_params(&b, g, &out);
    check_state(g, o, &out);
    if (getenv("AXL_TEST_FIGURES"))
        print_message("%-20s %-9s %-8s parameters %.1e, state %.1e, %zu of %zu bytes differ\n",
                      out.label, m->backend, m->isa ? m->isa : "", out.worst_param, out.worst_state,
                      out.n_other, out.n_bytes);
    /* the reference rounds once where PyTorch does after each operation, the baseline has no fma */
    bool baseline = strcmp(axl_context_isa(b.ctx), "baseline") == 0;
    double slack = baseline || strcmp(m->backend, "reference") == 0 ? 2.5 : 1.0;
    if (!(out.worst_param <= slack * axl__json_double(c, "tolerance", 0.0)) ||
        !(out.worst_state <= slack * axl__json_double(c, "state_tolerance", 0.0)))
        fail_msg("%s on %s %s: parameters differ by %.3g, the state by %.3g", out.label, m->backend,
                 m->isa ? m->isa : "", out.worst_param, out.worst_state);
    double may_differ = axl__json_double(c, "other_bytes", 0.0);
    if ((double)out.n_other > may_differ * (double)out.n_bytes ||
        (may_differ == 0.0 && out.n_scales > 0))
        fail_msg("%s on %s %s: %zu of %zu bytes differ, scales of %zu tensors", out.label,
                 m->backend, m->isa ? m->isa : "", out.n_other, out.n_bytes, out.n_scales);
    axl__optimizer_free(o);
    bed_close(&b);
}

static void test_optimizer__equals_its_reference(void **state)
{
    goldens g;

    (void)state;
    goldens_open(&g);
    for (const axl__json *c = axl__json_get(g.root, "cases")->child; c; c = c->next)
        for (size_t i = 0; i < N_MACHINES; i += test_is_slow() ? N_MACHINES - 1 : 1)
            check_case(&g, c, &machines[i]);
    goldens_close(&g);
}

/* ---- stopping and resuming ---- */

static void check_resume(const goldens *g, const axl__json *c)
{
    axl_optimizer_options opts = case_options(c);
    double lr = axl__json_double(c, "learning_rate", 0.0);
    axl__optimizer *whole, *first, *second;
    axl__safetensors st;
    bed a = { 0 }, b = { 0 };

    for (bed *x = &a; x; x = x == &a ? &b : NULL) {
        bed_open(x, &machines[N_MACHINES - 1], x == &a ? 1 : 3);
        add_tensors(x, g);
        bed_fill(x);
        set_params(x);
        x->target.learning_rate = lr;
    }
    assert_ok(axl__optimizer_new(&whole, &a.target, &opts));
    run_steps(&a, whole, lr, 1, 20);
    assert_ok(axl__optimizer_new(&first, &b.target, &opts));
    run_steps(&b, first, lr, 1, 11);
    assert_ok(axl__optimizer_save(first, g->state_path, NULL));
    axl__optimizer_free(first);
    assert_ok(axl__optimizer_new(&second, &b.target, &opts));
    assert_ok(axl__safetensors_open(&st, b.ctx, g->state_path, true));
    char *host = malloc(axl__optimizer_state_size(second));
    assert_ok(axl__optimizer_read(second, &st, host));
    assert_ok(axl__optimizer_load(second, host, 11));
    free(host);
    axl__safetensors_close(&st);
    run_steps(&b, second, lr, 12, 20);
    if (memcmp(a.params, b.params, (size_t)a.n_params * sizeof(float)) != 0)
        fail_msg("%s: other bits after a stop, on three threads", opts.name);
    axl__optimizer_free(whole);
    axl__optimizer_free(second);
    bed_close(&a);
    bed_close(&b);
}

static void test_optimizer__resumes_with_the_same_bits(void **state)
{
    goldens g;

    (void)state;
    goldens_open(&g);
    for (const axl__json *c = axl__json_get(g.root, "cases")->child; c; c = c->next)
        check_resume(&g, c);
    goldens_close(&g);
}

/* ---- parts that rest ---- */

/* Each part, trained with the other or alone in the steps that it has. */
static void check_rests(const char *name)
{
    enum { STEPS = 30 };
    axl_optimizer_options opts = AXL_OPTIMIZER_OPTIONS_INIT;
    axl__optimizer *both, *alone[2];
    bed b = { 0 }, one[2] = { { 0 } };
    int64_t steps[3] = { 0 };

    opts.name = name;
    opts.weight_decay = 0.1;
    bed_open(&b, &machines[N_MACHINES - 1], 2);
    for (uint32_t t = 0; t < 2; t++) {
        bed_add(&b, t ? "b.weight" : "a.weight", 33, 128, false);
        b.tensors[t].part = t + 1;
        bed_open(&one[t], &machines[N_MACHINES - 1], 2);
        bed_add(&one[t], t ? "b.weight" : "a.weight", 33, 128, false);
        bed_fill(&one[t]);
        assert_ok(axl__optimizer_new(&alone[t], &one[t].target, &opts));
    }
    bed_fill(&b);
    set_params(&b);
    assert_ok(axl__optimizer_new(&both, &b.target, &opts));
    assert_true(axl__optimizer_may_rest(both));
    size_t bytes = 33 * 128 * sizeof(float);
    for (uint32_t t = 0; t < 2; t++)
        memcpy(one[t].params, b.params + b.tensors[t].at, bytes);
    for (int64_t step = 1; step <= STEPS; step++) {
        bool rests[3] = { false, step / 3 % 2 == 0, step / 3 % 2 == 1 };
        axl__optim_step s = { b.grads, 1e-3, 1.0, axl__optimizer_beta1(both), step, rests, steps };
        set_grads(&b, step);
        assert_ok(axl__optimizer_step(both, &s));
        for (uint32_t t = 0; t < 2; t++) {
            if (rests[t + 1])
                continue;
            s = (axl__optim_step){ one[t].grads, 1e-3, 1.0, s.beta1, ++steps[t + 1], NULL, NULL };
            memcpy(one[t].grads, b.grads + b.tensors[t].at, bytes);
            assert_ok(axl__optimizer_step(alone[t], &s));
        }
        for (uint32_t t = 0; t < 2; t++)
            assert_memory_equal(one[t].params, b.params + b.tensors[t].at, bytes);
    }
    for (uint32_t t = 0; t < 2; t++) {
        axl__optimizer_free(alone[t]);
        bed_close(&one[t]);
    }
    axl__optimizer_free(both);
    bed_close(&b);
}

static void test_optimizer__a_part_rests(void **state)
{
    static const char *const names[] = {
        "adamw_torch", "adamw_8bit", "lion_32bit",  "sgd",
        "adagrad",     "rmsprop",    "adopt_adamw", "ademamix_8bit"
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check_rests(names[i]);
}

static void test_optimizer__has_the_codes_of_bitsandbytes(void **state)
{
    static axl_quant_map map;
    goldens g;

    (void)state;
    goldens_open(&g);
    for (int i = 0; i < 2; i++) {
        const axl__st_tensor *want = axl__safetensors_find(&g.tensors, i ? "map/1" : "map/0");
        axl__quant_map_dynamic(&map, i == 0, AXL__ROUND_BITSANDBYTES);
        assert_int_equal(want->size, sizeof map.code);
        assert_memory_equal(want->data, map.code, sizeof map.code);
    }
    goldens_close(&g);
}

/* To the nearest code, whatever the place to start from. */
static void test_optimizer__rounds_to_the_nearest_code(void **state)
{
    static axl_quant_map map;

    (void)state;
    for (int is_signed = 0; is_signed < 2; is_signed++) {
        axl__quant_map_dynamic(&map, is_signed, AXL__ROUND_TORCHAO);
        for (int i = 0; i <= 40000; i++) {
            float x = (float)(exp(-i * 4e-4) * (i % 2 && is_signed ? -1 : 1));
            int c = axl__quant_code(&map, x), best = 0;
            for (int k = 1; k < 256; k++)
                if (fabsf(map.code[k] - x) < fabsf(map.code[best] - x))
                    best = k;
            if (fabsf(map.code[c] - x) > fabsf(map.code[best] - x) * (1.0f + 1e-5f))
                fail_msg("%.9g has code %d, nearer is %d", (double)x, c, best);
        }
    }
}

/* Bytes of state an element of what is trained. */
static double state_bytes(bed *b, const char *name)
{
    axl_optimizer_options o = AXL_OPTIMIZER_OPTIONS_INIT;
    axl__optimizer *made;

    o.name = name;
    assert_ok(axl__optimizer_new(&made, &b->target, &o));
    double bytes = (double)axl__optimizer_state_size(made) / (double)b->n_params;
    axl__optimizer_free(made);
    return bytes;
}

static void test_optimizer__state_of_few_bits_is_small(void **state)
{
    bed b = { 0 };

    (void)state;
    bed_open(&b, &machines[0], 1);
    bed_add(&b, "a.weight", 512, 512, false);
    bed_add(&b, "b.weight", 300, 511, false);
    bed_fill(&b);
    assert_true(fabs(state_bytes(&b, "adamw_torch") - 8.0) < 0.01);
    assert_true(fabs(state_bytes(&b, "adamw_bnb_8bit") - 2.0 * (1.0 + 4.0 / 256)) < 0.01);
    assert_true(fabs(state_bytes(&b, "lion_8bit") - (1.0 + 4.0 / 256)) < 0.01);
    bed_close(&b);
}

static void test_optimizer__has_every_name(void **state)
{
    (void)state;
    bed b = { 0 };
    bed_open(&b, &machines[0], 1);
    bed_add(&b, "model.layers.0.self_attn.q_proj.weight", 64, 65, false);
    bed_fill(&b);
    for (size_t i = 0; i < axl__n_optimizer_names; i++) {
        axl_optimizer_options o = AXL_OPTIMIZER_OPTIONS_INIT;
        axl__optimizer *made;
        o.name = axl__optimizer_names[i].name;
        assert_ok(axl__optimizer_new(&made, &b.target, &o));
        assert_string_equal(axl__optimizer_method(made), axl__optimizer_names[i].method);
        assert_int_equal(axl__optimizer_has_moments(made),
                         axl__optimizer_name_has_moments(&axl__optimizer_names[i]));
        axl__optimizer_free(made);
    }
    bed_close(&b);
}

/* ---- groups ---- */

static void read_lr_groups(axl_optimizer_options *o, const axl__json *list, const char **modules,
                           double *rates)
{
    o->lr_group_modules = modules;
    o->lr_group_rates = rates;
    for (const axl__json *g = list ? list->child : NULL; g; g = g->next)
        for (const axl__json *m = axl__json_get(g, "modules")->child; m; m = m->next) {
            modules[o->n_lr_group_modules] = m->text;
            rates[o->n_lr_group_modules++] = axl__json_double(g, "lr", 0.0);
        }
}

static void check_groups(const axl__json *c, const axl__optim_target *target, double weight_decay)
{
    axl_optimizer_options o = AXL_OPTIMIZER_OPTIONS_INIT;
    const axl__json *set = axl__json_get(c, "options");
    const char *modules[8];
    double rates[8];
    axl__param_groups groups;
    size_t i = 0;

    o.weight_decay = weight_decay;
    o.loraplus_lr_ratio = axl__json_double(set, "loraplus_lr_ratio", 0.0);
    o.embedding_lr = axl__json_double(set, "embedding_lr", 0.0);
    o.embedding_lr_scale = axl__json_double(set, "embedding_lr_scale", 0.0);
    read_lr_groups(&o, axl__json_get(set, "lr_groups"), modules, rates);
    assert_ok(axl__param_groups_new(&groups, target, &o, axl__json_get(set, "optimizer") != NULL));
    for (const axl__json *p = axl__json_get(c, "rate_and_decay")->child; p; p = p->next, i++) {
        const axl__param_group *g = &groups.groups[groups.of_tensor[i]];
        double rate = p->child->number, decay = p->child->next->number;
        if (fabs(g->rate * target->learning_rate - rate) > 1e-15 || g->weight_decay != decay)
            fail_msg("%s: rate %g and weight decay %g, Axolotl has %g and %g",
                     target->tensors[i].name, g->rate * target->learning_rate, g->weight_decay,
                     rate, decay);
    }
    axl__param_groups_free(&groups, target->ctx);
}

static void test_optimizer__groups_as_axolotl(void **state)
{
    axl__optim_tensor tensors[32];
    goldens g;

    (void)state;
    goldens_read(&g, "tests/golden/param_groups.json");
    axl__optim_target target = { .ctx = g.ctx, .tensors = tensors };
    target.learning_rate = axl__json_double(g.root, "learning_rate", 0.0);
    for (const axl__json *t = axl__json_get(g.root, "tensors")->child; t; t = t->next)
        tensors[target.n_tensors++] = tensor_of(axl__json_string(t, "name", ""), 0, 1, 1,
                                                axl__json_get(t, "shape")->count == 1);
    for (const axl__json *c = axl__json_get(g.root, "cases")->child; c; c = c->next)
        check_groups(c, &target, axl__json_double(g.root, "weight_decay", 0.0));
    axl__file_close(&g.file);
    axl__arena_free(&g.arena);
    axl_context_free(g.ctx);
}

/* An embedding's pair, where PEFT 0.20 misses its own rule. */
static void test_optimizer__loraplus_knows_embeddings(void **state)
{
    axl__optim_tensor t =
        tensor_of("base_model.model.model.embed_tokens.lora_embedding_B", 0, 1, 1, false);
    axl_optimizer_options o = AXL_OPTIMIZER_OPTIONS_INIT;
    axl__param_groups groups;

    (void)state;
    axl_context *ctx = test_context();
    axl__optim_target target = { .ctx = ctx, .tensors = &t, .n_tensors = 1, .learning_rate = 1e-3 };
    o.loraplus_lr_ratio = 16.0;
    assert_ok(axl__param_groups_new(&groups, &target, &o, false));
    assert_true(fabs(groups.groups[0].rate * 1e-3 - 1e-6) < 1e-18);
    axl__param_groups_free(&groups, ctx);
    axl_context_free(ctx);
}

/* ---- options ---- */

static void refused(bed *b, axl_optimizer_options *o, const char *text)
{
    axl__optimizer *made;

    assert_fails(axl__optimizer_new(&made, &b->target, o), AXL_ERR_INVALID, text);
    assert_null(made);
    *o = (axl_optimizer_options)AXL_OPTIMIZER_OPTIONS_INIT;
}

static void test_optimizer__names_what_is_out_of_range(void **state)
{
    static const char *const module = "q_proj";
    axl_optimizer_options o = AXL_OPTIMIZER_OPTIONS_INIT;
    double rate = 1e-4;
    bed b = { 0 };

    (void)state;
    bed_open(&b, &machines[0], 1);
    bed_add(&b, "model.layers.0.self_attn.q_proj.weight", 4, 4, false);
    bed_fill(&b);
    o.name = "adamw_trch";
    refused(&b, &o, "optimizer: \"adamw_trch\" is not supported");
    o.beta2 = 1.0;
    refused(&b, &o, "beta2 must be at least 0 and below 1, got 1.0");
    o.weight_decay = -0.1;
    refused(&b, &o, "weight_decay must be >= 0, got -0.1");
    o.args = "momentum=0.9";
    refused(&b, &o, "adamw_torch takes none");
    o.name = "sgd";
    o.args = "momentum=0.9,nesterow=true";
    refused(&b, &o, "sgd takes momentum, dampening, nesterov, found \"nesterow\"");
    o.name = "sgd";
    o.args = "momentum=much";
    refused(&b, &o, "momentum must be a number, got \"much\"");
    o.name = "sgd";
    o.args = "momentum=-1";
    refused(&b, &o, "momentum must be in [0, 1), got \"-1\"");
    o.name = "sgd";
    o.args = "momentum";
    refused(&b, &o, "expected key=value, found \"momentum\"");
    o.name = "sgd";
    o.args = "nesterov=true";
    refused(&b, &o, "nesterov needs a momentum");
    o.loraplus_lr_ratio = 16.0;
    o.lr_group_modules = &module;
    o.lr_group_rates = &rate;
    o.n_lr_group_modules = 1;
    refused(&b, &o, "lr_groups and loraplus_lr_ratio exclude each other");
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_optimizer__equals_its_reference),
        cmocka_unit_test(test_optimizer__resumes_with_the_same_bits),
        cmocka_unit_test(test_optimizer__a_part_rests),
        cmocka_unit_test(test_optimizer__has_the_codes_of_bitsandbytes),
        cmocka_unit_test(test_optimizer__rounds_to_the_nearest_code),
        cmocka_unit_test(test_optimizer__state_of_few_bits_is_small),
        cmocka_unit_test(test_optimizer__has_every_name),
        cmocka_unit_test(test_optimizer__groups_as_axolotl),
        cmocka_unit_test(test_optimizer__loraplus_knows_embeddings),
        cmocka_unit_test(test_optimizer__names_what_is_out_of_range),
    };

    return test_run(tests);
}
