/* SPDX-License-Identifier: Apache-2.0 */
/*
 * normalizer.c - see normalizer.h.  Each kind is a row of the table: its name in the file, what
 * reads its members, what runs it.  They change texts as tokenizers' do, and say of each character
 * the same origin.
 */
#include "normalizer.h"

#include "base/utf8.h"
#include "byte_level.h"
#include "charsmap.h"
#include "unicode_class.h"
#include "unicode_form.h"
#include "unicode_word.h"

#include <string.h>

typedef axl__normalizer_step step_t;

/* What one step runs with. */
typedef struct {
    const axl__normalizer_step *step;
    const axl__aligned *in;
    axl__aligned *out;
    size_t limit;
    axl__regex_scratch *scratch;
} work;

/* ---- character by character ---- */

/* What a character becomes: up to three others, or nothing. */
typedef int (*mapper)(uint32_t c, uint32_t out[3]);

static axl_status map_chars(const axl__aligned *in, axl__aligned *out, mapper map)
{
    const char *text = axl__str_text(&in->text);
    uint32_t made[3];
    char bytes[4];

    for (size_t at = 0, from = 0; at < in->text.len; from = at) {
        uint32_t c = axl__utf8_next(text, in->text.len, &at);
        int n = map(c, made);
        for (int i = 0; i < n; i++)
            axl__aligned_put(out, bytes, axl__utf8_encode(bytes, made[i]),
                             axl__aligned_span(in, from, at));
    }
    return axl__aligned_status(out);
}

static int to_lower(uint32_t c, uint32_t out[3])
{
    return axl__unicode_lower(c, out);
}

static int without_combining(uint32_t c, uint32_t out[3])
{
    out[0] = c;
    return !axl__unicode_combining(c);
}

static int without_nonspacing(uint32_t c, uint32_t out[3])
{
    out[0] = c;
    return !axl__unicode_nonspacing(c);
}

