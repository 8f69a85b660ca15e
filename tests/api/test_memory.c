/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_memory.c - model, tokenizer and adapter from a host's memory and back: the bits, bytes and
 * messages are those of folders.
 */
#include "tiny_model.h"

enum { N_FILES_MAX = 64, N_IDS = 9 };
static const int32_t prompt[N_IDS] = { 1, 5, 300, 42, 700, 8, 8, 91, 3 };

/* ---- files ---- */

/* As an unaligned allocation of exactly their size, so that tools see each byte too many. */
typedef struct {
    axl_file list[N_FILES_MAX];
    size_t n;
} files;

static void put_file(files *f, const char *name, const void *data, size_t length)
{
    axl_file *to = &f->list[f->n++];
    char *copy = malloc(length);

    assert_true(f->n <= N_FILES_MAX);
    assert_non_null(copy);
    memcpy(copy, data, length);
    *to = (axl_file)AXL_FILE_INIT;
    to->name = strdup(name);
    to->data = copy;
    to->length = length;
}

static void free_files(files *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free((void *)(uintptr_t)f->list[i].name);
        free((void *)(uintptr_t)f->list[i].data);
    }
    f->n = 0;
}

static char *read_path(const char *path, size_t *length)
{
    FILE *in = fopen(path, "rb");
    long size;

    if (!in)
        return NULL;
    assert_int_equal(fseek(in, 0, SEEK_END), 0);
    assert_true((size = ftell(in)) >= 0);
    rewind(in);
    char *data = malloc((size_t)size + 1);
    assert_int_equal(fread(data, 1, (size_t)size, in), size);
    fclose(in);
    *length = (size_t)size;
    return data;
}

static files read_folder(const char *dir, const char *const *names, size_t n)
{
    files f = { 0 };

    for (size_t i = 0; i < n; i++) {
        char path[1024];
        size_t length;
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        char *data = read_path(path, &length);
        if (data)
            put_file(&f, names[i], data, length);
        free(data);
    }
    return f;
}

static files model_files(void)
{
    static const char *const names[] = { "config.json", "model.safetensors",
                                         "generation_config.json" };

    return read_folder(test_source_path("examples/tiny-llama"), names, 3);
}

static files tokenizer_files(const char *dir)
{
    static const char *const names[] = {
        "tokenizer.model",   "tokenizer.json",          "tokenizer_config.json",
        "added_tokens.json", "special_tokens_map.json", "chat_template.jinja",
        "config.json"
    };

    return read_folder(dir, names, sizeof names / sizeof names[0]);
}

static axl_file *find_file(files *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->list[i].name, name) == 0)
            return &f->list[i];
    fail_msg("no %s", name);
    return NULL;
}

/* What a folder got on disk, and the host in memory, are the same. */
static void assert_same_files(files *f, const char *dir)
{
    for (size_t i = 0; i < f->n; i++) {
        char path[1024];
        size_t length;
        snprintf(path, sizeof path, "%s/%s", dir, f->list[i].name);
        char *data = read_path(path, &length);
        assert_non_null(data);
        assert_int_equal(length, f->list[i].length);
        assert_memory_equal(data, f->list[i].data, length);
        free(data);
    }
}

static int take_file(void *user, const axl_file *file)
{
    put_file(user, file->name, file->data, file->length);
    return 0;
}

static int refuse_file(void *user, const axl_file *file)
{
    snprintf(user, 64, "%s", file->name);
    return 1;
}

/* ---- a model ---- */

static float *logits_of(axl_model *model, axl_adapter *adapter)
{
    float *out = malloc(sizeof *out * N_IDS * TINY_VOCAB);

    assert_ok(axl_model_logits(model, adapter, prompt, N_IDS, out));
    return out;
}

/* Both are freed. */
static void assert_same_logits(float *a, float *b)
{
    assert_memory_equal(a, b, sizeof *a * N_IDS * TINY_VOCAB);
    free(a);
    free(b);
}

static axl_model *open_files(axl_context *ctx, const files *f, uint32_t compute, uint32_t read)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    axl_model *model;

    o.compute = compute;
    o.read = read;
    assert_ok(axl_model_open_files(&model, ctx, f->list, f->n, &o));
    return model;
}

static void test_memory__model_has_the_bits_of_its_folder(void **state)
{
    axl_context *ctx = tiny_context(2);
    files f = model_files();

    (void)state;
    for (uint32_t compute = AXL_COMPUTE_F32; compute <= AXL_COMPUTE_BF16; compute++) {
        axl_model *a = tiny_model(ctx, "cpu", compute);
        axl_model *b = open_files(ctx, &f, compute, 0);
        assert_same_logits(logits_of(a, NULL), logits_of(b, NULL));
        axl_model_free(a);
        axl_model_free(b);
    }
    free_files(&f);
    axl_context_free(ctx);
}

/* Weights that the compute type can read are not copied, wherever they begin; with read nothing of
 * the host's is used once the call is back. */
