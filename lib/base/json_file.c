/* SPDX-License-Identifier: Apache-2.0 */
/* json_file.c - a file that is one JSON value, for small files: the text lives as long as the tree,
 * which points into it. */
#include "json.h"
#include "os.h"

#include <string.h>

axl_status axl__json_check_size(const char *path, size_t size, size_t limit)
{
    if (size <= limit)
        return AXL_OK;
    return axl__fail(AXL_ERR_FORMAT, "%s is larger than the %zu MiB that such a file may have",
                     path, limit >> 20);
}

axl_status axl__json_read_file(axl__json **out, axl__arena *arena, const char *path)
{
    axl__file file;
    char *text = NULL;

    *out = NULL;
    AXL_TRY(axl__file_open_start(&file, arena->ctx, path, AXL__JSON_FILE_MAX));
    size_t len = file.size;
    axl_status status = axl__json_check_size(path, len, AXL__JSON_FILE_MAX);
    if (status == AXL_OK && !(text = axl__arena_alloc(arena, len + 1)))
        status = axl__fail_nomem();
    if (text)
        memcpy(text, file.data, len);
    axl__file_close(&file);
    return status == AXL_OK ? axl__json_parse(out, arena, text, len, path) : status;
}
