/* SPDX-License-Identifier: Apache-2.0 */
/* plugin.c - where plugins are.  See plugin.h. */
#include "plugin.h"

#include "os_dir.h"
#include "os_file.h"
#include "os_plugin.h"

#include <stdio.h>
#include <string.h>

enum { PATH_LEN = 4096 };

/* dir/sub/file when it exists. */
static bool locate(char path[PATH_LEN], const char *dir, const char *sub, const char *file)
{
    int n = dir ? snprintf(path, PATH_LEN, "%s%s/%s", dir, sub, file) : -1;

    return n > 0 && n < PATH_LEN && axl__path_kind_of(path) == AXL__PATH_FILE;
}

/* The folders in their order, each with what is put behind it: the host's, beside the library, the
 * one that the build installs into, and the build folder itself. */
enum { PLACES = 5 };

static void list_places(axl_context *ctx, char *own, const char *places[PLACES][2])
{
    const char *all[PLACES][2] = { { axl__context_options(ctx)->plugin_dir, "" },
                                   { own, "/axl" },
                                   { AXL_PLUGIN_DIR, "" },
                                   { own, "/kernels" },
                                   { own, "/kernels/cuda" } };

    for (int i = 0; i < PLACES; i++)
        for (int k = 0; k < 2; k++)
            places[i][k] = all[i][k];
}

static bool sought(axl_context *ctx, char path[PATH_LEN], const char *file)
{
    const char *places[PLACES][2];
    char *own = axl__own_dir(ctx);
    bool found = false;

    list_places(ctx, own, places);
    for (int i = 0; i < PLACES && !found; i++)
        found = locate(path, places[i][0], places[i][1], file);
    axl__free(ctx, own);
    return found;
}

/* Cuts what stands between prefix and suffix out of name; NULL when they do not. */
static char *between(char *name, const char *prefix, const char *suffix)
{
    size_t n = strlen(name), p = strlen(prefix), s = strlen(suffix);

    if (n <= p + s || memcmp(name, prefix, p) != 0 || strcmp(name + n - s, suffix) != 0)
        return NULL;
    name[n - s] = '\0';
    return name + p;
}

static axl_status each_of(axl_context *ctx, const char *dir, const char *prefix, const char *suffix,
                          axl_status (*fn)(void *arg, const char *name), void *arg)
{
    axl_status status = AXL_OK;
    char **names;
    size_t n;

    if (axl__path_kind_of(dir) != AXL__PATH_DIR)
        return AXL_OK;
    AXL_TRY(axl__list_dir(ctx, dir, &names, &n));
    for (size_t i = 0; i < n && status == AXL_OK; i++) {
        const char *name = between(names[i], prefix, suffix);
        if (name)
            status = fn(arg, name);
    }
    axl__free(ctx, names);
    return status;
}

axl_status axl__plugin_each(axl_context *ctx, const char *prefix, const char *suffix,
                            axl_status (*fn)(void *arg, const char *name), void *arg)
{
    const char *places[PLACES][2];
    char *own = axl__own_dir(ctx);
    axl_status status = AXL_OK;

    list_places(ctx, own, places);
    for (int i = 0; i < PLACES && status == AXL_OK; i++) {
        char dir[PATH_LEN];
        int n = places[i][0] ? snprintf(dir, sizeof dir, "%s%s", places[i][0], places[i][1]) : -1;
        if (n > 0 && n < PATH_LEN)
            status = each_of(ctx, dir, prefix, suffix, fn, arg);
    }
    axl__free(ctx, own);
    return status;
}

void *axl__plugin_open(axl_context *ctx, const char *file, bool *found)
{
    char path[PATH_LEN];
    bool there = sought(ctx, path, file);

    if (found)
        *found = there;
    if (!there) {
        axl__fail(AXL_ERR_NOT_FOUND, "there is no plugin %s", file);
        return NULL;
    }
    return axl__dl_open(path);
}
