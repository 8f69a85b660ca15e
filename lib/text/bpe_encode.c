/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpe_encode.c - from text to ids.  Characters become symbols; the run of symbols is cut where no
 * merge can reach across (see bpe.c); a word that is a piece which encodes to itself, most words of
 * ordinary text, is done then; a short word is merged by scanning for the least rank, a long one
 * with a heap, so that a megabyte of one letter costs n log n.  Words of small characters, or of
 * bytes, are cut and spelled by table (see bpe.h), which is the same, only faster.
 */
#include "bpe.h"

#include "base/utf8.h"
#include "byte_level.h"

#include <string.h>

enum { SHORT_WORD = 32, POLL_BYTES = 1 << 16, POLL_MERGES = 1 << 15 };
enum { WHOLE_UNKNOWN, WHOLE_NO, WHOLE_YES };

#define NO_NODE UINT32_MAX

/* ---- scratch ---- */

void axl__bpe_scratch_init(axl__bpe_scratch *s, axl_context *ctx)
{
    memset(s, 0, sizeof *s);
    axl__token_ids_init(&s->symbols, ctx);
    axl__str_init(&s->letters, ctx);
}

void axl__bpe_scratch_free(axl__bpe_scratch *s)
{
    axl_context *ctx = s->symbols.ctx;

    axl__free(ctx, s->symbols.data);
    axl__str_free(&s->letters);
    axl__free(ctx, s->nodes);
    axl__free(ctx, s->heap);
    axl__free(ctx, s->firsts);
    axl__bpe_scratch_init(s, ctx);
}

/* ---- merging one word ---- */

/* Merges sym[0..n) in place, n <= SHORT_WORD; returns how many are left.  merge: (n) of sym[i] and
 * sym[i + 1]. */
static size_t merge_short(const axl__bpe *b, int32_t *sym, uint64_t *merge, size_t n)
{
    for (;;) {
        size_t best = 0;
        uint64_t rank = AXL__NO_MERGE >> 32;
        for (size_t i = 0; i + 1 < n; i++) {
            if (merge[i] >> 32 < rank) { /* the leftmost of equals */
                rank = merge[i] >> 32;
                best = i;
            }
        }
        if (rank == AXL__NO_MERGE >> 32)
            return n;
        sym[best] = (int32_t)(uint32_t)merge[best];
        n--;
        memmove(sym + best + 1, sym + best + 2, (n - best - 1) * sizeof *sym);
        memmove(merge + best, merge + best + 1, (n - best) * sizeof *merge);
        if (best > 0)
            merge[best - 1] = axl__bpe_merge_of(b, sym[best - 1], sym[best]);
        if (best + 1 < n)
            merge[best] = axl__bpe_merge_of(b, sym[best], sym[best + 1]);
    }
}

typedef struct {
    int32_t id; /* -1: joined into the one before */
    uint32_t prev, next;
} node;

/* A candidate is rank << 32 | its left node: least rank first, then leftmost. */
typedef struct {
    uint64_t *items;
    size_t count;
} heap;

/* Four below each, which lie side by side: half as many lines of the cache as of two. */
static void sift_down(heap *h, size_t i)
{
    uint64_t moved = h->items[i];

    for (size_t c; (c = 4 * i + 1) < h->count; i = c) {
        size_t end = h->count - c < 4 ? h->count : c + 4;
        for (size_t k = c + 1; k < end; k++)
            c = h->items[k] < h->items[c] ? k : c;
        if (h->items[c] >= moved)
            break;
        h->items[i] = h->items[c];
    }
    h->items[i] = moved;
}

static void heap_push(heap *h, uint64_t item)
{
    size_t i = h->count++;

    for (; i > 0 && h->items[(i - 1) / 4] > item; i = (i - 1) / 4)
        h->items[i] = h->items[(i - 1) / 4];
    h->items[i] = item;
}

static uint64_t heap_pop(heap *h)
{
    uint64_t top = h->items[0];

    h->items[0] = h->items[--h->count];
    if (h->count > 0)
        sift_down(h, 0);
    return top;
}

static void *scratch_block(axl_context *ctx, void **block, size_t *cap, size_t count, size_t size)
{
    if (count > *cap) {
        void *grown = count > SIZE_MAX / size ? NULL : axl__realloc(ctx, *block, count * size);
        if (!grown)
            return NULL;
        *block = grown;
        *cap = count;
    }
    return *block;
}

