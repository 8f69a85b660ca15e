/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weights.c - see weights.h.  A tied head is the embedding and has no values of its own.  What
 * config.json says is kept from the first moment, so that a result can be written whatever has
 * become of the folder by then.
 */
#include "weights.h"

#include "model_files.h"
#include "write_model.h"

#include "carried.h"

#include "base/json.h"
#include "base/os.h"
#include "base/str.h"

#include <string.h>

/* One of a module's tensors. */
typedef struct {
    int64_t module;
    bool bias;
} weights_place;

/* The buffer of trained values and what hangs on it.  params has an element for each of the module
 * table's places, the gaps between tensors are 0.  rounded is made from params (or from what the
 * optimizer trains with) whenever the model is used after a step; nobody writes it otherwise. */
struct axl__weights {
    axl__param *tensors;   /* (n_tensors) weights and biases in the order of the module table */
    weights_place *places; /* (n_tensors) what each is in that table */
    size_t n_tensors;
    int64_t n_params;
    float *params; /* device, (n_params) */
    void *rounded; /* device, (n_params) bf16; NULL with f32 compute */
    axl__arena texts;
    axl__json *config, *generation; /* of the folder; generation may be NULL */
    axl__json *dtype;               /* of config: the type of the weights, */
    const char *dtype_kept;         /* as the folder said it, or as most of its files would */
};

/* ---- layout ---- */

static axl_mat *place_mat(axl_model *m, weights_place p)
{
    axl__module *of = &m->modules.list[p.module];

    return p.bias ? &of->bias : &of->weight.mat;
}

static axl_dtype place_stored(const axl_model *m, weights_place p)
{
    const axl__module *of = &m->modules.list[p.module];

    return p.bias ? of->bias_stored : of->weight_stored;
}

static axl_status add_tensor(axl__weights *w, const axl_model *m, int64_t module, bool bias)
{
    const axl__module *of = &m->modules.list[module];
    axl__param *t = &w->tensors[w->n_tensors];

    *t = (axl__param){ .at = bias ? of->bias_at : of->weight_at,
                       .rows = bias ? 1 : of->rows,
                       .cols = bias ? of->rows : of->cols,
                       .vector = bias || of->role == AXL__ROLE_NORM,
                       .embedding = of->role == AXL__ROLE_EMBEDDING || of->role == AXL__ROLE_HEAD,
                       .lookup = of->role == AXL__ROLE_EMBEDDING,
                       .layer = of->layer };
    t->name = axl__format(m->ctx, "%s.%s", axl__module_file_name(of), bias ? "bias" : "weight");
    if (!t->name)
        return axl__fail_nomem();
    w->places[w->n_tensors++] = (weights_place){ module, bias };
    return AXL_OK;
}

static axl_status weights_lay_out(const axl_model *m, axl__weights *w)
{
    size_t most = (size_t)m->modules.n * 2;

    w->n_params = m->modules.n_elements;
    w->tensors = axl__calloc(m->ctx, most, sizeof *w->tensors);
    w->places = axl__calloc(m->ctx, most, sizeof *w->places);
    if (!w->tensors || !w->places)
        return axl__fail_nomem();
    for (int64_t i = 0; i < m->modules.n; i++) {
        if (!m->modules.list[i].tied)
            AXL_TRY(add_tensor(w, m, i, false));
        if (m->modules.list[i].has_bias)
            AXL_TRY(add_tensor(w, m, i, true));
    }
    return AXL_OK;
}

/* ---- values ---- */

static axl_mat trained_mat(const axl__weights *w, size_t i)
{
    const axl__param *t = &w->tensors[i];

    return (axl_mat){ w->params + t->at, AXL_F32, t->rows, t->cols, t->cols };
}

static axl_status allocate(axl_model *m, axl__weights *w)
{
    size_t n = (size_t)w->n_params;
    void *p = NULL;

    AXL_TRY(m->ops->buffer_new(m->dev, &p, n * sizeof(float)));
    w->params = p;
    if (m->compute == AXL_BF16)
        AXL_TRY(m->ops->buffer_new(m->dev, &w->rounded, n * sizeof(uint16_t)));
    return m->ops->zero(m->dev, w->params, n * sizeof(float));
}

