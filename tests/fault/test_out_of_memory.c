/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_out_of_memory.c - every kind of call with its n-th allocation failing, alone or with all
 * after it: a clean error, nothing leaked, and the handles go on as if nothing had been.
 */
#include "faults.h"

#include <stdbool.h>

enum { N_ROWS = 6 };

typedef struct {
    faults f;
    axl_context *ctx;
    axl_config *cfg;
    axl_tokenizer *tok;
    axl_dataset *data;
    axl_loader *loader;
    axl_model *model;
    axl_adapter *adapter, *opened, *frozen;
    axl_trainer *tr;
    tiny_data *batches[2];
    axl_buffer ids, text, offsets;
    const char *dir;
    bool reinit;
    const char *const *unfrozen; /* (2) what is trained of the model's own weights; NULL: all */
    double loss;
} world;

static void end(world *w)
{
    axl_buffer_free(&w->ids);
    axl_buffer_free(&w->text);
    axl_buffer_free(&w->offsets);
    axl_trainer_free(w->tr);
    axl_adapter_free(w->adapter);
    axl_adapter_free(w->opened);
    axl_adapter_free(w->frozen);
    axl_model_free(w->model);
    axl_loader_free(w->loader);
    axl_dataset_free(w->data);
    axl_tokenizer_free(w->tok);
    axl_config_free(w->cfg);
    axl_context_free(w->ctx);
    assert_int_equal(w->f.blocks, 0);
}

static world begin(void)
{
    world w = { .ids = AXL_BUFFER_INIT, .text = AXL_BUFFER_INIT, .offsets = AXL_BUFFER_INIT };

    return w;
}

#define SWEEP(w, step, flags) fault_sweep(#step, &(w)->f, step, flags, w)

/* ---- context ---- */

static axl_status make_context(void *w_)
{
    world *w = w_;
    axl_context_options o = fault_options(&w->f);
    axl_cancel *c = NULL;

    o.plugin_dir = "/nowhere";
    axl_status status = axl_context_new(&w->ctx, &o);
    if (status == AXL_OK)
        status = axl_cancel_new(&c, w->ctx);
    if (status == AXL_OK)
        status = axl_describe(w->ctx, 1, &w->text);
    axl_buffer_free(&w->text);
    axl_cancel_free(c);
    axl_context_free(w->ctx);
    w->ctx = NULL;
    return status;
}

static void test_out_of_memory__context(void **state)
{
    world w = begin();
    FILE *f = fopen(temp_path("token"), "w");

    (void)state;
    assert_non_null(f);
    fputs("hf_x\n", f);
    assert_int_equal(fclose(f), 0);
    setenv("HF_HOME", test_temp_dir(), 1);
    unsetenv("HF_TOKEN");
    /* Absorbed: the folder of libaxl, whose plugins are then not listed. */
    SWEEP(&w, make_context, FAULT_MAKES | FAULT_ABSORBS);
    setenv("HF_TOKEN", "hf_y", 1);
    SWEEP(&w, make_context, FAULT_MAKES | FAULT_ABSORBS);
    unsetenv("HF_TOKEN");
    unsetenv("HF_HOME");
    end(&w);
}

/* ---- config and data ---- */

static const char *rows_path(void)
{
    static char path[512];
    FILE *f;

    if (path[0])
        return path;
    snprintf(path, sizeof path, "%s/rows.jsonl", test_temp_dir());
    f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < N_ROWS; i++)
        fprintf(f,
                "{\"instruction\": \"Tell me of %d girls.\", \"input\": \"%s\", \"output\": "
                "\"Once upon a time there were %d.\"}\n",
                i, i % 2 ? "Lily" : "", i * i);
    assert_int_equal(fclose(f), 0);
    return path;
}

static axl_status parse(void *w_)
{
    static const char *const overrides[] = { "lora_dropout=0.1", "seed=7" };
    world *w = w_;
    axl_config_options o = AXL_CONFIG_OPTIONS_INIT;
    axl_diagnostics *diags = NULL;
    char text[4096];

    snprintf(text, sizeof text,
             "base_model: %s\ndatasets: [{path: %s, type: alpaca}]\nadapter: lora\nlora_r: 4\n"
             "lora_alpha: 8\nlora_target_modules: [q_proj, down_proj]\nsequence_len: 256\n"
             "micro_batch_size: 2\ngradient_accumulation_steps: 1\noptimizer: adamw_torch\n"
             "learning_rate: 1e-2\nbf16: false\n"
             "lr_scheduler: cosine\nmax_steps: 2\nsave_steps: 1\nlogging_steps: 1\ntf32: true\n"
             "flash_attention: true\nval_set_size: 0.3\nsample_packing: true\neval_steps: 1\n"
             "dataset_prepared_path: %s\noutput_dir: %s\nno_key: 1\nuse_tensorboard: true\n"
             "axl: {unknown_keys: warn, prometheus_file: run.prom}\n",
             test_source_path("examples/tiny-llama"), rows_path(), temp_path("prepared"),
             temp_path(w->dir ? w->dir : "out"));
    o.diagnostics = &diags;
    o.overrides = overrides;
    o.n_overrides = 2;
    axl_status status = axl_config_parse(&w->cfg, w->ctx, text, strlen(text), "test.yml", &o);
    axl_diagnostics_free(diags);
    return status;
}

