/* SPDX-License-Identifier: Apache-2.0 */
/* gunzip.c - a gzipped file into memory; zlib allocates from the context. */
#include "data/read/reader.h"

#include "base/str.h"

#include <zlib.h>

static void *gz_alloc(void *ctx, uInt count, uInt size)
{
    return axl__calloc(ctx, count, size);
}

static void gz_free(void *ctx, void *block)
{
    axl__free(ctx, block);
}

/* Fills out until the file ends; several gzip members read as one text. */
static axl_status inflate_into(axl__str *out, z_stream *z, const axl__file *file)
{
    size_t left = file->size;

    z->next_in = (Bytef *)(uintptr_t)file->data; /* zlib's input is not const everywhere */
    for (;;) {
        if (z->avail_in == 0) {
            z->avail_in = left > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uInt)left;
            left -= z->avail_in;
        }
        if (!axl__str_reserve(out, 1 << 20))
            return axl__fail_nomem();
        size_t room = out->cap - out->len - 1;
        z->avail_out = room > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uInt)room;
        uInt before = z->avail_out;
        z->next_out = (Bytef *)out->data + out->len;
        int code = inflate(z, Z_NO_FLUSH);
        out->len += before - z->avail_out;
        if (code == Z_MEM_ERROR)
            return axl__fail_nomem();
        if (code == Z_STREAM_END && (z->avail_in > 0 || left > 0))
            code = inflateReset(z);
        if (code == Z_STREAM_END)
            return AXL_OK;
        if (code != Z_OK || (z->avail_in == 0 && left == 0 && z->avail_out > 0))
            return axl__fail(AXL_ERR_FORMAT, "%s: %s", file->path,
                             code == Z_DATA_ERROR ? "broken gzip data"
                                                  : "the gzip data ends early");
        AXL_TRY(axl__cancelled(file->ctx));
    }
}

bool axl__is_gzip(const axl__file *file)
{
    return file->size >= 2 && file->data[0] == 0x1F && file->data[1] == 0x8B;
}

axl_status axl__gunzip(const axl__file *file, char **text, size_t *len)
{
    z_stream z = { 0 };
    axl__str out;

    z.zalloc = gz_alloc;
    z.zfree = gz_free;
    z.opaque = file->ctx;
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
        return axl__fail_nomem();
    axl__str_init(&out, file->ctx);
    axl_status status = inflate_into(&out, &z, file);
    inflateEnd(&z);
    if (status != AXL_OK) {
        axl__str_free(&out);
        return status;
    }
    *text = out.data;
    *len = out.len;
    return AXL_OK;
}
