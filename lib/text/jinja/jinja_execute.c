/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jinja_execute.c - statements.  Scopes are jinja2's: the bodies of if share the scope around them;
 * the bodies of for, with, set, filter, call, macro and generation have their own, and what they
 * set ends with them (a namespace is for the rest).
 */
#include "jinja_priv.h"

#include <string.h>

axl_status axl__j_scope_new(jstate *st, jscope *parent, jscope **out)
{
    *out = axl__j_alloc(st, sizeof **out);
    if (!*out)
        return axl__j_out_of(st);
    (*out)->parent = parent;
    return AXL_OK;
}

axl_status axl__j_bind(jstate *st, jscope *scope, const jname *name, jvalue value)
{
    for (uint32_t i = 0; i < scope->n; i++)
        if (scope->bindings[i].name == name)
            return scope->bindings[i].value = value, AXL_OK;
    if (scope->n == scope->cap) {
        uint32_t cap = scope->cap ? 2 * scope->cap : 4;
        jbinding *bindings = axl__j_alloc(st, cap * sizeof *bindings);
        if (!bindings)
            return axl__j_out_of(st);
        if (scope->n > 0)
            memcpy(bindings, scope->bindings, scope->n * sizeof *bindings);
        scope->bindings = bindings;
        scope->cap = cap;
    }
    scope->bindings[scope->n++] = (jbinding){ name, value };
    return AXL_OK;
}

static axl_status put_output(jstate *st, jvalue v)
{
    AXL_TRY(axl__j_put(st, st->out, v));
    if (st->out->len > st->limits.output)
        return axl__j_fail(st, "the template writes more than %llu bytes",
                           (unsigned long long)st->limits.output);
    return AXL_OK;
}

/* ---- bodies whose text is kept ---- */

/* Runs a body in a new scope of `around`; its text is the value. */
static axl_status capture(jstate *st, const jnode *body, jscope *around, jvalue *out)
{
    axl__str *before = st->out, *text;
    jscope *scope;

    AXL_TRY(axl__j_scope_new(st, around, &scope));
    AXL_TRY(axl__j_begin(st, &text));
    st->out = text;
    AXL_TRY(axl__j_run_body(st, body, scope));
    st->out = before;
    return axl__j_end(st, out);
}

/* A chain of filters whose innermost has no expression: v goes there. */
static axl_status apply_filters(jstate *st, const jnode *filter, jscope *scope, jvalue v,
                                jvalue *out)
{
    jargs args;

    if (!filter)
        return *out = v, AXL_OK;
    AXL_TRY(axl__j_enter(st));
    AXL_TRY(apply_filters(st, filter->a, scope, v, &v));
    st->line = filter->line;
    if (!filter->builtin)
        return axl__j_fail(st, "there is no filter '%s'", filter->name->text);
    AXL_TRY(axl__j_eval_args(st, filter->children, scope, &args));
    axl__j_leave(st);
    return axl__j_call_builtin(st, filter->builtin, v, &args, out);
}

static axl_status run_set_block(jstate *st, const jnode *node, jscope *scope)
{
    jvalue v;

    AXL_TRY(capture(st, node->children, scope, &v));
    AXL_TRY(apply_filters(st, node->b, scope, v, &v));
    return axl__j_assign(st, node->a, scope, v);
}

static axl_status run_filter_block(jstate *st, const jnode *node, jscope *scope)
{
    jvalue v;

    AXL_TRY(capture(st, node->children, scope, &v));
    AXL_TRY(apply_filters(st, node->b, scope, v, &v));
    return put_output(st, v);
}

static axl_status run_generation(jstate *st, const jnode *node, jscope *scope)
{
    jvalue v;

    AXL_TRY(capture(st, node->other, scope, &v));
    return put_output(st, v);
}

static axl_status run_in_new_scope(jstate *st, const jnode *body, jscope *around)
{
    jscope *scope;

    AXL_TRY(axl__j_scope_new(st, around, &scope));
    return axl__j_run_body(st, body, scope);
}

/* Each value is computed outside of what with sets. */
static axl_status run_with(jstate *st, const jnode *node, jscope *around)
{
    jscope *scope;
    jvalue v;

    AXL_TRY(axl__j_scope_new(st, around, &scope));
    for (const jnode *t = node->other; t; t = t->next) {
        AXL_TRY(axl__j_eval(st, t->b, around, &v));
        AXL_TRY(axl__j_assign(st, t->a, scope, v));
    }
    return axl__j_run_body(st, node->children, scope);
}