static void test_memory__weights_are_used_in_place_or_copied(void **state)
{
    axl_context *ctx = tiny_context(2);
    axl_model *plain = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    files f = model_files();
    axl_file *weights = find_file(&f, "model.safetensors");

    (void)state;
    axl_model *copied = open_files(ctx, &f, AXL_COMPUTE_F32, 1);
    axl_model *borrowed = open_files(ctx, &f, AXL_COMPUTE_F32, 0);
    float *before = logits_of(borrowed, NULL);
    memset((char *)(uintptr_t)weights->data + weights->length / 2, 0, weights->length / 2);
    float *after = logits_of(borrowed, NULL);
    assert_memory_not_equal(before, after, sizeof *before * N_IDS * TINY_VOCAB);
    free(before);
    free(after);
    axl_model_free(borrowed);
    free_files(&f);
    assert_same_logits(logits_of(plain, NULL), logits_of(copied, NULL));
    axl_model_free(copied);
    axl_model_free(plain);
    axl_context_free(ctx);
}

static void test_memory__weights_may_lie_at_any_byte(void **state)
{
    axl_context *ctx = tiny_context(1);
    axl_model *plain = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    files f = model_files();
    axl_file *weights = find_file(&f, "model.safetensors");
    char *odd = malloc(weights->length + 1);

    (void)state;
    memcpy(odd + 1, weights->data, weights->length);
    free((void *)(uintptr_t)weights->data);
    weights->data = odd + 1;
    axl_model *model = open_files(ctx, &f, AXL_COMPUTE_F32, 0);
    assert_same_logits(logits_of(plain, NULL), logits_of(model, NULL));
    axl_model_free(model);
    weights->data = odd;
    free_files(&f);
    axl_model_free(plain);
    axl_context_free(ctx);
}

static double train_step(axl_model *model, axl_adapter *adapter)
{
    static const uint32_t lengths[] = { 9, 5, 14 };
    tiny_data *d = tiny_batch(lengths, 3, 1);
    axl_trainer_options o = AXL_TRAINER_OPTIONS_INIT;
    axl_step_stats s = AXL_STEP_STATS_INIT;
    axl_trainer *tr;

    assert_ok(axl_trainer_new(&tr, model, adapter, &o));
    assert_ok(axl_trainer_forward_backward(tr, &d->batch, NULL));
    assert_ok(axl_trainer_step(tr, &s));
    axl_trainer_free(tr);
    free(d);
    return s.loss;
}

/* Once weights are trained, the host's bytes may go; what a result is written from is kept. */
static void test_memory__full_fine_tuning(void **state)
{
    axl_context *ctx = tiny_context(2);
    axl_model *a = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    files f = model_files();
    axl_model *b = open_files(ctx, &f, AXL_COMPUTE_F32, 0);

    (void)state;
    assert_fails(axl_model_save(b, temp_path("untrained")), AXL_ERR_INVALID,
                 "it is what the list of files holds");
    double loss = train_step(a, NULL);
    assert_true(loss == train_step(b, NULL));
    free_files(&f);
    assert_same_logits(logits_of(a, NULL), logits_of(b, NULL));
    assert_ok(axl_model_save(a, temp_path("from-folder")));
    assert_ok(axl_model_save(b, temp_path("from-memory")));
    static const char *const names[] = { "config.json", "generation_config.json",
                                         "model.safetensors" };
    f = read_folder(temp_path("from-folder"), names, 3);
    assert_true(f.n >= 2);
    assert_same_files(&f, temp_path("from-memory"));
    free_files(&f);
    axl_model_free(a);
    axl_model_free(b);
    axl_context_free(ctx);
}

static int take_tensor(void *user, const char *name, const axl_tensor_data *d)
{
    files *f = user;
    char label[192];

    assert_true(d->n_dims == 1 || d->n_dims == 2);
    snprintf(label, sizeof label, "%s %u %llu %llu", name, (unsigned)d->type,
             (unsigned long long)d->shape[0],
             (unsigned long long)(d->n_dims > 1 ? d->shape[1] : 0));
    put_file(f, label, d->data, d->length);
    return 0;
}

static int refuse_tensor(void *user, const char *name, const axl_tensor_data *d)
{
    (void)user;
    (void)d;
    return strstr(name, "q_proj") != NULL;
}

/* Gives what take_tensor() got. */
static axl_status give_taken(void *user, const char *name, axl_tensor_data *out)
{
    static uint64_t shape[2];
    files *f = user;
    size_t n = strlen(name);

    for (size_t i = 0; i < f->n; i++) {
        const char *label = f->list[i].name;
        char *at;
        if (strncmp(label, name, n) != 0 || label[n] != ' ')
            continue;
        out->type = (uint32_t)strtoul(label + n, &at, 10);
        shape[0] = strtoull(at, &at, 10);
        shape[1] = strtoull(at, &at, 10);
        out->shape = shape;
        out->n_dims = shape[1] ? 2 : 1;
        out->data = f->list[i].data;
        out->length = f->list[i].length;
        return AXL_OK;
    }
    return AXL_END;
}

