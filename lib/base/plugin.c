/* SPDX-License-Identifier: Apache-2.0 */
/* plugin.c - where plugins are.  See plugin.h. */
#include "plugin.h"

#include "os_file.h"
#include "os_plugin.h"

#include <stdio.h>

enum { PATH_LEN = 4096 };

/* dir/sub/file when it exists. */
static bool locate(char path[PATH_LEN], const char *dir, const char *sub, const char *file)
{
    int n = dir ? snprintf(path, PATH_LEN, "%s%s/%s", dir, sub, file) : -1;

    return n > 0 && n < PATH_LEN && axl__path_kind_of(path) == AXL__PATH_FILE;
}

static bool sought(axl_context *ctx, char path[PATH_LEN], const char *file)
{
    if (locate(path, axl__context_options(ctx)->plugin_dir, "", file))
        return true;
    char *own = axl__own_dir(ctx);
    bool found = locate(path, own, "/axl", file) || locate(path, AXL_PLUGIN_DIR, "", file) ||
                 locate(path, own, "/kernels", file);
    axl__free(ctx, own);
    return found;
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
