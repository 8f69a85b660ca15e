/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline.c - see pipeline.h.  The steps are those of Hugging Face tokenizers, one by one.
 *
 * They work on whole texts and lists of tokens as tokenizers does, and not on characters as they
 * come, because a later step may see what an earlier one made.
 */
#include "pipeline.h"

#include "base/utf8.h"
#include "byte_level.h"
#include "nfc.h"

#include <string.h>

/* The next occurrence of what in text[at..len), or len. */
static size_t find_slice(const char *text, size_t len, size_t at, axl__slice what)
{
    while (what.len > 0 && at + what.len <= len) {
        const char *p = memchr(text + at, what.text[0], len - at - what.len + 1);
        if (!p)
            break;
        at = (size_t)(p - text);
        if (memcmp(p, what.text, what.len) == 0)
            return at;
        at++;
    }
    return len;
}

/* A tokenizer's replacements make a text a few times as long; those of a hostile one multiply each
 * other, 16 steps of them beyond any memory.  What out may be long where a text of so many bytes
 * goes in: 64 times that, and a megabyte for short ones. */
size_t axl__grown_limit(size_t len)
{
    const size_t least = (size_t)1 << 20;

    return len > (SIZE_MAX - least) / 64 ? SIZE_MAX : least + 64 * len;
}

static axl_status too_long(void)
{
    return axl__fail(AXL_ERR_FORMAT,
                     "the tokenizer's replacements make a text more than 64 times as long");
}

static axl_status put_replaced(axl__str *out, const char *text, size_t len, axl__slice from,
                               axl__slice to, size_t limit)
{
    for (size_t at = 0; at < len;) {
        size_t hit = find_slice(text, len, at, from);
        axl__str_put(out, text + at, hit - at);
        if (hit == len)
            break;
        if (to.len > limit || out->len > limit - to.len)
            return too_long();
        axl__str_put(out, to.text, to.len);
        at = hit + from.len;
    }
    return AXL_OK;
}

axl_status axl__put_replaced(const axl__aligned *in, axl__slice from, axl__slice to, size_t limit,
                             axl__aligned *out)
{
    const char *text = axl__str_text(&in->text);
    size_t len = in->text.len;

    for (size_t at = 0; at < len;) {
        size_t hit = find_slice(text, len, at, from), end = hit + from.len;
        axl__aligned_copy(out, in, at, hit);
        if (hit == len)
            break;
        if (to.len > limit || out->text.len > limit - to.len)
            return too_long();
        axl__aligned_put(out, to.text, to.len, axl__aligned_span(in, end - 1, end));
        at = end;
    }
    return AXL_OK;
}

bool axl__slice_begins(const char *text, size_t len, axl__slice what)
{
    return len >= what.len && memcmp(text, what.text, what.len) == 0;
}

/* ---- encoding ---- */

/* Prepending to an empty text leaves it empty, as in tokenizers. */
static axl_status normalize_step(const axl__normalizer_step *s, const char *text, size_t len,
                                 axl__str *out, size_t limit)
{
    if (s->kind == AXL__REPLACE)
        return put_replaced(out, text, len, s->from, s->to, limit);
    if (s->kind == AXL__NFC)
        return axl__nfc(out, text, len);
    if (len > 0) {
        axl__str_put(out, s->to.text, s->to.len);
        axl__str_put(out, text, len);
    }
    return AXL_OK;
}

/* Steps go back and forth between two buffers; the last one writes to out, behind what is there. */
axl_status axl__normalize(const axl__pipeline *p, const char *text, size_t len, axl__str *out)
{
    axl__str work[2];
    size_t limit = out->len + axl__grown_limit(len);
    axl_status status = AXL_OK;

    if (p->n_normalizer < 2) {
        if (p->n_normalizer == 1)
            AXL_TRY(normalize_step(&p->normalizer[0], text, len, out, limit));
        else
            axl__str_put(out, text, len);
        return axl__str_status(out);
    }
    axl__str_init(&work[0], out->ctx);
    axl__str_init(&work[1], out->ctx);
    for (uint32_t i = 0; i < p->n_normalizer && status == AXL_OK; i++) {
        axl__str *to = i + 1 == p->n_normalizer ? out : &work[i % 2];
        if (to != out)
            axl__str_clear(to);
        status = normalize_step(&p->normalizer[i], text, len, to, limit);
        if (status == AXL_OK)
            status = axl__str_status(to);
        if (status == AXL_OK)
            status = axl__cancelled(out->ctx);
        text = axl__str_text(to);
        len = to->len;
    }
    axl__str_free(&work[0]);
    axl__str_free(&work[1]);
    return status;
}

