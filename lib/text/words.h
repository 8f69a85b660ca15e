/* SPDX-License-Identifier: Apache-2.0 */
/* words.h - the words that pre-tokenizers cut a text into, one behind the other. */
#ifndef AXL_TEXT_WORDS_H
#define AXL_TEXT_WORDS_H

#include "aligned.h"

typedef struct axl__words {
    axl__aligned text;
    size_t *ends; /* (count) word i is the text from the end of the one before to ends[i] */
    size_t count, cap;
} axl__words;

void axl__words_init(axl__words *w, axl_context *ctx, bool track);
void axl__words_free(axl__words *w);
void axl__words_clear(axl__words *w);
/* What was appended to the text since the last word is one, unless it is empty. */
axl_status axl__words_end(axl__words *w);
/* The bytes [from, to) of a text, as a word. */
axl_status axl__words_put(axl__words *w, const axl__aligned *in, size_t from, size_t to);

#endif
