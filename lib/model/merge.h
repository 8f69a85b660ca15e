/* SPDX-License-Identifier: Apache-2.0 */
/* merge.h - an adapter added into weights, one tensor at a time. */
#ifndef AXL_MODEL_MERGE_H
#define AXL_MODEL_MERGE_H

#include "adapter.h"

/* Whether the adapter changes a module's weight, or its bias. */
bool axl__merge_changes(const axl_adapter *a, int64_t module, bool bias);
/* Whether a head that is the embedding is no longer the same with the adapter. */
bool axl__merge_parts_head(const axl_adapter *a);
/* Adds what it has of the module to the weight (out, in), or to the bias (1, out): f32, device
 * memory. */
axl_status axl__merge_weight(const axl_adapter *a, int64_t module, axl_mat weight);
axl_status axl__merge_bias(const axl_adapter *a, int64_t module, axl_mat bias);

#endif
