/* SPDX-License-Identifier: Apache-2.0 */
/*
 * added_tokens.c - see added_tokens.h.  Search is leftmost-longest over a tree of bytes; a table of
 * first bytes keeps it at one look a byte for text without tokens.
 */
#include "added_tokens.h"

#include "base/utf8.h"
#include "unicode_word.h"

#include <string.h>

static void trie_free(axl_context *ctx, axl__trie *t)
{
    axl__pairs_free(&t->edges);
    axl__free(ctx, t->entries);
    memset(t, 0, sizeof *t);
}

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
    trie_free(a->ctx, &a->tries[0]);
    trie_free(a->ctx, &a->tries[1]);
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

static axl_status copy_slice(axl__arena *arena, axl__slice *s)
{
    s->text = axl__arena_strndup(arena, s->text, s->len);
    return s->text ? AXL_OK : axl__fail_nomem();
}

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

axl_status axl__added_add(axl__added *a, const axl__added_token *tokens, size_t n,
                          const axl__bpe *bpe, const axl__pipeline *pipeline)
{
    int64_t next = (int64_t)bpe->ids.count;

    if (a->max_id >= next)
        next = (int64_t)a->max_id + 1;
    for (size_t i = 0; i < n; i++)
        AXL_TRY(add_one(a, tokens[i], bpe, pipeline, &next));
    return AXL_OK;
}

axl_status axl__added_mark_special(axl__added *a, axl__slice text)
{
    AXL_TRY(copy_slice(a->arena, &text));
    return axl__map_set(&a->special, text.text, text.len, 1);
}

/* ---- the trees ---- */

static axl_status trie_node(axl_context *ctx, axl__trie *t, uint32_t *out)
{
    if (t->n_nodes == t->cap_nodes) {
        uint32_t cap = t->cap_nodes ? t->cap_nodes * 2 : 64;
        int32_t *entries = axl__realloc(ctx, t->entries, cap * sizeof *entries);
        if (!entries)
            return axl__fail_nomem();
        t->entries = entries;
        t->cap_nodes = cap;
    }
    *out = t->n_nodes;
    t->entries[t->n_nodes++] = -1;
    return AXL_OK;
}

static axl_status trie_add(axl_context *ctx, axl__trie *t, axl__slice pattern, uint32_t entry)
{
    uint32_t node = 0;

    if (pattern.len == 0)
        return axl__fail(AXL_ERR_FORMAT, "the normalizer leaves nothing of an added token");
    if (t->n_nodes == 0) {
        axl__pairs_init(&t->edges, ctx);
        AXL_TRY(trie_node(ctx, t, &node));
    }
    t->first[(unsigned char)pattern.text[0]] = true;
    for (size_t i = 0; i < pattern.len; i++) {
        uint64_t key = axl__pair_key(node, (unsigned char)pattern.text[i]), next;
        if (axl__pairs_get(&t->edges, key, &next)) {
            node = (uint32_t)next;
            continue;
        }
        AXL_TRY(trie_node(ctx, t, &node));
        AXL_TRY(axl__pairs_set(&t->edges, key, node));
    }
    if (t->entries[node] >= 0)
        return axl__fail(AXL_ERR_FORMAT, "two added tokens are searched as the same text \"%.*s\"",
                         (int)(pattern.len < 64 ? pattern.len : 64), pattern.text);
    t->entries[node] = (int32_t)entry;
    return AXL_OK;
}

axl_status axl__added_finish(axl__added *a)
{
    trie_free(a->ctx, &a->tries[0]);
    trie_free(a->ctx, &a->tries[1]);
    for (uint32_t i = 0; i < a->count; i++) {
        const axl__added_entry *e = &a->entries[i];
        bool normalized = e->token.normalized;
        axl__slice pattern = normalized && e->changed.text ? e->changed : e->token.text;
        AXL_TRY(trie_add(a->ctx, &a->tries[normalized], pattern, i));
    }
    return AXL_OK;
}

/* ---- searching ---- */

void axl__finder_init(axl__finder *f, const axl__added *a, bool normalized, const char *text,
                      size_t len)
{
    memset(f, 0, sizeof *f);
    f->added = a;
    f->trie = &a->tries[normalized];
    f->text = text;
    f->len = len;
}

/* The longest pattern at the first place from f->search on where there is one. */
static const axl__added_entry *next_match(axl__finder *f, size_t *from, size_t *to)
{
    const axl__trie *t = f->trie;

    if (t->n_nodes == 0)
        return NULL;
    for (size_t i = f->search; i < f->len; i++) {
        const axl__added_entry *found = NULL;
        uint64_t node = 0;
        if (!t->first[(unsigned char)f->text[i]])
            continue;
        for (size_t j = i;
             j < f->len &&
             axl__pairs_get(&t->edges, axl__pair_key((uint32_t)node, (unsigned char)f->text[j]),
                            &node);
             j++) {
            if (t->entries[node] >= 0) {
                found = &f->added->entries[t->entries[node]];
                *to = j + 1;
            }
        }
        if (found) {
            *from = i;
            f->search = *to;
            return found;
        }
    }
    f->search = f->len;
    return NULL;
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

static bool inside_word(const axl__finder *f, size_t from, size_t to)
{
    if (from > 0 && axl__unicode_word(char_before(f->text, &from)))
        return true;
    return to < f->len && axl__unicode_word(axl__utf8_next(f->text, f->len, &to));
}

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

static size_t space_behind(const axl__finder *f, size_t to)
{
    for (size_t i = to; i < f->len; to = i)
        if (!axl__unicode_space(axl__utf8_next(f->text, f->len, &i)))
            break;
    return to;
}

bool axl__finder_next(axl__finder *f, int32_t *id, size_t *from, size_t *to)
{
    const axl__added_entry *e;
    size_t a = 0, b = 0;

    if (f->pending) {
        f->pending = false;
        *id = f->pending_id;
        *from = f->pending_from;
        *to = f->at = f->pending_to;
        return true;
    }
    while ((e = next_match(f, &a, &b))) {
        const axl__added_token *t = &e->token;
        if ((f->added->split_special && axl__added_is_special(f->added, t->text)) ||
            (t->single_word && inside_word(f, a, b)))
            continue;
        if (t->lstrip)
            a = space_before(f, a);
        if (t->rstrip)
            b = space_behind(f, b);
        if (a >= b) /* within what the token before has stripped */
            continue;
        f->pending = f->at < a;
        f->pending_id = e->id;
        f->pending_from = a;
        f->pending_to = b;
        *id = f->pending ? -1 : e->id;
        *from = f->pending ? f->at : a;
        *to = f->pending ? a : b;
        if (!f->pending)
            f->at = b;
        return true;
    }
    *id = -1;
    *from = f->at;
    *to = f->len;
    f->at = f->len;
    return *from < *to;
}
