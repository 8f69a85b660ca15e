/* SPDX-License-Identifier: Apache-2.0 */
/* parquet_codec.c - how a parquet file's pages are compressed, by the format's numbers. */
#include "data/read/parquet.h"

#include "data/read/parquet_pack.h"
#include "data/read/snappy.h"

#include <string.h>

typedef bool unpack_fn(const uint8_t *in, size_t len, uint8_t *out, size_t n);

static bool unpack_plain(const uint8_t *in, size_t len, uint8_t *out, size_t n)
{
    if (len == n)
        memcpy(out, in, n);
    return len == n;
}

/* Two lengths, large end first, before each of the blocks: what older writers call LZ4. */
static bool unpack_framed_lz4(const uint8_t *in, size_t len, uint8_t *out, size_t n)
{
    while (len >= 8) {
        uint64_t size = (uint64_t)in[0] << 24 | in[1] << 16 | in[2] << 8 | in[3];
        uint64_t packed = (uint64_t)in[4] << 24 | in[5] << 16 | in[6] << 8 | in[7];
        if (size > n || packed > len - 8 || !axl__unlz4_block(in + 8, packed, out, size))
            return false;
        in += 8 + packed;
        len -= 8 + (size_t)packed;
        out += size;
        n -= (size_t)size;
    }
    return len == 0 && n == 0;
}

/* Or a block alone, as the oldest ones. */
static bool unpack_lz4(const uint8_t *in, size_t len, uint8_t *out, size_t n)
{
    return unpack_framed_lz4(in, len, out, n) || axl__unlz4_block(in, len, out, n);
}

typedef struct {
    const char *name;
    const char *const *lacks; /* the library that the build was made without; NULL: axl's own */
    bool read;
    unpack_fn *unpack; /* NULL of gzip, which takes memory */
} codec;

static const codec codecs[] = {
    { "uncompressed", NULL, true, unpack_plain },
    { "snappy", NULL, true, axl__snappy_read },
    { "gzip", NULL, true, NULL },
    { "lzo", NULL, false, NULL },
    { "brotli", NULL, false, NULL },
    { "lz4", &axl__unlz4_lacks, true, unpack_lz4 },
    { "zstd", &axl__zstd.lacks, true, axl__unzstd_block },
    { "lz4_raw", &axl__unlz4_lacks, true, axl__unlz4_block },
};

axl_status axl__pq_codec_check(int32_t number, const char *path)
{
    if (number < 0 || (size_t)number >= sizeof codecs / sizeof codecs[0])
        return axl__fail(AXL_ERR_FORMAT, "%s: its pages are compressed in an unknown way, %d", path,
                         (int)number);
    const codec *c = &codecs[number];
    if (!c->read)
        return axl__fail(
            AXL_ERR_UNSUPPORTED,
            "%s: its pages are compressed by %s, which is not read; zstd, snappy, gzip "
            "and lz4 are",
            path, c->name);
    if (c->lacks && *c->lacks)
        return axl__fail(
            AXL_ERR_UNSUPPORTED,
            "%s: its pages are compressed by %s: this build of axl was made without %s", path,
            c->name, *c->lacks);
    return AXL_OK;
}

axl_status axl__pq_unpack(axl_context *ctx, int32_t codec, const uint8_t *in, size_t len,
                          uint8_t *out, size_t n)
{
    if (!codecs[codec].unpack)
        return axl__gunzip_block(ctx, in, len, out, n);
    return codecs[codec].unpack(in, len, out, n) ? AXL_OK : AXL_ERR_FORMAT;
}