/* From the file where the model computes with less than that has. */
static axl_status take_value(axl_model *m, const axl__weights *w, size_t i, axl_mat y)
{
    axl_unary_args a = { *place_mat(m, w->places[i]), y };
    const axl__module *of = &m->modules.list[w->places[i].module];

    if (!w->places[i].bias && of->weight.kind != AXL_WEIGHT_DENSE)
        return m->ops->dequantise(m->dev, &(axl_dequantise_args){ .w = of->weight, .y = a.y });
    if (a.x.dtype == AXL_BF16 && place_stored(m, w->places[i]) != AXL_BF16 && m->n_files > 0)
        return axl__model_read_stored(m, w->tensors[i].name, y.data);
    return m->ops->convert(m->dev, &a);
}

static axl_status take_values(axl_model *m, axl__weights *w)
{
    if (m->weights)
        return m->ops->copy(m->dev, w->params, m->weights->params,
                            (size_t)w->n_params * sizeof(float));
    for (size_t i = 0; i < w->n_tensors && !m->device.counts_only; i++) {
        AXL_TRY(axl__poll(m->ctx, "load", i, w->n_tensors));
        AXL_TRY(take_value(m, w, i, trained_mat(w, i)));
    }
    return AXL_OK;
}

axl_status axl__weights_use(axl_model *m, float *values)
{
    axl__weights *w = m->weights;
    int64_t n = w->n_params;
    char *used = w->rounded ? w->rounded : (void *)values;

    if (w->rounded && !m->device.counts_only) {
        axl_unary_args a = { { values, AXL_F32, 1, n, n }, { w->rounded, AXL_BF16, 1, n, n } };
        AXL_TRY(m->ops->convert(m->dev, &a));
    }
    for (size_t i = 0; i < w->n_tensors; i++) {
        axl_mat *mat = place_mat(m, w->places[i]);
        if (!w->places[i].bias)
            m->modules.list[w->places[i].module].weight.kind = AXL_WEIGHT_DENSE;
        mat->dtype = m->compute;
        mat->stride = mat->cols;
        mat->data = used + (size_t)w->tensors[i].at * axl__dtype_size(m->compute);
    }
    axl__modules_tie(&m->modules);
    return AXL_OK;
}

static void weights_lay_out_free(axl_context *ctx, axl__weights *w)
{
    for (size_t i = 0; i < w->n_tensors; i++)
        axl__free(ctx, w->tensors[i].name);
    axl__free(ctx, w->tensors);
    axl__free(ctx, w->places);
}

axl_status axl__weights_copy(axl_model *m, const axl_model *from)
{
    axl_model *source = (axl_model *)(uintptr_t)from; /* laid out, not changed */
    axl__weights w = { 0 };
    axl_status status = weights_lay_out(from, &w);

    if (status == AXL_OK && w.n_tensors != m->weights->n_tensors)
        status = axl__fail(AXL_ERR_FORMAT, "%s holds another architecture", from->folder.place);
    for (size_t i = 0; i < w.n_tensors && status == AXL_OK; i++) {
        axl_unary_args a = { *place_mat(source, w.places[i]), trained_mat(m->weights, i) };
        status = a.x.rows == a.y.rows && a.x.cols == a.y.cols
                     ? m->ops->convert(m->dev, &a)
                     : axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" has another shape than is trained",
                                 from->folder.place, w.tensors[i].name);
    }
    weights_lay_out_free(from->ctx, &w);
    return status;
}

/* ---- life ---- */

/* Numbers stay as they are written. */
static axl_status read_json(const axl_model *m, axl__weights *w, const char *name, axl__json **out)
{
    return axl__folder_json(&m->folder, name, &w->texts, out);
}

