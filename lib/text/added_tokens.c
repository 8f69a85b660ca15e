/* SPDX-License-Identifier: Apache-2.0 */
/*
 * added_tokens.c - see added_tokens.h.  Search is leftmost-longest.
 *
 * The rules are those of tokenizers' AddedVocabulary, also where they surprise: a token that does
 * not count (single_word, inside a word) hides a shorter one that would begin at the same place,
 * and white space that a token strips is part of it.
 */
#include "added_tokens.h"

#include "base/utf8.h"
#include "unicode_word.h"

#include <string.h>

void axl__added_init(axl__added *a, axl_context *ctx, axl__arena *arena)
{
    memset(a, 0, sizeof *a);
    a->ctx = ctx;
    a->arena = arena;
    a->max_id = -1;
    axl__pairs_init(&a->by_id, ctx);
    axl__map_init(&a->ids, ctx);
    axl__map_init(&a->special, ctx);
}

void axl__added_free(axl__added *a)
{
    if (!a->ctx)
        return;
    axl__search_free(&a->searches[0], a->ctx);
    axl__search_free(&a->searches[1], a->ctx);
    axl__pairs_free(&a->by_id);
    axl__map_free(&a->ids);
    axl__map_free(&a->special);
    axl__free(a->ctx, a->entries);
    memset(a, 0, sizeof *a);
}

const axl__added_entry *axl__added_of(const axl__added *a, int64_t id)
{
    uint64_t index;

    return id >= 0 && axl__pairs_get(&a->by_id, (uint64_t)id, &index) ? &a->entries[index] : NULL;
}

bool axl__added_is_special(const axl__added *a, axl__slice text)
{
    int64_t unused;

    return axl__map_get(&a->special, text.text, text.len, &unused);
}

bool axl__added_has(const axl__added *a, axl__slice text)
{
    int64_t unused;

    return axl__map_get(&a->ids, text.text, text.len, &unused);
}

/* ---- adding ---- */

static bool same_flags(const axl__added_token *a, const axl__added_token *b)
{
    return a->single_word == b->single_word && a->lstrip == b->lstrip && a->rstrip == b->rstrip &&
           a->normalized == b->normalized && a->special == b->special;
}

/* Texts of callers live for the call alone, and maps keep pointers to their keys. */
static axl_status copy_slice(axl__arena *arena, axl__slice *s)
{
    s->text = axl__arena_strndup(arena, s->text, s->len);
    return s->text ? AXL_OK : axl__fail_nomem();
}

/* The entry of an id, made where there is none.  A pointer is good until the next one is made. */
static axl_status entry_for(axl__added *a, int32_t id, axl__added_entry **out)
{
    axl__added_entry *known = (axl__added_entry *)axl__added_of(a, id);

    *out = known;
    if (known)
        return AXL_OK;
    if (a->count == a->cap) {
        uint32_t cap = a->cap ? a->cap * 2 : 16;
        axl__added_entry *grown = axl__realloc(a->ctx, a->entries, cap * sizeof *grown);
        if (!grown)
            return axl__fail_nomem();
        a->entries = grown;
        a->cap = cap;
    }
    AXL_TRY(axl__pairs_set(&a->by_id, (uint64_t)id, a->count));
    *out = &a->entries[a->count++];
    memset(*out, 0, sizeof **out);
    (*out)->id = id;
    if (id > a->max_id)
        a->max_id = id;
    return AXL_OK;
}

/* A token that is looked for in normalized text is looked for as the normalizer would write it. */
static axl_status normalized_text(axl__added *a, const axl__pipeline *p, axl__added_entry *e)
{
    axl__str out;
    axl__slice text = e->token.text;

    if (!e->token.normalized || p->n_normalizer == 0)
        return AXL_OK;
    axl__str_init(&out, a->ctx);
    axl_status status = axl__normalize(p, text.text, text.len, &out);
    axl__slice made = { axl__str_text(&out), out.len };
    if (status == AXL_OK && (made.len != text.len || memcmp(made.text, text.text, text.len) != 0)) {
        status = copy_slice(a->arena, &made);
        e->changed = made;
    }
    axl__str_free(&out);
    return status;
}

