/* SPDX-License-Identifier: Apache-2.0 */
/* json_make.h - building JSON trees.  Nodes lie in an arena; texts are borrowed. */
#ifndef AXL_BASE_JSON_MAKE_H
#define AXL_BASE_JSON_MAKE_H

#include "json.h"

/* A list or mapping that grows at its end. */
typedef struct axl__json_maker {
    axl__arena *arena;
    axl__json *node; /* the list or mapping */
    axl__json *last; /* of its members; NULL: none yet */
} axl__json_maker;

/* Fills node, which is empty until members are added. */
void axl__json_make(axl__json_maker *m, axl__arena *arena, axl__json *node, axl__json_type type);
/* Appends a copy of value (its members are shared); key is NULL in a list.  NULL: out of memory. */
axl__json *axl__json_add(axl__json_maker *m, const char *key, const axl__json *value);
/* Puts a copy of value in the place of the member of that name, or appends it, as to a list. */
axl__json *axl__json_put(axl__json_maker *m, const char *key, const axl__json *value);

/* A value, for the two above. */
axl__json axl__json_text(const char *text, size_t len);

#endif