static axl_status dump(void *w_)
{
    world *w = w_;

    return axl_config_dump(w->cfg, AXL_CONFIG_YAML, &w->text);
}

static axl_status look(void *w_)
{
    world *w = w_;
    axl_diagnostics *list = NULL;
    axl_status status = axl_run_check(w->cfg, &list);

    axl_diagnostics_free(list);
    return status;
}

static axl_status ask(void *w_)
{
    world *w = w_;
    axl_buffer text = AXL_BUFFER_INIT;
    axl_status status = axl_dataset_prompt(w->ctx, NULL, "Tell me.", "Lily", &text);

    axl_buffer_free(&text);
    return status;
}

static axl_status tokenizer(void *w_)
{
    world *w = w_;

    return axl_tokenizer_from_config(&w->tok, w->cfg);
}

static axl_status prepare(void *w_)
{
    world *w = w_;

    fault_remove_tree(temp_path("prepared"));
    axl_status status = axl_dataset_from_config(&w->data, w->cfg, w->tok, AXL_SPLIT_TRAIN);
    axl_dataset_free(w->data);
    w->data = NULL;
    return status;
}

static axl_status prepare_both(void *w_)
{
    world *w = w_;
    axl_dataset *train, *validation;
    axl_buffer folder = AXL_BUFFER_INIT;

    fault_remove_tree(temp_path("prepared"));
    axl_status status = axl_dataset_prepare(&train, &validation, w->cfg, w->tok, &folder);
    axl_dataset_free(train);
    axl_dataset_free(validation);
    axl_buffer_free(&folder);
    return status;
}

static axl_status load_prepared(void *w_)
{
    world *w = w_;

    return axl_dataset_from_config(&w->data, w->cfg, w->tok, AXL_SPLIT_TRAIN);
}

static int hand_over(void *user, const char **record, size_t *length)
{
    int *n = user;

    *record = "{\"instruction\": \"a\", \"output\": \"b\"}";
    *length = strlen(*record);
    return (*n)++ < 3 ? 0 : AXL_END;
}

static axl_status take_records(void *w_)
{
    world *w = w_;
    axl_dataset *data;
    int n = 0;

    axl_status status = axl_dataset_from_records(&data, w->cfg, w->tok, 0, hand_over, &n);
    axl_dataset_free(data);
    return status;
}

static int hand_over_again(void *user)
{
    *(int *)user = 0;
    return 0;
}

/* Three passes, and the place in front of the second. */
static axl_status stream_records(void *w_)
{
    world *w = w_;
    axl_record_source source = AXL_RECORD_SOURCE_INIT;
    axl_loader_cursor start = AXL_LOADER_CURSOR_INIT;
    axl_batch b = AXL_BATCH_INIT;
    axl_loader *loader = NULL;
    axl_dataset *data;
    int n = 0;

    source.next = hand_over;
    source.rewind = hand_over_again;
    source.user = &n;
    axl_status status = axl_dataset_stream_records(&data, w->cfg, w->tok, 0, &source);
    if (status == AXL_OK)
        status = axl_loader_from_config(&loader, w->cfg, data, AXL_SPLIT_TRAIN);
    for (int i = 0; i < 3 && status == AXL_OK; i++)
        status = axl_loader_next(loader, &b);
    start.epoch = 1;
    if (status == AXL_OK)
        status = axl_loader_set_cursor(loader, &start);
    axl_loader_free(loader);
    axl_dataset_free(data);
    return status;
}

static axl_status make_loader(void *w_)
{
    world *w = w_;

    return axl_loader_from_config(&w->loader, w->cfg, w->data, AXL_SPLIT_TRAIN);
}

