/* SPDX-License-Identifier: Apache-2.0 */
/* jinja_access.c - what "." and "[ ]" find: methods before items for ".", items before methods for
 * "[ ]", as jinja2's sandbox looks them up; what is not there is undefined. */
#include "jinja_priv.h"

#include "base/utf8.h"

#include <string.h>

static bool is_dunder(jvalue name)
{
    return name.len > 4 && memcmp(name.as.text, "__", 2) == 0 &&
           memcmp(name.as.text + name.len - 2, "__", 2) == 0;
}

/* Methods that change their object; the sandbox has none of them. */
static bool changes(jvalue v, jvalue name)
{
    static const char *const of_lists[] = { "append", "clear",  "pop",    "reverse", "insert",
                                            "sort",   "extend", "remove", NULL };
    static const char *const of_dicts[] = {
        "clear", "pop", "popitem", "setdefault", "update", NULL
    };
    static const char *const none[] = { NULL };
    const char *const *names = v.kind == J_LIST ? of_lists : v.kind == J_DICT ? of_dicts : none;

    for (; *names; names++)
        if (axl__j_is_text(name, *names, strlen(*names)))
            return true;
    return false;
}

static axl_status bind_method(jstate *st, jvalue v, const jbuiltin *b, jvalue *out)
{
    jmethod *method = axl__j_alloc(st, sizeof *method);

    if (!method)
        return axl__j_out_of(st);
    *method = (jmethod){ v, b };
    *out = (jvalue){ .kind = J_METHOD, .as.method = method };
    return AXL_OK;
}

/* The attributes that are values and not methods. */
static axl_status get_own(jstate *st, jvalue v, jvalue name, jvalue *out)
{
    const jvalue *found;

    if (v.kind == J_LOOP)
        return axl__j_loop_attribute(st, v.as.loop, name, out);
    if (v.kind == J_NAMESPACE) {
        found = axl__j_dict_find(st, v.as.dict, name);
        if (found)
            *out = *found;
    } else if (v.kind == J_TUPLE && v.as.list->why) { /* groupby's */
        if (axl__j_is_text(name, "grouper", 7))
            *out = v.as.list->items[0];
        else if (axl__j_is_text(name, "list", 4))
            *out = v.as.list->items[1];
    } else if (v.kind == J_CYCLER && axl__j_is_text(name, "current", 7)) {
        *out = v.as.cycler->items->items[v.as.cycler->at];
    } else if (v.kind == J_MACRO && axl__j_is_text(name, "name", 4)) {
        *out = axl__j_text(v.as.macro->name, strlen(v.as.macro->name));
    }
    return AXL_OK;
}

/* J_ABSENT where Python's getattr finds nothing. */
static axl_status get_attribute(jstate *st, jvalue v, jvalue name, jvalue *out)
{
    const jbuiltin *method = axl__j_find_method(v, name.as.text, name.len);

    out->kind = J_ABSENT;
    if (method)
        return bind_method(st, v, method, out);
    if (is_dunder(name) || changes(v, name)) {
        *out = axl__j_undefined(J_UNSAFE, name.as.text, name.len);
        return AXL_OK;
    }
    return get_own(st, v, name, out);
}

axl_status axl__j_getattr(jstate *st, jvalue v, jvalue name, jvalue *out)
{
    const jvalue *found = NULL;

    if (v.kind == J_UNDEFINED && !is_dunder(name))
        return axl__j_fail_undefined(st, v);
    AXL_TRY(get_attribute(st, v, name, out));
    if (out->kind != J_ABSENT)
        return AXL_OK;
    if (v.kind == J_DICT)
        found = axl__j_dict_find(st, v.as.dict, name);
    *out = found ? *found : axl__j_undefined(J_NO_ATTRIBUTE, name.as.text, name.len);
    return AXL_OK;
}

/* ---- items ---- */

