/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cancel_soon.c - a cancel raised from a second thread: every call that can last returns soon.
 * (That its handle is then as before: test_cancel.c.)
 *
 * Soon is 0.3 s on a model of SmolLM2-135M's shape at 2,048 tokens.  What is held to it is the
 * shorter of two times between the raise and the return, that of the clock and that of the calling
 * thread on a processor: a busy machine may keep a thread waiting, but not computing.  Both are
 * printed.  A host that gives memory late makes any page's first use last, so what takes many
 * pages is tried again when it was late; what axl itself does late, it does each time.  Under
 * valgrind and sanitizers the model is a small one.
 */
#include "tiny_model.h"

#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const double allowed = 0.3; /* seconds */

/* ---- a second thread that raises ---- */

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Calls of one kind, each cut off at another moment. */
typedef struct {
    const char *name;
    int calls, cancelled;
    double wall, cpu, worst; /* the longest, and the longest of what is held to `allowed` */
} series;

typedef struct {
    pthread_t thread, caller;
    axl_cancel *cancel;
    double delay, wall, cpu; /* both clocks at the raise */
    int joined;
} raiser;

static void *raise_later(void *arg)
{
    raiser *r = arg;
    struct timespec t = { (time_t)r->delay, (long)((r->delay - floor(r->delay)) * 1e9) };
    clockid_t clock;

    nanosleep(&t, NULL);
    pthread_getcpuclockid(r->caller, &clock);
    r->wall = seconds(CLOCK_MONOTONIC);
    r->cpu = seconds(clock);
    axl_cancel_raise(r->cancel);
    return NULL;
}

static void start(raiser *r, axl_cancel *cancel, double delay)
{
    *r = (raiser){ .caller = pthread_self(), .cancel = cancel, .delay = delay };
    assert_int_equal(pthread_create(&r->thread, NULL, raise_later, r), 0);
}

/* What the call said, which is cancelled or was done before; the flag is lowered again. */
static int finish(raiser *r, series *s, axl_status status)
{
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
    char message[256];

    snprintf(message, sizeof message, "%s", axl_last_error());
    if (!r->joined)
        pthread_join(r->thread, NULL);
    axl_cancel_clear(r->cancel);
    s->calls++;
    if (status == AXL_OK)
        return 0;
    if (status != AXL_ERR_CANCELLED || !strstr(message, "cancelled"))
        fail_msg("%s: %s: %s", s->name, axl_status_name(status), message);
    s->cancelled++;
    wall -= r->wall;
    cpu -= r->cpu;
    s->wall = fmax(s->wall, wall);
    s->cpu = fmax(s->cpu, cpu);
    s->worst = fmax(s->worst, fmin(wall, cpu));
    return 1;
}

static int was_soon(const series *s)
{
    print_message("%s: %d of %d calls cancelled, %.4f s after the raise at most, %.4f s of the "
                  "thread's own\n",
                  s->name, s->cancelled, s->calls, s->wall, s->cpu);
    return test_is_slow() || s->worst <= allowed;
}

static void report(const series *s)
{
    if (!was_soon(s))
        fail_msg("%s: %.3f s is too long", s->name, s->worst);
}

/* The same cuts until all are soon, a few times. */
static void try_cuts(series (*cut)(void *arg), void *arg)
{
    series s;

    for (int i = 1; i < 3; i++) {
        s = cut(arg);
        if (was_soon(&s))
            return;
    }
    s = cut(arg);
    report(&s);
}

/* Delays that fall all over a call of this duration. */
static double delay_of(int i, double duration)
{
    return duration * (double)(i * 37 % 50) / 50.0;
}

/* ---- a model of SmolLM2-135M's shape ---- */

typedef struct {
    int layers, hidden, intermediate, heads, kv_heads, head_dim, vocab, tokens;
} shape;

static const shape smollm2_135m = { 30, 576, 1536, 9, 3, 64, 49152, 2048 };
static const shape small = { 3, 64, 128, 2, 1, 32, TINY_VOCAB, 64 };

static const shape *the_shape(void)
{
    return test_is_slow() ? &small : &smollm2_135m;
}

