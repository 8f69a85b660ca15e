/* SPDX-License-Identifier: Apache-2.0 */
/* chat_labels.c - see chat_labels.h. */
#include "chat_labels.h"

#include "base/utf8.h"

#include <string.h>

/* Axolotl looks for the token that ends a turn no further than this behind it. */
enum { END_WITHIN = 3 };

/* A turn that is not there has no place: -1 in Axolotl, which its arithmetic goes on with. */
enum { NOWHERE = -1 };

/* One conversation on its way. */
typedef struct {
    int32_t *labels;
    const int32_t *ids;
    const axl__token_bytes *offsets;
    size_t n;
    axl__chat_text *text;
    const axl__chat_training *training;
    int64_t last_eos, last_eot; /* of the turns until now; NOWHERE: none */
} labelling;

/* Tokens [begin, end); both NOWHERE. */
typedef struct {
    int64_t begin, end;
} token_span;

/* ---- from places in the text to tokens ---- */

/* The first token that ends behind `at`; Python's bisect_right of all ends. */
static size_t first_ending_behind(const labelling *l, size_t at)
{
    size_t low = 0, high = l->n;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (at < l->offsets[middle].end)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The first token that does not begin before `at`.  Tokens of one character share its place, so
 * that the last of them is still before its end. */
static size_t first_not_before(const labelling *l, size_t at)
{
    size_t low = 0, high = l->n;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (l->offsets[middle].begin < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static axl_status find_tokens(labelling *l, size_t turn, axl__turn_part part, token_span *out)
{
    axl__text_span span;

    *out = (token_span){ NOWHERE, NOWHERE };
    AXL_TRY(axl__chat_find_turn(l->text, turn, part, &span));
    if (span.begin == span.end)
        return AXL_OK;
    size_t begin = first_ending_behind(l, span.begin), end = first_not_before(l, span.end);
    if (begin < l->n && begin < end)
        *out = (token_span){ (int64_t)begin, (int64_t)end };
    return AXL_OK;
}

/* ---- details ---- */

/* A text that is encoded by itself, its tokens' places in characters, the last one included. */
typedef struct {
    int64_t *begins, *ends; /* (n) */
    size_t n;
} detail_tokens;

/* Tokens come in the text's order, so that characters are counted once. */
static axl_status place_tokens(axl__arena *arena, const axl__json *text,
                               const axl__token_bytes *offsets, size_t n, detail_tokens *out)
{
    size_t at = 0;
    int64_t character = 0;

    out->n = n;
    out->begins = axl__arena_alloc(arena, (n + 1) * sizeof *out->begins);
    out->ends = axl__arena_alloc(arena, (n + 1) * sizeof *out->ends);
    if (!out->begins || !out->ends)
        return axl__fail_nomem();
    for (size_t i = 0; i < n; i++) {
        for (; at < offsets[i].begin; character++)
            axl__utf8_next(text->text, text->len, &at);
        out->begins[i] = character;
        if (i > 0)
            out->ends[i - 1] = character - 1;
    }
    for (; at < text->len; character++)
        axl__utf8_next(text->text, text->len, &at);
    if (n > 0)
        out->ends[n - 1] = character - 1;
    return AXL_OK;
}

static axl_status encode_detail(const labelling *l, const axl__json *text, detail_tokens *out)
{
    axl_buffer ids = AXL_BUFFER_INIT, offsets = AXL_BUFFER_INIT;
    axl_status status = axl_tokenizer_encode_with_offsets(l->training->tok, text->text, text->len,
                                                          AXL_TOKENIZE_NO_SPECIAL, &ids, &offsets);

    if (status == AXL_OK)
        status = place_tokens(l->text->arena, text, offsets.data,
                              offsets.length / sizeof(axl__token_bytes), out);
    axl_buffer_free(&ids);
    axl_buffer_free(&offsets);
    return status;
}

/* Widens a detail to the tokens' borders; false where it covers none (adjust_train_details). */
static bool widen_detail(const detail_tokens *t, axl__chat_detail *d)
{
    size_t first = 0;
    int64_t n = (int64_t)t->n, last = n - 1;

    while (first < t->n && t->begins[first] < d->begin)
        first++;
    if (first > 0 && t->ends[first - 1] > d->begin)
        first--;
    while (last >= 0 && t->ends[last] > d->end)
        last--;
    if (last < n - 1 && t->begins[last + 1] < d->end)
        last++;
    if ((int64_t)first > last)
        return false;
    d->begin = t->begins[first];
    d->end = t->ends[last];
    return true;
}

/* Trains the tokens of a text that lie in a trained detail.  They are counted from the turn's first
 * token, as Axolotl does, although the text may be cut differently inside of the conversation. */
static axl_status train_details(labelling *l, token_span turn, const axl__json *text,
                                const axl__chat_details *details)
{
    detail_tokens tokens = { 0 };

    if (!text || text->type != AXL__JSON_STRING)
        return axl__fail(AXL_ERR_DATA, "training details need a text as content, not %s",
                         text ? axl__json_type_name(text) : "nothing");
    AXL_TRY(encode_detail(l, text, &tokens));
    for (size_t k = 0; k < details->n; k++) {
        axl__chat_detail d = details->items[k];
        if (!d.train || !widen_detail(&tokens, &d))
            continue;
        for (size_t i = 0; i < tokens.n; i++) {
            size_t at = (size_t)turn.begin + i;
            if (tokens.begins[i] >= d.begin && tokens.ends[i] <= d.end && at < l->n)
                l->labels[at] = l->ids[at];
        }
    }
    return AXL_OK;
}

/* ---- the end of a turn ---- */

static bool is_end(const axl__chat_training *t, bool eot, int32_t id)
{
    if (!eot)
        return t->eos_id >= 0 && id == t->eos_id;
    for (size_t i = 0; i < t->n_eot; i++)
        if (t->eot_ids[i] == id)
            return true;
    return false;
}

/* The first token of that kind behind a turn, within a few tokens.  Where the turn is nowhere,
 * Axolotl begins with the last token of all, as Python counts from -1. */
static int64_t find_end(const labelling *l, int64_t from, bool eot)
{
    if (from == NOWHERE && l->n > 0 && is_end(l->training, eot, l->ids[l->n - 1]))
        return NOWHERE;
    for (int64_t i = from < 0 ? 0 : from; i < (int64_t)l->n && i <= from + END_WITHIN; i++)
        if (is_end(l->training, eot, l->ids[i]))
            return i;
    return NOWHERE;
}

static void train_end(labelling *l, int64_t from, bool eot, bool trained)
{
    axl__train_end rule = eot ? l->training->eot : l->training->eos;
    int64_t at = find_end(l, from, eot);

    if (at == NOWHERE)
        return;
    *(eot ? &l->last_eot : &l->last_eos) = at;
    if (rule == AXL__END_ALL || (rule == AXL__END_TURN && trained))
        l->labels[at] = l->ids[at];
}

/* ---- turns ---- */

static bool is_trained(const axl__chat_training *t, const axl__chat_turn *turn)
{
    if (turn->train >= 0)
        return turn->train != 0;
    if (turn->content.given || turn->thinking.given)
        return turn->content.n > 0 || turn->thinking.n > 0;
    for (size_t i = 0; i < t->n_roles; i++)
        if (strcmp(t->roles[i], turn->role) == 0)
            return true;
    return t->all_roles;
}

static axl_status train_thinking(labelling *l, size_t index)
{
    const axl__chat_turn *turn = &l->text->conversation->turns[index];
    token_span span;

    AXL_TRY(find_tokens(l, index, AXL__TURN_THINKING, &span));
    if (span.begin == NOWHERE)
        return AXL_OK;
    return train_details(l, span, axl__json_get(&turn->node, l->text->thinking), &turn->thinking);
}

static axl_status label_turn(labelling *l, size_t index)
{
    const axl__chat_turn *turn = &l->text->conversation->turns[index];
    const axl__chat_training *t = l->training;
    bool trained = is_trained(t, turn), thinks = axl__json_get(&turn->node, l->text->thinking);
    bool details = turn->content.n > 0 || turn->thinking.n > 0;
    token_span span = { NOWHERE, NOWHERE };

    if (!trained && t->eos != AXL__END_ALL && t->eot != AXL__END_ALL)
        return AXL_OK;
    bool hidden = index == 0 && !t->first_system && strcmp(turn->role, "system") == 0;
    if (!hidden)
        AXL_TRY(
            find_tokens(l, index, details && thinks ? AXL__TURN_CONTENT : AXL__TURN_WHOLE, &span));
    if (trained && span.begin != NOWHERE) {
        if (turn->content.n > 0)
            AXL_TRY(train_details(l, span, axl__json_get(&turn->node, "content"), &turn->content));
        else if (turn->thinking.n == 0)
            memcpy(l->labels + span.begin, l->ids + span.begin,
                   (size_t)(span.end - span.begin) * sizeof *l->labels);
    }
    if (trained && turn->thinking.n > 0 && thinks && !hidden)
        AXL_TRY(train_thinking(l, index));
    train_end(l, span.end, true, trained);
    train_end(l, span.end, false, trained);
    return AXL_OK;
}

axl_status axl__chat_label(int32_t *labels, const int32_t *ids, const axl__token_bytes *offsets,
                           size_t n, axl__chat_text *t, const axl__chat_training *training)
{
    labelling l = { .labels = labels,
                    .ids = ids,
                    .offsets = offsets,
                    .n = n,
                    .text = t,
                    .training = training,
                    .last_eos = NOWHERE,
                    .last_eot = NOWHERE };

    for (size_t i = 0; i < t->conversation->n; i++)
        AXL_TRY(label_turn(&l, i));
    if (training->eot == AXL__END_LAST && l.last_eot != NOWHERE)
        labels[l.last_eot] = ids[l.last_eot];
    if (training->eos == AXL__END_LAST && l.last_eos != NOWHERE)
        labels[l.last_eos] = ids[l.last_eos];
    return AXL_OK;
}
