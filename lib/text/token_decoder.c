/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_decoder.c - the decoders of a tokenizer.json: running them (pipeline.h) and reading them
 * (token_decoder.h).  They work on whole lists of tokens as tokenizers does, because a later step
 * may see what an earlier one made.
 */
#include "token_decoder.h"

#include "base/utf8.h"
#include "byte_level.h"
#include "pre_tokenizer.h"

#include <string.h>

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

/* ---- kinds ---- */

/* in and out are different lists; a step may put fewer tokens out than came. */
typedef struct {
    const axl__decoder_step *step;
    const axl__token_texts *in;
    axl__token_texts *out;
    bool first; /* the tokens begin a text */
    size_t limit;
    axl__str work;
} decoding;

static axl_status decode_fuse(decoding *d)
{
    const axl__token_texts *in = d->in;

    return in->count ? axl__token_texts_put(d->out, axl__str_text(&in->bytes), in->bytes.len)
                     : AXL_OK;
}

/* A fused text that continues another has no beginning to strip: see axl__decode_tokens. */
static axl_status decode_strip(decoding *d)
{
    for (size_t i = 0; i < d->in->count; i++) {
        axl__slice t = stripped(token_at(d->in, i), d->step);
        AXL_TRY(axl__token_texts_put(d->out, t.text, t.len));
    }
    return AXL_OK;
}

static axl_status replace_matches(decoding *d, axl__slice t)
{
    axl__regex_scratch scratch = { NULL };
    axl__regex_walk walk = { d->step->regex, &scratch, t.text, t.len, 0, false };
    size_t from, to, said = 0;
    axl_status status = t.len > 0 ? AXL_OK : AXL_END;

    while (status == AXL_OK && (status = axl__regex_next(&walk, &from, &to)) == AXL_OK) {
        axl__str_put(&d->out->bytes, t.text + said, from > said ? from - said : 0);
        axl__str_put(&d->out->bytes, d->step->to.text, d->step->to.len);
        said = to;
        if (d->out->bytes.len > d->limit)
            status = axl__too_long();
    }
    axl__str_put(&d->out->bytes, t.text + said, t.len - said);
    axl__regex_scratch_free(&scratch);
    return status < 0 ? status : AXL_OK;
}

static axl_status decode_replace(decoding *d)
{
    for (size_t i = 0; i < d->in->count; i++) {
        axl__slice t = token_at(d->in, i);
        AXL_TRY(d->step->regex ? replace_matches(d, t)
                               : axl__str_put_replaced(&d->out->bytes, t.text, t.len, d->step->from,
                                                       d->step->to, d->limit));
        AXL_TRY(end_token(d->out));
    }
    return AXL_OK;
}

static axl_status decode_metaspace(decoding *d)
{
    static const axl__slice space = { " ", 1 }, nothing = { "", 0 };

    for (size_t i = 0; i < d->in->count; i++) {
        axl__slice t = token_at(d->in, i);
        bool drop = i == 0 && d->first && d->step->drop;
        AXL_TRY(axl__str_put_replaced(&d->out->bytes, t.text, t.len, d->step->from,
                                      drop ? nothing : space, d->limit));
        AXL_TRY(end_token(d->out));
    }
    return AXL_OK;
}

/* The spaces that BERT's tokens leave in English, one kind after the other, in d->work. */
static axl_status clean_up(decoding *d)
{
    static const char *const rules[][2] = {
        { " .", "." },   { " ?", "?" },     { " !", "!" },     { " ,", "," },
        { " ' ", "'" },  { " n't", "n't" }, { " 'm", "'m" },   { " do not", " don't" },
        { " 's", "'s" }, { " 've", "'ve" }, { " 're", "'re" },
    };
    axl__str other;
    axl_status status = AXL_OK;

    axl__str_init(&other, d->work.ctx);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0] && status == AXL_OK; i++) {
        axl__str old = d->work;
        axl__slice from = { rules[i][0], strlen(rules[i][0]) };
        axl__slice to = { rules[i][1], strlen(rules[i][1]) };
        axl__str_clear(&other);
        status = axl__str_put_replaced(&other, axl__str_text(&old), old.len, from, to, SIZE_MAX);
        if (status == AXL_OK)
            status = axl__str_status(&other);
        d->work = other;
        other = old;
    }
    axl__str_free(&other);
    return status;
}

