/* SPDX-License-Identifier: Apache-2.0 */
/*
 * in_memory.c - a host that has no folders: model and tokenizer come from its own memory (here read
 * from MODEL_DIR, but an archive or a network would do), the adapter that it trains stays there.
 *
 *   in_memory MODEL_DIR TEXT
 *
 * What it teaches is TEXT, by heart; then it lets the model continue TEXT's first half.
 */
#include <axl/axl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 8, STEPS = 40 };

/* Files as axl takes them and gives them. */
typedef struct bundle {
    axl_file file[FILES_MAX];
    size_t n;
} bundle;

/* An axl_file_fn: what axl hands out is borrowed for the call, so it is copied. */
static int bundle_add(void *user, const axl_file *file)
{
    bundle *b = user;
    size_t name_size = strlen(file->name) + 1;
    char *copy = b->n < FILES_MAX ? malloc(name_size + file->length) : NULL;

    if (!copy)
        return 1;
    memcpy(copy, file->name, name_size);
    memcpy(copy + name_size, file->data, file->length);
    b->file[b->n] = (axl_file)AXL_FILE_INIT;
    b->file[b->n].name = copy;
    b->file[b->n].data = copy + name_size;
    b->file[b->n].length = file->length;
    b->n++;
    return 0;
}

static void bundle_free(bundle *b)
{
    while (b->n > 0)
        free((char *)b->file[--b->n].name);
}

/* A file that is not there is left out: axl says whether it is needed. */
static int bundle_read(bundle *b, const char *dir, const char *name)
{
    axl_file file = AXL_FILE_INIT;
    char path[1024], *data = NULL;
    long size = 0;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *in = fopen(path, "rb");
    if (!in)
        return 0;
    if (fseek(in, 0, SEEK_END) == 0 && (size = ftell(in)) > 0 && fseek(in, 0, SEEK_SET) == 0)
        data = malloc((size_t)size);
    file.name = name;
    file.data = data;
    file.length = data ? fread(data, 1, (size_t)size, in) : 0;
    int failed = !data || bundle_add(b, &file) != 0;
    fclose(in);
    free(data);
    return failed;
}

static axl_status train(axl_trainer *tr, const int32_t *ids, uint32_t n)
{
    const int32_t cu_seqlens[2] = { 0, (int32_t)n };
    axl_batch batch = AXL_BATCH_INIT;
    axl_status status = AXL_OK;

    batch.input_ids = batch.labels = ids;
    batch.cu_seqlens = cu_seqlens;
    batch.n_tokens = n;
    batch.n_seqs = 1;
    for (int i = 0; i < STEPS && status == AXL_OK; i++) {
        axl_step_stats stats = AXL_STEP_STATS_INIT;
        status = axl_trainer_forward_backward(tr, &batch, NULL);
        if (status == AXL_OK)
            status = axl_trainer_step(tr, &stats);
        if (status == AXL_OK && (i + 1) % 10 == 0)
            printf("step %d loss %.4f\n", i + 1, stats.loss);
    }
    return status;
}

/* Trains a new adapter and leaves its files in `out`. */
static axl_status teach(axl_model *model, const axl_tokenizer *tok, const char *text, bundle *out)
{
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_buffer ids = AXL_BUFFER_INIT;
    axl_adapter *lora = NULL;
    axl_trainer *tr = NULL;

    o.learning_rate = 0.004;
    axl_status status = axl_adapter_new(&lora, model, NULL);
    if (status == AXL_OK)
        status = axl_trainer_new(&tr, model, lora, &o);
    if (status == AXL_OK)
        status = axl_tokenizer_encode(tok, text, strlen(text), 0, &ids);
    if (status == AXL_OK)
        status = train(tr, ids.data, (uint32_t)(ids.length / sizeof(int32_t)));
    if (status == AXL_OK)
        status = axl_adapter_save_files(lora, bundle_add, out);
    axl_buffer_free(&ids);
    axl_trainer_free(tr);
    axl_adapter_free(lora);
    return status;
}

static axl_status continue_half(axl_model *model, const axl_tokenizer *tok, const char *text,
                                const bundle *files)
{
    axl_generate_options o = AXL_GENERATE_OPTIONS_INIT;
    axl_adapter_info info = AXL_ADAPTER_INFO_INIT;
    axl_buffer more = AXL_BUFFER_INIT;
    axl_adapter *lora = NULL;
    size_t half = strlen(text) / 2;

    while (half > 1 && text[half] != ' ') /* tokens begin with their space */
        half--;
    o.greedy = 1;
    o.repetition_penalty = 1.0;
    o.max_new_tokens = (uint32_t)(strlen(text) - half);
    axl_status status = axl_adapter_open_files(&lora, model, files->file, files->n);
    if (status == AXL_OK)
        status = axl_adapter_get_info(lora, &info);
    if (status == AXL_OK)
        printf("adapter of %s: rank %u, alpha %g, %zu kinds of layers\n", info.base_model_name,
               (unsigned)info.rank, info.alpha, info.n_target_modules);
    if (status == AXL_OK)
        status = axl_generate(model, lora, tok, text, half, &o, &more);
    if (status == AXL_OK)
        printf("%.*s|%s\n", (int)half, text, (const char *)more.data);
    axl_buffer_free(&more);
    axl_adapter_free(lora);
    return status;
}

static axl_status run(axl_context *ctx, const bundle *base, const char *text, bundle *lora)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_tokenizer *tok = NULL;
    axl_model *model = NULL;

    o.name = "in-memory"; /* what adapters call it, as it has no path */
    axl_status status = axl_model_open_files(&model, ctx, base->file, base->n, &o);
    if (status == AXL_OK)
        status = axl_tokenizer_open_files(&tok, ctx, base->file, base->n, NULL);
    if (status == AXL_OK)
        status = teach(model, tok, text, lora);
    for (size_t i = 0; i < lora->n; i++)
        printf("%s: %zu bytes\n", lora->file[i].name, lora->file[i].length);
    if (status == AXL_OK)
        status = continue_half(model, tok, text, lora);
    axl_tokenizer_free(tok);
    axl_model_free(model);
    return status;
}

int main(int argc, char **argv)
{
    static const char *const names[] = { "config.json", "generation_config.json",
                                         "model.safetensors", "tokenizer.json",
                                         "tokenizer_config.json" };
    bundle base = { .n = 0 }, lora = { .n = 0 };
    axl_context *ctx = NULL;
    int failed = 0;

    if (argc != 3) {
        fprintf(stderr, "usage: in_memory MODEL_DIR TEXT\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !failed; i++)
        failed = bundle_read(&base, argv[1], names[i]);
    failed = failed || axl_context_new(&ctx, NULL) < 0 || run(ctx, &base, argv[2], &lora) < 0;
    if (failed)
        fprintf(stderr, "in_memory: %s\n", *axl_last_error() ? axl_last_error() : "no memory");
    axl_context_free(ctx);
    bundle_free(&lora);
    bundle_free(&base);
    return failed;
}