static bool item_of_text(jvalue v, int64_t i, jvalue *out)
{
    int64_t n = (int64_t)axl__j_count(v.as.text, v.len);

    i += i < 0 ? n : 0;
    if (i < 0 || i >= n)
        return false;
    size_t from = axl__j_offset(v.as.text, v.len, (size_t)i), to = from;
    axl__utf8_next(v.as.text, v.len, &to);
    *out = axl__j_text(v.as.text + from, to - from);
    out->markup = v.markup;
    return true;
}

static bool item_of_range(const jrange *r, int64_t i, jvalue *out)
{
    int64_t n = axl__j_range_len(r);

    i += i < 0 ? n : 0;
    if (i < 0 || i >= n)
        return false;
    *out = axl__j_int(r->start + i * r->step);
    return true;
}

static bool item_at(jvalue v, int64_t i, jvalue *out)
{
    if (v.kind == J_STRING)
        return item_of_text(v, i, out);
    if (v.kind == J_RANGE)
        return item_of_range(v.as.range, i, out);
    if (v.kind != J_LIST && v.kind != J_TUPLE)
        return false;
    int64_t n = (int64_t)v.as.list->n;
    i += i < 0 ? n : 0;
    if (i < 0 || i >= n)
        return false;
    *out = v.as.list->items[i];
    return true;
}

static bool is_hashable(jvalue key)
{
    bool is = key.kind != J_LIST && key.kind != J_DICT && key.kind != J_VIEW;

    for (size_t i = 0; is && key.kind == J_TUPLE && i < key.as.list->n; i++)
        is = key.as.list->items[i].kind < J_LIST;
    return is;
}

axl_status axl__j_getitem(jstate *st, jvalue v, jvalue key, jvalue *out)
{
    const jvalue *found;
    jvalue shown;

    if (v.kind == J_UNDEFINED)
        return axl__j_fail_undefined(st, v);
    axl__j_charge(st, v);
    if (v.kind == J_DICT && is_hashable(key)) {
        found = axl__j_dict_find(st, v.as.dict, key);
        if (found)
            return *out = *found, AXL_OK;
    } else if (axl__j_is_integer(key) && item_at(v, axl__j_as_int(key), out)) {
        return AXL_OK;
    }
    if (key.kind == J_STRING) {
        AXL_TRY(get_attribute(st, v, key, out));
        if (out->kind != J_ABSENT)
            return AXL_OK;
        *out = axl__j_undefined(J_NO_ATTRIBUTE, key.as.text, key.len);
        return AXL_OK;
    }
    if (key.kind <= J_FLOAT)
        AXL_TRY(axl__j_text_of(st, key, &shown));
    else
        shown = axl__j_text(axl__j_type_name(key), strlen(axl__j_type_name(key)));
    *out = axl__j_undefined(J_NO_ITEM, shown.as.text, shown.len);
    return AXL_OK;
}

static bool all_digits(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return len > 0 && len < 18;
}

axl_status axl__j_get_path(jstate *st, jvalue v, jvalue path, jvalue *out)
{
    if (path.kind != J_STRING)
        return path.kind == J_NONE || !axl__j_given(path) ? (*out = v, AXL_OK)
                                                          : axl__j_getitem(st, v, path, out);
    for (size_t at = 0; at <= path.len;) {
        const char *part = path.as.text + at;
        const char *dot = path.len > at ? memchr(part, '.', path.len - at) : NULL;
        size_t n = dot ? (size_t)(dot - part) : path.len - at;
        jvalue key = axl__j_text(part, n);
        if (all_digits(part, n)) {
            key = axl__j_int(0);
            for (size_t i = 0; i < n; i++)
                key.as.integer = key.as.integer * 10 + (part[i] - '0');
        }
        AXL_TRY(axl__j_getitem(st, v, key, &v));
        at += n + 1;
    }
    *out = v;
    return AXL_OK;
}

/* ---- slices ---- */

typedef struct {
    int64_t start, step, count;
} span;

static bool slice_number(const jvalue *v, int64_t *out)
{
    if (!v || v->kind == J_NONE)
        return true;
    if (!axl__j_is_integer(*v))
        return false;
    *out = axl__j_as_int(*v);
    return true;
}

