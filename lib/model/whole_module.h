/* SPDX-License-Identifier: Apache-2.0 */
/*
 * whole_module.h - modules that an adapter trains whole, PEFT's modules_to_save, or of which it
 * trains rows, PEFT's trainable_token_indices: the adapter has their weight (and bias), or the
 * rows, in f32 in the place of the model's, which stay as they are.  What a pass cannot compute
 * with as it is, it computes with copies of, which are brought up to date when it begins: in bf16
 * all of what is trained whole, and weights with rows in the place of others.
 */
#ifndef AXL_MODEL_WHOLE_MODULE_H
#define AXL_MODEL_WHOLE_MODULE_H

#include "adapter.h"

typedef struct axl__whole {
    void *copies;  /* device, of the type that is computed in, by axl__lora's copied_at; or NULL */
    int32_t *rows; /* device, by rows_at; or NULL */
} axl__whole;

/* Nothing for an adapter without such modules, or NULL. */
axl_status axl__whole_init(axl__whole *w, const axl_adapter *a);
void axl__whole_free(axl__whole *w, const axl_adapter *a);

/* With the values of the moment. */
axl_status axl__whole_copy(axl__whole *w, const axl_adapter *a);

#endif
