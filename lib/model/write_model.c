/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write_model.c - see write_model.h.  What goes into the files is a list of items beside the list
 * of entries: each says where its bytes come from, and is asked for them when its turn to be
 * written comes.  Codes are written under bitsandbytes' names, as transformers does.
 */
#include "write_model.h"

#include "carried.h"
#include "merge.h"
#include "model_files.h"
#include "weights.h"

#include "tensor/quantise.h"

#include "base/os.h"
#include "base/str.h"

#include <string.h>

/* Where an item's bytes come from. */
typedef enum {
    ITEM_VALUES, /* a tensor of the model's: its values, in the entry's type */
    ITEM_DEVICE, /* device memory, as it is */
    ITEM_HOST    /* host memory, as it is: the entry's data */
} item_source;

typedef struct item {
    item_source source;
    size_t tensor;      /* of VALUES */
    const void *device; /* of DEVICE */
} item;

typedef struct writing {
    axl_model *m;
    const axl_adapter *merged; /* or NULL */
    bool exact;                /* what is trained in f32 */
    axl__weights *parts;       /* what there is to write */
    axl__st_entry *entries;    /* (n) */
    item *items;               /* (n) */
    size_t n, cap;
    axl__arena texts;
    void *wide;    /* device: the largest tensor that is computed, f32 */
    char *room;    /* host: bytes on their way into the file, two tensors' */
    char *carried; /* host: carried.h's room */
    size_t n_wide; /* elements */
    size_t room_size;
} writing;

/* ---- the list ---- */

static axl_status add_item(writing *w, const char *name, const char *dtype, size_t size, item from)
{
    if (w->n == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 256;
        axl__st_entry *entries = axl__realloc(w->m->ctx, w->entries, cap * sizeof *entries);
        w->entries = entries ? entries : w->entries;
        item *items = entries ? axl__realloc(w->m->ctx, w->items, cap * sizeof *items) : NULL;
        w->items = items ? items : w->items;
        if (!items)
            return axl__fail_nomem();
        w->cap = cap;
    }
    w->entries[w->n] = (axl__st_entry){ .name = name, .dtype_name = dtype, .size = size };
    w->items[w->n++] = from;
    return AXL_OK;
}

static axl__st_entry *last_entry(writing *w)
{
    return &w->entries[w->n - 1];
}

static void shape(writing *w, uint32_t n_dims, int64_t rows, int64_t cols)
{
    axl__st_entry *e = last_entry(w);

    e->n_dims = n_dims;
    e->dims[0] = (uint64_t)rows;
    e->dims[1] = (uint64_t)cols;
}

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

static axl_dtype written_dtype(const writing *w, const axl__weights_part *p)
{
    return w->exact && p->trained.data ? AXL_F32 : p->stored;
}

/* The memory that a tensor is written from: what is computed with where that is of the type that is
 * written, so that a result is what was evaluated, else what is trained.  Without data where its
 * values are to be computed. */
static axl_mat source_of(const writing *w, const axl__weights_part *p)
{
    if (w->merged && axl__merge_changes(w->merged, p->module, p->bias))
        return (axl_mat){ 0 };
    if (p->used.data && p->used.dtype == written_dtype(w, p) && !(w->exact && p->trained.data))
        return p->used;
    return p->trained;
}

static axl_status add_values(writing *w, size_t index, const axl__weights_part *p)
{
    const axl__param *t = p->tensor;
    axl_dtype dtype = written_dtype(w, p);
    axl_mat from = source_of(w, p);
    size_t n = (size_t)(t->rows * t->cols), size = n * axl__dtype_size(dtype);

    AXL_TRY(add_item(w, t->name, NULL, 0, (item){ .source = ITEM_VALUES, .tensor = index }));
    last_entry(w)->dtype = dtype;
    shape(w, t->vector ? 1 : 2, t->vector ? t->cols : t->rows, t->vector ? 0 : t->cols);
    if (!from.data)
        w->n_wide = max_size(w->n_wide, n);
    if (from.data && from.dtype == dtype && w->m->device.host_memory)
        return AXL_OK; /* nothing on the way */
    if ((!from.data || from.dtype != dtype) && !w->m->device.host_memory)
        size += n * sizeof(float);
    w->room_size = max_size(w->room_size, size);
    return AXL_OK;
}

/* ---- codes ---- */

