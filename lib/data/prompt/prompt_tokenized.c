/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_tokenized.c - records that are samples already: input_ids, attention_mask and labels.
 * They are taken as they are.  The mask may be 0 behind the text, where nothing is trained and
 * nothing looks; elsewhere it would hide tokens, which whole sequences do not.
 */
#include "data/prompt/prompt.h"

#include <axl/dataset.h>

static const char *const columns[] = { "input_ids", "attention_mask", "labels" };
enum { IDS, MASK, LABELS, N_COLUMNS };

bool axl__prompt_is_tokenized(const axl__prompt *p, const axl__json *record)
{
    if (p->task != AXL__TASK_TEXT && p->task != AXL__TASK_STEPS)
        return false;
    for (int i = 0; i < N_COLUMNS; i++)
        if (!axl__json_get(record, columns[i]))
            return false;
    return true;
}

/* The first item of each of the lists, which must be equally long; NULL: the record has none. */
static axl_status open_lists(const axl__json *record, const axl__json *item[N_COLUMNS])
{
    const axl__json *ids = axl__json_get(record, columns[IDS]);

    for (int i = 0; i < N_COLUMNS; i++) {
        const axl__json *list = axl__json_get(record, columns[i]);
        bool none = !list || list->type == AXL__JSON_NULL;
        if (!none && list->type != AXL__JSON_ARRAY)
            return axl__fail(AXL_ERR_DATA, "\"%s\" must be a list of integers, not %s", columns[i],
                             axl__json_type_name(list));
        item[i] = none ? NULL : list->child;
        uint32_t n = none ? 0 : list->count, n_ids = ids ? ids->count : 0;
        if (n != n_ids)
            return axl__fail(AXL_ERR_DATA, "\"%s\" has %u items and \"%s\" has %u", columns[i], n,
                             columns[IDS], n_ids);
    }
    return AXL_OK;
}

static axl_status check_item(const axl__json *item, const char *column, int64_t min, int64_t max)
{
    if (item->type == AXL__JSON_INT && item->integer >= min && item->integer <= max)
        return AXL_OK;
    if (item->type != AXL__JSON_INT)
        return axl__fail(AXL_ERR_DATA, "\"%s\" must be a list of integers, and has %s", column,
                         axl__json_type_name(item));
    return axl__fail(AXL_ERR_DATA, "\"%s\" has %lld, which must be from %lld to %lld", column,
                     (long long)item->integer, (long long)min, (long long)max);
}

static axl_status check_label(const axl__json *label)
{
    if (label->type == AXL__JSON_INT && label->integer == AXL_LABEL_IGNORE)
        return AXL_OK;
    return check_item(label, columns[LABELS], 0, INT32_MAX);
}

static axl_status tokenized_make(const axl__prompt *p, const axl__json *record, axl__draft *out)
{
    const axl__json *item[N_COLUMNS];
    bool hidden = false;

    (void)p;
    AXL_TRY(open_lists(record, item));
    while (item[IDS]) {
        AXL_TRY(check_item(item[IDS], columns[IDS], 0, INT32_MAX));
        AXL_TRY(check_item(item[MASK], columns[MASK], 0, 1));
        AXL_TRY(check_label(item[LABELS]));
        bool trained = item[LABELS]->integer != AXL_LABEL_IGNORE;
        if (hidden && item[MASK]->integer)
            return axl__fail(AXL_ERR_DATA, "\"attention_mask\" has a 1 behind a 0: only the end of "
                                           "a sample can be hidden");
        hidden = !item[MASK]->integer;
        if (hidden && trained)
            return axl__fail(AXL_ERR_DATA, "\"labels\" trains a token that \"attention_mask\" "
                                           "hides");
        AXL_TRY(axl__draft_reserve(out, 1));
        out->ids[out->n] = (int32_t)item[IDS]->integer;
        out->labels[out->n++] = (int32_t)item[LABELS]->integer;
        for (int i = 0; i < N_COLUMNS; i++)
            item[i] = item[i]->next;
    }
    return axl__draft_emit(out, out->n);
}

const axl__prompt_method axl__prompt_tokenized = {
    .name = "tokenized",
    .make = tokenized_make,
};
