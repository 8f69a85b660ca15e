/* SPDX-License-Identifier: Apache-2.0 */
/* hub.h - from the name of a model or data set to files on this machine. */
#ifndef AXL_HUB_HUB_H
#define AXL_HUB_HUB_H

#include "base/ctx.h"

#include <stdbool.h>
#include <stddef.h>

/* Says which files of a repository the caller reads: sets take[i] (false before) for paths[i],
 * which are relative to its top and have '/' between folders. */
typedef void (*axl__hub_pick)(const void *arg, const char *const *paths, size_t n, bool *take);

typedef struct axl__hub_wish {
    const char *name;     /* "org/name", or a folder or file that is there */
    const char *revision; /* a branch, a tag or a commit; NULL: "main" */
    const char *kind;     /* "models" or "datasets" */
    axl__hub_pick pick;
    const void *arg;
    bool headers; /* of weights that are not there, what stands before the numbers will do */
} axl__hub_wish;

/* Whether a name can be an id on the Hub: "name" or "org/name", and not a file's. */
bool axl__hub_is_id(const char *name);

/*
 * A folder or file that exists is itself.  An id is sought in the Hugging Face cache; files that
 * are missing there are downloaded into it when the context allows the network.  The path goes to
 * *out_dir, for axl__free; NULL on failure.  With `headers`, a .safetensors file that is missing
 * may be its header there and nothing else.  AXL_ERR_NOT_FOUND says what was sought and why it was
 * not downloaded; AXL_ERR_IO that a download failed.
 */
axl_status axl__hub_resolve(axl_context *ctx, const axl__hub_wish *wish, char **out_dir);

/* pick functions: what a model, or its tokenizer alone, is read from. */
void axl__hub_pick_model(const void *arg, const char *const *paths, size_t n, bool *take);
/* Of a model all but its weights. */
void axl__hub_pick_shape(const void *arg, const char *const *paths, size_t n, bool *take);
void axl__hub_pick_tokenizer(const void *arg, const char *const *paths, size_t n, bool *take);

#endif
