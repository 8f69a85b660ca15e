/* SPDX-License-Identifier: Apache-2.0 */
/* gunzip.c - what a gzipped file holds, piece by piece; zlib allocates from the context. */
#include "data/read/parquet_pack.h"

#include <zlib.h>

typedef struct {
    const axl__file *file;
    z_stream z;
    size_t left; /* of the file, not yet given to zlib */
    bool ended;
} gunzip;

static void *gz_alloc(void *ctx, uInt count, uInt size)
{
    return axl__calloc(ctx, count, size);
}

static void gz_free(void *ctx, void *block)
{
    axl__free(ctx, block);
}

static bool is_gzip(const axl__file *file)
{
    return file->size >= 2 && file->data[0] == 0x1F && file->data[1] == 0x8B;
}

static axl_status gunzip_open(void **out, const axl__file *file)
{
    gunzip *g = axl__calloc(file->ctx, 1, sizeof *g);

    *out = NULL;
    if (!g)
        return axl__fail_nomem();
    g->file = file;
    g->left = file->size;
    g->z.zalloc = gz_alloc;
    g->z.zfree = gz_free;
    g->z.opaque = file->ctx;
    g->z.next_in = (Bytef *)(uintptr_t)file->data; /* zlib's input is not const everywhere */
    if (inflateInit2(&g->z, 16 + MAX_WBITS) != Z_OK) {
        axl__free(file->ctx, g);
        return axl__fail_nomem();
    }
    *out = g;
    return AXL_OK;
}

static void gunzip_close(void *state)
{
    gunzip *g = state;

    inflateEnd(&g->z);
    axl__free(g->file->ctx, g);
}

/* Several gzip members read as one text. */
static axl_status gunzip_check(gunzip *g, int code)
{
    if (code == Z_MEM_ERROR)
        return axl__fail_nomem();
    if (code == Z_STREAM_END && (g->z.avail_in > 0 || g->left > 0))
        code = inflateReset(&g->z);
    g->ended = code == Z_STREAM_END;
    if (g->ended)
        return AXL_OK;
    if (code != Z_OK || (g->z.avail_in == 0 && g->left == 0 && g->z.avail_out > 0))
        return axl__fail(AXL_ERR_FORMAT, "%s: %s", g->file->path,
                         code == Z_DATA_ERROR ? "broken gzip data" : "the gzip data ends early");
    return AXL_OK;
}

static axl_status gunzip_read(void *state, char *data, size_t room, size_t *n)
{
    gunzip *g = state;

    *n = 0;
    g->z.next_out = (Bytef *)data;
    g->z.avail_out = (uInt)(room < UINT32_MAX / 2 ? room : UINT32_MAX / 2);
    const uInt size = g->z.avail_out;
    while (!g->ended && g->z.avail_out == size) {
        if (g->z.avail_in == 0) {
            g->z.avail_in = g->left > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uInt)g->left;
            g->left -= g->z.avail_in;
        }
        AXL_TRY(gunzip_check(g, inflate(&g->z, Z_NO_FLUSH)));
        AXL_TRY(axl__cancelled(g->file->ctx));
    }
    *n = size - g->z.avail_out;
    return g->ended && *n == 0 ? AXL_END : AXL_OK;
}

static size_t gunzip_progress(const void *state)
{
    const gunzip *g = state;

    return g->file->size - g->left - g->z.avail_in;
}

axl_status axl__gunzip_block(axl_context *ctx, const uint8_t *in, size_t len, uint8_t *out,
                             size_t n)
{
    z_stream z = { .zalloc = gz_alloc, .zfree = gz_free, .opaque = ctx };

    z.next_in = (Bytef *)(uintptr_t)in;
    z.avail_in = (uInt)len;
    z.next_out = out;
    z.avail_out = (uInt)n;
    if (len > UINT32_MAX || n > UINT32_MAX)
        return AXL_ERR_FORMAT;
    if (inflateInit2(&z, 32 + MAX_WBITS) != Z_OK)
        return axl__fail_nomem();
    int code = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    if (code == Z_MEM_ERROR)
        return axl__fail_nomem();
    return code == Z_STREAM_END && z.avail_out == 0 ? AXL_OK : AXL_ERR_FORMAT;
}

const axl__packing axl__gzip = {
    .suffix = ".gz",
    .knows = is_gzip,
    .open = gunzip_open,
    .read = gunzip_read,
    .progress = gunzip_progress,
    .close = gunzip_close,
};
