/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source_files.c - the files of a folder.  Hugging Face's loader sorts them into splits by the
 * words of their names (train.jsonl, my-data_test-00001.json): when a name says a split, those that
 * say "train" are the training data, else all are.
 */
#include "data/read/source_files.h"

#include "data/read/reader.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/str.h"

#include <string.h>

void axl__files_free(axl__files *files, axl_context *ctx)
{
    for (size_t i = 0; i < files->n; i++)
        axl__free(ctx, files->paths[i]);
    axl__free(ctx, files->paths);
    memset(files, 0, sizeof *files);
}

/* The list has room for a power of two. */
axl_status axl__files_add(axl__files *files, axl_context *ctx, const char *path)
{
    bool full = (files->n & (files->n - 1)) == 0;
    size_t room = files->n ? files->n * 2 : 1;
    char **paths = full ? axl__realloc(ctx, files->paths, room * sizeof *paths) : files->paths;
    char *copy = axl__strdup(ctx, path);

    if (paths)
        files->paths = paths;
    if (!paths || !copy) {
        axl__free(ctx, copy);
        return axl__fail_nomem();
    }
    paths[files->n++] = copy;
    return AXL_OK;
}

typedef enum { SPLIT_NONE, SPLIT_TRAIN, SPLIT_OTHER } split_word;

/* The split that a path says: a whole word between '/', '-', '.', '_', ' ', digits and ends. */
static split_word split_of(const char *name)
{
    static const char *const words[] = { "train", "training", "validation", "valid", "dev",
                                         "val",   "test",     "testing",    "eval",  "evaluation" };
    static const char separators[] = "/-._ 0123456789";

    for (const char *p = name; *p;) {
        size_t len = strcspn(p, separators);
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
            if (strlen(words[i]) == len && strncmp(p, words[i], len) == 0)
                return i < 2 ? SPLIT_TRAIN : SPLIT_OTHER;
        p += len;
        p += strspn(p, separators);
    }
    return SPLIT_NONE;
}

/* Without what tells of the data and hidden files and folders. */
static bool is_data_file(const char *path)
{
    static const char *const about[] = { "config.json", "dataset_info.json", "dataset_infos.json",
                                         "dataset_dict.json" };
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

    for (size_t i = 0; i < sizeof about / sizeof about[0]; i++)
        if (strcmp(name, about[i]) == 0)
            return false;
    return path[0] != '.' && !strstr(path, "/.") && axl__readers_claim(name, true);
}

/* Of files in several formats those of one are read: of the format that most of them are in, the
 * first of equals. */
static void keep_one_format(const char *const *paths, size_t n, bool *take)
{
    static const char *const formats[] = { "parquet", "json, jsonl", "csv", "text", "arrow" };
    const char *best = NULL;
    size_t most = 0;

    for (size_t k = 0; k < sizeof formats / sizeof formats[0]; k++) {
        const char *format = formats[k];
        size_t count = 0;
        for (size_t i = 0; i < n; i++)
            count += take[i] && strcmp(axl__readers_format(paths[i]), format) == 0;
        if (count > most) {
            best = format;
            most = count;
        }
    }
    for (size_t i = 0; i < n && best; i++)
        take[i] = take[i] && strcmp(axl__readers_format(paths[i]), best) == 0;
}

void axl__pick_data_files(const void *arg, const char *const *paths, size_t n, bool *take)
{
    bool any_split = false;

    (void)arg;
    for (size_t i = 0; i < n; i++)
        any_split |= is_data_file(paths[i]) && split_of(paths[i]) != SPLIT_NONE;
    for (size_t i = 0; i < n; i++)
        take[i] = is_data_file(paths[i]) && (!any_split || split_of(paths[i]) == SPLIT_TRAIN);
    keep_one_format(paths, n, take);
}

/* ---- folders ---- */

/* A folder, and those below it, each gone through once whatever links lead to it. */
typedef struct {
    axl_context *ctx;
    const char *top;
    axl__files *all; /* paths relative to top */
    axl__map seen;   /* keys of folders */
    axl__arena keys;
} folder_walk;

static axl_status walk(folder_walk *w, const char *dir, const char *below);

/* Whether the folder was there before; it is from now on. */
static axl_status walk_mark(folder_walk *w, const char *dir, bool *before)
{
    axl__path_key key;
    int64_t unused;

    *before = true; /* one that is gone by now is none */
    if (!axl__path_key_of(dir, &key) ||
        axl__map_get(&w->seen, (const char *)&key, sizeof key, &unused))
        return AXL_OK;
    *before = false;
    char *kept = axl__arena_strndup(&w->keys, (const char *)&key, sizeof key);
    return kept ? axl__map_set(&w->seen, kept, sizeof key, 1) : axl__fail_nomem();
}

