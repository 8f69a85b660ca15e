/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode_aligned.c - see encode_aligned.h.  The steps are those of tokenizer.c, with the same ids;
 * here each of them writes the text anew together with where every byte is from, which costs
 * several times what the ids alone do.  Where the ids say it (encode_direct.h), that is spared.
 */
#include "encode_aligned.h"

#include "base/utf8.h"
#include "encode_direct.h"
#include "normalizer.h"
#include "pre_tokenizer.h"
#include "tokenizer_priv.h"
#include "unicode_word.h"

#include <string.h>

enum { POLL_WORDS = 1024 };

typedef struct {
    const axl_tokenizer *t;
    axl__bpe_scratch scratch;
    axl__word_scratch word;
    axl__aligned text[2]; /* a piece before and behind a step of the normalizer */
    axl__words words[2];  /* as text, of the pre-tokenizers */
    axl__cutter cutter;
    axl__token_ids ids, places; /* of the word at hand; two of the latter for each id */
    axl__hits hits[2];          /* of the two passes of searching */
    axl__direct direct;
    bool track;
    axl__aligned_tokens *out;
} encoder;

/* ---- tokens ---- */

static bool is_blank(uint32_t c)
{
    return c == 0x120 ||
           axl__unicode_space(c); /* the former is a space in byte_level.h's letters */
}

/* Blanks at the ends of a token's own text. */
static void count_blanks(axl__slice text, axl__aligned_token *token)
{
    size_t at = 0, from;

    while (at < text.len && is_blank(axl__utf8_next(text.text, text.len, &at)))
        token->lead++;
    for (at = text.len; at > 0; at = from) {
        from = at - 1;
        while (from > 0 && ((unsigned char)text.text[from] & 0xC0) == 0x80)
            from--;
        if (!is_blank(axl__utf8_next(text.text, text.len, &(size_t){ from })))
            break;
        token->trail++;
    }
}

static axl_status put_token(encoder *e, int32_t id, axl__span span, axl__slice text)
{
    axl__aligned_tokens *out = e->out;
    axl__aligned_token token = { id, span.begin, span.end, 0, 0 };

    if (e->t->pipeline.n_trims > 0 && e->track && text.len > 0)
        count_blanks(text, &token);
    if (out->count == out->cap) {
        size_t cap = out->cap ? 2 * out->cap : 64;
        axl__aligned_token *grown = axl__realloc(out->ctx, out->items, cap * sizeof *grown);
        if (!grown)
            return axl__fail_nomem();
        out->items = grown;
        out->cap = cap;
    }
    out->items[out->count++] = token;
    return AXL_OK;
}

/* The bytes [from, to) of a text of which the word is word_at; a token of no bytes stands for
 * nothing at the byte that its place in the word counts to in the original, as in tokenizers. */
static axl__span token_span(const axl__aligned *a, size_t word_at, size_t from, size_t to)
{
    uint32_t at;

    if (to > from)
        return axl__aligned_span(a, from, to);
    at = axl__aligned_span(a, word_at, word_at + 1).begin + (uint32_t)(from - word_at);
    return (axl__span){ at, at };
}

/* Lengths become places: each token goes on where the one before ended. */
static axl_status encode_bpe(encoder *e, const char *text, size_t len)
{
    const axl__bpe *b = &e->t->bpe;
    axl__token_ids *places = &e->places;

    if (!e->track && !axl__bpe_is_affixed(b))
        return axl__bpe_encode(b, text, len, &e->scratch, &e->ids);
    AXL_TRY(axl__bpe_encode_lengths(b, text, len, &e->scratch, &e->ids, places));
    size_t n = places->count, end = 0;
    for (size_t i = 0; i < n; i++)
        end += (size_t)places->data[i];
    for (size_t i = 0; i < n; i++)
        AXL_TRY(axl__token_ids_put(places, 0));
    for (size_t i = n; i-- > 0;) {
        size_t begin = end - (size_t)places->data[i];
        places->data[2 * i + 1] = (int32_t)(end < len ? end : len);
        places->data[2 * i] = (int32_t)(begin < len ? begin : len);
        end = begin;
    }
    return AXL_OK;
}

