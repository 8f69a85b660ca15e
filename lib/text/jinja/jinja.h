/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jinja.h - templates as Hugging Face's chat templates are written: jinja2 3.1 under transformers'
 * settings (sandboxed, immutable values, trim_blocks, lstrip_blocks, loop controls, no escaping,
 * tojson that keeps characters as they are, raise_exception, strftime_now, generation blocks).
 * The same bytes come out; a template that jinja2 refuses is refused.
 *
 * A template never changes once it is parsed, and several threads may render it at once.  Nothing
 * here knows a tokenizer or a model.
 */
#ifndef AXL_TEXT_JINJA_H
#define AXL_TEXT_JINJA_H

#include "base/arena.h"
#include "base/json.h"
#include "base/os_time.h"
#include "base/str.h"

typedef struct axl__jinja axl__jinja;

/* What a stranger's template may take; 0 is the default. */
typedef struct axl__jinja_limits {
    uint64_t steps;  /* evaluated expressions and statements, passes of loops; 50 million */
    uint64_t output; /* bytes of the text; 256 MiB */
    uint64_t memory; /* bytes of values and texts on the way; 1 GiB */
    uint32_t depth;  /* of macros, blocks and expressions in one another; 400 */
} axl__jinja_limits;

typedef struct axl__jinja_options {
    axl__jinja_limits limits;
    axl__date now;          /* what strftime_now writes */
    const axl__json *extra; /* an object: variables where the context has none; may be NULL */
} axl__jinja_options;

/* The text is copied.  AXL_ERR_FORMAT names NAME:LINE and the cause. */
axl_status axl__jinja_parse(axl__jinja **out, axl_context *ctx, const char *name, const char *text,
                            size_t len);
void axl__jinja_free(axl__jinja *t); /* NULL is fine */

/* Appends the text to out, which is as it was on failure.  context: an object whose members are
 * the variables.  AXL_ERR_FORMAT where the template fails on it or says so itself
 * (raise_exception), or goes past a limit, with NAME:LINE. */
axl_status axl__jinja_render(const axl__jinja *t, const axl__json *context,
                             const axl__jinja_options *opts, axl__str *out);

typedef struct axl__jinja_key axl__jinja_key;
struct axl__jinja_key {
    const char *name;
    const axl__jinja_key *next;
};

/* The keys of a message that the template reads, as Axolotl finds them (jinja_message_keys.c says
 * how), each once, in the order of the template: a data set's other keys are not handed to it.
 * *first is NULL where there is none; the list is arena's.  AXL_ERR_FORMAT for an expression that
 * is nested too deep. */
axl_status axl__jinja_message_keys(const axl__jinja *t, axl__arena *arena,
                                   const axl__jinja_key **first);

/* Whether Python's str.isspace() is true of a character. */
bool axl__j_space(uint32_t c);

#endif
