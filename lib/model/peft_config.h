/* SPDX-License-Identifier: Apache-2.0 */
/* peft_config.h - what a PEFT folder's adapter_config.json asks for. */
#ifndef AXL_MODEL_PEFT_CONFIG_H
#define AXL_MODEL_PEFT_CONFIG_H

#include "module.h"

#include "base/json.h"

#include <axl/adapter.h>

/* What the file says of which linear layers have a pair.  target_modules may be a regular
 * expression there, as exclude_modules may: then only the tensors can say it, and the lists are
 * NULL. */
typedef struct axl__peft_targets {
    bool regex, all_linear;
    const axl__json *names, *excluded; /* arrays of strings; NULL: none */
    const axl__json *layers;           /* an integer or an array of integers; NULL: every layer */
} axl__peft_targets;

typedef struct axl__peft_config {
    axl_adapter_options opts; /* its targets are names, or none */
    axl__peft_targets targets;
} axl__peft_config;

/* Memory of the result is the arena's and root's.  AXL_ERR_UNSUPPORTED where the file asks for what
 * is not computed, AXL_ERR_FORMAT where it is no such file; messages begin with path. */
axl_status axl__peft_config_read(axl__peft_config *out, axl__arena *arena, const axl__json *root,
                                 const char *path);

/* Whether PEFT would give the module a pair; not for a regular expression. */
bool axl__peft_names(const axl__peft_targets *t, const axl__module *m);

/* Whether the names alone say the same of any model. */
bool axl__peft_names_are_all(const axl__peft_targets *t);

#endif
