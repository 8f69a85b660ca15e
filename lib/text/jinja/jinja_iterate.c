/* SPDX-License-Identifier: Apache-2.0 */
/* jinja_iterate.c - the items of what can be iterated, and lengths. */
#include "jinja_priv.h"

#include "base/utf8.h"

#include <string.h>

bool axl__j_iterable(jvalue v)
{
    switch (v.kind) {
    case J_UNDEFINED:
    case J_STRING:
    case J_LIST:
    case J_TUPLE:
    case J_DICT:
    case J_VIEW:
    case J_RANGE:
    case J_LOOP:
    case J_ITERATOR: return true;
    default: return false;
    }
}

static axl_status characters(jstate *st, jvalue v, jlist *out)
{
    for (size_t at = 0; at < v.len;) {
        size_t from = at;
        axl__utf8_next(v.as.text, v.len, &at);
        AXL_TRY(axl__j_list_add(st, out, axl__j_text(v.as.text + from, at - from)));
    }
    return AXL_OK;
}

static axl_status pairs_of(jstate *st, const jdict *d, jview_kind which, jlist *out)
{
    for (size_t i = 0; i < d->n; i++) {
        jvalue v = which == J_VALUES ? d->pairs[i].value : d->pairs[i].key;
        if (which == J_ITEMS)
            AXL_TRY(axl__j_pair(st, d->pairs[i].key, d->pairs[i].value, &v));
        AXL_TRY(axl__j_list_add(st, out, v));
    }
    return AXL_OK;
}

static axl_status numbers_of(jstate *st, const jrange *r, jlist *out)
{
    int64_t n = axl__j_range_len(r);

    for (int64_t i = 0; i < n; i++)
        AXL_TRY(axl__j_list_add(st, out, axl__j_int(r->start + i * r->step)));
    return AXL_OK;
}

axl_status axl__j_items(jstate *st, jvalue v, jlist **out)
{
    jlist *list = v.as.list;

    if (v.kind == J_LIST || v.kind == J_TUPLE)
        return *out = list, AXL_OK;
    AXL_TRY(axl__j_list_new(st, 0, out));
    switch (v.kind) {
    case J_UNDEFINED: return AXL_OK;
    case J_STRING: return characters(st, v, *out);
    case J_DICT: return pairs_of(st, v.as.dict, J_KEYS, *out);
    case J_VIEW: return pairs_of(st, v.as.view->dict, v.as.view->which, *out);
    case J_RANGE: return numbers_of(st, v.as.range, *out);
    case J_ITERATOR:
        (*out)->items = list->at < list->n ? list->items + list->at : NULL;
        (*out)->n = (*out)->cap = list->n - list->at;
        list->at = list->n;
        return AXL_OK;
    default: return axl__j_fail(st, "%s cannot be iterated", axl__j_type_name(v));
    }
}

axl_status axl__j_length(jstate *st, jvalue v, int64_t *out)
{
    switch (v.kind) {
    case J_UNDEFINED: *out = 0; return AXL_OK;
    case J_STRING: *out = (int64_t)axl__j_count(v.as.text, v.len); return AXL_OK;
    case J_LIST:
    case J_TUPLE: *out = (int64_t)v.as.list->n; return AXL_OK;
    case J_DICT: *out = (int64_t)v.as.dict->n; return AXL_OK;
    case J_VIEW: *out = (int64_t)v.as.view->dict->n; return AXL_OK;
    case J_RANGE: *out = axl__j_range_len(v.as.range); return AXL_OK;
    default: return axl__j_fail(st, "%s has no length", axl__j_type_name(v));
    }
}