/* All batches from the beginning. */
static axl_status load_all(void *w_)
{
    world *w = w_;
    axl_loader_cursor start = AXL_LOADER_CURSOR_INIT;
    axl_batch b = AXL_BATCH_INIT;
    uint64_t steps;
    axl_status status = axl_loader_set_cursor(w->loader, &start);

    if (status == AXL_OK)
        status = axl_loader_get_total_steps(w->loader, &steps);
    while (status == AXL_OK)
        status = axl_loader_next(w->loader, &b);
    return status;
}

static void test_out_of_memory__data(void **state)
{
    world w = begin();

    (void)state;
    w.ctx = fault_context(&w.f);
    SWEEP(&w, parse, FAULT_MAKES);
    SWEEP(&w, dump, 0);
    SWEEP(&w, look, 0);
    SWEEP(&w, ask, 0);
    SWEEP(&w, tokenizer, FAULT_MAKES);
    /* Absorbed: texts of errors that do not come. */
    SWEEP(&w, prepare, FAULT_MAKES | FAULT_ABSORBS);
    SWEEP(&w, prepare_both, FAULT_MAKES | FAULT_ABSORBS);
    fault_no_remains(temp_path("prepared"));
    SWEEP(&w, take_records, FAULT_MAKES | FAULT_ABSORBS);
    SWEEP(&w, stream_records, FAULT_MAKES | FAULT_ABSORBS);
    SWEEP(&w, load_prepared, FAULT_MAKES);
    SWEEP(&w, make_loader, FAULT_MAKES);
    SWEEP(&w, load_all, 0);
    end(&w);
}

/* ---- text ---- */

static axl_status encode(void *w_)
{
    world *w = w_;
    char words[200];

    memset(words, 'e', sizeof words);
    memcpy(words + 20, " </s>\xFF\n", 7);
    return axl_tokenizer_encode(w->tok, words, sizeof words, 0, &w->ids);
}

static axl_status encode_with_offsets(void *w_)
{
    static const char words[] = "Once upon </s>\xFF a time";
    world *w = w_;

    return axl_tokenizer_encode_with_offsets(w->tok, words, sizeof words - 1, 0, &w->ids,
                                             &w->offsets);
}

static axl_status decode(void *w_)
{
    world *w = w_;

    return axl_tokenizer_decode(w->tok, w->ids.data, w->ids.length / 4, 0, &w->text);
}

static axl_status save_tokenizer(void *w_)
{
    world *w = w_;

    return axl_tokenizer_save(w->tok, test_temp_dir());
}

static axl_status open_model(void *w_)
{
    world *w = w_;
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;

    o.backend = "cpu";
    o.compute = AXL_COMPUTE_F32;
    o.reinit = w->reinit;
    return axl_model_open(&w->model, w->ctx, test_source_path("examples/tiny-llama"), &o);
}

static axl_status generate(void *w_)
{
    world *w = w_;
    axl_generate_options o = AXL_GENERATE_OPTIONS_INIT;

    o.max_new_tokens = 12;
    return axl_generate(w->model, w->adapter, w->tok, "Once upon", 9, &o, &w->text);
}

/* ---- from and to memory ---- */

typedef struct {
    world w;
    axl_file files[5]; /* of the model and its tokenizer */
    axl_file saved[2];
    size_t n_saved;
} memory_world;

static const char *const memory_names[] = { "config.json", "generation_config.json",
                                            "model.safetensors", "tokenizer.json",
                                            "tokenizer_config.json" };

static void memory_read(axl_file *to, const char *name)
{
    char path[64];

    snprintf(path, sizeof path, "examples/tiny-llama/%s", name);
    FILE *in = fopen(test_source_path(path), "rb");
    assert_non_null(in);
    assert_int_equal(fseek(in, 0, SEEK_END), 0);
    *to = (axl_file)AXL_FILE_INIT;
    to->name = name;
    to->length = (size_t)ftell(in);
    char *data = malloc(to->length);
    rewind(in);
    assert_int_equal(fread(data, 1, to->length, in), to->length);
    to->data = data;
    fclose(in);
}

static axl_status memory_model(void *m_)
{
    memory_world *m = m_;
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;

    o.compute = AXL_COMPUTE_F32;
    o.read = 1;
    o.name = "base";
    return axl_model_open_files(&m->w.model, m->w.ctx, m->files, 5, &o);
}

static axl_status memory_tokenizer(void *m_)
{
    memory_world *m = m_;

    return axl_tokenizer_open_files(&m->w.tok, m->w.ctx, m->files, 5, NULL);
}

