/* SPDX-License-Identifier: Apache-2.0 */
/* jinja_sequence_filters.c - filters that pick from, order or change sequences and mappings.  What
 * jinja2 makes with a generator is an iterator here. */
#include "jinja_priv.h"

#include <string.h>

#define FILTER(name)                                                                               \
    static axl_status name(jstate *st, jvalue self, const jvalue *arg, const jargs *args,          \
                           jvalue *out)

static jvalue nothing_in(const char *why)
{
    return axl__j_undefined(J_SAID, why, strlen(why));
}

static bool is_none(jvalue v)
{
    return !axl__j_given(v) || v.kind == J_NONE;
}

static jvalue reversed(jlist *list)
{
    for (size_t i = 0; i < list->n / 2; i++) {
        jvalue swap = list->items[i];
        list->items[i] = list->items[list->n - 1 - i];
        list->items[list->n - 1 - i] = swap;
    }
    return axl__j_iterator(list, "reversed");
}

static axl_status copy_items(jstate *st, jvalue v, jlist **out)
{
    jlist *items;

    AXL_TRY(axl__j_items(st, v, &items));
    AXL_TRY(axl__j_list_new(st, items->n + 1, out));
    if (items->n > 0)
        memcpy((*out)->items, items->items, items->n * sizeof *items->items);
    (*out)->n = items->n;
    return AXL_OK;
}

FILTER(list)
{
    jlist *items;

    (void)arg;
    (void)args;
    AXL_TRY(copy_items(st, self, &items));
    *out = axl__j_list(items);
    return AXL_OK;
}

FILTER(first)
{
    jlist *items;

    (void)arg;
    (void)args;
    *out = nothing_in("the first item of nothing");
    if (self.kind == J_ITERATOR) {
        items = self.as.list;
        if (items->at < items->n)
            *out = items->items[items->at++];
        return AXL_OK;
    }
    AXL_TRY(axl__j_items(st, self, &items));
    if (items->n > 0)
        *out = items->items[0];
    return AXL_OK;
}

FILTER(last)
{
    jlist *items;

    (void)arg;
    (void)args;
    if (self.kind == J_ITERATOR)
        return axl__j_fail(st, "an iterator has no last item; use |list first");
    AXL_TRY(axl__j_items(st, self, &items));
    *out = items->n > 0 ? items->items[items->n - 1] : nothing_in("the last item of nothing");
    return AXL_OK;
}

FILTER(reverse)
{
    jlist *items;
    jvalue back = axl__j_int(-1);

    (void)arg;
    (void)args;
    if (self.kind == J_STRING)
        return axl__j_slice(st, self, NULL, NULL, &back, out);
    AXL_TRY(copy_items(st, self, &items));
    *out = reversed(items);
    if (self.kind == J_ITERATOR)
        *out = axl__j_list(items);
    return AXL_OK;
}

FILTER(join)
{
    jvalue by = axl__j_given(arg[0]) ? arg[0] : axl__j_text("", 0), v;
    jlist *items;
    axl__str *text;

    (void)args;
    AXL_TRY(axl__j_text_of(st, by, &by));
    AXL_TRY(axl__j_items(st, self, &items));
    AXL_TRY(axl__j_begin(st, &text));
    for (size_t i = 0; i < items->n; i++) {
        AXL_TRY(axl__j_get_path(st, items->items[i], arg[1], &v));
        if (i > 0)
            axl__str_put(text, by.as.text, by.len);
        AXL_TRY(axl__j_put(st, text, v));
        if (text->len > st->limits.memory)
            return axl__j_fail(st, "a joined text of more than %llu bytes",
                               (unsigned long long)st->limits.memory);
    }
    return axl__j_end(st, out);
}

/* ---- ordering ---- */

static axl_status fold_case(jstate *st, jvalue v, jvalue *out)
{
    jargs none;

    *out = v;
    if (v.kind != J_STRING)
        return AXL_OK;
    AXL_TRY(axl__j_eval_args(st, NULL, NULL, &none));
    return axl__j_call_builtin(st, axl__j_find_method(v, "lower", 5), v, &none, out);
}