static void drop_member(axl__weights *w, const char *key)
{
    for (axl__json **v = &w->config->child; *v;)
        if (strcmp((*v)->key, key) == 0) {
            *v = (*v)->next;
            w->config->count--;
        } else {
            v = &(*v)->next;
        }
}

axl_status axl__weights_say(axl__weights *w, const char *key, const axl__json *value)
{
    axl__json *v, **end = &w->config->child;

    drop_member(w, key);
    if (!value)
        return AXL_OK;
    v = axl__arena_alloc(&w->texts, sizeof *v);
    if (!v)
        return axl__fail_nomem();
    while (*end)
        end = &(*end)->next;
    *v = *value;
    v->key = key;
    v->key_len = strlen(key);
    v->next = NULL;
    *end = v;
    w->config->count++;
    return AXL_OK;
}

/* What config.json calls the embedding's type. */
static const char *embed_dtype(const axl_model *m)
{
    static const char *const names[] = { "float32", "bfloat16", "float16" };

    return names[axl__modules_one(&m->modules, -1, AXL__SLOT_EMBED)->weight_stored];
}

/* The member that names the type of the weights, added where there is none. */
static axl_status find_dtype(axl__weights *w, const axl_model *m)
{
    axl__json **end = &w->config->child;

    for (; *end; end = &(*end)->next)
        if (strcmp((*end)->key, "dtype") == 0 || strcmp((*end)->key, "torch_dtype") == 0)
            w->dtype = *end;
    if (!w->dtype) {
        *end = w->dtype = axl__arena_alloc(&w->texts, sizeof *w->dtype);
        if (!w->dtype)
            return axl__fail_nomem();
        *w->dtype = (axl__json){ .key = "dtype", .key_len = 5 };
        w->config->count++;
    }
    w->dtype_kept = w->dtype->type == AXL__JSON_STRING ? w->dtype->text : embed_dtype(m);
    w->dtype->type = AXL__JSON_STRING;
    return AXL_OK;
}

/* A head that the folder's config.json ties, but that has values of its own, is written as one. */
static void say_whether_tied(axl__weights *w, const axl_model *m)
{
    for (axl__json *v = w->config->child; v; v = v->next)
        if (strcmp(v->key, "tie_word_embeddings") == 0 && v->type == AXL__JSON_BOOL)
            v->boolean = v->boolean && m->arch.tied_head;
}

static axl_status weights_open(axl_model *m, axl__weights *w)
{
    if (m->folder.place && !m->weights) { /* a model that is only timed has no folder */
        AXL_TRY(read_json(m, w, "config.json", &w->config));
        AXL_TRY(axl__arch_override(w->config, &w->texts, m->overrides));
        AXL_TRY(find_dtype(w, m));
        say_whether_tied(w, m);
        if (axl__folder_has(&m->folder, "generation_config.json"))
            AXL_TRY(read_json(m, w, "generation_config.json", &w->generation));
    }
    return weights_lay_out(m, w);
}

static axl_status weights_fill(axl_model *m, axl__weights *w)
{
    AXL_TRY(weights_open(m, w));
    if (w->config)
        drop_member(w, "quantization_config"); /* of what is written */
    AXL_TRY(allocate(m, w));
    return take_values(m, w);
}

void axl__weights_drop(axl_model *m, axl__weights *w)
{
    if (!w)
        return;
    m->ops->buffer_free(m->dev, w->params);
    m->ops->buffer_free(m->dev, w->rounded);
    weights_lay_out_free(m->ctx, w);
    axl__arena_free(&w->texts);
    axl__free(m->ctx, w);
}

static axl_status weights_new(axl__weights **out, axl_model *m,
                              axl_status (*fill)(axl_model *m, axl__weights *w))
{
    axl__weights *w = axl__calloc(m->ctx, 1, sizeof *w);

    *out = w;
    if (!w)
        return axl__fail_nomem();
    axl__arena_init(&w->texts, m->ctx);
    axl_status status = fill(m, w);
    if (status < 0) {
        axl__weights_drop(m, w);
        *out = NULL;
    }
    return status;
}

