/* SPDX-License-Identifier: Apache-2.0 */
/* checksum.c - see checksum.h. */
#include "checksum.h"

#include "ctx.h"
#include "os_file.h"

#include <zlib.h>

enum { PIECE = 1 << 20 };

void axl__checksum_add(axl__checksum *sum, const void *data, size_t size)
{
    sum->crc = (uint32_t)crc32_z(sum->crc, data, size);
    sum->bytes += size;
}

/* Piece by piece: a checkpoint's files are larger than what should be mapped or held for it. */
axl_status axl__checksum_file(axl__checksum *out, axl_context *ctx, const char *path)
{
    axl__file f;

    *out = (axl__checksum){ 0 };
    AXL_TRY(axl__file_open_start(&f, ctx, path, 1)); /* its size alone is wanted */
    unsigned char *piece = axl__alloc(ctx, PIECE);
    axl_status status = piece ? AXL_OK : axl__fail_nomem();
    while (status == AXL_OK && out->bytes < f.size) {
        size_t n = f.size - out->bytes < PIECE ? f.size - (size_t)out->bytes : PIECE;
        status = axl__file_read_at(&f, out->bytes, piece, n);
        if (status == AXL_OK)
            axl__checksum_add(out, piece, n);
        if (status == AXL_OK)
            status = axl__cancelled(ctx);
    }
    axl__free(ctx, piece);
    axl__file_close(&f);
    return status;
}
