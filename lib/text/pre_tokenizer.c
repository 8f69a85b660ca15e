/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pre_tokenizer.c - see pre_tokenizer.h.  What cuts a text is found first, as stretches that match
 * and stretches between; what becomes of those is the same for all kinds.
 */
#include "pre_tokenizer.h"

#include "base/utf8.h"
#include "byte_level.h"
#include "unicode_class.h"
#include "unicode_letter.h"
#include "unicode_script.h"
#include "unicode_word.h"

#include <string.h>

enum { POLL_WORDS = 1024 };

void axl__cutter_init(axl__cutter *c, axl_context *ctx, bool track)
{
    memset(c, 0, sizeof *c);
    c->ctx = ctx;
    axl__aligned_init(&c->changed, ctx, track);
}

void axl__cutter_free(axl__cutter *c)
{
    axl__free(c->ctx, c->stretches);
    axl__aligned_free(&c->changed);
    axl__regex_scratch_free(&c->regex);
}

/* ---- stretches ---- */

static axl_status put_stretch(axl__cutter *c, size_t from, size_t to, bool match)
{
    if (c->count == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 64;
        axl__stretch *grown = cap > SIZE_MAX / sizeof *grown
                                  ? NULL
                                  : axl__realloc(c->ctx, c->stretches, cap * sizeof *grown);
        if (!grown)
            return axl__fail_nomem();
        c->stretches = grown;
        c->cap = cap;
    }
    c->stretches[c->count++] = (axl__stretch){ from, to, match };
    if (c->count % POLL_WORDS == 0)
        return axl__cancelled(c->ctx);
    return AXL_OK;
}

/* A match, and before it what came since the last one, which ended at *said. */
static axl_status put_match(axl__cutter *c, size_t *said, size_t from, size_t to)
{
    if (*said < from)
        AXL_TRY(put_stretch(c, *said, from, false));
    *said = to;
    return put_stretch(c, from, to, true);
}

static axl_status put_rest(axl__cutter *c, size_t said, size_t len)
{
    return said < len ? put_stretch(c, said, len, false) : AXL_OK;
}

static axl_status find_regex(axl__cutter *c, const axl__cut *cut, const char *text, size_t len)
{
    axl__regex_walk walk = { cut->regex, &c->regex, text, len, 0, false };
    size_t said = 0, from, to;
    axl_status status;

    while ((status = axl__regex_next(&walk, &from, &to)) == AXL_OK)
        AXL_TRY(put_match(c, &said, from < said ? said : from, to));
    return status < 0 ? status : put_rest(c, said, len);
}

static axl_status find_text(axl__cutter *c, const axl__cut *cut, const char *text, size_t len)
{
    size_t said = 0, n = cut->text.len;

    for (size_t at = 0; n > 0 && at + n <= len;) {
        if (axl__slice_begins(text + at, len - at, cut->text)) {
            AXL_TRY(put_match(c, &said, at, at + n));
            at += n;
        } else {
            at++;
        }
    }
    return put_rest(c, said, len);
}

static axl_status find_chars(axl__cutter *c, const axl__cut *cut, const char *text, size_t len)
{
    size_t said = 0;

    for (size_t at = 0, from = 0; at < len; from = at)
        if (cut->is(axl__utf8_next(text, len, &at)))
            AXL_TRY(put_match(c, &said, from, at));
    return put_rest(c, said, len);
}

static axl_status find_words(axl__cutter *c, const axl__cut *cut, const char *text, size_t len)
{
    for (size_t at = 0, end; at < len; at = end) {
        end = axl__split_word(cut->into, text, len, at);
        AXL_TRY(put_stretch(c, at, end, true));
    }
    return AXL_OK;
}

/* 0 for white space, 1 for a word's characters, 2 for others. */
static int kind_of_char(uint32_t c)
{
    return axl__unicode_word(c) ? 1 : axl__unicode_space(c) ? 0 : 2;
}

static axl_status find_runs(axl__cutter *c, const axl__cut *cut, const char *text, size_t len)
{
    (void)cut;
    for (size_t at = 0, end = 0; at < len; at = end) {
        int kind = kind_of_char(axl__utf8_next(text, len, &end));
        for (size_t next = end; next < len; end = next)
            if (kind_of_char(axl__utf8_next(text, len, &next)) != kind)
                break;
        AXL_TRY(put_stretch(c, at, end, kind == 0));
    }
    return AXL_OK;
}

static axl_status find_lengths(axl__cutter *c, const axl__cut *cut, const char *text, size_t len)
{
    for (size_t at = 0, end = 0; at < len; at = end) {
        for (uint32_t i = 0; i < cut->length && end < len; i++)
            (void)axl__utf8_next(text, len, &end);
        AXL_TRY(put_stretch(c, at, end, true));
    }
    return AXL_OK;
}