static axl_status key_of(jstate *st, jvalue item, jvalue attribute, bool case_sensitive,
                         jvalue *out)
{
    AXL_TRY(axl__j_get_path(st, item, attribute, out));
    return case_sensitive ? AXL_OK : fold_case(st, *out, out);
}

/* The keys of "a,b" are lists. */
static axl_status keys_of(jstate *st, jvalue item, jvalue attribute, bool case_sensitive,
                          jvalue *out)
{
    jlist *keys;
    jvalue key;

    AXL_TRY(axl__j_list_new(st, 1, &keys));
    *out = axl__j_list(keys);
    if (attribute.kind != J_STRING) {
        AXL_TRY(key_of(st, item, attribute, case_sensitive, &key));
        return axl__j_list_add(st, keys, key);
    }
    for (size_t at = 0; at <= attribute.len;) {
        const char *part = attribute.as.text + at;
        const char *comma = at < attribute.len ? memchr(part, ',', attribute.len - at) : NULL;
        size_t n = comma ? (size_t)(comma - part) : attribute.len - at;
        AXL_TRY(key_of(st, item, axl__j_text(part, n), case_sensitive, &key));
        AXL_TRY(axl__j_list_add(st, keys, key));
        at += n + 1;
    }
    return AXL_OK;
}

FILTER(sort)
{
    jlist *items, *keys;
    jvalue key;

    (void)args;
    AXL_TRY(copy_items(st, self, &items));
    AXL_TRY(axl__j_list_new(st, items->n, &keys));
    for (size_t i = 0; i < items->n; i++) {
        AXL_TRY(keys_of(st, items->items[i], arg[2], axl__j_truth(arg[1]), &key));
        AXL_TRY(axl__j_list_add(st, keys, key));
    }
    AXL_TRY(axl__j_sort(st, items, keys, axl__j_truth(arg[0])));
    *out = axl__j_list(items);
    return AXL_OK;
}

FILTER(dictsort)
{
    jvalue by = axl__j_given(arg[1]) ? arg[1] : axl__j_text("key", 3), key;
    bool value = axl__j_is_text(by, "value", 5), exact = axl__j_truth(arg[0]);
    jlist *items, *keys;

    (void)args;
    if (self.kind != J_DICT)
        return self.kind == J_UNDEFINED ? axl__j_fail_undefined(st, self)
                                        : axl__j_fail(st, "dictsort of %s", axl__j_type_name(self));
    if (!value && !axl__j_is_text(by, "key", 3))
        return axl__j_fail(st, "dictsort sorts by key or value");
    jview view = { J_ITEMS, self.as.dict };
    AXL_TRY(copy_items(st, (jvalue){ .kind = J_VIEW, .as.view = &view }, &items));
    AXL_TRY(axl__j_list_new(st, items->n, &keys));
    for (size_t i = 0; i < items->n; i++) {
        AXL_TRY(key_of(st, items->items[i], axl__j_int(value), exact, &key));
        AXL_TRY(axl__j_list_add(st, keys, key));
    }
    AXL_TRY(axl__j_sort(st, items, keys, axl__j_truth(arg[2])));
    *out = axl__j_list(items);
    return AXL_OK;
}

static axl_status extreme(jstate *st, jvalue self, const jvalue *arg, jtoken_type op, jvalue *out)
{
    jlist *items;
    jvalue best = axl__j_none(), key;
    bool better;

    AXL_TRY(axl__j_items(st, self, &items));
    *out = nothing_in("the least or greatest of nothing");
    for (size_t i = 0; i < items->n; i++) {
        AXL_TRY(key_of(st, items->items[i], arg[1], axl__j_truth(arg[0]), &key));
        better = i == 0;
        if (i > 0)
            AXL_TRY(axl__j_less(st, key, best, op, &better));
        if (!better)
            continue;
        best = key;
        *out = items->items[i];
    }
    return AXL_OK;
}

FILTER(min)
{
    (void)args;
    return extreme(st, self, arg, T_LT, out);
}

FILTER(max)
{
    (void)args;
    return extreme(st, self, arg, T_GT, out);
}