/* Nodes keep their first position for life, and the left of two survives a join: a candidate is
 * named by its left node, and recognised as stale when that pair's merge has another rank.  Where
 * two merges have one rank, the pair's own candidate is as good as the stale one before it. */
static void push_merge(const axl__bpe *b, heap *h, const node *nodes, uint32_t left, uint32_t right)
{
    uint64_t m = axl__bpe_merge_of(b, nodes[left].id, nodes[right].id);

    if (m != AXL__NO_MERGE)
        heap_push(h, (m >> 32) << 32 | left);
}

/* The right node is taken out of the list; candidates that name it find its id gone. */
static void join(const axl__bpe *b, heap *h, node *nodes, uint32_t left, uint32_t product)
{
    node *l = &nodes[left], *r = &nodes[l->next];

    l->id = (int32_t)product;
    r->id = -1;
    l->next = r->next;
    if (l->next != NO_NODE)
        nodes[l->next].prev = left;
    if (l->prev != NO_NODE)
        push_merge(b, h, nodes, l->prev, left);
    if (l->next != NO_NODE)
        push_merge(b, h, nodes, left, l->next);
}

/* firsts: NULL, or of each symbol that is left the place of the first one that it was made of. */
static axl_status merge_long(const axl__bpe *b, axl__bpe_scratch *s, int32_t *sym, size_t *count,
                             uint32_t *firsts)
{
    size_t n = *count, kept = 0;
    node *nodes =
        n < NO_NODE ? scratch_block(b->ctx, &s->nodes, &s->nodes_cap, n, sizeof *nodes) : NULL;
    /* Each of the n - 1 joins takes one out and puts at most two in. */
    heap h = { n < SIZE_MAX / 64
                   ? scratch_block(b->ctx, &s->heap, &s->heap_cap, 2 * n, sizeof *h.items)
                   : NULL,
               0 };

    if (!nodes || !h.items)
        return axl__fail_nomem();
    for (uint32_t i = 0; i < n; i++)
        nodes[i] = (node){ sym[i], i > 0 ? i - 1 : NO_NODE, i + 1 < n ? i + 1 : NO_NODE };
    for (uint32_t i = 0; i + 1 < n; i++) {
        uint64_t m = axl__bpe_merge_of(b, sym[i], sym[i + 1]);
        if (m != AXL__NO_MERGE)
            h.items[h.count++] = (m >> 32) << 32 | i;
    }
    for (size_t i = (h.count + 2) / 4; i-- > 0;)
        sift_down(&h, i);
    for (size_t turn = 1; h.count > 0; turn++) {
        uint64_t top = heap_pop(&h);
        uint32_t left = (uint32_t)top;
        if (turn % POLL_MERGES == 0)
            AXL_TRY(axl__cancelled(b->ctx));
        if (nodes[left].id < 0 || nodes[left].next == NO_NODE)
            continue;
        uint64_t m = axl__bpe_merge_of(b, nodes[left].id, nodes[nodes[left].next].id);
        if (m != AXL__NO_MERGE && m >> 32 == top >> 32) /* else it is out of date */
            join(b, &h, nodes, left, (uint32_t)m);
    }
    for (uint32_t i = 0; i != NO_NODE; i = nodes[i].next) {
        if (firsts)
            firsts[kept] = i;
        sym[kept++] = nodes[i].id;
    }
    *count = kept;
    return AXL_OK;
}

/* ---- a word ---- */

/* Whether a piece encodes to itself is not certain, because its merges may rank behind others': it
 * is found out the first time and noted.  Every thread that gets here stores the same. */
static unsigned char whole_note(const axl__bpe *b, int32_t piece)
{
    return piece < 0 ? WHOLE_NO : atomic_load_explicit(&b->whole[piece], memory_order_relaxed);
}

static void note_whole(const axl__bpe *b, int32_t piece, const int32_t *sym, size_t n)
{
    if (whole_note(b, piece) == WHOLE_UNKNOWN)
        atomic_store_explicit(&b->whole[piece], n == 1 && sym[0] == piece ? WHOLE_YES : WHOLE_NO,
                              memory_order_relaxed);
}