/* What stands before the first character of a script is lost, as in tokenizers. */
static axl_status find_scripts(axl__cutter *c, const axl__cut *cut, const char *text, size_t len)
{
    uint32_t last = 0;
    size_t begin = len;

    (void)cut;
    for (size_t at = 0, from = 0; at < len; from = at) {
        uint32_t script = axl__unicode_script(axl__utf8_next(text, len, &at));
        if (script == 0)
            continue;
        if (script != last && last != 0)
            AXL_TRY(put_stretch(c, begin, from, true));
        if (script != last)
            begin = from;
        last = script;
    }
    return begin < len ? put_stretch(c, begin, len, true) : AXL_OK;
}

/* ---- what becomes of them ---- */

static bool joins_next(axl__split_behavior behavior, const axl__stretch *a, const axl__stretch *b)
{
    if (behavior == AXL__CONTIGUOUS)
        return a->match == b->match;
    if (behavior == AXL__MERGED_WITH_NEXT)
        return a->match && !b->match;
    return behavior == AXL__MERGED_WITH_PREVIOUS && !a->match && b->match;
}

static axl_status put_stretches(const axl__cutter *c, const axl__cut *cut, const axl__aligned *in,
                                size_t base, axl__words *out)
{
    for (size_t i = 0; i < c->count; i++) {
        axl__stretch s = c->stretches[i];
        if (cut->behavior == AXL__REMOVED && s.match)
            continue;
        while (i + 1 < c->count &&
               joins_next(cut->behavior, &c->stretches[i], &c->stretches[i + 1]))
            s.to = c->stretches[++i].to;
        AXL_TRY(axl__words_put(out, in, base + s.from, base + s.to));
    }
    return AXL_OK;
}

/* A space is put before the word that has none. */
static axl_status put_space(axl__aligned *out, const axl__aligned *in, size_t from, size_t to)
{
    axl__aligned_clear(out);
    axl__aligned_put(out, " ", 1, axl__aligned_span(in, from, from + 1));
    axl__aligned_copy(out, in, from, to);
    return axl__aligned_status(out);
}

/* Spaces become marks, and one is put before the word where the scheme says so.  "First" is the
 * word whose first character has its origin at the beginning of all that was given. */
static axl_status put_marks(const axl__metaspace *m, const axl__aligned *in, size_t from, size_t to,
                            axl__aligned *out)
{
    const char *text = in->text.data + from;
    bool marked = text[0] == ' ' || axl__slice_begins(text, to - from, m->mark);
    axl__span first = axl__aligned_span(in, from, from + 1);

    axl__aligned_clear(out);
    if (!marked && (m->scheme == AXL__PREFIX_ALWAYS ||
                    (m->scheme == AXL__PREFIX_FIRST && in->track && first.begin == 0)))
        axl__aligned_put(out, m->mark.text, m->mark.len, first);
    for (size_t at = from, next; at < to; at = next) {
        const char *space = memchr(in->text.data + at, ' ', to - at);
        next = space ? (size_t)(space - in->text.data) : to;
        axl__aligned_copy(out, in, at, next);
        if (space)
            axl__aligned_put(out, m->mark.text, m->mark.len, axl__aligned_span(in, next, next + 1));
        next += space != NULL;
    }
    return axl__aligned_status(out);
}

static axl_status find_marks(axl__cutter *c, const axl__metaspace *m, const axl__aligned *in)
{
    axl__cut at_mark = { .kind = AXL__CUT_TEXT, .text = m->mark };

    if (!m->split)
        return put_stretch(c, 0, in->text.len, true);
    return find_text(c, &at_mark, in->text.data, in->text.len);
}

static axl_status find(axl__cutter *c, const axl__cut *cut, const char *text, size_t len)
{
    static axl_status (*const finders[])(axl__cutter *, const axl__cut *, const char *, size_t) = {
        [AXL__CUT_WORDS] = find_words,     [AXL__CUT_REGEX] = find_regex,
        [AXL__CUT_TEXT] = find_text,       [AXL__CUT_CHARS] = find_chars,
        [AXL__CUT_WHITESPACE] = find_runs, [AXL__CUT_LENGTH] = find_lengths,
        [AXL__CUT_SCRIPTS] = find_scripts,
    };

    AXL_TRY(finders[cut->kind](c, cut, text, len));
    for (size_t i = 0; i < c->count && cut->invert; i++)
        c->stretches[i].match = !c->stretches[i].match;
    return AXL_OK;
}

