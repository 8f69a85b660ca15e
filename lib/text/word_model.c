/* SPDX-License-Identifier: Apache-2.0 */
/*
 * word_model.c - see word_model.h.  A word is at most 2 GiB long, as all texts with offsets are,
 * and its places fit ids.
 */
#include "word_model.h"

#include "base/utf8.h"

#include <math.h>
#include <string.h>

enum { POLL_STEPS = 1 << 20 };

/* How much less likely an unknown character is than the least likely piece. */
static const double unk_penalty = 10.0;

void axl__word_model_init(axl__word_model *m, axl_context *ctx)
{
    memset(m, 0, sizeof *m);
    axl__pairs_init(&m->edges, ctx);
}

void axl__word_model_free(axl__word_model *m, axl_context *ctx)
{
    axl__free(ctx, m->scores);
    axl__free(ctx, m->node_ids);
    if (m->edges.ctx)
        axl__pairs_free(&m->edges);
}

void axl__word_scratch_init(axl__word_scratch *s, axl_context *ctx)
{
    memset(s, 0, sizeof *s);
    axl__str_init(&s->key, ctx);
}

void axl__word_scratch_free(axl__word_scratch *s, axl_context *ctx)
{
    axl__free(ctx, s->paths);
    axl__str_free(&s->key);
}

static axl_status put_token(axl__token_ids *out, axl__token_ids *places, int32_t id, size_t from,
                            size_t to)
{
    AXL_TRY(axl__token_ids_put(out, id));
    AXL_TRY(axl__token_ids_put(places, (int32_t)from));
    return axl__token_ids_put(places, (int32_t)to);
}

static axl_status put_unknown(const axl__bpe *pieces, size_t from, size_t to, axl__token_ids *out,
                              axl__token_ids *places)
{
    if (pieces->unk_id < 0)
        return axl__fail(AXL_ERR_FORMAT, "the tokenizer's model has no token for what it does not "
                                         "know, which is in this text");
    return put_token(out, places, pieces->unk_id, from, to);
}

/* ---- WordLevel, WordPiece ---- */

static axl_status encode_word_level(const axl__bpe *pieces, const char *text, size_t len,
                                    axl__token_ids *out, axl__token_ids *places)
{
    int32_t id = axl__bpe_id(pieces, text, len);

    return id >= 0 ? put_token(out, places, id, 0, len) : put_unknown(pieces, 0, len, out, places);
}

/* The longest piece from a place on, whose end is put into *end; -1 for none.  No text longer than
 * the longest piece is one. */
static int32_t longest_piece(const axl__word_model *m, const axl__bpe *pieces, const char *text,
                             size_t len, size_t from, size_t *end, axl__str *key)
{
    size_t prefix = from > 0 ? m->prefix.len : 0;

    if (prefix > pieces->max_len)
        return -1;
    *end = len - from > pieces->max_len - prefix ? from + (pieces->max_len - prefix) : len;
    while (*end<len && * end> from && ((unsigned char)text[*end] & 0xC0) == 0x80)
        --*end;
    axl__str_clear(key);
    axl__str_put(key, m->prefix.text, prefix);
    axl__str_put(key, text + from, *end - from);
    while (*end > from && !key->failed) {
        int32_t id = axl__bpe_id(pieces, key->data, prefix + (*end - from));
        if (id >= 0)
            return id;
        do
            --*end;
        while (*end > from && ((unsigned char)text[*end] & 0xC0) == 0x80);
    }
    return -1;
}

static bool too_many_chars(const char *text, size_t len, uint32_t most)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n > most;
}

/* A word of which any part is no piece is unknown as a whole. */
static axl_status encode_word_piece(const axl__word_model *m, const axl__bpe *pieces,
                                    const char *text, size_t len, axl__str *key,
                                    axl__token_ids *out, axl__token_ids *places)
{
    size_t before[2] = { out->count, places->count }, end = 0;

    if (too_many_chars(text, len, m->max_chars))
        return put_unknown(pieces, 0, len, out, places);
    for (size_t from = 0; from < len; from = end) {
        int32_t id = longest_piece(m, pieces, text, len, from, &end, key);
        AXL_TRY(axl__str_status(key));
        if (id < 0) {
            out->count = before[0];
            places->count = before[1];
            return put_unknown(pieces, 0, len, out, places);
        }
        AXL_TRY(put_token(out, places, id, from, end));
        AXL_TRY(axl__cancelled(pieces->ctx));
    }
    return AXL_OK;
}

