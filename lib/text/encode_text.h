/* SPDX-License-Identifier: Apache-2.0 */
/* encode_text.h - the fast way through pre-tokenizers and model: a normalized text that holds no
 * added token, to ids. */
#ifndef AXL_TEXT_ENCODE_TEXT_H
#define AXL_TEXT_ENCODE_TEXT_H

#include "base/str.h"
#include "bpe.h"

#include <axl/tokenizer.h>

typedef struct axl__text_encoder {
    const axl_tokenizer *t;
    axl__bpe_scratch scratch;
    axl__str marked; /* the text with marks for spaces, or a word's letters */
    axl__str spaced; /* a word with a space before it */
    axl__token_ids *out;
} axl__text_encoder;

/* Both are borrowed; ids are appended. */
void axl__text_encoder_init(axl__text_encoder *e, const axl_tokenizer *t, axl__token_ids *out);
void axl__text_encoder_free(axl__text_encoder *e);
/* at_start: the text is the beginning of all that was given.  With a Metaspace e->marked then has
 * what the model saw. */
axl_status axl__encode_text(axl__text_encoder *e, const char *text, size_t len, bool at_start);

#endif