axl_status axl__weights_make(axl__weights **out, axl_model *m)
{
    return weights_new(out, m, weights_fill);
}

axl_status axl__weights_describe(axl__weights **out, axl_model *m)
{
    return weights_new(out, m, weights_open);
}

size_t axl__weights_count(const axl__weights *w)
{
    return w->n_tensors;
}

axl__weights_part axl__weights_at(axl_model *m, const axl__weights *w, size_t i)
{
    weights_place p = w->places[i];

    return (axl__weights_part){ .tensor = &w->tensors[i],
                                .module = p.module,
                                .bias = p.bias,
                                .stored = place_stored(m, p),
                                .used = *place_mat(m, p) };
}

axl_status axl__weights_take(axl_model *m, const axl__weights *w, size_t i, axl_mat y)
{
    size_t bytes = (size_t)(y.rows * y.cols) * sizeof(float);

    return m->weights ? m->ops->copy(m->dev, y.data, trained_mat(m->weights, i).data, bytes)
                      : take_value(m, w, i, y);
}

axl_mat axl__weights_value(const axl__weights *w, const axl__module *of)
{
    return (axl_mat){ w->params + of->weight_at, AXL_F32, of->rows, of->cols, of->cols };
}

axl_mat axl__weights_bias(const axl__weights *w, const axl__module *of)
{
    return (axl_mat){ w->params + of->bias_at, AXL_F32, 1, of->rows, of->rows };
}

/* What the folder said is handed on. */
static void move_texts(axl__weights *to, axl__weights *from)
{
    axl__arena none = to->texts;

    to->texts = from->texts;
    to->config = from->config;
    to->generation = from->generation;
    to->dtype = from->dtype;
    to->dtype_kept = from->dtype_kept;
    from->texts = none;
}

axl_status axl__weights_commit(axl_model *m, axl__weights *w)
{
    axl__weights *before = m->weights;

    m->weights = w;
    axl_status status = axl__weights_use(m, w->params);
    if (status < 0) {
        m->weights = before;
        axl__weights_drop(m, w);
        return status;
    }
    if (before)
        move_texts(w, before);
    axl__weights_drop(m, before);
    axl__model_release_weights(m);
    axl__quant_config_free(&m->quant, m->ctx);
    m->weights_bytes = (uint64_t)w->n_params * (sizeof(float) + (w->rounded ? 2 : 0));
    return AXL_OK;
}

axl_status axl__weights_unfreeze(axl_model *m)
{
    axl__weights *w;

    if (m->weights)
        return AXL_OK;
    if (m->quant.kind != AXL_WEIGHT_DENSE)
        return axl__fail(AXL_ERR_INVALID, "the model's weights are in 4 or 8 bits, which are not "
                                          "trained themselves: train an adapter");
    AXL_TRY(axl__weights_make(&w, m));
    return axl__weights_commit(m, w);
}

void axl__weights_free(axl_model *m)
{
    axl__weights_drop(m, m->weights);
    m->weights = NULL;
}

axl__trained axl__weights_trained(const axl_model *m)
{
    const axl__weights *w = m->weights;

    return (axl__trained){ w->tensors, w->n_tensors, w->n_params, w->params };
}

/* ---- files ---- */

static axl_status write_json(const axl__outlet *to, const char *name, const axl__json *root)
{
    axl__str text;

    axl__str_init(&text, to->ctx);
    axl__json_write(&text, root, 2);
    axl__str_putc(&text, '\n');
    axl_status status = axl__str_status(&text);
    if (status == AXL_OK)
        status = axl__outlet_put(to, name, text.data, text.len);
    axl__str_free(&text);
    return status;
}

axl_status axl__weights_write_configs(const axl__weights *w, const axl__outlet *to, bool exact)
{
    w->dtype->text = exact ? "float32" : w->dtype_kept;
    w->dtype->len = strlen(w->dtype->text);
    AXL_TRY(write_json(to, "config.json", w->config));
    return w->generation ? write_json(to, "generation_config.json", w->generation) : AXL_OK;
}