static axl_status memory_give(void *user, const char *name, axl_tensor_data *out)
{
    static const float zeros[TINY_VOCAB * 512];
    static uint64_t shape[2];
    axl_model_info *info = user;
    bool in_norm = strstr(name, "norm") != NULL, lookup = strstr(name, "embed") != NULL;
    bool kv = strstr(name, "k_proj") || strstr(name, "v_proj");
    uint64_t out_size = kv ? info->n_kv_heads * info->head_dim : info->hidden_size;

    if (strstr(name, "lm_head") && info->tied_head)
        return AXL_END;
    if (lookup || strstr(name, "lm_head"))
        out_size = info->vocab_size;
    if (strstr(name, "gate_proj") || strstr(name, "up_proj"))
        out_size = info->intermediate_size;
    shape[in_norm ? 1 : 0] = out_size;
    shape[in_norm ? 0 : 1] =
        strstr(name, "down_proj") ? info->intermediate_size : info->hidden_size;
    out->shape = shape;
    out->n_dims = in_norm ? 1 : 2;
    out->length = sizeof *zeros * (size_t)(shape[0] * (in_norm ? 1 : shape[1]));
    assert_true(out->length <= sizeof zeros);
    out->data = zeros;
    out->type = AXL_TENSOR_F32;
    return AXL_OK;
}

static axl_status memory_tensors(void *m_)
{
    memory_world *m = m_;
    axl_model_info info = AXL_MODEL_INFO_INIT;
    axl_model *made;

    assert_ok(axl_model_get_info(m->w.model, &info));
    axl_status status = axl_model_open_tensors(&made, m->w.ctx, m->files[0].data,
                                               m->files[0].length, memory_give, &info, NULL);
    axl_model_free(made);
    return status;
}

static int memory_take(void *user, const axl_file *file)
{
    memory_world *m = user;
    axl_file *to = &m->saved[m->n_saved++];
    char *data = malloc(file->length);

    *to = *file;
    to->name = strdup(file->name);
    to->data = memcpy(data, file->data, file->length);
    return 0;
}

static void memory_drop(memory_world *m)
{
    for (; m->n_saved > 0; m->n_saved--) {
        free((void *)(uintptr_t)m->saved[m->n_saved - 1].name);
        free((void *)(uintptr_t)m->saved[m->n_saved - 1].data);
    }
}

static int memory_ignore_file(void *user, const axl_file *file)
{
    (void)user;
    return file->length == 0;
}

static int memory_ignore_tensor(void *user, const char *name, const axl_tensor_data *tensor)
{
    (void)user;
    return strstr(name, "weight") == NULL || tensor->length == 0;
}

static axl_status memory_save_model(void *m_)
{
    memory_world *m = m_;

    return axl_model_save_tensors(m->w.model, memory_ignore_file, memory_ignore_tensor, NULL);
}

static axl_status memory_save_tokenizer(void *m_)
{
    memory_world *m = m_;

    memory_drop(m);
    return axl_tokenizer_save_files(m->w.tok, memory_take, m);
}

static axl_status memory_save_adapter(void *m_)
{
    memory_world *m = m_;

    memory_drop(m);
    return axl_adapter_save_files(m->w.adapter, memory_take, m);
}

static axl_status memory_adapter(void *m_)
{
    memory_world *m = m_;

    return axl_adapter_open_files(&m->w.opened, m->w.model, m->saved, m->n_saved);
}

static void test_out_of_memory__from_and_to_memory(void **state)
{
    memory_world m = { .w = begin() };

    (void)state;
    for (size_t i = 0; i < 5; i++)
        memory_read(&m.files[i], memory_names[i]);
    m.w.ctx = fault_context(&m.w.f);
    fault_sweep("memory_model", &m.w.f, memory_model, FAULT_MAKES, &m);
    fault_sweep("memory_tensors", &m.w.f, memory_tensors, FAULT_MAKES, &m);
    fault_sweep("memory_tokenizer", &m.w.f, memory_tokenizer, FAULT_MAKES, &m);
    for (size_t i = 0; i < 5; i++)
        free((void *)(uintptr_t)m.files[i].data);
    fault_sweep("memory_save_tokenizer", &m.w.f, memory_save_tokenizer, 0, &m);
    m.w.adapter = tiny_adapter(m.w.model, 0.0);
    fault_sweep("memory_save_adapter", &m.w.f, memory_save_adapter, 0, &m);
    fault_sweep("memory_adapter", &m.w.f, memory_adapter, FAULT_MAKES, &m);
    tiny_compare(m.w.adapter, NULL, m.w.opened, NULL, 0.0);
    memory_drop(&m);
    assert_ok(axl_adapter_merge(m.w.opened));
    fault_sweep("memory_save_model", &m.w.f, memory_save_model, 0, &m);
    end(&m.w);
}

