/* SPDX-License-Identifier: Apache-2.0 */
/* optimizer_config.h - the optimizer of a config. */
#ifndef AXL_OPTIM_OPTIMIZER_CONFIG_H
#define AXL_OPTIM_OPTIMIZER_CONFIG_H

#include "base/arena.h"

#include <axl/optimizer.h>

typedef struct axl__optimizer_config {
    axl_optimizer_options opts;
    axl__arena arena; /* what opts points to, beside the config */
} axl__optimizer_config;

/* opts is valid while both the config and out live; free after a failure too. */
axl_status axl__optimizer_config_read(axl__optimizer_config *out, const axl_config *cfg,
                                      uint64_t total_steps);
void axl__optimizer_config_free(axl__optimizer_config *c);

#endif
