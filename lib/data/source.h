/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.h - records of a data file, one at a time: a JSON array of objects, or an object a line;
 * either may be gzipped.  Also which files a data set entry means.
 */
#ifndef AXL_DATA_SOURCE_H
#define AXL_DATA_SOURCE_H

#include "base/json.h"
#include "base/os.h"

typedef struct axl__source axl__source;

/* format as in ds_type; NULL: from the path.  AXL_ERR_UNSUPPORTED names a format that is known but
 * not read. */
axl_status axl__source_open(axl__source **out, axl_context *ctx, const char *path,
                            const char *format);
void axl__source_close(axl__source *source);

/* The bytes of the file as it lies on disk, for a hash. */
const axl__file *axl__source_file(const axl__source *source);
const char *axl__source_path(const axl__source *source);
/* How many of the file's bytes are read, as a share of its text. */
uint64_t axl__source_progress(const axl__source *source);

/*
 * The next record, an object in the arena.  AXL_END after the last.  AXL_ERR_DATA: this record is
 * malformed; the message is "LINE:COLUMN: what", and the next call goes on behind it (in an array,
 * with AXL_END: what follows cannot be found).  The line is where the record starts.
 */
axl_status axl__source_next(axl__source *source, axl__arena *arena, const axl__json **record,
                            uint64_t *line);

/* Paths of data files.  A folder's are those of its json and jsonl files, at any depth, that
 * Hugging Face's loader puts into the split "train". */
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