static void test_out_of_memory__text(void **state)
{
    world w = begin();
    axl_generate_options o = AXL_GENERATE_OPTIONS_INIT;
    axl_buffer first = AXL_BUFFER_INIT;

    (void)state;
    o.max_new_tokens = 12;
    w.ctx = fault_context(&w.f);
    SWEEP(&w, parse, FAULT_MAKES);
    SWEEP(&w, tokenizer, FAULT_MAKES);
    SWEEP(&w, encode_with_offsets, 0);
    SWEEP(&w, encode, 0);
    SWEEP(&w, decode, 0);
    SWEEP(&w, save_tokenizer, 0);
    fault_no_remains(test_temp_dir());
    SWEEP(&w, open_model, FAULT_MAKES);
    SWEEP(&w, generate, 0);
    assert_ok(axl_generate(w.model, NULL, w.tok, "Once upon", 9, &o, &first));
    assert_string_equal(first.data, w.text.data);
    axl_buffer_free(&first);
    end(&w);
}

/* ---- training ---- */

static axl_status new_adapter(void *w_)
{
    world *w = w_;
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;

    o.rank = 4;
    o.dropout = 0.1;
    return axl_adapter_new(&w->adapter, w->model, &o);
}

static axl_status grow_model(void *w_)
{
    world *w = w_;

    return axl_model_resize_embeddings(w->model, NULL, TINY_VOCAB + 2);
}

/* With all that an adapter may have. */
static axl_status new_adapter_of_all(void *w_)
{
    static const char *const targets[] = { "q_proj", "down_proj" }, *const patterns[] = { "q.*" };
    static const uint32_t layers[] = { 1 }, ranks[] = { 3 };
    world *w = w_;
    static const char *const whole[] = { "input_layernorm", "model.norm" };
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;

    o.rank = 2;
    o.target_modules = targets;
    o.n_target_modules = 2;
    o.layers_to_transform = layers;
    o.n_layers_to_transform = 1;
    o.exclude_regex = ".*up_proj";
    o.rank_pattern = patterns;
    o.rank_pattern_ranks = ranks;
    o.n_rank_pattern = 1;
    o.bias = "all";
    o.init_lora_weights = "pissa_niter_1";
    o.use_dora = 1;
    o.modules_to_save = whole;
    o.n_modules_to_save = 2;
    o.trainable_tokens = layers; /* one */
    o.n_trainable_tokens = 1;
    return axl_adapter_new(&w->adapter, w->model, &o);
}

static axl_status save_adapter_of_all(void *w_)
{
    world *w = w_;

    return axl_adapter_save(w->adapter, temp_path("all"));
}

static axl_status open_adapter_of_all(void *w_)
{
    world *w = w_;

    return axl_adapter_open(&w->opened, w->model, temp_path("all"));
}

static axl_status read_with_adapter(void *w_)
{
    static const int32_t ids[] = { 5, 6, 7 };
    static float logits[3 * (TINY_VOCAB + 2)];
    world *w = w_;

    return axl_model_logits(w->model, w->opened, ids, 3, logits);
}

static void test_out_of_memory__adapter_of_all(void **state)
{
    world w = begin();

    (void)state;
    w.ctx = fault_context(&w.f);
    assert_ok(open_model(&w));
    SWEEP(&w, grow_model, 0);
    SWEEP(&w, new_adapter_of_all, FAULT_MAKES);
    SWEEP(&w, save_adapter_of_all, 0);
    SWEEP(&w, open_adapter_of_all, FAULT_MAKES);
    SWEEP(&w, read_with_adapter, 0);
    end(&w);
}

static axl_status new_pair_of_embedding(void *w_)
{
    static const char *const targets[] = { "embed_tokens", "q_proj" };
    world *w = w_;
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;

    o.rank = 2;
    o.target_modules = targets;
    o.n_target_modules = 2;
    return axl_adapter_new(&w->adapter, w->model, &o);
}

static axl_status open_variant(void *w_)
{
    world *w = w_;

    return axl_model_open(&w->model, w->ctx,
                          test_source_path("tests/golden/model_variants/llama_biases"), NULL);
}

/* PEFT's, which has the embedding's weight, too. */
static axl_status open_pair_of_embedding(void *w_)
{
    world *w = w_;

    return axl_adapter_open(&w->opened, w->model,
                            test_source_path("tests/golden/peft_variants/pair_of_embedding"));
}

static axl_status merge_opened(void *w_)
{
    world *w = w_;

    return axl_adapter_merge(w->opened);
}

