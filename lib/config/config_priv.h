/* SPDX-License-Identifier: Apache-2.0 */
/* config_priv.h - the config handle, and the passes that turn a tree into an effective config. */
#ifndef AXL_CONFIG_CONFIG_PRIV_H
#define AXL_CONFIG_CONFIG_PRIV_H

#include "config.h"
#include "diagnostics.h"
#include "schema.h"
#include "yaml_tree.h"

#include "base/str.h"

#include <stdatomic.h>

/* A config is one tree in one arena, with its texts beside it.  Until it is handed out the passes
 * alone write to it; from then on nothing is written but refs, which is why it needs no lock. */
struct axl_config {
    uint32_t magic;
    atomic_int refs;
    axl_context *ctx;
    axl__arena arena;
    /* Once built a mapping in which every key is of its type in the schema, every default is filled
     * in and every scalar has its canonical text. */
    axl__yaml *root;
    /* What the host or the file gave: before any pass, without the overrides. */
    const char *text;
    size_t text_len;
    const char *overrides; /* "key=value" a line */
    const char *name;
    const char *base_dir; /* NULL: the current directory */
    const char *cwd;      /* that of the parsing, from the root: relative paths are of there */
};

/* What the passes work on.  They run in the order of run_passes(); each returns AXL_ERR_NOMEM or
 * AXL_OK and adds what it finds to diags, so that one call shows all that is wrong.  A pass may
 * thus meet values that an earlier one found fault with, and looks at a node's type before it reads
 * its value; only derive, which does not run after an error, relies on types and ranges. */
typedef struct axl__config_pass {
    const axl_config *cfg; /* whose tree it is */
    axl__arena *arena;
    axl_diagnostics *diags;
    axl__yaml *root;
    bool warn_unknown; /* axl.unknown_keys: warn */
    bool own_data;     /* the host brings the samples: no key has to name any */
} axl__config_pass;

/* "key=value" over the tree.  AXL_ERR_INVALID when it is no such text. */
axl_status axl__config_override(axl__config_pass *p, const char *text);
/* Deprecated spellings to today's. */
axl_status axl__config_rename(axl__config_pass *p);
/* Each key by itself: known, of its type, in its range, done here or not. */
axl_status axl__config_check_keys(axl__config_pass *p);
/* Keys together. */
axl_status axl__config_validate(axl__config_pass *p);
/* Parts of validate: the optimizer, the learning-rate schedule. */
void axl__config_check_optimizer(axl__config_pass *p);
void axl__config_check_schedule(axl__config_pass *p);
/* Derived values and defaults; then every scalar's text is the canonical one. */
axl_status axl__config_derive(axl__config_pass *p);

/* Whether there may be something to evaluate on. */
bool axl__config_has_validation(const axl__config_pass *p);

/* The node at a dotted path; NULL when there is none. */
axl__yaml *axl__config_find(const axl__yaml *root, const char *path);

/* Adds a diagnostic at a node's key (or at its value, for a scalar: AT_VALUE); node may be NULL. */
typedef enum { AT_KEY, AT_VALUE } axl__config_place;
void axl__config_say(axl__config_pass *p, axl__diag_id id, axl_severity severity,
                     const axl__yaml *node, axl__config_place place, const char *key,
                     const char *fmt, ...) AXL_PRINTF(7, 8);

/* A value as an override writes it. */
void axl__config_put_value(axl__str *s, const axl__yaml *node);

/* Neither null, false, 0, "" nor empty: what Python calls true. */
bool axl__yaml_truthy(const axl__yaml *node);
/* A node in words: the text "abc", the number 2.5, a list. */
const char *axl__yaml_describe(const axl__yaml *node, char *out, size_t room);

#endif
