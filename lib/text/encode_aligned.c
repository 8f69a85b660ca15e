/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode_aligned.c - see encode_aligned.h.  The steps are those of tokenizer.c, with the same ids;
 * here each of them writes the text anew together with where every byte is from, which costs
 * several times what the ids alone do.
 */
#include "encode_aligned.h"

#include "base/utf8.h"
#include "byte_level.h"
#include "tokenizer_priv.h"
#include "unicode_form.h"
#include "unicode_word.h"
#include "words.h"

#include <string.h>

typedef struct {
    const axl_tokenizer *t;
    axl__bpe_scratch scratch;
    axl__aligned text[2]; /* a piece before and behind a step of the normalizer */
    axl__words words[2];  /* as text, of the pre-tokenizers */
    axl__aligned spaced;
    axl__token_ids ids, lens; /* of the word at hand */
    axl__hits hits[2];        /* of the two passes of searching */
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

    if (e->t->pipeline.n_trims > 0 && text.len > 0)
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

static axl_status encode_word(encoder *e, const axl__aligned *a, size_t from, size_t to)
{
    const axl__bpe *b = &e->t->bpe;
    size_t at = from, end;

    e->ids.count = e->lens.count = 0;
    AXL_TRY(
        axl__bpe_encode_lengths(b, a->text.data + from, to - from, &e->scratch, &e->ids, &e->lens));
    for (size_t i = 0; i < e->ids.count; i++, at = end) {
        axl__piece piece = b->pieces[e->ids.data[i]];
        end = at + (size_t)e->lens.data[i];
        AXL_TRY(put_token(e, e->ids.data[i], token_span(a, from, at, end),
                          (axl__slice){ piece.text, piece.len }));
    }
    return AXL_OK;
}

/* ---- pre-tokenizers ---- */

/* Replaces spaces by marks, puts one before the word where the scheme says so, and lets a word
 * begin at each mark. */
static axl_status put_metaspace(encoder *e, const axl__metaspace *m, axl__words *out)
{
    const axl__aligned *in = &e->words[0].text;
    axl__aligned *a = &e->spaced;
    size_t len = in->text.len, from = 0;
    bool first = axl__aligned_span(in, 0, 1).begin == 0;

    axl__aligned_clear(a);
    if (in->text.data[0] != ' ' && !axl__slice_begins(in->text.data, len, m->mark) &&
        (m->scheme == AXL__PREFIX_ALWAYS || (m->scheme == AXL__PREFIX_FIRST && first)))
        axl__aligned_put(a, m->mark.text, m->mark.len, axl__aligned_span(in, 0, 1));
    AXL_TRY(axl__put_replaced(in, (axl__slice){ " ", 1 }, m->mark, SIZE_MAX, a));
    AXL_TRY(axl__aligned_status(a));
    len = a->text.len;
    while (from < len) {
        size_t to = m->split ? from + 1 : len;
        while (to < len && !axl__slice_begins(a->text.data + to, len - to, m->mark))
            to++;
        AXL_TRY(axl__words_put(out, a, from, to));
        from = to;
    }
    return AXL_OK;
}

static axl_status put_cut(encoder *e, const axl__cut *cut, const axl__aligned *in, size_t from,
                          size_t to, axl__words *out)
{
    axl__aligned *a = &e->spaced;

    if (cut->prefix_space && in->text.data[from] != ' ') {
        axl__aligned_clear(a);
        axl__aligned_put(a, " ", 1, axl__aligned_span(in, from, from + 1));
        axl__aligned_copy(a, in, from, to);
        AXL_TRY(axl__aligned_status(a));
        in = a;
        from = 0;
        to = a->text.len;
    }
    for (size_t at = from, end; at < to; at = end) {
        AXL_TRY(axl__cancelled(e->t->ctx));
        end = from + axl__split_word(cut->into, in->text.data + from, to - from, at - from);
        AXL_TRY(axl__words_put(out, in, at, end));
    }
    return AXL_OK;
}

static axl_status put_byte_level(const axl__aligned *in, size_t from, size_t to, axl__words *out)
{
    axl__str letter;

    axl__str_init(&letter, in->text.ctx);
    for (size_t i = from; i < to; i++) {
        axl__str_clear(&letter);
        axl__byte_level_put(&letter, in->text.data + i, 1);
        axl__aligned_put(&out->text, axl__str_text(&letter), letter.len,
                         axl__aligned_span(in, i, i + 1));
    }
    axl_status status = axl__str_status(&letter);
    axl__str_free(&letter);
    return status < 0 ? status : axl__words_end(out);
}

/* Each pre-tokenizer cuts the words of the one before; the last words are in e->words[0]. */
static axl_status pre_tokenize(encoder *e)
{
    const axl__pipeline *p = &e->t->pipeline;
    uint32_t steps = p->metaspace.on ? 1 : p->n_cuts + p->byte_level;

    for (uint32_t step = 0; step < steps; step++) {
        axl__words *in = &e->words[0], *out = &e->words[1], old;
        size_t from = 0;
        axl__words_clear(out);
        for (size_t i = 0; i < in->count; from = in->ends[i++]) {
            if (p->metaspace.on)
                AXL_TRY(put_metaspace(e, &p->metaspace, out));
            else if (step < p->n_cuts)
                AXL_TRY(put_cut(e, &p->cuts[step], &in->text, from, in->ends[i], out));
            else
                AXL_TRY(put_byte_level(&in->text, from, in->ends[i], out));
        }
        old = *in;
        *in = *out;
        *out = old;
    }
    return AXL_OK;
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

static axl_status normalize_step(const axl__normalizer_step *s, const axl__aligned *in,
                                 axl__aligned *out, size_t limit)
{
    if (s->kind == AXL__REPLACE)
        return axl__put_replaced(in, s->from, s->to, limit, out);
    if (s->kind == AXL__NFC)
        return axl__put_form(AXL__FORM_C, in, out);
    if (in->text.len > 0) {
        axl__aligned_put(out, s->to.text, s->to.len, axl__aligned_span(in, 0, 1));
        axl__aligned_copy(out, in, 0, in->text.len);
    }
    return AXL_OK;
}

/* What comes out is in e->text[0] again. */
static axl_status normalize(encoder *e)
{
    const axl__pipeline *p = &e->t->pipeline;
    size_t limit = axl__grown_limit(e->text[0].text.len);

    for (uint32_t i = 0; i < p->n_normalizer; i++) {
        axl__aligned old = e->text[0];
        axl__aligned_clear(&e->text[1]);
        AXL_TRY(normalize_step(&p->normalizer[i], &old, &e->text[1], limit));
        AXL_TRY(axl__aligned_status(&e->text[1]));
        AXL_TRY(axl__cancelled(e->t->ctx));
        e->text[0] = e->text[1];
        e->text[1] = old;
    }
    return AXL_OK;
}

/* A piece between the tokens of the first pass; at: where it begins in the text. */
static axl_status encode_piece(encoder *e, const char *text, size_t len, size_t at)
{
    axl__aligned *a = &e->text[0];
    axl__finder f;
    int32_t id;
    size_t from, to;
    axl_status status;

    axl__aligned_clear(a);
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
    axl__aligned_free(&e->spaced);
    axl__token_ids_free(&e->ids);
    axl__token_ids_free(&e->lens);
    axl__bpe_scratch_free(&e->scratch);
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

axl_status axl__encode_aligned(const axl_tokenizer *t, const char *text, size_t len, uint32_t flags,
                               axl__aligned_tokens *out)
{
    encoder e = { .t = t, .out = out };

    axl__bpe_scratch_init(&e.scratch, t->ctx);
    for (int i = 0; i < 2; i++) {
        axl__aligned_init(&e.text[i], t->ctx, true);
        axl__words_init(&e.words[i], t->ctx, true);
    }
    axl__aligned_init(&e.spaced, t->ctx, true);
    axl__token_ids_init(&e.ids, t->ctx);
    axl__token_ids_init(&e.lens, t->ctx);
    axl_status status = encode_around(&e, text, len, !(flags & AXL_TOKENIZE_NO_SPECIAL));
    encoder_free(&e);
    return status;
}