/* A token of an unknown word stands in Unigram for the word itself. */
static axl__slice text_of(const encoder *e, int32_t id, axl__slice word)
{
    axl__piece piece = e->t->bpe.pieces[id];

    return e->t->words.kind == AXL__MODEL_UNIGRAM && id == e->t->bpe.unk_id
               ? word
               : (axl__slice){ piece.text, piece.len };
}

static axl_status encode_word(encoder *e, const axl__aligned *a, size_t from, size_t to)
{
    const char *text = a->text.data + from;
    const axl_tokenizer *t = e->t;

    e->ids.count = e->places.count = 0;
    AXL_TRY(t->words.kind == AXL__MODEL_BPE ? encode_bpe(e, text, to - from)
                                            : axl__word_encode(&t->words, &t->bpe, text, to - from,
                                                               &e->word, &e->ids, &e->places));
    for (size_t i = 0; i < e->ids.count; i++) {
        int32_t id = e->ids.data[i];
        if (!e->track) {
            AXL_TRY(put_token(e, id, (axl__span){ 0, 0 }, (axl__slice){ NULL, 0 }));
            continue;
        }
        size_t begin = (size_t)e->places.data[2 * i], end = (size_t)e->places.data[2 * i + 1];
        axl__slice word = { text + begin, end - begin };
        AXL_TRY(
            put_token(e, id, token_span(a, from, from + begin, from + end), text_of(e, id, word)));
    }
    return AXL_OK;
}

/* ---- pre-tokenizers ---- */

/* One step, from e->words[0] to e->words[1], which then change places. */
static axl_status cut_words(encoder *e, const axl__cut *cut)
{
    axl__words *in = &e->words[0], *out = &e->words[1], old;
    size_t from = 0;

    axl__words_clear(out);
    if (cut->kind == AXL__CUT_REGEX)
        axl__regex_pad(&in->text.text);
    for (size_t i = 0; i < in->count; from = in->ends[i++]) {
        AXL_TRY(axl__cut_word(&e->cutter, cut, &in->text, from, in->ends[i], out));
        if (i % POLL_WORDS == 0)
            AXL_TRY(axl__cancelled(e->t->ctx));
    }
    old = *in;
    *in = *out;
    *out = old;
    return AXL_OK;
}

/* Each pre-tokenizer cuts the words of the one before; the last words are in e->words[0]. */
static axl_status pre_tokenize(encoder *e)
{
    const axl__pipeline *p = &e->t->pipeline;
    axl__cut marks = { .kind = AXL__CUT_METASPACE,
                       .behavior = AXL__MERGED_WITH_NEXT,
                       .metaspace = p->metaspace };

    if (p->metaspace.on)
        AXL_TRY(cut_words(e, &marks));
    for (uint32_t i = 0; i < p->n_cuts; i++)
        AXL_TRY(cut_words(e, &p->cuts[i]));
    return p->byte_level ? cut_words(e, &(axl__cut){ .kind = AXL__CUT_BYTES }) : AXL_OK;
}

/* The bytes [from, to) of a normalized piece, which hold no added token. */
static axl_status encode_text(encoder *e, const axl__aligned *a, size_t from, size_t to)
{
    axl__words *words = &e->words[0];
    size_t at = 0;

    axl__words_clear(words);
    AXL_TRY(axl__words_put(words, a, from, to));
    AXL_TRY(pre_tokenize(e));
    for (size_t i = 0; i < words->count; at = words->ends[i++])
        AXL_TRY(encode_word(e, &words->text, at, words->ends[i]));
    return AXL_OK;
}

/* ---- normalizer and added tokens ---- */

/* What comes out is in e->text[0] again. */
static axl_status normalize(encoder *e)
{
    const axl__pipeline *p = &e->t->pipeline;
    size_t limit = axl__grown_limit(e->text[0].text.len);

    for (uint32_t i = 0; i < p->n_normalizer; i++) {
        if (p->normalizer[i].regex)
            axl__regex_pad(&e->text[0].text);
        axl__aligned old = e->text[0];
        axl__aligned_clear(&e->text[1]);
        e->text[1].base = old.base;
        AXL_TRY(axl__normalize_step(&p->normalizer[i], &old, &e->text[1], limit, &e->cutter.regex));
        AXL_TRY(axl__aligned_status(&e->text[1]));
        AXL_TRY(axl__cancelled(e->t->ctx));
        e->text[0] = e->text[1];
        e->text[1] = old;
    }
    return AXL_OK;
}