/* A trained model comes out tensor by tensor, each in the type that its files had, and in again. */
static void test_memory__trained_model_there_and_back(void **state)
{
    axl_context *ctx = tiny_context(2);
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;

    (void)state;
    for (uint32_t compute = AXL_COMPUTE_F32; compute <= AXL_COMPUTE_BF16; compute++) {
        axl_model *model = tiny_model(ctx, "cpu", compute), *again, *saved;
        files f = { 0 };
        assert_fails(axl_model_save_tensors(model, take_file, take_tensor, &f), AXL_ERR_INVALID,
                     "the model was not trained");
        train_step(model, NULL);
        assert_fails(axl_model_save_tensors(model, NULL, take_tensor, &f), AXL_ERR_INVALID, "file");
        assert_fails(axl_model_save_tensors(model, take_file, NULL, &f), AXL_ERR_INVALID, "tensor");
        assert_ok(axl_model_save_tensors(model, take_file, take_tensor, &f));
        o.compute = compute;
        assert_ok(axl_model_open_tensors(&again, ctx, f.list[0].data, f.list[0].length, give_taken,
                                         &f, &o));
        assert_ok(axl_model_save(model, temp_path("there-and-back")));
        assert_ok(axl_model_open(&saved, ctx, temp_path("there-and-back"), &o));
        assert_same_logits(logits_of(saved, NULL), logits_of(again, NULL));
        axl_model_free(again);
        free_files(&f);
        assert_fails(axl_model_save_tensors(model, take_file, refuse_tensor, &f), AXL_ERR_CANCELLED,
                     "the host stopped at the tensor model.layers.0.self_attn.q_proj.weight");
        free_files(&f);
        assert_fails(axl_model_save_tensors(model, refuse_file, take_tensor, (char[64]){ "" }),
                     AXL_ERR_CANCELLED, "the host stopped at the file config.json");
        axl_model_free(saved);
        axl_model_free(model);
    }
    axl_context_free(ctx);
}

/* ---- shards ---- */

/* The header's length, and the header behind it. */
static size_t header_of(const axl_file *file)
{
    uint64_t length;

    memcpy(&length, file->data, sizeof length);
    return (size_t)length;
}

static const char index_name[] = "model.safetensors.index.json";

static axl_status open_model(axl_context *ctx, const files *f)
{
    axl_model *model;
    axl_status status = axl_model_open_files(&model, ctx, f->list, f->n, NULL);

    if (status < 0)
        assert_null(model);
    else
        axl_model_free(model);
    return status;
}

static void test_memory__shards(void **state)
{
    axl_context *ctx = tiny_context(1);
    files f = model_files();
    static const char index[] =
        "{\"weight_map\": {\"model.embed_tokens.weight\": \"part.safetensors\"}}";

    (void)state;
    axl_file *weights = find_file(&f, "model.safetensors");
    free((void *)(uintptr_t)weights->name);
    weights->name = strdup("part.safetensors");
    assert_fails(open_model(ctx, &f), AXL_ERR_NOT_FOUND,
                 "the list of files holds no model.safetensors or model.safetensors.index.json");
    put_file(&f, index_name, index, sizeof index - 1);
    assert_ok(open_model(ctx, &f));
    free((void *)(uintptr_t)weights->name);
    weights->name = strdup("other.safetensors");
    assert_fails(open_model(ctx, &f), AXL_ERR_NOT_FOUND,
                 "model.safetensors.index.json: \"model.embed_tokens.weight\": part.safetensors is "
                 "not in the list of files");
    free_files(&f);
    axl_context_free(ctx);
}

/* ---- broken lists and files ---- */

static void test_memory__lists_that_are_none(void **state)
{
    axl_context *ctx = tiny_context(1);
    files f = model_files();
    axl_model *model = (axl_model *)1;

    (void)state;
    assert_fails(axl_model_open_files(NULL, ctx, f.list, f.n, NULL), AXL_ERR_INVALID, "out");
    assert_fails(axl_model_open_files(&model, ctx, NULL, 1, NULL), AXL_ERR_INVALID, "one file");
    assert_null(model);
    assert_fails(axl_model_open_files(&model, ctx, f.list, 0, NULL), AXL_ERR_INVALID, "one file");
    const char *name = f.list[1].name;
    f.list[1].name = NULL;
    assert_fails(open_model(ctx, &f), AXL_ERR_INVALID, "file 1 has no name");
    f.list[1].name = f.list[0].name;
    assert_fails(open_model(ctx, &f), AXL_ERR_INVALID, "two files have the name config.json");
    f.list[1].name = name;
    f.list[1].size++;
    assert_fails(open_model(ctx, &f), AXL_ERR_ABI, "file 1 has size");
    f.list[1].size--;
    const void *data = f.list[1].data;
    f.list[1].data = NULL;
    assert_fails(open_model(ctx, &f), AXL_ERR_INVALID, "file 1 has no data");
    f.list[1].data = data;
    f.list[0].size = 1;
    assert_fails(open_model(ctx, &f), AXL_ERR_ABI, "size");
    f.list[0].size = sizeof f.list[0];
    assert_ok(open_model(ctx, &f));
    free_files(&f);
    axl_context_free(ctx);
}

