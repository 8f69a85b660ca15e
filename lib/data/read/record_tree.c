/* SPDX-License-Identifier: Apache-2.0 */
/* record_tree.c - see record_tree.h. */
#include "data/read/record_tree.h"

#include "base/num.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

axl__branch axl__branch_of(axl__arena *arena, axl__json *node, axl__json_type type)
{
    node->type = type;
    return (axl__branch){ arena, node, &node->child };
}

axl__json *axl__branch_add(axl__branch *b, const char *key, size_t key_len)
{
    axl__json *v = axl__arena_alloc(b->arena, sizeof *v);

    if (!v)
        return NULL;
    v->type = AXL__JSON_NULL;
    v->key = key;
    v->key_len = key_len;
    *b->tail = v;
    b->tail = &v->next;
    b->node->count++;
    return v;
}

static bool set_text(axl__json *v, axl__arena *arena, const char *text, size_t len)
{
    v->text = axl__arena_strndup(arena, text, len);
    v->len = len;
    return v->text != NULL;
}

bool axl__json_set_string(axl__json *v, axl__arena *arena, const char *text, size_t len)
{
    v->type = AXL__JSON_STRING;
    return set_text(v, arena, text, len);
}

bool axl__json_set_int(axl__json *v, axl__arena *arena, int64_t value)
{
    char text[AXL__NUM_MAX];
    int len = snprintf(text, sizeof text, "%" PRId64, value);

    v->type = AXL__JSON_INT;
    v->integer = value;
    v->number = (double)value;
    return set_text(v, arena, text, (size_t)len);
}

bool axl__json_set_double(axl__json *v, axl__arena *arena, double value)
{
    char text[AXL__NUM_MAX];

    axl__format_double(text, value);
    v->type = AXL__JSON_FLOAT;
    v->number = value;
    return set_text(v, arena, text, strlen(text));
}

bool axl__json_set_digits(axl__json *v, axl__arena *arena, const char *text, size_t len)
{
    v->type = AXL__JSON_FLOAT;
    return axl__parse_double(text, len, &v->number) && set_text(v, arena, text, len);
}

void axl__json_set_bool(axl__json *v, bool value)
{
    v->type = AXL__JSON_BOOL;
    v->boolean = value;
}