FILTER(unique)
{
    jlist *items, *made;
    jdict *seen;
    jvalue key;

    (void)args;
    AXL_TRY(axl__j_items(st, self, &items));
    AXL_TRY(axl__j_list_new(st, 0, &made));
    AXL_TRY(axl__j_dict_new(st, &seen));
    for (size_t i = 0; i < items->n; i++) {
        AXL_TRY(key_of(st, items->items[i], arg[1], axl__j_truth(arg[0]), &key));
        size_t before = seen->n;
        AXL_TRY(axl__j_dict_set(st, seen, key, axl__j_none()));
        if (seen->n > before)
            AXL_TRY(axl__j_list_add(st, made, items->items[i]));
    }
    *out = axl__j_iterator(made, "unique");
    return AXL_OK;
}

static axl_status attribute_or(jstate *st, jvalue item, jvalue attribute, jvalue otherwise,
                               jvalue *out)
{
    AXL_TRY(axl__j_get_path(st, item, attribute, out));
    if (out->kind == J_UNDEFINED && !is_none(otherwise))
        *out = otherwise;
    return AXL_OK;
}

/* The keys of sorted items, and the items: a run of equal keys is a group. */
static axl_status group_runs(jstate *st, jlist *items, const jlist *keys, const jlist *names,
                             jlist *made)
{
    for (size_t i = 0; i < items->n;) {
        jlist *members;
        jvalue group;
        bool equal = true;
        size_t from = i;
        AXL_TRY(axl__j_list_new(st, 0, &members));
        while (i < items->n && equal) {
            AXL_TRY(axl__j_list_add(st, members, items->items[i++]));
            if (i < items->n)
                AXL_TRY(axl__j_equal(st, keys->items[i], keys->items[from], &equal));
        }
        AXL_TRY(axl__j_pair(st, names->items[from], axl__j_list(members), &group));
        group.as.list->why = "group";
        AXL_TRY(axl__j_list_add(st, made, group));
    }
    return AXL_OK;
}

FILTER(groupby)
{
    jlist *items, *keys, *names, *made;
    jvalue name, key;

    (void)args;
    AXL_TRY(copy_items(st, self, &items));
    for (int sorted = 0; sorted < 2; sorted++) {
        AXL_TRY(axl__j_list_new(st, items->n, &keys));
        AXL_TRY(axl__j_list_new(st, items->n, &names));
        for (size_t i = 0; i < items->n; i++) {
            AXL_TRY(attribute_or(st, items->items[i], arg[0], arg[1], &name));
            AXL_TRY(axl__j_truth(arg[2]) ? (key = name, AXL_OK) : fold_case(st, name, &key));
            AXL_TRY(axl__j_list_add(st, keys, key));
            AXL_TRY(axl__j_list_add(st, names, name));
        }
        if (!sorted)
            AXL_TRY(axl__j_sort(st, items, keys, false));
    }
    AXL_TRY(axl__j_list_new(st, 0, &made));
    AXL_TRY(group_runs(st, items, keys, names, made));
    *out = axl__j_list(made);
    return AXL_OK;
}

/* ---- picking and changing ---- */

/* The arguments behind the first n. */
static axl_status skip_args(jstate *st, const jargs *args, size_t n, jargs *out)
{
    AXL_TRY(axl__j_list_new(st, 0, &out->positional));
    out->named = args->named;
    for (size_t i = n; i < args->positional->n; i++)
        AXL_TRY(axl__j_list_add(st, out->positional, args->positional->items[i]));
    return AXL_OK;
}

/* map(attribute=…, default=…). */
static axl_status map_attribute(jstate *st, const jlist *items, const jargs *args, jvalue attribute,
                                jlist *made)
{
    const jvalue *otherwise = axl__j_dict_find(st, args->named, axl__j_text("default", 7));
    jvalue v;

    if (args->named->n > (otherwise ? 2 : 1))
        return axl__j_fail(st, "map takes attribute and default, or a filter");
    for (size_t i = 0; i < items->n; i++) {
        AXL_TRY(attribute_or(st, items->items[i], attribute, otherwise ? *otherwise : axl__j_none(),
                             &v));
        AXL_TRY(axl__j_list_add(st, made, v));
    }
    return AXL_OK;
}

