/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jinja_loop.c - for, and what "loop" knows.  A loop with a condition looks at an item when it
 * comes to it (or is asked what follows), so that the condition sees what the passes before it did.
 */
#include "jinja_priv.h"

#include <string.h>

/* ---- setting names ---- */

static axl_status assign_tuple(jstate *st, const jnode *target, jscope *scope, jvalue value)
{
    size_t n = 0;
    jlist *items;

    for (const jnode *c = target->children; c; c = c->next)
        n++;
    AXL_TRY(axl__j_items(st, value, &items));
    if (items->n != n)
        return axl__j_fail(st, "%zu values for %zu names", items->n, n);
    n = 0;
    for (const jnode *c = target->children; c; c = c->next)
        AXL_TRY(axl__j_assign(st, c, scope, items->items[n++]));
    return AXL_OK;
}

static axl_status assign_attribute(jstate *st, const jnode *target, jscope *scope, jvalue value)
{
    jvalue of;

    AXL_TRY(axl__j_eval(st, target->a, scope, &of));
    if (of.kind != J_NAMESPACE)
        return axl__j_fail(st, "an attribute can be set of a namespace only, not of %s",
                           axl__j_type_name(of));
    return axl__j_dict_set(st, of.as.dict, axl__j_text(target->name->text, target->name->len),
                           value);
}

axl_status axl__j_assign(jstate *st, const jnode *target, jscope *scope, jvalue value)
{
    switch ((jnode_kind)target->kind) {
    case J_NAME: return axl__j_bind(st, scope, target->name, value);
    case J_TARGET_ATTRIBUTE: return assign_attribute(st, target, scope, value);
    default: return assign_tuple(st, target, scope, value);
    }
}

/* ---- going on ---- */

/* Whether the loop's condition, if it has one, takes the item. */
static axl_status takes(jstate *st, jloop *loop, jvalue item, bool *out)
{
    jscope *scope;
    jvalue v;

    *out = true;
    if (!loop->node->c || loop->filtered)
        return AXL_OK;
    AXL_TRY(axl__j_scope_new(st, loop->scope, &scope));
    AXL_TRY(axl__j_assign(st, loop->node->a, scope, item));
    AXL_TRY(axl__j_eval(st, loop->node->c, scope, &v));
    *out = axl__j_truth(v);
    return AXL_OK;
}

axl_status axl__j_loop_peek(jstate *st, jloop *loop)
{
    while (!loop->has_ahead && loop->next < loop->items->n) {
        jvalue item = loop->items->items[loop->next++];
        AXL_TRY(takes(st, loop, item, &loop->has_ahead));
        loop->ahead = item;
    }
    return AXL_OK;
}

static axl_status move_on(jstate *st, jloop *loop, bool *more)
{
    AXL_TRY(axl__j_loop_peek(st, loop));
    *more = loop->has_ahead;
    if (!*more)
        return AXL_OK;
    loop->index0 += loop->has_current;
    loop->has_previous = loop->has_current;
    loop->previous = loop->current;
    loop->current = loop->ahead;
    loop->has_current = true;
    loop->has_ahead = false;
    return AXL_OK;
}

static axl_status run_pass(jstate *st, jloop *loop, const jname *name, jscope *scope)
{
    jvalue self = { .kind = J_LOOP, .as.loop = loop };

    if (name)
        AXL_TRY(axl__j_bind(st, scope, name, self));
    AXL_TRY(axl__j_assign(st, loop->node->a, scope, loop->current));
    AXL_TRY(axl__j_run_body(st, loop->node->children, scope));
    return axl__j_step(st);
}

/* A scope serves the next pass again unless a macro was made that may still look into it.  As in
 * jinja2, a loop whose passes all end in break or continue has its else run: *any is false. */
static axl_status run_passes(jstate *st, jloop *loop, bool *any)
{
    uint64_t made = st->macros_made;
    jscope *scope = NULL;
    bool more;

    *any = false;
    for (;;) {
        AXL_TRY(move_on(st, loop, &more));
        if (!more)
            return AXL_OK;
        if (!scope || made != st->macros_made)
            AXL_TRY(axl__j_scope_new(st, loop->scope, &scope));
        made = st->macros_made;
        scope->n = 0;
        AXL_TRY(run_pass(st, loop, st->t->loop_name, scope));
        bool leave = st->flow == J_FLOW_BREAK;
        *any = *any || st->flow == J_FLOW_ON;
        st->flow = J_FLOW_ON;
        if (leave)
            return AXL_OK;
    }
}

