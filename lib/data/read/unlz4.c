/* SPDX-License-Identifier: Apache-2.0 */
/* unlz4.c - blocks and frames of lz4, by liblz4, which takes its memory for a frame from malloc. */
#include "data/read/parquet_pack.h"

#include <limits.h>
#include <lz4.h>
#include <lz4frame.h>

const char *const axl__unlz4_lacks = NULL;

bool axl__unlz4_block(const uint8_t *in, size_t len, uint8_t *out, size_t n)
{
    if (len > INT_MAX || n > INT_MAX)
        return false;
    int size = LZ4_decompress_safe((const char *)in, (char *)out, (int)len, (int)n);
    return size >= 0 && (size_t)size == n;
}

bool axl__unlz4_frame(const uint8_t *in, size_t len, uint8_t *out, size_t n)
{
    LZ4F_dctx *z;
    size_t left = 1, at = 0;

    if (LZ4F_isError(LZ4F_createDecompressionContext(&z, LZ4F_VERSION)))
        return false;
    while (left > 0 && !LZ4F_isError(left) && len > 0) {
        size_t used = len, made = n - at;
        left = LZ4F_decompress(z, out + at, &made, in, &used, NULL);
        if (used == 0 && made == 0)
            break;
        in += used;
        len -= used;
        at += made;
    }
    LZ4F_freeDecompressionContext(z);
    return left == 0 && at == n;
}

const char *axl__lz4_version(void)
{
    return LZ4_versionString();
}
