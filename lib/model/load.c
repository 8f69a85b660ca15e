/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.c - from a model's files to the device: every tensor is found, checked against its module
 * and lies in the device's memory as the compute type reads it.  Where host and device share memory
 * that is the file's own, mapped, or the host's; only what cannot be read in place is converted or
 * copied, in pieces, so that a load can be stopped at any of them.
 */
#include "load_priv.h"

#include "carried.h"

#include "base/json.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

/* ---- finding the files ---- */

static axl_status add_file(axl_model *m, const char *name, bool read)
{
    char *path = axl__folder_path(&m->folder, name);
    axl__safetensors *st = &m->files[m->n_files];

    if (!path)
        return axl__fail_nomem();
    axl_status status = m->device.counts_only || m->reads_pieces
                            ? axl__safetensors_open_header(st, m->ctx, path, read)
                            : axl__safetensors_open_in(st, &m->folder, name, read);
    if (status == AXL_OK) {
        m->n_files++;
        m->file_bytes += st->mapped || m->reads_pieces ? 0 : st->file.size;
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

static const char index_name[] = "model.safetensors.index.json";

static axl_status open_index(axl_model *m, bool read)
{
    char *path = axl__folder_path(&m->folder, index_name);
    axl__arena arena;
    axl__json *root;

    if (!path)
        return axl__fail_nomem();
    axl__arena_init(&arena, m->ctx);
    axl_status status = axl__folder_json(&m->folder, index_name, &arena, &root);
    if (status == AXL_OK)
        status = open_shards(m, root, path, read);
    axl__arena_free(&arena);
    axl__free(m->ctx, path);
    return status;
}

static axl_status model_look_in(const axl__folder *folder)
{
    if (axl__folder_has(folder, "model.safetensors") || axl__folder_has(folder, index_name))
        return AXL_OK;
    if (axl__folder_has(folder, "pytorch_model.bin") ||
        axl__folder_has(folder, "pytorch_model.bin.index.json"))
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "%s holds pytorch_model.bin, a pickle, which can run code when it is "
                         "read; convert it to model.safetensors (transformers: "
                         "save_pretrained)",
                         folder->place);
    return axl__fail(AXL_ERR_NOT_FOUND,
                     "%s holds no model.safetensors or model.safetensors.index.json",
                     folder->place);
}

axl_status axl__model_look(const char *dir)
{
    axl__folder folder = axl__folder_view(dir);
    axl_status status = model_look_in(&folder);
    axl__error error;

    if (status != AXL_ERR_NOT_FOUND || !axl__folder_has(&folder, "config.json"))
        return status;
    axl__error_hold(&error);
    return axl__fail(status, "%s; with reinit_weights: true a model begins with random weights",
                     error.text);
}

static axl_status open_files(axl_model *m, bool read)
{
    AXL_TRY(model_look_in(&m->folder));
    if (!axl__folder_has(&m->folder, "model.safetensors"))
        return open_index(m, read);
    m->files = axl__calloc(m->ctx, 1, sizeof *m->files);
    if (!m->files)
        return axl__fail_nomem();
    return add_file(m, "model.safetensors", read);
}

static axl_status open_source(axl_model *m, const axl__tensor_source *source, bool read)
{
    m->files = axl__calloc(m->ctx, 1, sizeof *m->files);
    if (!m->files)
        return axl__fail_nomem();
    AXL_TRY(axl__tensor_source_ask(source, &m->files[0], m, read));
    m->n_files = 1;
    m->file_bytes = m->files[0].mapped ? 0 : m->files[0].file.size;
    return AXL_OK;
}

/* ---- one tensor ---- */

bool axl__load_find(const axl_model *m, const char *name, axl__stored *out)
{
    for (size_t i = 0; i < m->n_files; i++) {
        const axl__st_tensor *t = axl__safetensors_find(&m->files[i], name);
        if (t) {
            *out = (axl__stored){ .in = &m->files[i], .t = t };
            return true;
        }
    }
    *out = (axl__stored){ 0 };
    return false;
}

/* out->t is NULL where the files have none. */
static axl_status find_weight(const axl_model *m, const axl__module *of, axl__stored *out)
{
    char *name = axl__format(m->ctx, "%s.weight", axl__module_file_name(of));

    if (!name)
        return axl__fail_nomem();
    axl__load_find(m, name, out);
    axl__free(m->ctx, name);
    return AXL_OK;
}

/* As transformers 5: a tied head that the files have stands for an embedding that they lack. */
axl_status axl__load_find_or_tied(const axl_model *m, const char *name, axl__stored *out)
{
    const axl__module *embed = axl__modules_one(&m->modules, -1, AXL__SLOT_EMBED);
    const axl__module *head = axl__modules_one(&m->modules, -1, AXL__SLOT_HEAD);
    const char *embed_name = axl__module_file_name(embed);
    size_t n = strlen(embed_name);

    if (axl__load_find(m, name, out) || !head->tied || strncmp(name, embed_name, n) != 0 ||
        strcmp(name + n, ".weight") != 0)
        return AXL_OK;
    return find_weight(m, head, out);
}

/* What a module wants of a file: one tensor, a weight or a bias. */
typedef struct {
    const char *name;
    int64_t rows, cols;
    bool vector;   /* the file has one dimension */
    bool computed; /* of the compute type and no other */
    bool head;
    axl_mat *out;
    axl_dtype *stored;
} tensor_wish;

/* The type that the tensor gets on the device: bf16 under f32 compute widens exactly where it is
 * read, all else has the compute type. */
static axl_dtype device_dtype(const axl_model *m, const axl__st_tensor *t, const tensor_wish *w)
{
    return t->dtype == AXL_BF16 && !w->computed ? AXL_BF16 : m->compute;
}

/* The bytes are the weight: nothing is copied, and a mapped file comes in as it is used. */
static bool readable_in_place(const axl_model *m, axl__stored from, axl_dtype dtype)
{
    const axl__st_tensor *t = from.t;

    return m->device.host_memory && !m->reads_pieces && t->dtype == (int)dtype &&
           (uintptr_t)t->data % axl__dtype_size(dtype) == 0;
}

enum { PIECE = 1 << 20 }; /* elements between two looks at the cancel flag */

/* scratch has room for PIECE elements of both types. */
static axl_status load_pieces(const axl_model *m, axl__stored from, int64_t n, char *out,
                              axl_dtype dtype, char *scratch)
{
    size_t from_size = axl__stored_size(&from), to_size = axl__dtype_size(dtype);
    bool direct = m->device.host_memory;

    for (int64_t i = 0; i < n; i += PIECE) {
        int64_t count = n - i < PIECE ? n - i : PIECE;
        char *to = out + (size_t)i * to_size;
        const void *piece;
        AXL_TRY(axl__cancelled(m->ctx));
        AXL_TRY(axl__safetensors_piece(from.in, from.t, (size_t)i * from_size,
                                       (size_t)count * from_size, from_size,
                                       scratch + PIECE * to_size, &piece));
        axl__stored_convert(&from, direct ? to : scratch, dtype, piece, i, count);
        if (!direct)
            AXL_TRY(m->ops->upload(m->dev, to, scratch, (size_t)count * to_size));
    }
    return AXL_OK;
}

static axl_status fill_buffer(const axl_model *m, axl__stored from, int64_t n, void *p,
                              axl_dtype dtype)
{
    size_t sizes = axl__dtype_size(dtype) + axl__stored_size(&from);

    if (m->device.counts_only)
        return AXL_OK;
    char *scratch = axl__alloc_aligned(m->ctx, PIECE * sizes);
    axl_status status = scratch ? load_pieces(m, from, n, p, dtype, scratch) : axl__fail_nomem();
    axl__free_aligned(m->ctx, scratch);
    return status;
}

axl_status axl__load_buffer(axl_model *m, size_t size, void **out)
{
    AXL_TRY(m->ops->buffer_new(m->dev, out, size));
    axl_status status = axl__model_keep(m, *out, true);
    if (status < 0)
        m->ops->buffer_free(m->dev, *out);
    return status;
}

static axl_status load_copied(axl_model *m, axl__stored from, int64_t n, axl_dtype dtype,
                              void **out)
{
    AXL_TRY(axl__load_buffer(m, (size_t)n * axl__dtype_size(dtype), out));
    return fill_buffer(m, from, n, *out, dtype);
}

axl_status axl__load_mapped(axl_model *m, const axl__st_tensor *t, void **out)
{
    AXL_TRY(m->ops->weights_map(m->dev, out, t->data, t->size));
    axl_status status = axl__model_keep(m, *out, false);
    if (status < 0)
        m->ops->weights_unmap(m->dev, *out);
    return status;
}

/* Whether the file has what the module wants. */
static axl_status check_tensor(const axl_model *m, const tensor_wish *w, axl__stored from)
{
    const axl__st_tensor *t = from.t;
    const uint64_t dims[2] = { (uint64_t)(w->vector ? w->cols : w->rows), (uint64_t)w->cols };
    size_t n_dims = w->vector ? 1 : 2;
    char got[AXL__ST_SHAPE_TEXT], want[AXL__ST_SHAPE_TEXT];

    if (!t)
        return axl__fail(AXL_ERR_FORMAT, "%s: tensor \"%s\" is missing%s", m->folder.place, w->name,
                         w->head ? " and config.json does not tie it" : "");
    if (t->dtype < 0 && !(m->quant.fp8 && strcmp(t->dtype_name, axl__fp8_name) == 0))
        return axl__fail(AXL_ERR_UNSUPPORTED, "%s: tensor \"%s\" is %s; F32, BF16 and F16 are read",
                         from.in->file.path, w->name, t->dtype_name);
    if (t->n_dims == n_dims && t->dims[0] == dims[0] && (w->vector || t->dims[1] == dims[1]))
        return AXL_OK;
    axl__st_shape_text(got, t->dims, t->n_dims);
    axl__st_shape_text(want, dims, n_dims);
    return axl__fail(AXL_ERR_FORMAT, "%s: tensor \"%s\" has shape %s, config.json wants %s",
                     from.in->file.path, w->name, got, want);
}

static axl_status load_tensor(axl_model *m, const tensor_wish *w, axl__stored from)
{
    int64_t n = w->rows * w->cols;
    void *p = NULL;

    axl_dtype dtype = device_dtype(m, from.t, w);
    bool in_place = readable_in_place(m, from, dtype);
    AXL_TRY(in_place ? axl__load_mapped(m, from.t, &p) : load_copied(m, from, n, dtype, &p));
    *w->out = (axl_mat){ p, dtype, w->rows, w->cols, w->cols };
    m->file_bytes += in_place && from.in->mapped ? from.t->size : 0;
    m->weights_bytes += (uint64_t)n * axl__dtype_size(dtype);
    return AXL_OK;
}

/* ---- the modules ---- */

/* The type in which a result is written: FP8 gives way to that of the embedding. */
static axl_dtype stored_dtype(const axl_model *m, axl__stored from)
{
    return from.t->dtype < 0 ? axl__modules_one(&m->modules, -1, AXL__SLOT_EMBED)->weight_stored
                             : (axl_dtype)from.t->dtype;
}

static axl_status load_values(axl_model *m, axl__module *of, const tensor_wish *w,
                              axl__stored *from)
{
    bool weight = w->out == &of->weight.mat;

    AXL_TRY(axl__stored_open(from, m));
    return weight && axl__quant_config_takes(&m->quant, of) ? axl__load_quantised(m, of, *from)
                                                            : load_tensor(m, w, *from);
}

/* A weight whose files have codes, one that gets some, or a tensor as it is. */
static axl_status load_wish(axl_model *m, axl__module *of, const tensor_wish *w)
{
    axl__stored from;

    AXL_TRY(axl__load_find_or_tied(m, w->name, &from));
    if (from.t && m->quant.stored && w->out == &of->weight.mat && axl__load_has_codes(m, of, from))
        return axl__load_codes(m, of, from);
    AXL_TRY(check_tensor(m, w, from));
    *w->stored = stored_dtype(m, from);
    m->n_params += (uint64_t)(w->rows * w->cols);
    axl_status status = load_values(m, of, w, &from);
    axl__stored_close(&from, m->ctx);
    return status;
}

static axl_status load_part(axl_model *m, axl__module *of, const char *part)
{
    bool bias = strcmp(part, "bias") == 0;
    char *name = axl__format(m->ctx, "%s.%s", axl__module_file_name(of), part);
    tensor_wish w = { .name = name,
                      .rows = bias ? 1 : of->rows,
                      .cols = bias ? of->rows : of->cols,
                      .vector = bias || of->role == AXL__ROLE_NORM,
                      .computed = bias,
                      .head = of->role == AXL__ROLE_HEAD,
                      .out = bias ? &of->bias : &of->weight.mat,
                      .stored = bias ? &of->bias_stored : &of->weight_stored };

    if (!name)
        return axl__fail_nomem();
    axl_status status = load_wish(m, of, &w);
    axl__free(m->ctx, name);
    return status;
}

static axl_status load_module(axl_model *m, axl__module *of)
{
    if (of->tied)
        return AXL_OK;
    AXL_TRY(load_part(m, of, "weight"));
    return of->has_bias ? load_part(m, of, "bias") : AXL_OK;
}

/* The type that files have is that of the embedding, which stands for all. */
static axl_status pick_compute(axl_model *m, uint32_t wanted)
{
    const axl__module *embed = axl__modules_one(&m->modules, -1, AXL__SLOT_EMBED);
    axl__stored from;
    bool bf16 = wanted == AXL_COMPUTE_BF16;

    if (wanted == AXL_COMPUTE_AUTO)
        bf16 = m->device.native_bf16;
    if (wanted == AXL_COMPUTE_STORED) {
        AXL_TRY(find_weight(m, embed, &from));
        bf16 = from.t && from.t->dtype == AXL_BF16;
    }
    m->compute = bf16 ? AXL_BF16 : AXL_F32;
    return AXL_OK;
}

/* Whether two tensors hold the same bytes; scratch has room for two pieces. */
static axl_status compare_pieces(axl__stored a, axl__stored b, char *scratch, bool *equal)
{
    const size_t piece = PIECE;
    const void *x, *y;

    *equal = a.t->dtype == b.t->dtype && a.t->size == b.t->size;
    for (size_t i = 0; i < a.t->size && *equal; i += piece) {
        size_t n = a.t->size - i < piece ? a.t->size - i : piece;
        AXL_TRY(axl__safetensors_piece(a.in, a.t, i, n, 1, scratch, &x));
        AXL_TRY(axl__safetensors_piece(b.in, b.t, i, n, 1, scratch + piece, &y));
        *equal = memcmp(x, y, n) == 0;
    }
    return AXL_OK;
}

static axl_status have_equal_values(const axl_model *m, axl__stored a, axl__stored b, bool *equal)
{
    char *scratch;

    *equal = false;
    if (m->device.counts_only)
        return AXL_OK;
    scratch = axl__alloc(m->ctx, 2 * (size_t)PIECE);
    axl_status status = scratch ? compare_pieces(a, b, scratch, equal) : axl__fail_nomem();
    axl__free(m->ctx, scratch);
    return status;
}

/* A config.json that ties the head may stand beside files that have one.  As transformers 5 does,
 * it is used where it has other values than the embedding.  Where only headers were read, it is
 * taken to have others. */
static axl_status untie_own_head(axl_model *m)
{
    const axl__module *head = axl__modules_one(&m->modules, -1, AXL__SLOT_HEAD);
    const axl__module *first = axl__modules_one(&m->modules, -1, AXL__SLOT_EMBED);
    axl__stored own = { 0 }, embed = { 0 };
    bool equal = true;

    if (head->tied)
        AXL_TRY(find_weight(m, head, &own));
    if (own.t)
        AXL_TRY(find_weight(m, first, &embed));
    if (embed.t)
        AXL_TRY(have_equal_values(m, own, embed, &equal));
    if (equal)
        return AXL_OK;
    axl__modules_untie(&m->modules);
    m->arch.tied_head = false;
    if (!m->device.counts_only)
        axl__log(m->ctx, AXL_LOG_WARNING,
                 "%s: config.json ties %s to the embedding, but the files have one of its own, "
                 "which is used",
                 m->folder.place, head->name);
    return AXL_OK;
}

axl_status axl__model_load(axl_model *m, uint32_t compute, bool read,
                           const axl__tensor_source *source)
{
    uint64_t layers = (uint64_t)m->arch.n_layers;

    if (!source)
        AXL_TRY(open_files(m, read));
    AXL_TRY(axl__carried_spell(m));
    if (source)
        AXL_TRY(open_source(m, source, read));
    AXL_TRY(untie_own_head(m));
    if (!source)
        AXL_TRY(axl__load_check_names(m));
    AXL_TRY(pick_compute(m, compute));
    for (int64_t i = 0; i < m->modules.n; i++) {
        axl__module *of = &m->modules.list[i];
        if (of->layer >= 0 && (i == 0 || of[-1].layer != of->layer))
            AXL_TRY(axl__poll(m->ctx, "load", (uint64_t)of->layer, layers));
        AXL_TRY(load_module(m, of));
    }
    axl__modules_tie(&m->modules);
    AXL_TRY(axl__carried_find(m));
    if (m->quant.kind != AXL_WEIGHT_DENSE && !m->device.counts_only)
        axl__log(m->ctx, AXL_LOG_INFO, "linear layers in %d bits; all weights take %llu MB",
                 m->quant.kind == AXL_WEIGHT_INT8 ? 8 : 4,
                 (unsigned long long)m->weights_bytes / 1000000 + 1);
    return axl__poll(m->ctx, "load", layers, layers);
}

axl_status axl__model_read_stored(const axl_model *m, const char *name, float *out)
{
    axl__stored from;

    AXL_TRY(axl__load_find_or_tied(m, name, &from));
    if (!from.t)
        return axl__fail(AXL_ERR_INTERNAL, "%s was loaded and is no longer known", name);
    axl_status status = axl__stored_open(&from, m);
    if (status == AXL_OK)
        status =
            fill_buffer(m, from, (int64_t)(from.t->size / axl__stored_size(&from)), out, AXL_F32);
    axl__stored_close(&from, m->ctx);
    return status;
}

void axl__model_release_weight(axl_model *m, void *data)
{
    for (size_t i = 0; i < m->n_owned; i++)
        if (m->owned[i] == data) {
            m->ops->buffer_free(m->dev, data);
            m->owned[i] = m->owned[--m->n_owned];
            return;
        }
}

void axl__model_release_weights(axl_model *m)
{
    for (size_t i = 0; i < m->n_mapped; i++)
        m->ops->weights_unmap(m->dev, m->mapped[i]);
    for (size_t i = 0; i < m->n_owned; i++)
        m->ops->buffer_free(m->dev, m->owned[i]);
    m->n_mapped = m->n_owned = 0;
    if (m->n_carried == 0)
        axl__model_release_files(m);
}

void axl__model_release_files(axl_model *m)
{
    for (size_t i = 0; i < m->n_files; i++)
        axl__safetensors_close(&m->files[i]);
    m->n_files = 0;
    m->file_bytes = 0;
}
