/* SPDX-License-Identifier: Apache-2.0 */
/* checksum.h - what shows that a file is the one that was written: its length and CRC-32, zlib's,
 * as gzip and PNG have it. */
#ifndef AXL_BASE_CHECKSUM_H
#define AXL_BASE_CHECKSUM_H

#include <axl/context.h>

#include <stddef.h>
#include <stdint.h>

/* Of nothing where all is 0. */
typedef struct axl__checksum {
    uint64_t bytes;
    uint32_t crc;
} axl__checksum;

void axl__checksum_add(axl__checksum *sum, const void *data, size_t size);
/* Of a file, a piece at a time. */
axl_status axl__checksum_file(axl__checksum *out, axl_context *ctx, const char *path);

#endif
