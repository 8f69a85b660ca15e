/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode_direct.h - offsets from the fast way to ids, for the models whose ids say how many bytes
 * they stand for (axl__bpe.lengths), where what stands before the model changes nothing but spaces:
 * LLaMA, GPT-2, Llama-3, Qwen2 on nearly all texts.
 */
#ifndef AXL_TEXT_ENCODE_DIRECT_H
#define AXL_TEXT_ENCODE_DIRECT_H

#include "added_tokens.h"
#include "aligned.h"
#include "encode_text.h"

typedef struct axl__direct {
    const axl_tokenizer *t;
    axl__token_ids ids;
    axl__text_encoder texts;
    axl__str normal;
    axl__slice prefix, mark; /* what a normalizer puts before a text, and for a space */
    bool on;                 /* the tokenizer is such a one */
    bool composes;           /* the normalizer may change characters */
} axl__direct;

void axl__direct_init(axl__direct *d, const axl_tokenizer *t);
void axl__direct_free(axl__direct *d);

/* Where the bytes of a text stand that the model sees in another one; asked for from left to
 * right.  A token is counted, where the text has as many bytes as what is seen but for marks, which
 * are one byte each there; else the text is walked over by characters. */
typedef struct axl__origin {
    const char *text;
    size_t len;
    uint32_t base;     /* where the text begins in the original */
    size_t mark;       /* as how many bytes a space is seen; 0: as itself */
    size_t prefix;     /* bytes that are seen before the text */
    bool counts;       /* see above; of all that is seen at once, or where the two are the same */
    bool same;         /* what is seen is the text */
    size_t at;         /* where the next token begins: counted, or as it is seen */
    size_t seen, next; /* behind the character at hand: as it is seen, and in the text */
    axl__span here;    /* the character at hand, in the text */
} axl__origin;

/* The text that the model is to see instead of text[0..len), which the original has at `at`;
 * AXL_END where it cannot be told from the fast way which byte is from where. */
axl_status axl__direct_normal(axl__direct *d, const char *text, size_t len, size_t at,
                              axl__slice *seen, axl__origin *origin);
/* Of the bytes [from, to) that are seen. */
axl__span axl__origin_span(axl__origin *o, size_t from, size_t to);
/* The ids of the bytes [from, to) of what is seen, in d->ids.  *of: what axl__origin_next() is then
 * asked of for each, in turn; origin or, where the model sees marks that the text has not, *own. */
axl_status axl__direct_encode(axl__direct *d, axl__slice seen, size_t from, size_t to,
                              axl__origin *origin, axl__origin *own, axl__origin **of);
axl__span axl__origin_next(axl__origin *o, axl__id_length token);

#endif
