/* SPDX-License-Identifier: Apache-2.0 */
/*
 * carried.c - tensors of a checkpoint that are no module's: what a wrapper (family/wrapper.h) has
 * beside its language model.  They stay in the files that they came in, which stay open for them,
 * and are written with the weights, byte for byte.
 */
#include "carried.h"
#include "family/wrapper.h"

#include "base/map.h"
#include "base/str.h"

#include <string.h>

/* ---- names ---- */

/* A module's path with another beginning; NULL when memory is out. */
static char *respell(const axl_model *m, const axl__module *of, const axl__spelling *to)
{
    const axl__wrapper *w = m->arch.wrapper;
    size_t n = strlen(w->module.body);

    if (strncmp(of->name, w->module.body, n) == 0)
        return axl__format(m->ctx, "%s%s", to->body, of->name + n);
    return axl__strdup(m->ctx, to->head);
}

static axl_status has_weight(const axl_model *m, const axl__module *of, const axl__spelling *to,
                             bool *found)
{
    char *path = respell(m, of, to);
    char *name = path ? axl__format(m->ctx, "%s.weight", path) : NULL;

    for (size_t i = 0; name && i < m->n_files && !*found; i++)
        *found = axl__safetensors_find(&m->files[i], name) != NULL;
    axl_status status = name ? AXL_OK : axl__fail_nomem();
    axl__free(m->ctx, path);
    axl__free(m->ctx, name);
    return status;
}

axl_status axl__carried_spell(axl_model *m)
{
    const axl__wrapper *w = m->arch.wrapper;
    const axl__module *norm = axl__modules_one(&m->modules, -1, AXL__SLOT_FINAL_NORM);
    int pick = 0;
    bool found = false;

    if (!w)
        return AXL_OK;
    for (int i = 0; i < AXL__SPELLINGS && !found; i++) {
        AXL_TRY(has_weight(m, norm, &w->files[i], &found));
        pick = found ? i : 0;
    }
    for (int64_t i = 0; i < m->modules.n; i++) {
        axl__module *of = &m->modules.list[i];
        of->file_name = respell(m, of, &w->files[pick]);
        if (!of->file_name)
            return axl__fail_nomem();
    }
    return AXL_OK;
}

/* ---- tensors ---- */

/* Whether it is a module's own, or belongs to one (codes of a weight have scales beside them). */
static bool is_modules(const axl__map *names, const char *tensor)
{
    int64_t index;

    for (const char *dot = strchr(tensor, '.'); dot; dot = strchr(dot + 1, '.'))
        if (axl__map_get(names, tensor, (size_t)(dot - tensor), &index))
            return true;
    return false;
}

static axl_status collect(axl_model *m, const axl__map *names)
{
    size_t most = 0;

    for (size_t i = 0; i < m->n_files; i++)
        most += m->files[i].count;
    m->carried = axl__calloc(m->ctx, most ? most : 1, sizeof *m->carried);
    if (!m->carried)
        return axl__fail_nomem();
    for (size_t i = 0; i < m->n_files; i++)
        for (size_t j = 0; j < m->files[i].count; j++)
            if (!is_modules(names, m->files[i].tensors[j].name))
                m->carried[m->n_carried++] =
                    (axl__carried){ &m->files[i], &m->files[i].tensors[j] };
    return AXL_OK;
}

axl_status axl__carried_find(axl_model *m)
{
    axl_status status = AXL_OK;
    axl__map names;

    if (!m->arch.wrapper || m->device.counts_only)
        return AXL_OK;
    axl__map_init(&names, m->ctx);
    for (int64_t i = 0; i < m->modules.n && status == AXL_OK; i++) {
        const char *name = axl__module_file_name(&m->modules.list[i]);
        status = axl__map_set(&names, name, strlen(name), i);
    }
    if (status == AXL_OK)
        status = collect(m, &names);
    axl__map_free(&names);
    return status;
}

/* Of a file whose header alone was read nothing is in memory. */
static size_t room_of(const axl__carried *c)
{
    return c->in->header_only ? (c->t->size + 63) & ~(size_t)63 : 0;
}

static axl_status bytes_of(const axl__carried *c, char *room, const void **out)
{
    *out = c->in->header_only ? room : c->t->data;
    return c->in->header_only ? axl__safetensors_read(c->in, c->t, room) : AXL_OK;
}

size_t axl__carried_room(const axl_model *m)
{
    size_t bytes = 0;

    for (size_t i = 0; i < m->n_carried; i++)
        bytes += room_of(&m->carried[i]);
    return bytes;
}

axl_status axl__carried_entries(const axl_model *m, axl__st_entry *out, char *room)
{
    for (size_t i = 0; i < m->n_carried; i++) {
        const axl__carried *c = &m->carried[i];
        out[i] = (axl__st_entry){ .name = c->t->name,
                                  .n_dims = c->t->n_dims,
                                  .dtype_name = c->t->dtype_name,
                                  .size = c->t->size };
        memcpy(out[i].dims, c->t->dims, sizeof out[i].dims);
        AXL_TRY(bytes_of(c, room, &out[i].data));
        if (room)
            room += room_of(c);
    }
    return AXL_OK;
}

static axl_status hand_out(const axl__carried *c, char *room, axl_tensor_out_fn fn, void *user)
{
    static const uint32_t types[] = {
        [AXL_F32] = AXL_TENSOR_F32, [AXL_BF16] = AXL_TENSOR_BF16, [AXL_F16] = AXL_TENSOR_F16
    };
    axl_tensor_data d = AXL_TENSOR_DATA_INIT;

    if (c->t->dtype < 0)
        return axl__fail(AXL_ERR_UNSUPPORTED,
                         "tensor \"%s\" is %s, which a host cannot be given; write a folder",
                         c->t->name, c->t->dtype_name);
    AXL_TRY(bytes_of(c, room, &d.data));
    d.length = c->t->size;
    d.shape = c->t->dims;
    d.n_dims = c->t->n_dims;
    d.type = types[c->t->dtype];
    if (fn(user, c->t->name, &d) != 0)
        return axl__fail(AXL_ERR_CANCELLED, "the host stopped at the tensor %s", c->t->name);
    return AXL_OK;
}

axl_status axl__carried_hand_out(const axl_model *m, axl_tensor_out_fn fn, void *user)
{
    for (size_t i = 0; i < m->n_carried; i++) {
        size_t bytes = room_of(&m->carried[i]);
        char *room = bytes ? axl__alloc_aligned(m->ctx, bytes) : NULL;
        axl_status status = bytes && !room ? axl__fail_nomem() : axl__cancelled(m->ctx);
        if (status == AXL_OK)
            status = hand_out(&m->carried[i], room, fn, user);
        axl__free_aligned(m->ctx, room);
        AXL_TRY(status);
    }
    return AXL_OK;
}
