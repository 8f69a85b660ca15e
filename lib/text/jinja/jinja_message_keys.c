/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jinja_message_keys.c - which keys of a message a template reads, as Axolotl 0.19's analyser
 * (prompt_strategies/jinja_template_analyzer.py) finds them.
 *
 * They are the attributes and constant texts at the end of a chain of "." and "[ ]" that begins
 * with the name "message", in any scope.  The analyser also means to follow loops and assignments
 * from the variable of the messages, but its tables are empty at the time it asks them: what a
 * template reads through a loop variable of another name is not found, and data sets are read by
 * what it finds.  (The exception is a variable that is called messages_slice; no template's is.)
 */
#include "jinja_priv.h"

#include <string.h>

/* An operator's left side may be a long chain. */
enum { WALK_MAX = 2000 };

typedef struct {
    const axl__jinja *t;
    axl__map seen; /* the keys; the value means nothing */
    axl__arena *arena;
    const axl__jinja_key **end; /* where the next key goes */
    uint32_t depth;
} keys_walk;

static bool begins_with_message(const jnode *node)
{
    while (node->kind == J_GETATTR || node->kind == J_GETITEM)
        node = node->a;
    return node->kind == J_NAME && strcmp(node->name->text, "message") == 0;
}

static axl_status add_key(keys_walk *w, const char *text, size_t len)
{
    int64_t found;

    if (axl__map_get(&w->seen, text, len, &found) || memchr(text, '\0', len))
        return AXL_OK;
    axl__jinja_key *key = axl__arena_alloc(w->arena, sizeof *key);
    char *copy = axl__arena_strndup(w->arena, text, len);
    if (!key || !copy)
        return axl__fail_nomem();
    *key = (axl__jinja_key){ copy, NULL };
    *w->end = key;
    w->end = &key->next;
    return axl__map_set(&w->seen, copy, len, 1);
}

static axl_status look_at(keys_walk *w, const jnode *node)
{
    bool item = node->kind == J_GETITEM && node->b->kind == J_CONST;

    if (node->kind == J_GETATTR && begins_with_message(node->a))
        return add_key(w, node->name->text, node->name->len);
    if (item && node->b->value.kind == J_STRING && begins_with_message(node->a))
        return add_key(w, node->b->value.as.text, node->b->value.len);
    return AXL_OK;
}

static axl_status walk(keys_walk *w, const jnode *node)
{
    if (node && ++w->depth > WALK_MAX)
        return axl__fail(AXL_ERR_FORMAT, "%s:%u: more than %d expressions in one another",
                         w->t->name, (unsigned)node->line, WALK_MAX);
    for (const jnode *n = node; n; n = n->next) {
        const jnode *parts[] = { n->a, n->b, n->c, n->children, n->other };
        AXL_TRY(look_at(w, n));
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
            AXL_TRY(walk(w, parts[i]));
    }
    w->depth -= node != NULL;
    return AXL_OK;
}

axl_status axl__jinja_message_keys(const axl__jinja *t, axl__arena *arena,
                                   const axl__jinja_key **first)
{
    keys_walk w = { .t = t, .arena = arena, .end = first };

    *first = NULL;
    axl__map_init(&w.seen, t->ctx);
    axl_status status = walk(&w, t->body);
    axl__map_free(&w.seen);
    return status;
}
