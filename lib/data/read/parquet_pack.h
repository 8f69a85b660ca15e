/* SPDX-License-Identifier: Apache-2.0 */
/* parquet_pack.h - blocks of libraries: whether one is whole and holds exactly n bytes, which out
 * gets.  In a build without the library none is. */
#ifndef AXL_DATA_READ_PARQUET_PACK_H
#define AXL_DATA_READ_PARQUET_PACK_H

#include "data/read/reader.h"

bool axl__unzstd_block(const uint8_t *in, size_t len, uint8_t *out, size_t n);
bool axl__unlz4_block(const uint8_t *in, size_t len, uint8_t *out, size_t n);
bool axl__unlz4_frame(const uint8_t *in, size_t len, uint8_t *out, size_t n);
/* A gzip member, or what zlib alone makes: AXL_ERR_FORMAT (which sets no last error) or
 * AXL_ERR_NOMEM where it is none. */
axl_status axl__gunzip_block(axl_context *ctx, const uint8_t *in, size_t len, uint8_t *out,
                             size_t n);
/* "liblz4" where the build was made without it. */
extern const char *const axl__unlz4_lacks;

#endif