/* A tensor on its way into a file: mat as the device has it, dtype as it is written. */
typedef struct {
    axl_mat mat;
    axl_dtype dtype;
    int64_t n;
} weights_out;

/* exact: what is trained; else as the files had it, from what is computed with where that is of the
 * same type, so that the result is what was evaluated. */
static weights_out weights_pick(axl_model *m, const axl__weights *w, size_t i, bool exact)
{
    axl_mat used = *place_mat(m, w->places[i]);
    axl_dtype dtype = exact ? AXL_F32 : place_stored(m, w->places[i]);

    return (weights_out){ !exact && used.dtype == dtype ? used : trained_mat(w, i), dtype,
                          w->tensors[i].rows * w->tensors[i].cols };
}

/* Bytes of host memory that writing it takes: for its own type, and for the device's. */
static size_t out_room(const axl_model *m, const weights_out *o)
{
    size_t own = o->dtype != o->mat.dtype ? (size_t)o->n * axl__dtype_size(o->dtype) : 0;
    size_t copy = m->device.host_memory ? 0 : (size_t)o->n * axl__dtype_size(o->mat.dtype);

    return ((own + 63) & ~(size_t)63) + ((copy + 63) & ~(size_t)63);
}

/* The values in host memory, in *room where the device's own will not do. */
static axl_status out_values(const axl_model *m, const weights_out *o, char **room,
                             const void **values)
{
    *values = o->mat.data;
    if (!m->device.host_memory) {
        size_t size = (size_t)o->n * axl__dtype_size(o->mat.dtype);
        AXL_TRY(m->ops->download(m->dev, *room, o->mat.data, size));
        *values = *room;
        *room += (size + 63) & ~(size_t)63;
    }
    if (o->dtype != o->mat.dtype) {
        axl__convert(*room, o->dtype, *values, o->mat.dtype, o->n);
        *values = *room;
        *room += ((size_t)o->n * axl__dtype_size(o->dtype) + 63) & ~(size_t)63;
    }
    return AXL_OK;
}

static axl_status fill_entries(axl_model *m, axl__st_entry *entries, char *room, bool exact)
{
    const axl__weights *w = m->weights;

    for (size_t i = 0; i < w->n_tensors; i++) {
        const axl__param *t = &w->tensors[i];
        weights_out o = weights_pick(m, w, i, exact);
        entries[i] = (axl__st_entry){ .name = t->name,
                                      .dtype = o.dtype,
                                      .n_dims = t->vector ? 1 : 2,
                                      .dims = { (uint64_t)(t->vector ? t->cols : t->rows),
                                                (uint64_t)(t->vector ? 0 : t->cols) } };
        AXL_TRY(out_values(m, &o, &room, &entries[i].data));
    }
    return AXL_OK;
}

static axl_status save_tensors(axl_model *m, const char *path, bool exact, axl__checksum *sum)
{
    const axl__weights *w = m->weights;
    size_t n = w->n_tensors + m->n_carried, bytes = 0;
    axl__st_entry *entries = axl__calloc(m->ctx, n, sizeof *entries);

    for (size_t i = 0; i < w->n_tensors; i++) {
        weights_out o = weights_pick(m, w, i, exact);
        bytes += out_room(m, &o);
    }
    size_t more = axl__carried_room(m);
    char *room = bytes + more ? axl__alloc_aligned(m->ctx, bytes + more) : NULL;
    axl_status status = entries && (room || !(bytes + more)) ? AXL_OK : axl__fail_nomem();
    if (status == AXL_OK)
        status = fill_entries(m, entries, room ? room + more : NULL, exact);
    if (status == AXL_OK)
        status = axl__carried_entries(m, entries + w->n_tensors, room);
    if (status == AXL_OK)
        status = axl__safetensors_write(m->ctx, path, entries, n, sum);
    axl__free_aligned(m->ctx, room);
    axl__free(m->ctx, entries);
    return status;
}

