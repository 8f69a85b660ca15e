/* SPDX-License-Identifier: Apache-2.0 */
/* token_ids.h - a growing list of ids. */
#ifndef AXL_TEXT_TOKEN_IDS_H
#define AXL_TEXT_TOKEN_IDS_H

#include "base/ctx.h"

#include <stddef.h>
#include <stdint.h>

typedef struct axl__token_ids {
    axl_context *ctx;
    int32_t *data;
    size_t count, cap;
} axl__token_ids;

void axl__token_ids_init(axl__token_ids *ids, axl_context *ctx);
void axl__token_ids_free(axl__token_ids *ids);
axl_status axl__token_ids_reserve(axl__token_ids *ids, size_t extra);
axl_status axl__token_ids_put(axl__token_ids *ids, int32_t id);
axl_status axl__token_ids_append(axl__token_ids *ids, const int32_t *data, size_t count);

#endif
