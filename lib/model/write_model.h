/* SPDX-License-Identifier: Apache-2.0 */
/* write_model.h - a model's folder, written from a model that stays as it is, a tensor at a time.
 */
#ifndef AXL_MODEL_WRITE_MODEL_H
#define AXL_MODEL_WRITE_MODEL_H

#include "adapter.h"

/* The model with the adapter in its weights, full precision; or without one (NULL) as it is, codes
 * as codes.  Beside the model it takes the largest tensor that changes or has codes twice, in f32,
 * or as much as that on a device of its own.  shard_bytes: model_files.h. */
axl_status axl__model_write(axl_model *m, const axl_adapter *merged, const char *dir,
                            uint64_t shard_bytes);

/* The folder of a model whose weights are trained.  exact: what is trained in f32, else each tensor
 * in the type that the model's files had it in.  sum: of the last file of weights; may be NULL. */
axl_status axl__model_write_trained(axl_model *m, const char *dir, bool exact, uint64_t shard_bytes,
                                    axl__checksum *sum);
/* Host memory that it takes on top: the largest tensor. */
uint64_t axl__model_write_bytes(const axl_model *m);

#endif
