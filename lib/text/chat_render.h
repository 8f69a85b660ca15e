/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chat_render.h - a chat template together with what a tokenizer lends it: the special tokens by
 * their names, and the tokenizer's own template where none is chosen.
 */
#ifndef AXL_TEXT_CHAT_RENDER_H
#define AXL_TEXT_CHAT_RENDER_H

#include "base/arena.h"
#include "base/json.h"
#include "base/os_time.h"
#include "config/yaml_tree.h"
#include "jinja/jinja.h"

#include <axl/config.h>
#include <axl/tokenizer.h>

/* Read-only once it is open: several threads may render at once. */
typedef struct axl__chat {
    axl_context *ctx;
    axl__arena arena;
    axl__str source; /* the template */
    axl__jinja *jinja;
    axl__json *variables; /* what every rendering sees beside its own */
    axl__date now;
} axl__chat;

/* What a config says of a template.  All borrowed, for the call of axl__chat_open(). */
typedef struct axl__chat_choice {
    const axl_config *cfg; /* whose base_dir and axl.date count; NULL: neither does */
    const char *name;      /* chat_template: a built-in one's, "jinja", "tokenizer_default", … */
    const char *jinja;     /* chat_template_jinja: a template, or the path of a file of one */
    const axl__yaml *kwargs; /* chat_template_kwargs: a mapping, or NULL */
} axl__chat_choice;

/* What choosing would say of a name before there is a tokenizer. */
axl_status axl__chat_look(const char *name);

/* The template that is chosen.  AXL_ERR_INVALID: there is no such, or the tokenizer has none. */
axl_status axl__chat_source(axl__str *out, const axl__chat_choice *choice,
                            const axl_tokenizer *tok);

/* tok must live as long. */
axl_status axl__chat_open(axl__chat *chat, const axl__chat_choice *choice,
                          const axl_tokenizer *tok);
void axl__chat_close(axl__chat *chat);

/* Whether what it writes depends on the day. */
bool axl__chat_tells_date(const axl__chat *chat);

/* Appends the text for an object of variables; what it lacks of those that transformers always
 * gives it gets. */
axl_status axl__chat_render_object(const axl__chat *chat, const axl__json *object,
                                   const axl__jinja_options *options, axl__str *out);

/* As that, of one conversation.  messages: a list of mappings; tools: a list, or NULL.
 * AXL_ERR_FORMAT names the template's line and the cause. */
axl_status axl__chat_render(const axl__chat *chat, const axl__json *messages,
                            const axl__json *tools, bool add_generation_prompt, axl__str *out);

#endif
