/* SPDX-License-Identifier: Apache-2.0 */
/* hub_env.h - what the environment says of the Hugging Face Hub, read as huggingface_hub does. */
#ifndef AXL_HUB_HUB_ENV_H
#define AXL_HUB_HUB_ENV_H

#include "base/ctx.h"

typedef struct axl__hub_env {
    char *cache;            /* the cache folder ("…/hub"); NULL: HOME is not set either */
    char *endpoint;         /* without a '/' at its end */
    char *token;            /* NULL: none */
    const char *token_from; /* the variable or "the token file" */
    const char *offline;    /* the variable that forbids the network; NULL: none */
} axl__hub_env;

extern const axl__context_part axl__hub_context_part;

/* As it was when the context was made. */
const axl__hub_env *axl__context_hub(const axl_context *ctx);

/* Why nothing is downloaded, "nothing is downloaded: …"; NULL when it may be (hub.c). */
const char *axl__hub_no_network(axl_context *ctx);

#endif
