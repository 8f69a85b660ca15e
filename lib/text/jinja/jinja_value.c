/* SPDX-License-Identifier: Apache-2.0 */
/* jinja_value.c - making values: texts, lists, mappings with Python's order and keys, and what a
 * JSON context holds. */
#include "jinja_priv.h"

#include "base/num.h"

#include <math.h>
#include <string.h>

/* Up to so many pairs a mapping is searched from its front. */
enum { DICT_SMALL = 8 };

axl_status axl__j_copy_text(jstate *st, const char *text, size_t len, jvalue *out)
{
    char *copy = axl__j_alloc(st, len + 1);

    if (!copy)
        return axl__j_out_of(st);
    if (len > 0)
        memcpy(copy, text, len);
    *out = axl__j_text(copy, len);
    return AXL_OK;
}

axl_status axl__j_list_new(jstate *st, size_t cap, jlist **out)
{
    jlist *list = axl__j_alloc(st, sizeof *list);

    if (!list)
        return axl__j_out_of(st);
    if (cap > 0) {
        list->items = axl__j_alloc(st, cap * sizeof *list->items);
        if (!list->items)
            return axl__j_out_of(st);
        list->cap = cap;
    }
    *out = list;
    return AXL_OK;
}

axl_status axl__j_list_add(jstate *st, jlist *list, jvalue v)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 4;
        jvalue *items = axl__j_alloc(st, cap * sizeof *items);
        if (!items)
            return axl__j_out_of(st);
        if (list->n > 0)
            memcpy(items, list->items, list->n * sizeof *items);
        list->items = items;
        list->cap = cap;
    }
    list->items[list->n++] = v;
    return AXL_OK;
}

axl_status axl__j_pair(jstate *st, jvalue a, jvalue b, jvalue *out)
{
    jlist *pair;

    AXL_TRY(axl__j_list_new(st, 2, &pair));
    pair->items[0] = a;
    pair->items[1] = b;
    pair->n = 2;
    *out = axl__j_tuple(pair);
    return AXL_OK;
}

int64_t axl__j_range_len(const jrange *r)
{
    if (r->step > 0)
        return r->start < r->stop ? (r->stop - r->start - 1) / r->step + 1 : 0;
    return r->start > r->stop ? (r->start - r->stop - 1) / -r->step + 1 : 0;
}

/* ---- mappings ---- */

axl_status axl__j_dict_new(jstate *st, jdict **out)
{
    *out = axl__j_alloc(st, sizeof **out);
    return *out ? AXL_OK : axl__j_out_of(st);
}

axl_status axl__j_hashable(jstate *st, jvalue key)
{
    if (key.kind == J_LIST || key.kind == J_DICT || key.kind == J_VIEW)
        return axl__j_fail(st, "%s cannot be a key", axl__j_type_name(key));
    AXL_TRY(axl__j_enter(st));
    for (size_t i = 0; key.kind == J_TUPLE && i < key.as.list->n; i++)
        AXL_TRY(axl__j_hashable(st, key.as.list->items[i]));
    axl__j_leave(st);
    return AXL_OK;
}

/* Equal keys have equal hashes: 1, 1.0 and true are one. */
static uint64_t hash_key(jvalue key)
{
    double d;

    switch (key.kind) {
    case J_STRING: return axl__hash_bytes(key.as.text, key.len);
    case J_BOOL:
    case J_INT:
    case J_FLOAT: d = axl__j_as_double(key) + 0.0; return axl__hash_bytes(&d, sizeof d);
    case J_TUPLE: return key.as.list->n;
    default: return key.kind;
    }
}

static bool keys_equal(jstate *st, jvalue a, jvalue b)
{
    bool equal = false;

    if (a.kind == J_STRING && b.kind == J_STRING)
        return a.len == b.len && memcmp(a.as.text, b.as.text, a.len) == 0;
    return axl__j_equal(st, a, b, &equal) == AXL_OK && equal;
}

static jpair *find_pair(jstate *st, const jdict *d, jvalue key)
{
    if (!d->index) {
        for (size_t i = 0; i < d->n; i++)
            if (keys_equal(st, d->pairs[i].key, key))
                return &d->pairs[i];
        return NULL;
    }
    size_t mask = d->index_cap - 1;
    for (size_t at = hash_key(key) & mask; d->index[at]; at = (at + 1) & mask) {
        jpair *pair = &d->pairs[d->index[at] - 1];
        if (keys_equal(st, pair->key, key))
            return pair;
    }
    return NULL;
}

