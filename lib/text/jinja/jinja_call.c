/* SPDX-License-Identifier: Apache-2.0 */
/* jinja_call.c - arguments to parameters: of macros, of functions, filters, tests and methods. */
#include "jinja_priv.h"

#include <string.h>

axl_status axl__j_need_int(jstate *st, jvalue v, const char *what, int64_t *out)
{
    if (!axl__j_is_integer(v))
        return v.kind == J_UNDEFINED
                   ? axl__j_fail_undefined(st, v)
                   : axl__j_fail(st, "%s must be an integer, not %s", what, axl__j_type_name(v));
    *out = axl__j_as_int(v);
    return AXL_OK;
}

axl_status axl__j_need_text(jstate *st, jvalue v, const char *what)
{
    if (v.kind == J_STRING)
        return AXL_OK;
    return v.kind == J_UNDEFINED
               ? axl__j_fail_undefined(st, v)
               : axl__j_fail(st, "%s must be a text, not %s", what, axl__j_type_name(v));
}

const jbuiltin *axl__j_find_builtin(const jbuiltin *table, const char *name, size_t len)
{
    for (; table->name; table++)
        if (strlen(table->name) == len && memcmp(table->name, name, len) == 0)
            return table;
    return NULL;
}

/* ---- built-in ones ---- */

/* The names of params into names; how many, and how many must be given. */
static size_t read_params(const char *params, jvalue names[J_PARAMS_MAX], size_t *needed)
{
    size_t n = 0;
    bool optional = false;

    *needed = 0;
    params += *params == '/';
    while (*params) {
        size_t len = strcspn(params, " |");
        if (len > 0) {
            names[n++] = axl__j_text(params, len);
            *needed += !optional;
        }
        params += len;
        optional = optional || *params == '|';
        params += *params != '\0';
    }
    return n;
}

static axl_status place_named(jstate *st, const jbuiltin *b, const jargs *args, const jvalue *names,
                              size_t n, jvalue *arg)
{
    for (size_t i = 0; i < args->named->n; i++) {
        jvalue key = args->named->pairs[i].key;
        size_t at = 0;
        while (at < n && !axl__j_is_text(names[at], key.as.text, key.len))
            at++;
        if (at == n)
            return axl__j_fail(st, "%s has no argument '%.*s'", b->name, (int)key.len, key.as.text);
        if (axl__j_given(arg[at]))
            return axl__j_fail(st, "%s: argument '%.*s' is given twice", b->name, (int)key.len,
                               key.as.text);
        arg[at] = args->named->pairs[i].value;
    }
    return AXL_OK;
}

axl_status axl__j_call_builtin(jstate *st, const jbuiltin *b, jvalue self, const jargs *args,
                               jvalue *out)
{
    jvalue names[J_PARAMS_MAX], arg[J_PARAMS_MAX];
    size_t n, needed;

    axl__j_charge(st, self);
    for (size_t i = 0; i < args->positional->n; i++)
        axl__j_charge(st, args->positional->items[i]);
    if (!b->params)
        return b->fn(st, self, NULL, args, out);
    n = read_params(b->params, names, &needed);
    if (b->params[0] == '/' && args->named->n > 0)
        return axl__j_fail(st, "%s takes its arguments by place only", b->name);
    if (args->positional->n > n)
        return axl__j_fail(st, "%s takes %zu arguments at most, not %zu", b->name, n,
                           args->positional->n);
    for (size_t i = 0; i < n; i++)
        arg[i] =
            i < args->positional->n ? args->positional->items[i] : (jvalue){ .kind = J_ABSENT };
    AXL_TRY(place_named(st, b, args, names, n, arg));
    for (size_t i = 0; i < needed; i++)
        if (!axl__j_given(arg[i]))
            return axl__j_fail(st, "%s: argument '%.*s' is missing", b->name, (int)names[i].len,
                               names[i].as.text);
    return b->fn(st, self, arg, args, out);
}

/* ---- macros ---- */

static bool is_parameter(const jnode *macro, jvalue key)
{
    for (const jnode *p = macro->children; p; p = p->next)
        if (axl__j_is_text(key, p->name->text, p->name->len))
            return true;
    return false;
}

/* caller, varargs or kwargs. */
static axl_status bind_own(jstate *st, jscope *scope, jvalue key, jvalue v)
{
    for (const jname *const *n = st->t->own_names; n < st->t->own_names + 3; n++)
        if (*n && axl__j_is_text(key, (*n)->text, (*n)->len))
            return axl__j_bind(st, scope, *n, v);
    return AXL_OK;
}