/* SentencePiece's rule of the name: controls go, and what is like a space becomes one. */
static int as_nmt(uint32_t c, uint32_t out[3])
{
    bool space = c == 0x9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                 (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                 c == 0xFEFF || c == 0xFFFD;

    out[0] = space ? ' ' : c;
    return !((c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F ||
             c == 0x9F);
}

static int as_clean(uint32_t c, uint32_t out[3])
{
    out[0] = axl__unicode_space(c) ? ' ' : c;
    return !axl__unicode_no_text(c);
}

/* The ranges are those of BERT's tokenization.py, with the same slip in the fourth extension. */
static int with_spaced_chinese(uint32_t c, uint32_t out[3])
{
    bool chinese = (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
                   (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
                   (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
                   (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);

    out[0] = chinese ? ' ' : c;
    out[1] = c;
    out[2] = ' ';
    return chinese ? 3 : 1;
}

/* ---- kinds ---- */

/* A prefix of nothing leaves the first character without an origin, as there. */
static axl_status run_prepend(const work *w)
{
    const axl__aligned *in = w->in;
    axl__slice text = w->step->to;
    size_t first = 0;

    if (in->text.len == 0)
        return AXL_OK;
    axl__aligned_put(w->out, text.text, text.len, axl__aligned_span(in, 0, 1));
    if (text.len == 0) {
        (void)axl__utf8_next(in->text.data, in->text.len, &first);
        axl__aligned_put(w->out, in->text.data, first, (axl__span){ in->base, in->base });
    }
    axl__aligned_copy(w->out, in, first, in->text.len);
    return AXL_OK;
}

/* What comes in place of an empty match has the origin of what is before it. */
static axl_status replace_matches(const work *w)
{
    const axl__aligned *in = w->in;
    axl__slice to = w->step->to;
    axl__regex_walk walk = { w->step->regex, w->scratch, axl__str_text(&in->text),
                             in->text.len,   0,          false };
    size_t from, end, said = 0;
    axl_status status;

    if (in->text.len == 0)
        return AXL_OK;
    while ((status = axl__regex_next(&walk, &from, &end)) == AXL_OK) {
        axl__aligned_copy(w->out, in, said, from);
        axl__span span =
            end > 0 ? axl__aligned_span(in, end - 1, end) : (axl__span){ in->base, in->base };
        axl__aligned_put(w->out, to.text, to.len, span);
        if (w->out->text.len > w->limit)
            return axl__too_long();
        said = end;
    }
    axl__aligned_copy(w->out, in, said, in->text.len);
    return status < 0 ? status : AXL_OK;
}

static axl_status run_replace(const work *w)
{
    if (w->step->regex)
        return replace_matches(w);
    return axl__put_replaced(w->in, w->step->from, w->step->to, w->limit, w->out);
}

static axl_status run_form(const work *w)
{
    axl__normalizer_kind kind = w->step->kind;

    return axl__put_form(kind == AXL__NFC    ? AXL__FORM_C
                         : kind == AXL__NFD  ? AXL__FORM_D
                         : kind == AXL__NFKC ? AXL__FORM_KC
                                             : AXL__FORM_KD,
                         w->in, w->out);
}

static axl_status run_lowercase(const work *w)
{
    return map_chars(w->in, w->out, to_lower);
}

static axl_status run_strip_accents(const work *w)
{
    return map_chars(w->in, w->out, without_combining);
}

static axl_status run_nmt(const work *w)
{
    return map_chars(w->in, w->out, as_nmt);
}

static axl_status run_strip(const work *w)
{
    const char *text = axl__str_text(&w->in->text);
    size_t from = 0, to = w->in->text.len, at;

    while (w->step->left && from < to) {
        at = from;
        if (!axl__unicode_space(axl__utf8_next(text, to, &at)))
            break;
        from = at;
    }
    while (w->step->right && to > from) {
        at = to - 1;
        while (at > from && ((unsigned char)text[at] & 0xC0) == 0x80)
            at--;
        if (!axl__unicode_space(axl__utf8_next(text, to, &(size_t){ at })))
            break;
        to = at;
    }
    axl__aligned_copy(w->out, w->in, from, to);
    return AXL_OK;
}

/* Its four parts, of which each sees what the one before made. */
static axl_status run_bert(const work *w)
{
    const axl__normalizer_step *s = w->step;
    mapper parts[] = { s->clean ? as_clean : NULL, s->space_chinese ? with_spaced_chinese : NULL,
                       s->strip_accents ? without_nonspacing : NULL, s->lower ? to_lower : NULL };
    axl__aligned a, b;
    axl_status status = AXL_OK;

    axl__aligned_init(&a, w->in->text.ctx, w->in->track);
    axl__aligned_init(&b, w->in->text.ctx, w->in->track);
    axl__aligned_copy(&a, w->in, 0, w->in->text.len);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && status == AXL_OK; i++) {
        axl__aligned old;
        if (!parts[i])
            continue;
        status = axl__aligned_status(&a);
        axl__aligned_clear(&b);
        if (status == AXL_OK && parts[i] == without_nonspacing) {
            status = axl__put_form(AXL__FORM_D, &a, &b);
            old = a, a = b, b = old;
            axl__aligned_clear(&b);
        }
        if (status == AXL_OK)
            status = map_chars(&a, &b, parts[i]);
        old = a, a = b, b = old;
    }
    if (status == AXL_OK)
        status = axl__aligned_status(&a);
    if (status == AXL_OK)
        axl__aligned_copy(w->out, &a, 0, a.text.len);
    axl__aligned_free(&a);
    axl__aligned_free(&b);
    return status;
}

static axl_status run_precompiled(const work *w)
{
    return axl__put_mapped(w->step->from, w->in, w->limit, w->out);
}

static axl_status run_sentencepiece(const work *w)
{
    return axl__put_sentencepiece(w->step, w->in, w->limit, w->out);
}

static axl_status run_bytes(const work *w)
{
    axl__byte_level_aligned(w->in, 0, w->in->text.len, w->out);
    return AXL_OK;
}

/* ---- reading ---- */

static axl_status read_prepend(const axl__part *part, step_t *s, axl__regexes *owned)
{
    (void)owned;
    return axl__part_text(part, "prepend", &s->to);
}

static axl_status read_replace(const axl__part *part, step_t *s, axl__regexes *owned)
{
    bool regex;

    AXL_TRY(axl__part_pattern(part, &s->from, &regex));
    AXL_TRY(axl__part_text(part, "content", &s->to));
    return regex || s->from.len == 0 ? axl__regexes_add(owned, s->from.text, s->from.len, &s->regex)
                                     : AXL_OK;
}

static axl_status read_strip(const axl__part *part, step_t *s, axl__regexes *owned)
{
    (void)owned;
    AXL_TRY(axl__part_bool(part, "strip_left", true, &s->left));
    return axl__part_bool(part, "strip_right", true, &s->right);
}

/* Without a word of its own accents go where letters become small. */
static axl_status read_bert(const axl__part *part, step_t *s, axl__regexes *owned)
{
    (void)owned;
    AXL_TRY(axl__part_bool(part, "clean_text", true, &s->clean));
    AXL_TRY(axl__part_bool(part, "handle_chinese_chars", true, &s->space_chinese));
    AXL_TRY(axl__part_bool(part, "lowercase", true, &s->lower));
    return axl__part_bool(part, "strip_accents", s->lower, &s->strip_accents);
}

static axl_status read_precompiled(const axl__part *part, step_t *s, axl__regexes *owned)
{
    (void)owned;
    AXL_TRY(axl__part_text(part, "precompiled_charsmap", &s->from));
    return axl__charsmap_decode(part, &s->from);
}

static const struct {
    const char *name;
    axl_status (*run)(const work *w);
    axl_status (*read)(const axl__part *part, step_t *s,
                       axl__regexes *owned); /* NULL: no members */
} kinds[] = {
    [AXL__PREPEND] = { "Prepend", run_prepend, read_prepend },
    [AXL__REPLACE] = { "Replace", run_replace, read_replace },
    [AXL__NFC] = { "NFC", run_form, NULL },
    [AXL__NFD] = { "NFD", run_form, NULL },
    [AXL__NFKC] = { "NFKC", run_form, NULL },
    [AXL__NFKD] = { "NFKD", run_form, NULL },
    [AXL__LOWERCASE] = { "Lowercase", run_lowercase, NULL },
    [AXL__STRIP] = { "Strip", run_strip, read_strip },
    [AXL__STRIP_ACCENTS] = { "StripAccents", run_strip_accents, NULL },
    [AXL__NMT] = { "Nmt", run_nmt, NULL },
    [AXL__BERT] = { "BertNormalizer", run_bert, read_bert },
    [AXL__PRECOMPILED] = { "Precompiled", run_precompiled, read_precompiled },
    [AXL__NORMALIZE_BYTES] = { "ByteLevel", run_bytes, NULL },
    [AXL__SENTENCEPIECE] = { NULL, run_sentencepiece, NULL },
};

static axl_status add_step(axl__pipeline *p, const axl__part *part, size_t kind,
                           axl__regexes *owned)
{
    axl__normalizer_step s = { .kind = (axl__normalizer_kind)kind };

    if (p->n_normalizer == AXL__STEPS_MAX)
        return axl__fail(AXL_ERR_UNSUPPORTED, "more than %d normalizers", AXL__STEPS_MAX);
    if (kinds[kind].read)
        AXL_TRY(kinds[kind].read(part, &s, owned));
    p->general =
        p->general || kind > AXL__NFC || s.regex || (kind == AXL__PREPEND && s.to.len == 0);
    p->normalizer[p->n_normalizer++] = s;
    return AXL_OK;
}

/* A Sequence within a Sequence is the same as its members in a row. */
axl_status axl__read_normalizer(axl__pipeline *p, const axl__part *part, axl__regexes *owned)
{
    axl__part member = *part;

    if (axl__part_none(part->json))
        return AXL_OK;
    if (axl__part_is(part, "Sequence")) {
        AXL_TRY(axl__part_list(part, "normalizers", &member.json));
        for (; member.json; member.json = member.json->next)
            AXL_TRY(axl__read_normalizer(p, &member, owned));
        return AXL_OK;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].name && axl__part_is(part, kinds[i].name))
            return add_step(p, part, i, owned);
    return axl__part_unknown(part);
}

axl_status axl__normalize_step(const axl__normalizer_step *s, const axl__aligned *in,
                               axl__aligned *out, size_t limit, axl__regex_scratch *scratch)
{
    return kinds[s->kind].run(&(work){ s, in, out, limit, scratch });
}