static axl_status put_direct(encoder *e, axl__slice seen, size_t from, size_t to,
                             axl__origin *origin)
{
    const axl__bpe *b = &e->t->bpe;
    axl__direct *d = &e->direct;
    axl__origin own, *of;
    axl__slice text = { NULL, 0 }; /* only trimming looks at it, and it lies far away */

    AXL_TRY(axl__direct_encode(d, seen, from, to, origin, &own, &of));
    for (size_t i = 0; i < d->ids.count; i++) {
        int32_t id = d->ids.data[i];
        if (e->t->pipeline.n_trims > 0)
            text = (axl__slice){ b->pieces[id].text, b->pieces[id].len };
        AXL_TRY(put_token(e, id, axl__origin_next(of, b->lengths[id]), text));
    }
    return AXL_OK;
}

/* As encode_piece(), or AXL_END where it cannot be done. */
static axl_status encode_directly(encoder *e, const char *text, size_t len, size_t at)
{
    axl__origin origin;
    axl__slice seen;
    axl__finder f;
    int32_t id;
    size_t from, to;
    axl_status status = axl__direct_normal(&e->direct, text, len, at, &seen, &origin);

    if (status != AXL_OK)
        return status;
    axl__finder_init(&f, &e->t->added, true, seen.text, seen.len, &e->hits[1]);
    while ((status = axl__finder_next(&f, &id, &from, &to)) == AXL_OK) {
        axl__slice found = { seen.text + from, to - from };
        if (id >= 0)
            AXL_TRY(put_token(e, id, axl__origin_span(&origin, from, to), found));
        else
            AXL_TRY(put_direct(e, seen, from, to, &origin));
    }
    return status < 0 ? status : AXL_OK;
}

/* A piece between the tokens of the first pass; at: where it begins in the text. */
static axl_status encode_piece(encoder *e, const char *text, size_t len, size_t at)
{
    axl__aligned *a = &e->text[0];
    axl__finder f;
    int32_t id;
    size_t from, to;
    axl_status status;

    if (e->direct.on && (status = encode_directly(e, text, len, at)) != AXL_END)
        return status;
    axl__aligned_clear(a);
    a->base = (uint32_t)at;
    axl__aligned_put_original(a, text, len, at);
    AXL_TRY(axl__aligned_status(a));
    AXL_TRY(normalize(e));
    axl__finder_init(&f, &e->t->added, true, axl__str_text(&a->text), a->text.len, &e->hits[1]);
    while ((status = axl__finder_next(&f, &id, &from, &to)) == AXL_OK) {
        axl__slice found = { a->text.data + from, to - from };
        if (id >= 0)
            AXL_TRY(put_token(e, id, axl__aligned_span(a, from, to), found));
        else
            AXL_TRY(encode_text(e, a, from, to));
    }
    return status < 0 ? status : AXL_OK;
}

static axl_status encode_all(encoder *e, const char *text, size_t len)
{
    axl__finder f;
    int32_t id;
    size_t from, to;
    axl_status status;

    axl__finder_init(&f, &e->t->added, false, text, len, &e->hits[0]);
    while ((status = axl__finder_next(&f, &id, &from, &to)) == AXL_OK) {
        axl__span span = { (uint32_t)from, (uint32_t)to };
        if (id >= 0)
            AXL_TRY(put_token(e, id, span, (axl__slice){ text + from, to - from }));
        else
            AXL_TRY(encode_piece(e, text + from, to - from, from));
    }
    return status < 0 ? status : AXL_OK;
}

/* ---- around a text ---- */

/* n characters further, or as far as there are. */
static uint32_t forward(const char *text, size_t len, uint32_t at, uint32_t n)
{
    size_t i = at;

    while (n-- > 0 && i < len)
        (void)axl__utf8_next(text, len, &i);
    return (uint32_t)i;
}