/* A text that lives as long as the list does; NULL when memory is out. */
static char *keep_text(writing *w, axl__str *s)
{
    char *text = axl__str_status(s) == AXL_OK ? axl__arena_strndup(&w->texts, s->data, s->len)
                                              : (char *)NULL;

    axl__str_free(s);
    return text;
}

static axl_status add_part(writing *w, const char *weight, const char *part, const char *dtype,
                           size_t size, item from)
{
    axl__str text;

    axl__str_init(&text, w->m->ctx);
    axl__str_puts(&text, weight);
    axl__str_puts(&text, part);
    char *name = keep_text(w, &text);
    if (!name)
        return axl__fail_nomem();
    if (from.source == ITEM_DEVICE)
        w->room_size = max_size(w->room_size, size);
    return add_item(w, name, dtype, size, from);
}

static axl_status add_device(writing *w, const char *weight, const char *part, const char *dtype,
                             size_t size, const void *device)
{
    return add_part(w, weight, part, dtype, size,
                    (item){ .source = ITEM_DEVICE, .device = device });
}

static axl_status add_host(writing *w, const char *weight, const char *part, const char *dtype,
                           size_t size, const void *host)
{
    AXL_TRY(add_part(w, weight, part, dtype, size, (item){ .source = ITEM_HOST }));
    last_entry(w)->data = host;
    return AXL_OK;
}

static axl_status add_int8(writing *w, const char *name, const axl_weight *q)
{
    static const uint8_t by_rows = 0;
    char *module = axl__arena_strndup(&w->texts, name, strlen(name) - strlen("weight"));

    if (!module)
        return axl__fail_nomem();
    AXL_TRY(add_device(w, name, "", "I8", (size_t)(q->mat.rows * q->mat.cols), q->quant.codes));
    shape(w, 2, q->mat.rows, q->mat.cols);
    AXL_TRY(
        add_device(w, module, "SCB", "F32", (size_t)q->mat.rows * sizeof(float), q->quant.scales));
    shape(w, 1, q->mat.rows, 0);
    return add_host(w, name, "_format", "U8", 1, &by_rows);
}

static const char *dtype_text(axl_dtype t)
{
    static const char *const names[] = {
        [AXL_F32] = "float32", [AXL_BF16] = "bfloat16", [AXL_F16] = "float16"
    };

    return names[t];
}

/* The numbers of a weight of 4 bits, as the text that bitsandbytes packs into a tensor. */
static char *state_text(writing *w, const axl_weight *q, const char *type)
{
    axl__str s;

    axl__str_init(&s, w->m->ctx);
    axl__str_putf(&s, "{\"quant_type\": \"%s\", \"blocksize\": %lld, \"dtype\": \"%s\", ", type,
                  (long long)q->quant.block, dtype_text(q->mat.dtype));
    axl__str_putf(&s, "\"shape\": [%lld, %lld]", (long long)q->mat.rows, (long long)q->mat.cols);
    if (q->quant.scale_codes) {
        axl__str_putf(&s,
                      ", \"nested_blocksize\": %lld, \"nested_dtype\": \"float32\", "
                      "\"nested_offset\": ",
                      (long long)q->quant.scale_block);
        axl__str_put_double(&s, (double)q->quant.offset);
    }
    axl__str_putc(&s, '}');
    return keep_text(w, &s);
}

static axl_status add_vector(writing *w, const char *name, const char *part, const char *dtype,
                             int64_t n, size_t size, const void *device)
{
    AXL_TRY(add_device(w, name, part, dtype, (size_t)n * size, device));
    shape(w, 1, n, 0);
    return AXL_OK;
}

