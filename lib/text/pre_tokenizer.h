/* SPDX-License-Identifier: Apache-2.0 */
/* pre_tokenizer.h - the pre-tokenizers of a tokenizer.json: reading them, and running one of them.
 */
#ifndef AXL_TEXT_PRE_TOKENIZER_H
#define AXL_TEXT_PRE_TOKENIZER_H

#include "json_part.h"
#include "words.h"

/* Fills the pipeline's pre-tokenizers; regular expressions are put into owned. */
axl_status axl__read_pre_tokenizer(axl__pipeline *p, const axl__part *part, axl__regexes *owned);
/* The members that a Metaspace has, as pre-tokenizer or as decoder. */
axl_status axl__read_metaspace(const axl__part *part, axl__metaspace *m);

/* Stretches of a text: those that match, and what is between. */
typedef struct axl__stretch {
    size_t from, to;
    bool match;
} axl__stretch;

/* Memory for cutting, of one call. */
typedef struct axl__cutter {
    axl_context *ctx;
    axl__stretch *stretches;
    size_t count, cap;
    axl__aligned changed; /* a word that is changed before it is cut */
    axl__regex_scratch regex;
} axl__cutter;

void axl__cutter_init(axl__cutter *c, axl_context *ctx, bool track);
void axl__cutter_free(axl__cutter *c);

/* Appends the words that a step makes of the bytes [from, to), from < to, of a text. */
axl_status axl__cut_word(axl__cutter *c, const axl__cut *cut, const axl__aligned *in, size_t from,
                         size_t to, axl__words *out);

#endif
