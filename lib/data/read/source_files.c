/* SPDX-License-Identifier: Apache-2.0 */
/* source_files.c - the files of a folder: those of a split, or those of a pattern. */
#include "data/read/source_files.h"

#include "data/read/glob.h"
#include "data/read/reader.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/str.h"

#include <stdlib.h>
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

static bool is_wanted(const char *path, axl__split_style style, const axl__split_name *split)
{
    return axl__split_has(path, style, split->text, split->len) ||
           (split->or_all && style == AXL__SPLITS_NONE) ||
           (split->len == 3 && memcmp(split->text, "all", 3) == 0);
}

/* A repository lists its files in any order. */
void axl__pick_data_files(const void *arg, const char *const *paths, size_t n, bool *take)
{
    const axl__split_wish *wish = arg;
    axl__split_style style = axl__split_style_of(paths, n);

    for (size_t i = 0; i < n; i++)
        for (size_t s = 0; s < wish->n && !take[i]; s++)
            take[i] = axl__is_data_file(paths[i]) && is_wanted(paths[i], style, &wish->splits[s]);
    keep_one_format(paths, n, take);
}

/* The split's files of sorted ones into order (n); take (n) is false. */
static size_t split_order(const char *const *paths, size_t n, const axl__split_name *split,
                          bool *take, size_t *order)
{
    bool all = split->or_all && axl__split_style_of(paths, n) == AXL__SPLITS_NONE;
    size_t kept = 0, count = all ? axl__split_files(paths, n, "train", 5, order)
                                 : axl__split_files(paths, n, split->text, split->len, order);

    for (size_t i = 0; i < count; i++)
        take[order[i]] = true;
    keep_one_format(paths, n, take);
    for (size_t i = 0; i < count; i++)
        if (take[order[i]])
            order[kept++] = order[i];
    return kept;
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

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted by whole paths, as glob is. */
static axl_status list_sorted(axl__files *all, axl_context *ctx, const char *folder)
{
    axl_status status = list_folder(all, ctx, folder);

    if (all->n > 1)
        qsort(all->paths, all->n, sizeof *all->paths, by_name);
    return status;
}

/* Why a folder gives no file: its splits are others, or it has none. */
static axl_status nothing(const axl__files *all, axl_context *ctx, const char *folder,
                          const axl__split_name *split)
{
    axl__str splits, formats;

    axl__str_init(&splits, ctx);
    axl__str_init(&formats, ctx);
    axl__split_names_put(&splits, (const char *const *)all->paths, all->n);
    axl__readers_put_formats(&formats);
    axl_status status = splits.failed ? axl__fail_nomem() : axl__str_status(&formats);
    if (status == AXL_OK && splits.len > 0)
        status = axl__fail(AXL_ERR_NOT_FOUND, "%s: no file of the split \"%.*s\"; there is %s",
                           folder, (int)split->len, split->text, splits.data);
    else if (status == AXL_OK)
        status = axl__fail(AXL_ERR_NOT_FOUND, "%s: no file of a format that is read (%s)", folder,
                           formats.data);
    axl__str_free(&splits);
    axl__str_free(&formats);
    return status;
}

static axl_status add_below(axl__files *files, axl_context *ctx, const char *folder,
                            const char *name)
{
    char *path = axl__format(ctx, "%s/%s", folder, name);
    axl_status status = path ? axl__files_add(files, ctx, path) : axl__fail_nomem();

    axl__free(ctx, path);
    return status;
}

static axl_status add_split(axl__files *files, axl_context *ctx, const char *folder,
                            const axl__files *all, const axl__split_name *split)
{
    size_t *order = axl__calloc(ctx, all->n + 1, sizeof *order);
    bool *take = axl__calloc(ctx, all->n + 1, sizeof *take);
    const char *const *paths = (const char *const *)all->paths;
    axl_status status = order && take ? AXL_OK : axl__fail_nomem();
    size_t count = status == AXL_OK ? split_order(paths, all->n, split, take, order) : 0;

    for (size_t i = 0; i < count && status == AXL_OK; i++)
        status = add_below(files, ctx, folder, paths[order[i]]);
    axl__free(ctx, order);
    axl__free(ctx, take);
    return status;
}

axl_status axl__files_of_folder(axl__files *files, axl_context *ctx, const char *folder,
                                const axl__split_name *split)
{
    axl__files all = { 0 };
    size_t before = files->n;

    axl_status status = list_sorted(&all, ctx, folder);
    if (status == AXL_OK)
        status = add_split(files, ctx, folder, &all, split);
    if (status == AXL_OK && files->n == before)
        status = nothing(&all, ctx, folder, split);
    axl__files_free(&all, ctx);
    return status;
}

axl_status axl__folder_splits_put(axl__str *out, axl_context *ctx, const char *folder)
{
    axl__files all = { 0 };

    axl_status status = list_sorted(&all, ctx, folder);
    if (status == AXL_OK)
        axl__split_names_put(out, (const char *const *)all.paths, all.n);
    axl__files_free(&all, ctx);
    return status == AXL_OK ? axl__str_status(out) : status;
}

axl_status axl__files_matching(axl__files *files, axl_context *ctx, const char *folder,
                               const char *pattern)
{
    axl__files all = { 0 };
    size_t before = files->n;

    axl_status status = list_sorted(&all, ctx, folder);
    for (size_t i = 0; i < all.n && status == AXL_OK; i++)
        if (axl__glob_match(pattern, all.paths[i]))
            status = add_below(files, ctx, folder, all.paths[i]);
    if (status == AXL_OK && files->n == before)
        status = axl__fail(AXL_ERR_NOT_FOUND, "%s: no file there is named as %s", folder, pattern);
    axl__files_free(&all, ctx);
    return status;
}
