/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_tree.h - a YAML text as a tree that remembers where each value stands.  Scalars are
 * resolved as PyYAML's safe_load does (YAML 1.1), except that 2e-5 is a number and a date is text.
 */
#ifndef AXL_CONFIG_YAML_TREE_H
#define AXL_CONFIG_YAML_TREE_H

#include "base/arena.h"
#include "diagnostics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    AXL__YAML_NULL,
    AXL__YAML_BOOL,
    AXL__YAML_INT,
    AXL__YAML_FLOAT,
    AXL__YAML_STRING,
    AXL__YAML_LIST,
    AXL__YAML_MAP
} axl__yaml_type;

/* A value.  Its type says which members mean something: boolean on BOOL; integer on INT, where it
 * is 0 if it is huge; number on INT and FLOAT; text and len on every scalar; child and count on
 * LIST and MAP.  All that a node points to lies in its tree's arena.  Replacing a value overwrites
 * its node, so that pointers to nodes stay good and see the new value. */
typedef struct axl__yaml {
    axl__yaml_type type;
    bool boolean;
    bool text_in_yaml11;           /* a FLOAT that PyYAML reads as text: "2e-5" */
    bool huge;                     /* an INT outside int64; number is near it */
    bool derived;                  /* put here by axl: no warning about it */
    uint32_t line, column;         /* of the value; 0: from an override or derived */
    uint32_t key_line, key_column; /* in a mapping */
    uint32_t count;                /* children */
    int64_t integer;
    double number;    /* of INT and FLOAT */
    const char *text; /* of a scalar: its characters, with a NUL behind them */
    size_t len;
    const char *key; /* in a mapping; NUL-terminated */
    struct axl__yaml *child, *next;
} axl__yaml;

/* Parses one document into *out, which is an empty mapping for an empty text.  Errors are added to
 * diags and give AXL_ERR_CONFIG. */
axl_status axl__yaml_parse(axl__yaml **out, axl__arena *arena, const char *text, size_t len,
                           axl_diagnostics *diags);

/* A plain scalar's meaning; sets type, boolean, integer, number from text and len. */
void axl__yaml_resolve(axl__yaml *node);

/* A new scalar without a place, its meaning resolved as a plain one's, or a string. */
axl__yaml *axl__yaml_plain(axl__arena *arena, const char *text, size_t len);
axl__yaml *axl__yaml_string(axl__arena *arena, const char *text, size_t len);
axl__yaml *axl__yaml_collection(axl__arena *arena, axl__yaml_type type);

axl__yaml *axl__yaml_get(const axl__yaml *map, const char *key);
axl__yaml *axl__yaml_item(const axl__yaml *list, size_t index);
/* Puts value under key: at the end, or over the node of an earlier member of that name, which
 * becomes a copy of it while value itself is in no tree.  A NULL value is AXL_ERR_NOMEM, so that
 * what makes one need not be checked. */
axl_status axl__yaml_set(axl__arena *arena, axl__yaml *map, const char *key, axl__yaml *value);
/* Walks to the end: for short lists.  To a mapping, value must bring a key that is not in it. */
void axl__yaml_append(axl__yaml *parent, axl__yaml *value);
/* Takes the member out; NULL when there is none. */
axl__yaml *axl__yaml_remove(axl__yaml *map, const char *key);
/* Removes members that are null, at any depth. */
void axl__yaml_drop_nulls(axl__yaml *node);

#endif
