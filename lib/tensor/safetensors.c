/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors.c - reading checks everything before any tensor is used; see safetensors.h. */
#include "safetensors.h"

#include "base/json.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_MAX = 100 * 1000 * 1000 }; /* the limit of the format's own reader */
/* What a header without its file may speak of; offsets from a pointer do not overflow. */
#define FILE_MAX (SIZE_MAX >> (sizeof(size_t) > 4 ? 17 : 2))

static const struct {
    const char *name;
    int bits, dtype;
} dtypes[] = {
    { "F32", 32, AXL_F32 }, { "BF16", 16, AXL_BF16 }, { "F16", 16, AXL_F16 }, { "F64", 64, -1 },
    { "I64", 64, -1 },      { "I32", 32, -1 },        { "I16", 16, -1 },      { "I8", 8, -1 },
    { "U64", 64, -1 },      { "U32", 32, -1 },        { "U16", 16, -1 },      { "U8", 8, -1 },
    { "BOOL", 8, -1 },      { "F8_E4M3", 8, -1 },     { "F8_E5M2", 8, -1 },
};

static axl_status bad(const axl__safetensors *st, const char *name, const char *what)
{
    return axl__fail(AXL_ERR_FORMAT, "%s: tensor \"%s\": %s", st->file.path, name, what);
}

static axl_status read_shape(const axl__safetensors *st, axl__st_tensor *t, const axl__json *shape,
                             uint64_t *elements)
{
    *elements = 1;
    if (!shape || shape->type != AXL__JSON_ARRAY || shape->count > AXL__ST_DIMS)
        return bad(st, t->name, "its shape is not a list of at most 8 sizes");
    for (const axl__json *d = shape->child; d; d = d->next) {
        if (d->type != AXL__JSON_INT || d->integer < 0)
            return bad(st, t->name, "its shape holds something other than sizes");
        uint64_t dim = (uint64_t)d->integer;
        if (dim != 0 && *elements > (UINT64_MAX >> 8) / dim)
            return bad(st, t->name, "its shape is too large");
        *elements *= dim;
        t->dims[t->n_dims++] = dim;
    }
    return AXL_OK;
}

static axl_status read_tensor(axl__safetensors *st, axl__st_tensor *t, const axl__json *v,
                              size_t data_at)
{
    const axl__json *offsets = axl__json_get(v, "data_offsets");
    const char *dtype = axl__json_string(v, "dtype", NULL);
    uint64_t elements, data_size = st->file.size - data_at;
    int bits = 0;

    t->name = v->key;
    if (strlen(t->name) != v->key_len)
        return bad(st, t->name, "its name holds a NUL byte");
    for (size_t i = 0; dtype && i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (strcmp(dtypes[i].name, dtype) == 0) {
            bits = dtypes[i].bits;
            t->dtype = dtypes[i].dtype;
            t->dtype_name = dtypes[i].name;
        }
    }
    if (bits == 0)
        return bad(st, t->name, "its dtype is missing or not known");
    AXL_TRY(read_shape(st, t, axl__json_get(v, "shape"), &elements));
    if (!offsets || offsets->type != AXL__JSON_ARRAY || offsets->count != 2 ||
        offsets->child->type != AXL__JSON_INT || offsets->child->next->type != AXL__JSON_INT ||
        offsets->child->integer < 0 || offsets->child->next->integer < offsets->child->integer)
        return bad(st, t->name, "its data_offsets are not two rising numbers");
    uint64_t begin = (uint64_t)offsets->child->integer;
    uint64_t end = (uint64_t)offsets->child->next->integer;
    if (end > data_size)
        return axl__fail(AXL_ERR_FORMAT,
                         "%s is cut short: tensor \"%s\" ends at byte %llu, the file has %llu",
                         st->file.path, t->name, (unsigned long long)(data_at + end),
                         (unsigned long long)st->file.size);
    if (end - begin != elements * (uint64_t)bits / 8)
        return bad(st, t->name, "its bytes do not fit its shape");
    t->data = st->file.data + data_at + begin;
    t->size = (size_t)(end - begin);
    return axl__map_set(&st->by_name, t->name, v->key_len, (int64_t)(t - st->tensors));
}

static int by_place(const void *a_, const void *b_)
{
    const axl__st_tensor *const *a = a_, *const *b = b_;
    const char *p = (*a)->data, *q = (*b)->data;

    if (p != q)
        return p < q ? -1 : 1;
    return (*a)->size < (*b)->size ? -1 : (*a)->size > (*b)->size;
}

