/* SPDX-License-Identifier: Apache-2.0 */
/*
 * added_tokens.h - tokens that are found in a text before the model sees it: special tokens and
 * others, as the AddedVocabulary of Hugging Face tokenizers.
 */
#ifndef AXL_TEXT_ADDED_TOKENS_H
#define AXL_TEXT_ADDED_TOKENS_H

#include "bpe.h"
#include "pipeline.h"
#include "token_search.h"

typedef struct axl__added_token {
    axl__slice text; /* no NUL inside is assumed, none needed behind */
    bool single_word, lstrip, rstrip, normalized, special;
} axl__added_token;

typedef struct axl__added_entry {
    axl__added_token token;
    int32_t id;
    axl__slice changed; /* what the normalizer made of it; NULL text: nothing else */
} axl__added_entry;

/* Filled by axl__added_add(), in calls whose order decides the ids of new tokens; searchable only
 * after axl__added_finish(), and then no longer changed.  An id has one entry: a token that is
 * added again with other flags takes it over. */
typedef struct axl__added {
    axl_context *ctx;
    axl__arena *arena; /* borrowed; texts are copied into it */
    axl__added_entry *entries;
    uint32_t count, cap;
    int32_t max_id;          /* -1: none */
    axl__pairs by_id;        /* id to index */
    axl__map ids;            /* text to id */
    axl__map special;        /* texts that are special */
    axl__search searches[2]; /* of the tokens not normalized, and normalized */
    bool split_special;      /* special tokens in a text are text */
} axl__added;

void axl__added_init(axl__added *a, axl_context *ctx, axl__arena *arena);
void axl__added_free(axl__added *a);

/* Adds tokens as one call of add_tokens: an unknown text gets the next free id. */
axl_status axl__added_add(axl__added *a, const axl__added_token *tokens, size_t n,
                          const axl__bpe *bpe, const axl__pipeline *pipeline);
/* One whose id is known. */
axl_status axl__added_put(axl__added *a, axl__added_token token, int32_t id);
/* Makes a text special without adding a token: it is only left out when decoding. */
axl_status axl__added_mark_special(axl__added *a, axl__slice text);
/* Makes ready to search, after the last token. */
axl_status axl__added_finish(axl__added *a);

/* The entry of an id, NULL for none. */
const axl__added_entry *axl__added_of(const axl__added *a, int64_t id);
bool axl__added_is_special(const axl__added *a, axl__slice text);
bool axl__added_has(const axl__added *a, axl__slice text);

/* Walks over a text: pieces of text (id -1) and tokens found, in turn, until AXL_END.  at is the
 * first byte that was not given yet, search where the next token may begin: apart, because a token
 * with rstrip takes white space behind it that may itself begin the next. */
typedef struct axl__finder {
    const axl__added *added;
    axl__search_walk walk;
    const char *text;
    size_t len, at, search;
    size_t space_from, space_to; /* white space that was gone through last */
    bool pending;
    int32_t pending_id;
    size_t pending_from, pending_to;
} axl__finder;

void axl__finder_init(axl__finder *f, const axl__added *a, bool normalized, const char *text,
                      size_t len, axl__hits *hits);
axl_status axl__finder_next(axl__finder *f, int32_t *id, size_t *from, size_t *to);

#endif
