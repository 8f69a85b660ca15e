/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_quantised.c - weights of 4 and 8 bits: made of a tensor's values while it is read, a few
 * megabytes at a time, or taken as a checkpoint of bitsandbytes has them.
 *
 * Of the files' values no more is in memory than what is being worked on.  The codes lie in a
 * buffer of their own or in the file; scales, the codes of scales and their map share another.
 */
#include "load_priv.h"
#include "tensor/quantise.h"

#include "base/str.h"

#include <math.h>
#include <string.h>

/* ---- where the numbers of a weight lie ---- */

enum { SCALE_MAP = 256, PART_ALIGN = 64 };

/* Counts and places of a weight's scales, in bytes of one buffer. */
typedef struct scale_room {
    int64_t n_blocks; /* of codes: an absmax each; of int8 the rows */
    int64_t n_scales; /* f32 */
    bool nested;
    size_t map_at, codes_at, size;
} scale_room;

static int64_t div_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static size_t aligned(size_t n)
{
    return (n + PART_ALIGN - 1) / PART_ALIGN * PART_ALIGN;
}

static scale_room room_of(const axl_weight *w)
{
    const axl_quantised *q = &w->quant;
    int64_t n = w->mat.rows * w->mat.cols;
    scale_room r = { .n_blocks = w->kind == AXL_WEIGHT_INT8 ? w->mat.rows : div_up(n, q->block),
                     .nested = q->scale_block > 0 };

    r.n_scales = r.nested ? div_up(r.n_blocks, q->scale_block) : r.n_blocks;
    r.map_at = aligned((size_t)r.n_scales * sizeof(float));
    r.codes_at = r.map_at + (r.nested ? SCALE_MAP * sizeof(float) : 0);
    r.size = r.codes_at + (r.nested ? (size_t)r.n_blocks : 0);
    return r;
}

static size_t codes_size(const axl_weight *w)
{
    size_t n = (size_t)(w->mat.rows * w->mat.cols);

    return w->kind == AXL_WEIGHT_INT8 ? n : (n + 1) / 2;
}

static void point_at_scales(axl_quantised *q, const scale_room *r, const char *base)
{
    q->scales = (const float *)(const void *)base;
    q->scale_map = r->nested ? (const float *)(const void *)(base + r->map_at) : NULL;
    q->scale_codes = r->nested ? (const uint8_t *)base + r->codes_at : NULL;
}

/* Host memory with scales becomes the weight's. */
static axl_status keep_scales(axl_model *m, axl_weight *w, const scale_room *r, const char *host)
{
    void *p;

    AXL_TRY(axl__load_buffer(m, r->size, &p));
    if (!m->device.counts_only)
        AXL_TRY(m->ops->upload(m->dev, p, host, r->size));
    point_at_scales(&w->quant, r, p);
    m->weights_bytes += r->size;
    return AXL_OK;
}

/* ---- codes of values ---- */

enum {
    CHUNK = 1 << 22, /* elements that are read at a time, */
    PIECE = 1 << 18  /* and what a thread takes of them */
};

/* A chunk on its way to codes. */
typedef struct chunk {
    const axl_weight *w;
    const axl__stored *from;
    const void *values; /* as the file has them, from element `first` on */
    int64_t first;
    char *converted; /* room for the chunk in the weight's type */
    uint8_t *codes;
    float *absmax;
    int64_t n, piece; /* elements; whole blocks, or whole rows of int8 */
} chunk;

