/* SPDX-License-Identifier: Apache-2.0 */
/* jinja_object_methods.c - methods of mappings, lists, numbers, loops and cyclers; which object has
 * which. */
#include "jinja_priv.h"

#define METHOD(name)                                                                               \
    static axl_status name(jstate *st, jvalue self, const jvalue *arg, const jargs *args,          \
                           jvalue *out)

METHOD(dict_get)
{
    (void)args;
    AXL_TRY(axl__j_hashable(st, arg[0]));
    const jvalue *found = axl__j_dict_find(st, self.as.dict, arg[0]);
    *out = found ? *found : axl__j_given(arg[1]) ? arg[1] : axl__j_none();
    return AXL_OK;
}

static axl_status view_of(jstate *st, jvalue self, jview_kind which, jvalue *out)
{
    jview *view = axl__j_alloc(st, sizeof *view);

    if (!view)
        return axl__j_out_of(st);
    *view = (jview){ which, self.as.dict };
    *out = (jvalue){ .kind = J_VIEW, .as.view = view };
    return AXL_OK;
}

METHOD(dict_items)
{
    (void)arg;
    (void)args;
    return view_of(st, self, J_ITEMS, out);
}

METHOD(dict_keys)
{
    (void)arg;
    (void)args;
    return view_of(st, self, J_KEYS, out);
}

METHOD(dict_values)
{
    (void)arg;
    (void)args;
    return view_of(st, self, J_VALUES, out);
}

/* Nothing can change either of the two. */
METHOD(copy)
{
    (void)st;
    (void)arg;
    (void)args;
    *out = self;
    return AXL_OK;
}

METHOD(list_count)
{
    int64_t n = 0;

    (void)args;
    for (size_t i = 0; i < self.as.list->n; i++) {
        bool equal;
        AXL_TRY(axl__j_equal(st, self.as.list->items[i], arg[0], &equal));
        n += equal;
    }
    *out = axl__j_int(n);
    return AXL_OK;
}

METHOD(list_index)
{
    (void)args;
    for (size_t i = 0; i < self.as.list->n; i++) {
        bool equal;
        AXL_TRY(axl__j_equal(st, self.as.list->items[i], arg[0], &equal));
        if (equal)
            return *out = axl__j_int((int64_t)i), AXL_OK;
    }
    return axl__j_fail(st, "index: the value is not in the list");
}

METHOD(float_is_integer)
{
    (void)st;
    (void)arg;
    (void)args;
    *out = axl__j_bool(self.as.number - self.as.number == 0.0 &&
                       axl__j_round(self.as.number, 0) == self.as.number);
    return AXL_OK;
}

METHOD(loop_cycle)
{
    (void)arg;
    if (args->positional->n == 0)
        return axl__j_fail(st, "loop.cycle without values");
    *out = args->positional->items[self.as.loop->index0 % args->positional->n];
    return AXL_OK;
}

METHOD(loop_changed)
{
    jvalue seen = axl__j_tuple(args->positional);
    bool equal = false;

    (void)arg;
    if (self.as.loop->has_changed)
        AXL_TRY(axl__j_equal(st, self.as.loop->changed, seen, &equal));
    self.as.loop->changed = seen;
    self.as.loop->has_changed = true;
    *out = axl__j_bool(!equal);
    return AXL_OK;
}

METHOD(cycler_next)
{
    jcycler *c = self.as.cycler;

    (void)st;
    (void)arg;
    (void)args;
    *out = c->items->items[c->at];
    c->at = (c->at + 1) % c->items->n;
    return AXL_OK;
}

METHOD(cycler_reset)
{
    (void)st;
    (void)arg;
    (void)args;
    self.as.cycler->at = 0;
    *out = axl__j_none();
    return AXL_OK;
}

static const jbuiltin dict_methods[] = {
    { "get", dict_get, "/key|default" }, { "items", dict_items, "/" }, { "keys", dict_keys, "/" },
    { "values", dict_values, "/" },      { "copy", copy, "/" },        { NULL, NULL, NULL },
};
static const jbuiltin tuple_methods[] = {
    { "count", list_count, "/value" },
    { "index", list_index, "/value" },
    { NULL, NULL, NULL },
};
static const jbuiltin list_methods[] = {
    { "count", list_count, "/value" },
    { "index", list_index, "/value" },
    { "copy", copy, "/" },
    { NULL, NULL, NULL },
};
static const jbuiltin float_methods[] = {
    { "is_integer", float_is_integer, "/" },
    { NULL, NULL, NULL },
};
static const jbuiltin loop_methods[] = {
    { "cycle", loop_cycle, NULL },
    { "changed", loop_changed, NULL },
    { NULL, NULL, NULL },
};
static const jbuiltin cycler_methods[] = {
    { "next", cycler_next, "/" },
    { "reset", cycler_reset, "/" },
    { NULL, NULL, NULL },
};

const jbuiltin *axl__j_find_method(jvalue v, const char *name, size_t len)
{
    const jbuiltin *found;

    switch (v.kind) {
    case J_STRING:
        found = axl__j_find_builtin(axl__j_text_methods, name, len);
        return found ? found : axl__j_find_builtin(axl__j_search_methods, name, len);
    case J_DICT: return axl__j_find_builtin(dict_methods, name, len);
    case J_LIST: return axl__j_find_builtin(list_methods, name, len);
    case J_TUPLE: return axl__j_find_builtin(tuple_methods, name, len);
    case J_FLOAT: return axl__j_find_builtin(float_methods, name, len);
    case J_LOOP: return axl__j_find_builtin(loop_methods, name, len);
    case J_CYCLER: return axl__j_find_builtin(cycler_methods, name, len);
    default: return NULL;
    }
}
