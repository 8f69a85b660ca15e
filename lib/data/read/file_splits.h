/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_splits.h - which of a folder's files are which split, as Hugging Face's loader tells by
 * their names.  Paths are relative to the folder and sorted.
 */
#ifndef AXL_DATA_READ_FILE_SPLITS_H
#define AXL_DATA_READ_FILE_SPLITS_H

#include "base/str.h"

/* Whether a file is no hidden one, of a format that is read, and not what tells of the data; others
 * are passed over below. */
bool axl__is_data_file(const char *path);

/* How a folder tells. */
typedef enum {
    AXL__SPLITS_SHARDED, /* data/NAME-00000-of-00001.parquet, any name */
    AXL__SPLITS_FOLDERS, /* train/a.json */
    AXL__SPLITS_FILES,   /* train.json, my-data_test-00001.json */
    AXL__SPLITS_NONE     /* nothing tells: all files are "train" */
} axl__split_style;

axl__split_style axl__split_style_of(const char *const *paths, size_t n);
/* Whether a path says the split, in a folder that tells so. */
bool axl__split_has(const char *path, axl__split_style style, const char *split, size_t len);
/* The indices of a split's files into order (n), in the order in which they are read; how many. */
size_t axl__split_files(const char *const *paths, size_t n, const char *split, size_t len,
                        size_t *order);
/* The splits in datasets' order, "train+validation+test", as a sum. */
void axl__split_names_put(axl__str *out, const char *const *paths, size_t n);

#endif