typedef struct {
    char *header;
    size_t at, end; /* of the header, of the data so far */
    uint64_t sizes[512];
    size_t n;
} weights;

static void add(weights *w, const char *name, int rows, int cols)
{
    uint64_t bytes = 2 * (uint64_t)(rows ? rows : 1) * (uint64_t)cols;

    w->at += (size_t)sprintf(w->header + w->at, "%s\"%s\":{\"dtype\":\"BF16\",\"shape\":[",
                             w->n ? "," : "{", name);
    if (rows)
        w->at += (size_t)sprintf(w->header + w->at, "%d,", rows);
    w->at += (size_t)sprintf(w->header + w->at, "%d],\"data_offsets\":[%zu,%zu]}", cols, w->end,
                             w->end + bytes);
    w->end += bytes;
    w->sizes[w->n++] = bytes;
}

static void add_layer(weights *w, const shape *s, int i)
{
    const struct {
        const char *name;
        int rows, cols;
    } parts[] = {
        { "input_layernorm", 0, s->hidden },
        { "post_attention_layernorm", 0, s->hidden },
        { "self_attn.q_proj", s->heads * s->head_dim, s->hidden },
        { "self_attn.k_proj", s->kv_heads * s->head_dim, s->hidden },
        { "self_attn.v_proj", s->kv_heads * s->head_dim, s->hidden },
        { "self_attn.o_proj", s->hidden, s->heads * s->head_dim },
        { "mlp.gate_proj", s->intermediate, s->hidden },
        { "mlp.up_proj", s->intermediate, s->hidden },
        { "mlp.down_proj", s->hidden, s->intermediate },
    };
    char name[96];

    for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
        snprintf(name, sizeof name, "model.layers.%d.%s.weight", i, parts[k].name);
        add(w, name, parts[k].rows, parts[k].cols);
    }
}

/* Random weights, as large as those of usual initialisations. */
static void write_weights(const shape *s, const char *path)
{
    weights w = { .header = malloc(1 << 17) };
    size_t most = (size_t)s->vocab * (size_t)s->hidden;
    uint16_t *noise = malloc(most * sizeof *noise);

    add(&w, "model.embed_tokens.weight", s->vocab, s->hidden);
    for (int i = 0; i < s->layers; i++)
        add_layer(&w, s, i);
    add(&w, "model.norm.weight", 0, s->hidden);
    w.header[w.at++] = '}';
    while (w.at % 8 != 0)
        w.header[w.at++] = ' ';
    for (size_t i = 0; i < most; i++) {
        float f = ((float)(tiny_hash((uint32_t)i) % 65536) / 32768.0f - 1.0f) * 0.035f;
        uint32_t bits;
        memcpy(&bits, &f, sizeof bits);
        noise[i] = (uint16_t)(bits >> 16);
    }
    FILE *f = fopen(path, "wb");
    uint64_t len = w.at;
    assert_non_null(f);
    assert_int_equal(fwrite(&len, sizeof len, 1, f), 1);
    assert_int_equal(fwrite(w.header, 1, w.at, f), w.at);
    for (size_t i = 0; i < w.n; i++)
        assert_int_equal(fwrite(noise, 1, w.sizes[i], f), w.sizes[i]);
    assert_int_equal(fclose(f), 0);
    free(w.header);
    free(noise);
}

/* The folder of the model, written once. */
static const char *large_model(void)
{
    static char dir[512];
    const shape *s = the_shape();
    char path[600];

    if (dir[0])
        return dir;
    snprintf(dir, sizeof dir, "%s/model", test_temp_dir());
    mkdir(dir, 0777);
    snprintf(path, sizeof path, "%s/config.json", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f,
            "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"], "
            "\"hidden_size\": %d, \"intermediate_size\": %d, \"num_hidden_layers\": %d, "
            "\"num_attention_heads\": %d, \"num_key_value_heads\": %d, \"head_dim\": %d, "
            "\"vocab_size\": %d, \"tie_word_embeddings\": true, \"rms_norm_eps\": 1e-5, "
            "\"max_position_embeddings\": 8192, \"torch_dtype\": \"bfloat16\", "
            "\"hidden_act\": \"silu\", \"rope_theta\": 10000.0}\n",
            s->hidden, s->intermediate, s->layers, s->heads, s->kv_heads, s->head_dim, s->vocab);
    assert_int_equal(fclose(f), 0);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    write_weights(s, path);
    return dir;
}

