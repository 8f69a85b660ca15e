/* SPDX-License-Identifier: Apache-2.0 */
/* optimizer_names.h - the optimizers that axl has, and which settings each reads. */
#ifndef AXL_CONFIG_OPTIMIZER_NAMES_H
#define AXL_CONFIG_OPTIMIZER_NAMES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct axl__optimizer_name {
    const char *name;
    const char *method;   /* several names may mean one: it has a file in lib/optim */
    const char *args;     /* keys of optim_args, "a, b"; NULL: none */
    const char *settings; /* keys of the config, "adam_beta1, adam_beta2" */
    bool axolotls_own;    /* not one of transformers' names: Axolotl makes the groups itself */
} axl__optimizer_name;

/* An optimizer a line, its fields those above; ADAM and the like are texts of optimizer_names.c.
 * FIRST is for what puts something between the lines.  It is a macro because both the table and one
 * text of all names, which the schema needs, are made of it.  Where names differ in what libraries
 * do and not in the mathematics (fused, paged), they share a method. */
#define AXL__OPTIMIZERS(FIRST, X)                                                                  \
    FIRST("adamw_torch", "adamw", NULL, ADAM, false)                                               \
    X("adamw_torch_fused", "adamw", NULL, ADAM, false)                                             \
    X("adamw_torch_8bit", "adamw_torch_8bit", NULL, ADAM, false)                                   \
    X("adamw_torch_4bit", "adamw_torch_4bit", NULL, ADAM, false)                                   \
    X("adamw_bnb_8bit", "adamw_8bit", NULL, ADAM, false)                                           \
    X("adamw_8bit", "adamw_8bit", NULL, ADAM, false)                                               \
    X("paged_adamw_32bit", "adamw", NULL, ADAM, false)                                             \
    X("paged_adamw_8bit", "adamw_8bit", NULL, ADAM, false)                                         \
    X("lion_32bit", "lion", NULL, LION, false)                                                     \
    X("lion_8bit", "lion_8bit", NULL, LION, false)                                                 \
    X("paged_lion_32bit", "lion", NULL, LION, false)                                               \
    X("paged_lion_8bit", "lion_8bit", NULL, LION, false)                                           \
    X("ademamix", "ademamix", ADEMAMIX, ADAM, false)                                               \
    X("ademamix_8bit", "ademamix_8bit", ADEMAMIX, ADAM, false)                                     \
    X("paged_ademamix_32bit", "ademamix", ADEMAMIX, ADAM, false)                                   \
    X("paged_ademamix_8bit", "ademamix_8bit", ADEMAMIX, ADAM, false)                               \
    X("adagrad", "adagrad", "lr_decay, eps", "", false)                                            \
    X("rmsprop", "rmsprop", "momentum, alpha, eps, centered", "", false)                           \
    X("rmsprop_bnb", "rmsprop", "alpha, eps", "", false)                                           \
    X("rmsprop_bnb_8bit", "rmsprop_8bit", "alpha, eps", "", false)                                 \
    X("rmsprop_bnb_32bit", "rmsprop", "alpha, eps", "", false)                                     \
    X("adafactor", "adafactor", NULL, "", false)                                                   \
    X("came_pytorch", "came_pytorch", "clip_threshold", ADAM ", adam_beta3, adam_epsilon2", true)  \
    X("muon", "muon", "momentum, nesterov, ns_steps", ADAM, false)                                 \
    X("adopt_adamw", "adopt_adamw", NULL, ADAM, true)                                              \
    X("adamc", "adamc", NULL, ADAM, true)                                                          \
    X("optimi_adamw", "optimi_adamw", NULL, ADAM, true)                                            \
    X("schedule_free_adamw", "schedule_free_adamw", "weight_lr_power, r", ADAM, false)             \
    X("schedule_free_sgd", "schedule_free_sgd", "weight_lr_power, r", "", false)                   \
    X("sgd", "sgd", "momentum, dampening, nesterov", "", false)

/* "adamw_torch, adamw_torch_fused, …": the values of the key optimizer. */
#define AXL__OPTIMIZER_VALUES AXL__OPTIMIZERS(AXL__OPTIMIZER_VALUE, AXL__OPTIMIZER_NEXT_VALUE)
#define AXL__OPTIMIZER_VALUE(name, ...) name
#define AXL__OPTIMIZER_NEXT_VALUE(name, ...) ", " name

extern const axl__optimizer_name axl__optimizer_names[];
extern const size_t axl__n_optimizer_names;

/* Whether a method keeps AdamW's two moments, which ReLoRA prunes (lib/optim has the same). */
bool axl__optimizer_name_has_moments(const axl__optimizer_name *o);

/* NULL: there is none of that name. */
const axl__optimizer_name *axl__optimizer_find(const char *name);

/* Why an optimizer that Axolotl 0.19 or transformers 5.16 lists is not one of them, and what to use
 * instead: "…; use …".  NULL: they list none of that name. */
const char *axl__optimizer_refusal(const char *name);

#endif
