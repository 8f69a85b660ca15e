/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chat_templates.h - the chat templates that a config may name, which are Axolotl 0.19's names:
 * a conversation's text is the one that Axolotl's file of the name makes.
 */
#ifndef AXL_TEXT_CHAT_TEMPLATES_H
#define AXL_TEXT_CHAT_TEMPLATES_H

#include "base/fail.h"

/* The source of a built-in chat template; *source is static.  AXL_ERR_INVALID: no such name, the
 * message has the nearest one or all; AXL_ERR_UNSUPPORTED: one whose text is its vendor's, the
 * message says what to use instead. */
axl_status axl__chat_template_builtin(const char *name, const char **source);

#endif
