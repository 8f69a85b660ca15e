/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step_bench.c - the training step of a known shape with random weights, against the device's own
 * matmul peak:  --shape NAME --tokens T --dtype bf16|f32 --adapter lora|qlora|int8|none
 *            [--backend NAME] [--checkpointing] [--dropout P] [--steps N] [--threads N] [--isa
 * NAME]
 *            [--no-onednn] [--no-graphs] [--dir FOLDER] [--profile]
 * The shapes are those of the table below; tiny is for rehearsals.
 * The weights are written to FOLDER (default: the system's temporary folder) by a child process and
 * kept there for the next call.  Prints one JSON object; with --profile where the time goes on
 * standard error.  --adapter none trains all weights; qlora and int8 are LoRA on weights in 4 and 8
 * bits, quantised while loading.
 */
#define _GNU_SOURCE
#include "base/os.h"
#include "base/rng.h"
#include "model/model.h"
#include "tensor/safetensors.h"
#include "op_profile.h"
#include "tensor/registry.h"
#include "train/trainer.h"

#include <axl/axl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a family has beside what all have: norms of a layer, of its width or of a head's, and
 * members of config.json. */
typedef struct {
    const char *model_type, *class_name, *activation, *members;
    const char *norms[4], *head_norms[2];
} family;

static const family llama = { "llama",
                              "LlamaForCausalLM",
                              "\"hidden_act\": \"silu\"",
                              "\"rope_theta\": 10000.0",
                              { "input_layernorm", "post_attention_layernorm" },
                              { NULL } };
static const family qwen3 = { "qwen3",
                              "Qwen3ForCausalLM",
                              "\"hidden_act\": \"silu\"",
                              "\"rope_theta\": 1000000.0",
                              { "input_layernorm", "post_attention_layernorm" },
                              { "self_attn.q_norm", "self_attn.k_norm" } };
static const family gemma3 = { "gemma3_text",
                               "Gemma3ForCausalLM",
                               "\"hidden_activation\": \"gelu_pytorch_tanh\"",
                               "\"rope_theta\": 1000000.0, \"rope_local_base_freq\": 10000.0, "
                               "\"sliding_window\": 512, \"sliding_window_pattern\": 6, "
                               "\"query_pre_attn_scalar\": 256",
                               { "input_layernorm", "post_attention_layernorm",
                                 "pre_feedforward_layernorm", "post_feedforward_layernorm" },
                               { "self_attn.q_norm", "self_attn.k_norm" } };

typedef struct {
    const char *name;
    const family *of;
    int layers, hidden, intermediate, heads, kv_heads, head_dim, vocab, tied;
} shape;

static const shape shapes[] = {
    { "tiny", &llama, 2, 64, 160, 4, 2, 16, 512, 1 },
    { "llama-100m", &llama, 12, 768, 2048, 12, 4, 64, 32000, 1 },
    { "smollm2-135m", &llama, 30, 576, 1536, 9, 3, 64, 49152, 1 },
    { "tinyllama-1.1b", &llama, 22, 2048, 5632, 32, 4, 64, 32000, 0 },
    { "llama-3.2-1b", &llama, 16, 2048, 8192, 32, 8, 64, 128256, 1 },
    { "llama-2-7b", &llama, 32, 4096, 11008, 32, 32, 128, 32000, 0 },
    { "llama-3.1-8b", &llama, 32, 4096, 14336, 32, 8, 128, 128256, 0 },
    { "qwen3-0.6b", &qwen3, 28, 1024, 3072, 16, 8, 128, 151936, 1 },
    { "gemma-3-1b", &gemma3, 26, 1152, 6912, 4, 1, 256, 262144, 1 },
};

/* What is trained, by its name on the command line. */
static const struct {
    const char *name;
    uint32_t weights; /* an axl_weights */
    int full;
} ways[] = { { "lora", AXL_WEIGHTS_STORED, 0 },
             { "qlora", AXL_WEIGHTS_NF4, 0 },
             { "int8", AXL_WEIGHTS_INT8, 0 },
             { "none", AXL_WEIGHTS_STORED, 1 } };

typedef struct {
    const shape *s;
    int tokens, steps, checkpointing, threads, no_onednn, no_graphs, profile, way;
    double dropout; /* of the pairs */
    const char *dtype, *isa, *dir, *backend;
    char model[512];
} bench;

static void die(const char *what)
{
    fprintf(stderr, "step_bench: %s: %s\n", what, axl_last_error());
    exit(1);
}

static void check(axl_status status, const char *what)
{
    if (status < 0)
        die(what);
}

/* ---- a model of random weights ---- */

enum { ENTRIES_MAX = 512, NAME_SIZE = 96 };

typedef struct {
    axl__st_entry entries[ENTRIES_MAX];
    char names[ENTRIES_MAX][NAME_SIZE];
    size_t n;
    const uint16_t *noise; /* of the largest tensor's size; norms read the same */
} weights;

static void add(weights *w, const char *name, uint64_t rows, uint64_t cols)
{
    axl__st_entry *e = &w->entries[w->n];

    snprintf(w->names[w->n], NAME_SIZE, "%s", name);
    *e = (axl__st_entry){ .name = w->names[w->n],
                          .dtype = AXL_BF16,
                          .n_dims = rows ? 2u : 1u,
                          .dims = { rows ? rows : cols, cols },
                          .data = w->noise };
    w->n++;
}

static void add_layer(weights *w, const shape *s, int i)
{
    const struct {
        const char *name; /* NULL: none */
        int rows, cols;
    } parts[] = {
        { s->of->norms[0], 0, s->hidden },
        { s->of->norms[1], 0, s->hidden },
        { s->of->norms[2], 0, s->hidden },
        { s->of->norms[3], 0, s->hidden },
        { s->of->head_norms[0], 0, s->head_dim },
        { s->of->head_norms[1], 0, s->head_dim },
        { "self_attn.q_proj", s->heads * s->head_dim, s->hidden },
        { "self_attn.k_proj", s->kv_heads * s->head_dim, s->hidden },
        { "self_attn.v_proj", s->kv_heads * s->head_dim, s->hidden },
        { "self_attn.o_proj", s->hidden, s->heads * s->head_dim },
        { "mlp.gate_proj", s->intermediate, s->hidden },
        { "mlp.up_proj", s->intermediate, s->hidden },
        { "mlp.down_proj", s->hidden, s->intermediate },
    };
    char name[NAME_SIZE];

    for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
        if (!parts[k].name)
            continue;
        snprintf(name, sizeof name, "model.layers.%d.%s.weight", i, parts[k].name);
        add(w, name, (uint64_t)parts[k].rows, (uint64_t)parts[k].cols);
    }
}

