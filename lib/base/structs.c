/* SPDX-License-Identifier: Apache-2.0 */
/* structs.c - see structs.h. */
#include "structs.h"

#include "fail.h"

#include <string.h>

enum { STRUCT_MAX_SIZE = 4096, TYPE_MAX = 64 };

/* By memcpy: the struct's type is not known here. */
static size_t size_of(const void *given)
{
    size_t size;

    memcpy(&size, given, sizeof size);
    return size;
}

/* "axl_batch has size 7; use AXL_BATCH_INIT" */
static axl_status fail_size(size_t size, const char *type)
{
    char upper[TYPE_MAX] = "";

    for (size_t i = 0; i < sizeof upper - 1 && type[i]; i++)
        upper[i] = type[i] >= 'a' && type[i] <= 'z' ? (char)(type[i] - 'a' + 'A') : type[i];
    return axl__fail(AXL_ERR_ABI, "%s has size %zu; use %s_INIT", type, size, upper);
}

axl_status axl__struct_check(const void *given, size_t v1_size, const char *type)
{
    if (!given)
        return axl__fail(AXL_ERR_INVALID, "the %s must not be NULL", type);
    size_t size = size_of(given);
    return size < v1_size || size > STRUCT_MAX_SIZE ? fail_size(size, type) : AXL_OK;
}

axl_status axl__struct_import(void *dst, size_t dst_size, const void *src, size_t v1_size,
                              const char *type)
{
    const unsigned char *bytes = src;

    AXL_TRY(axl__struct_check(src, v1_size, type));
    size_t src_size = size_of(src);
    for (size_t i = dst_size; i < src_size; i++)
        if (bytes[i] != 0)
            return axl__fail(AXL_ERR_ABI, "%s sets a field newer than this libaxl (byte %zu)", type,
                             i);
    memcpy(dst, src, src_size < dst_size ? src_size : dst_size);
    memcpy(dst, &dst_size, sizeof dst_size);
    return AXL_OK;
}

axl_status axl__struct_import_options(void *dst, size_t dst_size, const void *src, size_t v1_size,
                                      const char *type)
{
    return src ? axl__struct_import(dst, dst_size, src, v1_size, type) : AXL_OK;
}

axl_status axl__struct_export(void *dst, const void *src, size_t src_size, size_t v1_size,
                              const char *type)
{
    AXL_TRY(axl__struct_check(dst, v1_size, type));
    size_t room = size_of(dst), n = src_size < room ? src_size : room;
    memcpy((char *)dst + sizeof room, (const char *)src + sizeof room, n - sizeof room);
    return AXL_OK;
}
