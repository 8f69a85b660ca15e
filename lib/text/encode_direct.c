/* SPDX-License-Identifier: Apache-2.0 */
/* encode_direct.c - see encode_direct.h. */
#include "encode_direct.h"

#include "tokenizer_priv.h"

#include <string.h>

/* ---- which tokenizers ---- */

/* Spaces become marks, and a text may get a prefix: LLaMA's normalizer.  A prefix with spaces would
 * be changed by the step behind it. */
static bool takes_step(axl__direct *d, const axl__normalizer_step *s)
{
    if (s->kind == AXL__NFC) {
        d->composes = true;
        return true;
    }
    if (s->kind == AXL__PREPEND && !d->prefix.text) {
        d->prefix = s->to;
        return !memchr(s->to.text, ' ', s->to.len);
    }
    if (s->kind != AXL__REPLACE || d->mark.text || s->from.len != 1 || s->from.text[0] != ' ')
        return false;
    d->mark = s->to;
    return s->to.len > 0;
}

static bool takes_pipeline(axl__direct *d, const axl__pipeline *p)
{
    if (p->general)
        return false;
    for (uint32_t i = 0; i < p->n_normalizer; i++)
        if (!takes_step(d, &p->normalizer[i]))
            return false;
    for (uint32_t i = 0; i < p->n_cuts; i++)
        if (p->cuts[i].prefix_space)
            return false;
    bool changes = d->prefix.text || d->mark.text;
    return !changes || (!d->composes && !p->metaspace.on);
}

void axl__direct_init(axl__direct *d, const axl_tokenizer *t)
{
    memset(d, 0, sizeof *d);
    d->t = t;
    axl__token_ids_init(&d->ids, t->ctx);
    axl__text_encoder_init(&d->texts, t, &d->ids);
    axl__str_init(&d->normal, t->ctx);
    d->on = t->words.kind == AXL__MODEL_BPE && t->bpe.lengths && t->bpe.covers &&
            t->bpe.by_bytes == t->pipeline.byte_level && takes_pipeline(d, &t->pipeline);
}

void axl__direct_free(axl__direct *d)
{
    axl__token_ids_free(&d->ids);
    axl__text_encoder_free(&d->texts);
    axl__str_free(&d->normal);
}

/* ---- what is from where ---- */

static bool continues(const axl__origin *o, size_t at)
{
    return at < o->len && ((unsigned char)o->text[at] & 0xC0) == 0x80;
}

/* The first byte of a character says how many there are. */
static size_t char_end(const axl__origin *o, size_t at)
{
    unsigned char c = (unsigned char)o->text[at];

    return at + 1 + (c >= 0xC0) + (c >= 0xE0) + (c >= 0xF0);
}

static bool is_mark(axl__slice s)
{
    return s.len == strlen(AXL__SPACE_MARK) && memcmp(s.text, AXL__SPACE_MARK, s.len) == 0;
}

static bool has_mark(const char *text, size_t len)
{
    static const axl__slice mark = { AXL__SPACE_MARK, sizeof AXL__SPACE_MARK - 1 };
    const char *end = text + len;

    for (; (text = memchr(text, mark.text[0], (size_t)(end - text))); text++)
        if (axl__slice_begins(text, (size_t)(end - text), mark))
            return true;
    return false;
}

/* The prefix stands for the first character, as that does itself.  A mark that was in the text
 * before cannot be told from a space's. */
static void origin_begin(axl__origin *o, axl__slice prefix, axl__slice mark)
{
    o->mark = mark.len;
    o->prefix = prefix.len;
    o->same = prefix.len == 0 && mark.len == 0;
    o->counts = o->same || (is_mark(mark) && (prefix.len == 0 || is_mark(prefix)) &&
                            !has_mark(o->text, o->len));
    o->at = o->next = 0;
    o->seen = prefix.len;
    o->here = (axl__span){ 0, (uint32_t)(o->len > 0 ? char_end(o, 0) : 0) };
}

/* The character that is seen at `at`. */
static void origin_go(axl__origin *o, size_t at)
{
    while (o->seen <= at && o->next < o->len) {
        size_t from = o->next;
        o->next = char_end(o, from);
        o->here = (axl__span){ (uint32_t)from, (uint32_t)o->next };
        o->seen += o->mark > 0 && o->text[from] == ' ' ? o->mark : o->next - from;
    }
}

/* A part of a character stands for all of it. */
static axl__span widen(const axl__origin *o, size_t begin, size_t end)
{
    while (continues(o, begin))
        begin--;
    while (continues(o, end))
        end++;
    return (axl__span){ o->base + (uint32_t)begin, o->base + (uint32_t)end };
}

axl__span axl__origin_span(axl__origin *o, size_t from, size_t to)
{
    if (o->same)
        return widen(o, from, to);
    origin_go(o, from);
    from = o->here.begin;
    origin_go(o, to - 1);
    return (axl__span){ o->base + (uint32_t)from, o->base + o->here.end };
}

axl__span axl__origin_next(axl__origin *o, axl__id_length token)
{
    size_t from = o->at, prefix = o->prefix > 0; /* which counts one byte, as marks do */

    if (!o->counts) {
        o->at += token.bytes;
        return axl__origin_span(o, from, o->at);
    }
    o->at += token.bytes - (o->same ? 0 : (strlen(AXL__SPACE_MARK) - 1) * token.marks);
    return widen(o, from > prefix ? from - prefix : 0, o->at > prefix ? o->at - prefix : prefix);
}

/* ---- encoding ---- */

/* A text that composing changes goes the other way. */
axl_status axl__direct_normal(axl__direct *d, const char *text, size_t len, size_t at,
                              axl__slice *seen, axl__origin *origin)
{
    *origin = (axl__origin){ .text = text, .len = len, .base = (uint32_t)at };
    *seen = (axl__slice){ text, len };
    origin_begin(origin, d->prefix, d->mark);
    if (d->t->pipeline.n_normalizer == 0)
        return AXL_OK;
    axl__str_clear(&d->normal);
    AXL_TRY(axl__normalize(&d->t->pipeline, text, len, &d->normal));
    if (d->composes)
        return d->normal.len == len && memcmp(d->normal.data, text, len) == 0 ? AXL_OK : AXL_END;
    *seen = (axl__slice){ axl__str_text(&d->normal), d->normal.len };
    return AXL_OK;
}

/* What a Metaspace put before a text: what it made then begins as the text does not. */
static axl__slice metaspace_prefix(const axl__direct *d, const char *text, size_t len)
{
    const axl__slice mark = d->t->pipeline.metaspace.mark;
    bool put = text[0] != ' ' && !axl__slice_begins(text, len, mark) &&
               axl__slice_begins(d->texts.marked.data, d->texts.marked.len, mark);

    return put ? mark : (axl__slice){ NULL, 0 };
}

axl_status axl__direct_encode(axl__direct *d, axl__slice seen, size_t from, size_t to,
                              axl__origin *origin, axl__origin *own, axl__origin **of)
{
    const char *text = seen.text + from;
    size_t len = to - from;

    d->ids.count = 0;
    AXL_TRY(axl__encode_text(&d->texts, text, len, origin->base + from == 0));
    *of = origin;
    if (d->t->pipeline.metaspace.on) {
        *own = (axl__origin){ .text = text, .len = len, .base = origin->base + (uint32_t)from };
        origin_begin(own, metaspace_prefix(d, text, len), d->t->pipeline.metaspace.mark);
        *of = own;
    } else {
        origin->at = from;
        origin->counts = origin->same || (origin->counts && len == seen.len);
    }
    return AXL_OK;
}