static void write_config(const bench *b, const char *path)
{
    const shape *s = b->s;
    FILE *f = fopen(path, "w");

    if (!f)
        die(path);
    fprintf(f,
            "{\"model_type\": \"%s\", \"architectures\": [\"%s\"], "
            "\"hidden_size\": %d, \"intermediate_size\": %d, \"num_hidden_layers\": %d, "
            "\"num_attention_heads\": %d, \"num_key_value_heads\": %d, \"head_dim\": %d, "
            "\"vocab_size\": %d, \"tie_word_embeddings\": %s, \"rms_norm_eps\": 1e-5, "
            "\"max_position_embeddings\": 8192, \"torch_dtype\": \"bfloat16\", %s, %s}\n",
            s->of->model_type, s->of->class_name, s->hidden, s->intermediate, s->layers, s->heads,
            s->kv_heads, s->head_dim, s->vocab, s->tied ? "true" : "false", s->of->activation,
            s->of->members);
    fclose(f);
}

static void write_weights(const bench *b, const char *path)
{
    const shape *s = b->s;
    size_t n = (size_t)s->vocab * (size_t)s->hidden;
    uint16_t *noise = malloc(n * sizeof *noise);
    weights *w = calloc(1, sizeof *w);
    axl_context *ctx;

    if (!noise || !w)
        die("memory");
    for (size_t i = 0; i < n; i++) /* uniform with the variance 0.02^2 of usual initialisations */
        noise[i] =
            axl__f32_to_bf16((float)(((double)(i * 2654435761u % 65536) / 32768.0 - 1.0) * 0.035));
    w->noise = noise;
    add(w, "model.embed_tokens.weight", (uint64_t)s->vocab, (uint64_t)s->hidden);
    for (int i = 0; i < s->layers; i++)
        add_layer(w, s, i);
    add(w, "model.norm.weight", 0, (uint64_t)s->hidden);
    if (!s->tied)
        add(w, "lm_head.weight", (uint64_t)s->vocab, (uint64_t)s->hidden);
    check(axl_context_new(&ctx, NULL), "context");
    check(axl__safetensors_write(ctx, path, w->entries, w->n, NULL), "writing weights");
    axl_context_free(ctx);
    free(noise);
    free(w);
}

