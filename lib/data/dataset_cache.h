/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dataset_cache.h - a prepared data set in one file of a folder, named after a hash of its key.
 * The file holds the whole key, so equal hashes of different keys do no harm.
 */
#ifndef AXL_DATA_DATASET_CACHE_H
#define AXL_DATA_DATASET_CACHE_H

#include "data/sample_store.h"

#include <axl/dataset.h>

/* AXL_END when there is none: no file, another key, or a broken file, which is warned about. */
axl_status axl__cache_load(axl__store **out, axl_dataset_stats *stats, axl_context *ctx,
                           const char *dir, const char *key);
/* Replaces the file in one step; a cancelled or failed write leaves nothing behind.  The pile's own
 * file becomes the prepared one where it can: a store is saved once. */
axl_status axl__cache_save(axl__store *store, const axl_dataset_stats *stats, axl_context *ctx,
                           const char *dir, const char *key);

#endif
