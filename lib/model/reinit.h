/* SPDX-License-Identifier: Apache-2.0 */
/* reinit.h - weights that no file has: those that transformers begins a model with. */
#ifndef AXL_MODEL_REINIT_H
#define AXL_MODEL_REINIT_H

#include "model.h"

/* Gives each module weights as if a file had them, of the type that config.json says: linear layers
 * and embeddings normal, biases and the padding token's embedding 0, norms that multiply by 1.
 * compute: an axl_compute.  AXL_ERR_UNSUPPORTED for what has parts beside the language model. */
axl_status axl__reinit_load(axl_model *m, uint32_t compute, uint64_t seed);

#endif