/* n characters back; `at` where the text has not as many before it. */
static uint32_t backward(const char *text, uint32_t at, uint32_t n)
{
    uint32_t i = at;

    for (; n > 0 && i > 0; n--)
        do
            i--;
        while (i > 0 && ((unsigned char)text[i] & 0xC0) == 0x80);
    return n > 0 ? at : i;
}

/* As process_offsets of tokenizers' ByteLevel. */
static void trim(const axl__trim *how, axl__aligned_token *token, bool first, const char *text,
                 size_t len)
{
    uint32_t lead = token->lead, at;

    if (how->prefix_space && lead == 1 && (first || token->begin == 0))
        lead = 0;
    at = forward(text, len, token->begin, lead);
    token->begin = at < token->end ? at : token->end;
    at = backward(text, token->end, token->trail);
    token->end = at > token->begin ? at : token->begin;
}

static axl_status put_around(encoder *e, const int32_t *ids, uint32_t n, bool on)
{
    for (uint32_t i = 0; on && i < n; i++)
        AXL_TRY(put_token(e, ids[i], (axl__span){ 0, 0 }, (axl__slice){ NULL, 0 }));
    return AXL_OK;
}

static void encoder_free(encoder *e)
{
    axl_context *ctx = e->t->ctx;

    for (int i = 0; i < 2; i++) {
        axl__aligned_free(&e->text[i]);
        axl__words_free(&e->words[i]);
        axl__free(ctx, e->hits[i].items);
    }
    axl__cutter_free(&e->cutter);
    axl__token_ids_free(&e->ids);
    axl__token_ids_free(&e->places);
    axl__direct_free(&e->direct);
    axl__bpe_scratch_free(&e->scratch);
    axl__word_scratch_free(&e->word, ctx);
}

static axl_status encode_around(encoder *e, const char *text, size_t len, bool around)
{
    const axl__pipeline *p = &e->t->pipeline;
    axl__aligned_tokens *out = e->out;
    size_t before = out->count;

    AXL_TRY(put_around(e, p->before, p->n_before, around));
    AXL_TRY(encode_all(e, text, len));
    for (uint32_t i = 0; i < p->n_trims; i++) {
        size_t first = before + (around ? p->n_before - p->trims[i].behind : 0);
        for (size_t k = before; k < out->count; k++)
            trim(&p->trims[i], &out->items[k], k == first, text, len);
    }
    return put_around(e, p->after, p->n_after, around);
}

/* A "first" Metaspace asks where a word is from, also where only ids are wanted. */
static bool must_track(const axl__pipeline *p)
{
    for (uint32_t i = 0; i < p->n_cuts; i++)
        if (p->cuts[i].kind == AXL__CUT_METASPACE &&
            p->cuts[i].metaspace.scheme == AXL__PREFIX_FIRST)
            return true;
    return p->metaspace.on && p->metaspace.scheme == AXL__PREFIX_FIRST;
}

axl_status axl__encode_aligned(const axl_tokenizer *t, const char *text, size_t len, uint32_t flags,
                               bool offsets, axl__aligned_tokens *out)
{
    encoder e = { .t = t, .out = out, .track = offsets || must_track(&t->pipeline) };

    if (len > INT32_MAX)
        return axl__fail(AXL_ERR_INVALID, "a text of 2 GiB or more is too long for this tokenizer");
    axl__bpe_scratch_init(&e.scratch, t->ctx);
    axl__word_scratch_init(&e.word, t->ctx);
    axl__cutter_init(&e.cutter, t->ctx, e.track);
    for (int i = 0; i < 2; i++) {
        axl__aligned_init(&e.text[i], t->ctx, e.track);
        axl__words_init(&e.words[i], t->ctx, e.track);
    }
    axl__direct_init(&e.direct, t);
    axl__token_ids_init(&e.ids, t->ctx);
    axl__token_ids_init(&e.places, t->ctx);
    axl_status status = encode_around(&e, text, len, !(flags & AXL_TOKENIZE_NO_SPECIAL));
    encoder_free(&e);
    return status;
}
