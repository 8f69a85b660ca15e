/* SPDX-License-Identifier: Apache-2.0 */
/* record_tree.h - making a record's tree, for formats that are not JSON.  Values are in an arena;
 * keys are the caller's and live as long as its source. */
#ifndef AXL_DATA_READ_RECORD_TREE_H
#define AXL_DATA_READ_RECORD_TREE_H

#include "base/json.h"

/* An object or array that grows at its end. */
typedef struct axl__branch {
    axl__arena *arena;
    axl__json *node;
    axl__json **tail;
} axl__branch;

/* Makes node an empty one of the type. */
axl__branch axl__branch_of(axl__arena *arena, axl__json *node, axl__json_type type);
/* A null behind the others; key NULL in an array.  NULL when memory is out. */
axl__json *axl__branch_add(axl__branch *b, const char *key, size_t key_len);

/* False when memory is out. */
bool axl__json_set_string(axl__json *v, axl__arena *arena, const char *text, size_t len);
bool axl__json_set_int(axl__json *v, axl__arena *arena, int64_t value);
bool axl__json_set_double(axl__json *v, axl__arena *arena, double value);
/* Digits that are more than int64 has, as they are. */
bool axl__json_set_digits(axl__json *v, axl__arena *arena, const char *text, size_t len);
void axl__json_set_bool(axl__json *v, bool value);

#endif
