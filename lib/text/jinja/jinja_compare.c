/* SPDX-License-Identifier: Apache-2.0 */
/* jinja_compare.c - what is true, equal, less, contained, and sorting: Python's rules. */
#include "jinja_priv.h"

#include <math.h>
#include <string.h>

bool axl__j_is_integer(jvalue v)
{
    return v.kind == J_INT || v.kind == J_BOOL;
}

bool axl__j_is_number(jvalue v)
{
    return axl__j_is_integer(v) || v.kind == J_FLOAT;
}

int64_t axl__j_as_int(jvalue v)
{
    return v.kind == J_BOOL ? v.as.boolean : v.as.integer;
}

double axl__j_as_double(jvalue v)
{
    return v.kind == J_FLOAT ? v.as.number : (double)axl__j_as_int(v);
}

bool axl__j_truth(jvalue v)
{
    switch (v.kind) {
    case J_UNDEFINED:
    case J_NONE:
    case J_ABSENT: return false;
    case J_BOOL: return v.as.boolean;
    case J_INT: return v.as.integer != 0;
    case J_FLOAT: return v.as.number != 0.0;
    case J_STRING: return v.len > 0;
    case J_LIST:
    case J_TUPLE: return v.as.list->n > 0;
    case J_DICT: return v.as.dict->n > 0;
    case J_VIEW: return v.as.view->dict->n > 0;
    case J_RANGE: return axl__j_range_len(v.as.range) > 0;
    default: return true;
    }
}

bool axl__j_same(jvalue a, jvalue b)
{
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
    case J_NONE: return true;
    case J_BOOL: return a.as.boolean == b.as.boolean;
    case J_INT: return a.as.integer == b.as.integer;
    case J_FLOAT: return a.as.number == b.as.number;
    case J_UNDEFINED: return false;
    case J_STRING: return a.len == b.len && memcmp(a.as.text, b.as.text, a.len) == 0;
    default: return a.as.list == b.as.list;
    }
}

/* An integer against a float without losing digits: 2^53 + 1 is not 2.0^53. */
static int compare_numbers(jvalue a, jvalue b)
{
    if (axl__j_is_integer(a) && axl__j_is_integer(b)) {
        int64_t x = axl__j_as_int(a), y = axl__j_as_int(b);
        return (x > y) - (x < y);
    }
    double x = axl__j_as_double(a), y = axl__j_as_double(b);
    if (x == y && fabs(x) < 9e18 && (axl__j_is_integer(a) || axl__j_is_integer(b))) {
        int64_t i = axl__j_is_integer(a) ? axl__j_as_int(a) : (int64_t)x;
        int64_t j = axl__j_is_integer(b) ? axl__j_as_int(b) : (int64_t)y;
        return (i > j) - (i < j);
    }
    return (x > y) - (x < y);
}

static bool equal_numbers(jvalue a, jvalue b)
{
    double x = axl__j_as_double(a), y = axl__j_as_double(b);

    return !isnan(x) && !isnan(y) && compare_numbers(a, b) == 0;
}

static axl_status equal_lists(jstate *st, const jlist *a, const jlist *b, bool *out)
{
    *out = a->n == b->n;
    AXL_TRY(axl__j_enter(st));
    for (size_t i = 0; i < a->n && *out; i++)
        AXL_TRY(axl__j_equal(st, a->items[i], b->items[i], out));
    axl__j_leave(st);
    return AXL_OK;
}

static axl_status equal_dicts(jstate *st, const jdict *a, const jdict *b, bool *out)
{
    *out = a->n == b->n;
    AXL_TRY(axl__j_enter(st));
    for (size_t i = 0; i < a->n && *out; i++) {
        const jvalue *other = axl__j_dict_find(st, b, a->pairs[i].key);
        *out = other != NULL;
        if (other)
            AXL_TRY(axl__j_equal(st, a->pairs[i].value, *other, out));
    }
    axl__j_leave(st);
    return AXL_OK;
}