axl_status axl__cut_word(axl__cutter *c, const axl__cut *cut, const axl__aligned *in, size_t from,
                         size_t to, axl__words *out)
{
    c->count = 0;
    if (cut->kind == AXL__CUT_BYTES) {
        axl__byte_level_aligned(in, from, to, &out->text);
        return axl__words_end(out);
    }
    if (cut->kind == AXL__CUT_METASPACE) {
        AXL_TRY(put_marks(&cut->metaspace, in, from, to, &c->changed));
        AXL_TRY(find_marks(c, &cut->metaspace, &c->changed));
        return put_stretches(c, cut, &c->changed, 0, out);
    }
    if (cut->prefix_space && in->text.data[from] != ' ') {
        AXL_TRY(put_space(&c->changed, in, from, to));
        in = &c->changed;
        from = 0;
        to = in->text.len;
    }
    AXL_TRY(find(c, cut, in->text.data + from, to - from));
    return put_stretches(c, cut, in, from, out);
}

/* ---- reading ---- */

/* Files from before prepend_scheme have add_prefix_space, of which false means "never". */
axl_status axl__read_metaspace(const axl__part *part, axl__metaspace *m)
{
    const char *name = axl__json_string(part->json, "prepend_scheme", "always");
    bool prefix;

    m->on = true;
    AXL_TRY(axl__part_bool(part, "split", true, &m->split));
    AXL_TRY(axl__part_bool(part, "add_prefix_space", true, &prefix));
    AXL_TRY(axl__part_char(part, "replacement", &m->mark));
    if (strcmp(name, "always") == 0)
        m->scheme = AXL__PREFIX_ALWAYS;
    else if (strcmp(name, "first") == 0)
        m->scheme = AXL__PREFIX_FIRST;
    else if (strcmp(name, "never") == 0)
        m->scheme = AXL__PREFIX_NEVER;
    else
        return axl__part_wrong(part, "prepend_scheme must be \"always\", \"first\" or \"never\"");
    if (!prefix && m->scheme != AXL__PREFIX_NEVER)
        return axl__part_wrong(part,
                               "add_prefix_space is false, but prepend_scheme is not \"never\"");
    return AXL_OK;
}

static axl_status read_behavior(const axl__part *part, const char *otherwise, axl__cut *cut)
{
    static const char *const names[] = {
        [AXL__REMOVED] = "Removed",
        [AXL__ISOLATED] = "Isolated",
        [AXL__MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
        [AXL__MERGED_WITH_NEXT] = "MergedWithNext",
        [AXL__CONTIGUOUS] = "Contiguous",
    };
    const char *name = axl__json_string(part->json, "behavior", otherwise);

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0) {
            cut->behavior = (axl__split_behavior)i;
            return AXL_OK;
        }
    return axl__part_wrong(part, "behavior must be Removed, Isolated, MergedWithPrevious, "
                                 "MergedWithNext or Contiguous");
}

/* One step of a pipeline being read. */
typedef struct {
    axl__pipeline *p;
    const axl__part *part;
    axl__regexes *owned;
} reading;

static axl_status add_cut(const reading *r, const axl__cut *cut)
{
    if (r->p->n_cuts == AXL__STEPS_MAX)
        return axl__fail(AXL_ERR_UNSUPPORTED, "more than %d pre_tokenizers", AXL__STEPS_MAX);
    r->p->cuts[r->p->n_cuts++] = *cut;
    return AXL_OK;
}

/* The patterns that are known run by hand: what they leave between their matches is nothing. */
static axl_status read_split(const reading *r)
{
    axl__cut cut = { .kind = AXL__CUT_TEXT };
    bool regex;

    AXL_TRY(axl__part_pattern(r->part, &cut.text, &regex));
    AXL_TRY(read_behavior(r->part, "", &cut));
    AXL_TRY(axl__part_bool(r->part, "invert", false, &cut.invert));
    if (!regex && cut.text.len > 0)
        return add_cut(r, &cut);
    cut.into = axl__splitter_of(cut.text.text, cut.text.len);
    if (cut.into != AXL__SPLIT_NONE &&
        cut.behavior == (cut.invert ? AXL__REMOVED : AXL__ISOLATED)) {
        cut = (axl__cut){ .kind = AXL__CUT_WORDS, .into = cut.into };
        return add_cut(r, &cut);
    }
    cut.kind = AXL__CUT_REGEX;
    AXL_TRY(axl__regexes_add(r->owned, cut.text.text, cut.text.len, &cut.regex));
    return add_cut(r, &cut);
}

static axl_status read_byte_level(const reading *r)
{
    axl__cut cut = { .kind = AXL__CUT_WORDS };
    axl__cut bytes = { .kind = AXL__CUT_BYTES };
    bool words;

    AXL_TRY(axl__part_bool(r->part, "add_prefix_space", true, &cut.prefix_space));
    AXL_TRY(axl__part_bool(r->part, "use_regex", true, &words));
    cut.into = words ? AXL__SPLIT_GPT2 : AXL__SPLIT_NONE;
    AXL_TRY(add_cut(r, &cut));
    return add_cut(r, &bytes);
}