static void test_out_of_memory__pair_of_embedding(void **state)
{
    world w = begin();

    (void)state;
    w.ctx = fault_context(&w.f);
    assert_ok(open_variant(&w));
    SWEEP(&w, new_pair_of_embedding, FAULT_MAKES);
    SWEEP(&w, save_adapter_of_all, 0);
    SWEEP(&w, open_pair_of_embedding, FAULT_MAKES);
    SWEEP(&w, read_with_adapter, 0);
    SWEEP(&w, merge_opened, 0);
    end(&w);
}

/* ---- several as one ---- */

static axl_status combine_adapters(void *w_)
{
    static const double weights[] = { 0.5, -2.0, 1.0 };
    world *w = w_;
    const axl_adapter *list[] = { w->adapter, w->frozen, w->adapter };

    return axl_adapter_combine(&w->opened, list, weights, 3, NULL);
}

static void test_out_of_memory__combined_adapters(void **state)
{
    world w = begin();
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;

    (void)state;
    w.ctx = fault_context(&w.f);
    assert_ok(open_model(&w));
    assert_ok(new_pair_of_embedding(&w));
    o.rank = 2;
    o.init_lora_weights = "olora";
    assert_ok(axl_adapter_new(&w.frozen, w.model, &o));
    SWEEP(&w, combine_adapters, FAULT_MAKES);
    SWEEP(&w, read_with_adapter, 0);
    end(&w);
}

/* ---- weights of few bits ---- */

static axl_status open_quantised(void *w_)
{
    world *w = w_;
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    const char *const kept[] = { "o_proj" };

    o.compute = AXL_COMPUTE_F32;
    o.weights = AXL_WEIGHTS_NF4;
    o.keep_modules = kept;
    o.n_keep_modules = 1;
    return axl_model_open(&w->model, w->ctx, test_source_path("examples/tiny-llama"), &o);
}

static axl_status open_stored_codes(void *w_)
{
    world *w = w_;

    return axl_model_open(&w->model, w->ctx, test_source_path("tests/golden/quantised_models/nf4"),
                          NULL);
}

static axl_status save_codes(void *w_)
{
    world *w = w_;

    return axl_model_save(w->model, temp_path("codes"));
}

static axl_status save_merged(void *w_)
{
    world *w = w_;

    return axl_adapter_save_merged(w->adapter, temp_path("merged"));
}

static void test_out_of_memory__weights_of_few_bits(void **state)
{
    world w = { 0 };

    (void)state;
    w.ctx = fault_context(&w.f);
    SWEEP(&w, open_stored_codes, FAULT_MAKES);
    axl_model_free(w.model);
    w.model = NULL;
    SWEEP(&w, open_quantised, FAULT_MAKES);
    assert_ok(new_adapter(&w));
    SWEEP(&w, save_codes, 0);
    SWEEP(&w, save_merged, 0);
    end(&w);
}

static axl_status new_trainer(void *w_)
{
    world *w = w_;
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;

    o.learning_rate = 1e-2;
    o.gradient_accumulation_steps = 2;
    o.unfrozen_parameters = w->unfrozen;
    o.n_unfrozen_parameters = w->unfrozen ? 2 : 0;
    return axl_trainer_new(&w->tr, w->model, w->adapter, &o);
}

static axl_status first_batch(void *w_)
{
    world *w = w_;

    return axl_trainer_forward_backward(w->tr, &w->batches[0]->batch, &w->loss);
}

static axl_status second_batch(void *w_)
{
    world *w = w_;

    return axl_trainer_forward_backward(w->tr, &w->batches[1]->batch, &w->loss);
}

static axl_status step(void *w_)
{
    world *w = w_;
    axl_step_stats stats = AXL_STEP_STATS_INIT;

    return axl_trainer_step(w->tr, &stats);
}

static axl_status save(void *w_)
{
    world *w = w_;

    return axl_trainer_save(w->tr, NULL, temp_path("checkpoint"));
}

static axl_status load(void *w_)
{
    world *w = w_;

    return axl_trainer_load(w->tr, NULL, temp_path("checkpoint"));
}

static axl_status evaluate(void *w_)
{
    world *w = w_;

    return axl_trainer_evaluate(w->tr, &w->batches[1]->batch, &w->loss);
}

static axl_status save_adapter(void *w_)
{
    world *w = w_;

    return axl_adapter_save(w->adapter, temp_path("adapter"));
}

static axl_status open_adapter(void *w_)
{
    world *w = w_;

    return axl_adapter_open(&w->opened, w->model, temp_path("adapter"));
}

