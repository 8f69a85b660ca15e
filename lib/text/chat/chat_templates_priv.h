/* SPDX-License-Identifier: Apache-2.0 */
/* chat_templates_priv.h - the table that embed_templates.py writes of templates/. */
#ifndef AXL_TEXT_CHAT_TEMPLATES_PRIV_H
#define AXL_TEXT_CHAT_TEMPLATES_PRIV_H

#include <stddef.h>

typedef struct axl__chat_template {
    const char *name, *source;
} axl__chat_template;

extern const axl__chat_template axl__chat_templates[]; /* by name */
extern const size_t axl__n_chat_templates;

#endif