/* The piece of a text that the model sees as it is, or -1. */
static int32_t piece_of(const axl__bpe *b, const char *text, size_t len)
{
    if (len > b->max_len)
        return -1;
    return len > AXL__SHORT_WORD || b->words.cap == 0 || b->by_bytes
               ? axl__bpe_id(b, text, len)
               : axl__short_words_get(&b->words, text, len);
}

/* ---- words of small characters ---- */

/* The small character at text[at], at < len, and where it ends; -1 where there is none. */
static int small_at(const axl__bpe *b, const char *text, size_t len, size_t at, size_t *end)
{
    unsigned char c = (unsigned char)text[at];

    *end = at + 1;
    if (c < 128 || b->by_bytes)
        return c;
    *end = at + 3;
    return len - at >= 3 && memcmp(text + at, "\xE2\x96\x81", 3) == 0 ? AXL__SMALL_MARK : -1;
}

static bool joins(const axl__bpe *b, int left, int right)
{
    return b->joins[left][right >> 6] >> (right & 63) & 1;
}

/* Where the word that begins at `from` ends, of n symbols: no merge reaches further.  `from` where
 * one of its characters, or the one behind it, is not small. */
static size_t small_word(const axl__bpe *b, const char *text, size_t len, size_t from, size_t *n)
{
    size_t at, next;
    int last = small_at(b, text, len, from, &at), c;

    if (last < 0 || b->small_ids[last] < 0)
        return from;
    for (*n = 1; at < len; at = next, last = c, ++*n) {
        c = small_at(b, text, len, at, &next);
        if (c < 0 || b->small_ids[c] < 0)
            return from;
        if (!joins(b, last, c))
            break;
    }
    return at;
}

static uint64_t start_of(const axl__bpe *b, int left, int right)
{
    if (left < AXL__N_SMALL && right < AXL__N_SMALL)
        return b->starts[left * AXL__N_SMALL + right];
    return axl__bpe_merge_of(b, b->small_ids[left], b->small_ids[right]);
}

/* The n symbols of a word, and where merge is not NULL (n) what they merge to. */
static void spell_small(const axl__bpe *b, const char *text, size_t len, int32_t *sym,
                        uint64_t *merge)
{
    size_t at = 0, i = 0;

    for (int last = 0, c; at < len; last = c, i++) {
        c = small_at(b, text, len, at, &at);
        sym[i] = b->small_ids[c];
        if (merge && i > 0)
            merge[i - 1] = start_of(b, last, c);
    }
}

/* piece: the one of the word's text, or -1. */
static axl_status merge_small(const axl__bpe *b, const char *text, size_t len, size_t n,
                              int32_t piece, axl__bpe_scratch *s, axl__token_ids *out)
{
    uint64_t merge[SHORT_WORD];
    int32_t few[SHORT_WORD], *sym = few;

    if (n <= SHORT_WORD) {
        spell_small(b, text, len, sym, merge);
        n = merge_short(b, sym, merge, n);
    } else {
        AXL_TRY(axl__token_ids_reserve(&s->symbols, n));
        sym = s->symbols.data;
        spell_small(b, text, len, sym, NULL);
        AXL_TRY(merge_long(b, s, sym, &n, NULL));
    }
    note_whole(b, piece, sym, n);
    return axl__token_ids_append(out, sym, n);
}

/* A word of n symbols, as small_word() found it. */
static axl_status put_small(const axl__bpe *b, const char *text, size_t len, size_t n,
                            axl__bpe_scratch *s, axl__token_ids *out)
{
    size_t unused;

    if (n == 1)
        return axl__token_ids_put(out, b->small_ids[small_at(b, text, len, 0, &unused)]);
    int32_t piece =
        b->by_bytes ? axl__short_words_get(&b->words, text, len) : piece_of(b, text, len);
    if (whole_note(b, piece) == WHOLE_YES)
        return axl__token_ids_put(out, piece);
    return merge_small(b, text, len, n, piece, s, out);
}

/* ---- a text ---- */

typedef struct {
    const axl__bpe *b;
    axl__bpe_scratch *s;
    axl__token_ids *out;
    const char *text;
    size_t word;      /* where the word's text begins */
    uint32_t last;    /* the character before, when it was one */
    bool plain;       /* the word's symbols are its characters */
    bool pending_unk; /* an unknown that is still open for fusing */
} encoding;