/* Structs of a later release are longer. */
static void test_memory__longer_structs(void **state)
{
    struct {
        axl_file file;
        uint64_t more;
    } list[N_FILES_MAX];
    axl_context *ctx = tiny_context(1);
    files f = model_files();
    axl_model *model;

    (void)state;
    memset(list, 0, sizeof list);
    for (size_t i = 0; i < f.n; i++) {
        list[i].file = f.list[i];
        list[i].file.size = sizeof list[i];
    }
    assert_ok(axl_model_open_files(&model, ctx, &list[0].file, f.n, NULL));
    axl_model_free(model);
    list[1].more = 1;
    assert_fails(axl_model_open_files(&model, ctx, &list[0].file, f.n, NULL), AXL_ERR_ABI, "newer");
    free_files(&f);
    axl_context_free(ctx);
}

/* Each file without its last byte, empty, and gone; messages name it. */
static void test_memory__files_that_are_cut(void **state)
{
    axl_context *ctx = tiny_context(1);
    files f = model_files();

    (void)state;
    for (size_t i = 0; i < f.n; i++) {
        size_t length = f.list[i].length;
        for (size_t cut = 0; cut < 2; cut++) {
            f.list[i].length = cut ? 0 : length - 3;
            assert_fails(open_model(ctx, &f), AXL_ERR_FORMAT, f.list[i].name);
        }
        f.list[i].length = length;
    }
    size_t header = header_of(find_file(&f, "model.safetensors"));
    find_file(&f, "model.safetensors")->length = 8 + header / 2;
    assert_fails(open_model(ctx, &f), AXL_ERR_FORMAT, "model.safetensors is no safetensors file");
    free_files(&f);
    f = model_files();
    files one = { .list = { *find_file(&f, "model.safetensors") }, .n = 1 };
    assert_fails(open_model(ctx, &one), AXL_ERR_NOT_FOUND,
                 "config.json is not in the list of files");
    one.list[0] = *find_file(&f, "config.json");
    assert_fails(open_model(ctx, &one), AXL_ERR_NOT_FOUND, "holds no model.safetensors");
    free_files(&f);
    axl_context_free(ctx);
}

/* ---- tensors by name ---- */

/* A host that has the file's tensors by their names, which are found as text in the header. */
typedef struct {
    files f;
    char *header;
    size_t header_length;
    const char *lacks;    /* AXL_END for it */
    const char *stops_at; /* -1 for it */
    const char *cut;      /* a byte less */
    uint64_t shape[2];
    char *last; /* with read: what the last call gave, which is spoilt by the next */
    size_t last_length;
    int spoils;
    int calls;
} tensor_host;

static uint64_t number_after(const char *at, const char *key, int index)
{
    at = strstr(at, key);
    assert_non_null(at);
    at = strchr(at, '[');
    while (index-- > 0)
        at = strchr(at + 1, ',');
    return strtoull(at + 1, NULL, 10);
}

static axl_status give_tensor(void *user, const char *name, axl_tensor_data *out)
{
    tensor_host *h = user;
    char quoted[128];

    h->calls++;
    assert_int_equal(out->size, sizeof *out);
    if (h->last)
        memset(h->last, 0xFF, h->last_length);
    free(h->last);
    h->last = NULL;
    snprintf(quoted, sizeof quoted, "\"%s\":", name);
    const char *at = strstr(h->header, quoted);
    if (h->stops_at && strcmp(name, h->stops_at) == 0)
        return AXL_ERR_IO;
    if (!at || (h->lacks && strcmp(name, h->lacks) == 0))
        return AXL_END;
    const axl_file *file = find_file(&h->f, "model.safetensors");
    const char *data = (const char *)file->data + 8 + h->header_length;
    uint64_t begin = number_after(at, "data_offsets", 0), end = number_after(at, "data_offsets", 1);
    out->data = data + begin;
    out->length = (size_t)(end - begin) - (h->cut && strcmp(name, h->cut) == 0);
    const char *shape = strstr(at, "shape");
    out->n_dims = strchr(shape, ',') < strchr(shape, ']') ? 2 : 1;
    for (uint32_t i = 0; i < out->n_dims; i++)
        h->shape[i] = number_after(at, "shape", (int)i);
    out->shape = h->shape;
    const char *type = strstr(at, "dtype") + strlen("dtype\":\"");
    out->type = strncmp(type, "BF16", 4) == 0  ? AXL_TENSOR_BF16
                : strncmp(type, "F16", 3) == 0 ? AXL_TENSOR_F16
                                               : AXL_TENSOR_F32;
    if (h->spoils) {
        h->last_length = out->length;
        out->data = h->last = memcpy(malloc(out->length), out->data, out->length);
    }
    return AXL_OK;
}

static tensor_host begin_host(void)
{
    tensor_host h = { .f = model_files() };
    const axl_file *file = find_file(&h.f, "model.safetensors");

    h.header_length = header_of(file);
    h.header = strndup((const char *)file->data + 8, h.header_length);
    return h;
}

static void end_host(tensor_host *h)
{
    free_files(&h->f);
    free(h->header);
    free(h->last);
}

static axl_status open_tensors(axl_model **out, axl_context *ctx, tensor_host *h,
                               const axl_model_options *o)
{
    const axl_file *config = find_file(&h->f, "config.json");

    return axl_model_open_tensors(out, ctx, config->data, config->length, give_tensor, h, o);
}

