/* SPDX-License-Identifier: Apache-2.0 */
/* folder.c - see folder.h. */
#include "folder.h"

#include "ctx.h"
#include "os_write.h"
#include "str.h"
#include "structs.h"

#include <string.h>

axl_status axl__folder_at(axl__folder *out, axl_context *ctx, const char *path)
{
    memset(out, 0, sizeof *out);
    out->ctx = ctx;
    out->place = axl__strdup(ctx, path);
    return out->place ? AXL_OK : axl__fail_nomem();
}

static const axl__folder_file *folder_find(const axl__folder *f, const char *name)
{
    for (size_t i = 0; i < f->n_files; i++)
        if (strcmp(f->files[i].name, name) == 0)
            return &f->files[i];
    return NULL;
}

static axl_status folder_add(axl__folder *f, const axl_file *file)
{
    axl__folder_file *to = &f->files[f->n_files];

    if (!file->name || !*file->name || (!file->data && file->length > 0))
        return axl__fail(AXL_ERR_INVALID, "file %zu has no %s", f->n_files,
                         file->name && *file->name ? "data" : "name");
    if (folder_find(f, file->name))
        return axl__fail(AXL_ERR_INVALID, "two files have the name %s", file->name);
    to->name = axl__strdup(f->ctx, file->name);
    if (!to->name)
        return axl__fail_nomem();
    to->data = file->length > 0 ? file->data : "";
    to->size = file->length;
    f->n_files++;
    return AXL_OK;
}

axl_status axl__folder_of(axl__folder *out, axl_context *ctx, const axl_file *files, size_t n,
                          const char *place)
{
    memset(out, 0, sizeof *out);
    if (!files || n == 0)
        return axl__fail(AXL_ERR_INVALID, "there must be at least one file");
    size_t stride = files->size; /* the caller's struct may be longer than ours */
    AXL_TRY(axl__folder_at(out, ctx, place ? place : "the list of files"));
    out->memory = true;
    out->files = axl__calloc(ctx, n, sizeof *out->files);
    if (!out->files)
        return axl__fail_nomem();
    for (size_t i = 0; i < n; i++) {
        axl_file file = AXL_FILE_INIT;
        const void *at = (const char *)files + i * stride;
        size_t size;
        memcpy(&size, at, sizeof size);
        if (size != stride)
            return axl__fail(AXL_ERR_ABI, "file %zu has size %zu, the first has %zu", i, size,
                             stride);
        AXL_TRY(AXL__IMPORT(axl_file, &file, at));
        AXL_TRY(folder_add(out, &file));
    }
    return AXL_OK;
}

static void folder_forget(axl__folder *f, axl__folder_file *file)
{
    axl__free(f->ctx, file->name);
    if (file->own)
        axl__free(f->ctx, (void *)(uintptr_t)file->data);
}

void axl__folder_free(axl__folder *f)
{
    if (!f->ctx)
        return;
    for (size_t i = 0; i < f->n_files; i++)
        folder_forget(f, &f->files[i]);
    axl__free(f->ctx, f->files);
    axl__free(f->ctx, f->place);
    axl__free(f->ctx, f->home);
    memset(f, 0, sizeof *f);
}

static axl_status folder_copy(axl__folder *f, axl__folder_file *file)
{
    char *copy = axl__alloc(f->ctx, file->size + 1);

    if (!copy)
        return axl__fail_nomem();
    if (file->size > 0)
        memcpy(copy, file->data, file->size);
    file->data = copy;
    file->own = true;
    return AXL_OK;
}

static axl_status keep_files(axl__folder *f, const char *const *names, size_t n)
{
    size_t kept = 0, all = f->n_files;
    axl_status status = AXL_OK;

    f->n_files = 0;
    for (size_t i = 0; i < all; i++) {
        axl__folder_file file = f->files[i];
        bool wanted = false;
        for (size_t k = 0; k < n && status == AXL_OK && !wanted; k++)
            wanted = strcmp(file.name, names[k]) == 0;
        if (wanted && !file.own)
            status = folder_copy(f, &file);
        if (wanted && status == AXL_OK)
            f->files[kept++] = file;
        else
            folder_forget(f, &file);
    }
    f->n_files = kept;
    return status;
}

axl_status axl__folder_keep(axl__folder *f, const char *const *names, size_t n)
{
    if (f->memory)
        return keep_files(f, names, n);
    f->home = axl__path_resolved(f->ctx, f->place);
    return f->home ? AXL_OK : axl__fail_nomem();
}

static const char *folder_on_disk(const axl__folder *f)
{
    return f->home ? f->home : f->place;
}

axl__path_kind axl__folder_kind(const axl__folder *f, const char *name)
{
    if (!f->memory)
        return axl__path_kind_in(folder_on_disk(f), name);
    return folder_find(f, name) ? AXL__PATH_FILE : AXL__PATH_NONE;
}

bool axl__folder_has(const axl__folder *f, const char *name)
{
    return f->memory ? folder_find(f, name) != NULL : axl__has_file(folder_on_disk(f), name);
}

axl_status axl__folder_lacks(const axl__folder *f, const char *name)
{
    if (f->memory)
        return axl__fail(AXL_ERR_NOT_FOUND, "%s is not in %s", name, f->place);
    return axl__fail(AXL_ERR_NOT_FOUND, "cannot open %s/%s: No such file or directory",
                     folder_on_disk(f), name);
}

char *axl__folder_path(const axl__folder *f, const char *name)
{
    return f->memory ? axl__strdup(f->ctx, name)
                     : axl__format(f->ctx, "%s/%s", folder_on_disk(f), name);
}

axl_status axl__folder_open(const axl__folder *f, const char *name, bool read, axl__file *out)
{
    if (f->memory) {
        const axl__folder_file *file = folder_find(f, name);
        memset(out, 0, sizeof *out);
        if (!file)
            return axl__folder_lacks(f, name);
        return axl__file_of(out, f->ctx, name, file->data, file->size, read);
    }
    char *path = axl__folder_path(f, name);
    axl_status status = path ? axl__file_open(out, f->ctx, path, read) : axl__fail_nomem();
    if (!path)
        memset(out, 0, sizeof *out);
    axl__free(f->ctx, path);
    return status;
}

axl_status axl__folder_json(const axl__folder *f, const char *name, axl__arena *arena,
                            axl__json **out)
{
    axl__file file;

    if (!f->memory) {
        char *path = axl__folder_path(f, name);
        axl_status status = path ? axl__json_read_file(out, arena, path) : axl__fail_nomem();
        axl__free(f->ctx, path);
        return status;
    }
    *out = NULL;
    AXL_TRY(axl__folder_open(f, name, false, &file));
    return axl__json_take_file(out, arena, &file);
}

axl_status axl__outlet_put(const axl__outlet *o, const char *name, const void *data, size_t size)
{
    axl_file file = { sizeof file, name, data, size };

    if (!o->dir)
        return o->fn(o->user, &file) == 0
                   ? AXL_OK
                   : axl__fail(AXL_ERR_CANCELLED, "the host stopped at the file %s", name);
    char *path = axl__format(o->ctx, "%s/%s", o->dir, name);
    axl_status status = path ? axl__write_file(o->ctx, path, data, size) : axl__fail_nomem();
    axl__free(o->ctx, path);
    return status;
}