/* ---- Unigram ---- */

static axl_status new_node(axl__word_model *m, axl_context *ctx)
{
    if (m->n_nodes == m->cap_nodes) {
        uint32_t cap = m->cap_nodes ? 2 * m->cap_nodes : 4096;
        int32_t *grown = m->cap_nodes > UINT32_MAX / 4
                             ? NULL
                             : axl__realloc(ctx, m->node_ids, cap * sizeof *grown);
        if (!grown)
            return axl__fail_nomem();
        m->node_ids = grown;
        m->cap_nodes = cap;
    }
    m->node_ids[m->n_nodes++] = -1;
    return AXL_OK;
}

static axl_status add_to_tree(axl__word_model *m, axl_context *ctx, axl__piece p, int32_t id)
{
    uint64_t node = 0, next;

    for (uint32_t i = 0; i < p.len; i++, node = next) {
        uint64_t key = axl__pair_key((uint32_t)node, (unsigned char)p.text[i]);
        if (axl__pairs_get(&m->edges, key, &next))
            continue;
        next = m->n_nodes;
        AXL_TRY(new_node(m, ctx));
        AXL_TRY(axl__pairs_set(&m->edges, key, next));
    }
    m->node_ids[node] = id;
    return AXL_OK;
}

static axl_status make_tree(axl__word_model *m, const axl__bpe *pieces)
{
    double least = 0.0;
    bool first = true;

    AXL_TRY(new_node(m, pieces->ctx));
    for (uint32_t id = 0; id < pieces->n_pieces; id++) {
        if (m->single && m->scores[id] == -INFINITY)
            continue;
        if (first || m->scores[id] < least)
            least = m->scores[id];
        first = false;
        if (id % 1024 == 0)
            AXL_TRY(axl__cancelled(pieces->ctx));
        if (pieces->pieces[id].text && pieces->pieces[id].len > 0)
            AXL_TRY(add_to_tree(m, pieces->ctx, pieces->pieces[id], (int32_t)id));
    }
    m->unk_score = m->single ? (double)((float)least - (float)unk_penalty) : least - unk_penalty;
    return AXL_OK;
}

axl_status axl__word_model_finish(axl__word_model *m, axl__bpe *pieces)
{
    if (m->kind == AXL__MODEL_BPE)
        return AXL_OK;
    if (m->kind != AXL__MODEL_UNIGRAM) {
        pieces->unk_id = axl__bpe_id(pieces, m->unk.text, m->unk.len);
        return AXL_OK;
    }
    pieces->unk_id = m->unk_id;
    return make_tree(m, pieces);
}

/* The best way to a byte of the text: its score, and its last piece. */
typedef struct {
    double score;
    uint32_t from;
    int32_t id; /* -1: nothing ends here */
} path;

static path *paths_for(axl_context *ctx, axl__word_scratch *s, size_t n)
{
    if (n > s->cap) {
        size_t cap = n + n / 2 + 64;
        void *grown =
            cap > SIZE_MAX / sizeof(path) ? NULL : axl__realloc(ctx, s->paths, cap * sizeof(path));
        if (!grown)
            return NULL;
        s->paths = grown;
        s->cap = cap;
    }
    path *paths = s->paths;
    for (size_t i = 0; i < n; i++)
        paths[i] = (path){ 0.0, 0, -1 };
    return paths;
}

/* Of equal ways the first one stays. */
static void offer(path *to, double score, bool single, size_t from, int32_t id)
{
    if (single)
        score = (double)(float)score;
    if (to->id < 0 || score > to->score)
        *to = (path){ score, (uint32_t)from, id };
}

