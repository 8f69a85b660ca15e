/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tensor_source.c - a host's tensors as a table like a file's: each module of the model is asked
 * for once, before anything is loaded, so that load.c knows no difference and the host's function
 * is never called again.
 */
#include "model.h"

#include "base/str.h"

#include <string.h>

const char axl__tensor_source_name[] = "the tensor source";

/* The types a host may name, in the order of axl_tensor_type, which begins with 1. */
static const struct {
    axl_dtype dtype;
    const char *name;
} types[] = { { AXL_F32, "F32" }, { AXL_BF16, "BF16" }, { AXL_F16, "F16" } };

typedef struct {
    const axl__tensor_source *source;
    axl__safetensors *st;
    bool read;
} asking;

static axl_status bad_tensor(const char *name, const char *what)
{
    return axl__fail(AXL_ERR_INVALID, "%s: tensor \"%s\" has %s", axl__tensor_source_name, name,
                     what);
}

/* The shape's bytes must be those that there are. */
static axl_status take_shape(axl__st_tensor *t, const axl_tensor_data *d)
{
    uint64_t bytes = axl__dtype_size((axl_dtype)t->dtype);

    if (d->n_dims > AXL__ST_DIMS || (d->n_dims > 0 && !d->shape))
        return bad_tensor(t->name, "no shape of at most 8 sizes");
    for (uint32_t i = 0; i < d->n_dims; i++) {
        if (d->shape[i] != 0 && bytes > (UINT64_MAX >> 8) / d->shape[i])
            return bad_tensor(t->name, "too large a shape");
        bytes *= d->shape[i];
        t->dims[i] = d->shape[i];
    }
    t->n_dims = d->n_dims;
    if (d->length == bytes && (d->data || bytes == 0))
        return AXL_OK;
    return axl__fail(
        AXL_ERR_INVALID, "%s: tensor \"%s\" has %zu bytes, its shape and type make %llu",
        axl__tensor_source_name, t->name, d->data ? d->length : 0, (unsigned long long)bytes);
}

static axl_status take_tensor(asking *a, const char *name, const axl_tensor_data *d)
{
    axl__st_tensor *t = &a->st->tensors[a->st->count];

    t->name = axl__arena_strndup(&a->st->arena, name, strlen(name));
    if (!t->name)
        return axl__fail_nomem();
    if (d->type < AXL_TENSOR_F32 || d->type > AXL_TENSOR_F16)
        return bad_tensor(name, "no axl_tensor_type");
    t->dtype = (int)types[d->type - AXL_TENSOR_F32].dtype;
    t->dtype_name = types[d->type - AXL_TENSOR_F32].name;
    AXL_TRY(take_shape(t, d));
    t->data = d->data ? d->data : "";
    t->size = d->length;
    if (a->read && t->size > 0) {
        void *copy = axl__arena_alloc(&a->st->arena, t->size);
        if (!copy)
            return axl__fail_nomem();
        t->data = memcpy(copy, t->data, t->size);
        a->st->file.size += t->size;
    }
    AXL_TRY(axl__map_set(&a->st->by_name, t->name, strlen(name), (int64_t)a->st->count));
    a->st->count++;
    return AXL_OK;
}

static axl_status ask_for(asking *a, const axl__module *of, const char *part)
{
    axl_context *ctx = a->st->arena.ctx;
    char *name = axl__format(ctx, "%s.%s", axl__module_file_name(of), part);
    axl_tensor_data d = AXL_TENSOR_DATA_INIT;

    if (!name)
        return axl__fail_nomem();
    axl_status status = axl__cancelled(ctx);
    if (status == AXL_OK) {
        int said = a->source->tensor(a->source->user, name, &d);
        if (said == AXL_OK)
            status = take_tensor(a, name, &d);
        else if (said != AXL_END)
            status = axl__fail(AXL_ERR_CANCELLED, "the host stopped at the tensor %s", name);
    }
    axl__free(ctx, name);
    return status;
}

/* A tied head is asked for, too: it may have values of its own, or be all that there is. */
static axl_status ask_for_all(asking *a, const axl__modules *t)
{
    a->st->tensors = axl__arena_alloc(&a->st->arena, (size_t)t->n * 2 * sizeof *a->st->tensors);
    if (!a->st->tensors)
        return axl__fail_nomem();
    for (int64_t i = 0; i < t->n; i++) {
        AXL_TRY(ask_for(a, &t->list[i], "weight"));
        if (t->list[i].has_bias)
            AXL_TRY(ask_for(a, &t->list[i], "bias"));
    }
    return AXL_OK;
}

axl_status axl__tensor_source_ask(const axl__tensor_source *s, axl__safetensors *out,
                                  const axl_model *m, bool read)
{
    asking a = { s, out, read };

    memset(out, 0, sizeof *out);
    axl__arena_init(&out->arena, m->ctx);
    axl__map_init(&out->by_name, m->ctx);
    axl_status status = axl__file_of(&out->file, m->ctx, axl__tensor_source_name, "", 0, false);
    if (status == AXL_OK)
        status = ask_for_all(&a, &m->modules);
    out->mapped = !read;
    if (status < 0)
        axl__safetensors_close(out);
    return status;
}
