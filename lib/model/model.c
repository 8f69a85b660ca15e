/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.c - opening a model folder: every tensor is found, checked against the architecture and
 * mapped where it lies; only what the compute type cannot read in place is converted.
 */
#include "model.h"
#include "weights.h"

#include "base/json.h"
#include "base/str.h"
#include "config/config.h"
#include "hub/hub.h"
#include "tensor/counting.h"

#include <stdio.h>
#include <string.h>

#define MODEL_MAGIC 0x41584C4Du /* "AXLM" */

static const char *const linear_names[AXL__LINEAR_KINDS] = { "self_attn.q_proj", "self_attn.k_proj",
                                                             "self_attn.v_proj", "self_attn.o_proj",
                                                             "mlp.gate_proj",    "mlp.up_proj",
                                                             "mlp.down_proj" };

/* ---- finding the files ---- */

static axl_status add_file(axl_model *m, const char *name, bool read)
{
    char *path = axl__format(m->ctx, "%s/%s", m->dir, name);
    axl__safetensors *st = &m->files[m->n_files];

    if (!path)
        return axl__fail_nomem();
    axl_status status = m->device.counts_only ? axl__safetensors_open_header(st, m->ctx, path, read)
                                              : axl__safetensors_open(st, m->ctx, path, read);
    if (status == AXL_OK) {
        m->n_files++;
        m->file_bytes += st->mapped ? 0 : st->file.size;
    }
    axl__free(m->ctx, path);
    return status;
}

/* The distinct file names of the index's weight_map, in the order of their first use. */
static axl_status open_shards(axl_model *m, const axl__json *root, const char *path, bool read)
{
    const axl__json *map = axl__json_get(root, "weight_map");

    if (!map || map->type != AXL__JSON_OBJECT || map->count == 0)
        return axl__fail(AXL_ERR_FORMAT,
                         "%s: \"weight_map\", from tensors to files, is missing or empty", path);
    m->files = axl__calloc(m->ctx, map->count, sizeof *m->files);
    if (!m->files)
        return axl__fail_nomem();
    for (const axl__json *v = map->child; v; v = v->next) {
        bool seen = false;
        if (v->type != AXL__JSON_STRING || strchr(v->text, '/') || v->len != strlen(v->text))
            return axl__fail(AXL_ERR_FORMAT,
                             "%s: the value of \"%s\" must be the name of a file beside it", path,
                             v->key);
        for (const axl__json *u = map->child; u != v && !seen; u = u->next)
            seen = strcmp(u->text, v->text) == 0;
        if (!seen) {
            AXL_TRY(axl__poll(m->ctx, "load", m->n_files, 0));
            axl_status status = add_file(m, v->text, read);
            if (status == AXL_ERR_NOT_FOUND)
                return axl__fail_prefix(status, "%s: \"%s\"", path, v->key);
            AXL_TRY(status);
        }
    }
    return AXL_OK;
}

static axl_status open_index(axl_model *m, bool read)
{
    char *path = axl__format(m->ctx, "%s/model.safetensors.index.json", m->dir);
    axl__arena arena;
    axl__file f;
    axl__json *root;

    if (!path)
        return axl__fail_nomem();
    axl__arena_init(&arena, m->ctx);
    axl_status status = axl__file_open(&f, m->ctx, path, true);
    if (status == AXL_OK) {
        status = axl__json_parse(&root, &arena, (const char *)f.data, f.size, path);
        if (status == AXL_OK)
            status = open_shards(m, root, path, read);
        axl__file_close(&f);
    }
    axl__arena_free(&arena);
    axl__free(m->ctx, path);
    return status;
}

static axl_status open_files(axl_model *m, bool read)
{
    bool whole = axl__has_file(m->dir, "model.safetensors");

    if (!whole && axl__has_file(m->dir, "model.safetensors.index.json"))
        return open_index(m, read);
    if (!whole) {
        if (axl__has_file(m->dir, "pytorch_model.bin") ||
            axl__has_file(m->dir, "pytorch_model.bin.index.json"))
            return axl__fail(AXL_ERR_UNSUPPORTED,
                             "%s holds pytorch_model.bin, a pickle, which can run code when it is "
                             "read; convert it to model.safetensors (transformers: "
                             "save_pretrained)",
                             m->dir);
        return axl__fail(AXL_ERR_NOT_FOUND,
                         "%s holds no model.safetensors or model.safetensors.index.json", m->dir);
    }
    m->files = axl__calloc(m->ctx, 1, sizeof *m->files);
    if (!m->files)
        return axl__fail_nomem();
    return add_file(m, "model.safetensors", read);
}