static void test_memory__tensors_by_name(void **state)
{
    axl_context *ctx = tiny_context(2);
    axl_model *plain = tiny_model(ctx, "cpu", AXL_COMPUTE_F32), *model;
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    tensor_host h = begin_host();

    (void)state;
    o.compute = AXL_COMPUTE_F32;
    assert_ok(open_tensors(&model, ctx, &h, &o));
    int calls = h.calls;
    assert_same_logits(logits_of(plain, NULL), logits_of(model, NULL));
    assert_true(train_step(plain, NULL) == train_step(model, NULL));
    assert_same_logits(logits_of(plain, NULL), logits_of(model, NULL));
    assert_ok(axl_model_save(plain, temp_path("plain")));
    assert_ok(axl_model_save(model, temp_path("tensors")));
    assert_int_equal(h.calls, calls);
    axl_model_free(model);
    static const char *const names[] = { "config.json", "model.safetensors" };
    files f = read_folder(temp_path("plain"), names, 2);
    assert_same_files(&f, temp_path("tensors"));
    free_files(&f);
    axl_model_free(plain);

    plain = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    h.spoils = 1;
    o.read = 1;
    assert_ok(open_tensors(&model, ctx, &h, &o));
    end_host(&h);
    assert_same_logits(logits_of(plain, NULL), logits_of(model, NULL));
    axl_model_free(model);
    axl_model_free(plain);
    axl_context_free(ctx);
}

static void assert_refused(axl_context *ctx, tensor_host *h, axl_status status, const char *text)
{
    axl_model *model = (axl_model *)1;

    assert_fails(open_tensors(&model, ctx, h, NULL), status, text);
    assert_null(model);
}

static axl_status give_nonsense(void *user, const char *name, axl_tensor_data *out)
{
    const axl_tensor_data *given = user;

    (void)name;
    *out = *given;
    return AXL_OK;
}

static void test_memory__sources_that_fail(void **state)
{
    static const uint64_t huge[] = { UINT64_MAX, UINT64_MAX };
    static const char layer[] = "model.layers.0.self_attn.q_proj.weight";
    axl_context *ctx = tiny_context(1);
    tensor_host h = begin_host();
    axl_tensor_data d = AXL_TENSOR_DATA_INIT;
    axl_model *model;

    (void)state;
    h.lacks = layer;
    assert_refused(ctx, &h, AXL_ERR_FORMAT,
                   "the tensor source: tensor \"model.layers.0.self_attn.q_proj.weight\" is "
                   "missing");
    h.lacks = NULL;
    h.stops_at = layer;
    assert_refused(ctx, &h, AXL_ERR_CANCELLED,
                   "the host stopped at the tensor model.layers.0.self_attn.q_proj.weight");
    h.stops_at = NULL;
    h.cut = layer;
    assert_refused(ctx, &h, AXL_ERR_INVALID, "its shape and type make");
    const axl_file *config = find_file(&h.f, "config.json");
    assert_fails(axl_model_open_tensors(&model, ctx, NULL, 0, give_tensor, &h, NULL),
                 AXL_ERR_INVALID, "config");
    assert_fails(axl_model_open_tensors(&model, ctx, config->data, config->length, NULL, &h, NULL),
                 AXL_ERR_INVALID, "tensor");
    assert_fails(axl_model_open_tensors(&model, ctx, "{", 1, give_tensor, &h, NULL), AXL_ERR_FORMAT,
                 "config.json");
#define REFUSED(text)                                                                              \
    assert_fails(axl_model_open_tensors(&model, ctx, config->data, config->length, give_nonsense,  \
                                        &d, NULL),                                                 \
                 AXL_ERR_INVALID, text)
    REFUSED("no axl_tensor_type");
    d.type = AXL_TENSOR_F16 + 1;
    REFUSED("no axl_tensor_type");
    d.type = AXL_TENSOR_F32;
    REFUSED("has 0 bytes");
    d.n_dims = 2;
    REFUSED("no shape");
    d.shape = huge;
    REFUSED("too large a shape");
    d.n_dims = 9;
    REFUSED("no shape");
#undef REFUSED
    end_host(&h);
    axl_context_free(ctx);
}

/* Values of another shape than config.json wants. */
static void test_memory__tensors_of_another_shape(void **state)
{
    static const uint64_t shape[] = { 2, 3 };
    static const float values[6];
    axl_context *ctx = tiny_context(1);
    files f = model_files();
    axl_tensor_data d = AXL_TENSOR_DATA_INIT;
    axl_model *model;

    (void)state;
    d.data = values;
    d.length = sizeof values;
    d.shape = shape;
    d.n_dims = 2;
    d.type = AXL_TENSOR_F32;
    assert_fails(axl_model_open_tensors(&model, ctx, f.list[0].data, f.list[0].length,
                                        give_nonsense, &d, NULL),
                 AXL_ERR_FORMAT, "has shape [2, 3], config.json wants");
    free_files(&f);
    axl_context_free(ctx);
}

/* ---- adapters ---- */

