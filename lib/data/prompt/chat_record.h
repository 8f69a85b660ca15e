/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chat_record.h - from a record to the turns of a conversation, as Axolotl's chat_template strategy
 * reads it (prompt_strategies/chat_template.py of 0.19): keys and roles by their mappings, thinking
 * taken out of the content, parts of a content put together, texts that hold JSON parsed.
 */
#ifndef AXL_DATA_PROMPT_CHAT_RECORD_H
#define AXL_DATA_PROMPT_CHAT_RECORD_H

#include "base/json_make.h"

/* A name and the name that stands for it: a template's key and the message's, or a role in the
 * data and the one that the template knows. */
typedef struct axl__chat_pair {
    const char *name, *other;
} axl__chat_pair;

/* Where things stand in a record; what a data set entry says.  All borrowed. */
typedef struct axl__chat_fields {
    const char *messages, *tools;
    const char *training, *training_detail; /* of a message; NULL: none */
    const char *thinking;                   /* the template's key for it */
    const axl__chat_pair *properties;       /* (n_properties) template's key, message's key */
    size_t n_properties;
    const axl__chat_pair *roles; /* (n_roles) role in the data, role for the template */
    size_t n_roles;
    const char *const *keys; /* (n_keys) what the template reads of a message */
    size_t n_keys;
    bool split_thinking, drop_system_message;
} axl__chat_fields;

/* Characters of a text, the last one included, that are trained or not. */
typedef struct axl__chat_detail {
    int64_t begin, end;
    bool train;
} axl__chat_detail;

typedef struct axl__chat_details {
    axl__chat_detail *items; /* (n) */
    size_t n;
    bool given; /* there may be none of them all the same */
} axl__chat_details;

typedef struct axl__chat_turn {
    axl__json node;   /* the message as the template sees it; its next is the next turn's */
    const char *role; /* for the template */
    int train;        /* 1 or 0 as the message says; -1: by its role */
    axl__chat_details content, thinking;
} axl__chat_turn;

typedef struct axl__conversation {
    axl__chat_turn *turns; /* (n) */
    size_t n;
    axl__json messages;     /* the list of all nodes */
    const axl__json *tools; /* a list; NULL: none */
} axl__conversation;

/* Everything lies in the arena or in the record.  AXL_ERR_DATA, without the record's place: it is
 * no conversation.  No turns where the record has no messages. */
axl_status axl__conversation_read(axl__conversation *out, axl__arena *arena,
                                  const axl__chat_fields *fields, const axl__json *record);

/* Of names or roles; NULL where none is of that name. */
const char *axl__chat_pair_other(const axl__chat_pair *pairs, size_t n, const char *name);

/* The text without white space (Python's) at both ends, or at its beginning alone. */
void axl__chat_strip(const char **text, size_t *len, bool right_too);

#endif