/* Named arguments that no parameter has: the caller, and the rest for kwargs. */
static axl_status bind_rest(jstate *st, const jmacro *m, jscope *scope, const jargs *args)
{
    jvalue caller = axl__j_undefined(J_SAID, "there is no caller", 18);
    jdict *rest;

    AXL_TRY(axl__j_dict_new(st, &rest));
    for (size_t i = 0; i < args->named->n; i++) {
        jpair pair = args->named->pairs[i];
        if (is_parameter(m->node, pair.key))
            continue;
        if ((m->node->uses & J_USES_CALLER) && axl__j_is_text(pair.key, "caller", 6))
            caller = pair.value;
        else if (m->node->uses & J_USES_KWARGS)
            AXL_TRY(axl__j_dict_set(st, rest, pair.key, pair.value));
        else
            return axl__j_fail(st, "macro '%s' has no argument '%.*s'", m->name, (int)pair.key.len,
                               pair.key.as.text);
    }
    if (m->node->uses & J_USES_CALLER)
        AXL_TRY(bind_own(st, scope, axl__j_text("caller", 6), caller));
    if (m->node->uses & J_USES_KWARGS)
        AXL_TRY(bind_own(st, scope, axl__j_text("kwargs", 6), axl__j_dict(rest)));
    return AXL_OK;
}

static axl_status bind_varargs(jstate *st, const jmacro *m, jscope *scope, const jargs *args,
                               size_t from)
{
    jlist *rest;

    if (!(m->node->uses & J_USES_VARARGS))
        return args->positional->n <= from
                   ? AXL_OK
                   : axl__j_fail(st, "macro '%s' takes %zu arguments at most, not %zu", m->name,
                                 from, args->positional->n);
    AXL_TRY(axl__j_list_new(st, 0, &rest));
    for (; from < args->positional->n; from++)
        AXL_TRY(axl__j_list_add(st, rest, args->positional->items[from]));
    return bind_own(st, scope, axl__j_text("varargs", 7), axl__j_tuple(rest));
}

static axl_status bind_parameter(jstate *st, const jnode *p, jscope *scope, const jargs *args,
                                 size_t i)
{
    jvalue name = axl__j_text(p->name->text, p->name->len), v;
    const jvalue *named = axl__j_dict_find(st, args->named, name);

    if (i < args->positional->n && named)
        return axl__j_fail(st, "argument '%s' is given twice", p->name->text);
    if (i < args->positional->n)
        v = args->positional->items[i];
    else if (named)
        v = *named;
    else if (p->a)
        AXL_TRY(axl__j_eval(st, p->a, scope, &v));
    else
        v = axl__j_undefined(J_NO_NAME, name.as.text, name.len);
    return axl__j_bind(st, scope, p->name, v);
}

static axl_status call_macro(jstate *st, const jmacro *m, const jargs *args, jvalue *out)
{
    axl__str *before = st->out, *text;
    jscope *scope;
    size_t n = 0;

    AXL_TRY(axl__j_scope_new(st, m->scope, &scope));
    for (const jnode *p = m->node->children; p; p = p->next)
        AXL_TRY(bind_parameter(st, p, scope, args, n++));
    AXL_TRY(bind_varargs(st, m, scope, args, n));
    AXL_TRY(bind_rest(st, m, scope, args));
    AXL_TRY(axl__j_begin(st, &text));
    st->out = text;
    AXL_TRY(axl__j_run_body(st, m->node->other, scope));
    st->out = before;
    return axl__j_end(st, out);
}

/* ---- all ---- */

static axl_status call_joiner(jcycler *joiner, jvalue *out)
{
    *out = joiner->at++ > 0 ? joiner->items->items[0] : axl__j_text("", 0);
    return AXL_OK;
}

axl_status axl__j_call(jstate *st, jvalue callee, const jargs *args, jvalue *out)
{
    axl_status status;

    AXL_TRY(axl__j_enter(st));
    switch (callee.kind) {
    case J_MACRO: status = call_macro(st, callee.as.macro, args, out); break;
    case J_FUNCTION:
        status = axl__j_call_builtin(st, callee.as.builtin, axl__j_none(), args, out);
        break;
    case J_METHOD:
        status =
            axl__j_call_builtin(st, callee.as.method->builtin, callee.as.method->self, args, out);
        break;
    case J_LOOP: status = axl__j_call_loop(st, callee.as.loop, args, out); break;
    case J_JOINER: status = call_joiner(callee.as.cycler, out); break;
    case J_UNDEFINED: return axl__j_fail_undefined(st, callee);
    default: return axl__j_fail(st, "%s cannot be called", axl__j_type_name(callee));
    }
    axl__j_leave(st);
    return status;
}