static void test_memory__adapter_there_and_back(void **state)
{
    axl_context *ctx = tiny_context(2);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter *a = tiny_adapter(model, 0.25), *b;
    files f = { 0 };
    char at[64];

    (void)state;
    assert_ok(axl_adapter_save(a, temp_path("adapter")));
    assert_ok(axl_adapter_save_files(a, take_file, &f));
    assert_int_equal(f.n, 2);
    assert_same_files(&f, temp_path("adapter"));
    assert_ok(axl_adapter_open_files(&b, model, f.list, f.n));
    tiny_compare(a, NULL, b, NULL, 0.0);
    assert_same_logits(logits_of(model, a), logits_of(model, b));
    free_files(&f);
    assert_ok(axl_adapter_save_files(b, take_file, &f));
    assert_same_files(&f, temp_path("adapter"));
    free_files(&f);
    assert_fails(axl_adapter_save_files(a, refuse_file, at), AXL_ERR_CANCELLED,
                 "the host stopped at the file adapter_model.safetensors");
    assert_string_equal(at, "adapter_model.safetensors");
    assert_fails(axl_adapter_save_files(a, NULL, NULL), AXL_ERR_INVALID, "fn");
    axl_adapter_free(a);
    axl_adapter_free(b);
    axl_model_free(model);
    axl_context_free(ctx);
}

typedef struct {
    axl_adapter *adapter;
    axl_model *model;
    int asked;
} busy_host;

/* What a host asks of an adapter while its files are handed out. */
static int use_adapter(void *user, const axl_file *file)
{
    static float values[64 * 4096];
    busy_host *h = user;

    (void)file;
    h->asked++;
    assert_ok(axl_adapter_read(h->adapter, 0, values));
    assert_fails(axl_adapter_write(h->adapter, 0, values), AXL_ERR_BUSY, "being read");
    return 0;
}

static int save_again(void *user, const axl_file *file)
{
    busy_host *h = user;

    (void)file;
    h->asked++;
    assert_fails(axl_model_save(h->model, temp_path("again")), AXL_ERR_BUSY, "its own callback");
    return 0;
}

static int take_nothing(void *user, const char *name, const axl_tensor_data *tensor)
{
    (void)user;
    (void)name;
    (void)tensor;
    return 0;
}

static void test_memory__busy_while_handed_out(void **state)
{
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter *a = tiny_adapter(model, 0.0);
    busy_host h = { a, model, 0 };
    float *values;

    (void)state;
    assert_ok(axl_adapter_save_files(a, use_adapter, &h));
    assert_int_equal(h.asked, 2);
    values = calloc(64 * 4096, sizeof *values);
    assert_ok(axl_adapter_read(a, 0, values));
    assert_ok(axl_adapter_write(a, 0, values));
    free(values);
    axl_adapter_free(a);
    train_step(model, NULL);
    assert_ok(axl_model_save_tensors(model, save_again, take_nothing, &h));
    assert_true(h.asked > 2);
    assert_ok(axl_model_save(model, temp_path("again")));
    axl_model_free(model);
    axl_context_free(ctx);
}

static axl_status open_adapter(axl_model *model, const axl_file *list, size_t n)
{
    axl_adapter *adapter;
    axl_status status = axl_adapter_open_files(&adapter, model, list, n);

    if (status < 0)
        assert_null(adapter);
    axl_adapter_free(adapter);
    return status;
}

static void test_memory__adapters_that_are_cut(void **state)
{
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter *a = tiny_adapter(model, 0.0);
    files f = { 0 };

    (void)state;
    assert_ok(axl_adapter_save_files(a, take_file, &f));
    assert_fails(open_adapter(model, f.list, 1), AXL_ERR_NOT_FOUND,
                 "the list of files holds no adapter: there is no adapter_config.json");
    assert_fails(open_adapter(model, f.list + 1, 1), AXL_ERR_NOT_FOUND,
                 "adapter_model.safetensors is not in the list of files");
    for (size_t i = 0; i < f.n; i++) {
        size_t length = f.list[i].length;
        f.list[i].length -= 3;
        assert_fails(open_adapter(model, f.list, f.n), AXL_ERR_FORMAT, f.list[i].name);
        f.list[i].length = 0;
        assert_fails(open_adapter(model, f.list, f.n), AXL_ERR_FORMAT, f.list[i].name);
        f.list[i].length = length;
    }
    assert_ok(open_adapter(model, f.list, f.n));
    free((void *)(uintptr_t)f.list[0].name);
    f.list[0].name = strdup("adapter_model.bin");
    assert_fails(open_adapter(model, f.list, f.n), AXL_ERR_UNSUPPORTED, "a pickle");
    free_files(&f);
    axl_adapter_free(a);
    axl_model_free(model);
    axl_context_free(ctx);
}

