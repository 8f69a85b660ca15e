/* SPDX-License-Identifier: Apache-2.0 */
/* unzstd_none.c - in place of unzstd.c in a build without libzstd. */
#include "data/read/parquet_pack.h"

static axl_status unzstd_open(void **out, const axl__file *file)
{
    *out = NULL;
    return axl__fail(AXL_ERR_UNSUPPORTED,
                     "%s: this build of axl cannot read zstd data: it was made without libzstd",
                     file->path);
}

bool axl__unzstd_block(const uint8_t *in, size_t len, uint8_t *out, size_t n)
{
    (void)in;
    (void)len;
    (void)out;
    (void)n;
    return false;
}

const char *axl__zstd_version(void)
{
    return NULL;
}

const axl__packing axl__zstd = {
    .suffix = ".zst",
    .lacks = "libzstd",
    .knows = axl__zstd_knows,
    .open = unzstd_open,
};
