/* SPDX-License-Identifier: Apache-2.0 */
/*
 * whole_module.h - modules that an adapter trains whole, PEFT's modules_to_save: the adapter has a
 * weight (and bias) of its own in f32 that stands in the place of the model's, which stays as it
 * is. Where a model computes in bf16, a pass computes with copies that are rounded when it begins.
 */
#ifndef AXL_MODEL_WHOLE_MODULE_H
#define AXL_MODEL_WHOLE_MODULE_H

#include "adapter.h"

typedef struct axl__whole {
    uint16_t *rounded; /* device, bf16, by axl__lora's rounded_at; NULL: f32, or there are none */
} axl__whole;

/* Nothing for an adapter without such modules, or NULL. */
axl_status axl__whole_init(axl__whole *w, const axl_adapter *a);
void axl__whole_free(axl__whole *w, const axl_adapter *a);

/* Of the values of the moment. */
axl_status axl__whole_round(axl__whole *w, const axl_adapter *a);

#endif