/* In a child, so that neither its memory nor its time counts. */
static void make_model(bench *b)
{
    char path[600];
    int status = 0;

    snprintf(b->model, sizeof b->model, "%s/axl-bench-%s", b->dir, b->s->name);
    snprintf(path, sizeof path, "%s/model.safetensors", b->model);
    if (access(path, R_OK) == 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        mkdir(b->model, 0777);
        write_weights(b, path);
        snprintf(path, sizeof path, "%s/config.json", b->model);
        write_config(b, path);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    if (status != 0)
        die("the weights could not be written");
}

/* ---- the step ---- */

typedef struct {
    int32_t *ids, *labels, cu[2];
    axl_batch batch;
} data;

static void make_batch(const bench *b, data *d)
{
    d->ids = malloc((size_t)b->tokens * sizeof *d->ids);
    for (int t = 0; t < b->tokens; t++)
        d->ids[t] = (int32_t)axl__random_below(1, 1, (uint64_t)t, (uint64_t)b->s->vocab);
    d->labels = d->ids;
    d->cu[0] = 0;
    d->cu[1] = b->tokens;
    d->batch = (axl_batch)AXL_BATCH_INIT;
    d->batch.input_ids = d->ids;
    d->batch.labels = d->labels;
    d->batch.cu_seqlens = d->cu;
    d->batch.n_seqs = 1;
    d->batch.n_tokens = (uint32_t)b->tokens;
}

static axl_trainer *make_trainer(const bench *b, axl_context *ctx, axl_plan *plan)
{
    axl_model_options mo = AXL_MODEL_OPTIONS_INIT;
    axl_adapter_options ao = AXL_ADAPTER_OPTIONS_INIT;
    axl_trainer_options to = AXL_TRAINER_OPTIONS_INIT;
    axl_model *model;
    axl_adapter *adapter = NULL;
    axl_trainer *tr;

    int full = ways[b->way].full;

    ao.rank = full ? 0 : ao.rank;
    ao.dropout = b->dropout;
    mo.backend = b->backend;
    mo.weights = ways[b->way].weights;
    mo.compute = strcmp(b->dtype, "bf16") == 0 ? AXL_COMPUTE_BF16 : AXL_COMPUTE_F32;
    to.checkpointing = (uint32_t)b->checkpointing;
    to.max_tokens = (uint32_t)b->tokens;
    to.graphs = !b->no_graphs;
    check(axl_model_estimate(ctx, b->model, &mo, &ao, &to, plan), "estimate");
    check(axl_model_open(&model, ctx, b->model, &mo), "model");
    if (b->profile)
        model->ops = axl__op_profile(model->ops);
    if (!full)
        check(axl_adapter_new(&adapter, model, &ao), "adapter");
    check(axl_trainer_new(&tr, model, adapter, &to), "trainer");
    axl_adapter_free(adapter);
    axl_model_free(model);
    return tr;
}

static void one_step(axl_trainer *tr, const data *d)
{
    check(axl_trainer_forward_backward(tr, &d->batch, NULL), "forward_backward");
    check(axl_trainer_step(tr, NULL), "step");
}

/* ---- what the device can do ---- */

/* Calls are timed together where they run late: the wait for them is one. */
enum { PEAK_TRIES = 6 };

static double best_rate(const axl_backend_ops *ops, axl_device *dev,
                        axl_status (*call)(axl_device *dev, const axl_matmul_args *a),
                        const axl_matmul_args *a, double work, int together)
{
    double best = 0.0;

    for (int i = 0; i < PEAK_TRIES; i++) {
        double began = axl__now();
        for (int k = 0; k < together; k++)
            check(call(dev, a), "a call");
        check(ops->synchronize(dev), "waiting");
        double rate = work * together / (axl__now() - began);
        best = rate > best ? rate : best;
    }
    return best;
}

static void *random_buffer(const axl_backend_ops *ops, axl_device *dev, int64_t n)
{
    uint16_t *host = malloc((size_t)n * sizeof *host);
    void *out;

    if (!host)
        die("memory");
    for (int64_t i = 0; i < n; i++) /* zeros would be multiplied faster than they are in earnest */
        host[i] = axl__f32_to_bf16((float)((double)(i * 2654435761 % 65536) / 32768.0 - 1.0));
    check(ops->buffer_new(dev, &out, (size_t)n * sizeof *host), "buffer");
    check(ops->upload(dev, out, host, (size_t)n * sizeof *host), "upload");
    free(host);
    return out;
}

/* GFLOP/s of y (m,n) = x w^T; of f32 half the elements, whose bits are as good as any. */
static double matmul_gflops(const axl_backend_ops *ops, axl_device *dev, axl_dtype t, int64_t m,
                            int64_t n, int64_t k, int together)
{
    int64_t size = t == AXL_F32 ? 2 : 1;
    void *x = random_buffer(ops, dev, m * k * size), *w = random_buffer(ops, dev, n * k * size);
    void *y = random_buffer(ops, dev, m * n * size);
    axl_matmul_args a = { .x = { x, t, m, k, k },
                          .w = axl__dense((axl_mat){ w, t, n, k, k }),
                          .y = { y, t, m, n, n },
                          .trans_w = true,
                          .alpha = 1.0f,
                          .compute = t };
    double best =
        best_rate(ops, dev, ops->matmul, &a, 2e-9 * (double)m * (double)n * (double)k, together);

    ops->buffer_free(dev, x);
    ops->buffer_free(dev, w);
    ops->buffer_free(dev, y);
    return best;
}

typedef struct {
    double matmul_gflops, copy_gbytes, busy_share;
    uint64_t device_peak_bytes;
} device_limits;

static double copy_gbytes(const axl_backend_ops *ops, axl_device *dev, size_t size, int together)
{
    double best = 0.0;
    void *x, *y;

    check(ops->buffer_new(dev, &x, size), "buffer");
    check(ops->buffer_new(dev, &y, size), "buffer");
    check(ops->zero(dev, x, size), "zero");
    for (int i = 0; i < PEAK_TRIES; i++) {
        check(ops->synchronize(dev), "waiting");
        double began = axl__now();
        for (int k = 0; k < together; k++)
            check(ops->copy(dev, y, x, size), "copy");
        check(ops->synchronize(dev), "waiting");
        double rate = 2e-9 * (double)size * together / (axl__now() - began);
        best = rate > best ? rate : best;
    }
    ops->buffer_free(dev, x);
    ops->buffer_free(dev, y);
    return best;
}

/* The best of several large shapes, on a CPU by oneDNN where it is there and by axl's own kernels;
 * of a rehearsal's shape one small one. */
static void read_limits(const bench *b, device_limits *out)
{
    static const int64_t sizes[][3] = { { 256, 256, 256 },
                                        { 2048, 2048, 2048 },
                                        { 2048, 8192, 2048 },
                                        { 4096, 4096, 4096 },
                                        { 8192, 8192, 8192 } };
    bool rehearsal = strcmp(b->s->name, "tiny") == 0, cpu = strcmp(b->backend, "cpu") == 0;
    axl_dtype t = strcmp(b->dtype, "bf16") == 0 ? AXL_BF16 : AXL_F32;
    int first = rehearsal ? 0 : 1, end = rehearsal ? 1 : cpu ? 4 : 5;

    for (uint32_t own = cpu ? (uint32_t)b->no_onednn : 1; own < 2; own++) {
        axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
        const axl_backend_ops *ops;
        axl_context *ctx;
        axl_device *dev;
        o.no_onednn = own;
        o.isa = b->isa;
        o.threads = (uint32_t)b->threads;
        o.plugin_dir = getenv("AXL_PLUGIN_DIR");
        check(axl_context_new(&ctx, &o), "context");
        check(axl__device_get_named(&ops, &dev, ctx, b->backend), "device");
        for (int i = first; i < end; i++) {
            double g =
                matmul_gflops(ops, dev, t, sizes[i][0], sizes[i][1], sizes[i][2], cpu ? 1 : 10);
            out->matmul_gflops = g > out->matmul_gflops ? g : out->matmul_gflops;
        }
        out->copy_gbytes = copy_gbytes(ops, dev, (size_t)(rehearsal ? 1 : 256) << 20, 10);
        axl__device_put(ctx, ops, dev);
        axl_context_free(ctx);
    }
}

static double flops_per_token(const bench *b)
{
    const shape *s = b->s;
    double q = (double)s->heads * s->head_dim, kv = (double)s->kv_heads * s->head_dim,
           c = s->hidden;
    double p =
        s->layers * (c * q * 2 + c * kv * 2 + 3.0 * c * s->intermediate) + (double)s->vocab * c;

    return (ways[b->way].full ? 6.0 : 4.0) * p + 6.0 * s->layers * (double)b->tokens * q;
}

/* ---- main ---- */

static int way_of(const char *name)
{
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (strcmp(ways[i].name, name) == 0)
            return (int)i;
    return -1;
}

static int parse(bench *b, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *v = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--checkpointing") == 0) {
            b->checkpointing = 1;
            continue;
        }
        if (strcmp(argv[i], "--profile") == 0) {
            b->profile = 1;
            continue;
        }
        if (strcmp(argv[i], "--no-onednn") == 0) {
            b->no_onednn = 1;
            continue;
        }
        if (strcmp(argv[i], "--no-graphs") == 0) {
            b->no_graphs = 1;
            continue;
        }
        if (strcmp(argv[i], "--shape") == 0) {
            for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; k++)
                if (strcmp(shapes[k].name, v) == 0)
                    b->s = &shapes[k];
        } else if (strcmp(argv[i], "--tokens") == 0) {
            b->tokens = atoi(v);
        } else if (strcmp(argv[i], "--steps") == 0) {
            b->steps = atoi(v);
        } else if (strcmp(argv[i], "--dropout") == 0) {
            b->dropout = atof(v);
        } else if (strcmp(argv[i], "--threads") == 0) {
            b->threads = atoi(v);
        } else if (strcmp(argv[i], "--dtype") == 0) {
            b->dtype = v;
        } else if (strcmp(argv[i], "--isa") == 0) {
            b->isa = v;
        } else if (strcmp(argv[i], "--backend") == 0) {
            b->backend = v;
        } else if (strcmp(argv[i], "--dir") == 0) {
            b->dir = v;
        } else if (strcmp(argv[i], "--adapter") == 0) {
            b->way = way_of(v);
            if (b->way < 0)
                return 2;
        } else {
            return 2;
        }
        i++;
    }
    return b->s && b->tokens > 0 && b->steps > 0 &&
                   (strcmp(b->dtype, "bf16") == 0 || strcmp(b->dtype, "f32") == 0)
               ? 0
               : 2;
}