static bool equal_ranges(const jrange *a, const jrange *b)
{
    int64_t n = axl__j_range_len(a);

    return n == axl__j_range_len(b) &&
           (n == 0 || (a->start == b->start && (n == 1 || a->step == b->step)));
}

axl_status axl__j_equal(jstate *st, jvalue a, jvalue b, bool *out)
{
    AXL_TRY(axl__j_step(st));
    axl__j_charge(st, a);
    *out = false;
    if (axl__j_is_number(a) && axl__j_is_number(b))
        return *out = equal_numbers(a, b), AXL_OK;
    if (a.kind != b.kind)
        return AXL_OK;
    switch (a.kind) {
    case J_NONE:
    case J_UNDEFINED: *out = true; return AXL_OK;
    case J_BIG:
    case J_STRING: *out = a.len == b.len && memcmp(a.as.text, b.as.text, a.len) == 0; return AXL_OK;
    case J_LIST:
    case J_TUPLE: return equal_lists(st, a.as.list, b.as.list, out);
    case J_DICT: return equal_dicts(st, a.as.dict, b.as.dict, out);
    case J_RANGE: *out = equal_ranges(a.as.range, b.as.range); return AXL_OK;
    default: *out = a.as.list == b.as.list; return AXL_OK;
    }
}

static bool order_holds(int order, jtoken_type op)
{
    switch (op) {
    case T_LT: return order < 0;
    case T_LE: return order <= 0;
    case T_GT: return order > 0;
    default: return order >= 0;
    }
}

static int compare_texts(jvalue a, jvalue b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n > 0 ? memcmp(a.as.text, b.as.text, n) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The first items that differ decide, else the lengths. */
static axl_status less_lists(jstate *st, const jlist *a, const jlist *b, jtoken_type op, bool *out)
{
    AXL_TRY(axl__j_enter(st));
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        bool equal;
        AXL_TRY(axl__j_equal(st, a->items[i], b->items[i], &equal));
        if (equal)
            continue;
        axl__j_leave(st);
        return axl__j_less(st, a->items[i], b->items[i], op, out);
    }
    axl__j_leave(st);
    *out = order_holds((a->n > b->n) - (a->n < b->n), op);
    return AXL_OK;
}

axl_status axl__j_less(jstate *st, jvalue a, jvalue b, jtoken_type op, bool *out)
{
    axl__j_charge(st, a);
    if (axl__j_is_number(a) && axl__j_is_number(b)) {
        bool nan = isnan(axl__j_as_double(a)) || isnan(axl__j_as_double(b));
        *out = !nan && order_holds(compare_numbers(a, b), op);
        return AXL_OK;
    }
    if (a.kind == J_UNDEFINED || b.kind == J_UNDEFINED)
        return axl__j_fail_undefined(st, a.kind == J_UNDEFINED ? a : b);
    if (a.kind == b.kind && a.kind == J_STRING)
        return *out = order_holds(compare_texts(a, b), op), AXL_OK;
    if (a.kind == b.kind && (a.kind == J_LIST || a.kind == J_TUPLE))
        return less_lists(st, a.as.list, b.as.list, op, out);
    return axl__j_fail(st, "%s and %s have no order", axl__j_type_name(a), axl__j_type_name(b));
}

axl_status axl__j_compare(jstate *st, jtoken_type op, jvalue a, jvalue b, bool *out)
{
    switch (op) {
    case T_EQ: return axl__j_equal(st, a, b, out);
    case T_NE:
        AXL_TRY(axl__j_equal(st, a, b, out));
        *out = !*out;
        return AXL_OK;
    case T_IN: return axl__j_contains(st, b, a, out);
    case T_NOT_IN:
        AXL_TRY(axl__j_contains(st, b, a, out));
        *out = !*out;
        return AXL_OK;
    default: return axl__j_less(st, a, b, op, out);
    }
}