/* All pieces that begin at a place, and the unknown for a character that is none of them. */
static bool offer_from(const axl__word_model *m, const axl__bpe *pieces, const char *text,
                       size_t len, size_t from, size_t char_end, path *paths, size_t *steps)
{
    double score = paths[from].score;
    uint64_t node = 0;
    bool single = false;

    for (size_t i = from; i < len; i++) {
        uint64_t key = axl__pair_key((uint32_t)node, (unsigned char)text[i]);
        if (!axl__pairs_get(&m->edges, key, &node))
            break;
        int32_t id = m->node_ids[node];
        ++*steps;
        if (id < 0)
            continue;
        offer(&paths[i + 1], m->scores[id] + score, m->single, from, id);
        single = single || i + 1 == char_end;
    }
    if (!single && pieces->unk_id < 0)
        return false;
    if (!single)
        offer(&paths[char_end], m->unk_score + score, m->single, from, pieces->unk_id);
    return true;
}

/* A stretch that the best way takes: a piece, or what is unknown, which may be one after all when
 * its characters are joined; then bytes, where all of them are pieces. */
static axl_status put_stretch(const axl__word_model *m, const axl__bpe *pieces, const char *text,
                              size_t from, size_t to, axl__token_ids *out, axl__token_ids *places)
{
    int32_t id = axl__bpe_id(pieces, text + from, to - from);
    bool bytes = pieces->byte_fallback;

    if (id >= 0 && !(m->single && m->scores[id] == -INFINITY))
        return put_token(out, places, id, from, to);
    for (size_t i = from; i < to; i++)
        bytes = bytes && pieces->byte_ids[(unsigned char)text[i]] >= 0;
    if (!bytes)
        return put_unknown(pieces, from, to, out, places);
    for (size_t i = from; i < to; i++)
        AXL_TRY(put_token(out, places, pieces->byte_ids[(unsigned char)text[i]], from, to));
    return AXL_OK;
}

/* Turns the way back from the end into one from the beginning: `from` of a place then is where the
 * piece that begins there ends.  Unknown characters in a row become one. */
static axl_status put_way(const axl__word_model *m, const axl__bpe *pieces, const char *text,
                          size_t len, path *paths, axl__token_ids *out, axl__token_ids *places)
{
    size_t end = len;
    int32_t id = paths[len].id;

    while (end > 0) {
        size_t from = paths[end].from;
        int32_t before = paths[from].id;
        while (id == pieces->unk_id && before == id && from > 0) {
            from = paths[from].from;
            before = paths[from].id;
        }
        paths[from].score = (double)end;
        end = from;
        id = before;
    }
    for (size_t from = 0; from < len; from = end) {
        end = (size_t)paths[from].score;
        AXL_TRY(put_stretch(m, pieces, text, from, end, out, places));
    }
    return AXL_OK;
}

static axl_status encode_unigram(const axl__word_model *m, const axl__bpe *pieces, const char *text,
                                 size_t len, axl__word_scratch *s, axl__token_ids *out,
                                 axl__token_ids *places)
{
    path *paths = paths_for(pieces->ctx, s, len + 1);
    size_t steps = 0;

    if (!paths)
        return axl__fail_nomem();
    for (size_t from = 0, end = 0; from < len; from = end) {
        (void)axl__utf8_next(text, len, &end);
        if (!offer_from(m, pieces, text, len, from, end, paths, &steps))
            return put_unknown(pieces, from, end, out, places);
        if (steps >= POLL_STEPS) {
            AXL_TRY(axl__cancelled(pieces->ctx));
            steps = 0;
        }
    }
    return put_way(m, pieces, text, len, paths, out, places);
}

axl_status axl__word_encode(const axl__word_model *m, const axl__bpe *pieces, const char *text,
                            size_t len, axl__word_scratch *s, axl__token_ids *out,
                            axl__token_ids *places)
{
    if (m->kind == AXL__MODEL_WORD_LEVEL)
        return encode_word_level(pieces, text, len, out, places);
    if (m->kind == AXL__MODEL_WORD_PIECE)
        return encode_word_piece(m, pieces, text, len, &s->key, out, places);
    return encode_unigram(m, pieces, text, len, s, out, places);
}
