/* SPDX-License-Identifier: Apache-2.0 */
/* token_ids.c - see token_ids.h. */
#include "token_ids.h"

#include <string.h>

void axl__token_ids_init(axl__token_ids *ids, axl_context *ctx)
{
    memset(ids, 0, sizeof *ids);
    ids->ctx = ctx;
}

void axl__token_ids_free(axl__token_ids *ids)
{
    if (ids->ctx)
        axl__free(ids->ctx, ids->data);
    axl__token_ids_init(ids, ids->ctx);
}

/* Capacity doubles; the limit keeps the doubling and the bytes from overflowing. */
axl_status axl__token_ids_reserve(axl__token_ids *ids, size_t extra)
{
    size_t cap = ids->cap ? ids->cap : 64;

    if (extra <= ids->cap - ids->count)
        return AXL_OK;
    if (extra > SIZE_MAX / sizeof *ids->data / 4 - ids->count)
        return axl__fail_nomem();
    while (cap < ids->count + extra)
        cap *= 2;
    int32_t *data = axl__realloc(ids->ctx, ids->data, cap * sizeof *data);
    if (!data)
        return axl__fail_nomem();
    ids->data = data;
    ids->cap = cap;
    return AXL_OK;
}

axl_status axl__token_ids_put(axl__token_ids *ids, int32_t id)
{
    if (ids->count == ids->cap)
        AXL_TRY(axl__token_ids_reserve(ids, 1));
    ids->data[ids->count++] = id;
    return AXL_OK;
}

axl_status axl__token_ids_append(axl__token_ids *ids, const int32_t *data, size_t count)
{
    if (count == 0)
        return AXL_OK;
    AXL_TRY(axl__token_ids_reserve(ids, count));
    memcpy(ids->data + ids->count, data, count * sizeof *data);
    ids->count += count;
    return AXL_OK;
}
