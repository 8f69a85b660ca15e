/* SPDX-License-Identifier: Apache-2.0 */
/* quant_config.h - which of a model's linear layers are quantised, and how: as its files have them
 * (quantization_config of config.json), or as options ask for while loading. */
#ifndef AXL_MODEL_QUANT_CONFIG_H
#define AXL_MODEL_QUANT_CONFIG_H

#include "base/folder.h"
#include "module.h"

#include <axl/model.h>

/* Zeroed: nothing is quantised. */
typedef struct axl__quant_config {
    axl_weight_kind kind; /* dense: nothing is */
    bool nested;          /* the absmax of 4 bits are quantised themselves */
    bool stored;          /* the files hold codes; else they are made of the files' values */
    bool fp8;             /* the files' linear layers are FP8, which loading widens */
    bool listed;          /* kept says all; else the head is kept, too */
    char **kept;          /* (n_kept) owned: modules that stay as they are, by the beginning or
                             the end of their names */
    size_t n_kept;
} axl__quant_config;

/* What config.json says.  AXL_ERR_UNSUPPORTED names a method that is not read.  out is zeroed
 * first; free it after a failure, too. */
axl_status axl__quant_config_read(axl__quant_config *out, const axl__folder *folder);
/* What options ask for, where the files are not quantised: then they stay what they are. */
axl_status axl__quant_config_ask(axl__quant_config *q, axl_context *ctx,
                                 const axl_model_options *opts);
void axl__quant_config_free(axl__quant_config *q, axl_context *ctx);

/* Whether the module's weight gets codes while loading. */
bool axl__quant_config_takes(const axl__quant_config *q, const axl__module *m);

#endif
