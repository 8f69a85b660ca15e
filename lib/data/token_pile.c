/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_pile.c - see token_pile.h.  10 GB of Alpaca's JSON are 22 GB of ids and labels: what a
 * process of any memory prepares is bounded by the disk alone.
 */
#include "data/token_pile.h"

#include <string.h>
#include <zlib.h>

/* Tokens in memory: before there is a file, and of those on their way into it. */
enum { SPILL_AT = 8 << 20, FLUSH_AT = 1 << 18 };

/* The last byte of the text is the version; a file of another one is made anew. */
const char axl__rows_start[AXL__ROWS_START] = { 'A', 'X', 'L', 'R', 'O', 'W', 'S', '3' };

void axl__pile_init(axl__pile *p, axl_context *ctx)
{
    memset(p, 0, sizeof *p);
    p->ctx = ctx;
}

void axl__pile_free(axl__pile *p)
{
    axl__free(p->ctx, p->dir);
    axl__free(p->ctx, p->buffer);
    axl__writer_abort(&p->file);
    memset(p, 0, sizeof *p);
}

axl_status axl__pile_spill(axl__pile *p, const char *path)
{
    size_t n = axl__existing_part(path);

    axl__free(p->ctx, p->dir);
    p->dir = n > 0 ? axl__strndup(p->ctx, path, n) : axl__strdup(p->ctx, ".");
    return p->dir ? AXL_OK : axl__fail_nomem();
}

uint64_t axl__pile_count(const axl__pile *p)
{
    return p->written + p->n;
}

static axl_status write_bytes(axl__pile *p, const void *data, size_t size)
{
    p->checksum = (uint32_t)crc32_z(p->checksum, data, size);
    return axl__writer_put(&p->file, data, size);
}

/* Where no folder takes one, the tokens stay in memory. */
static axl_status open_file(axl__pile *p)
{
    const char *const dirs[] = { p->dir, "/var/tmp", "/tmp" };
    axl_status status = AXL_ERR_UNSUPPORTED;

    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0] && status == AXL_ERR_UNSUPPORTED; i++)
        status = axl__writer_open_unnamed(&p->file, p->ctx, dirs[i]);
    if (status == AXL_OK)
        return write_bytes(p, axl__rows_start, AXL__ROWS_START);
    if (status != AXL_ERR_UNSUPPORTED)
        return status;
    axl__error_clear();
    axl__free(p->ctx, p->dir);
    p->dir = NULL;
    return AXL_OK;
}

static axl_status flush(axl__pile *p)
{
    if (!p->file.ctx)
        AXL_TRY(open_file(p));
    if (!p->file.ctx)
        return AXL_OK;
    AXL_TRY(write_bytes(p, p->buffer, p->n * sizeof *p->buffer));
    p->written += p->n;
    p->n = 0;
    if (p->cap > 2 * FLUSH_AT) { /* of the time before there was a file */
        axl__free(p->ctx, p->buffer);
        p->buffer = NULL;
        p->cap = 0;
    }
    return AXL_OK;
}

static axl_status reserve(axl__pile *p, size_t n)
{
    size_t cap = p->cap ? 2 * p->cap : 1024;

    if (p->n + n <= p->cap)
        return AXL_OK;
    while (cap < p->n + n)
        cap *= 2;
    int32_t *buffer = axl__realloc(p->ctx, p->buffer, cap * sizeof *buffer);
    if (!buffer)
        return axl__fail_nomem();
    p->buffer = buffer;
    p->cap = cap;
    return AXL_OK;
}

axl_status axl__pile_put(axl__pile *p, const int32_t *tokens, size_t n)
{
    if (n == 0)
        return AXL_OK;
    AXL_TRY(reserve(p, n));
    memcpy(p->buffer + p->n, tokens, n * sizeof *tokens);
    p->n += n;
    return p->dir && p->n >= (p->file.ctx ? FLUSH_AT : SPILL_AT) ? flush(p) : AXL_OK;
}

axl_status axl__pile_view(axl__pile *p, axl__file *map, const int32_t **tokens)
{
    *tokens = p->buffer;
    if (!p->file.ctx)
        return AXL_OK;
    AXL_TRY(flush(p));
    AXL_TRY(axl__file_map(map, p->ctx, p->file.fd, p->file.path));
    *tokens = (const int32_t *)(const void *)(map->data + AXL__ROWS_START);
    return AXL_OK;
}