static axl_status add_4bit(writing *w, const char *name, const axl_weight *q)
{
    bool nf4 = q->kind == AXL_WEIGHT_NF4;
    int64_t n = q->mat.rows * q->mat.cols, n_bytes = (n + 1) / 2;
    int64_t n_blocks = (n + q->quant.block - 1) / q->quant.block, n_scales = n_blocks;
    char *state = state_text(w, q, nf4 ? "nf4" : "fp4");

    if (!state)
        return axl__fail_nomem();
    AXL_TRY(add_device(w, name, "", "U8", (size_t)n_bytes, q->quant.codes));
    shape(w, 2, n_bytes, 1);
    AXL_TRY(add_host(w, name, ".quant_map", "F32", 16 * sizeof(float), axl__quant_table(q->kind)));
    shape(w, 1, 16, 0);
    AXL_TRY(add_host(w, name,
                     nf4 ? ".quant_state.bitsandbytes__nf4" : ".quant_state.bitsandbytes__fp4",
                     "U8", strlen(state), state));
    shape(w, 1, (int64_t)strlen(state), 0);
    if (!q->quant.scale_codes)
        return add_vector(w, name, ".absmax", "F32", n_blocks, sizeof(float), q->quant.scales);
    n_scales = (n_blocks + q->quant.scale_block - 1) / q->quant.scale_block;
    AXL_TRY(add_vector(w, name, ".absmax", "U8", n_blocks, 1, q->quant.scale_codes));
    AXL_TRY(add_vector(w, name, ".nested_absmax", "F32", n_scales, sizeof(float), q->quant.scales));
    return add_vector(w, name, ".nested_quant_map", "F32", 256, sizeof(float), q->quant.scale_map);
}

/* ---- all of it ---- */

static axl_status add_tensor(writing *w, size_t index)
{
    axl__weights_part p = axl__weights_at(w->m, w->parts, index);
    const axl_weight *q = &w->m->modules.list[p.module].weight;

    if (p.bias || w->merged || q->kind == AXL_WEIGHT_DENSE)
        return add_values(w, index, &p);
    return q->kind == AXL_WEIGHT_INT8 ? add_int8(w, p.tensor->name, q)
                                      : add_4bit(w, p.tensor->name, q);
}

static axl_status add_carried(writing *w)
{
    size_t n = w->m->n_carried, room = axl__carried_room(w->m), first = w->n;

    for (size_t i = 0; i < n; i++)
        AXL_TRY(add_item(w, NULL, NULL, 0, (item){ .source = ITEM_HOST }));
    w->carried = room ? axl__alloc_aligned(w->m->ctx, room) : NULL;
    if (room && !w->carried)
        return axl__fail_nomem();
    return n ? axl__carried_entries(w->m, w->entries + first, w->carried) : AXL_OK;
}

/* A layer without a bias cannot take one, nor a tied head a pair. */
static axl_status check_merged(const writing *w)
{
    for (int64_t i = 0; w->merged && i < w->m->modules.n; i++) {
        if (w->m->modules.list[i].tied && w->merged->loras[i].on)
            AXL_TRY(axl__merge_weight(w->merged, i, (axl_mat){ 0 }));
        if (!w->m->modules.list[i].has_bias && axl__merge_changes(w->merged, i, true))
            AXL_TRY(axl__merge_bias(w->merged, i, (axl_mat){ 0 }));
    }
    if (w->merged && w->m->weights && axl__merge_parts_head(w->merged))
        return axl__fail(
            AXL_ERR_UNSUPPORTED,
            "the adapter gives a head of its own to a model that was trained or merged: "
            "merge it in memory (axl_adapter_merge())");
    return AXL_OK;
}

static axl_status list_all(writing *w, bool carried)
{
    AXL_TRY(check_merged(w));
    AXL_TRY(axl__weights_describe(&w->parts, w->m, w->merged && axl__merge_parts_head(w->merged)));
    for (size_t i = 0; i < axl__weights_count(w->parts); i++)
        AXL_TRY(add_tensor(w, i));
    return carried ? add_carried(w) : AXL_OK;
}

/* ---- bytes ---- */

static axl_status download(const writing *w, const void *device, size_t size, char *room,
                           const void **out)
{
    *out = w->m->device.host_memory ? device : room;
    return w->m->device.host_memory ? AXL_OK : w->m->ops->download(w->m->dev, room, device, size);
}

static axl_status compute(writing *w, size_t tensor, const axl__weights_part *p)
{
    axl_mat y = { w->wide, AXL_F32, p->tensor->rows, p->tensor->cols, p->tensor->cols };

    AXL_TRY(axl__weights_take(w->m, w->parts, tensor, y));
    if (!w->merged || !axl__merge_changes(w->merged, p->module, p->bias))
        return AXL_OK;
    return p->bias ? axl__merge_bias(w->merged, p->module, y)
                   : axl__merge_weight(w->merged, p->module, y);
}