/* ---- taking the tensors ---- */

axl_status axl__model_keep(axl_model *m, void *p, bool owned)
{
    void ***list = owned ? &m->owned : &m->mapped;
    size_t *n = owned ? &m->n_owned : &m->n_mapped, *cap = owned ? &m->cap_owned : &m->cap_mapped;

    if (*n == *cap) {
        size_t more = *cap ? *cap * 2 : 64;
        void **grown = axl__realloc(m->ctx, *list, more * sizeof *grown);
        if (!grown)
            return axl__fail_nomem();
        *list = grown;
        *cap = more;
    }
    (*list)[(*n)++] = p;
    return AXL_OK;
}

static const axl__st_tensor *find_tensor(const axl_model *m, const char *name,
                                         const axl__safetensors **in)
{
    for (size_t i = 0; i < m->n_files; i++) {
        const axl__st_tensor *t = axl__safetensors_find(&m->files[i], name);
        if (t) {
            *in = &m->files[i];
            return t;
        }
    }
    return NULL;
}

/* In place when the compute type reads it: its own type, or bf16 under f32, which widens exactly.
 */
static bool readable_in_place(const axl_model *m, const axl__st_tensor *t)
{
    size_t align = axl__dtype_size((axl_dtype)t->dtype);

    if ((uintptr_t)t->data % align != 0)
        return false;
    return t->dtype == AXL_BF16 || (t->dtype == AXL_F32 && m->compute == AXL_F32);
}

enum { PIECE = 1 << 20 }; /* elements converted between two looks at the cancel flag */

/* scratch has room for PIECE elements of both types. */
static axl_status convert_pieces(const axl_model *m, const axl__st_tensor *t, int64_t n, char *out,
                                 char *scratch)
{
    size_t from_size = axl__dtype_size((axl_dtype)t->dtype), to_size = axl__dtype_size(m->compute);
    bool direct = m->device.host_memory;

    for (int64_t i = 0; i < n; i += PIECE) {
        int64_t count = n - i < PIECE ? n - i : PIECE;
        const char *from = (const char *)t->data + (size_t)i * from_size;
        char *to = out + (size_t)i * to_size;
        AXL_TRY(axl__cancelled(m->ctx));
        if ((uintptr_t)from % from_size != 0) /* a file may align nothing */
            from = memcpy(scratch + PIECE * to_size, from, (size_t)count * from_size);
        axl__convert(direct ? to : scratch, m->compute, from, (axl_dtype)t->dtype, count);
        if (!direct)
            AXL_TRY(m->ops->upload(m->dev, to, scratch, (size_t)count * to_size));
    }
    return AXL_OK;
}

static axl_status fill_converted(const axl_model *m, const axl__st_tensor *t, int64_t n, void *p)
{
    size_t sizes = axl__dtype_size(m->compute) + axl__dtype_size((axl_dtype)t->dtype);

    if (m->device.counts_only)
        return AXL_OK;
    char *scratch = axl__alloc_aligned(m->ctx, PIECE * sizes);
    axl_status status = scratch ? convert_pieces(m, t, n, p, scratch) : axl__fail_nomem();
    axl__free_aligned(m->ctx, scratch);
    return status;
}

static axl_status convert_tensor(axl_model *m, const axl__st_tensor *t, int64_t n, void **out,
                                 axl_dtype *dtype)
{
    void *p = NULL;

    AXL_TRY(m->ops->buffer_new(m->dev, &p, (size_t)n * axl__dtype_size(m->compute)));
    axl_status status = fill_converted(m, t, n, p);
    if (status == AXL_OK)
        status = axl__model_keep(m, p, true);
    if (status < 0)
        m->ops->buffer_free(m->dev, p);
    *out = p;
    *dtype = m->compute;
    return status;
}