/* Seconds of the fastest step. */
static double time_steps(const bench *b, axl_trainer *tr, const data *d)
{
    double best = 1e30;

    axl__op_profile_reset();
    for (int i = 0; i < b->steps; i++) {
        double at = axl__now();
        one_step(tr, d);
        double took = axl__now() - at;
        best = took < best ? took : best;
    }
    if (b->profile)
        axl__op_profile_print(stderr, b->steps);
    return best;
}

/* What is left of a call's time when it does nothing: launching it and waiting for it. */
static double idle_call_seconds(const axl_backend_ops *ops, axl_device *dev)
{
    enum { CALLS = 50 };
    void *few;

    check(ops->buffer_new(dev, &few, 256), "buffer");
    check(ops->synchronize(dev), "waiting");
    double began = axl__now();
    for (int i = 0; i < CALLS; i++) {
        check(ops->zero(dev, few, 4), "zero");
        check(ops->synchronize(dev), "waiting");
    }
    double took = (axl__now() - began) / CALLS;
    ops->buffer_free(dev, few);
    return took;
}

/* The device's own time for the calls of a step, as a share of the step that is not waited for. */
static double busy_share(axl_trainer *tr, const data *d, double seconds)
{
    const axl_backend_ops *ops = tr->model->ops;
    double idle = idle_call_seconds(ops, tr->model->dev);
    uint64_t calls;

    tr->model->ops = axl__op_profile(ops);
    axl__op_profile_reset();
    one_step(tr, d);
    double busy = axl__op_profile_seconds(&calls) - (double)calls * idle;
    tr->model->ops = ops;
    return busy / seconds;
}