axl_status axl__j_run_for(jstate *st, const jnode *node, jscope *scope, jlist *items, size_t depth0)
{
    jloop *loop = axl__j_alloc(st, sizeof *loop);
    jscope *other;
    bool any;

    if (!loop)
        return axl__j_out_of(st);
    *loop = (jloop){ .node = node, .scope = scope, .items = items, .depth0 = depth0 };
    AXL_TRY(run_passes(st, loop, &any));
    if (any || !node->other)
        return AXL_OK;
    AXL_TRY(axl__j_scope_new(st, scope, &other));
    return axl__j_run_body(st, node->other, other);
}

/* loop(items): the loop's own body over other items, as a text. */
axl_status axl__j_call_loop(jstate *st, jloop *loop, const jargs *args, jvalue *out)
{
    axl__str *before = st->out, *text;
    jlist *items;

    if (!loop->node->op)
        return axl__j_fail(st, "only a recursive loop can be called");
    if (args->positional->n != 1 || args->named->n > 0)
        return axl__j_fail(st, "loop() takes one argument");
    AXL_TRY(axl__j_items(st, args->positional->items[0], &items));
    AXL_TRY(axl__j_begin(st, &text));
    st->out = text;
    AXL_TRY(axl__j_run_for(st, loop->node, loop->scope, items, loop->depth0 + 1));
    st->out = before;
    return axl__j_end(st, out);
}

/* ---- loop.… ---- */

/* Looks at all that follow. */
static axl_status count_all(jstate *st, jloop *loop, int64_t *out)
{
    jlist *rest;

    AXL_TRY(axl__j_loop_peek(st, loop));
    if (loop->node->c && !loop->filtered && loop->next < loop->items->n) {
        AXL_TRY(axl__j_list_new(st, 0, &rest));
        for (; loop->next < loop->items->n; loop->next++) {
            bool taken;
            AXL_TRY(takes(st, loop, loop->items->items[loop->next], &taken));
            if (taken)
                AXL_TRY(axl__j_list_add(st, rest, loop->items->items[loop->next]));
        }
        loop->items = rest;
        loop->next = 0;
        loop->filtered = true;
    }
    *out = (int64_t)(loop->index0 + 1 + loop->has_ahead + loop->items->n - loop->next);
    return AXL_OK;
}

static axl_status neighbour(bool there, jvalue item, const char *what, jvalue *out)
{
    *out = there ? item : axl__j_undefined(J_SAID, what, strlen(what));
    return AXL_OK;
}

static axl_status get_counted(jstate *st, jloop *loop, jvalue name, jvalue *out)
{
    int64_t n;

    bool reversed = axl__j_is_text(name, "revindex", 8);
    bool reversed0 = axl__j_is_text(name, "revindex0", 9);

    if (!reversed && !reversed0 && !axl__j_is_text(name, "length", 6))
        return AXL_OK;
    AXL_TRY(count_all(st, loop, &n));
    n -= reversed || reversed0 ? (int64_t)loop->index0 : 0;
    *out = axl__j_int(n - reversed0);
    return AXL_OK;
}

static axl_status get_ahead(jstate *st, jloop *loop, jvalue name, jvalue *out)
{
    bool last = axl__j_is_text(name, "last", 4);

    if (!last && !axl__j_is_text(name, "nextitem", 8))
        return get_counted(st, loop, name, out);
    AXL_TRY(axl__j_loop_peek(st, loop));
    if (last)
        return *out = axl__j_bool(!loop->has_ahead), AXL_OK;
    return neighbour(loop->has_ahead, loop->ahead, "there is no next item", out);
}

axl_status axl__j_loop_attribute(jstate *st, jloop *loop, jvalue name, jvalue *out)
{
    struct {
        const char *name;
        size_t value;
    } plain[] = { { "index", loop->index0 + 1 },
                  { "index0", loop->index0 },
                  { "depth", loop->depth0 + 1 },
                  { "depth0", loop->depth0 } };

    for (size_t i = 0; i < 4; i++)
        if (axl__j_is_text(name, plain[i].name, strlen(plain[i].name)))
            return *out = axl__j_int((int64_t)plain[i].value), AXL_OK;
    if (axl__j_is_text(name, "first", 5))
        return *out = axl__j_bool(loop->index0 == 0), AXL_OK;
    if (axl__j_is_text(name, "previtem", 8))
        return neighbour(loop->has_previous, loop->previous, "there is no previous item", out);
    return get_ahead(st, loop, name, out);
}
