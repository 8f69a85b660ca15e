/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.c - see fuzz.h. */
#include "fuzz.h"

#include "base/os.h"
#include "tensor/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fuzz_must(bool holds, const char *promise)
{
    if (holds)
        return;
    fprintf(stderr, "broken promise: %s: %s\n", promise, axl_last_error());
    abort();
}

axl_context *fuzz_context(void)
{
    static axl_context *ctx;
    axl_context_options o = AXL_CONTEXT_OPTIONS_INIT;

    o.threads = 1;
    if (!ctx)
        fuzz_must(axl_context_new(&ctx, &o) == AXL_OK, "a context");
    return ctx;
}

/* ---- files ---- */

static char folder[512];

static void remove_folder(void)
{
    (void)axl__remove_tree(folder);
}

char *fuzz_path(const char *name)
{
    const char *top = getenv("TMPDIR");
    char path[1024];

    if (!folder[0]) {
        snprintf(folder, sizeof folder, "%s/axl-fuzz-XXXXXX", top ? top : "/tmp");
        fuzz_must(mkdtemp(folder) != NULL, "a temporary folder");
        atexit(remove_folder);
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return strdup(path);
}

void fuzz_write(const char *name, const void *data, size_t size)
{
    char *path = fuzz_path(name);
    FILE *f = fopen(path, "wb");

    fuzz_must(f && (size == 0 || fwrite(data, 1, size, f) == size) && fclose(f) == 0, path);
    free(path);
}

void fuzz_remove(const char *name)
{
    char *path = fuzz_path(name);

    (void)axl__remove_tree(path);
    free(path);
}

size_t fuzz_pick(const uint8_t **data, size_t *size, size_t n)
{
    if (*size == 0)
        return 0;
    ++*data;
    --*size;
    return (*data)[-1] % n;
}

void fuzz_read_all(const void *data, size_t size)
{
    static volatile unsigned char sum;
    const unsigned char *p = data;

    for (size_t i = 0; i < size; i++)
        sum = (unsigned char)(sum + p[i]);
}

/* ---- a model ---- */

enum { VOCAB = 16, HIDDEN = 8, LAYER_TENSORS = 9 };

static const char config[] =
    "{\"model_type\": \"llama\", \"hidden_size\": 8, \"intermediate_size\": 8, "
    "\"num_hidden_layers\": 1, \"num_attention_heads\": 1, \"num_key_value_heads\": 1, "
    "\"head_dim\": 8, \"vocab_size\": 16, \"max_position_embeddings\": 64, "
    "\"rms_norm_eps\": 1e-5, \"tie_word_embeddings\": true, \"eos_token_id\": 2}";

static void write_weights(const char *path)
{
    static const char *const names[] = {
        "model.embed_tokens",
        "model.norm",
        "model.layers.0.input_layernorm",
        "model.layers.0.post_attention_layernorm",
        "model.layers.0.self_attn.q_proj",
        "model.layers.0.self_attn.k_proj",
        "model.layers.0.self_attn.v_proj",
        "model.layers.0.self_attn.o_proj",
        "model.layers.0.mlp.gate_proj",
        "model.layers.0.mlp.up_proj",
        "model.layers.0.mlp.down_proj",
    };
    enum { N = sizeof names / sizeof names[0] };
    static float values[VOCAB * HIDDEN];
    axl__st_entry entries[N];
    char full[N][64];

    for (size_t i = 0; i < VOCAB * HIDDEN; i++)
        values[i] = (float)(i % 7) * 0.125f - 0.375f;
    for (size_t i = 0; i < N; i++) {
        snprintf(full[i], sizeof full[i], "%s.weight", names[i]);
        bool norm = i >= 1 && i <= 3;
        entries[i] = (axl__st_entry){ .name = full[i],
                                      .dtype = AXL_F32,
                                      .n_dims = norm ? 1 : 2,
                                      .dims = { i == 0 ? VOCAB : HIDDEN, HIDDEN },
                                      .data = values };
    }
    fuzz_must(axl__safetensors_write(fuzz_context(), path, entries, N, NULL) == AXL_OK, path);
}

const char *fuzz_model_dir(void)
{
    static char *dir;

    if (dir)
        return dir;
    dir = fuzz_path("model");
    fuzz_must(axl__make_dirs(fuzz_context(), dir) == AXL_OK, dir);
    fuzz_write("model/config.json", config, sizeof config - 1);
    char *weights = fuzz_path("model/model.safetensors");
    write_weights(weights);
    free(weights);
    return dir;
}

axl_model *fuzz_model(void)
{
    static axl_model *model;

    if (!model)
        fuzz_must(axl_model_open(&model, fuzz_context(), fuzz_model_dir(), NULL) == AXL_OK,
                  "a model");
    return model;
}

axl_adapter *fuzz_adapter(void)
{
    static const char *const targets[] = { "q_proj" };
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    axl_adapter *adapter;

    o.target_modules = targets;
    o.n_target_modules = 1;
    o.rank = 1;
    fuzz_must(axl_adapter_new(&adapter, fuzz_model(), &o) == AXL_OK, "an adapter");
    return adapter;
}
