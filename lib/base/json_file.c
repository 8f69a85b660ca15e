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

axl_status axl__json_take_file(axl__json **out, axl__arena *arena, axl__file *file)
{
    size_t len = file->size;
    axl_status status = axl__json_check_size(file->path, len, AXL__JSON_FILE_MAX);
    char *text = NULL;

    *out = NULL;
    if (status == AXL_OK && !(text = axl__arena_alloc(arena, len + 1)))
        status = axl__fail_nomem();
    if (text)
        memcpy(text, file->data, len);
    if (status == AXL_OK)
        status = axl__json_parse(out, arena, text, len, file->path);
    axl__file_close(file);
    return status;
}

axl_status axl__json_read_file(axl__json **out, axl__arena *arena, const char *path)
{
    axl__file file;

    *out = NULL;
    AXL_TRY(axl__file_open_start(&file, arena->ctx, path, AXL__JSON_FILE_MAX));
    return axl__json_take_file(out, arena, &file);
}