/* Ids of the word text[e->word..end), whose symbols are collected. */
static axl_status finish_word(encoding *e, size_t end)
{
    axl__token_ids *sym = &e->s->symbols;
    size_t n = sym->count;
    int32_t piece = -1;
    uint64_t merge[SHORT_WORD];

    sym->count = 0;
    if (n < 2)
        return n == 0 ? AXL_OK : axl__token_ids_put(e->out, sym->data[0]);
    if (e->plain)
        piece = piece_of(e->b, e->text + e->word, end - e->word);
    if (whole_note(e->b, piece) == WHOLE_YES)
        return axl__token_ids_put(e->out, piece);
    if (n <= SHORT_WORD) {
        for (size_t i = 0; i + 1 < n; i++)
            merge[i] = axl__bpe_merge_of(e->b, sym->data[i], sym->data[i + 1]);
        n = merge_short(e->b, sym->data, merge, n);
    } else {
        AXL_TRY(merge_long(e->b, e->s, sym->data, &n, NULL));
    }
    note_whole(e->b, piece, sym->data, n);
    return axl__token_ids_append(e->out, sym->data, n);
}

/* Adds a symbol whose text begins at `at`; is_char: it is the piece of character c.  Before it, the
 * word ends where no merge can reach across. */
static axl_status put_symbol(encoding *e, int32_t id, bool is_char, uint32_t c, size_t at)
{
    axl__token_ids *sym = &e->s->symbols;
    const axl__bpe *b = e->b;

    if (sym->count > 0 && b->can_cut &&
        (!b->merging[id] || !b->merging[sym->data[sym->count - 1]] ||
         !axl__bpe_side_by_side(b, e->last, c)))
        AXL_TRY(finish_word(e, at));
    if (sym->count == 0) {
        e->word = at;
        e->plain = true;
    }
    e->plain = e->plain && is_char;
    e->last = c;
    return axl__token_ids_put(sym, id);
}

/* With fuse_unk unknown characters in a row are one token, which is why it waits. */
static axl_status put_pending(encoding *e, size_t at)
{
    if (!e->pending_unk)
        return AXL_OK;
    e->pending_unk = false;
    return put_symbol(e, e->b->unk_id, false, 0, at);
}

/* A character that is no piece: its bytes if they all are, else unk if there is one, else nothing.
 * As in tokenizers, bytes do not close an open unk: it comes out behind them. */
static axl_status put_unknown(encoding *e, size_t from, size_t to)
{
    const axl__bpe *b = e->b;
    bool bytes = b->byte_fallback;

    for (size_t i = from; i < to; i++)
        bytes = bytes && b->byte_ids[(unsigned char)e->text[i]] >= 0;
    if (bytes) {
        for (size_t i = from; i < to; i++)
            AXL_TRY(put_symbol(e, b->byte_ids[(unsigned char)e->text[i]], false, 0, i));
        return AXL_OK;
    }
    if (!b->fuse_unk)
        AXL_TRY(put_pending(e, from));
    e->pending_unk = b->unk_id >= 0;
    e->plain = false;
    return AXL_OK;
}

static axl_status put_char(encoding *e, size_t len, size_t *at)
{
    const axl__bpe *b = e->b;
    size_t from = *at;
    uint64_t found;
    uint32_t c = (unsigned char)e->text[from];
    int32_t id = -1;

    if (c < 128) {
        ++*at;
        id = b->ascii_ids[c];
    } else {
        c = axl__utf8_next(e->text, len, at);
        if (axl__pairs_get(&b->chars, c, &found))
            id = (int32_t)found;
    }
    if (id < 0)
        return put_unknown(e, from, *at);
    AXL_TRY(put_pending(e, from));
    return put_symbol(e, id, true, c, from);
}

/* From a word's beginning on, the words of small characters; *at moves behind them.  Not too many
 * at once, so that the caller may poll. */
static axl_status put_small_words(encoding *e, size_t len, size_t *at)
{
    const axl__bpe *b = e->b;
    size_t end, n, enough = *at + POLL_BYTES;

    while (*at < len && *at < enough && (end = small_word(b, e->text, len, *at, &n)) > *at) {
        e->s->symbols.count = 0; /* what was there is spelled here once more */
        AXL_TRY(put_small(b, e->text + *at, end - *at, n, e->s, e->out));
        *at = end;
    }
    return AXL_OK;
}

/* A word begins at `at`, or with the one symbol that was made of the text from `from` on.  *tried:
 * where that was not one of small characters, the last time. */
