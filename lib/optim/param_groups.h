/* SPDX-License-Identifier: Apache-2.0 */
/* param_groups.h - which trained tensor has which learning rate and weight decay. */
#ifndef AXL_OPTIM_PARAM_GROUPS_H
#define AXL_OPTIM_PARAM_GROUPS_H

#include "optimizer.h"

typedef struct axl__param_group {
    double rate; /* times the trainer's */
    double weight_decay;
} axl__param_group;

typedef struct axl__param_groups {
    axl__param_group *groups; /* (n_groups) those that have a tensor */
    size_t n_groups;
    uint32_t *of_tensor; /* (n_tensors) index into groups */
} axl__param_groups;

/* own: Axolotl makes this optimizer's groups itself, as it does wherever a rate is set. */
axl_status axl__param_groups_new(axl__param_groups *out, const axl__optim_target *target,
                                 const axl_optimizer_options *opts, bool own);
void axl__param_groups_free(axl__param_groups *g, axl_context *ctx);

#endif
