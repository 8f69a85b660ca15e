/* SPDX-License-Identifier: Apache-2.0 */
/* json_make.c - see json_make.h. */
#include "json_make.h"

#include <string.h>

void axl__json_make(axl__json_maker *m, axl__arena *arena, axl__json *node, axl__json_type type)
{
    *node = (axl__json){ .type = type };
    *m = (axl__json_maker){ arena, node, NULL };
}

static axl__json *fill_member(axl__json *member, const char *key, const axl__json *value)
{
    axl__json *next = member->next;

    *member = *value;
    member->key = key;
    member->key_len = key ? strlen(key) : 0;
    member->next = next;
    return member;
}

axl__json *axl__json_add(axl__json_maker *m, const char *key, const axl__json *value)
{
    axl__json *member = axl__arena_alloc(m->arena, sizeof *member);

    if (!member)
        return NULL;
    *(m->last ? &m->last->next : &m->node->child) = member;
    m->last = member;
    m->node->count++;
    return fill_member(member, key, value);
}

axl__json *axl__json_put(axl__json_maker *m, const char *key, const axl__json *value)
{
    axl__json *member = m->node->child;

    while (member && (!key || strcmp(member->key, key) != 0))
        member = member->next;
    return member ? fill_member(member, key, value) : axl__json_add(m, key, value);
}

axl__json axl__json_text(const char *text, size_t len)
{
    return (axl__json){ .type = AXL__JSON_STRING, .text = text, .len = len };
}