static axl_status map_filter(jstate *st, const jlist *items, const jargs *args, jlist *made)
{
    jargs rest;
    jvalue name, v;

    if (args->positional->n == 0)
        return axl__j_fail(st, "map needs a filter's name or an attribute");
    name = args->positional->items[0];
    AXL_TRY(axl__j_need_text(st, name, "a filter's name"));
    const jbuiltin *filter = axl__j_filter(name.as.text, name.len);
    if (!filter)
        return axl__j_fail(st, "there is no filter '%.*s'", (int)name.len, name.as.text);
    AXL_TRY(skip_args(st, args, 1, &rest));
    for (size_t i = 0; i < items->n; i++) {
        AXL_TRY(axl__j_enter(st));
        AXL_TRY(axl__j_call_builtin(st, filter, items->items[i], &rest, &v));
        axl__j_leave(st);
        AXL_TRY(axl__j_list_add(st, made, v));
    }
    return AXL_OK;
}

FILTER(map)
{
    const jvalue *attribute = axl__j_dict_find(st, args->named, axl__j_text("attribute", 9));
    jlist *items, *made;

    (void)arg;
    AXL_TRY(axl__j_list_new(st, 0, &made));
    *out = axl__j_iterator(made, "map");
    if (!axl__j_truth(self))
        return AXL_OK;
    AXL_TRY(axl__j_items(st, self, &items));
    if (args->positional->n == 0 && attribute)
        return map_attribute(st, items, args, *attribute, made);
    return map_filter(st, items, args, made);
}

typedef struct {
    bool by_attribute, reject;
    jvalue attribute;
    const jbuiltin *test; /* NULL: whether it is true */
    jargs rest;
} selection;

static axl_status read_selection(jstate *st, const jargs *args, selection *s)
{
    size_t n = s->by_attribute ? 1 : 0;

    if (args->positional->n < n)
        return axl__j_fail(st, "an attribute's name is missing");
    if (n > 0)
        s->attribute = args->positional->items[0];
    if (args->positional->n == n)
        return AXL_OK;
    jvalue name = args->positional->items[n];
    AXL_TRY(axl__j_need_text(st, name, "a test's name"));
    s->test = axl__j_test(name.as.text, name.len);
    if (!s->test)
        return axl__j_fail(st, "there is no test '%.*s'", (int)name.len, name.as.text);
    return skip_args(st, args, n + 1, &s->rest);
}

static axl_status is_selected(jstate *st, const selection *s, jvalue item, bool *out)
{
    jvalue v = item;

    if (s->by_attribute)
        AXL_TRY(axl__j_get_path(st, item, s->attribute, &v));
    if (s->test)
        AXL_TRY(axl__j_call_builtin(st, s->test, v, &s->rest, &v));
    *out = axl__j_truth(v) != s->reject;
    return AXL_OK;
}

static axl_status select_items(jstate *st, jvalue self, const jargs *args, bool by_attribute,
                               bool reject, jvalue *out)
{
    selection s = { .by_attribute = by_attribute, .reject = reject };
    jlist *items, *made;
    bool selected;

    AXL_TRY(axl__j_list_new(st, 0, &made));
    *out = axl__j_iterator(made, "select");
    if (!axl__j_truth(self))
        return AXL_OK;
    AXL_TRY(read_selection(st, args, &s));
    AXL_TRY(axl__j_items(st, self, &items));
    for (size_t i = 0; i < items->n; i++) {
        AXL_TRY(is_selected(st, &s, items->items[i], &selected));
        if (selected)
            AXL_TRY(axl__j_list_add(st, made, items->items[i]));
    }
    return AXL_OK;
}

FILTER(select)
{
    (void)arg;
    return select_items(st, self, args, false, false, out);
}

FILTER(reject)
{
    (void)arg;
    return select_items(st, self, args, false, true, out);
}

FILTER(selectattr)
{
    (void)arg;
    return select_items(st, self, args, true, false, out);
}

FILTER(rejectattr)
{
    (void)arg;
    return select_items(st, self, args, true, true, out);
}

/* ---- lists of lists ---- */

