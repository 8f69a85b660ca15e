/* SPDX-License-Identifier: Apache-2.0 */
/* json_model.h - the model of a tokenizer.json. */
#ifndef AXL_TEXT_JSON_MODEL_H
#define AXL_TEXT_JSON_MODEL_H

#include "json_part.h"
#include "tokenizer_priv.h"

/* Fills the tokenizer's model; a class that makes its own pipeline takes no flags from it. */
axl_status axl__read_model(axl_tokenizer *t, const axl__part *model);

#endif