static int64_t clamp_bound(int64_t i, int64_t n, int64_t low, int64_t high)
{
    if (i < 0)
        i = i < -n ? low : i + n;
    return i < low ? low : i > high ? high : i;
}

/* Python's slice.indices. */
static span resolve(int64_t n, int64_t start, int64_t stop, int64_t step)
{
    int64_t low = step < 0 ? -1 : 0, high = step < 0 ? n - 1 : n;
    span s = { clamp_bound(start, n, low, high), step, 0 };

    stop = clamp_bound(stop, n, low, high);
    if (step > 0 && s.start < stop)
        s.count = (stop - s.start - 1) / step + 1;
    else if (step < 0 && s.start > stop)
        s.count = (s.start - stop - 1) / -step + 1;
    return s;
}

static axl_status slice_list(jstate *st, jvalue v, span s, jvalue *out)
{
    jlist *list;

    AXL_TRY(axl__j_list_new(st, (size_t)s.count, &list));
    for (int64_t i = 0; i < s.count; i++)
        list->items[i] = v.as.list->items[s.start + i * s.step];
    list->n = (size_t)s.count;
    *out = (jvalue){ .kind = v.kind, .as.list = list };
    return AXL_OK;
}

static axl_status slice_text(jstate *st, jvalue v, span s, jvalue *out)
{
    jlist *characters;
    axl__str *text;

    if (s.step == 1) {
        size_t from = axl__j_offset(v.as.text, v.len, (size_t)s.start);
        size_t n = axl__j_offset(v.as.text + from, v.len - from, (size_t)s.count);
        *out = axl__j_text(v.as.text + from, n);
    } else {
        AXL_TRY(axl__j_items(st, v, &characters));
        AXL_TRY(axl__j_begin(st, &text));
        for (int64_t i = 0; i < s.count; i++)
            AXL_TRY(axl__j_put(st, text, characters->items[s.start + i * s.step]));
        AXL_TRY(axl__j_end(st, out));
    }
    out->markup = v.markup;
    return AXL_OK;
}

static axl_status slice_range(jstate *st, const jrange *r, span s, jvalue *out)
{
    jrange *made = axl__j_alloc(st, sizeof *made);

    if (!made)
        return axl__j_out_of(st);
    made->start = r->start + s.start * r->step;
    made->step = r->step * s.step;
    made->stop = made->start + s.count * made->step;
    *out = (jvalue){ .kind = J_RANGE, .as.range = made };
    return AXL_OK;
}

axl_status axl__j_slice(jstate *st, jvalue v, const jvalue *start, const jvalue *stop,
                        const jvalue *step, jvalue *out)
{
    int64_t by = 1, from, to, n;

    if (v.kind == J_UNDEFINED)
        return axl__j_fail_undefined(st, v);
    if (v.kind != J_STRING && v.kind != J_LIST && v.kind != J_TUPLE && v.kind != J_RANGE)
        return axl__j_fail(st, "%s has no slices", axl__j_type_name(v));
    if (!slice_number(step, &by))
        return axl__j_fail(st, "a slice's step must be an integer or none");
    from = by < 0 ? INT64_MAX : 0;
    to = by < 0 ? INT64_MIN : INT64_MAX;
    if (!slice_number(start, &from) || !slice_number(stop, &to))
        return axl__j_fail(st, "a slice's ends must be integers or none");
    if (by == 0)
        return axl__j_fail(st, "a slice with a step of 0");
    axl__j_charge(st, v);
    AXL_TRY(axl__j_length(st, v, &n));
    if (by > n || by < -n) /* one item at most, whatever the step */
        by = by > 0 ? n + 1 : -n - 1;
    span s = resolve(n, from, to, by);
    if (v.kind == J_STRING)
        return slice_text(st, v, s, out);
    if (v.kind == J_RANGE)
        return slice_range(st, v.as.range, s, out);
    return slice_list(st, v, s, out);
}
