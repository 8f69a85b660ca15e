/* SPDX-License-Identifier: Apache-2.0 */
/* ranks.h - vocabularies of bytes by rank: tiktoken's files and tekken.json. */
#ifndef AXL_TEXT_RANKS_H
#define AXL_TEXT_RANKS_H

#include "tokenizer_priv.h"

enum { AXL__RANK_TOKEN_MAX = 1 << 12 };

/* Memory of adding many tokens. */
typedef struct axl__rank_room {
    axl__str bytes, chars; /* of the last token; chars: in byte_level.h's characters */
} axl__rank_room;

void axl__rank_room_init(axl__rank_room *room, axl_context *ctx);
void axl__rank_room_free(axl__rank_room *room);
/* A piece that is written in base64; AXL_END where it is not, or is too long. */
axl_status axl__rank_add(axl_tokenizer *t, axl__rank_room *room, axl__slice base64, int64_t id);
/* The merges that tiktoken makes, when all pieces are there: a whole word that is a piece is one,
 * and of two neighbours that make a piece the one of the lowest rank goes first. */
axl_status axl__rank_merges(axl_tokenizer *t);
/* Words by a regular expression, then their bytes. */
axl_status axl__rank_pipeline(axl_tokenizer *t, const char *pattern, size_t len);

#endif