static void quantise_piece(void *arg, uint64_t index)
{
    const chunk *c = arg;
    int64_t at = (int64_t)index * c->piece, n = c->n - at < c->piece ? c->n - at : c->piece;
    int64_t cols = c->w->mat.cols, block = c->w->quant.block;
    axl_dtype dtype = c->w->mat.dtype;
    const char *x = (const char *)c->values + (size_t)at * axl__stored_size(c->from);

    if (c->from->t->dtype != (int)dtype) {
        char *to = c->converted + (size_t)at * axl__dtype_size(dtype);
        axl__stored_convert(c->from, to, dtype, x, c->first + at, n);
        x = to;
    }
    if (c->w->kind == AXL_WEIGHT_INT8)
        axl__quantise_int8((int8_t *)c->codes + at, c->absmax + at / cols, x, dtype, n / cols,
                           cols);
    else
        axl__quantise_4bit(c->w->kind, c->codes + at / 2, c->absmax + at / block, x, dtype, n,
                           block);
}

/* Elements that are read together: whole blocks, or rows. */
static int64_t in_units(const axl_weight *w, int64_t n)
{
    int64_t unit = w->kind == AXL_WEIGHT_INT8 ? w->mat.cols : w->quant.block;

    return n / unit > 0 ? n / unit * unit : unit;
}

/* The elements of a chunk. */
static int64_t chunk_of(const axl_weight *w)
{
    int64_t n = w->mat.rows * w->mat.cols, step = in_units(w, CHUNK);

    return n < step ? n : step;
}

/* All codes and absmax, into host memory.  room: a chunk in both types. */
static axl_status make_codes(axl_model *m, const axl_weight *w, axl__stored from, uint8_t *codes,
                             float *absmax, char *room)
{
    int64_t n = w->mat.rows * w->mat.cols, step = chunk_of(w), cols = w->mat.cols;
    size_t size = axl__stored_size(&from);

    for (int64_t i = 0; i < n; i += step) {
        chunk c = { .w = w,
                    .from = &from,
                    .first = i,
                    .n = n - i < step ? n - i : step,
                    .piece = in_units(w, PIECE),
                    .converted = room + (size_t)step * size };
        bool int8 = w->kind == AXL_WEIGHT_INT8;
        c.codes = codes + (int8 ? i : i / 2);
        c.absmax = absmax + (int8 ? i / cols : i / w->quant.block);
        AXL_TRY(axl__cancelled(m->ctx));
        AXL_TRY(axl__safetensors_piece(from.in, from.t, (size_t)i * size, (size_t)c.n * size, size,
                                       room, &c.values));
        axl__parallel_for(m->ctx, (uint64_t)div_up(c.n, c.piece), quantise_piece, &c);
    }
    return AXL_OK;
}

/* From absmax to the scales in host memory. */
static void make_scales(axl_weight *w, const scale_room *r, const float *absmax, char *scales)
{
    float *f = (float *)(void *)scales;

    if (!r->nested) {
        memcpy(f, absmax, (size_t)r->n_blocks * sizeof *f);
        return;
    }
    memcpy(scales + r->map_at, axl__quant_scale_map(), SCALE_MAP * sizeof(float));
    axl__quantise_scales((uint8_t *)scales + r->codes_at, f, &w->quant.offset, absmax, r->n_blocks,
                         w->quant.scale_block);
}

/* What a weight is worked on with, host memory. */
typedef struct workbench {
    char *room, *scales;
    float *absmax;
    uint8_t *codes; /* NULL where the device's own memory will do */
} workbench;

static axl_status workbench_make(workbench *b, const axl_model *m, const axl_weight *w,
                                 const scale_room *r, const axl__stored *from)
{
    size_t element = axl__stored_size(from) + axl__dtype_size(w->mat.dtype);

    b->room = axl__alloc_aligned(m->ctx, (size_t)chunk_of(w) * element);
    b->scales = axl__alloc_aligned(m->ctx, r->size);
    b->absmax = axl__alloc_aligned(m->ctx, (size_t)r->n_blocks * sizeof *b->absmax);
    if (!m->device.host_memory)
        b->codes = axl__alloc_aligned(m->ctx, codes_size(w));
    return b->room && b->scales && b->absmax && (b->codes || m->device.host_memory)
               ? AXL_OK
               : axl__fail_nomem();
}

