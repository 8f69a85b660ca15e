/* SPDX-License-Identifier: Apache-2.0 */
/* snappy.h - one block of Snappy's format. */
#ifndef AXL_DATA_READ_SNAPPY_H
#define AXL_DATA_READ_SNAPPY_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the block is whole and holds exactly n bytes, which out gets. */
bool axl__snappy_read(const unsigned char *in, size_t len, unsigned char *out, size_t n);

#endif