static void test_memory__adapter_info(void **state)
{
    static const char *const targets[] = { "q_proj", "down_proj" };
    axl_context *ctx = tiny_context(1);
    axl_model *model = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_adapter_options o = AXL_ADAPTER_OPTIONS_INIT;
    axl_adapter_info info = AXL_ADAPTER_INFO_INIT;
    axl_adapter *a;

    (void)state;
    o.target_modules = targets;
    o.n_target_modules = 2;
    o.rank = 3;
    o.alpha = 7.5;
    o.dropout = 0.125;
    o.rslora = 1;
    assert_ok(axl_adapter_new(&a, model, &o));
    axl_model_free(model);
    assert_ok(axl_adapter_get_info(a, &info));
    assert_int_equal(info.rank, 3);
    assert_int_equal(info.rslora, 1);
    assert_true(info.alpha == 7.5 && info.dropout == 0.125);
    assert_int_equal(info.n_target_modules, 2);
    assert_string_equal(info.target_modules[0], "q_proj");
    assert_string_equal(info.target_modules[1], "down_proj");
    assert_string_equal(info.base_model_name, test_source_path("examples/tiny-llama"));
    info.size = 4;
    assert_fails(axl_adapter_get_info(a, &info), AXL_ERR_ABI, "axl_adapter_info");
    assert_fails(axl_adapter_get_info(NULL, &info), AXL_ERR_INVALID, "axl_adapter");
    axl_adapter_free(a);
    axl_context_free(ctx);
}

/* What an adapter says of a base without a folder. */
static void test_memory__name_of_the_base(void **state)
{
    axl_context *ctx = tiny_context(1);
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;
    files f = model_files(), out = { 0 };

    (void)state;
    for (int named = 0; named < 2; named++) {
        axl_adapter_info info = AXL_ADAPTER_INFO_INIT;
        axl_model *model;
        o.name = named ? "own/name" : NULL;
        assert_ok(axl_model_open_files(&model, ctx, f.list, f.n, &o));
        axl_adapter *a = tiny_adapter(model, 0.0);
        axl_model_free(model);
        assert_ok(axl_adapter_get_info(a, &info));
        assert_true(named ? strcmp(info.base_model_name, "own/name") == 0 : !info.base_model_name);
        assert_ok(axl_adapter_save_files(a, take_file, &out));
        assert_non_null(strstr(find_file(&out, "adapter_config.json")->data,
                               named ? "\"base_model_name_or_path\": \"own/name\""
                                     : "\"base_model_name_or_path\": null"));
        free_files(&out);
        axl_adapter_free(a);
    }
    free_files(&f);
    axl_context_free(ctx);
}

/* An adapter is trained, kept in a checkpoint and gone on with on a model from memory. */
static void test_memory__training_and_checkpoint(void **state)
{
    axl_context *ctx = tiny_context(2);
    files f = model_files();
    axl_model *a = tiny_model(ctx, "cpu", AXL_COMPUTE_F32);
    axl_model *b = open_files(ctx, &f, AXL_COMPUTE_F32, 0);
    axl_adapter *x = tiny_adapter(a, 0.1), *y = tiny_adapter(b, 0.1), *z;
    axl_trainer *tr;

    (void)state;
    assert_true(train_step(a, x) == train_step(b, y));
    tiny_compare(x, NULL, y, NULL, 0.0);
    assert_ok(axl_trainer_new(&tr, b, y, NULL));
    assert_ok(axl_trainer_save(tr, NULL, temp_path("checkpoint")));
    assert_ok(axl_trainer_load(tr, NULL, temp_path("checkpoint")));
    axl_trainer_free(tr);
    assert_ok(axl_adapter_open(&z, a, temp_path("checkpoint")));
    tiny_compare(y, NULL, z, NULL, 0.0);
    assert_ok(axl_adapter_merge(x));
    assert_ok(axl_adapter_merge(y));
    free_files(&f);
    assert_same_logits(logits_of(a, NULL), logits_of(b, NULL));
    axl_adapter_free(x);
    axl_adapter_free(y);
    axl_adapter_free(z);
    axl_model_free(a);
    axl_model_free(b);
    axl_context_free(ctx);
}

/* ---- tokenizers ---- */

static void assert_same_ids(axl_tokenizer *a, axl_tokenizer *b)
{
    static const char text[] = " Once upon a time\n</s>\xC3\xA9 1234";
    axl_buffer x = AXL_BUFFER_INIT, y = AXL_BUFFER_INIT;

    assert_ok(axl_tokenizer_encode(a, text, sizeof text - 1, 0, &x));
    assert_ok(axl_tokenizer_encode(b, text, sizeof text - 1, 0, &y));
    assert_int_equal(x.length, y.length);
    assert_memory_equal(x.data, y.data, x.length);
    assert_int_equal(axl_tokenizer_vocab_size(a), axl_tokenizer_vocab_size(b));
    assert_int_equal(axl_tokenizer_pad(a), axl_tokenizer_pad(b));
    axl_buffer_free(&x);
    axl_buffer_free(&y);
}

