/* SPDX-License-Identifier: Apache-2.0 */
/* unlz4_none.c - in place of unlz4.c in a build without liblz4. */
#include "data/read/parquet_pack.h"

const char *const axl__unlz4_lacks = "liblz4";

bool axl__unlz4_block(const uint8_t *in, size_t len, uint8_t *out, size_t n)
{
    (void)in;
    (void)len;
    (void)out;
    (void)n;
    return false;
}

bool axl__unlz4_frame(const uint8_t *in, size_t len, uint8_t *out, size_t n)
{
    return axl__unlz4_block(in, len, out, n);
}

const char *axl__lz4_version(void)
{
    return NULL;
}