/* What is rounded lies behind what is written. */
static axl_status fetch_values(writing *w, size_t tensor, const void **data)
{
    axl__weights_part p = axl__weights_at(w->m, w->parts, tensor);
    int64_t n = p.tensor->rows * p.tensor->cols;
    axl_dtype dtype = written_dtype(w, &p);
    axl_mat from = source_of(w, &p);
    size_t size = (size_t)n * axl__dtype_size(dtype);
    const void *wide;

    if (from.data && from.dtype == dtype)
        return download(w, from.data, size, w->room, data);
    if (!from.data) {
        AXL_TRY(compute(w, tensor, &p));
        from.data = w->wide;
    }
    AXL_TRY(download(w, from.data, (size_t)n * sizeof(float), w->room + size, &wide));
    axl__convert(w->room, dtype, wide, AXL_F32, n);
    *data = w->room;
    return AXL_OK;
}

static axl_status fetch(void *user, size_t index, const void **data)
{
    writing *w = user;
    const item *x = &w->items[index];

    AXL_TRY(axl__cancelled(w->m->ctx));
    switch (x->source) {
    case ITEM_VALUES: return fetch_values(w, x->tensor, data);
    case ITEM_DEVICE: return download(w, x->device, w->entries[index].size, w->room, data);
    case ITEM_HOST: *data = w->entries[index].data;
    }
    return AXL_OK;
}

/* ---- config.json ---- */

/* As transformers' BitsAndBytesConfig writes itself. */
static char *quantisation_text(writing *w)
{
    const axl__quant_config *q = &w->m->quant;
    bool eight = q->kind == AXL_WEIGHT_INT8;
    const char *four_text = eight ? "false" : "true", *eight_text = eight ? "true" : "false";
    axl__str s;

    axl__str_init(&s, w->m->ctx);
    axl__str_putf(&s, "{\"_load_in_4bit\": %s, \"_load_in_8bit\": %s, ", four_text, eight_text);
    axl__str_putf(&s,
                  "\"bnb_4bit_compute_dtype\": \"%s\", \"bnb_4bit_quant_storage\": \"uint8\", "
                  "\"bnb_4bit_quant_type\": \"%s\", \"bnb_4bit_use_double_quant\": %s, ",
                  dtype_text(w->m->compute), q->kind == AXL_WEIGHT_NF4 ? "nf4" : "fp4",
                  q->nested ? "true" : "false");
    axl__str_puts(&s, "\"llm_int8_enable_fp32_cpu_offload\": false, "
                      "\"llm_int8_has_fp16_weight\": false, \"llm_int8_skip_modules\": ");
    for (size_t i = 0; i < q->n_kept; i++) {
        axl__str_puts(&s, i ? ", " : "[");
        axl__str_put_json(&s, q->kept[i], strlen(q->kept[i]));
    }
    axl__str_puts(&s, q->n_kept ? "]" : q->listed ? "[]" : "null");
    axl__str_putf(&s,
                  ", \"llm_int8_threshold\": 6.0, \"load_in_4bit\": %s, \"load_in_8bit\": %s, "
                  "\"quant_method\": \"bitsandbytes\"}",
                  four_text, eight_text);
    return keep_text(w, &s);
}

static axl_status say_quantised(writing *w)
{
    char *text = quantisation_text(w);
    axl__json *value;

    if (!text)
        return axl__fail_nomem();
    AXL_TRY(axl__json_parse(&value, &w->texts, text, strlen(text), NULL));
    return axl__weights_say(w->parts, "quantization_config", value);
}

/* What was trained has kept its config.json, which says nothing of codes. */
static axl_status write_configs(writing *w, const axl__outlet *to)
{
    if (w->m->weights)
        return axl__weights_write_configs(w->m->weights, to, w->exact);
    if (w->merged)
        AXL_TRY(axl__weights_say(w->parts, "quantization_config", NULL));
    else if (!w->m->quant.stored)
        AXL_TRY(say_quantised(w));
    return axl__weights_write_configs(w->parts, to, false);
}

/* ---- the whole ---- */

static axl_status reserve(writing *w)
{
    if (w->n_wide > 0)
        AXL_TRY(w->m->ops->buffer_new(w->m->dev, &w->wide, w->n_wide * sizeof(float)));
    w->room = axl__alloc_aligned(w->m->ctx, w->room_size ? w->room_size : 1);
    return w->room ? AXL_OK : axl__fail_nomem();
}

