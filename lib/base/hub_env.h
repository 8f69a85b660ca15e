/* SPDX-License-Identifier: Apache-2.0 */
/* hub_env.h - what the environment says of the Hugging Face Hub, read as huggingface_hub does. */
#ifndef AXL_BASE_HUB_ENV_H
#define AXL_BASE_HUB_ENV_H

#include "ctx.h"

typedef struct axl__hub_env {
    char *cache;            /* the cache folder ("…/hub"); NULL: HOME is not set either */
    char *endpoint;         /* without a '/' at its end */
    char *token;            /* NULL: none */
    const char *token_from; /* the variable or "the token file" */
    const char *offline;    /* the variable that forbids the network; NULL: none */
} axl__hub_env;

axl_status axl__hub_env_read(axl__hub_env *out, axl_context *ctx);
void axl__hub_env_free(axl__hub_env *env, axl_context *ctx);

/* As it was when the context was made. */
const axl__hub_env *axl__context_hub(const axl_context *ctx);

#endif
