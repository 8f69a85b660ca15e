/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unfrozen.h - which of a model's own tensors are trained: Axolotl 0.19's unfrozen_parameters.  A
 * pattern is a regular expression that a tensor's name in transformers begins with, its dots
 * literal but before a +; a range of rows may follow, "name[2:7]", outside of which the gradient is
 * 0.
 */
#ifndef AXL_MODEL_UNFROZEN_H
#define AXL_MODEL_UNFROZEN_H

#include "model.h"

typedef struct axl__unfrozen_pattern axl__unfrozen_pattern;

typedef struct axl__unfrozen {
    axl_context *ctx;
    axl__unfrozen_pattern *list; /* (n) */
    size_t n;
} axl__unfrozen;

/* The texts are borrowed; AXL_ERR_INVALID names the one that is wrong.  Free it also then. */
axl_status axl__unfrozen_init(axl__unfrozen *u, axl_context *ctx, const char *const *texts,
                              size_t n);
void axl__unfrozen_free(axl__unfrozen *u); /* of a zeroed one, too */

/* Whether the tensor of that name is trained.  t says how long it is, and gets what is frozen of
 * it, to be freed by its owner. */
axl_status axl__unfrozen_find(axl__unfrozen *u, const char *name, axl__param *t, bool *trained);

/* Warns of each pattern that no name had so far. */
void axl__unfrozen_warn(const axl__unfrozen *u);

#endif