static axl_status logits(void *w_)
{
    world *w = w_;
    static float values[8 * TINY_VOCAB];

    return axl_model_logits(w->model, w->opened, w->batches[0]->ids, 8, values);
}

static axl_status merge_adapter(void *w_)
{
    world *w = w_;

    return axl_adapter_merge(w->opened);
}

static axl_status save_model(void *w_)
{
    world *w = w_;

    return axl_model_save(w->model, temp_path("merged"));
}

static axl_status estimate(void *w_)
{
    world *w = w_;
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_plan plan = AXL_PLAN_INIT;

    o.max_tokens = 64;
    return axl_model_estimate(w->ctx, test_source_path("examples/tiny-llama"), NULL, NULL, &o,
                              &plan);
}

static void make_batches(world *w)
{
    static const uint32_t lengths[] = { 9, 5, 14 };

    w->batches[0] = tiny_batch(lengths, 3, 1);
    w->batches[1] = tiny_batch(lengths, 2, 2);
    w->ctx = fault_context(&w->f);
}

static void train_two_steps(world *w)
{
    for (int i = 0; i < 2; i++) {
        SWEEP(w, first_batch, 0);
        SWEEP(w, second_batch, 0);
        SWEEP(w, step, 0);
        SWEEP(w, save, 0);
        fault_no_remains(test_temp_dir());
        SWEEP(w, load, 0);
    }
    SWEEP(w, evaluate, 0);
}

static void train_adapter(world *w)
{
    make_batches(w);
    SWEEP(w, open_model, FAULT_MAKES);
    SWEEP(w, new_adapter, FAULT_MAKES);
    SWEEP(w, new_trainer, FAULT_MAKES);
    train_two_steps(w);
    SWEEP(w, save_adapter, 0);
    SWEEP(w, open_adapter, FAULT_MAKES);
    SWEEP(w, logits, 0);
    SWEEP(w, estimate, FAULT_MAKES);
    axl_trainer_free(w->tr);
    w->tr = NULL;
    SWEEP(w, merge_adapter, FAULT_MAKES);
    SWEEP(w, save_model, 0);
    fault_no_remains(test_temp_dir());
    free(w->batches[0]);
    free(w->batches[1]);
}

/* The same without any failure. */
static axl_status train_undisturbed(world *w, bool adapter)
{
    make_batches(w);
    axl_status status = open_model(w);
    if (status == AXL_OK && adapter)
        status = new_adapter(w);
    if (status == AXL_OK)
        status = new_trainer(w);
    for (int i = 0; i < 2 && status == AXL_OK; i++) {
        status = first_batch(w);
        if (status == AXL_OK)
            status = second_batch(w);
        if (status == AXL_OK)
            status = step(w);
    }
    free(w->batches[0]);
    free(w->batches[1]);
    return status;
}

static void test_out_of_memory__training(void **state)
{
    world w = begin(), plain = begin();

    (void)state;
    train_adapter(&w);
    assert_ok(train_undisturbed(&plain, true));
    tiny_compare(w.adapter, NULL, plain.adapter, NULL, 0.0);
    tiny_compare(w.opened, NULL, plain.adapter, NULL, 0.0);
    end(&w);
    end(&plain);
}

/* ---- full fine-tuning ---- */

static axl_status export(void *w_)
{
    world *w = w_;

    return axl_trainer_export(w->tr, temp_path("exported"));
}

static void train_weights(world *w)
{
    make_batches(w);
    SWEEP(w, open_model, FAULT_MAKES);
    SWEEP(w, new_trainer, 0); /* the model may have its weights in memory by then */
    train_two_steps(w);
    SWEEP(w, export, 0);
    fault_no_remains(test_temp_dir());
    free(w->batches[0]);
    free(w->batches[1]);
}

static void compare_trained(axl_trainer *a, axl_trainer *b)
{
    assert_int_equal(axl_trainer_count(a), axl_trainer_count(b));
    for (size_t i = 0; i < axl_trainer_count(a); i++) {
        axl_tensor_info t = AXL_TENSOR_INFO_INIT;
        assert_ok(axl_trainer_get_tensor(a, i, &t));
        size_t bytes = t.rows * t.cols * sizeof(float);
        float *x = malloc(bytes), *y = malloc(bytes);
        assert_ok(axl_trainer_read(a, i, x));
        assert_ok(axl_trainer_read(b, i, y));
        assert_memory_equal(x, y, bytes);
        free(x);
        free(y);
    }
}

