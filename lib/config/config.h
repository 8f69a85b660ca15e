/* SPDX-License-Identifier: Apache-2.0 */
/* config.h - what the rest of the library asks of a config. */
#ifndef AXL_CONFIG_CONFIG_H
#define AXL_CONFIG_CONFIG_H

#include "base/str.h"
#include "dataset_types.h"
#include "yaml_tree.h"

#include <axl/config.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A new reference; returns cfg. */
axl_config *axl__config_ref(const axl_config *cfg);
axl_context *axl__config_context(const axl_config *cfg); /* borrowed */

/* Clears the last error; AXL_ERR_INVALID for NULL or a dead handle, AXL_ERR_FORKED. */
axl_status axl__config_enter(const axl_config *cfg);

/* The YAML as it was given, for the model card; NUL-terminated. */
const char *axl__config_text(const axl_config *cfg, size_t *len);

/* The overrides that were laid over it, "key=value" a line; "" when there are none. */
const char *axl__config_overrides(const axl_config *cfg);

/* What the config is called in diagnostics. */
const char *axl__config_name(const axl_config *cfg);
/* Adds the last error, which is cleared, as one at an effective key: of what was found out once the
 * config was good. */
void axl__config_fault(const axl_config *cfg, axl_diagnostics *list, axl__diag_id id,
                       const char *key);

/* What it trains towards. */
axl__data_task axl__config_task(const axl_config *cfg);
/* AXL_ERR_UNSUPPORTED: no training exists for what the config asks for, only its data can be
 * read. */
axl_status axl__config_trains(const axl_config *cfg);
/* Adds a warning where it would. */
void axl__config_warn_untrained(const axl_config *cfg, axl_diagnostics *list);

/* A path of the config, from base_dir where it is relative; for axl__free.  NULL when memory is
 * out. */
char *axl__config_path(const axl_config *cfg, const char *value);

/* The effective value of a key that a checked config always has: its default is in the schema or in
 * config_derive.c, or it must be set.  A value of another type ("auto" for a boolean) is false or
 * 0.  Keys are axl's own words: an unknown one, or one that may be absent, is a bug and asserts. */
bool axl__cfg_bool(const axl_config *cfg, const char *key);
int64_t axl__cfg_int(const axl_config *cfg, const char *key);
double axl__cfg_double(const axl_config *cfg, const char *key);
const char *axl__cfg_str(const axl_config *cfg, const char *key);
/* The same of a key that may be absent, or otherwise where it is or is of another type; a key that
 * never is asserts, so that a default stands in one place. */
bool axl__cfg_bool_or(const axl_config *cfg, const char *key, bool otherwise);
int64_t axl__cfg_int_or(const axl_config *cfg, const char *key, int64_t otherwise);
double axl__cfg_double_or(const axl_config *cfg, const char *key, double otherwise);
const char *axl__cfg_str_or(const axl_config *cfg, const char *key, const char *otherwise);
size_t axl__cfg_count(const axl_config *cfg, const char *key); /* 0 where there is none */
bool axl__cfg_has(const axl_config *cfg, const char *key);
/* The effective value as a tree, for what has members of its own names; NULL where there is none.
 */
const axl__yaml *axl__cfg_node(const axl_config *cfg, const char *key);

/* A value as one line of text that is equal for equal values, however a file writes them: JSON with
 * the members of mappings sorted.  NULL is "null".  Check out with axl__str_status. */
void axl__yaml_put_canonical(axl__str *out, const axl__yaml *node);

#endif