/* ---- macros ---- */

static axl_status make_macro(jstate *st, const jnode *node, const char *name, jscope *scope,
                             jvalue *out)
{
    jmacro *macro = axl__j_alloc(st, sizeof *macro);

    if (!macro)
        return axl__j_out_of(st);
    *macro = (jmacro){ node, name, scope };
    st->macros_made++;
    *out = (jvalue){ .kind = J_MACRO, .as.macro = macro };
    return AXL_OK;
}

static axl_status define_macro(jstate *st, const jnode *node, jscope *scope)
{
    jvalue v;

    AXL_TRY(make_macro(st, node, node->name->text, scope, &v));
    return axl__j_bind(st, scope, node->name, v);
}

static axl_status run_call_block(jstate *st, const jnode *node, jscope *scope)
{
    jvalue callee, caller, v;
    jargs args;

    AXL_TRY(make_macro(st, node, "caller", scope, &caller));
    AXL_TRY(axl__j_eval(st, node->a->a, scope, &callee));
    AXL_TRY(axl__j_eval_args(st, node->a->children, scope, &args));
    AXL_TRY(axl__j_dict_set(st, args.named, axl__j_text("caller", 6), caller));
    st->line = node->line;
    AXL_TRY(axl__j_call(st, callee, &args, &v));
    return put_output(st, v);
}

/* ---- the rest ---- */

static axl_status run_set(jstate *st, const jnode *node, jscope *scope)
{
    jvalue v;

    AXL_TRY(axl__j_eval(st, node->b, scope, &v));
    return axl__j_assign(st, node->a, scope, v);
}

static axl_status run_if(jstate *st, const jnode *node, jscope *scope)
{
    for (;;) {
        jvalue v;
        AXL_TRY(axl__j_eval(st, node->a, scope, &v));
        if (axl__j_truth(v))
            return axl__j_run_body(st, node->children, scope);
        const jnode *other = node->other;
        if (!other || other->kind != J_IF || other->next)
            return axl__j_run_body(st, other, scope);
        node = other;
    }
}

static axl_status run_for(jstate *st, const jnode *node, jscope *scope)
{
    jvalue v;
    jlist *items;

    AXL_TRY(axl__j_eval(st, node->b, scope, &v));
    AXL_TRY(axl__j_items(st, v, &items));
    return axl__j_run_for(st, node, scope, items, 0);
}

static axl_status run_output(jstate *st, const jnode *node, jscope *scope)
{
    for (; node; node = node->other) {
        jvalue v;
        AXL_TRY(axl__j_eval(st, node->a, scope, &v));
        AXL_TRY(put_output(st, v));
    }
    return AXL_OK;
}

static axl_status run_statement(jstate *st, const jnode *node, jscope *scope)
{
    switch ((jnode_kind)node->kind) {
    case J_DATA: return put_output(st, node->value);
    case J_OUTPUT: return run_output(st, node, scope);
    case J_SET: return run_set(st, node, scope);
    case J_SET_BLOCK: return run_set_block(st, node, scope);
    case J_FOR: return run_for(st, node, scope);
    case J_IF: return run_if(st, node, scope);
    case J_DEFINE_MACRO: return define_macro(st, node, scope);
    case J_CALL_BLOCK: return run_call_block(st, node, scope);
    case J_FILTER_BLOCK: return run_filter_block(st, node, scope);
    case J_WITH: return run_with(st, node, scope);
    case J_BLOCK: return run_in_new_scope(st, node->children, scope);
    case J_GENERATION: return run_generation(st, node, scope);
    case J_BREAK: st->flow = J_FLOW_BREAK; return AXL_OK;
    default: st->flow = J_FLOW_CONTINUE; return AXL_OK;
    }
}

axl_status axl__j_run_body(jstate *st, const jnode *body, jscope *scope)
{
    AXL_TRY(axl__j_enter(st));
    for (const jnode *node = body; node && st->flow == J_FLOW_ON; node = node->next) {
        st->line = node->line;
        AXL_TRY(axl__j_step(st));
        AXL_TRY(run_statement(st, node, scope));
    }
    axl__j_leave(st);
    return AXL_OK;
}
