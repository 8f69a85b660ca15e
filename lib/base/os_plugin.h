/* SPDX-License-Identifier: Apache-2.0 */
/* os_plugin.h - opening shared libraries, see plugin.h for where axl seeks its own. */
#ifndef AXL_BASE_OS_PLUGIN_H
#define AXL_BASE_OS_PLUGIN_H

#include <axl/context.h>

/* dlopen and friends.  open gives NULL and records the loader's message. */
void *axl__dl_open(const char *path);
void *axl__dl_symbol(void *lib, const char *name);
/* The folder that the running libaxl was loaded from; NULL when it is not known. */
char *axl__own_dir(axl_context *ctx);

#endif
