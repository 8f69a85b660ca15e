/* SPDX-License-Identifier: Apache-2.0 */
/* json_file.c - a file that is one JSON value, for small files: the text lives as long as the tree,
 * which points into it. */
#include "json.h"
#include "os.h"

#include <string.h>

axl_status axl__json_read_file(axl__json **out, axl__arena *arena, const char *path)
{
    axl__file file;

    *out = NULL;
    AXL_TRY(axl__file_open(&file, arena->ctx, path, true));
    size_t len = file.size;
    char *text = axl__arena_alloc(arena, len + 1);
    if (text)
        memcpy(text, file.data, len);
    axl__file_close(&file);
    return text ? axl__json_parse(out, arena, text, len, path) : axl__fail_nomem();
}