FILTER(batch)
{
    jlist *items, *made, *row;
    int64_t size;

    (void)args;
    AXL_TRY(axl__j_need_int(st, arg[0], "a batch's size", &size));
    AXL_TRY(axl__j_items(st, self, &items));
    AXL_TRY(axl__j_list_new(st, 0, &made));
    AXL_TRY(axl__j_list_new(st, 0, &row));
    for (size_t i = 0; i < items->n; i++) {
        if ((int64_t)row->n == size) {
            AXL_TRY(axl__j_list_add(st, made, axl__j_list(row)));
            AXL_TRY(axl__j_list_new(st, 0, &row));
        }
        AXL_TRY(axl__j_list_add(st, row, items->items[i]));
    }
    while (row->n > 0 && !is_none(arg[1]) && (int64_t)row->n < size)
        AXL_TRY(axl__j_list_add(st, row, arg[1]));
    if (row->n > 0)
        AXL_TRY(axl__j_list_add(st, made, axl__j_list(row)));
    *out = axl__j_iterator(made, "batch");
    return AXL_OK;
}

FILTER(slice)
{
    jlist *items, *made, *part;
    int64_t n, from = 0;

    (void)args;
    AXL_TRY(axl__j_need_int(st, arg[0], "a number of slices", &n));
    AXL_TRY(axl__j_items(st, self, &items));
    AXL_TRY(axl__j_list_new(st, 0, &made));
    *out = axl__j_iterator(made, "slice");
    if (n == 0)
        return axl__j_fail(st, "division by zero");
    for (int64_t i = 0; i < n; i++) {
        int64_t extra = i < (int64_t)items->n % n;
        int64_t to = from + (int64_t)items->n / n + extra;
        AXL_TRY(axl__j_list_new(st, 0, &part));
        for (; from < to; from++)
            AXL_TRY(axl__j_list_add(st, part, items->items[from]));
        if (!is_none(arg[1]) && !extra)
            AXL_TRY(axl__j_list_add(st, part, arg[1]));
        AXL_TRY(axl__j_list_add(st, made, axl__j_list(part)));
    }
    return AXL_OK;
}

/* ---- the rest ---- */

FILTER(items)
{
    jview view = { J_ITEMS, self.as.dict };
    jlist *made;

    (void)arg;
    (void)args;
    if (self.kind != J_DICT && self.kind != J_UNDEFINED)
        return axl__j_fail(st, "items of %s", axl__j_type_name(self));
    AXL_TRY(axl__j_list_new(st, 0, &made));
    if (self.kind == J_DICT)
        AXL_TRY(axl__j_items(st, (jvalue){ .kind = J_VIEW, .as.view = &view }, &made));
    *out = axl__j_iterator(made, "items");
    return AXL_OK;
}

/* As ".", without the items of a mapping. */
FILTER(attr)
{
    (void)args;
    AXL_TRY(axl__j_need_text(st, arg[0], "an attribute's name"));
    if (self.kind == J_DICT && !axl__j_find_method(self, arg[0].as.text, arg[0].len)) {
        *out = axl__j_undefined(J_NO_ATTRIBUTE, arg[0].as.text, arg[0].len);
        return AXL_OK;
    }
    return axl__j_getattr(st, self, arg[0], out);
}

const jbuiltin axl__j_sequence_filters[] = {
    { "list", list, "" },
    { "first", first, "" },
    { "last", last, "" },
    { "reverse", reverse, "" },
    { "join", join, "|d attribute" },
    { "sort", sort, "|reverse case_sensitive attribute" },
    { "dictsort", dictsort, "|case_sensitive by reverse" },
    { "min", min, "|case_sensitive attribute" },
    { "max", max, "|case_sensitive attribute" },
    { "unique", unique, "|case_sensitive attribute" },
    { "groupby", groupby, "attribute|default case_sensitive" },
    { "map", map, NULL },
    { "select", select, NULL },
    { "reject", reject, NULL },
    { "selectattr", selectattr, NULL },
    { "rejectattr", rejectattr, NULL },
    { "batch", batch, "linecount|fill_with" },
    { "slice", slice, "slices|fill_with" },
    { "items", items, "" },
    { "attr", attr, "name" },
    { NULL, NULL, NULL },
};