static axl_status decode_word_piece(decoding *d)
{
    axl__slice prefix = d->step->from;

    for (size_t i = 0; i < d->in->count; i++) {
        axl__slice t = token_at(d->in, i);
        axl__str_clear(&d->work);
        if ((i > 0 || !d->first) && axl__slice_begins(t.text, t.len, prefix))
            t = (axl__slice){ t.text + prefix.len, t.len - prefix.len };
        else if (i > 0 || !d->first)
            axl__str_putc(&d->work, ' ');
        axl__str_put(&d->work, t.text, t.len);
        AXL_TRY(axl__str_status(&d->work));
        if (d->step->clean)
            AXL_TRY(clean_up(d));
        AXL_TRY(axl__token_texts_put(d->out, axl__str_text(&d->work), d->work.len));
    }
    return AXL_OK;
}

static axl_status decode_bpe(decoding *d)
{
    static const axl__slice space = { " ", 1 }, nothing = { "", 0 };

    for (size_t i = 0; i < d->in->count; i++) {
        axl__slice t = token_at(d->in, i);
        AXL_TRY(axl__str_put_replaced(&d->out->bytes, t.text, t.len, d->step->from,
                                      i + 1 < d->in->count ? space : nothing, d->limit));
        AXL_TRY(end_token(d->out));
    }
    return AXL_OK;
}

/* Only with cleaning up does the delimiter become a space, as in tokenizers. */
static axl_status decode_ctc(decoding *d)
{
    static const axl__slice space = { " ", 1 }, nothing = { "", 0 };

    for (size_t i = 0; i < d->in->count; i++) {
        axl__slice t = token_at(d->in, i), last = i > 0 ? token_at(d->in, i - 1) : nothing;
        if (i > 0 && last.len == t.len && memcmp(last.text, t.text, t.len) == 0)
            continue;
        axl__str_clear(&d->work);
        AXL_TRY(axl__str_put_replaced(&d->work, t.text, t.len, d->step->from, nothing, SIZE_MAX));
        AXL_TRY(axl__str_status(&d->work));
        if (d->step->clean)
            AXL_TRY(clean_up(d));
        if (d->work.len == 0)
            continue;
        AXL_TRY(axl__str_put_replaced(&d->out->bytes, axl__str_text(&d->work), d->work.len,
                                      d->step->clean ? d->step->to : nothing, space, d->limit));
        AXL_TRY(end_token(d->out));
    }
    return AXL_OK;
}

static axl_status decode_fallback(decoding *d)
{
    return decode_bytes(d->in, d->out);
}

static axl_status decode_letters(decoding *d)
{
    return decode_byte_level(d->in, d->out);
}