static axl_status try_small(encoding *e, size_t len, size_t from, size_t *at, size_t *tried)
{
    const axl__token_ids *sym = &e->s->symbols;
    size_t begin = sym->count == 0 ? *at : from;

    if (e->pending_unk || begin == *tried || sym->count > 1 || (sym->count == 1 && e->word != from))
        return AXL_OK;
    *tried = begin;
    AXL_TRY(put_small_words(e, len, tried));
    if (*tried > begin)
        *at = *tried;
    return AXL_OK;
}

/* ignore_merges is tokenizers' flag of that name: a text that is a piece needs no merges. */
axl_status axl__bpe_encode(const axl__bpe *b, const char *text, size_t len, axl__bpe_scratch *s,
                           axl__token_ids *out)
{
    encoding e = { b, s, out, text, 0, 0, false, false };
    bool small = b->starts && b->can_cut && !b->by_bytes;
    size_t next_poll = POLL_BYTES;

    s->symbols.count = 0;
    if (b->ignore_merges && len > 0) {
        int32_t id = axl__bpe_id(b, text, len);
        if (id >= 0)
            return axl__token_ids_put(out, id);
    }
    for (size_t at = 0, from = 0, tried = SIZE_MAX; at < len;) {
        if (small)
            AXL_TRY(try_small(&e, len, from, &at, &tried));
        from = at;
        if (at < len)
            AXL_TRY(put_char(&e, len, &at));
        if (at >= next_poll) {
            AXL_TRY(axl__cancelled(b->ctx));
            next_poll = at + POLL_BYTES;
        }
    }
    AXL_TRY(put_pending(&e, len));
    return finish_word(&e, len);
}

/* ---- bytes ---- */

/* A long word that is a piece: the map of pieces has it by its letters. */
static axl_status find_long_piece(const axl__bpe *b, const char *bytes, size_t len,
                                  axl__bpe_scratch *s, int32_t *piece)
{
    *piece = -1;
    if (len <= AXL__SHORT_WORD || len > b->max_len)
        return AXL_OK;
    axl__str_clear(&s->letters);
    axl__byte_level_put(&s->letters, bytes, len);
    AXL_TRY(axl__str_status(&s->letters));
    *piece = axl__bpe_id(b, s->letters.data, s->letters.len);
    return AXL_OK;
}

/* Bytes are small characters, all of them. */
axl_status axl__bpe_encode_bytes(const axl__bpe *b, const char *bytes, size_t len,
                                 axl__bpe_scratch *s, axl__token_ids *out)
{
    int32_t piece = axl__short_words_get(&b->words, bytes, len);
    size_t end, n;

    if (piece < 0 && b->ignore_merges)
        AXL_TRY(find_long_piece(b, bytes, len, s, &piece));
    if (piece >= 0 && (b->ignore_merges || whole_note(b, piece) == WHOLE_YES))
        return axl__token_ids_put(out, piece);
    for (size_t at = 0; at < len; at = end) {
        end = small_word(b, bytes, len, at, &n);
        AXL_TRY(put_small(b, bytes + at, end - at, n, s, out));
        if (at / POLL_BYTES != end / POLL_BYTES)
            AXL_TRY(axl__cancelled(b->ctx));
    }
    return AXL_OK;
}

/* ---- with lengths ---- */

/* A symbol for each character as put_char() takes it, but all in one list: lens has how much of the
 * text each counts for.  That an unknown comes out behind bytes that follow it is as there. */
typedef struct {
    const axl__bpe *b;
    axl__token_ids *symbols, *lens;
    const char *text;
    size_t unk_len; /* of an unknown that is still open; 0: none is */
    axl__str name;
} spelling;

static axl_status spell_symbol(spelling *e, int32_t id, size_t len)
{
    AXL_TRY(axl__token_ids_put(e->lens, (int32_t)len));
    return axl__token_ids_put(e->symbols, id);
}

static axl_status spell_pending(spelling *e)
{
    size_t len = e->unk_len;

    e->unk_len = 0;
    return len > 0 ? spell_symbol(e, e->b->unk_id, len) : AXL_OK;
}

