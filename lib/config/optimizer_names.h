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

extern const axl__optimizer_name axl__optimizer_names[];
extern const size_t axl__n_optimizer_names;

/* NULL: there is none of that name. */
const axl__optimizer_name *axl__optimizer_find(const char *name);

#endif