axl_status axl__weights_save(axl_model *m, const char *dir, bool exact, axl__checksum *sum)
{
    AXL_TRY(axl__model_spare(m, dir, false));
    AXL_TRY(axl__make_dirs(m->ctx, dir));
    char *path = axl__format(m->ctx, "%s/model.safetensors", dir);
    axl_status status = path ? save_tensors(m, path, exact, sum) : axl__fail_nomem();
    if (status == AXL_OK)
        status = axl__weights_write_configs(m->weights, &(axl__outlet){ .ctx = m->ctx, .dir = dir },
                                            exact);
    axl__free(m->ctx, path);
    return status;
}

static axl_status check_trained(const axl_model *m)
{
    if (m->weights)
        return AXL_OK;
    return axl__fail(AXL_ERR_INVALID, "the model was not trained: it is what %s holds",
                     m->folder.place);
}

axl_status axl_model_save(axl_model *m, const char *dir)
{
    AXL_TRY(axl__model_use(m));
    if (!dir)
        return axl__fail(AXL_ERR_INVALID, "dir must not be NULL");
    if (m->quant.kind == AXL_WEIGHT_DENSE)
        AXL_TRY(check_trained(m));
    AXL_TRY(axl__claim_take(&m->saving, "axl_model (being saved)"));
    axl_status status = m->weights ? axl__weights_save(m, dir, false, NULL)
                                   : axl__model_write(m, NULL, dir, AXL__SHARD_BYTES);
    axl__claim_release(&m->saving);
    return status;
}

/* ---- tensors for a host, one in memory at a time ---- */

static axl_status hand_out_tensor(axl_model *m, size_t i, axl_tensor_out_fn tensor, void *user)
{
    static const uint32_t types[] = {
        [AXL_F32] = AXL_TENSOR_F32, [AXL_BF16] = AXL_TENSOR_BF16, [AXL_F16] = AXL_TENSOR_F16
    };
    const axl__param *t = &m->weights->tensors[i];
    const uint64_t shape[] = { (uint64_t)t->rows, (uint64_t)t->cols };
    weights_out o = weights_pick(m, m->weights, i, false);
    size_t bytes = out_room(m, &o);
    axl_tensor_data d = AXL_TENSOR_DATA_INIT;
    char *memory = bytes ? axl__alloc_aligned(m->ctx, bytes) : NULL, *room = memory;

    if (bytes && !memory)
        return axl__fail_nomem();
    d.length = (size_t)o.n * axl__dtype_size(o.dtype);
    d.shape = t->vector ? &shape[1] : shape;
    d.n_dims = t->vector ? 1 : 2;
    d.type = types[o.dtype];
    axl_status status = out_values(m, &o, &room, &d.data);
    if (status == AXL_OK && tensor(user, t->name, &d) != 0)
        status = axl__fail(AXL_ERR_CANCELLED, "the host stopped at the tensor %s", t->name);
    axl__free_aligned(m->ctx, memory);
    return status;
}

static axl_status hand_out_all(axl_model *m, const axl__outlet *to, axl_tensor_out_fn tensor)
{
    size_t n = m->weights->n_tensors;

    AXL_TRY(axl__weights_write_configs(m->weights, to, false));
    for (size_t i = 0; i < n; i++) {
        AXL_TRY(hand_out_tensor(m, i, tensor, to->user));
        AXL_TRY(axl__poll(m->ctx, "save", i + 1, n));
    }
    return axl__carried_hand_out(m, tensor, to->user);
}

axl_status axl_model_save_tensors(axl_model *m, axl_file_fn file, axl_tensor_out_fn tensor,
                                  void *user)
{
    AXL_TRY(axl__model_use(m));
    if (!file || !tensor)
        return axl__fail(AXL_ERR_INVALID, "%s must not be NULL", file ? "tensor" : "file");
    AXL_TRY(check_trained(m));
    AXL_TRY(axl__claim_take(&m->saving, "axl_model (being saved)"));
    const axl__outlet to = { .ctx = m->ctx, .fn = file, .user = user };
    axl_status status = hand_out_all(m, &to, tensor);
    axl__claim_release(&m->saving);
    return status;
}
