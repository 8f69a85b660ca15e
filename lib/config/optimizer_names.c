/* SPDX-License-Identifier: Apache-2.0 */
/* optimizer_names.c - see optimizer_names.h.  The values of the key optimizer in schema_table.c are
 * these names; a test compares them. */
#include "optimizer_names.h"

#include <string.h>

#define ADAM "adam_beta1, adam_beta2, adam_epsilon"
#define LION "adam_beta1, adam_beta2"
#define ADEMAMIX "beta1, beta2, beta3, alpha, eps, t_alpha, t_beta3"

const axl__optimizer_name axl__optimizer_names[] = {
    { "adamw_torch", "adamw", NULL, ADAM, false },
    { "adamw_torch_fused", "adamw", NULL, ADAM, false },
    { "adamw_torch_8bit", "adamw_torch_8bit", NULL, ADAM, false },
    { "adamw_bnb_8bit", "adamw_8bit", NULL, ADAM, false },
    { "adamw_8bit", "adamw_8bit", NULL, ADAM, false },
    { "paged_adamw_32bit", "adamw", NULL, ADAM, false },
    { "paged_adamw_8bit", "adamw_8bit", NULL, ADAM, false },
    { "lion_32bit", "lion", NULL, LION, false },
    { "lion_8bit", "lion_8bit", NULL, LION, false },
    { "paged_lion_32bit", "lion", NULL, LION, false },
    { "paged_lion_8bit", "lion_8bit", NULL, LION, false },
    { "ademamix", "ademamix", ADEMAMIX, ADAM, false },
    { "ademamix_8bit", "ademamix_8bit", ADEMAMIX, ADAM, false },
    { "paged_ademamix_32bit", "ademamix", ADEMAMIX, ADAM, false },
    { "paged_ademamix_8bit", "ademamix_8bit", ADEMAMIX, ADAM, false },
    { "adagrad", "adagrad", "lr_decay, eps", "", false },
    { "rmsprop", "rmsprop", "momentum, alpha, eps, centered", "", false },
    { "rmsprop_bnb", "rmsprop", "alpha, eps", "", false },
    { "rmsprop_bnb_8bit", "rmsprop_8bit", "alpha, eps", "", false },
    { "rmsprop_bnb_32bit", "rmsprop", "alpha, eps", "", false },
    { "adafactor", "adafactor", NULL, "", false },
    { "came_pytorch", "came_pytorch", "clip_threshold", ADAM ", adam_beta3, adam_epsilon2", true },
    { "muon", "muon", "momentum, nesterov, ns_steps", ADAM, false },
    { "adopt_adamw", "adopt_adamw", NULL, ADAM, true },
    { "schedule_free_adamw", "schedule_free_adamw", "weight_lr_power, r", ADAM, false },
    { "schedule_free_sgd", "schedule_free_sgd", "weight_lr_power, r", "", false },
    { "sgd", "sgd", "momentum, dampening, nesterov", "", false },
};
const size_t axl__n_optimizer_names = sizeof axl__optimizer_names / sizeof axl__optimizer_names[0];

const axl__optimizer_name *axl__optimizer_find(const char *name)
{
    for (size_t i = 0; i < axl__n_optimizer_names; i++)
        if (strcmp(axl__optimizer_names[i].name, name) == 0)
            return &axl__optimizer_names[i];
    return NULL;
}