static axl_status decode_step(const axl__decoder_step *s, const axl__token_texts *in,
                              axl__token_texts *out, bool first, size_t limit)
{
    static axl_status (*const kinds[])(decoding *) = {
        [AXL__DECODE_REPLACE] = decode_replace,
        [AXL__DECODE_BYTES] = decode_fallback,
        [AXL__DECODE_FUSE] = decode_fuse,
        [AXL__DECODE_STRIP] = decode_strip,
        [AXL__DECODE_METASPACE] = decode_metaspace,
        [AXL__DECODE_BYTE_LEVEL] = decode_letters,
        [AXL__DECODE_WORD_PIECE] = decode_word_piece,
        [AXL__DECODE_BPE] = decode_bpe,
        [AXL__DECODE_CTC] = decode_ctc,
    };
    decoding d = { .step = s, .in = in, .out = out, .first = first, .limit = limit };

    axl__str_init(&d.work, in->bytes.ctx);
    axl_status status = kinds[s->kind](&d);
    axl__str_free(&d.work);
    return status;
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
        if (step.regex)
            axl__regex_pad(&tokens->bytes);
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
        if (s->kind == AXL__DECODE_BPE || s->kind == AXL__DECODE_CTC) /* neighbours matter */
            return false;
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

/* ---- reading ---- */

static axl_status read_replace(const axl__part *part, axl__decoder_step *s, axl__regexes *owned)
{
    bool regex;

    AXL_TRY(axl__part_pattern(part, &s->from, &regex));
    AXL_TRY(axl__part_text(part, "content", &s->to));
    return regex || s->from.len == 0 ? axl__regexes_add(owned, s->from.text, s->from.len, &s->regex)
                                     : AXL_OK;
}

static axl_status read_strip(const axl__part *part, axl__decoder_step *s, axl__regexes *owned)
{
    int64_t start = axl__json_int(part->json, "start", -1);
    int64_t stop = axl__json_int(part->json, "stop", -1);

    (void)owned;
    AXL_TRY(axl__part_char(part, "content", &s->from));
    if (start < 0 || stop < 0 || start > INT32_MAX || stop > INT32_MAX)
        return axl__part_wrong(part, "start and stop must be numbers from 0 on");
    s->start = (uint32_t)start;
    s->stop = (uint32_t)stop;
    return AXL_OK;
}

static axl_status read_metaspace(const axl__part *part, axl__decoder_step *s, axl__regexes *owned)
{
    axl__metaspace m = { 0 };

    (void)owned;
    AXL_TRY(axl__read_metaspace(part, &m));
    s->from = m.mark;
    s->drop = m.scheme != AXL__PREFIX_NEVER;
    return AXL_OK;
}

static axl_status read_word_piece(const axl__part *part, axl__decoder_step *s, axl__regexes *owned)
{
    (void)owned;
    AXL_TRY(axl__part_text(part, "prefix", &s->from));
    return axl__part_bool(part, "cleanup", true, &s->clean);
}

static axl_status read_bpe(const axl__part *part, axl__decoder_step *s, axl__regexes *owned)
{
    (void)owned;
    return axl__part_text(part, "suffix", &s->from);
}

static axl_status read_ctc(const axl__part *part, axl__decoder_step *s, axl__regexes *owned)
{
    (void)owned;
    AXL_TRY(axl__part_text(part, "pad_token", &s->from));
    AXL_TRY(axl__part_text(part, "word_delimiter_token", &s->to));
    return axl__part_bool(part, "cleanup", true, &s->clean);
}

/* In the order of axl__decoder_kind. */
static const struct {
    const char *name;
    axl_status (*read)(const axl__part *part, axl__decoder_step *s, axl__regexes *owned);
} readers[] = {
    [AXL__DECODE_REPLACE] = { "Replace", read_replace },
    [AXL__DECODE_BYTES] = { "ByteFallback", NULL },
    [AXL__DECODE_FUSE] = { "Fuse", NULL },
    [AXL__DECODE_STRIP] = { "Strip", read_strip },
    [AXL__DECODE_METASPACE] = { "Metaspace", read_metaspace },
    [AXL__DECODE_BYTE_LEVEL] = { "ByteLevel", NULL },
    [AXL__DECODE_WORD_PIECE] = { "WordPiece", read_word_piece },
    [AXL__DECODE_BPE] = { "BPEDecoder", read_bpe },
    [AXL__DECODE_CTC] = { "CTC", read_ctc },
};

static axl_status add_decoder(axl__pipeline *p, const axl__part *part, axl__regexes *owned)
{
    axl__decoder_step step = { 0 };

    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        if (!axl__part_is(part, readers[i].name))
            continue;
        if (p->n_decoder == AXL__STEPS_MAX)
            return axl__fail(AXL_ERR_UNSUPPORTED, "more than %d decoders", AXL__STEPS_MAX);
        step.kind = (axl__decoder_kind)i;
        if (readers[i].read)
            AXL_TRY(readers[i].read(part, &step, owned));
        p->decoder[p->n_decoder++] = step;
        return AXL_OK;
    }
    return axl__part_unknown(part);
}

static axl_status read_decoders(axl__pipeline *p, const axl__part *part, axl__regexes *owned)
{
    axl__part member = *part;

    if (!axl__part_is(part, "Sequence"))
        return add_decoder(p, part, owned);
    AXL_TRY(axl__part_list(part, "decoders", &member.json));
    for (; member.json; member.json = member.json->next)
        AXL_TRY(read_decoders(p, &member, owned));
    return AXL_OK;
}

/* Without a decoder tokenizers joins tokens by spaces, which is another thing than a decoder of no
 * steps. */
axl_status axl__read_decoder(axl__pipeline *p, const axl__part *part, axl__regexes *owned)
{
    p->no_decoder = axl__part_none(part->json);
    return p->no_decoder ? AXL_OK : read_decoders(p, part, owned);
}
