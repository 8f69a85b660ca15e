/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source_files.c - the files of a folder.  Hugging Face's loader sorts them into splits by the words
 * of their names (train.jsonl, my-data_test-00001.json): when a name says a split, those that say
 * "train" are the training data, else all are.
 */
#include "data/source.h"

#include "base/str.h"

#include <string.h>

void axl__files_free(axl__files *files, axl_context *ctx)
{
    for (size_t i = 0; i < files->n; i++)
        axl__free(ctx, files->paths[i]);
    axl__free(ctx, files->paths);
    memset(files, 0, sizeof *files);
}

axl_status axl__files_add(axl__files *files, axl_context *ctx, const char *path)
{
    char **paths = axl__realloc(ctx, files->paths, (files->n + 1) * sizeof *paths);
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

/* The split that a file's name says: a whole word between '-', '.', '_', ' ', digits and ends. */
static split_word split_of(const char *name)
{
    static const char *const words[] = { "train", "training", "validation", "valid", "dev", "val",
                                         "test", "testing", "eval", "evaluation" };
    static const char separators[] = "-._ 0123456789";

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

static bool is_data_file(const char *name)
{
    return name[0] != '.' && strstr(name, ".json");
}

static axl_status add_names(axl__files *files, axl_context *ctx, const char *folder, char **names,
                            size_t n)
{
    bool any_split = false;
    const char *other = NULL;

    for (size_t i = 0; i < n; i++)
        any_split |= is_data_file(names[i]) && split_of(names[i]) != SPLIT_NONE;
    for (size_t i = 0; i < n; i++) {
        if (strstr(names[i], ".parquet") || strstr(names[i], ".arrow") || strstr(names[i], ".csv") ||
            strstr(names[i], ".txt"))
            other = names[i];
        if (!is_data_file(names[i]) || (any_split && split_of(names[i]) != SPLIT_TRAIN))
            continue;
        char *path = axl__format(ctx, "%s/%s", folder, names[i]);
        if (!path)
            return axl__fail_nomem();
        axl_status status = AXL_OK;
        if (axl__path_kind_of(path) == AXL__PATH_FILE)
            status = axl__files_add(files, ctx, path);
        axl__free(ctx, path);
        AXL_TRY(status);
    }
    if (files->n > 0)
        return AXL_OK;
    if (other && !any_split)
        return axl__fail(AXL_ERR_UNSUPPORTED, "%s/%s: only json and jsonl files are read yet", folder,
                         other);
    return axl__fail(AXL_ERR_NOT_FOUND, "%s: no json or jsonl file%s", folder,
                     any_split ? " of the split \"train\"" : "");
}

axl_status axl__files_of_folder(axl__files *files, axl_context *ctx, const char *folder)
{
    char **names;
    size_t n;

    AXL_TRY(axl__list_dir(ctx, folder, &names, &n));
    axl_status status = add_names(files, ctx, folder, names, n);
    axl__free(ctx, names);
    return status;
}
