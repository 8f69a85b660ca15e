/* SPDX-License-Identifier: Apache-2.0 */
/* encode_text.c - see encode_text.h. */
#include "encode_text.h"

#include "byte_level.h"
#include "tokenizer_priv.h"

#include <string.h>

void axl__text_encoder_init(axl__text_encoder *e, const axl_tokenizer *t, axl__token_ids *out)
{
    e->t = t;
    e->out = out;
    axl__bpe_scratch_init(&e->scratch, t->ctx);
    axl__str_init(&e->marked, t->ctx);
    axl__str_init(&e->spaced, t->ctx);
}

void axl__text_encoder_free(axl__text_encoder *e)
{
    axl__bpe_scratch_free(&e->scratch);
    axl__str_free(&e->marked);
    axl__str_free(&e->spaced);
}

/* Metaspace's split: a part begins at each mark.  Merges do not reach from one part to the next. */
static axl_status encode_parts(axl__text_encoder *e, const char *text, size_t len)
{
    axl__slice mark = e->t->pipeline.metaspace.mark;
    size_t from = 0;

    while (from < len) {
        size_t to = from + 1;
        while (to < len && !(to + mark.len <= len && memcmp(text + to, mark.text, mark.len) == 0))
            to++;
        AXL_TRY(axl__bpe_encode(&e->t->bpe, text + from, to - from, &e->scratch, e->out));
        from = to;
    }
    return AXL_OK;
}

static axl_status encode_word(axl__text_encoder *e, const char *text, size_t len)
{
    if (!e->t->pipeline.byte_level)
        return axl__bpe_encode(&e->t->bpe, text, len, &e->scratch, e->out);
    if (e->t->bpe.by_bytes)
        return axl__bpe_encode_bytes(&e->t->bpe, text, len, &e->scratch, e->out);
    axl__str_clear(&e->marked);
    axl__byte_level_put(&e->marked, text, len);
    AXL_TRY(axl__str_status(&e->marked));
    return axl__bpe_encode(&e->t->bpe, e->marked.data, e->marked.len, &e->scratch, e->out);
}

/* Words of the i-th pre-tokenizer, each through those behind it. */
static axl_status encode_cut(axl__text_encoder *e, uint32_t i, const char *text, size_t len)
{
    const axl__pipeline *p = &e->t->pipeline;
    const axl__cut *cut = &p->cuts[i];
    size_t to;

    if (i == p->n_cuts)
        return encode_word(e, text, len);
    if (cut->prefix_space && text[0] != ' ') {
        axl__str_clear(&e->spaced);
        axl__str_putc(&e->spaced, ' ');
        axl__str_put(&e->spaced, text, len);
        AXL_TRY(axl__str_status(&e->spaced));
        text = e->spaced.data;
        len = e->spaced.len;
    }
    for (size_t from = 0; from < len; from = to) {
        AXL_TRY(axl__cancelled(e->t->ctx));
        to = axl__split_word(cut->into, text, len, from);
        AXL_TRY(encode_cut(e, i + 1, text + from, to - from));
    }
    return AXL_OK;
}

axl_status axl__encode_text(axl__text_encoder *e, const char *text, size_t len, bool at_start)
{
    const axl__metaspace *m = &e->t->pipeline.metaspace;

    if (len == 0)
        return AXL_OK;
    if (!m->on)
        return encode_cut(e, 0, text, len);
    axl__str_clear(&e->marked);
    AXL_TRY(axl__put_metaspace(m, text, len, at_start, &e->marked));
    if (m->split)
        return encode_parts(e, axl__str_text(&e->marked), e->marked.len);
    return axl__bpe_encode(&e->t->bpe, axl__str_text(&e->marked), e->marked.len, &e->scratch,
                           e->out);
}
