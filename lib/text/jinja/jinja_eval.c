/* SPDX-License-Identifier: Apache-2.0 */
/* jinja_eval.c - the value of an expression. */
#include "jinja_priv.h"

#include <string.h>

/* ---- names ---- */

/* The context's, else a global function, else undefined; looked for once. */
static axl_status look_up_global(jstate *st, const jname *name, jvalue *out)
{
    jvalue *global = &st->globals[name->number];

    if (global->kind == J_ABSENT) {
        const jvalue *found = axl__j_dict_find(st, st->context, axl__j_text(name->text, name->len));
        const jbuiltin *b = axl__j_find_builtin(axl__j_functions, name->text, name->len);
        if (found)
            *global = *found;
        else if (b)
            *global = (jvalue){ .kind = J_FUNCTION, .as.builtin = b };
        else
            *global = axl__j_undefined(J_NO_NAME, name->text, name->len);
    }
    *out = *global;
    return AXL_OK;
}

static axl_status look_up(jstate *st, const jname *name, const jscope *scope, jvalue *out)
{
    for (; scope; scope = scope->parent)
        for (uint32_t i = scope->n; i-- > 0;)
            if (scope->bindings[i].name == name)
                return *out = scope->bindings[i].value, AXL_OK;
    return look_up_global(st, name, out);
}

/* ---- values made of others ---- */

static axl_status make_list(jstate *st, const jnode *node, jscope *scope, jvalue *out)
{
    jlist *list;
    jvalue v;

    AXL_TRY(axl__j_list_new(st, 0, &list));
    for (const jnode *c = node->children; c; c = c->next) {
        AXL_TRY(axl__j_eval(st, c, scope, &v));
        AXL_TRY(axl__j_list_add(st, list, v));
    }
    *out = node->kind == J_MAKE_TUPLE ? axl__j_tuple(list) : axl__j_list(list);
    return AXL_OK;
}

static axl_status make_dict(jstate *st, const jnode *node, jscope *scope, jvalue *out)
{
    jdict *dict;
    jvalue key, value;

    AXL_TRY(axl__j_dict_new(st, &dict));
    for (const jnode *c = node->children; c; c = c->next->next) {
        AXL_TRY(axl__j_eval(st, c, scope, &key));
        AXL_TRY(axl__j_eval(st, c->next, scope, &value));
        AXL_TRY(axl__j_dict_set(st, dict, key, value));
    }
    *out = axl__j_dict(dict);
    return AXL_OK;
}

static axl_status concat(jstate *st, const jnode *node, jscope *scope, jvalue *out)
{
    jvalue v;

    *out = axl__j_text("", 0);
    for (const jnode *c = node->children; c; c = c->next) {
        AXL_TRY(axl__j_eval(st, c, scope, &v));
        AXL_TRY(axl__j_text_of(st, v, &v));
        AXL_TRY(axl__j_join(st, *out, v, out));
    }
    return AXL_OK;
}

/* ---- operators ---- */

static axl_status compare(jstate *st, const jnode *node, jscope *scope, jvalue *out)
{
    jvalue left, right;
    bool holds = true;

    AXL_TRY(axl__j_eval(st, node->a, scope, &left));
    for (const jnode *c = node->children; c && holds; c = c->next) {
        AXL_TRY(axl__j_eval(st, c->a, scope, &right));
        AXL_TRY(axl__j_compare(st, (jtoken_type)c->op, left, right, &holds));
        left = right;
    }
    *out = axl__j_bool(holds);
    return AXL_OK;
}

static axl_status binary(jstate *st, const jnode *node, jscope *scope, jvalue *out)
{
    jvalue a, b;

    AXL_TRY(axl__j_eval(st, node->a, scope, &a));
    AXL_TRY(axl__j_eval(st, node->b, scope, &b));
    return axl__j_binary(st, (jtoken_type)node->op, a, b, out);
}

/* and, or: the side that decides. */
static axl_status either(jstate *st, const jnode *node, jscope *scope, jvalue *out)
{
    AXL_TRY(axl__j_eval(st, node->a, scope, out));
    if (axl__j_truth(*out) == (node->kind == J_OR))
        return AXL_OK;
    return axl__j_eval(st, node->b, scope, out);
}

static axl_status condition(jstate *st, const jnode *node, jscope *scope, jvalue *out)
{
    static const char text[] = "an 'if' without 'else' gave no value";
    jvalue v;

    AXL_TRY(axl__j_eval(st, node->a, scope, &v));
    if (axl__j_truth(v))
        return axl__j_eval(st, node->b, scope, out);
    if (node->c)
        return axl__j_eval(st, node->c, scope, out);
    *out = axl__j_undefined(J_SAID, text, sizeof text - 1);
    return AXL_OK;
}

static axl_status eval_optional(jstate *st, const jnode *node, jscope *scope, jvalue *out)
{
    *out = axl__j_none();
    return node ? axl__j_eval(st, node, scope, out) : AXL_OK;
}

static axl_status subscript(jstate *st, const jnode *node, jscope *scope, jvalue *out)
{
    jvalue of, key, bounds[3];

    AXL_TRY(axl__j_eval(st, node->a, scope, &of));
    if (node->b->kind != J_SLICE) {
        AXL_TRY(axl__j_eval(st, node->b, scope, &key));
        return axl__j_getitem(st, of, key, out);
    }
    AXL_TRY(eval_optional(st, node->b->a, scope, &bounds[0]));
    AXL_TRY(eval_optional(st, node->b->b, scope, &bounds[1]));
    AXL_TRY(eval_optional(st, node->b->c, scope, &bounds[2]));
    return axl__j_slice(st, of, &bounds[0], &bounds[1], &bounds[2], out);
}

