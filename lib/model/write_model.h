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

#endif