/* tokenizers' add_tokens: an empty text and a known token with the same flags are passed over, a
 * text that the model has keeps the model's id. */
static axl_status add_one(axl__added *a, axl__added_token token, const axl__bpe *bpe,
                          const axl__pipeline *p, int64_t *next)
{
    int64_t id;
    axl__added_entry *e;
    bool known = axl__map_get(&a->ids, token.text.text, token.text.len, &id);

    if (token.text.len == 0)
        return AXL_OK;
    if (known) {
        const axl__added_entry *old = axl__added_of(a, id);
        if (old->token.text.len == token.text.len && same_flags(&old->token, &token) &&
            memcmp(old->token.text.text, token.text.text, token.text.len) == 0)
            return AXL_OK;
    } else {
        id = axl__bpe_id(bpe, token.text.text, token.text.len);
        if (id < 0)
            id = (*next)++;
    }
    if (id > AXL__ID_MAX)
        return axl__fail(AXL_ERR_FORMAT, "an added token's id is past %d", AXL__ID_MAX);
    AXL_TRY(copy_slice(a->arena, &token.text));
    AXL_TRY(entry_for(a, (int32_t)id, &e));
    e->token = token;
    AXL_TRY(normalized_text(a, p, e));
    AXL_TRY(axl__map_set(&a->ids, token.text.text, token.text.len, id));
    return token.special ? axl__map_set(&a->special, token.text.text, token.text.len, 1) : AXL_OK;
}

/* New ids begin at the number of pieces, not behind the largest id: tokenizers counts them. */
axl_status axl__added_add(axl__added *a, const axl__added_token *tokens, size_t n,
                          const axl__bpe *bpe, const axl__pipeline *pipeline)
{
    int64_t next = (int64_t)bpe->ids.count;

    if (a->max_id >= next)
        next = (int64_t)a->max_id + 1;
    for (size_t i = 0; i < n; i++) {
        if (i % 1024 == 0)
            AXL_TRY(axl__cancelled(a->ctx));
        AXL_TRY(add_one(a, tokens[i], bpe, pipeline, &next));
    }
    return AXL_OK;
}

axl_status axl__added_put(axl__added *a, axl__added_token token, int32_t id)
{
    axl__added_entry *e;

    AXL_TRY(copy_slice(a->arena, &token.text));
    AXL_TRY(entry_for(a, id, &e));
    e->token = token;
    AXL_TRY(axl__map_set(&a->ids, token.text.text, token.text.len, id));
    return token.special ? axl__map_set(&a->special, token.text.text, token.text.len, 1) : AXL_OK;
}

axl_status axl__added_mark_special(axl__added *a, axl__slice text)
{
    AXL_TRY(copy_slice(a->arena, &text));
    return axl__map_set(&a->special, text.text, text.len, 1);
}

static axl__slice searched_text(const axl__added_entry *e)
{
    return e->token.normalized && e->changed.text ? e->changed : e->token.text;
}

/* May be called again after more tokens were added: both searches are made anew. */
axl_status axl__added_finish(axl__added *a)
{
    axl__search_free(&a->searches[0], a->ctx);
    axl__search_free(&a->searches[1], a->ctx);
    for (uint32_t i = 0; i < a->count; i++) {
        const axl__added_entry *e = &a->entries[i];
        AXL_TRY(axl__search_add(&a->searches[e->token.normalized], a->ctx, searched_text(e), i));
    }
    AXL_TRY(axl__search_finish(&a->searches[0], a->ctx));
    return axl__search_finish(&a->searches[1], a->ctx);
}

/* ---- searching ---- */

void axl__finder_init(axl__finder *f, const axl__added *a, bool normalized, const char *text,
                      size_t len, axl__hits *hits)
{
    memset(f, 0, sizeof *f);
    f->added = a;
    f->walk = (axl__search_walk){ &a->searches[normalized], hits, a->ctx, text, len, 0 };
    f->text = text;
    f->len = len;
    hits->count = 0;
}