static bool has_shape(const axl__st_tensor *t, int64_t rows, int64_t cols)
{
    if (rows == 1)
        return t->n_dims == 1 && (int64_t)t->dims[0] == cols;
    return t->n_dims == 2 && (int64_t)t->dims[0] == rows && (int64_t)t->dims[1] == cols;
}

static axl_status take(axl_model *m, axl_mat *out, const char *name, int64_t rows, int64_t cols)
{
    const axl__safetensors *in = NULL;
    const axl__st_tensor *t = find_tensor(m, name, &in);
    const char *file = t ? in->file.path : m->dir;
    const uint64_t wanted[2] = { (uint64_t)rows, (uint64_t)cols };
    axl_dtype dtype = AXL_F32;
    void *p = NULL;

    if (!t)
        return axl__fail(AXL_ERR_FORMAT, "%s: tensor \"%s\" is missing", file, name);
    if (t->dtype < 0)
        return axl__fail(AXL_ERR_UNSUPPORTED, "%s: tensor \"%s\" is %s; F32, BF16 and F16 are read",
                         file, name, t->dtype_name);
    if (!has_shape(t, rows, cols)) {
        char got[AXL__ST_SHAPE_TEXT], want[AXL__ST_SHAPE_TEXT];
        axl__st_shape_text(got, t->dims, t->n_dims);
        axl__st_shape_text(want, wanted + (rows == 1), rows == 1 ? 1 : 2);
        return axl__fail(AXL_ERR_FORMAT, "%s: tensor \"%s\" has shape %s, config.json wants %s",
                         file, name, got, want);
    }
    if (readable_in_place(m, t)) {
        AXL_TRY(m->ops->weights_map(m->dev, &p, t->data, t->size));
        axl_status status = axl__model_keep(m, p, false);
        if (status < 0) {
            m->ops->weights_unmap(m->dev, p);
            return status;
        }
        dtype = (axl_dtype)t->dtype;
    } else {
        AXL_TRY(convert_tensor(m, t, rows * cols, &p, &dtype));
    }
    *out = (axl_mat){ p, dtype, rows, cols, cols };
    m->file_bytes += in->mapped ? t->size : 0;
    m->n_params += (uint64_t)(rows * cols);
    m->weights_bytes += (uint64_t)(rows * cols) * axl__dtype_size(dtype);
    return AXL_OK;
}

void axl__linear_shape(const axl__arch *a, axl__linear_kind kind, int64_t *out, int64_t *in)
{
    int64_t q = a->n_heads * a->head_dim, kv = a->n_kv_heads * a->head_dim;
    const int64_t shapes[AXL__LINEAR_KINDS][2] = {
        { q, a->hidden_size },
        { kv, a->hidden_size },
        { kv, a->hidden_size },
        { a->hidden_size, q },
        { a->intermediate_size, a->hidden_size },
        { a->intermediate_size, a->hidden_size },
        { a->hidden_size, a->intermediate_size },
    };

    *out = shapes[kind][0];
    *in = shapes[kind][1];
}

static axl_status take_layer(axl_model *m, int64_t i)
{
    axl__layer *layer = &m->layers[i];
    char name[128];

    snprintf(name, sizeof name, "model.layers.%lld.input_layernorm.weight", (long long)i);
    AXL_TRY(take(m, &layer->attn_norm, name, 1, m->arch.hidden_size));
    snprintf(name, sizeof name, "model.layers.%lld.post_attention_layernorm.weight", (long long)i);
    AXL_TRY(take(m, &layer->mlp_norm, name, 1, m->arch.hidden_size));
    for (int k = 0; k < AXL__LINEAR_KINDS; k++) {
        int64_t out, in;
        axl__linear_shape(&m->arch, (axl__linear_kind)k, &out, &in);
        snprintf(name, sizeof name, "model.layers.%lld.%s.weight", (long long)i, linear_names[k]);
        AXL_TRY(take(m, &layer->linear[k], name, out, in));
    }
    return AXL_OK;
}