/* A character of len bytes that is no piece under its name, of n bytes. */
static axl_status spell_unknown(spelling *e, const char *named, size_t n, size_t len)
{
    const axl__bpe *b = e->b;
    bool bytes = b->byte_fallback;

    for (size_t i = 0; i < n; i++)
        bytes = bytes && b->byte_ids[(unsigned char)named[i]] >= 0;
    for (size_t i = 0; i < n && bytes; i++)
        AXL_TRY(spell_symbol(e, b->byte_ids[(unsigned char)named[i]], 1));
    if (bytes || b->unk_id < 0)
        return AXL_OK;
    if (!b->fuse_unk)
        AXL_TRY(spell_pending(e));
    e->unk_len += len;
    return AXL_OK;
}

/* The character text[from..to) with what the model writes around it there. */
static void name_char(spelling *e, size_t len, size_t from, size_t to)
{
    axl__str_clear(&e->name);
    if (from > 0 && e->b->prefix)
        axl__str_puts(&e->name, e->b->prefix);
    axl__str_put(&e->name, e->text + from, to - from);
    if (to == len && e->b->suffix)
        axl__str_puts(&e->name, e->b->suffix);
}

static axl_status spell(spelling *e, size_t len)
{
    bool affixed = axl__bpe_is_affixed(e->b);
    uint64_t found;
    int32_t id;

    for (size_t at = 0, from = 0; at < len; from = at) {
        const char *named = e->text + from;
        uint32_t c = axl__utf8_next(e->text, len, &at);
        size_t n = at - from;
        if (affixed) {
            name_char(e, len, from, at);
            AXL_TRY(axl__str_status(&e->name));
            named = e->name.data;
            n = e->name.len;
            id = axl__bpe_id(e->b, named, n);
        } else {
            id = axl__pairs_get(&e->b->chars, c, &found) ? (int32_t)found : -1;
        }
        if (id < 0) {
            AXL_TRY(spell_unknown(e, named, n, at - from));
            continue;
        }
        AXL_TRY(spell_pending(e));
        AXL_TRY(spell_symbol(e, id, at - from));
    }
    return spell_pending(e);
}

/* The lengths of the merged symbols, in place: what each was made of ends where the next begins. */
static void add_lengths(int32_t *lens, size_t n_symbols, const uint32_t *firsts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t end = i + 1 < n ? firsts[i + 1] : n_symbols;
        int32_t sum = 0;
        for (size_t k = firsts[i]; k < end; k++)
            sum += lens[k];
        lens[i] = sum;
    }
}

static axl_status merge_spelled(const axl__bpe *b, axl__bpe_scratch *s, axl__token_ids *out,
                                axl__token_ids *lens, size_t before)
{
    size_t n_symbols = s->symbols.count, n = n_symbols;
    uint32_t *firsts;

    if (n_symbols == 0)
        return AXL_OK;
    firsts = scratch_block(b->ctx, &s->firsts, &s->firsts_cap, n, sizeof *firsts);
    if (!firsts)
        return axl__fail_nomem();
    AXL_TRY(merge_long(b, s, s->symbols.data, &n, firsts));
    add_lengths(lens->data + before, n_symbols, firsts, n);
    lens->count = before + n;
    return axl__token_ids_append(out, s->symbols.data, n);
}

/* Of an id in a text that the model sees as it is: where by_bytes, in letters. */
static uint32_t written_length(const axl__bpe *b, int32_t id)
{
    return b->by_bytes ? b->pieces[id].len : b->lengths[id].bytes;
}

axl_status axl__bpe_encode_lengths(const axl__bpe *b, const char *text, size_t len,
                                   axl__bpe_scratch *s, axl__token_ids *out, axl__token_ids *lens)
{
    spelling e = { .b = b, .symbols = &s->symbols, .lens = lens, .text = text };
    size_t before = lens->count, n = out->count;

    if (b->lengths) {
        AXL_TRY(axl__bpe_encode(b, text, len, s, out));
        for (; n < out->count; n++)
            AXL_TRY(axl__token_ids_put(lens, (int32_t)written_length(b, out->data[n])));
        return AXL_OK;
    }
    int32_t id = b->ignore_merges && len > 0 ? axl__bpe_id(b, text, len) : -1;

    if (id >= 0) {
        AXL_TRY(axl__token_ids_put(lens, (int32_t)len));
        return axl__token_ids_put(out, id);
    }
    s->symbols.count = 0;
    axl__str_init(&e.name, b->ctx);
    axl_status status = spell(&e, len);
    axl__str_free(&e.name);
    return status < 0 ? status : merge_spelled(b, s, out, lens, before);
}