static void test_out_of_memory__full_fine_tuning(void **state)
{
    world w = begin(), plain = begin();

    (void)state;
    train_weights(&w);
    assert_ok(train_undisturbed(&plain, false));
    compare_trained(w.tr, plain.tr);
    end(&w);
    end(&plain);
}

static void test_out_of_memory__some_weights(void **state)
{
    static const char *const patterns[] = { "model.layers.[0-9]+.mlp.up_proj",
                                            "model.norm.weight[1:9]" };
    world w = begin(), plain = begin();

    (void)state;
    w.unfrozen = plain.unfrozen = patterns;
    train_weights(&w);
    assert_ok(train_undisturbed(&plain, false));
    compare_trained(w.tr, plain.tr);
    end(&w);
    end(&plain);
}

static void test_out_of_memory__random_weights(void **state)
{
    world w = begin();

    (void)state;
    w.reinit = true;
    make_batches(&w);
    free(w.batches[0]);
    free(w.batches[1]);
    SWEEP(&w, open_model, FAULT_MAKES);
    end(&w);
}

/* ---- a run ---- */

static axl_status run(void *w_)
{
    world *w = w_;
    axl_run_options o = AXL_RUN_OPTIONS_INIT;
    axl_run *r;

    axl_status status = axl_run_new(&r, w->cfg, &o);
    if (status == AXL_OK)
        status = axl_run_train(r);
    axl_run_free(r);
    return status;
}

static axl_status plan(void *w_)
{
    world *w = w_;
    axl_plan p = AXL_PLAN_INIT;

    return axl_run_plan(w->cfg, &p);
}

/* A run whose training failed goes on in the same handle. */
typedef struct {
    world w;
    axl_run *run;
} running;

static axl_status go_on(void *r_)
{
    running *r = r_;

    return axl_run_train(r->run);
}

static void compare_results(world *w, const char *a, const char *b)
{
    axl_adapter *x, *y;

    assert_ok(open_model(w));
    assert_ok(axl_adapter_open(&x, w->model, temp_path(a)));
    assert_ok(axl_adapter_open(&y, w->model, temp_path(b)));
    tiny_compare(x, NULL, y, NULL, 0.0);
    axl_adapter_free(x);
    axl_adapter_free(y);
}

static void test_out_of_memory__run(void **state)
{
    world w = begin();

    (void)state;
    w.ctx = fault_context(&w.f);
    w.dir = "undisturbed";
    assert_ok(parse(&w));
    assert_ok(run(&w));
    axl_config_free(w.cfg);
    w.dir = "disturbed";
    assert_ok(parse(&w));
    SWEEP(&w, run, FAULT_MAKES | FAULT_ABSORBS);
    fault_no_remains(test_temp_dir());
    SWEEP(&w, plan, FAULT_MAKES);
    compare_results(&w, "undisturbed", "disturbed");
    end(&w);
}

static void test_out_of_memory__run_that_goes_on(void **state)
{
    running r = { begin(), NULL };

    (void)state;
    r.w.ctx = fault_context(&r.w.f);
    r.w.dir = "goes-on";
    assert_ok(parse(&r.w));
    assert_ok(axl_run_new(&r.run, r.w.cfg, NULL));
    /* Absorbed: the file for Prometheus, whose loss is a warning. */
    fault_sweep("go_on", &r.w.f, go_on, FAULT_ABSORBS, &r);
    axl_run_free(r.run);
    fault_no_remains(test_temp_dir());
    compare_results(&r.w, "undisturbed", "goes-on");
    end(&r.w);
}

static int remove_all(void **state)
{
    (void)state;
    fault_remove_tree(test_temp_dir());
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_out_of_memory__context),
        cmocka_unit_test(test_out_of_memory__data),
        cmocka_unit_test(test_out_of_memory__text),
        cmocka_unit_test(test_out_of_memory__adapter_of_all),
        cmocka_unit_test(test_out_of_memory__pair_of_embedding),
        cmocka_unit_test(test_out_of_memory__combined_adapters),
        cmocka_unit_test(test_out_of_memory__weights_of_few_bits),
        cmocka_unit_test(test_out_of_memory__from_and_to_memory),
        cmocka_unit_test(test_out_of_memory__training),
        cmocka_unit_test(test_out_of_memory__full_fine_tuning),
        cmocka_unit_test(test_out_of_memory__some_weights),
        cmocka_unit_test(test_out_of_memory__random_weights),
        cmocka_unit_test(test_out_of_memory__run),
        cmocka_unit_test(test_out_of_memory__run_that_goes_on),
    };

    test_locale();
    test_filter();
    return cmocka_run_group_tests(tests, NULL, remove_all);
}