/* The prefix goes before a text that does not begin with a mark already.  at_start matters to the
 * scheme "first": the text is the beginning of all that was given, not what follows a token. */
axl_status axl__put_metaspace(const axl__metaspace *m, const char *text, size_t len, bool at_start,
                              axl__str *out)
{
    static const axl__slice space = { " ", 1 };
    bool marked = len > 0 && (text[0] == ' ' || axl__slice_begins(text, len, m->mark));

    axl__str_reserve(out, len + len / 2 + m->mark.len);
    if (!marked &&
        (m->scheme == AXL__PREFIX_ALWAYS || (m->scheme == AXL__PREFIX_FIRST && at_start)))
        axl__str_put(out, m->mark.text, m->mark.len);
    AXL_TRY(put_replaced(out, text, len, space, m->mark, SIZE_MAX));
    return axl__str_status(out);
}

/* ---- decoding ---- */

void axl__token_texts_init(axl__token_texts *t, axl_context *ctx)
{
    memset(t, 0, sizeof *t);
    axl__str_init(&t->bytes, ctx);
}

void axl__token_texts_free(axl__token_texts *t)
{
    axl_context *ctx = t->bytes.ctx;

    axl__str_free(&t->bytes);
    axl__free(ctx, t->ends);
    axl__token_texts_init(t, ctx);
}

static axl_status end_token(axl__token_texts *t)
{
    if (t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 64;
        size_t *ends = cap > SIZE_MAX / sizeof *ends
                           ? NULL
                           : axl__realloc(t->bytes.ctx, t->ends, cap * sizeof *ends);
        if (!ends)
            return axl__fail_nomem();
        t->ends = ends;
        t->cap = cap;
    }
    t->ends[t->count++] = t->bytes.len;
    return axl__str_status(&t->bytes);
}

axl_status axl__token_texts_put(axl__token_texts *t, const char *text, size_t len)
{
    axl__str_put(&t->bytes, text, len);
    return end_token(t);
}

