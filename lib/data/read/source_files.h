/* SPDX-License-Identifier: Apache-2.0 */
/* source_files.h - which files a data set entry means. */
#ifndef AXL_DATA_READ_SOURCE_FILES_H
#define AXL_DATA_READ_SOURCE_FILES_H

#include "data/read/file_splits.h"

#include "base/os.h"

#include <stdbool.h>

/* Paths of data files, each a block of the context. */
typedef struct axl__files {
    char **paths;
    size_t n;
} axl__files;

/* A split; "all" is every one of them for axl__pick_data_files(). */
typedef struct axl__split_name {
    const char *text; /* (len) */
    size_t len;
    bool or_all; /* all files, where nothing tells of splits */
} axl__split_name;

typedef struct axl__split_wish {
    const axl__split_name *splits;
    size_t n;
} axl__split_wish;

axl_status axl__files_add(axl__files *files, axl_context *ctx, const char *path);
/* The files of a split, at any depth, whose format is read; of several formats that of most files.
 * AXL_ERR_NOT_FOUND names the splits that there are. */
axl_status axl__files_of_folder(axl__files *files, axl_context *ctx, const char *folder,
                                const axl__split_name *split);
/* The splits of a folder as a sum, "train+test". */
axl_status axl__folder_splits_put(axl__str *out, axl_context *ctx, const char *folder);
/* The files below a folder whose relative paths match, sorted; AXL_ERR_NOT_FOUND: none does. */
axl_status axl__files_matching(axl__files *files, axl_context *ctx, const char *folder,
                               const char *pattern);
/* Which of these paths, relative to a folder, are of the splits of a wish, which arg is.  Has the
 * shape of axl__hub_pick. */
void axl__pick_data_files(const void *arg, const char *const *paths, size_t n, bool *take);
void axl__files_free(axl__files *files, axl_context *ctx);

#endif