const jvalue *axl__j_dict_find(jstate *st, const jdict *d, jvalue key)
{
    const jpair *pair = find_pair(st, d, key);

    axl__j_charge(st, key);
    return pair ? &pair->value : NULL;
}

static void index_pair(jdict *d, size_t i)
{
    size_t mask = d->index_cap - 1, at = hash_key(d->pairs[i].key) & mask;

    while (d->index[at])
        at = (at + 1) & mask;
    d->index[at] = (uint32_t)(i + 1);
}

/* Room for another pair, in the array and in the index. */
static axl_status grow_dict(jstate *st, jdict *d)
{
    size_t cap = d->cap ? 2 * d->cap : 4;
    jpair *pairs = axl__j_alloc(st, cap * sizeof *pairs);

    if (!pairs)
        return axl__j_out_of(st);
    if (d->n > 0)
        memcpy(pairs, d->pairs, d->n * sizeof *pairs);
    d->pairs = pairs;
    d->cap = cap;
    if (cap <= DICT_SMALL)
        return AXL_OK;
    d->index_cap = 2 * cap; /* cap is a power of two */
    d->index = axl__j_alloc(st, d->index_cap * sizeof *d->index);
    if (!d->index)
        return axl__j_out_of(st);
    for (size_t i = 0; i < d->n; i++)
        index_pair(d, i);
    return AXL_OK;
}

axl_status axl__j_dict_set(jstate *st, jdict *d, jvalue key, jvalue value)
{
    AXL_TRY(axl__j_hashable(st, key));
    jpair *pair = find_pair(st, d, key);

    if (pair) {
        pair->value = value;
        return AXL_OK;
    }
    if (d->n == d->cap)
        AXL_TRY(grow_dict(st, d));
    d->pairs[d->n++] = (jpair){ key, value };
    if (d->index)
        index_pair(d, d->n - 1);
    return AXL_OK;
}

/* ---- what a context holds ---- */

static axl_status number_from_json(jstate *st, const axl__json *json, jvalue *out)
{
    bool whole = json->type == AXL__JSON_INT;

    if (whole) {
        *out = axl__j_int(json->integer);
        return AXL_OK;
    }
    *out = axl__j_float(json->number);
    for (size_t i = 0; i < json->len; i++)
        if (json->text[i] != '-' && (json->text[i] < '0' || json->text[i] > '9'))
            return AXL_OK;
    AXL_TRY(axl__j_copy_text(st, json->text, json->len, out));
    out->kind = J_BIG;
    return AXL_OK;
}

static axl_status list_from_json(jstate *st, const axl__json *json, jvalue *out)
{
    jlist *list;

    AXL_TRY(axl__j_list_new(st, json->count, &list));
    for (const axl__json *v = json->child; v; v = v->next) {
        jvalue item;
        AXL_TRY(axl__j_from_json(st, v, &item));
        AXL_TRY(axl__j_list_add(st, list, item));
    }
    *out = axl__j_list(list);
    return AXL_OK;
}

static axl_status dict_from_json(jstate *st, const axl__json *json, jvalue *out)
{
    jdict *dict;

    AXL_TRY(axl__j_dict_new(st, &dict));
    for (const axl__json *v = json->child; v; v = v->next) {
        jvalue item;
        AXL_TRY(axl__j_from_json(st, v, &item));
        AXL_TRY(axl__j_dict_set(st, dict, axl__j_text(v->key, v->key_len), item));
    }
    *out = axl__j_dict(dict);
    return AXL_OK;
}

/* Texts stay where the tree has them.  The reader bounds how deep a tree is. */
axl_status axl__j_from_json(jstate *st, const axl__json *json, jvalue *out)
{
    switch (json->type) {
    case AXL__JSON_NULL: *out = axl__j_none(); return AXL_OK;
    case AXL__JSON_BOOL: *out = axl__j_bool(json->boolean); return AXL_OK;
    case AXL__JSON_INT:
    case AXL__JSON_FLOAT: return number_from_json(st, json, out);
    case AXL__JSON_ARRAY: return list_from_json(st, json, out);
    case AXL__JSON_OBJECT: return dict_from_json(st, json, out);
    case AXL__JSON_STRING: break;
    }
    if (json->len > st->limits.memory || json->len > UINT32_MAX)
        return axl__j_fail(st, "a text of %zu bytes in the context", json->len);
    *out = axl__j_text(json->text, json->len);
    return AXL_OK;
}
