/* SPDX-License-Identifier: Apache-2.0 */
/* export.h - filling a result struct whose size the caller set. */
#ifndef AXL_DATA_EXPORT_H
#define AXL_DATA_EXPORT_H

#include "base/fail.h"

/* Copies the fields that the caller's struct has room for and leaves its size as it was.  Both
 * structs start with a size_t size; v1_size is the struct's size in its first release. */
axl_status axl__result_export(void *dst, const void *src, size_t src_size, size_t v1_size,
                              const char *type);

#endif