static axl_status take_weights(axl_model *m)
{
    const axl__arch *a = &m->arch;
    const axl__safetensors *in;

    m->layers = axl__calloc(m->ctx, (size_t)a->n_layers, sizeof *m->layers);
    if (!m->layers)
        return axl__fail_nomem();
    AXL_TRY(take(m, &m->embed, "model.embed_tokens.weight", a->vocab_size, a->hidden_size));
    for (int64_t i = 0; i < a->n_layers; i++) {
        AXL_TRY(axl__poll(m->ctx, "load", (uint64_t)i, (uint64_t)a->n_layers));
        AXL_TRY(take_layer(m, i));
    }
    AXL_TRY(take(m, &m->final_norm, "model.norm.weight", 1, a->hidden_size));
    if (a->tied_head || !find_tensor(m, "lm_head.weight", &in)) {
        if (!a->tied_head)
            return axl__fail(AXL_ERR_FORMAT,
                             "%s: tensor \"lm_head.weight\" is missing and config.json "
                             "does not tie it",
                             m->dir);
        m->head = m->embed;
    } else {
        AXL_TRY(take(m, &m->head, "lm_head.weight", a->vocab_size, a->hidden_size));
    }
    return axl__poll(m->ctx, "load", (uint64_t)a->n_layers, (uint64_t)a->n_layers);
}

/* ---- life ---- */

static axl_dtype pick_compute(const axl_model *m, uint32_t wanted)
{
    const axl__safetensors *in;
    const axl__st_tensor *t = find_tensor(m, "model.embed_tokens.weight", &in);

    if (wanted == AXL_COMPUTE_STORED)
        return t && t->dtype == AXL_BF16 ? AXL_BF16 : AXL_F32;
    if (wanted == AXL_COMPUTE_AUTO)
        return m->device.native_bf16 ? AXL_BF16 : AXL_F32;
    return wanted == AXL_COMPUTE_BF16 ? AXL_BF16 : AXL_F32;
}

axl_status axl__model_open_device(axl_model *m, const char *backend)
{
    AXL_TRY(axl__backend_find(&m->ops, backend ? backend : "cpu"));
    AXL_TRY(m->ops->device_open(&m->dev, m->ctx, 0));
    m->ops->device_info(m->dev, &m->device);
    return AXL_OK;
}

/* From here on nothing is computed, and what is made is counted. */
static axl_status count_only(axl_model *m)
{
    AXL_TRY(axl__counting_open(&m->ops, &m->dev, m->ctx));
    m->ops->device_info(m->dev, &m->device);
    return AXL_OK;
}

static axl_status load(axl_model *m, const char *path, const char *revision,
                       const axl_model_options *o, bool counting)
{
    axl__hub_wish wish = { .name = path,
                           .revision = revision,
                           .kind = "models",
                           .pick = axl__hub_pick_model,
                           .headers = counting };

    m->name = axl__strdup(m->ctx, path);
    if (!m->name)
        return axl__fail_nomem();
    AXL_TRY(axl__hub_resolve(m->ctx, &wish, &m->dir));
    AXL_TRY(axl__model_open_device(m, o->backend));
    if (counting)
        AXL_TRY(count_only(m));
    else
        axl__log(m->ctx, AXL_LOG_INFO, "%s: %s kernels, large matmuls by %s", m->ops->name,
                 m->device.isa, m->device.matmul);
    AXL_TRY(axl__arch_read(&m->arch, m->ctx, m->dir));
    AXL_TRY(open_files(m, o->read != 0));
    m->compute = pick_compute(m, o->compute);
    return take_weights(m);
}

axl_model *axl__model_alloc(axl_context *ctx)
{
    axl_model *m = axl__calloc(ctx, 1, sizeof *m);

    if (!m)
        return NULL;
    m->magic = MODEL_MAGIC;
    atomic_init(&m->refs, 1);
    m->ctx = axl__context_ref(ctx);
    return m;
}

static axl_status open_model(axl_model **out, axl_context *ctx, const char *path,
                             const char *revision, const axl_model_options *opts, bool counting)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;

    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl__context_enter(ctx));
    AXL_TRY(axl__options_import(&o, sizeof o, opts, sizeof o));
    if (!path || o.compute > AXL_COMPUTE_STORED)
        return axl__fail(AXL_ERR_INVALID, path ? "compute must be auto, f32, bf16 or stored"
                                               : "path must not be NULL");
    axl_model *m = axl__model_alloc(ctx);
    if (!m)
        return axl__fail_nomem();
    axl_status status = load(m, path, revision, &o, counting);
    if (status < 0) {
        axl_model_free(m);
        return status;
    }
    *out = m;
    return AXL_OK;
}

