/* SPDX-License-Identifier: Apache-2.0 */
/* os_plugin.c - shared libraries that are opened while running. */
#define _GNU_SOURCE
#include "os_plugin.h"

#include "fail.h"
#include "mem.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *axl__dl_open(const char *path)
{
    void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (!lib)
        axl__fail(AXL_ERR_NOT_FOUND, "%s", dlerror());
    return lib;
}

void *axl__dl_symbol(void *lib, const char *name)
{
    return dlsym(lib, name);
}

char *axl__own_dir(axl_context *ctx)
{
    Dl_info info;
    char real[PATH_MAX];

    if (!dladdr((void *)(uintptr_t)axl__own_dir, &info) || !info.dli_fname)
        return NULL;
    if (!realpath(info.dli_fname, real))
        return NULL;
    char *slash = strrchr(real, '/');
    if (!slash)
        return NULL;
    *slash = '\0';
    return axl__strdup(ctx, real);
}
