/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chat_turns.h - where each turn's own text stands in a rendered conversation.
 *
 * The meaning is Axolotl 0.19's: the conversation as it is, against the same with that turn's
 * content replaced by a word and its tool calls and thinking dropped; what differs is the turn's.
 * Two words without a common letter at either end are taken, and the wider of the two differences.
 */
#ifndef AXL_DATA_PROMPT_CHAT_TURNS_H
#define AXL_DATA_PROMPT_CHAT_TURNS_H

#include "chat_record.h"

#include "text/chat_render.h"

/* Bytes of a text; begin == end: nothing of it is there. */
typedef struct axl__text_span {
    size_t begin, end;
} axl__text_span;

/* Which part of a turn is sought. */
typedef enum {
    AXL__TURN_WHOLE,   /* content, thinking and tool calls */
    AXL__TURN_CONTENT, /* without the thinking */
    AXL__TURN_THINKING
} axl__turn_part;

typedef struct axl__chat_text {
    const axl__chat *chat;
    axl__conversation *conversation; /* changed and changed back while a turn is sought */
    const char *thinking;            /* the template's key for it */
    axl__arena *arena;
    axl__str text;         /* the conversation as the template renders it */
    axl__str other;        /* scratch: with a turn replaced */
    axl__text_span *plain; /* (n) of turns of plain content, found from one more rendering */
    bool *found;           /* (n) whether plain has the turn */
} axl__chat_text;

/* Renders the conversation, which must have a turn.  Release with axl__chat_text_free(), after a
 * failure too. */
axl_status axl__chat_text_init(axl__chat_text *t, const axl__chat *chat, axl__arena *arena,
                               axl__conversation *conversation, const char *thinking);
void axl__chat_text_free(axl__chat_text *t);

/* Finds all turns that have nothing but a role and a text, where the template treats the text as a
 * whole: a conversation of n such turns is rendered once more instead of 2 n times.  What it does
 * not find axl__chat_find_turn() finds. */
axl_status axl__chat_find_plain(axl__chat_text *t);

axl_status axl__chat_find_turn(axl__chat_text *t, size_t turn, axl__turn_part part,
                               axl__text_span *out);

#endif