static axl_status check_overlap(axl__safetensors *st)
{
    const axl__st_tensor **order = axl__arena_alloc(&st->arena, (st->count + 1) * sizeof *order);

    if (!order)
        return axl__fail_nomem();
    for (size_t i = 0; i < st->count; i++)
        order[i] = &st->tensors[i];
    qsort(order, st->count, sizeof *order, by_place);
    for (size_t i = 1; i < st->count; i++)
        if ((const char *)order[i - 1]->data + order[i - 1]->size > (const char *)order[i]->data)
            return axl__fail(AXL_ERR_FORMAT,
                             "%s: the bytes of the tensors \"%s\" and \"%s\" overlap",
                             st->file.path, order[i - 1]->name, order[i]->name);
    return AXL_OK;
}

static axl_status header_length(const axl__safetensors *st, uint64_t *length)
{
    if (st->file.size < 8)
        return axl__fail(AXL_ERR_FORMAT, "%s is no safetensors file: it has %zu bytes",
                         st->file.path, st->file.size);
    memcpy(length, st->file.data, 8);
    if (*length > HEADER_MAX || *length > st->file.size - 8)
        return axl__fail(
            AXL_ERR_FORMAT,
            "%s is no safetensors file, or cut short: its header would have %llu bytes, "
            "the file has %zu",
            st->file.path, (unsigned long long)*length, st->file.size);
    return AXL_OK;
}

/* The least file that such a header can be of. */
static size_t size_of_all(const axl__safetensors *st, size_t size)
{
    for (size_t i = 0; i < st->count; i++) {
        size_t end = (size_t)((const unsigned char *)st->tensors[i].data - st->file.data) +
                     st->tensors[i].size;
        size = end > size ? end : size;
    }
    return size;
}

static axl_status read_header(axl__safetensors *st, bool alone)
{
    uint64_t header = 0;
    axl__json *root;

    AXL_TRY(header_length(st, &header));
    alone = alone && st->file.size == 8 + header;
    if (alone)
        st->file.size = FILE_MAX;
    axl_status status =
        axl__json_parse(&root, &st->arena, (const char *)st->file.data + 8, (size_t)header, NULL);
    if (status == AXL_ERR_FORMAT)
        return axl__fail_prefix(status, "%s is no safetensors file: its header is no JSON",
                                st->file.path);
    AXL_TRY(status);
    if (root->type != AXL__JSON_OBJECT)
        return axl__fail(AXL_ERR_FORMAT, "%s: the header is no JSON object", st->file.path);
    st->tensors = axl__arena_alloc(&st->arena, (root->count + 1) * sizeof *st->tensors);
    if (!st->tensors)
        return axl__fail_nomem();
    for (const axl__json *v = root->child; v; v = v->next) {
        int64_t seen;
        if (strcmp(v->key, "__metadata__") == 0)
            continue;
        if (axl__map_get(&st->by_name, v->key, v->key_len, &seen))
            return bad(st, v->key, "it is there twice");
        AXL_TRY(read_tensor(st, &st->tensors[st->count], v, 8 + (size_t)header));
        st->count++;
    }
    if (alone)
        st->file.size = size_of_all(st, 8 + (size_t)header);
    return check_overlap(st);
}

static void st_init(axl__safetensors *st, axl_context *ctx)
{
    memset(st, 0, sizeof *st);
    axl__arena_init(&st->arena, ctx);
    axl__map_init(&st->by_name, ctx);
}

static axl_status st_finish(axl__safetensors *st, axl_status status, bool read, bool alone)
{
    if (status == AXL_OK)
        status = read_header(st, alone);
    st->mapped = !read && st->file.mappable;
    st->header_only = alone;
    if (status < 0)
        axl__safetensors_close(st);
    return status;
}

axl_status axl__safetensors_open(axl__safetensors *st, axl_context *ctx, const char *path,
                                 bool read)
{
    st_init(st, ctx);
    return st_finish(st, axl__file_open(&st->file, ctx, path, read), read, false);
}

axl_status axl__safetensors_open_in(axl__safetensors *st, const axl__folder *folder,
                                    const char *name, bool read)
{
    st_init(st, folder->ctx);
    return st_finish(st, axl__folder_open(folder, name, read, &st->file), read, false);
}

axl_status axl__safetensors_open_header(axl__safetensors *st, axl_context *ctx, const char *path,
                                        bool read)
{
    uint64_t header = 0;

    st_init(st, ctx);
    axl_status status = axl__file_open_start(&st->file, ctx, path, 8);
    if (status == AXL_OK)
        status = header_length(st, &header);
    axl__file_close(&st->file);
    if (status == AXL_OK)
        status = axl__file_open_start(&st->file, ctx, path, 8 + (size_t)header);
    return st_finish(st, status, read, true);
}