static axl_status contains_text(jstate *st, jvalue text, jvalue part, bool *out)
{
    if (part.kind != J_STRING)
        return axl__j_fail(st, "%s cannot be in a text", axl__j_type_name(part));
    *out = part.len == 0 ||
           (text.len > 0 && axl__j_find(text.as.text, text.len, part.as.text, part.len) != NULL);
    return AXL_OK;
}

/* An iterator is used up to where the item is found. */
static axl_status contains_item(jstate *st, jlist *list, size_t *at, jvalue item, bool *out)
{
    *out = false;
    while (*at < list->n && !*out)
        AXL_TRY(axl__j_equal(st, list->items[(*at)++], item, out));
    return AXL_OK;
}

axl_status axl__j_contains(jstate *st, jvalue in, jvalue item, bool *out)
{
    size_t at = 0;
    jlist *items;

    axl__j_charge(st, in);
    switch (in.kind) {
    case J_STRING: return contains_text(st, in, item, out);
    case J_LIST:
    case J_TUPLE: return contains_item(st, in.as.list, &at, item, out);
    case J_ITERATOR: return contains_item(st, in.as.list, &in.as.list->at, item, out);
    case J_DICT:
        AXL_TRY(axl__j_hashable(st, item));
        *out = axl__j_dict_find(st, in.as.dict, item) != NULL;
        return AXL_OK;
    case J_RANGE:
    case J_VIEW:
        AXL_TRY(axl__j_items(st, in, &items));
        return contains_item(st, items, &at, item, out);
    case J_UNDEFINED: *out = false; return AXL_OK;
    default: return axl__j_fail(st, "nothing can be in %s", axl__j_type_name(in));
    }
}

/* ---- sorting: merges of runs of places, bottom up ---- */

typedef struct {
    jstate *st;
    const jlist *keys;
    bool reverse;
} sorting;

/* Whether the later place must come first; equal ones stay, in reverse, too. */
static axl_status comes_first(const sorting *s, uint32_t later, uint32_t earlier, bool *out)
{
    jvalue a = s->keys->items[later], b = s->keys->items[earlier];

    return s->reverse ? axl__j_less(s->st, b, a, T_LT, out) : axl__j_less(s->st, a, b, T_LT, out);
}

static axl_status merge_runs(const sorting *s, const uint32_t *from, uint32_t *to, size_t lo,
                             size_t mid, size_t hi)
{
    size_t i = lo, j = mid;

    for (size_t k = lo; k < hi; k++) {
        bool second = i == mid;
        if (i < mid && j < hi)
            AXL_TRY(comes_first(s, from[j], from[i], &second));
        to[k] = second ? from[j++] : from[i++];
    }
    return axl__j_step(s->st);
}

static axl_status sort_places(const sorting *s, uint32_t **places, uint32_t *other, size_t n)
{
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t lo = 0; lo < n; lo += 2 * width) {
            size_t mid = lo + width < n ? lo + width : n, hi = lo + 2 * width;
            AXL_TRY(merge_runs(s, *places, other, lo, mid, hi < n ? hi : n));
        }
        uint32_t *swap = *places;
        *places = other;
        other = swap;
    }
    return AXL_OK;
}

axl_status axl__j_sort(jstate *st, jlist *items, const jlist *keys, bool reverse)
{
    sorting s = { st, keys, reverse };
    size_t n = items->n;
    uint32_t *places = axl__j_alloc(st, (n + 1) * sizeof *places);
    uint32_t *other = axl__j_alloc(st, (n + 1) * sizeof *other);
    jvalue *sorted = axl__j_alloc(st, (n + 1) * sizeof *sorted);

    if (!places || !other || !sorted)
        return axl__j_out_of(st);
    for (size_t i = 0; i < n; i++)
        places[i] = (uint32_t)i;
    AXL_TRY(sort_places(&s, &places, other, n));
    for (size_t i = 0; i < n; i++)
        sorted[i] = items->items[places[i]];
    items->items = sorted;
    items->cap = n + 1;
    return AXL_OK;
}