axl_status axl_model_open(axl_model **out, axl_context *ctx, const char *path,
                          const axl_model_options *opts)
{
    return open_model(out, ctx, path, NULL, opts, false);
}

axl_status axl__model_open_counting(axl_model **out, axl_context *ctx, const char *path,
                                    const axl_model_options *opts)
{
    return open_model(out, ctx, path, NULL, opts, true);
}

static uint32_t config_compute(const axl_config *cfg)
{
    if (strcmp(axl__cfg_str(cfg, "bf16"), "auto") == 0)
        return axl__cfg_bool(cfg, "fp16") ? AXL_COMPUTE_F32 : AXL_COMPUTE_AUTO;
    return axl__cfg_bool(cfg, "bf16") ? AXL_COMPUTE_BF16 : AXL_COMPUTE_F32;
}

/* base_model as a folder of the config's base_dir when there is one, else as it is: a Hub id. */
static char *config_model(const axl_config *cfg)
{
    const char *name = axl__cfg_str(cfg, "base_model");
    char *path = axl__config_path(cfg, name);

    if (path && axl__path_kind_of(path) == AXL__PATH_NONE) {
        axl__free(axl__config_context(cfg), path);
        path = axl__strdup(axl__config_context(cfg), name);
    }
    return path;
}

/* dir NULL: base_model. */
static axl_status from_config(axl_model **out, const axl_config *cfg, const char *dir,
                              bool counting)
{
    axl_model_options o = AXL_MODEL_OPTIONS_INIT;

    if (!out)
        return axl__fail(AXL_ERR_INVALID, "out must not be NULL");
    *out = NULL;
    AXL_TRY(axl__config_enter(cfg));
    axl_context *ctx = axl__config_context(cfg);
    o.compute = config_compute(cfg);
    o.backend = axl__cfg_str(cfg, "axl.backend");
    o.read = strcmp(axl__cfg_str_or(cfg, "axl.load", "map"), "read") == 0;
    char *path = dir ? axl__strdup(ctx, dir) : config_model(cfg);
    if (!path)
        return axl__fail_nomem();
    const char *revision = dir ? NULL : axl__cfg_str_or(cfg, "model_revision", NULL);
    axl_status status = open_model(out, ctx, path, revision, &o, counting);
    axl__free(ctx, path);
    return status;
}

axl_status axl_model_from_config(axl_model **out, const axl_config *cfg)
{
    return from_config(out, cfg, NULL, false);
}

axl_status axl__model_from_config_in(axl_model **out, const axl_config *cfg, const char *dir)
{
    return from_config(out, cfg, dir, false);
}

axl_status axl__model_from_config_counting(axl_model **out, const axl_config *cfg)
{
    return from_config(out, cfg, NULL, true);
}

axl_model *axl__model_ref(axl_model *m)
{
    atomic_fetch_add(&m->refs, 1);
    return m;
}

axl_status axl__model_enter(const axl_model *m)
{
    if (!m || m->magic != MODEL_MAGIC) {
        axl__error_clear();
        return axl__fail(AXL_ERR_INVALID, "not a live axl_model");
    }
    return axl__context_enter(m->ctx);
}

void axl__model_release_files(axl_model *m)
{
    for (size_t i = 0; i < m->n_mapped; i++)
        m->ops->weights_unmap(m->dev, m->mapped[i]);
    for (size_t i = 0; i < m->n_owned; i++)
        m->ops->buffer_free(m->dev, m->owned[i]);
    for (size_t i = 0; i < m->n_files; i++)
        axl__safetensors_close(&m->files[i]);
    m->n_mapped = m->n_owned = m->n_files = 0;
    m->file_bytes = 0;
}