static axl_status write_all(writing *w, const char *dir, uint64_t shard_bytes, axl__checksum *sum)
{
    AXL_TRY(axl__model_spare(w->m, dir, false));
    AXL_TRY(axl__model_unchanged(w->m));
    AXL_TRY(list_all(w, true));
    AXL_TRY(reserve(w));
    AXL_TRY(axl__make_dirs(w->m->ctx, dir));
    AXL_TRY(axl__model_files_write(w->m->ctx, dir, w->entries, w->n, shard_bytes, fetch, w, sum));
    return write_configs(w, &(axl__outlet){ .ctx = w->m->ctx, .dir = dir });
}

static void writing_free(writing *w)
{
    axl_model *m = w->m;

    axl__weights_drop(m, w->parts);
    m->ops->buffer_free(m->dev, w->wide);
    axl__free_aligned(m->ctx, w->room);
    axl__free_aligned(m->ctx, w->carried);
    axl__free(m->ctx, w->entries);
    axl__free(m->ctx, w->items);
    axl__arena_free(&w->texts);
}

axl_status axl__model_write(axl_model *m, const axl_adapter *merged, const char *dir,
                            uint64_t shard_bytes)
{
    writing w = { .m = m, .merged = merged };

    axl__arena_init(&w.texts, m->ctx);
    axl_status status = write_all(&w, dir, shard_bytes, NULL);
    writing_free(&w);
    return status;
}

axl_status axl__model_write_trained(axl_model *m, const char *dir, bool exact, uint64_t shard_bytes,
                                    axl__checksum *sum)
{
    writing w = { .m = m, .exact = exact };

    axl__arena_init(&w.texts, m->ctx);
    axl_status status = write_all(&w, dir, shard_bytes, sum);
    writing_free(&w);
    return status;
}

uint64_t axl__model_write_bytes(const axl_model *m)
{
    uint64_t most = 0;

    for (int64_t i = 0; i < m->modules.n; i++) {
        uint64_t n = (uint64_t)(m->modules.list[i].rows * m->modules.list[i].cols);
        most = n > most ? n : most;
    }
    return most * sizeof(float) * (m->device.host_memory ? 1 : 2);
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
    axl_status status = axl__model_write(m, NULL, dir, AXL__SHARD_BYTES);
    axl__claim_release(&m->saving);
    return status;
}

/* ---- tensors for a host ---- */

static axl_status hand_out_tensor(writing *w, size_t i, axl_tensor_out_fn tensor, void *user)
{
    static const uint32_t types[] = {
        [AXL_F32] = AXL_TENSOR_F32, [AXL_BF16] = AXL_TENSOR_BF16, [AXL_F16] = AXL_TENSOR_F16
    };
    const axl__st_entry *e = &w->entries[i];
    axl_tensor_data d = AXL_TENSOR_DATA_INIT;

    AXL_TRY(fetch(w, i, &d.data));
    d.length = axl__st_entry_size(e);
    d.shape = e->dims;
    d.n_dims = e->n_dims;
    d.type = types[e->dtype];
    if (tensor(user, e->name, &d) != 0)
        return axl__fail(AXL_ERR_CANCELLED, "the host stopped at the tensor %s", e->name);
    return axl__poll(w->m->ctx, "save", i + 1, w->n);
}

static axl_status hand_out_all(writing *w, const axl__outlet *to, axl_tensor_out_fn tensor)
{
    AXL_TRY(axl__model_unchanged(w->m));
    AXL_TRY(list_all(w, false));
    AXL_TRY(reserve(w));
    AXL_TRY(write_configs(w, to));
    for (size_t i = 0; i < w->n; i++)
        AXL_TRY(hand_out_tensor(w, i, tensor, to->user));
    return axl__carried_hand_out(w->m, tensor, to->user);
}

axl_status axl_model_save_tensors(axl_model *m, axl_file_fn file, axl_tensor_out_fn tensor,
                                  void *user)
{
    writing w = { .m = m };

    AXL_TRY(axl__model_use(m));
    if (!file || !tensor)
        return axl__fail(AXL_ERR_INVALID, "%s must not be NULL", file ? "tensor" : "file");
    AXL_TRY(check_trained(m));
    AXL_TRY(axl__claim_take(&m->saving, "axl_model (being saved)"));
    axl__arena_init(&w.texts, m->ctx);
    axl_status status =
        hand_out_all(&w, &(axl__outlet){ .ctx = m->ctx, .fn = file, .user = user }, tensor);
    writing_free(&w);
    axl__claim_release(&m->saving);
    return status;
}
