/* SPDX-License-Identifier: Apache-2.0 */
/* optimizer_names.c - see optimizer_names.h. */
#include "optimizer_names.h"

#include <string.h>

/* What several rows read: ADAM and LION are keys of the config, ADEMAMIX is of optim_args. */
#define ADAM "adam_beta1, adam_beta2, adam_epsilon"
#define LION "adam_beta1, adam_beta2"
#define ADEMAMIX "beta1, beta2, beta3, alpha, eps, t_alpha, t_beta3"

#define ROW(...) { __VA_ARGS__ },

const axl__optimizer_name axl__optimizer_names[] = { AXL__OPTIMIZERS(ROW, ROW) };
const size_t axl__n_optimizer_names = sizeof axl__optimizer_names / sizeof axl__optimizer_names[0];

const axl__optimizer_name *axl__optimizer_find(const char *name)
{
    for (size_t i = 0; i < axl__n_optimizer_names; i++)
        if (strcmp(axl__optimizer_names[i].name, name) == 0)
            return &axl__optimizer_names[i];
    return NULL;
}