/* ---- calls ---- */

static axl_status spread_list(jstate *st, jvalue v, jlist *to)
{
    jlist *items;

    AXL_TRY(axl__j_items(st, v, &items));
    for (size_t i = 0; i < items->n; i++)
        AXL_TRY(axl__j_list_add(st, to, items->items[i]));
    return AXL_OK;
}

static axl_status spread_dict(jstate *st, jvalue v, jdict *to)
{
    if (v.kind != J_DICT)
        return axl__j_fail(st, "** of %s", axl__j_type_name(v));
    for (size_t i = 0; i < v.as.dict->n; i++) {
        jpair pair = v.as.dict->pairs[i];
        AXL_TRY(axl__j_need_text(st, pair.key, "an argument's name"));
        if (axl__j_dict_find(st, to, pair.key))
            return axl__j_fail(st, "argument '%.*s' is given twice", (int)pair.key.len,
                               pair.key.as.text);
        AXL_TRY(axl__j_dict_set(st, to, pair.key, pair.value));
    }
    return AXL_OK;
}

static axl_status add_argument(jstate *st, const jnode *c, jvalue v, jargs *out)
{
    if (c->kind == J_STAR)
        return spread_list(st, v, out->positional);
    if (c->kind == J_STAR_STAR)
        return spread_dict(st, v, out->named);
    if (c->kind != J_KEYWORD)
        return axl__j_list_add(st, out->positional, v);
    jvalue name = axl__j_text(c->name->text, c->name->len);
    if (axl__j_dict_find(st, out->named, name))
        return axl__j_fail(st, "argument '%s' is given twice", c->name->text);
    return axl__j_dict_set(st, out->named, name, v);
}

axl_status axl__j_eval_args(jstate *st, const jnode *children, jscope *scope, jargs *out)
{
    jvalue v;

    AXL_TRY(axl__j_list_new(st, 0, &out->positional));
    AXL_TRY(axl__j_dict_new(st, &out->named));
    for (const jnode *c = children; c; c = c->next) {
        bool wrapped = c->kind == J_KEYWORD || c->kind == J_STAR || c->kind == J_STAR_STAR;
        AXL_TRY(axl__j_eval(st, wrapped ? c->a : c, scope, &v));
        AXL_TRY(add_argument(st, c, v, out));
    }
    return AXL_OK;
}

static axl_status call(jstate *st, const jnode *node, jscope *scope, jvalue *out)
{
    jvalue callee;
    jargs args;

    AXL_TRY(axl__j_eval(st, node->a, scope, &callee));
    AXL_TRY(axl__j_eval_args(st, node->children, scope, &args));
    st->line = node->line;
    return axl__j_call(st, callee, &args, out);
}

static axl_status filter_or_test(jstate *st, const jnode *node, jscope *scope, jvalue *out)
{
    jvalue v;
    jargs args;

    if (!node->builtin)
        return axl__j_fail(st, "there is no %s '%s'", node->kind == J_TEST ? "test" : "filter",
                           node->name->text);
    AXL_TRY(axl__j_eval(st, node->a, scope, &v));
    AXL_TRY(axl__j_eval_args(st, node->children, scope, &args));
    st->line = node->line;
    return axl__j_call_builtin(st, node->builtin, v, &args, out);
}

static axl_status negate(jstate *st, const jnode *node, jscope *scope, jvalue *out)
{
    AXL_TRY(axl__j_eval(st, node->a, scope, out));
    *out = axl__j_bool(!axl__j_truth(*out));
    return AXL_OK;
}

static axl_status sign(jstate *st, const jnode *node, jscope *scope, jvalue *out)
{
    jvalue v;

    AXL_TRY(axl__j_eval(st, node->a, scope, &v));
    return axl__j_unary(st, (jtoken_type)node->op, v, out);
}

static axl_status attribute(jstate *st, const jnode *node, jscope *scope, jvalue *out)
{
    jvalue v;

    AXL_TRY(axl__j_eval(st, node->a, scope, &v));
    return axl__j_getattr(st, v, axl__j_text(node->name->text, node->name->len), out);
}

static axl_status eval_node(jstate *st, const jnode *node, jscope *scope, jvalue *out)
{
    switch ((jnode_kind)node->kind) {
    case J_CONST: *out = node->value; return AXL_OK;
    case J_NAME: return look_up(st, node->name, scope, out);
    case J_GETATTR: return attribute(st, node, scope, out);
    case J_GETITEM: return subscript(st, node, scope, out);
    case J_MAKE_LIST:
    case J_MAKE_TUPLE: return make_list(st, node, scope, out);
    case J_MAKE_DICT: return make_dict(st, node, scope, out);
    case J_UNARY: return sign(st, node, scope, out);
    case J_BINARY: return binary(st, node, scope, out);
    case J_AND:
    case J_OR: return either(st, node, scope, out);
    case J_NOT: return negate(st, node, scope, out);
    case J_COMPARE: return compare(st, node, scope, out);
    case J_CONCAT: return concat(st, node, scope, out);
    case J_CONDITION: return condition(st, node, scope, out);
    case J_CALL: return call(st, node, scope, out);
    case J_FILTER:
    case J_TEST: return filter_or_test(st, node, scope, out);
    default: return axl__j_fail(st, "a slice among other subscripts");
    }
}

axl_status axl__j_eval(jstate *st, const jnode *node, jscope *scope, jvalue *out)
{
    AXL_TRY(axl__j_enter(st));
    st->line = node->line;
    AXL_TRY(eval_node(st, node, scope, out));
    axl__j_leave(st);
    return AXL_OK;
}