/* Bytes of the file that are not in memory. */
static axl_status read_bytes(const axl__safetensors *st, const void *from, size_t size, void *out)
{
    uint64_t at = (uint64_t)((const unsigned char *)from - st->file.data);

    if (st->header_only && st->file.id.size < st->file.size)
        return axl__fail(AXL_ERR_FORMAT, "%s is cut short: nothing comes after its header",
                         st->file.path);
    return axl__file_read_at(&st->file, at, out, size);
}

axl_status axl__safetensors_read(const axl__safetensors *st, const axl__st_tensor *t, void *out)
{
    if (st->header_only)
        return read_bytes(st, t->data, t->size, out);
    memcpy(out, t->data, t->size);
    return AXL_OK;
}

axl_status axl__safetensors_piece(const axl__safetensors *st, const axl__st_tensor *t, size_t at,
                                  size_t size, size_t align, void *room, const void **out)
{
    const char *from = (const char *)t->data + at;

    *out = room;
    if (st->header_only || st->file.mapped)
        return read_bytes(st, from, size, room);
    if ((uintptr_t)from % align == 0)
        *out = from;
    else
        memcpy(room, from, size);
    return AXL_OK;
}

void axl__safetensors_close(axl__safetensors *st)
{
    axl__map_free(&st->by_name);
    axl__arena_free(&st->arena);
    axl__file_close(&st->file);
    st->tensors = NULL;
    st->count = 0;
}

const axl__st_tensor *axl__safetensors_find(const axl__safetensors *st, const char *name)
{
    int64_t i;

    return axl__map_get(&st->by_name, name, strlen(name), &i) ? &st->tensors[i] : NULL;
}

void axl__st_shape_text(char out[AXL__ST_SHAPE_TEXT], const uint64_t *dims, uint32_t n)
{
    char *at = out;

    *at++ = '[';
    for (uint32_t i = 0; i < n && i < AXL__ST_DIMS; i++)
        at += sprintf(at, "%s%llu", i ? ", " : "", (unsigned long long)dims[i]);
    strcpy(at, "]");
}

/* ---- writing ---- */

size_t axl__st_entry_size(const axl__st_entry *e)
{
    size_t n = axl__dtype_size(e->dtype);

    if (e->dtype_name)
        return e->size;
    for (uint32_t i = 0; i < e->n_dims; i++)
        n *= (size_t)e->dims[i];
    return n;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const axl__st_entry *const *)a)->name,
                  (*(const axl__st_entry *const *)b)->name);
}

/* NULL of what is no type. */
static const char *entry_type(const axl__st_entry *e)
{
    static const char *const names[] = {
        [AXL_F32] = "F32", [AXL_BF16] = "BF16", [AXL_F16] = "F16", [AXL_I32] = "I32"
    };

    if (e->dtype_name)
        return e->dtype_name;
    return (size_t)e->dtype < sizeof names / sizeof names[0] ? names[e->dtype] : NULL;
}

static axl_status check_types(const char *path, const axl__st_entry *entries, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!entry_type(&entries[i]))
            return axl__fail(AXL_ERR_INTERNAL, "%s: tensor \"%s\" has no type of a file", path,
                             entries[i].name);
    return AXL_OK;
}

static void put_header(axl__str *s, const axl__st_entry *const *order, size_t n)
{
    size_t at = 0;

    axl__str_puts(s, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < n; i++) {
        const axl__st_entry *e = order[i];
        axl__str_putc(s, ',');
        axl__str_put_json(s, e->name, strlen(e->name));
        axl__str_putf(s, ":{\"dtype\":\"%s\",\"shape\":[", entry_type(e));
        for (uint32_t d = 0; d < e->n_dims; d++)
            axl__str_putf(s, "%s%llu", d ? "," : "", (unsigned long long)e->dims[d]);
        axl__str_putf(s, "],\"data_offsets\":[%zu,%zu]}", at, at + axl__st_entry_size(e));
        at += axl__st_entry_size(e);
    }
    axl__str_putc(s, '}');
    while (s->len % 8 != 0 && !s->failed)
        axl__str_putc(s, ' ');
}

/* What comes into a file: the header, and the entries (n) in their order. */
typedef struct {
    const axl__st_entry *first, **order;
    size_t n;
    axl__str header;
    uint64_t header_len;
} st_plan;