static void print_result(const bench *b, double seconds, double first, const axl_plan *plan,
                         const device_limits *limits)
{
    double rate = b->tokens / seconds, gflops = rate * flops_per_token(b) / 1e9;

    printf("{\"shape\": \"%s\", \"backend\": \"%s\", \"tokens\": %d, \"dtype\": \"%s\", "
           "\"adapter\": \"%s\", \"checkpointing\": %s, \"dropout\": %g, \"graphs\": %s, "
           "\"tokens_per_second\": %.1f, "
           "\"gflops\": %.1f, \"matmul_peak_gflops\": %.1f, \"share_of_peak\": %.3f, "
           "\"copy_gbytes_per_second\": %.1f, \"peak_rss_bytes\": %llu, "
           "\"planned_rss_bytes\": %llu, \"device_peak_bytes\": %llu, "
           "\"planned_device_bytes\": %llu, \"device_busy_share\": %.3f, "
           "\"first_step_seconds\": %.3f}\n",
           b->s->name, b->backend, b->tokens, b->dtype, ways[b->way].name,
           b->checkpointing ? "true" : "false", b->dropout, b->no_graphs ? "false" : "true", rate,
           gflops, limits->matmul_gflops, gflops / limits->matmul_gflops, limits->copy_gbytes,
           (unsigned long long)axl__peak_rss(), (unsigned long long)plan->peak_rss_bytes,
           (unsigned long long)limits->device_peak_bytes, (unsigned long long)plan->device_bytes,
           limits->busy_share, first);
}