static axl_status read_digits(const reading *r)
{
    axl__cut cut = { .kind = AXL__CUT_WORDS };
    bool each;

    AXL_TRY(axl__part_bool(r->part, "individual_digits", false, &each));
    cut.into = each ? AXL__SPLIT_DIGITS : AXL__SPLIT_DIGIT_RUNS;
    return add_cut(r, &cut);
}

static axl_status read_marks(const reading *r)
{
    axl__cut cut = { .kind = AXL__CUT_METASPACE, .behavior = AXL__MERGED_WITH_NEXT };

    AXL_TRY(axl__read_metaspace(r->part, &cut.metaspace));
    return add_cut(r, &cut);
}

static axl_status read_punctuation(const reading *r)
{
    axl__cut cut = { .kind = AXL__CUT_CHARS, .is = axl__unicode_punctuation };

    AXL_TRY(read_behavior(r->part, "Isolated", &cut));
    return add_cut(r, &cut);
}

static axl_status read_white_space(const reading *r)
{
    return add_cut(
        r,
        &(axl__cut){ .kind = AXL__CUT_CHARS, .behavior = AXL__REMOVED, .is = axl__unicode_space });
}

static axl_status read_bert(const reading *r)
{
    AXL_TRY(read_white_space(r));
    return add_cut(r, &(axl__cut){ .kind = AXL__CUT_CHARS,
                                   .behavior = AXL__ISOLATED,
                                   .is = axl__unicode_punctuation });
}

static axl_status read_runs(const reading *r)
{
    return add_cut(r, &(axl__cut){ .kind = AXL__CUT_WHITESPACE, .behavior = AXL__REMOVED });
}

static axl_status read_delimiter(const reading *r)
{
    axl__cut cut = { .kind = AXL__CUT_TEXT, .behavior = AXL__REMOVED };

    AXL_TRY(axl__part_char(r->part, "delimiter", &cut.text));
    return add_cut(r, &cut);
}

static axl_status read_length(const reading *r)
{
    axl__cut cut = { .kind = AXL__CUT_LENGTH };
    int64_t length = axl__json_int(r->part->json, "length", 5);

    if (length < 1 || length > INT32_MAX)
        return axl__part_wrong(r->part, "length must be a number from 1 on");
    cut.length = (uint32_t)length;
    return add_cut(r, &cut);
}

static axl_status read_scripts(const reading *r)
{
    return add_cut(r, &(axl__cut){ .kind = AXL__CUT_SCRIPTS });
}

static const struct {
    const char *name;
    axl_status (*read)(const reading *r);
} kinds[] = {
    { "BertPreTokenizer", read_bert },        { "ByteLevel", read_byte_level },
    { "CharDelimiterSplit", read_delimiter }, { "Digits", read_digits },
    { "FixedLength", read_length },           { "Metaspace", read_marks },
    { "Punctuation", read_punctuation },      { "Split", read_split },
    { "UnicodeScripts", read_scripts },       { "Whitespace", read_runs },
    { "WhitespaceSplit", read_white_space },
};

static axl_status read_member(const reading *r)
{
    axl__part member = *r->part;

    if (axl__part_none(r->part->json))
        return AXL_OK;
    if (axl__part_is(r->part, "Sequence")) {
        AXL_TRY(axl__part_list(r->part, "pretokenizers", &member.json));
        for (; member.json; member.json = member.json->next)
            AXL_TRY(read_member(&(reading){ r->p, &member, r->owned }));
        return AXL_OK;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (axl__part_is(r->part, kinds[i].name))
            return kinds[i].read(r);
    return axl__part_unknown(r->part);
}

/* Words by hand, and the bytes' characters at the end of them, are what the fast way knows, or one
 * Metaspace by itself. */
static void choose_way(axl__pipeline *p)
{
    if (p->n_cuts == 1 && p->cuts[0].kind == AXL__CUT_METASPACE) {
        p->metaspace = p->cuts[0].metaspace;
        p->n_cuts = 0;
        return;
    }
    uint32_t words = 0;
    while (words < p->n_cuts && p->cuts[words].kind == AXL__CUT_WORDS)
        words++;
    if (words + 1 == p->n_cuts && p->cuts[words].kind == AXL__CUT_BYTES) {
        p->byte_level = true;
        p->n_cuts--;
    } else if (words < p->n_cuts) {
        p->general = true;
    }
}

axl_status axl__read_pre_tokenizer(axl__pipeline *p, const axl__part *part, axl__regexes *owned)
{
    AXL_TRY(read_member(&(reading){ p, part, owned }));
    choose_way(p);
    return AXL_OK;
}
