/* SPDX-License-Identifier: Apache-2.0 */
/* encode_aligned.h - encoding with the stretch of the text that each token stands for, and encoding
 * with steps or models that the fast way in tokenizer.c does not know. */
#ifndef AXL_TEXT_ENCODE_ALIGNED_H
#define AXL_TEXT_ENCODE_ALIGNED_H

#include "aligned.h"
#include "token_ids.h"

#include <axl/tokenizer.h>

/* A token, the bytes of the text that it stands for, and the white space at its ends in
 * characters. */
typedef struct axl__aligned_token {
    int32_t id;
    uint32_t begin, end, lead, trail;
} axl__aligned_token;

typedef struct axl__aligned_tokens {
    axl_context *ctx;
    axl__aligned_token *items;
    size_t count, cap;
} axl__aligned_tokens;

/* Appends the tokens of well-formed UTF-8 of less than 2 GiB, those around it too unless the flag
 * AXL_TOKENIZE_NO_SPECIAL is set.  offsets: they are wanted; else only the ids are to be read. */
axl_status axl__encode_aligned(const axl_tokenizer *t, const char *text, size_t len, uint32_t flags,
                               bool offsets, axl__aligned_tokens *out);

#endif