void axl_model_free(axl_model *m)
{
    if (!m || m->magic != MODEL_MAGIC || atomic_fetch_sub(&m->refs, 1) != 1)
        return;
    m->magic = 0;
    axl__weights_free(m);
    axl__model_release_files(m);
    if (m->dev)
        m->ops->device_close(m->dev);
    axl_context *ctx = m->ctx;
    axl__free(ctx, m->files);
    axl__free(ctx, m->mapped);
    axl__free(ctx, m->owned);
    axl__free(ctx, m->layers);
    axl__free(ctx, m->name);
    axl__free(ctx, m->dir);
    axl__free(ctx, m);
    axl_context_free(ctx);
}

axl_status axl__model_use(const axl_model *m)
{
    AXL_TRY(axl__model_enter(m));
    if (atomic_load(&m->trainers) < 0)
        return axl__fail(AXL_ERR_BUSY, "the model's weights are being trained; free the trainer "
                                       "first");
    return AXL_OK;
}

axl_status axl__model_take(axl_model *m, bool weights)
{
    int n = atomic_load(&m->trainers);

    while (n >= 0 && (n == 0 || !weights))
        if (atomic_compare_exchange_weak(&m->trainers, &n, weights ? -1 : n + 1))
            return AXL_OK;
    return axl__fail(AXL_ERR_BUSY, n < 0 ? "the model's weights are being trained"
                                         : "an adapter of the model is being trained");
}

void axl__model_give_back(axl_model *m, bool weights)
{
    atomic_fetch_add(&m->trainers, weights ? 1 : -1);
}

/* ---- what it is ---- */

axl_status axl_model_get_info(const axl_model *m, axl_model_info *out)
{
    AXL_TRY(axl__model_enter(m));
    if (!out || out->size < sizeof *out)
        return axl__fail(AXL_ERR_ABI, "axl_model_info has no valid size; use AXL_MODEL_INFO_INIT");
    const axl__arch *a = &m->arch;
    out->n_params = m->n_params;
    out->weights_bytes = m->weights_bytes;
    out->n_layers = (uint32_t)a->n_layers;
    out->hidden_size = (uint32_t)a->hidden_size;
    out->intermediate_size = (uint32_t)a->intermediate_size;
    out->n_heads = (uint32_t)a->n_heads;
    out->n_kv_heads = (uint32_t)a->n_kv_heads;
    out->head_dim = (uint32_t)a->head_dim;
    out->vocab_size = (uint32_t)a->vocab_size;
    out->max_seq_len = (uint32_t)a->max_seq_len;
    out->compute = m->compute == AXL_BF16 ? AXL_COMPUTE_BF16 : AXL_COMPUTE_F32;
    out->tied_head = m->head.data == m->embed.data;
    return AXL_OK;
}

axl__linears axl__layer_linears(int64_t layer, int64_t k)
{
    static const axl__linears groups[AXL__LINEAR_GROUPS] = {
        { AXL__Q, 3 }, { AXL__O, 1 }, { AXL__GATE, 2 }, { AXL__DOWN, 1 }
    };

    return (axl__linears){ layer * AXL__LINEAR_KINDS + groups[k].first, groups[k].n };
}

axl__linears axl__head_linears(const axl_model *m)
{
    return (axl__linears){ axl__model_n_linears(m) - 1, 1 };
}

int64_t axl__model_n_linears(const axl_model *m)
{
    return m->arch.n_layers * AXL__LINEAR_KINDS + 1;
}

const axl_mat *axl__model_linear(const axl_model *m, int64_t index)
{
    int64_t layer = index / AXL__LINEAR_KINDS;

    return layer < m->arch.n_layers ? &m->layers[layer].linear[index % AXL__LINEAR_KINDS]
                                    : &m->head;
}

void axl__model_linear_name(const axl_model *m, int64_t index, char *out, size_t size)
{
    int64_t layer = index / AXL__LINEAR_KINDS;

    if (layer < m->arch.n_layers)
        snprintf(out, size, "model.layers.%lld.%s", (long long)layer,
                 linear_names[index % AXL__LINEAR_KINDS]);
    else
        snprintf(out, size, "lm_head");
}

axl_status axl__model_unchanged(const axl_model *m)
{
    for (size_t i = 0; i < m->n_files; i++)
        AXL_TRY(axl__file_unchanged(&m->files[i].file));
    return AXL_OK;
}
