/* SPDX-License-Identifier: Apache-2.0 */
/* source_files.h - which files a data set entry means. */
#ifndef AXL_DATA_READ_SOURCE_FILES_H
#define AXL_DATA_READ_SOURCE_FILES_H

#include "base/os.h"

#include <stdbool.h>

/* Paths of data files.  A folder's are those, at any depth, whose format is read and that Hugging
 * Face's loader puts into the split "train"; of several formats that of most files. */
typedef struct axl__files {
    char **paths;
    size_t n;
} axl__files;
axl_status axl__files_add(axl__files *files, axl_context *ctx, const char *path);
axl_status axl__files_of_folder(axl__files *files, axl_context *ctx, const char *folder);
/* Which of these paths, relative to a folder, are read of it; arg is not used.  Has the shape of
 * axl__hub_pick. */
void axl__pick_data_files(const void *arg, const char *const *paths, size_t n, bool *take);
void axl__files_free(axl__files *files, axl_context *ctx);

#endif