static void workbench_free(workbench *b, axl_context *ctx)
{
    axl__free_aligned(ctx, b->room);
    axl__free_aligned(ctx, b->scales);
    axl__free_aligned(ctx, b->absmax);
    axl__free_aligned(ctx, b->codes);
}

/* A value that is no number has no code, and what is infinite makes its block useless. */
static axl_status check_finite(axl__stored from, const float *absmax, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(absmax[i]))
            return axl__fail(AXL_ERR_FORMAT,
                             "%s: tensor \"%s\" has a value that is not finite; it cannot be "
                             "quantised",
                             from.in->file.path, from.t->name);
    return AXL_OK;
}

static axl_status quantise(axl_model *m, axl_weight *w, axl__stored from, void *device_codes,
                           const workbench *b, const scale_room *r)
{
    uint8_t *codes = b->codes ? b->codes : device_codes;

    AXL_TRY(make_codes(m, w, from, codes, b->absmax, b->room));
    AXL_TRY(check_finite(from, b->absmax, r->n_blocks));
    make_scales(w, r, b->absmax, b->scales);
    if (b->codes)
        AXL_TRY(m->ops->upload(m->dev, device_codes, b->codes, codes_size(w)));
    return keep_scales(m, w, r, b->scales);
}

axl_status axl__load_quantised(axl_model *m, axl__module *of, axl__stored from)
{
    bool four = m->quant.kind != AXL_WEIGHT_INT8;
    axl_weight w = { .kind = m->quant.kind,
                     .mat = { NULL, m->compute, of->rows, of->cols, of->cols },
                     .quant = { .block = four ? AXL__QUANT_BLOCK : 0,
                                .scale_block = m->quant.nested ? AXL__QUANT_SCALE_BLOCK : 0 } };
    scale_room r = room_of(&w);
    workbench b = { 0 };
    axl_status status;
    void *codes;

    AXL_TRY(axl__load_buffer(m, codes_size(&w), &codes));
    w.quant.codes = codes;
    m->weights_bytes += codes_size(&w);
    if (m->device.counts_only) {
        status = keep_scales(m, &w, &r, NULL);
    } else {
        status = workbench_make(&b, m, &w, &r, &from);
        if (status == AXL_OK)
            status = quantise(m, &w, from, codes, &b, &r);
        workbench_free(&b, m->ctx);
    }
    if (status == AXL_OK)
        of->weight = w;
    return status;
}

/* ---- codes that the files have ---- */

bool axl__load_has_codes(const axl_model *m, const axl__module *of, axl__stored from)
{
    const char *dtype = from.t->dtype_name;

    if (!axl__module_is_linear(of))
        return false;
    if (m->quant.kind == AXL_WEIGHT_INT8)
        return strcmp(dtype, "I8") == 0;
    /* Packed codes may be stored as elements of any type (bnb_4bit_quant_storage). */
    return from.t->n_dims == 2 && from.t->dims[1] == 1 && of->cols > 1;
}

/* A part of a weight by its name behind the module's; *out has its bytes in host memory, for
 * axl__free_aligned. */
static axl_status read_part(const axl_model *m, const axl__module *of, const char *part,
                            const char *dtype, size_t size, void **out)
{
    char *name = axl__format(m->ctx, "%s.%s", axl__module_file_name(of), part);
    axl_status status = AXL_OK;
    axl__stored from;

    *out = NULL;
    if (!name)
        return axl__fail_nomem();
    if (!axl__load_find(m, name, &from))
        status = axl__fail(AXL_ERR_FORMAT,
                           "%s: tensor \"%s\", which its quantised weight needs, "
                           "is missing",
                           m->folder.place, name);
    else if (strcmp(from.t->dtype_name, dtype) != 0 || (size > 0 && from.t->size != size))
        status = axl__fail(AXL_ERR_FORMAT,
                           "%s: tensor \"%s\" has %zu bytes of %s, its weight wants %zu of %s",
                           from.in->file.path, name, from.t->size, from.t->dtype_name, size, dtype);
    else if (!(*out = axl__alloc_aligned(m->ctx, from.t->size + 1)))
        status = axl__fail_nomem();
    else
        status = axl__safetensors_read(from.in, from.t, *out);
    if (status == AXL_OK)
        ((char *)*out)[from.t->size] = '\0';
    axl__free(m->ctx, name);
    return status;
}

