/* SPDX-License-Identifier: Apache-2.0 */
/* peft_config.h - what a PEFT folder's adapter_config.json asks for, and writing one. */
#ifndef AXL_MODEL_PEFT_CONFIG_H
#define AXL_MODEL_PEFT_CONFIG_H

#include "adapter.h"

#include "base/json.h"
#include "base/str.h"

/* Memory of the result is the arena's and root's.  AXL_ERR_UNSUPPORTED where the file asks for what
 * is not computed, AXL_ERR_FORMAT where it is no such file; messages begin with path. */
axl_status axl__peft_config_read(axl_adapter_options *out, axl__arena *arena, const axl__json *root,
                                 const char *path);

/* The file's text; model is the base's name, or NULL. */
axl_status axl__peft_config_write(axl__str *out, const axl_adapter_options *o, const char *model);

#endif
