/* SPDX-License-Identifier: Apache-2.0 */
/* hub.h - from the name of a model or data set to files on this machine. */
#ifndef AXL_HUB_HUB_H
#define AXL_HUB_HUB_H

#include "base/ctx.h"

/*
 * A folder or file that exists is itself; "org/name" is sought in the Hugging Face cache, where
 * revision (NULL: "main") is a branch, a tag or a commit.  kind is "models" or "datasets".  The
 * path goes to *out_dir, for axl__free; NULL on failure.  AXL_ERR_NOT_FOUND says what was sought.
 */
axl_status axl__hub_resolve(axl_context *ctx, const char *name_or_dir, const char *revision,
                            const char *kind, char **out_dir);

#endif