static axl_status read_into(const axl_model *m, const axl__module *of, const char *part,
                            const char *dtype, void *to, size_t size)
{
    void *p;
    axl_status status = read_part(m, of, part, dtype, size, &p);

    if (status == AXL_OK)
        memcpy(to, p, size);
    axl__free_aligned(m->ctx, p);
    return status;
}

static axl_status take_state(const axl_model *m, const axl__module *of, const axl__json *state,
                             axl_weight *w)
{
    static const char *const dtypes[] = {
        [AXL_F32] = "float32", [AXL_BF16] = "bfloat16", [AXL_F16] = "float16"
    };
    const char *dtype = axl__json_string(state, "dtype", "");
    const axl__json *shape = axl__json_get(state, "shape");
    size_t t = 0;

    while (t < 3 && strcmp(dtypes[t], dtype) != 0)
        t++;
    w->mat.dtype = (axl_dtype)t;
    w->quant.block = axl__json_int(state, "blocksize", 0);
    w->quant.scale_block = axl__json_int(state, "nested_blocksize", 0);
    w->quant.offset = (float)axl__json_double(state, "nested_offset", 0.0);
    bool fits = shape && shape->type == AXL__JSON_ARRAY && shape->count == 2 &&
                shape->child->integer == of->rows && shape->child->next->integer == of->cols;
    int64_t block = w->quant.block, nested = w->quant.scale_block;
    if (t == 3 || !fits || block < 2 || block > 4096 || block % 2 != 0 || nested < 0 ||
        nested > 4096)
        return axl__fail(AXL_ERR_FORMAT,
                         "%s: the quant_state of \"%s\" does not fit a weight of [%lld, %lld]: its "
                         "dtype, shape or blocksize",
                         m->folder.place, of->name, (long long)of->rows, (long long)of->cols);
    return AXL_OK;
}

/* blocksize and the like, which bitsandbytes packs as a JSON text into a tensor. */
static axl_status read_state(const axl_model *m, const axl__module *of, axl_weight *w)
{
    const char *part = w->kind == AXL_WEIGHT_NF4 ? "weight.quant_state.bitsandbytes__nf4"
                                                 : "weight.quant_state.bitsandbytes__fp4";
    axl__arena arena;
    axl__json *state;
    void *text;

    axl__arena_init(&arena, m->ctx);
    axl_status status = read_part(m, of, part, "U8", 0, &text);
    if (status == AXL_OK) {
        status = axl__json_parse(&state, &arena, text, strlen(text), NULL);
        if (status == AXL_ERR_FORMAT)
            status = axl__fail_prefix(status, "%s: %s.%s", m->folder.place, of->name, part);
    }
    if (status == AXL_OK)
        status = take_state(m, of, state, w);
    axl__free_aligned(m->ctx, text);
    axl__arena_free(&arena);
    return status;
}

/* Where only headers may be read: what bitsandbytes does unless it is told otherwise. */
static axl_status suppose_state(const axl_model *m, const axl__module *of, axl_weight *w)
{
    char *name = axl__format(m->ctx, "%s.weight.nested_absmax", axl__module_file_name(of));
    axl__stored from;

    if (!name)
        return axl__fail_nomem();
    w->quant.block = AXL__QUANT_BLOCK;
    if (axl__load_find(m, name, &from))
        w->quant.scale_block = AXL__QUANT_SCALE_BLOCK;
    axl__free(m->ctx, name);
    return AXL_OK;
}

