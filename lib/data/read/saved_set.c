/* SPDX-License-Identifier: Apache-2.0 */
/* saved_set.c - see saved_set.h.  state.json lists a set's files, dataset_dict.json the folders of
 * a dict's splits. */
#include "data/read/saved_set.h"

#include "base/json.h"
#include "base/os.h"

#include <string.h>

static const char state_name[] = "state.json", dict_name[] = "dataset_dict.json";

axl__saved_kind axl__saved_kind_of(const char *folder)
{
    if (axl__path_kind_in(folder, dict_name) == AXL__PATH_FILE)
        return AXL__SAVED_DICT;
    return axl__path_kind_in(folder, state_name) == AXL__PATH_FILE &&
                   axl__path_kind_in(folder, "dataset_info.json") == AXL__PATH_FILE
               ? AXL__SAVED_SET
               : AXL__SAVED_NONE;
}

/* A list of the JSON file's object; value is passed on. */
static axl_status with_list(axl_context *ctx, const char *folder, const char *name, const char *key,
                            axl_status (*take)(void *value, axl_context *ctx, const char *folder,
                                               const axl__json *item),
                            void *value)
{
    char *path = axl__format(ctx, "%s/%s", folder, name);
    axl__arena arena;
    axl__file file;
    axl__json *root;

    if (!path)
        return axl__fail_nomem();
    axl__arena_init(&arena, ctx);
    axl_status status = axl__file_open(&file, ctx, path, true);
    if (status == AXL_OK) {
        status = axl__json_parse(&root, &arena, (const char *)file.data, file.size, path);
        const axl__json *list = status == AXL_OK ? axl__json_get(root, key) : NULL;
        if (status == AXL_OK && (!list || list->type != AXL__JSON_ARRAY || list->count == 0))
            status =
                axl__fail(AXL_ERR_FORMAT, "%s: \"%s\" is no list of what was saved", path, key);
        for (const axl__json *v = list ? list->child : NULL; v && status == AXL_OK; v = v->next)
            status = take(value, ctx, folder, v);
        axl__file_close(&file);
    }
    axl__arena_free(&arena);
    axl__free(ctx, path);
    return status;
}

/* A name leads nowhere else. */
static axl_status add_saved(void *files, axl_context *ctx, const char *folder,
                            const axl__json *item)
{
    const char *name = axl__json_string(item, "filename", "");

    if (!*name || strchr(name, '/') || *name == '.')
        return axl__fail(AXL_ERR_FORMAT, "%s/%s: \"%.60s\" is no name of a file there", folder,
                         state_name, name);
    char *path = axl__format(ctx, "%s/%s", folder, name);
    axl_status status = path ? AXL_OK : axl__fail_nomem();
    if (status == AXL_OK && axl__path_kind_of(path) != AXL__PATH_FILE)
        status = axl__fail(AXL_ERR_NOT_FOUND, "%s is not there, and %s/%s names it", path, folder,
                           state_name);
    if (status == AXL_OK)
        status = axl__files_add(files, ctx, path);
    axl__free(ctx, path);
    return status;
}

axl_status axl__saved_files(axl__files *files, axl_context *ctx, const char *folder)
{
    return with_list(ctx, folder, state_name, "_data_files", add_saved, files);
}

static axl_status put_saved(void *out, axl_context *ctx, const char *folder, const axl__json *item)
{
    axl__str *sum = out;

    (void)ctx;
    (void)folder;
    if (item->type == AXL__JSON_STRING)
        axl__str_putf(sum, "%s%s", sum->len > 0 ? "+" : "", item->text);
    return AXL_OK;
}

axl_status axl__saved_splits_put(axl__str *out, axl_context *ctx, const char *folder)
{
    AXL_TRY(with_list(ctx, folder, dict_name, "splits", put_saved, out));
    return axl__str_status(out);
}