/* Good until something is put into t. */
static axl__slice token_at(const axl__token_texts *t, size_t i)
{
    size_t from = i > 0 ? t->ends[i - 1] : 0;

    return (axl__slice){ axl__str_text(&t->bytes) + from, t->ends[i] - from };
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

int axl__byte_token(const char *text, size_t len)
{
    if (len != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>')
        return -1;
    int hi = text[3] == '+' ? 0 : hex_digit(text[3]), lo = hex_digit(text[4]); /* Rust reads "+A" */
    return hi < 0 || lo < 0 ? -1 : hi << 4 | lo;
}

/* All of a run is text or none of it is. */
static axl_status put_run(axl__token_texts *out, axl__str *run)
{
    if (run->failed)
        return axl__fail_nomem();
    if (run->len == 0)
        return AXL_OK;
    if (axl__utf8_valid(run->data, run->len))
        axl__str_put(&out->bytes, run->data, run->len);
    else
        for (size_t i = 0; i < run->len; i++)
            axl__str_put_utf8(&out->bytes, AXL__REPLACEMENT);
    axl__str_clear(run);
    return end_token(out);
}

/* Tokens of bytes in a row become one token of text, whatever character they end in. */
static axl_status decode_bytes(const axl__token_texts *in, axl__token_texts *out)
{
    axl__str run;
    axl_status status = AXL_OK;

    axl__str_init(&run, in->bytes.ctx);
    for (size_t i = 0; i < in->count && status == AXL_OK; i++) {
        axl__slice t = token_at(in, i);
        int byte = axl__byte_token(t.text, t.len);
        if (byte >= 0) {
            axl__str_putc(&run, (char)byte);
            continue;
        }
        status = put_run(out, &run);
        if (status == AXL_OK)
            status = axl__token_texts_put(out, t.text, t.len);
    }
    if (status == AXL_OK)
        status = put_run(out, &run);
    axl__str_free(&run);
    return status;
}

/* What of the bytes is no text reads as U+FFFD, wherever the tokens' borders are. */
static axl_status decode_byte_level(const axl__token_texts *in, axl__token_texts *out)
{
    axl__str bytes;

    axl__str_init(&bytes, in->bytes.ctx);
    for (size_t i = 0; i < in->count; i++) {
        axl__slice t = token_at(in, i);
        axl__byte_level_decode(&bytes, t.text, t.len);
    }
    if (axl__utf8_valid(axl__str_text(&bytes), bytes.len))
        axl__str_put(&out->bytes, axl__str_text(&bytes), bytes.len);
    else
        for (size_t at = 0; at < bytes.len;)
            axl__str_put_utf8(&out->bytes, axl__utf8_next(bytes.data, bytes.len, &at));
    axl_status status = axl__str_status(&bytes);
    axl__str_free(&bytes);
    return status < 0 || in->count == 0 ? status : end_token(out);
}

static axl__slice stripped(axl__slice t, const axl__decoder_step *s)
{
    for (uint32_t i = 0; i < s->start && t.len > 0 && axl__slice_begins(t.text, t.len, s->from);
         i++) {
        t.text += s->from.len;
        t.len -= s->from.len;
    }
    for (uint32_t i = 0; i < s->stop && t.len >= s->from.len &&
                         memcmp(t.text + t.len - s->from.len, s->from.text, s->from.len) == 0;
         i++)
        t.len -= s->from.len;
    return t;
}

/* in and out are different lists; a step may put fewer tokens out than came. */
static axl_status decode_step(const axl__decoder_step *s, const axl__token_texts *in,
                              axl__token_texts *out, bool first, size_t limit)
{
    static const axl__slice space = { " ", 1 }, nothing = { "", 0 };

    if (s->kind == AXL__DECODE_BYTES)
        return decode_bytes(in, out);
    if (s->kind == AXL__DECODE_BYTE_LEVEL)
        return decode_byte_level(in, out);
    if (s->kind == AXL__DECODE_FUSE)
        return in->count ? axl__token_texts_put(out, axl__str_text(&in->bytes), in->bytes.len)
                         : AXL_OK;
    /* A fused text that continues another has no beginning to strip: see axl__decode_tokens. */
    for (size_t i = 0; i < in->count; i++) {
        axl__slice t = token_at(in, i);
        if (s->kind == AXL__DECODE_STRIP)
            t = stripped(t, s), axl__str_put(&out->bytes, t.text, t.len);
        else if (s->kind == AXL__DECODE_REPLACE)
            AXL_TRY(put_replaced(&out->bytes, t.text, t.len, s->from, s->to, limit));
        else
            AXL_TRY(put_replaced(&out->bytes, t.text, t.len, s->from,
                                 i == 0 && first && s->drop ? nothing : space, limit));
        AXL_TRY(end_token(out));
    }
    return AXL_OK;
}

static void swap_texts(axl__token_texts *a, axl__token_texts *b)
{
    axl__token_texts t = *a;

    *a = *b;
    *b = t;
}

/* Uses tokens up.  A strip behind a fuse is for the beginning of the whole text (LLaMA's one
 * space), so that a part which continues a text must not be stripped; before a fuse it is each
 * token's own. */
axl_status axl__decode_tokens(const axl__pipeline *p, axl__token_texts *tokens, bool first,
                              axl__str *out)
{
    axl__token_texts next;
    const size_t limit = axl__grown_limit(tokens->bytes.len);
    axl_status status = AXL_OK;
    bool fused = false;

    axl__token_texts_init(&next, out->ctx);
    for (uint32_t i = 0; i < p->n_decoder && status == AXL_OK; i++) {
        axl__decoder_step step = p->decoder[i];
        if (step.kind == AXL__DECODE_FUSE || step.kind == AXL__DECODE_BYTE_LEVEL)
            fused = true;
        if (step.kind == AXL__DECODE_STRIP && fused && !first)
            step.start = 0;
        axl__str_clear(&next.bytes);
        next.count = 0;
        status = decode_step(&step, tokens, &next, first, limit);
        swap_texts(tokens, &next);
    }
    for (size_t i = 0; i < tokens->count && status == AXL_OK; i++) {
        axl__slice t = token_at(tokens, i);
        if (p->no_decoder && (i > 0 || !first))
            axl__str_putc(out, ' ');
        axl__str_put(out, t.text, t.len);
    }
    axl__token_texts_free(&next);
    return status < 0 ? status : axl__str_status(out);
}

/* A step on the fused text could change what earlier tokens gave once later ones are known;
 * stripping its beginning cannot. */
bool axl__decoder_streams(const axl__pipeline *p)
{
    bool fused = false;

    for (uint32_t i = 0; i < p->n_decoder; i++) {
        const axl__decoder_step *s = &p->decoder[i];
        if (fused && (s->kind != AXL__DECODE_STRIP || s->stop > 0))
            return false;
        fused = fused || s->kind == AXL__DECODE_FUSE || s->kind == AXL__DECODE_BYTE_LEVEL;
    }
    return true;
}

bool axl__decoder_has(const axl__pipeline *p, axl__decoder_kind kind)
{
    for (uint32_t i = 0; i < p->n_decoder; i++)
        if (p->decoder[i].kind == kind)
            return true;
    return false;
}
