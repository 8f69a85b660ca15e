/* SPDX-License-Identifier: Apache-2.0 */
/* unzstd.c - what a file of zstd frames holds, piece by piece.  libzstd takes its memory from
 * malloc: its way to another allocator is not of its stable interface.  A frame whose window is
 * larger than 128 MiB is refused, which is libzstd's own default. */
#include "data/read/parquet_pack.h"

#include <zstd.h>

typedef struct {
    const axl__file *file;
    ZSTD_DCtx *z;
    ZSTD_inBuffer in;
    bool within; /* a frame */
} unzstd;

static axl_status unzstd_open(void **out, const axl__file *file)
{
    unzstd *u = axl__calloc(file->ctx, 1, sizeof *u);

    *out = NULL;
    if (!u)
        return axl__fail_nomem();
    u->file = file;
    u->in = (ZSTD_inBuffer){ file->data, file->size, 0 };
    u->z = ZSTD_createDCtx();
    if (!u->z) {
        axl__free(file->ctx, u);
        return axl__fail_nomem();
    }
    *out = u;
    return AXL_OK;
}

static void unzstd_close(void *state)
{
    unzstd *u = state;

    ZSTD_freeDCtx(u->z);
    axl__free(u->file->ctx, u);
}

static axl_status unzstd_read(void *state, char *data, size_t room, size_t *n)
{
    unzstd *u = state;
    ZSTD_outBuffer out = { data, room, 0 };

    *n = 0;
    /* At the end of the input what is decoded may still wait for room. */
    while (out.pos == 0 && (u->in.pos < u->in.size || u->within)) {
        size_t before = u->in.pos;
        size_t left = ZSTD_decompressStream(u->z, &out, &u->in);
        if (ZSTD_isError(left))
            return axl__fail(AXL_ERR_FORMAT, "%s: broken zstd data: %s", u->file->path,
                             ZSTD_getErrorName(left));
        u->within = left > 0;
        if (u->within && out.pos == 0 && u->in.pos == before)
            return axl__fail(AXL_ERR_FORMAT, "%s: the zstd data ends early", u->file->path);
        AXL_TRY(axl__cancelled(u->file->ctx));
    }
    *n = out.pos;
    return *n == 0 ? AXL_END : AXL_OK;
}

static size_t unzstd_progress(const void *state)
{
    const unzstd *u = state;

    return u->in.pos;
}

bool axl__unzstd_block(const uint8_t *in, size_t len, uint8_t *out, size_t n)
{
    size_t size = ZSTD_decompress(out, n, in, len);

    return !ZSTD_isError(size) && size == n;
}

const char *axl__zstd_version(void)
{
    return ZSTD_versionString();
}

const axl__packing axl__zstd = {
    .suffix = ".zst",
    .knows = axl__zstd_knows,
    .open = unzstd_open,
    .read = unzstd_read,
    .progress = unzstd_progress,
    .close = unzstd_close,
};