/* Options change what is saved; the host's bytes are gone by then. */
static void test_memory__tokenizer_there_and_back(void **state)
{
    axl_context *ctx = tiny_context(1);
    axl_tokenizer_options o = AXL_TOKENIZER_OPTIONS_INIT;
    const char *dir = test_source_path("examples/tiny-llama");
    axl_tokenizer *a, *b;
    char at[64], command[512];

    (void)state;
    snprintf(command, sizeof command, "mkdir -p '%s' '%s'", temp_path("tok-a"), temp_path("tok-b"));
    assert_int_equal(system(command), 0);
    for (int changed = 0; changed < 2; changed++) {
        files f = tokenizer_files(dir), out = { 0 };
        o.pad_token = changed ? "</s>" : NULL;
        assert_ok(axl_tokenizer_open(&a, ctx, dir, &o));
        assert_ok(axl_tokenizer_open_files(&b, ctx, f.list, f.n, &o));
        free_files(&f);
        assert_same_ids(a, b);
        assert_ok(axl_tokenizer_save(a, temp_path("tok-a")));
        assert_ok(axl_tokenizer_save(b, temp_path("tok-b")));
        assert_ok(axl_tokenizer_save_files(a, take_file, &out));
        assert_true(out.n >= 2);
        assert_same_files(&out, temp_path("tok-a"));
        assert_same_files(&out, temp_path("tok-b"));
        free_files(&out);
        assert_fails(axl_tokenizer_save_files(b, refuse_file, at), AXL_ERR_CANCELLED, at);
        axl_tokenizer_free(a);
        axl_tokenizer_free(b);
    }
    axl_context_free(ctx);
}

static axl_status open_tokenizer(axl_context *ctx, const files *f)
{
    axl_tokenizer *tok;
    axl_status status = axl_tokenizer_open_files(&tok, ctx, f->list, f->n, NULL);

    if (status < 0)
        assert_null(tok);
    axl_tokenizer_free(tok);
    return status;
}

static void test_memory__tokenizers_that_are_cut(void **state)
{
    axl_context *ctx = tiny_context(1);
    files f = tokenizer_files(test_source_path("examples/tiny-llama"));
    axl_tokenizer *tok;

    (void)state;
    for (size_t i = 0; i < f.n; i++) {
        size_t length = f.list[i].length;
        if (!strstr(f.list[i].name, ".json"))
            continue;
        f.list[i].length = length / 2;
        assert_fails(open_tokenizer(ctx, &f), AXL_ERR_FORMAT, f.list[i].name);
        f.list[i].length = length;
    }
    files config = { .list = { *find_file(&f, "tokenizer_config.json") }, .n = 1 };
    assert_fails(open_tokenizer(ctx, &config), AXL_ERR_NOT_FOUND,
                 "the list of files has neither tokenizer.json nor tokenizer.model");
    assert_fails(axl_tokenizer_open_files(&tok, ctx, NULL, 0, NULL), AXL_ERR_INVALID, "one file");
    assert_fails(axl_tokenizer_open_files(NULL, ctx, f.list, f.n, NULL), AXL_ERR_INVALID, "out");
    free_files(&f);
    axl_context_free(ctx);
}

/* One .model alone is what a path to it is. */
static void test_memory__bare_tokenizer(void **state)
{
    const char *path = test_shared_path("models/stories260K/tokenizer.model");
    axl_context *ctx = tiny_context(1);
    axl_tokenizer *a, *b;
    files f = { 0 }, out = { 0 };
    size_t length;
    char *data;

    (void)state;
    if (!path) {
        axl_context_free(ctx);
        skip();
    }
    data = read_path(path, &length);
    put_file(&f, "stories.model", data, length);
    free(data);
    assert_ok(axl_tokenizer_open(&a, ctx, path, NULL));
    assert_ok(axl_tokenizer_open_files(&b, ctx, f.list, f.n, NULL));
    f.list[0].length = length / 2;
    assert_fails(open_tokenizer(ctx, &f), AXL_ERR_FORMAT, "stories.model");
    free_files(&f);
    assert_same_ids(a, b);
    assert_ok(axl_tokenizer_save_files(b, take_file, &out));
    assert_int_equal(out.n, 1);
    assert_string_equal(out.list[0].name, "tokenizer.model");
    assert_same_files(&out, test_shared_path("models/stories260K"));
    free_files(&out);
    axl_tokenizer_free(a);
    axl_tokenizer_free(b);
    axl_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory__model_has_the_bits_of_its_folder),
        cmocka_unit_test(test_memory__weights_are_used_in_place_or_copied),
        cmocka_unit_test(test_memory__weights_may_lie_at_any_byte),
        cmocka_unit_test(test_memory__full_fine_tuning),
        cmocka_unit_test(test_memory__trained_model_there_and_back),
        cmocka_unit_test(test_memory__shards),
        cmocka_unit_test(test_memory__lists_that_are_none),
        cmocka_unit_test(test_memory__longer_structs),
        cmocka_unit_test(test_memory__files_that_are_cut),
        cmocka_unit_test(test_memory__tensors_by_name),
        cmocka_unit_test(test_memory__sources_that_fail),
        cmocka_unit_test(test_memory__tensors_of_another_shape),
        cmocka_unit_test(test_memory__adapter_there_and_back),
        cmocka_unit_test(test_memory__busy_while_handed_out),
        cmocka_unit_test(test_memory__adapters_that_are_cut),
        cmocka_unit_test(test_memory__adapter_info),
        cmocka_unit_test(test_memory__name_of_the_base),
        cmocka_unit_test(test_memory__training_and_checkpoint),
        cmocka_unit_test(test_memory__tokenizer_there_and_back),
        cmocka_unit_test(test_memory__tokenizers_that_are_cut),
        cmocka_unit_test(test_memory__bare_tokenizer),
    };

    return test_run(tests);
}
