/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jinja_uses.c - which attributes and items of a variable a template names, as Axolotl's analyser
 * counts them: those at the end of a chain of "." and "[ ]" belong to the name that it begins with,
 * at any depth, and scopes do not matter.
 */
#include "jinja_priv.h"

#include <string.h>

/* An operator's left side may be a long chain. */
enum { WALK_MAX = 2000 };

typedef struct {
    const axl__jinja *t;
    const char *variable;
    axl__jinja_use_fn use;
    void *user;
    uint32_t depth;
} uses_walk;

static bool begins_with(const uses_walk *w, const jnode *node)
{
    while (node->kind == J_GETATTR || node->kind == J_GETITEM)
        node = node->a;
    return node->kind == J_NAME && strcmp(node->name->text, w->variable) == 0;
}

static void look_at(const uses_walk *w, const jnode *node)
{
    bool item = node->kind == J_GETITEM && node->b->kind == J_CONST;

    if (node->kind == J_GETATTR && begins_with(w, node->a))
        w->use(w->user, node->name->text, node->name->len);
    else if (item && node->b->value.kind == J_STRING && begins_with(w, node->a))
        w->use(w->user, node->b->value.as.text, node->b->value.len);
}

static axl_status walk(uses_walk *w, const jnode *node)
{
    if (node && ++w->depth > WALK_MAX)
        return axl__fail(AXL_ERR_FORMAT, "%s:%u: more than %d expressions in one another",
                         w->t->name, (unsigned)node->line, WALK_MAX);
    for (const jnode *n = node; n; n = n->next) {
        const jnode *parts[] = { n->a, n->b, n->c, n->children, n->other };
        look_at(w, n);
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
            AXL_TRY(walk(w, parts[i]));
    }
    w->depth -= node != NULL;
    return AXL_OK;
}

axl_status axl__jinja_uses(const axl__jinja *t, const char *variable, axl__jinja_use_fn use,
                           void *user)
{
    uses_walk w = { t, variable, use, user, 0 };

    return walk(&w, t->body);
}
