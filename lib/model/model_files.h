/* SPDX-License-Identifier: Apache-2.0 */
/* model_files.h - the weights of a model's folder: model.safetensors, or where that would be too
 * large shards and their index, as transformers writes them. */
#ifndef AXL_MODEL_MODEL_FILES_H
#define AXL_MODEL_MODEL_FILES_H

#include "tensor/safetensors.h"

/* What a file may have, in bytes of tensors: transformers' "50GB". */
#define AXL__SHARD_BYTES 50000000000u

/* Writes entries (n), asking for the data of one after another.  A file takes entries in their
 * order as long as it has room; where there are several, the one file of an earlier result goes.
 * sum: of the last file; may be NULL. */
axl_status axl__model_files_write(axl_context *ctx, const char *dir, const axl__st_entry *entries,
                                  size_t n, uint64_t shard_bytes, axl__st_fetch fetch, void *user,
                                  axl__checksum *sum);

#endif
