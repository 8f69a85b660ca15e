/* SPDX-License-Identifier: Apache-2.0 */
/*
 * continuation.h - the text of what is generated, as it comes: told to the host piece by piece, and
 * ended before the first stop string.  What may be the beginning of one is held back until it is
 * known not to be.
 */
#ifndef AXL_GENERATE_CONTINUATION_H
#define AXL_GENERATE_CONTINUATION_H

#include "text/tokenizer.h"

#include <axl/generate.h>

typedef struct axl__continuation {
    const axl_tokenizer *tok;         /* NULL: there is no text */
    const axl_generate_options *opts; /* the callback and the stop strings */
    axl__decode_stream stream;
    axl__str text;  /* all that has come, without a stop string and what follows it */
    size_t told;    /* bytes of it that the callback has seen */
    size_t longest; /* of the stop strings, bytes */
} axl__continuation;

/* Behind a prompt of n ids. */
axl_status axl__continuation_init(axl__continuation *c, axl_context *ctx, const axl_tokenizer *tok,
                                  const axl_generate_options *opts, const int32_t *prompt,
                                  size_t n);
void axl__continuation_free(axl__continuation *c);
/* *stopped: a stop string has come.  AXL_ERR_CANCELLED when the callback wants no more. */
axl_status axl__continuation_put(axl__continuation *c, int32_t id, bool *stopped);
/* Nothing follows: what was held back is said, too. */
axl_status axl__continuation_end(axl__continuation *c, bool *stopped);

#endif