static axl_status plan_file(st_plan *p, axl_context *ctx, const char *name,
                            const axl__st_entry *entries, size_t n)
{
    memset(p, 0, sizeof *p);
    axl__str_init(&p->header, ctx);
    AXL_TRY(check_types(name, entries, n));
    p->order = axl__alloc(ctx, (n + 1) * sizeof *p->order);
    if (!p->order)
        return axl__fail_nomem();
    p->n = n;
    p->first = entries;
    for (size_t i = 0; i < n; i++)
        p->order[i] = &entries[i];
    qsort(p->order, n, sizeof *p->order, by_name);
    put_header(&p->header, p->order, n);
    p->header_len = p->header.len;
    return axl__str_status(&p->header);
}

static void plan_free(st_plan *p, axl_context *ctx)
{
    axl__str_free(&p->header);
    axl__free(ctx, p->order);
}

static axl_status write_entries(const st_plan *p, axl__writer *w, axl__st_fetch fetch, void *user)
{
    axl_context *ctx = p->header.ctx;

    for (size_t i = 0; i < p->n; i++) {
        const void *data = p->order[i]->data;
        if (fetch)
            AXL_TRY(fetch(user, (size_t)(p->order[i] - p->first), &data));
        AXL_TRY(axl__writer_put(w, data, axl__st_entry_size(p->order[i])));
        AXL_TRY(axl__poll(ctx, "save", i + 1, p->n));
    }
    return AXL_OK;
}

static axl_status write_file(const st_plan *p, const char *path, axl__st_fetch fetch, void *user,
                             axl__checksum *sum)
{
    axl__writer w;

    AXL_TRY(axl__writer_open(&w, p->header.ctx, path));
    w.sum = sum;
    axl_status status = axl__writer_put(&w, &p->header_len, sizeof p->header_len);
    if (status == AXL_OK)
        status = axl__writer_put(&w, p->header.data, p->header.len);
    if (status == AXL_OK)
        status = write_entries(p, &w, fetch, user);
    if (status == AXL_OK)
        return axl__writer_commit(&w);
    axl__writer_abort(&w);
    return status;
}

axl_status axl__safetensors_stream(axl_context *ctx, const char *path, const axl__st_entry *entries,
                                   size_t n, axl__st_fetch fetch, void *user, axl__checksum *sum)
{
    st_plan p;
    axl_status status = plan_file(&p, ctx, path, entries, n);

    if (status == AXL_OK)
        status = write_file(&p, path, fetch, user, sum);
    plan_free(&p, ctx);
    return status;
}

axl_status axl__safetensors_write(axl_context *ctx, const char *path, const axl__st_entry *entries,
                                  size_t n, axl__checksum *sum)
{
    return axl__safetensors_stream(ctx, path, entries, n, NULL, NULL, sum);
}

static axl_status put_bytes(const st_plan *p, axl_context *ctx, axl__str *out)
{
    size_t size = sizeof p->header_len + p->header.len;

    for (size_t i = 0; i < p->n; i++)
        size += axl__st_entry_size(p->order[i]);
    axl__str_reserve(out, size);
    axl__str_put(out, &p->header_len, sizeof p->header_len);
    axl__str_put(out, p->header.data, p->header.len);
    for (size_t i = 0; i < p->n; i++) {
        axl__str_put(out, p->order[i]->data, axl__st_entry_size(p->order[i]));
        AXL_TRY(axl__str_status(out));
        AXL_TRY(axl__poll(ctx, "save", i + 1, p->n));
    }
    return axl__str_status(out);
}

/* To a function of the host's, the whole file in one block. */
static axl_status hand_out(const axl__outlet *o, const char *name, const axl__st_entry *entries,
                           size_t n)
{
    axl__str bytes;
    st_plan p;

    axl__str_init(&bytes, o->ctx);
    axl_status status = plan_file(&p, o->ctx, name, entries, n);
    if (status == AXL_OK)
        status = put_bytes(&p, o->ctx, &bytes);
    plan_free(&p, o->ctx);
    if (status == AXL_OK)
        status = axl__outlet_put(o, name, bytes.data, bytes.len);
    axl__str_free(&bytes);
    return status;
}

axl_status axl__safetensors_put(const axl__outlet *o, const char *name,
                                const axl__st_entry *entries, size_t n, axl__checksum *sum)
{
    if (!o->dir)
        return hand_out(o, name, entries, n);
    char *path = axl__format(o->ctx, "%s/%s", o->dir, name);
    axl_status status =
        path ? axl__safetensors_write(o->ctx, path, entries, n, sum) : axl__fail_nomem();
    axl__free(o->ctx, path);
    return status;
}
