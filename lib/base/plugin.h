/* SPDX-License-Identifier: Apache-2.0 */
/* plugin.h - finding axl's own plugins. */
#ifndef AXL_BASE_PLUGIN_H
#define AXL_BASE_PLUGIN_H

#include "ctx.h"

/* Opens a plugin by its file name: sought in the context's plugin_dir, then in axl/
 * beside the loaded libaxl, the configured folder, and kernels/ and kernels/cuda/ of a build tree.
 * The first file that exists counts.  NULL when there is none or it does not load: the reason is
 * recorded, with *found telling the two apart (found may be NULL).  Never closed again: oneDNN and
 * CUDA do not survive that. */
void *axl__plugin_open(axl_context *ctx, const char *file, bool *found);

/* Calls fn with what stands between prefix and suffix in the name of each file that
 * axl__plugin_open would find, several times where several folders have it. */
axl_status axl__plugin_each(axl_context *ctx, const char *prefix, const char *suffix,
                            axl_status (*fn)(void *arg, const char *name), void *arg);

#endif