/* The values of codes are those that the kernels know. */
static axl_status check_table(const axl_model *m, const axl__module *of, const axl_weight *w)
{
    float table[16];

    AXL_TRY(read_into(m, of, "weight.quant_map", "F32", table, sizeof table));
    if (memcmp(table, axl__quant_table(w->kind), sizeof table) == 0)
        return AXL_OK;
    return axl__fail(AXL_ERR_UNSUPPORTED, "%s: the quant_map of \"%s\" is not that of %s",
                     m->folder.place, of->name, w->kind == AXL_WEIGHT_NF4 ? "NF4" : "FP4");
}

static axl_status read_scales(const axl_model *m, const axl__module *of, const axl_weight *w,
                              const scale_room *r, char *scales)
{
    size_t f32 = (size_t)r->n_scales * sizeof(float);

    if (w->kind == AXL_WEIGHT_INT8)
        return read_into(m, of, "SCB", "F32", scales, f32);
    AXL_TRY(check_table(m, of, w));
    if (!r->nested)
        return read_into(m, of, "weight.absmax", "F32", scales, f32);
    AXL_TRY(read_into(m, of, "weight.nested_absmax", "F32", scales, f32));
    AXL_TRY(read_into(m, of, "weight.nested_quant_map", "F32", scales + r->map_at,
                      SCALE_MAP * sizeof(float)));
    return read_into(m, of, "weight.absmax", "U8", scales + r->codes_at, (size_t)r->n_blocks);
}

static axl_status take_codes(axl_model *m, axl_weight *w, axl__stored from)
{
    void *p;

    if (m->device.host_memory) {
        AXL_TRY(axl__load_mapped(m, from.t, &p));
    } else {
        AXL_TRY(axl__load_buffer(m, from.t->size, &p));
        if (!m->device.counts_only)
            AXL_TRY(m->ops->upload(m->dev, p, from.t->data, from.t->size));
    }
    w->quant.codes = p;
    m->weights_bytes += from.t->size;
    m->file_bytes += m->device.host_memory && from.in->mapped ? from.t->size : 0;
    return AXL_OK;
}

static axl_status take_scales(axl_model *m, const axl__module *of, axl_weight *w)
{
    scale_room r = room_of(w);

    if (m->device.counts_only)
        return keep_scales(m, w, &r, NULL);
    char *host = axl__alloc_aligned(m->ctx, r.size);
    axl_status status = host ? read_scales(m, of, w, &r, host) : axl__fail_nomem();

    if (status == AXL_OK)
        status = keep_scales(m, w, &r, host);
    axl__free_aligned(m->ctx, host);
    return status;
}

axl_status axl__load_codes(axl_model *m, axl__module *of, axl__stored from)
{
    const axl__module *embed = axl__modules_one(&m->modules, -1, AXL__SLOT_EMBED);
    axl_weight w = { .kind = m->quant.kind,
                     .mat = { NULL, m->compute, of->rows, of->cols, of->cols } };

    if (w.kind != AXL_WEIGHT_INT8)
        AXL_TRY(m->device.counts_only ? suppose_state(m, of, &w) : read_state(m, of, &w));
    if (from.t->size != codes_size(&w))
        return axl__fail(AXL_ERR_FORMAT,
                         "%s: the codes of \"%s\" have %zu bytes, a weight of [%lld, %lld] has %zu",
                         from.in->file.path, of->name, from.t->size, (long long)of->rows,
                         (long long)of->cols, codes_size(&w));
    AXL_TRY(take_codes(m, &w, from));
    AXL_TRY(take_scales(m, of, &w));
    of->weight = w;
    of->weight_stored = w.kind == AXL_WEIGHT_INT8 ? embed->weight_stored : w.mat.dtype;
    m->n_params += (uint64_t)(of->rows * of->cols);
    return AXL_OK;
}