static void run(bench *b, double began)
{
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;
    device_limits limits = { 0 };
    axl_plan plan = AXL_PLAN_INIT;
    axl_device_info info;
    axl_context *ctx;
    data d;

    o.threads = (uint32_t)b->threads;
    o.isa = b->isa;
    o.no_onednn = (uint32_t)b->no_onednn;
    o.plugin_dir = getenv("AXL_PLUGIN_DIR");
    check(axl_context_new(&ctx, &o), "context");
    axl_trainer *tr = make_trainer(b, ctx, &plan);
    make_batch(b, &d);
    one_step(tr, &d);
    double first = axl__now() - began, seconds = time_steps(b, tr, &d);
    tr->model->ops->device_info(tr->model->dev, &info);
    limits.device_peak_bytes = info.peak_device_bytes;
    if (!b->profile && strcmp(b->backend, "cpu") != 0)
        limits.busy_share = busy_share(tr, &d, seconds);
    axl_trainer_free(tr);
    read_limits(b, &limits);
    print_result(b, seconds, first, &plan, &limits);
    free(d.ids);
    axl_context_free(ctx);
}

int main(int argc, char **argv)
{
    const char *tmp = getenv("TMPDIR");
    bench b = { NULL, 512, 3, 0, 0, 0, 0, 0, 0, 0, "bf16", NULL, tmp ? tmp : "/tmp", "cpu", { 0 } };

    if (parse(&b, argc, argv)) {
        fprintf(stderr, "usage: step_bench --shape NAME --tokens T --dtype bf16|f32 "
                        "--adapter lora|qlora|int8|none [--backend NAME] [--checkpointing] "
                        "[--dropout P] [--steps N]\n");
        return 2;
    }
    make_model(&b);
    run(&b, axl__now());
    return 0;
}
