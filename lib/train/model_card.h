/* SPDX-License-Identifier: Apache-2.0 */
/* model_card.h - the README.md of a result: what it is, how to load it, the YAML that made it. */
#ifndef AXL_TRAIN_MODEL_CARD_H
#define AXL_TRAIN_MODEL_CARD_H

#include "config/config.h"

#include <axl/run.h>

axl_status axl__model_card_write(axl_context *ctx, const axl_config *cfg, const char *path,
                                 const axl_run_record *last, const axl_dataset_stats *data);

#endif
