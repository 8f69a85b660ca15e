/* SPDX-License-Identifier: Apache-2.0 */
/*
 * targets.h - which linear layers an adapter has pairs of, and of what rank and alpha each is, by
 * PEFT's rules: names, suffixes, whole paths, regular expressions, layers.  What an adapter is made
 * by is an axl_adapter_options, whether a host, a config or an adapter_config.json said it.
 */
#ifndef AXL_MODEL_TARGETS_H
#define AXL_MODEL_TARGETS_H

#include "module.h"

#include "base/arena.h"

#include <axl/adapter.h>

/* A copy whose arrays and texts are the arena's. */
axl_status axl__targets_copy(axl_adapter_options *out, axl__arena *arena,
                             const axl_adapter_options *o);

/* Marks on (t->n flags, cleared before) the layers that are meant: linear ones, and the embedding,
 * which is refused by check.  AXL_ERR_INVALID for what is no regular expression. */
axl_status axl__targets_mark(const axl__modules *t, const axl_adapter_options *o, bool *on);

/* Marks on (t->n flags, cleared before) the modules that are trained whole: those whose path, or
 * that of what they are in, ends with one of the names.  check fails where one reaches none. */
void axl__targets_mark_whole(const axl__modules *t, const axl_adapter_options *o, bool *whole);
axl_status axl__targets_check_whole(const axl__modules *t, const axl_adapter_options *o);

/* Fails where a name reaches no layer, or all of them together none, with the names that there
 * are; warns of patterns that no layer of on follows. */
axl_status axl__targets_check(const axl__modules *t, const axl_adapter_options *o, const bool *on);

/* The rank and alpha of a layer. */
axl_status axl__targets_rank(const axl__modules *t, const axl_adapter_options *o, int64_t module,
                             int64_t *rank, double *alpha);

/* Whether it is "all-linear", in any case. */
bool axl__targets_are_all(const axl_adapter_options *o);

#endif
