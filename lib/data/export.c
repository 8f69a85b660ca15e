/* SPDX-License-Identifier: Apache-2.0 */
/* export.c - see export.h. */
#include "data/export.h"

#include <string.h>

axl_status axl__result_export(void *dst, const void *src, size_t src_size, size_t v1_size,
                              const char *type)
{
    size_t size;

    if (!dst)
        return axl__fail(AXL_ERR_INVALID, "the %s must not be NULL", type);
    memcpy(&size, dst, sizeof size);
    if (size < v1_size)
        return axl__fail(AXL_ERR_ABI, "%s has size %zu; set it to sizeof(%s)", type, size, type);
    if (src_size > size)
        src_size = size;
    memcpy((char *)dst + sizeof size, (const char *)src + sizeof size, src_size - sizeof size);
    return AXL_OK;
}