/* The longest pattern at the first place from f->search on where there is one; AXL_END. */
static axl_status next_match(axl__finder *f, const axl__added_entry **out, size_t *from, size_t *to)
{
    const axl__added_entry *e;
    axl__hit hit;
    axl_status status;

    do
        status = axl__search_next(&f->walk, &hit);
    while (status == AXL_OK && hit.at < f->search);
    if (status != AXL_OK)
        return status;
    *out = e = &f->added->entries[hit.entry];
    *from = hit.at;
    *to = f->search = hit.at + searched_text(e).len;
    return AXL_OK;
}

/* The character that ends before text[at], at > 0; moves *at to its beginning. */
static uint32_t char_before(const char *text, size_t *at)
{
    size_t i = *at - 1, behind;

    while (i > 0 && *at - i < 4 && ((unsigned char)text[i] & 0xC0) == 0x80)
        i--;
    *at = behind = i;
    return axl__utf8_next(text, i + 4, &behind);
}

/* For single_word: a word character next to the match means that it is part of a longer word. */
static bool inside_word(const axl__finder *f, size_t from, size_t to)
{
    if (from > 0 && axl__unicode_word(char_before(f->text, &from)))
        return true;
    return to < f->len && axl__unicode_word(axl__utf8_next(f->text, f->len, &to));
}

/* Never back into what was given already: two tokens may strip the same white space, and the first
 * one has it. */
static size_t space_before(const axl__finder *f, size_t from)
{
    while (from > f->at) {
        size_t i = from;
        if (!axl__unicode_space(char_before(f->text, &i)))
            break;
        from = i;
    }
    return from < f->at ? f->at : from;
}

/* Within white space that was gone through before, its end is known. */
static size_t space_behind(axl__finder *f, size_t to)
{
    if (to >= f->space_from && to <= f->space_to)
        return f->space_to;
    f->space_from = to;
    for (size_t i = to; i < f->len; to = i)
        if (!axl__unicode_space(axl__utf8_next(f->text, f->len, &i)))
            break;
    f->space_to = to;
    return to;
}

/* The match becomes the piece behind the text before it, unless it does not count. */
static void take_match(axl__finder *f, const axl__added_entry *e, size_t a, size_t b)
{
    const axl__added_token *t = &e->token;

    if ((f->added->split_special && axl__added_is_special(f->added, t->text)) ||
        (t->single_word && inside_word(f, a, b)))
        return;
    if (t->lstrip)
        a = space_before(f, a);
    if (t->rstrip)
        b = space_behind(f, b);
    if (a >= b) /* within what the token before has stripped */
        return;
    f->pending = true;
    f->pending_id = e->id;
    f->pending_from = a;
    f->pending_to = b;
}

static axl_status give_pending(axl__finder *f, int32_t *id, size_t *from, size_t *to)
{
    f->pending = false;
    *id = f->pending_id;
    *from = f->pending_from;
    *to = f->at = f->pending_to;
    return AXL_OK;
}

/* A match is found together with the text before it, which is given first; the match waits as
 * pending. */
axl_status axl__finder_next(axl__finder *f, int32_t *id, size_t *from, size_t *to)
{
    const axl__added_entry *e;
    axl_status status = AXL_OK;
    size_t a, b;

    if (f->pending)
        return give_pending(f, id, from, to);
    while (!f->pending && (status = next_match(f, &e, &a, &b)) == AXL_OK)
        take_match(f, e, a, b);
    if (status < 0)
        return status;
    if (f->pending && f->at >= f->pending_from)
        return give_pending(f, id, from, to);
    *id = -1;
    *from = f->at;
    *to = f->pending ? f->pending_from : f->len;
    if (!f->pending)
        f->at = f->len;
    return *from < *to ? AXL_OK : AXL_END;
}
