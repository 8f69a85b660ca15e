/* SPDX-License-Identifier: Apache-2.0 */
/* json_part.h - the parts of a tokenizer.json: objects with a "type".  Messages name the kind of
 * part and its type; who reads the file puts its path before them. */
#ifndef AXL_TEXT_JSON_PART_H
#define AXL_TEXT_JSON_PART_H

#include "base/arena.h"
#include "base/json.h"
#include "pipeline.h"

/* A part at hand: what it is ("normalizer"), and its object. */
typedef struct axl__part {
    const char *what;
    const axl__json *json;
    axl__arena *arena; /* where its texts go */
} axl__part;

bool axl__part_none(const axl__json *v); /* not there, or null */
const char *axl__part_type(const axl__part *p);
bool axl__part_is(const axl__part *p, const char *type);
/* Fails for a type that there is not. */
axl_status axl__part_unknown(const axl__part *p);
/* Fails with what is wrong. */
axl_status axl__part_wrong(const axl__part *p, const char *why);

/* A member that is a text, copied. */
axl_status axl__part_text(const axl__part *p, const char *key, axl__slice *out);
/* As axl__part_text, of one character. */
axl_status axl__part_char(const axl__part *p, const char *key, axl__slice *out);
/* A member that may be missing or null: out is then `otherwise`. */
axl_status axl__part_bool(const axl__part *p, const char *key, bool otherwise, bool *out);
/* The members of a Sequence; fails where `key` is no array. */
axl_status axl__part_list(const axl__part *p, const char *key, const axl__json **first);
/* The "pattern" of a part: a text, or a regular expression; an empty text is to be one, too, which
 * matches everywhere. */
axl_status axl__part_pattern(const axl__part *p, axl__slice *out, bool *regex);

#endif