/* The same bytes as F16, which must be converted: the header says it with a space for a letter. */
static void rename_dtype(const char *dir, const char *from, const char *to)
{
    char path[600], *header = malloc(1 << 17);

    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    size_t n = fread(header, 1, 1 << 17, f);
    for (size_t i = 8; i + 7 < n && header[i] != ' '; i++)
        if (memcmp(header + i, from, strlen(from)) == 0)
            memcpy(header + i, to, strlen(to));
    rewind(f);
    assert_int_equal(fwrite(header, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    free(header);
}

typedef struct {
    const char *what;
    uint32_t read, compute;
} load;

static series cut_loads(void *arg)
{
    const load *l = arg;
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_context *ctx = tiny_context(2);
    series s = { .name = l->what };
    axl_cancel *cancel;
    axl_model *model;

    o.read = l->read;
    o.compute = l->compute;
    assert_ok(axl_cancel_new(&cancel, ctx));
    double began = seconds(CLOCK_MONOTONIC);
    assert_ok(axl_model_open(&model, ctx, large_model(), &o));
    double duration = seconds(CLOCK_MONOTONIC) - began;
    axl_model_free(model);
    for (int i = 0; i < 8; i++) {
        raiser r;
        start(&r, cancel, delay_of(i, duration));
        axl_status status = axl_model_open(&model, ctx, large_model(), &o);
        if (finish(&r, &s, status))
            assert_null(model);
        axl_model_free(model);
    }
    assert_ok(axl_model_open(&model, ctx, large_model(), &o));
    axl_model_free(model);
    axl_cancel_free(cancel);
    axl_context_free(ctx);
    return s;
}

static tiny_data *large_batch(void)
{
    const uint32_t length = (uint32_t)the_shape()->tokens;

    return tiny_batch(&length, 1, 5); /* its ids are below any vocabulary's size */
}

typedef struct {
    axl_context *ctx;
    axl_model *model;
    axl_adapter *adapter;
    axl_trainer *tr;
    axl_cancel *cancel;
    tiny_data *data;
} large;

static large setup(void)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    large x;

    x.ctx = tiny_context(2);
    o.compute = AXL_COMPUTE_BF16;
    assert_ok(axl_model_open(&x.model, x.ctx, large_model(), &o));
    x.tr = tiny_trainer(x.model, NULL, 0.0, &x.adapter);
    assert_ok(axl_cancel_new(&x.cancel, x.ctx));
    x.data = large_batch();
    return x;
}

static void teardown(large *x)
{
    axl_cancel_free(x->cancel);
    axl_trainer_free(x->tr);
    axl_adapter_free(x->adapter);
    axl_model_free(x->model);
    axl_context_free(x->ctx);
    free(x->data);
}

typedef struct {
    large x;
    double duration; /* of a whole call */
    float *before;   /* the gradients before it */
} batch_cuts;

static series cut_training(void *arg)
{
    static const double moments[] = { 0.03, 0.35, 0.6, 0.93 };
    batch_cuts *c = arg;
    series s = { .name = "forward_backward at 2,048 tokens" };
    size_t n;

    for (int i = 0; i < 4; i++) {
        raiser r;
        start(&r, c->x.cancel, moments[i] * c->duration);
        if (!finish(&r, &s, axl_trainer_forward_backward(c->x.tr, &c->x.data->batch, NULL)))
            axl_trainer_zero_grad(c->x.tr); /* faster than the first one */
        float *after = tiny_values(c->x.adapter, c->x.tr, &n);
        assert_memory_equal(c->before, after, n * sizeof *after);
        free(after);
    }
    assert_true(s.cancelled > 0);
    return s;
}

static series cut_evaluation(void *arg)
{
    batch_cuts *c = arg;
    series s = { .name = "evaluate" };
    raiser r;

    start(&r, c->x.cancel, 0.15 * c->duration);
    finish(&r, &s, axl_trainer_evaluate(c->x.tr, &c->x.data->batch, NULL));
    return s;
}

static void test_cancel_soon__a_large_batch_stops_soon(void **state)
{
    batch_cuts c = { .x = setup() };
    large *x = &c.x;
    size_t n;

    (void)state;
    double began = seconds(CLOCK_MONOTONIC);
    assert_ok(axl_trainer_forward_backward(x->tr, &x->data->batch, NULL));
    c.duration = seconds(CLOCK_MONOTONIC) - began;
    print_message("forward_backward takes %.2f s\n", c.duration);
    float *wanted = tiny_values(x->adapter, x->tr, &n);
    axl_trainer_free(x->tr); /* the rest is another one's, which was stopped */
    assert_ok(axl_trainer_new(&x->tr, x->model, x->adapter, NULL));
    c.before = tiny_values(x->adapter, x->tr, &n);
    try_cuts(cut_training, &c);
    try_cuts(cut_evaluation, &c);
    assert_ok(axl_trainer_forward_backward(x->tr, &x->data->batch, NULL));
    float *got = tiny_values(x->adapter, x->tr, &n);
    assert_memory_equal(got, wanted, n * sizeof *got);
    free(c.before);
    free(wanted);
    free(got);
    teardown(x);
}

/* Wholly or not at all, whenever the flag goes up. */
static void test_cancel_soon__a_step_is_done_or_not(void **state)
{
    static const uint32_t length = 40;
    series s = { .name = "step" };
    large x = setup();
    axl_adapter *adapter;
    axl_trainer *never = tiny_trainer(x.model, NULL, 0.0, &adapter);
    tiny_data *d = tiny_batch(&length, 1, 9);
    double duration = 0.0;

    (void)state;
    for (int i = 0; i < 12; i++) {
        assert_ok(axl_trainer_forward_backward(x.tr, &d->batch, NULL));
        assert_ok(axl_trainer_forward_backward(never, &d->batch, NULL));
        double began = seconds(CLOCK_MONOTONIC);
        assert_ok(axl_trainer_step(never, NULL));
        duration = seconds(CLOCK_MONOTONIC) - began;
        raiser r;
        start(&r, x.cancel, i % 3 == 0 ? 0.0 : delay_of(i, duration));
        if (i % 3 == 0) { /* it is up before the step begins */
            pthread_join(r.thread, NULL);
            r.joined = 1;
        }
        int cancelled = finish(&r, &s, axl_trainer_step(x.tr, NULL));
        assert_int_equal(axl_trainer_steps(x.tr), cancelled ? i : i + 1);
        if (cancelled)
            assert_ok(axl_trainer_step(x.tr, NULL));
    }
    tiny_compare(x.adapter, NULL, adapter, NULL, 0.0);
    print_message("step takes %.4f s\n", duration);
    assert_true(s.cancelled >= 4);
    report(&s);
    free(d);
    axl_trainer_free(never);
    axl_adapter_free(adapter);
    teardown(&x);
}

static void test_cancel_soon__loading_stops_soon(void **state)
{
    load mapped = { "load, mapped", 0, AXL_COMPUTE_BF16 };
    load into_memory = { "load, read into memory", 1, AXL_COMPUTE_BF16 };
    load converted = { "load, converted", 0, AXL_COMPUTE_F32 };

    (void)state;
    try_cuts(cut_loads, &mapped);
    try_cuts(cut_loads, &into_memory);
    rename_dtype(large_model(), "\"BF16\"", " \"F16\"");
    try_cuts(cut_loads, &converted);
    rename_dtype(large_model(), " \"F16\"", "\"BF16\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancel_soon__loading_stops_soon),
        cmocka_unit_test(test_cancel_soon__a_large_batch_stops_soon),
        cmocka_unit_test(test_cancel_soon__a_step_is_done_or_not),
    };

    return test_run(tests);
}
