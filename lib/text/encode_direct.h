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
 * right. */
typedef struct axl__origin {
    const char *text;
    size_t len;
    uint32_t base;     /* where the text begins in the original */
    size_t mark;       /* as how many bytes a space is seen; 0: as itself */
    size_t seen, next; /* behind the character at hand: as it is seen, and in the text */
    axl__span here;    /* the character at hand, in the text */
    bool same;         /* the model sees the text itself */
} axl__origin;

/* The text that the model is to see instead of text[0..len), which the original has at `at`;
 * AXL_END where it cannot be told from the fast way which byte is from where. */
axl_status axl__direct_normal(axl__direct *d, const char *text, size_t len, size_t at,
                              axl__slice *seen, axl__origin *origin);
axl__span axl__origin_span(axl__origin *o, size_t from, size_t to);
/* The ids of the bytes [from, to) of what is seen, in d->ids.  The model counts from place *first
 * of *counts on, which is origin or, where it sees marks that the text has not, *own. */
axl_status axl__direct_encode(axl__direct *d, axl__slice seen, size_t from, size_t to,
                              axl__origin *origin, axl__origin *own, axl__origin **counts,
                              size_t *first);

#endif
