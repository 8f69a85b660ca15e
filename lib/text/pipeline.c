/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline.c - see pipeline.h: the fast way through the normalizer.  The steps are those of Hugging
 * Face tokenizers, one by one.
 *
 * They work on whole texts and lists of tokens as tokenizers does, and not on characters as they
 * come, because a later step may see what an earlier one made.
 */
#include "pipeline.h"

#include "nfc.h"
#include "normalizer.h"

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

axl_status axl__too_long(void)
{
    return axl__fail(AXL_ERR_FORMAT,
                     "the tokenizer's replacements make a text more than 64 times as long");
}

axl_status axl__str_put_replaced(axl__str *out, const char *text, size_t len, axl__slice from,
                                 axl__slice to, size_t limit)
{
    for (size_t at = 0; at < len;) {
        size_t hit = find_slice(text, len, at, from);
        axl__str_put(out, text + at, hit - at);
        if (hit == len)
            break;
        if (to.len > limit || out->len > limit - to.len)
            return axl__too_long();
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
            return axl__too_long();
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
        return axl__str_put_replaced(out, text, len, s->from, s->to, limit);
    if (s->kind == AXL__NFC)
        return axl__nfc(out, text, len);
    if (len > 0) {
        axl__str_put(out, s->to.text, s->to.len);
        axl__str_put(out, text, len);
    }
    return AXL_OK;
}

/* With steps that this file does not know. */
static axl_status normalize_any(const axl__pipeline *p, const char *text, size_t len, axl__str *out,
                                size_t limit)
{
    axl__regex_scratch scratch = { NULL };
    axl__aligned work[2];
    axl_status status = AXL_OK;

    axl__aligned_init(&work[0], out->ctx, false);
    axl__aligned_init(&work[1], out->ctx, false);
    axl__aligned_put_original(&work[0], text, len, 0);
    for (uint32_t i = 0; i < p->n_normalizer && status == AXL_OK; i++) {
        axl__aligned *in = &work[i % 2];
        if (p->normalizer[i].regex)
            axl__regex_pad(&in->text);
        status = axl__aligned_status(in);
        axl__aligned_clear(&work[(i + 1) % 2]);
        if (status == AXL_OK)
            status =
                axl__normalize_step(&p->normalizer[i], in, &work[(i + 1) % 2], limit, &scratch);
    }
    const axl__aligned *last = &work[p->n_normalizer % 2];
    if (status == AXL_OK)
        status = axl__aligned_status(last);
    if (status == AXL_OK)
        axl__str_put(out, axl__str_text(&last->text), last->text.len);
    axl__aligned_free(&work[0]);
    axl__aligned_free(&work[1]);
    axl__regex_scratch_free(&scratch);
    return status < 0 ? status : axl__str_status(out);
}

/* Steps go back and forth between two buffers; the last one writes to out, behind what is there. */
axl_status axl__normalize(const axl__pipeline *p, const char *text, size_t len, axl__str *out)
{
    axl__str work[2];
    size_t limit = out->len + axl__grown_limit(len);
    axl_status status = AXL_OK;

    if (p->general)
        return normalize_any(p, text, len, out, limit);
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
    AXL_TRY(axl__str_put_replaced(out, text, len, space, m->mark, SIZE_MAX));
    return axl__str_status(out);
}