/* One name of a folder: a file's path relative to the top, or all below a folder. */
static axl_status add_name(folder_walk *w, const char *path)
{
    char *full = axl__format(w->ctx, "%s/%s", w->top, path);
    axl_status status = axl__cancelled(w->ctx);

    if (!full)
        return axl__fail_nomem();
    if (status == AXL_OK) {
        switch (axl__path_kind_of(full)) {
        case AXL__PATH_FILE: status = axl__files_add(w->all, w->ctx, path); break;
        case AXL__PATH_DIR: status = walk(w, full, path); break;
        case AXL__PATH_NONE: break;
        }
    }
    axl__free(w->ctx, full);
    return status;
}

/* below: the folder's path relative to the top; as deep as a path may be long. */
static axl_status walk(folder_walk *w, const char *dir, const char *below)
{
    char **names;
    size_t n;
    bool before;

    AXL_TRY(walk_mark(w, dir, &before));
    if (before)
        return AXL_OK;
    AXL_TRY(axl__list_dir(w->ctx, dir, &names, &n));
    axl_status status = AXL_OK;
    for (size_t i = 0; i < n && status == AXL_OK; i++) {
        if (names[i][0] == '.')
            continue;
        char *path = axl__format(w->ctx, "%s%s%s", below, *below ? "/" : "", names[i]);
        status = path ? add_name(w, path) : axl__fail_nomem();
        axl__free(w->ctx, path);
    }
    axl__free(w->ctx, names);
    return status;
}

static axl_status list_folder(axl__files *all, axl_context *ctx, const char *folder)
{
    folder_walk w = { .ctx = ctx, .top = folder, .all = all };

    axl__map_init(&w.seen, ctx);
    axl__arena_init(&w.keys, ctx);
    axl_status status =
        axl__path_kind_of(folder) == AXL__PATH_DIR
            ? walk(&w, folder, "")
            : axl__fail(AXL_ERR_NOT_FOUND, "cannot list %s: no such folder", folder);
    axl__map_free(&w.seen);
    axl__arena_free(&w.keys);
    return status;
}

/* Why a folder gives no file: its formats are not read, its splits are others, or it has none. */
static axl_status nothing(const axl__files *all, axl_context *ctx, const char *folder)
{
    const char *other = NULL;
    bool any = false;
    axl__str formats;

    for (size_t i = 0; i < all->n; i++) {
        any |= is_data_file(all->paths[i]);
        if (!other && axl__readers_claim(all->paths[i], false))
            other = all->paths[i];
    }
    axl__str_init(&formats, ctx);
    axl__readers_put_formats(&formats);
    axl_status status = axl__str_status(&formats);
    if (status == AXL_OK && other && !any)
        status = axl__fail(AXL_ERR_UNSUPPORTED, "%s/%s: only these formats are read yet: %s",
                           folder, other, formats.data);
    else if (status == AXL_OK)
        status = axl__fail(AXL_ERR_NOT_FOUND, "%s: no file%s of a format that is read (%s)", folder,
                           any ? " of the split \"train\"" : "", formats.data);
    axl__str_free(&formats);
    return status;
}

static axl_status add_picked(axl__files *files, axl_context *ctx, const char *folder,
                             const axl__files *all)
{
    bool *take = axl__calloc(ctx, all->n, sizeof *take);
    axl_status status = take ? AXL_OK : axl__fail_nomem();

    if (take)
        axl__pick_data_files(NULL, (const char *const *)all->paths, all->n, take);
    for (size_t i = 0; i < all->n && status == AXL_OK; i++) {
        if (!take[i])
            continue;
        char *path = axl__format(ctx, "%s/%s", folder, all->paths[i]);
        status = path ? axl__files_add(files, ctx, path) : axl__fail_nomem();
        axl__free(ctx, path);
    }
    axl__free(ctx, take);
    return status;
}

axl_status axl__files_of_folder(axl__files *files, axl_context *ctx, const char *folder)
{
    axl__files all = { 0 };
    size_t before = files->n;

    axl_status status = list_folder(&all, ctx, folder);
    if (status == AXL_OK)
        status = add_picked(files, ctx, folder, &all);
    if (status == AXL_OK && files->n == before)
        status = nothing(&all, ctx, folder);
    axl__files_free(&all, ctx);
    return status;
}
