/* SPDX-License-Identifier: Apache-2.0 */
/* unlz4.c - blocks of lz4, by liblz4. */
#include "data/read/parquet_pack.h"

#include <limits.h>
#include <lz4.h>

const char *const axl__unlz4_lacks = NULL;

bool axl__unlz4_block(const uint8_t *in, size_t len, uint8_t *out, size_t n)
{
    if (len > INT_MAX || n > INT_MAX)
        return false;
    int size = LZ4_decompress_safe((const char *)in, (char *)out, (int)len, (int)n);
    return size >= 0 && (size_t)size == n;
}

const char *axl__lz4_version(void)
{
    return LZ4_versionString();
}
